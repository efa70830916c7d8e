"""`eval`, `predict` and the report on a run that a fixture trains once."""

import re

import numpy as np
import pytest
from PIL import Image

import tervit_np as tv
from tervit_np.checkpoints import load_model
from tervit_np.cli.model_images import images_for
from tervit_np.cli.models import open_model


@pytest.fixture(scope="module")
def run(pictures, scratch, tmp_path_factory):
    """A run of two stages on bright and dark pictures."""
    from tervit_np.analysis.report import write_report
    from tervit_np.train import Recipe, Stage, load_data

    out = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERVIT_DATA", str(scratch))
        data = load_data(f"folder:{pictures}@16", 8)
    config = tv.DeiTConfig(16, 8, 2, 16, 2, 2, pool="mean", init="xavier")
    model = tv.DeiT(config, np.random.default_rng(0))
    stages = [Stage("float", "float", 4), Stage("ternary", "ternary", 3)]
    tv.train.run(model, stages, data, out, recipe=Recipe(batch_size=8), quiet=True)
    write_report(out, data.test)
    return out


class TestEval:
    def test_the_last_stage_of_a_run_is_evaluated(self, tervit, run):
        code, out, _ = tervit("eval", run)
        assert code == 0
        assert re.search(r"ternary\.npz: folder:.* test accuracy [\d.]+ (± [\d.]+ )?%", out)
        assert re.search(r"bright +\d+\.\d %  of 16", out)

    def test_stage_file_and_split_are_options(self, tervit, run):
        stage = tervit("eval", run, "--stage", "float")[1]
        file = tervit("eval", run / "float.npz")[1]
        assert stage == file
        assert "train accuracy" in tervit("eval", run, "--split", "train")[1]
        assert "test, inverted, accuracy" in tervit("eval", run, "--invert")[1]

    @pytest.mark.parametrize(
        ("args", "words"),
        [
            (("--stage", "8-bit"), "no finished stage '8-bit'; expected float, ternary"),
            (("--data", "shapes"), "32-pixel images"),
            (("--split", "extra"), "no split 'extra'"),
            (("--threads", 0), "--threads is 0; expected at least 1"),
        ],
    )
    def test_wrong_options_are_refused(self, tervit, run, args, words):
        code, _, error = tervit("eval", run, *args)
        assert (code, len(error.splitlines())) == (2, 1)
        assert words in error

    def test_a_data_set_with_other_classes_is_refused(self, tervit, run, pictures, tmp_path):
        other = tmp_path / "other"
        for split in ("train", "test"):
            for old, new in (("bright", "cat"), ("dark", "dog")):
                (other / split).mkdir(parents=True, exist_ok=True)
                (other / split / new).symlink_to(pictures / split / old)
        code, _, error = tervit("eval", run, "--data", f"folder:{other}@16")
        assert (code, len(error.splitlines())) == (2, 1)
        assert "ternary.npz has the classes bright, dark, but" in error
        assert "has cat, dog" in error

    def test_some_of_the_classes_are_labelled_by_their_names(self, tervit, run, pictures, tmp_path):
        """The only class is the second of the model's; under label 0 all would be wrong."""
        (tmp_path / "some" / "test").mkdir(parents=True)
        (tmp_path / "some" / "test" / "dark").symlink_to(pictures / "test" / "dark")
        code, out, _ = tervit("eval", run, "--data", f"folder:{tmp_path}/some@16")
        of_all = tervit("eval", run)[1]
        assert code == 0
        assert re.search(r"dark +(\d+\.\d) %  of 16", out)[0] in of_all
        assert "bright" not in out

    def test_images_are_normalised_as_in_training(self, run, tmp_path):
        """Their set has another mean; `predict` takes that of the model."""
        model, extra = load_model(run / "ternary.npz")
        own = {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.6, 0.7]}
        tv.save_checkpoint(model, tmp_path / "own.npz", extra=extra | own)
        images = images_for(open_model(str(tmp_path / "own.npz")), None, "test")
        assert (images.mean, images.std) == ((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("mine", "did you mean runs/mine?"),
            ("deit_smal_patch16_224", "did you mean deit_small_patch16_224?"),
            ("deit_smal", "did you mean deit_small_patch16_224?"),
            ("swin_tiny", "did you mean swin_tiny_patch4_window7_224?"),
            (
                "vgg",
                "expected a file, the folder of a run, cifar10 or shapes of the package, or one of",
            ),
        ],
    )
    def test_the_error_suggests_the_nearest_name(
        self, tervit, run, tmp_path, monkeypatch, name, words
    ):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "runs").mkdir()
        (tmp_path / "runs" / "mine").symlink_to(run)
        code, _, error = tervit("eval", name)
        assert (code, len(error.splitlines())) == (2, 1)
        assert "no such file, run folder or model" in error
        assert words in error

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"\x93NUMPY"])
    def test_files_that_are_not_models_are_refused(self, tervit, tmp_path, content):
        file = tmp_path / "bad.npz"
        file.write_bytes(content)
        code, _, error = tervit("eval", file)
        assert (code, len(error.splitlines())) == (2, 1)
        assert "bad.npz" in error

    def test_a_model_without_its_data_set_is_refused(self, tervit, tmp_path):
        tv.save_checkpoint(tv.create_model("deit_shapes", depth=1), tmp_path / "m.npz")
        code, _, error = tervit("eval", tmp_path / "m.npz")
        assert code == 2
        assert "does not contain its data" in error


