"""The findings of docs/results.md are those of the stored comparison."""

import importlib.util
import json
from pathlib import Path
from statistics import fmean

import pytest
from PIL import Image

from tervit_np.analysis.comparison import read_record
from tervit_np.environment import SAME_BITS

DOCS = Path(__file__).parents[1] / "docs"
TEXT = " ".join((DOCS / "results.md").read_text(encoding="utf-8").split())
FINDINGS = TEXT.split("## Findings")[1].split(" ## ")[0]


@pytest.fixture(scope="module")
def differences():
    record = read_record(DOCS / "comparisons" / "main.json")
    return {contrast.name: record.difference(contrast) for contrast in record.plan.questions}


def test_progressive_against_direct_is_quoted(differences):
    found = differences["progressive against direct"]
    interval = f"95 % interval {found.low:.1f} to {found.high:.1f}"
    assert f"{found.mean:.1f} ± {found.std:.1f} points, {interval}" in FINDINGS


def test_channels_are_quoted_with_and_without_training_from_scratch(differences):
    found = differences["channel-wise against layer-wise"]
    float_first = differences["the same, where float comes first"]
    interval = f"95 % interval {found.low:.2f} to {found.high:.2f}"
    assert f"{found.mean:.2f} ± {found.std:.2f} points, {interval}" in FINDINGS
    assert f"{float_first.mean:.1f} ± {float_first.std:.1f} points without them" in FINDINGS


def test_both_are_quoted_for_cifar10():
    found = {}
    for name in ("cifar10", "swin-cifar10"):
        record = read_record(DOCS / "comparisons" / f"{name}.json")
        for contrast in record.plan.questions:
            found[name, contrast.name] = record.difference(contrast)

    def quoted(name, contrast):
        return f"{found[name, contrast].mean:.1f} ± {found[name, contrast].std:.1f}"

    rule = "channel-wise against layer-wise"
    deit, swin = quoted("cifar10", rule), quoted("swin-cifar10", rule)
    assert f"on CIFAR-10 {deit} for a DeiT and {swin} for a Swin." in FINDINGS
    stage = "8-bit first against direct"
    deit, swin = found["cifar10", stage], found["swin-cifar10", stage]
    assert (
        f"it is {quoted('cifar10', stage)}, {deit.low:.2f} to {deit.high:.2f}, for a DeiT and "
        f"{quoted('swin-cifar10', stage)}, {swin.low:.1f} to {swin.high:.1f}, for a Swin"
    ) in FINDINGS


def test_intervals_of_an_8_bit_stage_are_counted():
    count = above = below = 0
    for file in (DOCS / "comparisons").glob("*.json"):
        record = read_record(file)
        for contrast in record.plan.questions:
            if contrast.name.startswith(("8-bit first against", "progressive against")):
                found = record.difference(contrast)
                count, above, below = count + 1, above + (found.low > 0), below + (found.high < 0)
    words = (
        f"of {count} intervals of an 8-bit stage against none, {above} are above zero and {below}"
    )
    assert words in FINDINGS
    rungs = read_record(DOCS / "comparisons" / "rungs.json")
    (stage,) = (q for q in rungs.plan.questions if q.name == "8-bit first against direct")
    found = rungs.difference(stage)
    assert f"{found.mean:.1f} ± {found.std:.1f}, {found.low:.1f} to {found.high:.1f}" in FINDINGS


def test_leads_with_fresh_seeds_are_quoted():
    record = read_record(DOCS / "comparisons" / "fused.json")
    leads = [record.difference(question).mean for question in record.plan.questions]
    assert f"by {min(leads):.0f} to {max(leads):.0f} points in trainings of six epochs" in FINDINGS
    record = read_record(DOCS / "comparisons" / "swin-winners.json")
    leads = {q.name: record.difference(q) for q in record.plan.questions}
    ramp, bitnet = leads["ramp against direct"], leads["BitNet against direct"]
    assert min(ramp.low, bitnet.low) > 0
    words = f"is ahead by {ramp.mean:.1f} points, and BitNet's rule by {bitnet.mean:.1f},"
    assert words in FINDINGS
    intervals = " and ".join(f"{found.low:.1f} to {found.high:.1f}" for found in (ramp, bitnet))
    assert f"95 % intervals of {intervals} (" in FINDINGS


def test_the_cost_of_a_teacher_alone_is_quoted():
    record = read_record(DOCS / "comparisons" / "distillation.json")
    (alone,) = (q for q in record.plan.questions if q.name == "teacher alone against labels")
    found = record.difference(alone)
    interval = f"95 % interval {found.low:.1f} to {found.high:.1f}"
    assert f"costs {-found.mean:.1f} ± {found.std:.1f} points, {interval}, which" in FINDINGS


