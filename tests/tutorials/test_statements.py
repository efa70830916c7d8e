"""What chapters state of the library, of stored results and of each other, and do not compute."""

import ast
import re
from pathlib import Path

import numpy as np

import tervit_np as tv
from tervit_np.analysis.comparison import read_record
from tervit_np.analysis.comparison.statistics import summarize
from tervit_np.quant import IDENTITY, Plan, TernaryGamma
from tervit_np.quant.plan import NORMS

ROOT = Path(__file__).parents[2]
TUTORIALS = ROOT / "tutorials"


def text_of(number: str) -> str:
    """Return a chapter on one line, without the marks of comments."""
    (chapter,) = TUTORIALS.glob(f"{number}_*.py")
    text = re.sub(r"\n# ?", "\n", chapter.read_text(encoding="utf-8"))
    return re.sub(r"\s+", " ", text)


def against_tervit(record: str) -> dict[str, tuple[float, float]]:
    """Return mean and margin of each rule's test accuracy minus that of TerViT's rule."""
    found = read_record(ROOT / "docs" / "comparisons" / record)
    accuracy = {arm.name: np.array(found.accuracies(arm.name)) for arm in found.plan.arms}
    differences = {arm: summarize(a - accuracy["TerViT"]) for arm, a in accuracy.items()}
    return {arm: (d.mean, d.margin) for arm, d in differences.items()}


def test_chapter_20_says_what_can_be_quantized():
    (chapter,) = TUTORIALS.glob("20_*.py")
    rows = re.search(r"open_points = (\[.*?\])\n", chapter.read_text("utf-8"), re.DOTALL)
    points = {what: where for what, where, _ in ast.literal_eval(rows[1])}
    for where in points.values():
        for name in re.findall(r"(\w+)\(", where):
            assert hasattr(tv.quant, name) or hasattr(tv.train, name), name
    fixed = [what for what, where in points.items() if where.startswith("not quantizable")]
    assert fixed == ["GELU, biases"]
    model = tv.create_model("deit_shapes", depth=1)
    tv.quantize(model, Plan([(NORMS, TernaryGamma(), IDENTITY)]))
    assert isinstance(model.blocks[0].norm1.gamma_quant, TernaryGamma)


def test_chapter_22_agrees_with_the_comparisons_of_its_rules():
    text = text_of("22")
    assert text.count("`docs/rules.md <../docs/rules.md>`_") == 2
    assert "all of them but *largest* and *4 bits*" in text
    first, more = against_tervit("zoo.json"), against_tervit("zoo-more.json")
    assert {"exact", "BitNet", "QuEST", "Sherry"} < set(first)
    assert "DoReFa, four levels" in more
    assert all(abs(first[arm][0]) < first[arm][1] for arm in ("exact", "QuEST"))
    behind = {arm for arm, (mean, margin) in first.items() if mean + margin < 0}
    assert {"BitNet", "dampened"} <= behind
    assert "the pull, at its default strength, is behind" in text
    assert "On CIFAR-10, with another optimizer, it is not" in text
    for name in ("cifar10-winners.json", "swin-winners.json"):
        record = read_record(ROOT / "docs" / "comparisons" / name)
        assert np.mean(record.accuracies("BitNet")) > np.mean(record.accuracies("direct"))
    assert all(first[arm][0] < first[arm][1] for arm in ("Q-EMA", "dampened", "freezing"))


def test_the_list_of_chapters_has_their_seconds():
    readme = (TUTORIALS / "README.md").read_text(encoding="utf-8")
    named = 0
    for file, run in re.findall(r"\]\((\d\d_\w+\.py)\) \| [^|]+ \| ([^|]+) \|", readme):
        seconds = re.search(r"(\d+) seconds to run", (TUTORIALS / file).read_text("utf-8"))
        if seconds:
            assert run.split(" *")[0] == f"{seconds[1]} s", file
            named += 1
    assert named >= 2