class TestPredict:
    @pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "RGBA", "P"])
    def test_pictures_of_any_mode_are_classified(self, tervit, run, tmp_path, mode):
        file = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
        Image.new("RGB", (50, 30), (200, 190, 180)).convert(mode).save(file)
        code, out, _ = tervit("predict", run, file)
        assert code == 0
        assert re.search(r"bright [\d.]+ %, dark [\d.]+ %", out)

    def test_top_limits_the_printed_classes(self, tervit, run, pictures):
        file = next((pictures / "test" / "dark").iterdir())
        out = tervit("predict", run, file, "--top", 1)[1]
        assert out.count("%") == 1
        assert "dark" in out.rpartition(":")[2]

    def test_unreadable_pictures_do_not_stop_the_others(self, tervit, run, pictures, tmp_path):
        good = next((pictures / "test" / "dark").iterdir())
        bad = tmp_path / "bad.png"
        bad.write_bytes(good.read_bytes()[:60])
        code, out, error = tervit("predict", run, bad, tmp_path / "none.png", good)
        assert code == 2
        assert str(good) in out
        assert "bad.png: not a readable picture" in error
        assert "none.png does not exist" in error

    def test_without_a_model_that_of_the_package_answers(self, tervit, pictures):
        file = next((pictures / "test" / "dark").iterdir())
        code, out, _ = tervit("predict", file)
        assert code == 0
        assert out == tervit("predict", "cifar10", file)[1]
        assert re.search(r"airplane|automobile|bird|cat|deer|dog|frog|horse|ship|truck", out)

    def test_a_model_alone_is_refused(self, tervit, run):
        code, _, error = tervit("predict", run)
        assert (code, len(error.splitlines())) == (2, 1)
        assert f"there is no picture to classify; {run} is taken as a model" in error

    def test_a_folder_is_refused_as_a_picture(self, tervit, run, pictures):
        code, _, error = tervit("predict", run, pictures)
        assert (code, len(error.splitlines())) == (2, 1)
        assert f"{pictures} is a folder; name the pictures in it" in error

    @pytest.mark.parametrize("option", ["--top", "--threads"])
    def test_numbers_below_one_are_refused(self, tervit, run, option):
        code, _, error = tervit("predict", run, run / "recovery.png", option, 0)
        assert (code, len(error.splitlines())) == (2, 1)
        assert f"{option} is 0; expected at least 1" in error

    def test_more_threads_than_any_machine_has_are_refused(self, tervit, run):
        code, _, error = tervit("predict", run, run / "recovery.png", "--threads", 100_000)
        assert (code, len(error.splitlines())) == (2, 1)
        assert "--threads is 100000; expected at most 1024, one for each core" in error


class TestShow:
    """`tervit predict --show`."""

    @pytest.fixture
    def picture(self, pictures):
        return next((pictures / "test" / "dark").iterdir())

    @pytest.mark.parametrize("stage", ["float", "ternary"])
    def test_what_the_model_sees_is_drawn(self, tervit, run, picture, tmp_path, stage):
        out = tmp_path / "seen.png"
        code, text, error = tervit("predict", run, picture, "--stage", stage, "--show", out)
        assert (code, error) == (0, "")
        assert text.endswith(f"shown in {out}\n")
        with Image.open(out) as drawn:
            assert drawn.width == 1209
            assert (np.asarray(drawn.convert("L")) < 200).mean() > 0.05

    @pytest.mark.parametrize(
        ("args", "words"),
        [
            (("{picture}", "{picture}", "--show", "{out}.png"), "one picture, and 2 were named"),
            (("{picture}", "--show", "{out}.jpg"), "expected a name that ends in .png"),
            (("{picture}", "--show", "{out}/none/x.png"), "there is no folder"),
            (("{picture}", "--show", "{picture}"), "the picture itself, which would be overwri"),
        ],
    )
    def test_wrong_requests_are_refused(self, tervit, run, picture, tmp_path, args, words):
        args = [arg.format(picture=picture, out=tmp_path / "x") for arg in args]
        code, out, error = tervit("predict", run, *args)
        assert (code, out, len(error.splitlines())) == (2, "", 1)
        assert words in error
        assert not list(tmp_path.iterdir())

    def test_a_packed_model_has_nothing_to_show(self, tervit, run, picture, tmp_path):
        file = tmp_path / "packed.safetensors"
        tervit("export", run, "--out", file)
        code, _, error = tervit("predict", file, picture, "--show", tmp_path / "x.png")
        assert (code, len(error.splitlines())) == (2, 1)
        assert "is a packed file: it runs on integer kernels, which keep no attention" in error