def test_every_stored_result_comes_again_on_every_processor():
    runs = json.loads((DOCS / "results.json").read_text(encoding="utf-8"))
    stored = [read_record(file) for file in sorted((DOCS / "comparisons").glob("*.json"))]
    places = [run["environment"] for run in runs] + [record.environment for record in stored]
    assert len(runs) > 30 and len(stored) > 20
    assert {place["last bits"] for place in places} == {SAME_BITS}
    assert f'`"last bits": "{SAME_BITS}"`' in TEXT


def test_distances_from_float_twins_are_those_of_the_runs():
    runs = json.loads((DOCS / "results.json").read_text(encoding="utf-8"))
    readme = " ".join((DOCS.parent / "README.md").read_text(encoding="utf-8").split())

    def last(command):
        return [run["stages"][-1]["end"] for run in runs if run["command"] == command]

    cifar, swin, shapes = (
        [twin - own for own, twin in zip(last(c), last(f"{c} --float-twin"), strict=True)]
        for c in (
            "tervit train --data cifar10",
            "tervit train --preset cifar10-swin",
            "tervit train",
        )
    )
    assert " and ".join(f"{points:.1f}" for points in swin) + " points behind its own." in readme
    words = " and ".join(f"{points:.1f}" for points in cifar)
    assert f"{words} points behind its twin" in readme
    long = "tervit train --preset cifar10-long"
    own, twins = last(long), last(f"{long} --float-twin")
    behind = " and ".join(f"{twin - x:.2f}" for x, twin in zip(own, twins, strict=True))
    assert f"it ends {behind} points behind its own, and" in readme
    reached = " and ".join(f"{x:.1f}" for x in own)
    assert f"seeds 0 and 1 reached {reached} %, {behind} points less than theirs." in TEXT
    wide = "tervit train --preset cifar10-wide"
    own, twins = last(wide), last(f"{wide} --float-twin")
    behind = " and ".join(f"{twin - x:.2f}" for x, twin in zip(own, twins, strict=True))
    assert f"it ends {behind} points behind its own." in readme
    reached = " and ".join(f"{x:.1f}" for x in own)
    assert f"seeds 0 and 1 reached {reached} %, {behind} points less than their float twins" in TEXT
    assert f"{words} points ahead of the ternary model" in TEXT
    assert f"for shapes {fmean(shapes):.1f} points" in TEXT


def test_gains_of_muon_are_those_of_the_runs():
    runs = json.loads((DOCS / "results.json").read_text(encoding="utf-8"))

    def ends(options, stage):
        command = f"tervit train --preset cifar10-adamw{options}"
        stages = [s for run in runs if run["command"] == command for s in run["stages"]]
        return fmean(s["end"] for s in stages if s["stage"] == stage)

    muon, long = " --optimizer muon", " --stages float:30"
    float_13, float_30, ternary = (
        ends(muon + options, stage) - ends(options, stage)
        for options, stage in (("", "float"), (long, "float"), ("", "ternary"))
    )
    words = f"adds {float_13:.0f} points after 13 float epochs, {float_30:.0f} after 30, and "
    assert f"{words}{ternary:.0f} to the ternary model" in TEXT
    behind = [ends(options + long, "float") - ends(options, "ternary") for options in ("", muon)]
    words = "ends {:.1f} points behind the float model of AdamW, and {:.1f} behind that of Muon"
    assert words.format(*behind) in TEXT
    ahead = ends(f"{muon} --stages float:10", "float") - ends(long, "float")
    assert f"Its ten float epochs end {ahead:.0f} points ahead of AdamW's thirty." in TEXT


def test_the_cost_of_rounding_is_quoted_before_and_after_the_8_bit_epoch():
    tested = json.loads((DOCS / "comparisons" / "main.json").read_text(encoding="utf-8"))["tested"]
    lost = {}
    for arm in ("direct, channel", "progressive, channel"):
        pairs = [entry["stages"][-2:] for entry in tested if entry["arm"] == arm]
        drops = [before["accuracy"] - last["start_accuracy"] for before, last in pairs]
        lost[arm] = f"{100 * sum(drops) / len(drops):.1f}"
    before, after = lost.values()
    page = " ".join((DOCS / "stages.md").read_text(encoding="utf-8").split())
    assert (
        f"costs {before} points of validation accuracy after the float stage, and {after}" in page
    )


def test_the_picture_of_the_trainings_is_drawn_from_the_store(tmp_path):
    spec = importlib.util.spec_from_file_location("headline", DOCS / "make_headline.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    drawn = script.draw(tmp_path / "headline.png")
    with Image.open(drawn) as new, Image.open(DOCS / "headline.png") as stored:
        assert new.size == stored.size
        assert new.text["Description"] == stored.text["Description"]  # the numbers that are drawn
