import argparse
import io
from pathlib import Path

import pytest

import tervit_np
from data_tools.terminal import ERASE, StatusLine
from tervit_np.cli import COMMANDS, main, make_parser
from tervit_np.cli.stage_options import parse_stages
from tervit_np.train import named_preset


def test_tervit_without_a_command_shows_the_help(tervit):
    code, out, _ = tervit()
    assert code == 0
    assert "usage: tervit" in out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_examples(tervit, name):
    code, out, _ = tervit(name, "--help")
    assert code == 0
    assert "examples:" in out
    assert f"tervit {name}" in out.partition("examples:")[2]


def all_parsers(parser):
    """Return a parser and those of its commands and actions."""
    nested = [p for a in parser._actions if is_nested(a) for p in a.choices.values()]
    return [parser, *(inner for p in nested for inner in all_parsers(p))]


def is_nested(action):
    return isinstance(action, argparse._SubParsersAction)


@pytest.mark.parametrize("parser", all_parsers(make_parser()), ids=lambda parser: parser.prog)
def test_every_option_has_a_help_text_and_names_its_value(parser):
    """An option of one value has a placeholder such as FILE, or choices; OUT says nothing."""
    for action in parser._actions:
        if is_nested(action) or action.help == argparse.SUPPRESS:
            continue
        assert action.help, action
        assert action.nargs == 0 or action.metavar or action.choices, action


@pytest.mark.parametrize("columns", [80, 60])
@pytest.mark.parametrize("parser", all_parsers(make_parser()), ids=lambda parser: parser.prog)
def test_help_fits_the_terminal(parser, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert [line for line in parser.format_help().splitlines() if len(line) > columns] == []


@pytest.mark.parametrize(
    "command",
    [
        "data",
        "learn",
        "exercise list",
        "check --list-mutants",
        "check --conventions",
        "size deit_shapes --layers",
        "size deit_shapes --activations",
    ],
)
def test_listings_fit_the_terminal(tervit, command, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERVIT_DATA", "data")  # a short path
    code, out, _ = tervit(*command.split())
    assert (code, [line for line in out.splitlines() if len(line) > 80]) == (0, [])
    assert out


def test_help_of_an_action_shows_its_own_examples_only(tervit):
    out = tervit("data", "get", "--help")[1].partition("examples:")[2]
    assert "tervit data get cifar10" in out
    assert "tervit data show" not in out
    shown = tervit("data", "show", "--help")[1]
    assert " ".join(shown.split()).endswith("classes, what is left out, and examples")


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("trian",), "tervit: unknown command 'trian'; did you mean train?"),
        (("zzz",), "tervit: unknown command 'zzz'"),
        (("data", "gte"), "tervit data: unknown action 'gte'; did you mean get?"),
        (("train", "--seeds=3"), "tervit train: unknown argument '--seeds'; did you mean --seed?"),
        (("train", "--seed", "-1"),
         "tervit train: argument --seed: '-1' is not a whole number from 0 on"),
        (("train", "--threads", "two"),
         "tervit train: argument --threads: 'two' is not a whole number"),
        (("train", "--ema", "x"), "tervit train: argument --ema: 'x' is not a number"),
        (("log", "r", "--csv", "csv"), "tervit log: unknown argument 'csv'"),
        (("predict", ""),
         "tervit: an argument is empty; leave it out, or check the variable it comes from"),
        (("train", "--out="),
         "tervit: the value of --out is empty; leave it out, or check the variable it comes from"),
        (("train", "--out=~nobody-of-this-name/x"),
         "tervit train: ~nobody-of-this-name/x: there is no such home folder; name the folder in "
         "full"),
        (("log", "~here/x"),
         "tervit: ~here/x: there is no such home folder; name the folder in full"),
        (("doctor", "now"), "tervit doctor: unknown argument 'now'"),
        (("predict",), "tervit predict: the following arguments are required: [MODEL] PICTURE"),
        (("eval", "m", "--attention", "int4"),
         "tervit eval: --attention is 'int4'; expected float32 or bfloat16 or int8"),
    ],
)  # fmt: skip
def test_a_usage_error_is_one_line_and_suggests_a_spelling(tervit, args, error):
    code, _, printed = tervit(*args)
    program = error.partition(":")[0]
    assert (code, printed) == (2, f"{error} (see `{program} --help`)\n")


@pytest.mark.parametrize(
    "args",
    [
        ("run", "a.png", "b.png", "--top", "5"),
        ("run", "--top", "5", "a.png", "b.png"),
        ("--top", "5", "run", "a.png", "b.png"),
        ("run", "a.png", "--top=5", "b.png"),
        ("run", "--top", "5", "--", "a.png", "b.png"),
    ],
)
def test_options_may_stand_between_the_pictures(args):
    parsed = make_parser().parse_args(["predict", *args])
    assert (parsed.names, parsed.top) == (["run", "a.png", "b.png"], 5)


