"""What the index gets: the files of the wheel, and the page that the index shows."""

import re
import tomllib
from pathlib import Path

import numpy as np

import tervit_np as tv
from data_tools import shapes

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
WHEEL = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
PAGE = (ROOT / PROJECT["project"]["readme"]).read_text(encoding="utf-8")
MOST_BYTES = 10_000_000


def files_of_the_wheel() -> dict[str, Path]:
    """Each file by its path in the wheel."""
    found = {}
    for package in WHEEL["packages"]:
        for file in files_below(ROOT / package):
            found[f"{Path(package).name}/{file.relative_to(ROOT / package).as_posix()}"] = file
    for source, target in WHEEL["force-include"].items():
        assert (ROOT / source).exists(), source
        for file in files_below(ROOT / source):
            inner = file.relative_to(ROOT / source).as_posix()
            found[target if inner == "." else f"{target}/{inner}"] = file
    return found


def files_below(path: Path) -> list[Path]:
    every = [path, *path.rglob("*")]
    return [f for f in every if f.is_file() and f.suffix != ".pyc"]


def test_a_wheel_has_chapters_models_and_figures():
    files = set(files_of_the_wheel())
    chapters = {f"tervit_np/course/tutorials/{f.name}" for f in ROOT.glob("tutorials/[0-9]*.py")}
    figures = {f"tervit_np/course/docs/book/figures/{name}.html" for name in ("index", "vit")}
    models = {f"tervit_np/deploy/trained_models/{m}.safetensors" for m in ("cifar10", "shapes")}
    assert len(chapters) >= 23
    others = {"tervit_np/course/tutorials/answers.md", "tervit_np/py.typed", "data_tools/py.typed"}
    assert chapters | figures | models | others <= files


def test_a_wheel_is_small_before_it_is_compressed():
    assert sum(file.stat().st_size for file in files_of_the_wheel().values()) < MOST_BYTES


def test_the_page_of_the_index_links_to_addresses_alone():
    assert all(link.startswith("https://") for link in re.findall(r"\]\(([^)]+)\)", PAGE))


def test_the_sample_on_the_page_runs(monkeypatch):
    """Without the compiled kernels, of which tests/deploy runs the packed model."""
    monkeypatch.setattr(tv, "load_packed", lambda name: tv.create_model("deit_cifar"))
    code = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]
    images = np.zeros((2, 3, 32, 32), np.float32)
    labels = shapes.make("val", count=2).labels
    names = {"images": images, "labels": labels}
    with tv.backend("numpy"):
        exec(compile(code, "package.md", "exec"), names)
    assert names["logits"].shape == (2, 10) and names["loss"] > 0
