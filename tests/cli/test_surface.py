import json
import shutil

import pytest

import data_tools
import tervit_np as tv
from tervit_np.analysis.report import write_report
from tervit_np.quant import PLANS, write_plan_file

SMALL = ("--images", 8, "--grid", 5, "--quiet", "--threads", 2)
SIZES = {
    "deit_shapes": {"patch_size": 16, "dim": 8, "depth": 2, "heads": 2},
    "swin_cifar": {"patch_size": 8, "dim": 8, "depths": (2, 1), "heads": (1, 2), "window": 2},
}


@pytest.fixture(scope="module")
def trained(pictures, tmp_path_factory):
    """Train a tiny model in all three stages once per name.  -> the run folder."""
    runs = {}

    def run(name):
        if name not in runs:
            out = tmp_path_factory.mktemp(name) / "run"
            images = tv.train.load_data(f"folder:{pictures}", 8, 0)
            model = tv.create_model(name, image_size=32, num_classes=2, **SIZES[name])
            plans = {"float": "float", "8-bit": "int8", "ternary": "ternary"}
            stages = [tv.train.Stage(stage, plan, epochs=1) for stage, plan in plans.items()]
            recipe = tv.train.Recipe(batch_size=16)
            tv.train.run(model, stages, images, out, recipe=recipe, quiet=True)
            write_report(out, images.test)
            runs[name] = out
        return runs[name]

    return run


@pytest.mark.parametrize("model", ["deit_shapes", "swin_cifar"])
def test_surfaces_are_added_to_the_report_of_a_run(tervit, trained, model):
    out = trained(model)
    code, text, error = tervit("surface", out, *SMALL)
    assert (code, error) == (0, "")
    assert "ternary, channel-wise  gap " in text
    stored = json.loads((out / "surface.json").read_text())
    assert stored["settings"]["images"] == 8
    assert stored["settings"]["stages"] == {
        "float": "float",
        "8-bit": "8-bit",
        "ternary": "ternary",
    }
    assert "<h2>The loss surface</h2>" in (out / "report.html").read_text()
    assert not (out / "surface.partial").exists()


def test_the_gap_of_a_plan_file_is_measured_too(tervit, trained, tmp_path):
    """Here that of 8 bits, so that both gaps are the same number."""
    write_plan_file(PLANS["int8"], tmp_path / "mine.toml")
    out = trained("deit_shapes")
    code, text, _ = tervit(
        "surface", out, *SMALL, "--no-curvature", "--plan", tmp_path / "mine.toml"
    )
    assert code == 0
    gaps = dict(line.split(" gap ") for line in text.splitlines() if " gap " in line)
    (mine,) = [gap for name, gap in gaps.items() if "mine.toml" in name]
    (eight,) = [gap for name, gap in gaps.items() if name.strip() == "8-bit"]
    assert mine == eight
    assert "mine.toml" in (out / "report.html").read_text()


def test_a_run_folder_may_have_the_name_of_a_trained_model(tervit, trained, tmp_path, monkeypatch):
    shutil.copytree(trained("deit_shapes"), tmp_path / "shapes")
    monkeypatch.chdir(tmp_path)
    code, _, error = tervit("surface", "shapes", *SMALL, "--no-curvature")
    assert (code, error) == (0, "")
    assert (tmp_path / "shapes" / "surface.json").exists()


def test_redraw_needs_only_the_json(tervit, trained):
    out = trained("deit_shapes")
    tervit("surface", out, *SMALL, "--no-curvature")
    before = (out / "surface.json").read_text()
    for file in out.glob("surface_*.png"):
        file.unlink()
    for file in out.glob("*.npz"):
        file.rename(file.with_suffix(".away"))
    try:
        code, text, _ = tervit("surface", out, "--redraw")
    finally:
        for file in out.glob("*.away"):
            file.rename(file.with_suffix(".npz"))
    assert code == 0
    assert f"report: {out / 'report.html'}" in text
    assert (out / "surface_stacked.png").exists()
    assert (out / "surface.json").read_text() == before


