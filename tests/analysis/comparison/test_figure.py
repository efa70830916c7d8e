from dataclasses import replace

import pytest
from PIL import Image

from tervit_np.analysis.comparison import Arm, ComparisonPlan, Record, figure
from tervit_np.analysis.style import STAGE_COLOURS
from tervit_np.train import Stage


@pytest.fixture
def record():
    arms = tuple(Arm(name, (Stage("ternary", "ternary", 2),)) for name in ("one", "two", "three"))
    plan = ComparisonPlan("small", "deit_shapes", "shapes", arms, "two", (1,), (9,), (0, 1, 2))
    tested = [
        {"arm": arm.name, "seed": seed, "test_accuracy": 0.8 + 0.01 * row + 0.003 * seed**2}
        for row, arm in enumerate(arms)
        for seed in plan.seeds
    ]
    return Record(plan, [], {arm.name: 1.0 for arm in arms}, tested, {}, {})


def drawn_axes(record, tmp_path, monkeypatch):
    """Draw the figure.  -> its axes."""
    figures = []
    save = figure.save
    monkeypatch.setattr(figure, "save", lambda f, path: figures.append(f) or save(f, path))
    with Image.open(figure.draw_comparison(record, tmp_path / "c.png")) as picture:
        assert picture.size > (800, 400)
    return figures[0].axes


def dots(ax):
    """Return x and y of the open dots, row by row."""
    lines = [line for line in ax.lines if line.get_marker() == "o"]
    return [(line.get_xdata(), set(line.get_ydata())) for line in lines]


def test_every_seed_of_every_arm_and_every_difference_is_drawn(record, tmp_path, monkeypatch):
    top, bottom = drawn_axes(record, tmp_path, monkeypatch)
    assert [label.get_text() for label in top.get_yticklabels()] == ["one", "two", "three"]
    for row, (x, y) in enumerate(dots(top)):
        assert list(x) == record.accuracies(record.plan.arms[row].name)
        assert y == {row}
    for (x, _), sign in zip(dots(bottom), (-1, 1), strict=True):
        assert list(x) == pytest.approx([sign] * 3)
    texts = [text.get_text() for text in (*top.texts, *bottom.texts)]
    assert "80.50 ± 0.62" in texts
    assert "+1.00 ± 0.00\n+1.00 to +1.00" in texts


def test_the_first_arm_is_on_top(record, tmp_path, monkeypatch):
    for ax in drawn_axes(record, tmp_path, monkeypatch):
        low, high = ax.get_ylim()
        assert low > high


@pytest.mark.parametrize("plan", ["float", "ternary"])
def test_weights_of_one_kind_have_one_colour(record, tmp_path, monkeypatch, plan):
    """A stage of float weights is blue under any name, a ternary one green."""
    name = {"float": "longer", "ternary": "ternary"}[plan]
    arms = (Arm("one", (Stage("float", "float", 1), Stage(name, plan, 1))), *record.plan.arms[1:])
    changed = replace(record, plan=replace(record.plan, arms=arms))
    top, _ = drawn_axes(changed, tmp_path, monkeypatch)
    first = next(line for line in top.lines if line.get_marker() == "o")
    assert first.get_markeredgecolor() == STAGE_COLOURS[plan]


def test_one_seed_has_no_bar(record, tmp_path, monkeypatch):
    one = replace(record, plan=replace(record.plan, seeds=(1,)))
    top, _ = drawn_axes(one, tmp_path, monkeypatch)
    assert [text.get_text() for text in top.texts] == ["80.30", "81.30", "82.30"]