@pytest.mark.parametrize(
    "args", [("run", "--top", "5", "--", "-a.png"), ("--top", "5", "--", "run", "-a.png")]
)
def test_names_behind_two_dashes_may_begin_with_one(args):
    parsed = make_parser().parse_args(["predict", *args])
    assert (parsed.names, parsed.top) == (["run", "-a.png"], 5)


@pytest.mark.parametrize(
    ("args", "name", "value"),
    [
        (("train", "--out=~/x"), "out", "HOME/x"),
        (("train", "--resume", "~/x"), "resume", "HOME/x"),
        (("train", "--weights=~"), "weights", "HOME"),
        (("export", "~/x", "--out=~/y"), "out", "HOME/y"),
        (("eval", "~/x"), "model", "HOME/x"),
        (("data", "show", "s", "--out=~/x.png"), "out", Path("HOME/x.png")),
        (("data", "--root=~/x"), "root", Path("HOME/x")),
        (("predict", "~/r", "--top=5", "~/a.png"), "names", ["HOME/r", "HOME/a.png"]),
        (("train", "--data=folder:~/x"), "data", "folder:~/x"),
        (("exercise", "--student=~ada"), "student", "~ada"),
        (("train", "--out=a~/x"), "out", "a~/x"),
        (("train", "--out=a="), "out", "a="),
        (("predict", "r", "--", "--x="), "names", ["r", "--x="]),
    ],
)
def test_a_path_may_begin_with_the_home_folder(args, name, value, monkeypatch):
    """No shell replaces the ~ of --out=~/x, which would make a folder of this name."""
    monkeypatch.setenv("HOME", "HOME")
    monkeypatch.setenv("USERPROFILE", "HOME")  # on Windows
    assert getattr(make_parser().parse_args(args), name) == value


def test_a_folder_may_begin_with_the_sign_of_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~here").mkdir()
    assert make_parser().parse_args(["log", "~here/x"]).run_folder == "~here/x"


def test_a_plan_file_of_a_stage_may_be_in_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "mine.toml").write_text("layer = []")
    stages = parse_stages("float:2@1e-3,~/mine.toml:1@1e-3", named_preset("shapes"))
    assert [stage.name for stage in stages] == ["float", "mine"]


def test_the_version_is_printed(tervit):
    assert tervit("--version")[1].strip() == f"tervit_np {tervit_np.__version__}"


def test_tervit_debug_shows_the_traceback(tervit, monkeypatch):
    monkeypatch.setenv("TERVIT_DEBUG", "1")
    with pytest.raises(ValueError, match="unknown model"):
        tervit("check", "--model", "vgg")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(13, "Permission denied", "a/.x"), "a/.x: Permission denied"),
        (OSError(36, "File name too long", b"n" * 300), f"{'n' * 200}...: File name too long"),
        (OSError(28, "No space left on device", "a", None, "b"), ": a to b: No space left on"),
        (OSError(28, "No space left on device"), "tervit doctor: No space left on device"),
        (OSError(5, "Input/output error", 3), "tervit doctor: Input/output error"),
        (OSError("in words"), "in words"),
        (MemoryError("Unable to allocate 2 GiB"), "more memory than there is (Unable to allocate"),
        (MemoryError(), "this needs more memory than there is; close"),
    ],
)
def test_errors_of_the_system_are_one_sentence(tervit, monkeypatch, error, words):
    def fail(args):
        raise error

    monkeypatch.setattr("tervit_np.cli.doctor.run", fail)
    code, _, printed = tervit("doctor")
    assert (code, len(printed.splitlines())) == (2, 1)
    assert printed.startswith("tervit doctor: ")
    assert words in printed
    assert "Errno" not in printed


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="has no such device")
class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_an_error_replaces_the_line_of_progress(monkeypatch):
    def fail(args):
        StatusLine().show("decoding 5 of 9 pictures")
        raise ValueError("size: the file is\ndamaged")

    monkeypatch.setattr("tervit_np.cli.size.run", fail)
    monkeypatch.setattr("tervit_np.cli.startup.show_log", lambda: None)
    monkeypatch.setattr("sys.stderr", screen := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("TERVIT_DEBUG", raising=False)
    assert main(["size", "deit_shapes"]) == 2
    assert screen.getvalue().endswith(f"pictures{ERASE}tervit size: the file is\\ndamaged\n")


def test_a_device_is_no_model(tervit):
    code, _, printed = tervit("eval", "/dev/zero")
    assert (code, len(printed.splitlines())) == (2, 1)
    assert "/dev/zero is a pipe or a device" in printed


def test_the_module_runs_in_a_fresh_process(shell):
    done = shell("eval", "nowhere.npz")
    assert done.returncode == 2
    assert done.stderr == "tervit eval: nowhere.npz: no such file\n"