def test_any_number_of_threads_gives_the_same_numbers(tervit, trained):
    out = trained("deit_shapes")
    numbers = []
    for threads in (1, 3):
        assert tervit("surface", out, *SMALL[:-1], threads)[0] == 0
        numbers.append(json.loads((out / "surface.json").read_text()))
        numbers[-1].pop("settings")
    assert numbers[0] == numbers[1]


def test_ctrl_c_saves_the_measurements(tervit, trained, popen):
    out = trained("deit_shapes")
    larger = (*SMALL, "--grid", 7, "--images", 48, "--no-curvature")
    tervit("surface", out, *larger)
    uninterrupted = json.loads((out / "surface.json").read_text())
    (out / "surface.json").unlink()
    work = popen("surface", out, *larger)
    work.wait_for_file(out / "surface.partial" / "plane-float.json", "parts")
    work.interrupt()
    code, _, error = work.finish()
    assert code == 130
    assert "the measurements are saved" in error
    assert "--grid 7 --images 48 --no-curvature" in error  # without them all would begin anew
    assert "Traceback" not in error
    assert not (out / "surface.json").exists()
    assert list((out / "surface.partial").iterdir())
    assert tervit("surface", out, *larger)[0] == 0
    again = json.loads((out / "surface.json").read_text())
    for each in (uninterrupted, again):
        each.pop("settings")
    assert again == uninterrupted


def test_a_report_written_later_has_the_section_too(tervit, trained, pictures):
    out = trained("deit_shapes")
    tervit("surface", out, *SMALL, "--no-curvature")
    write_report(out, data_tools.load(f"folder:{pictures}", "test"))
    text = (out / "report.html").read_text()
    assert text.index("The loss surface") < text.index("How to reproduce this")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--grid", 6), "--grid is 6; expected an odd number"),
        (("--threads", 0), "--threads is 0; expected at least 1"),
        (("--images", 1), "at least 2 are needed"),
        (("--images", 4000), "has 96, and at least 2"),
        (("--split", "nowhere"), "nowhere"),
    ],
)
def test_mistakes_get_one_line_and_exit_code_2(tervit, trained, args, words):
    code, _, error = tervit("surface", trained("deit_shapes"), *args)
    assert code == 2
    assert words in error
    assert len(error.strip().splitlines()) == 1


def test_no_curvature_skips_the_hessian(tervit, trained):
    out = trained("deit_shapes")
    assert tervit("surface", out, *SMALL, "--no-curvature")[0] == 0
    stored = json.loads((out / "surface.json").read_text())
    assert (stored["curvature"], stored["predictions"]) == ([], [])
    assert stored["sheets"]


def test_a_folder_without_run_or_results_is_refused(tervit, tmp_path):
    code, _, error = tervit("surface", tmp_path)
    assert code == 2
    assert "holds no run" in error
    code, _, error = tervit("surface", tmp_path, "--redraw")
    assert code == 2
    assert "`tervit surface RUN` writes it" in error


def test_a_run_without_a_float_stage_is_refused(tervit, tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"stages": [{"name": "ternary"}]}))
    model = tv.quantize(tv.create_model("deit_shapes", depth=2), "ternary")
    tv.save_checkpoint(model, tmp_path / "ternary.npz")
    code, _, error = tervit("surface", tmp_path)
    assert code == 2
    assert "no float stage is finished" in error


@pytest.mark.parametrize("option", [("--images", 8), ("--seed", 3), ("--no-curvature",)])
def test_options_of_measuring_are_refused_beside_redraw(tervit, tmp_path, option):
    code, _, error = tervit("surface", tmp_path, "--redraw", *option)
    assert code == 2
    assert f"{option[0]} cannot be given with --redraw" in error


@pytest.mark.parametrize("page", ["<!-- loss surface --> cut", "<p></body>", "", "no end"])
def test_a_damaged_report_does_not_prevent_the_section(tmp_path, page):
    from tervit_np.analysis.surfaces.section import rewrite_report

    (tmp_path / "report.html").write_text(page)
    assert rewrite_report(tmp_path) == tmp_path / "report.html"
