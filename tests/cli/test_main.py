import pytest

import tervit_np
from tervit_np.cli import COMMANDS


def test_without_a_command_the_help_is_shown(tervit):
    code, out, _ = tervit()
    assert code == 0
    assert "usage: tervit" in out


@pytest.mark.parametrize("command", [c.__name__.rpartition(".")[2] for c in COMMANDS])
def test_every_command_shows_examples(tervit, command):
    name = {"evaluate": "eval"}.get(command, command)
    code, out, _ = tervit(name, "--help")
    assert code == 0
    assert "examples:" in out
    assert f"tervit {name}" in out.partition("examples:")[2]


def test_a_wrong_option_exits_with_2(tervit):
    code, _, error = tervit("train", "--no-such-option")
    assert code == 2
    assert "unrecognized arguments" in error


def test_the_version(tervit):
    assert tervit("--version")[1].strip() == f"tervit_np {tervit_np.__version__}"


def test_a_traceback_for_those_who_ask(tervit, monkeypatch):
    monkeypatch.setenv("TERVIT_DEBUG", "1")
    with pytest.raises(ValueError, match="unknown model"):
        tervit("check", "--model", "vgg")


def test_as_a_module_in_a_fresh_process(shell):
    done = shell("eval", "nowhere.npz")
    assert done.returncode == 2
    assert done.stderr == "tervit eval: nowhere.npz: no such file\n"
