"""The picture of CONTRIBUTING.md: the layers of the package, from the rule that holds them.

    python docs/make_architecture.py          docs/architecture.svg

The layers are those that import-linter checks (pyproject.toml); the words are the first lines
of the docstrings. A package imports from those below it, never from those above it.
"""

import ast
import sys
import textwrap
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tervit_np.analysis.style import FAINT, INK, figure  # noqa: E402
from tervit_np.files import atomic_write  # noqa: E402

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURE = ROOT / "docs" / "architecture.svg"
LETTERS = 92  # of the words in a box that is as wide as the picture
_COLOURS = {"float": "#DCEBF5", "integer": "#DDF1EA", "proof": "#FBEBD3", "program": "#F1F1F1"}
_MEANINGS = {
    "float": "the model and its training",
    "integer": "compiled code and packed files",
    "proof": "proof and measurement",
    "program": "the program around them",
}
_KINDS = {
    "float": ("models", "nn", "ops", "quant", "losses", "train", "checkpoints", "param"),
    "integer": ("kernels", "compiled", "deploy", "dispatch"),
    "proof": ("verify", "analysis", "exercises", "bench"),
}


def layers() -> list[list[str]]:
    """Return the names of each layer, the highest first, without __main__."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = rules["tool"]["importlinter"]["contracts"]
    (rule,) = [contract for contract in contracts if contract["type"] == "layers"]
    return [layer.split(" | ") for layer in rule["layers"] if layer != "__main__"]


def sources(name: str) -> list[Path]:
    """Return the files of a package or module."""
    folder = ROOT / "tervit_np" / name
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


def headline(name: str) -> str:
    """Return the first line of a package's docstring, without full stop and backticks."""
    first = next(f for f in sources(name) if f.name in ("__init__.py", f"{name}.py"))
    return (
        (ast.get_docstring(ast.parse(first.read_text("utf-8"))) or "")
        .split("\n")[0]
        .rstrip(".")
        .replace("`", "")
    )


def draw(path: Path) -> None:
    """Draw one row for each layer, the highest at the top, as text that a browser can search."""
    import matplotlib

    rows = layers()
    settings = {"svg.fonttype": "none", "svg.hashsalt": "architecture"}
    with figure(10, 0.46 * (len(rows) + 1)) as picture, matplotlib.rc_context(settings):
        axes = picture.subplots()
        axes.set(xlim=(0, 1), ylim=(len(rows) + 1, 0))
        axes.axis("off")
        for row, names in enumerate(rows):
            for column, name in enumerate(names):
                _box(axes, column / len(names), row, 1 / len(names), name)
                if len(names) < 3:  # words fit
                    words = "\n".join(textwrap.wrap(headline(name), LETTERS // len(names)))
                    size = 8.5 if "\n" in words else 9.5
                    left = column / len(names) + 0.13 + 0.01 * len(names)
                    axes.text(left, row + 0.5, words, va="center", size=size)
        for column, (kind, meaning) in enumerate(_MEANINGS.items()):
            box = {"boxstyle": "round,pad=0.3", "facecolor": _COLOURS[kind], "edgecolor": FAINT}
            axes.text(0.01 + column / 4, len(rows) + 0.6, meaning, va="center", size=9, bbox=box)
        with atomic_write(path) as file:
            # Without a ground it suits dark pages as well; all words are on boxes.
            picture.savefig(file, format="svg", facecolor="none", metadata={"Date": None})


def _box(axes: "Axes", left: float, row: int, width: float, name: str) -> None:
    """Draw the box of one package with its name."""
    from matplotlib.patches import FancyBboxPatch

    kind = next((kind for kind, members in _KINDS.items() if name in members), "program")
    axes.add_patch(FancyBboxPatch(
        (left + 0.004, row + 0.07), width - 0.008, 0.86, boxstyle="round,pad=0,rounding_size=0.006",
        mutation_aspect=12, facecolor=_COLOURS[kind], edgecolor=FAINT, linewidth=0.8,
    ))  # fmt: skip
    axes.text(left + 0.015, row + 0.5, name, va="center", weight="bold", size=10.5, color=INK)


if __name__ == "__main__":
    draw(PICTURE)
    print(PICTURE.relative_to(ROOT))