class TestReport:
    def test_the_numbers_are_those_of_the_run(self, run):
        from tervit_np.analysis.run_record import read_run

        page = (run / "report.html").read_text("utf-8").replace("\N{NO-BREAK SPACE}", " ")
        for stage in read_run(run).stages:
            assert f"<td>{100 * stage.accuracy:.1f} " in page
            assert f"{stage.loss:.3f}" in page

    def test_a_run_without_a_finished_stage_gets_no_report(self, tmp_path, run):
        from tervit_np.analysis.report import write_report

        (tmp_path / "run.json").write_bytes((run / "run.json").read_bytes())
        (tmp_path / "metrics.jsonl").write_text("")
        with pytest.raises(ValueError, match="no stage of this run is finished"):
            write_report(tmp_path, None)
        (tmp_path / "metrics.jsonl").write_text("{broken\n")
        with pytest.raises(ValueError, match="no stage of this run is finished"):
            write_report(tmp_path, None)


class TestExport:
    def test_the_file_predicts_as_the_run_does(self, tervit, run, tmp_path):
        out = tmp_path / "small.safetensors"
        code, printed, _ = tervit("export", run, "--out", out)
        assert code == 0
        assert re.search(r"small\.safetensors: 0\.\d+ MB, [\d.]+ times smaller", printed)
        by_run = tervit("eval", run)[1].splitlines()
        by_file = tervit("eval", out)[1].splitlines()
        assert by_file[:-1] == by_run[:-1]
        assert by_file[-1].split(": ")[1:] == by_run[-1].split(": ")[1:]
        picture = next((run.parent.parent).rglob("*.png"), None) or run / "recovery.png"
        assert tervit("predict", out, picture)[1] == tervit("predict", run, picture)[1]

    @pytest.mark.parametrize(
        ("args", "words"),
        [
            (("--precision", "int2"), "precision is 'int2'"),
            (("--stage", "8-bit"), "no finished stage '8-bit'"),
            (("--format", "gguf"), "--format is 'gguf'; expected packed or onnx"),
            (("--out", "{run}/ternary.npz"), "the model itself, which would be overwritten"),
            (("--out", "{run}"), "is a folder; expected the name of a file"),
            (("--out", "{run}/none/x"), "could not be written (there is no folder"),
            (("--out", "{run}/m.onnx"), "m.onnx, as an ONNX graph is called; add --format onnx"),
        ],
    )
    def test_wrong_options_are_refused(self, tervit, run, tmp_path, args, words):
        before = (run / "ternary.npz").read_bytes()
        args = [arg.format(run=run) for arg in args]
        code, _, error = tervit("export", run, "--out", tmp_path / "x", *args)
        assert (code, len(error.splitlines())) == (2, 1)
        assert words in error
        assert (run / "ternary.npz").read_bytes() == before

    def test_a_packed_file_is_not_packed_again(self, tervit, run, tmp_path):
        """Its layers have no latent weights, so that the file would have none."""
        file = tmp_path / "x"
        tervit("export", run, "--out", file)
        before = file.read_bytes()
        for out in (file, tmp_path / "y"):
            code, _, error = tervit("export", file, "--out", out)
            assert (code, len(error.splitlines())) == (2, 1)
            assert "x is packed; export the model" in error
        assert [path.name for path in tmp_path.iterdir()] == ["x"]
        assert file.read_bytes() == before

    def test_a_float_model_is_reported(self, tervit, run, tmp_path):
        note = "no layer of this model is quantized"
        args = ("--stage", "float", "--out", tmp_path / "x")
        assert note in tervit("export", run, *args)[1]
        assert note not in tervit("export", run, *args, "--plan", "ternary")[1]

    def test_an_onnx_graph_is_not_evaluated(self, tervit, tmp_path):
        (tmp_path / "m.onnx").write_bytes(b"\x08\x07")
        code, _, error = tervit("eval", tmp_path / "m.onnx")
        assert (code, len(error.splitlines())) == (2, 1)
        assert "m.onnx is an ONNX graph, for other programs" in error

    def test_a_packed_file_is_one_whatever_its_name(self, tervit, run, tmp_path):
        tervit("export", run, "--out", tmp_path / "x")
        (tmp_path / "x").rename(tmp_path / "x.onnx")
        assert tervit("eval", tmp_path / "x.onnx")[0] == 0

    @pytest.mark.parametrize("kernel", ["vector", "numpy"])
    def test_eval_names_the_kernel_that_ran(self, tervit, run, tmp_path, monkeypatch, kernel):
        tervit("export", run, "--out", tmp_path / "x")
        monkeypatch.setenv("TERVIT_KERNEL", kernel)
        assert tervit("eval", tmp_path / "x")[1].endswith(f"(packed, {kernel})\n")
        code, _, error = tervit("eval", tmp_path / "x", "--attention", "int8")
        assert (code, len(error.splitlines())) == (2, 1)
        assert f"the kernel is '{kernel}'" in error

    def test_the_onnx_graph_has_int2_constants(self, tervit, run, tmp_path):
        onnx = pytest.importorskip("onnx", reason="writes ONNX, which is not installed")
        out = tmp_path / "m.onnx"
        code, printed, _ = tervit("export", run, "--format", "onnx", "--out", out)
        assert code == 0
        assert re.search(r"m\.onnx: 0\.\d+ MB, [\d.]+ times smaller", printed)
        assert "session.qdq_matmulnbits_accuracy_level" in printed
        types = {constant.data_type for constant in onnx.load(out).graph.initializer}
        assert onnx.TensorProto.INT2 in types
        tervit("export", run, "--out", tmp_path / "packed")
        for what, args in ((tmp_path / "packed", ()), (run, ("--precision", "float16"))):
            code, _, error = tervit("export", what, "--format", "onnx", "--out", out, *args)
            assert (code, len(error.splitlines())) == (2, 1)

    def test_int8_attention_requires_a_packed_file(self, tervit, run, tmp_path):
        tervit("export", run, "--out", tmp_path / "x")
        code, out, _ = tervit("eval", tmp_path / "x", "--attention", "int8", "--threads", 1)
        assert (code, "accuracy" in out) == (0, True)
        for command in (("eval",), ("predict",)):
            picture = [run / "recovery.png"] if command == ("predict",) else []
            code, _, error = tervit(*command, run, *picture, "--attention", "int8")
            assert (code, len(error.splitlines())) == (2, 1)
            assert "is not packed" in error

    def test_a_packed_file_refuses_another_plan(self, tervit, run, tmp_path):
        tervit("export", run, "--out", tmp_path / "x")
        code, _, error = tervit("eval", tmp_path / "x", "--plan", "int8")
        assert code == 2
        assert "has no latent weights" in error

    def test_a_packed_file_has_the_size_of_its_model(self, tervit, run, tmp_path):
        tervit("export", run, "--out", tmp_path / "x")
        packed, latent = (tervit("size", file)[1].splitlines() for file in (tmp_path / "x", run))
        assert packed[1:-1] == latent[1:]
        assert packed[-1] == f"the file itself: {(tmp_path / 'x').stat().st_size / 1e6:.3f} MB"

    def test_size_uses_the_plan_of_the_file(self, tervit, run, tmp_path):
        tervit("export", run, "--stage", "float", "--plan", "int8", "--out", tmp_path / "x")
        for file, plan in ((tmp_path / "x", "int8"), (run / "float.npz", "float")):
            own, named = (tervit("size", file, *args)[1].splitlines()
                          for args in ((), ("--plan", plan)))  # fmt: skip
            assert own[0] == f"{file}, its own plan, in kB"
            assert named[0] == f"{file}, plan {plan}, in kB"
            assert own[1:] == named[1:]
            assert own[1:7] != tervit("size", file, "--plan", "ternary")[1].splitlines()[1:7]
        assert tervit("size", tmp_path / "x", "--activations")[0] == 0

    @pytest.mark.parametrize("change", [
        {"classes": 3}, {"classes": ["a"]}, {"mean": None}, {"classes": [1, 2]}, {"data": 5},
        {"std": [1, 1, "x"]}, {"std": [1, 1, 0]}, {"mean": [0, 0, True]},
    ])  # fmt: skip
    def test_a_wrong_description_is_refused(self, tervit, run, tmp_path, change):
        model, extra = tv.load_model(run / "ternary.npz")
        tv.export(model, tmp_path / "x", extra=extra | change)
        code, _, error = tervit("eval", tmp_path / "x")
        assert (code, len(error.splitlines())) == (2, 1)
        assert next(iter(change)) in error
