import json
import time
import tomllib

import pytest

from tervit_np.analysis.comparison.reading import plan_from_table, read_plan
from tervit_np.quant import Plan, Ternary
from tervit_np.train import PRESETS

MISSING = object()


def test_a_plan_survives_json(plan):
    again = plan_from_table(json.loads(json.dumps(plan.describe())))
    assert again.describe() == plan.describe()
    assert [arm.epochs for arm in again.arms] == [3, 3, 3]


def test_missing_fields_take_the_preset_of_the_data(table):
    for key in ("config", "recipe"):
        del table[key]
    plan = plan_from_table(table)
    assert (plan.model, plan.recipe) == (PRESETS["shapes"].model, PRESETS["shapes"].recipe)
    table["recipe"] = {"augment": {"mixup": 0.2}}
    augment = plan_from_table(table).recipe.augment
    assert (augment.mixup, augment.crop_padding) == (0.2, 2)


def test_a_stage_takes_a_name_or_rules(table):
    rule = {"rule": "Ternary", "granularity": "tensor"}
    table["arms"][0]["stages"][1]["plan"] = [["blocks.*fc1", rule, {"rule": "UniformAct"}]]
    chosen = plan_from_table(table).arms[0].stages[1].quantizers
    assert isinstance(chosen, Plan)
    weights, _ = chosen.choose("blocks.0.mlp.fc1")
    assert isinstance(weights, Ternary)
    assert weights.granularity == "tensor"


def as_toml(table):
    """Write the table of a comparison with stages on one line each."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items() if key in SIMPLE]
    for arm in table["arms"]:
        stages = [", ".join(f"{k} = {json.dumps(v)}" for k, v in stage.items() if k in STAGE)
                  for stage in arm["stages"]]  # fmt: skip
        lines += ["[[arms]]", f"name = {json.dumps(arm['name'])}", "stages = ["]
        lines += [*(f"  {{ {stage} }}," for stage in stages), "]"]
    return "\n".join(lines)


SIMPLE = ("name", "data", "model", "baseline", "multipliers", "search_seeds", "seeds")
STAGE = ("name", "plan", "epochs")
MIXED = "[[layer]]\npattern = {!r}\nweights = 'ternary'\ninputs = 'int8'\n"


def test_a_stage_names_a_plan_file_next_to_the_plan(table, tmp_path):
    """Its rules are stored in place of the name."""
    table["arms"][0]["stages"][1]["plan"] = "mixed.toml"
    (tmp_path / "c.toml").write_text(as_toml(table))
    (tmp_path / "mixed.toml").write_text(MIXED.format(".*"))
    plan = read_plan(tmp_path / "c.toml")
    stored = plan.describe()["arms"][0]["stages"][1]["plan"]
    assert stored[0][0] == ".*"
    assert plan_from_table(json.loads(json.dumps(plan.describe()))).describe() == plan.describe()

    (tmp_path / "mixed.toml").write_text(MIXED.format("haed") + MIXED.format(".*"))
    with pytest.raises(ValueError, match=r"c.toml: mixed.toml: 'haed' matches no layer"):
        read_plan(tmp_path / "c.toml")
    (tmp_path / "mixed.toml").unlink()
    with pytest.raises(ValueError, match=r"c.toml: .*mixed.toml: no such file"):
        read_plan(tmp_path / "c.toml")


def test_a_stored_result_reads_no_plan_file(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mixed.toml").write_text(MIXED.format(".*"))
    table["arms"][0]["stages"][1]["plan"] = "mixed.toml"
    with pytest.raises(ValueError, match="unknown plan 'mixed.toml'"):
        plan_from_table(table)


def test_ternary_layer_has_one_interval_for_a_matrix(plan):
    for arm, granularity in ((plan.arms[0], "channel"), (plan.arms[2], "tensor")):
        weights, acts = arm.stages[-1].quantizers.choose("blocks.0.attn.qkv")
        assert (weights.granularity, acts.bits) == (granularity, 8)
        assert arm.stages[-1].quantizers.choose("head")[0].bits == 8


@pytest.mark.parametrize(
    ("where", "value", "words"),
    [
        ("speed", 1, "the plan has no field 'speed'; its fields are name, model,"),
        ("name", MISSING, "name is missing"),
        ("seeds", MISSING, "seeds is missing"),
        ("seeds", 3, "seeds is 3; expected a list of int"),
        ("seeds", [0.5], "expected a list of int"),
        ("seeds", [True], "expected a list of int"),
        ("multipliers", ["1"], "expected a list of int or float"),
        ("images", 0.5, "images is 0.5; expected an integer"),
        ("data", 7, "data is 7; expected text"),
        ("arms", "all", "arms is 'all'; expected a list of dict"),
        ("recipe", {"batch": 3}, "recipe has no field 'batch'"),
        ("recipe", {"augment": {"blur": 1}}, "recipe: augment has no field 'blur'"),
        ("recipe", {"batch_size": "8"}, "recipe: batch_size is '8'; expected a whole number"),
        ("recipe", {"augment": {"flip": "no"}}, "augment: flip is 'no'; expected true or false"),
        ("recipe", {"batch_size": 0}, "batch_size is 0"),
        ("contrasts", [{"name": "c", "of": ["direct"]}], "contrast 'c': against is None"),
        (
            "contrasts",
            [{"name": "c", "of": "direct"}],
            "contrast 'c': of is 'direct'; expected a l",
        ),
        ("arms.0.length", 2, "an arm has no field 'length'"),
        ("arms.0.stages", MISSING, "arm 'direct': stages is None"),
        ("arms.0.stages.0.epochs", MISSING, "arm 'direct': a stage needs .* epochs is missing"),
        ("arms.0.stages.0.epochs", "1", "arm 'direct': stage float: epochs is '1'; expected a num"),
        ("arms.0.stages.0.rate", 1, "arm 'direct': a stage has no field 'rate'"),
        ("arms.0.stages.1.plan", "trinary", "arm 'direct': unknown plan 'trinary'"),
        ("arms.0.stages.1.epochs", 9, "equal budgets"),
        ("arms.0.stages.1.name", 7, "arm 'direct': a stage's name is 7; expected text"),
        ("arms.0.stages.1.name", ["a"], "a stage's name is .'a'.; expected text"),
    ],
)
def test_a_wrong_field_is_named_with_its_place(table, where, value, words):
    *path, key = [int(part) if part.isdigit() else part for part in where.split(".")]
    inner = table
    for part in path:
        inner = inner[part]
    if value is MISSING:
        del inner[key]
    else:
        inner[key] = value
    with pytest.raises(ValueError, match=words):
        plan_from_table(table)


def test_a_refusal_names_the_file(tmp_path):
    with pytest.raises(ValueError, match=r"plan.toml: no such file"):
        read_plan(tmp_path / "plan.toml")
    (tmp_path / "plan.toml").write_text("= 3\n")
    with pytest.raises(ValueError, match=r"plan.toml is not TOML: .*line 1"):
        read_plan(tmp_path / "plan.toml")
    (tmp_path / "plan.toml").write_text('name = "x"')
    with pytest.raises(ValueError, match=r"plan.toml: data is missing"):
        read_plan(tmp_path / "plan.toml")


def test_the_error_of_a_damaged_file_is_one_line(tmp_path):
    (tmp_path / "plan.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="is not TOML") as caught:
        read_plan(tmp_path / "plan.toml")
    assert "\n" not in str(caught.value)
    assert not isinstance(caught.value, tomllib.TOMLDecodeError)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = " + "[" * 50_000, "is nested too deeply"),
        ("x = " + "{a=" * 5000, "is nested too deeply"),
        (".".join("a" * 20_000) + " = 1", "is not TOML: a key has more than 64 parts"),
        ("[" + " . ".join(["'b'"] * 9000) + "]", "more than 64 parts"),
        ("x = 1\n" * 100_000, "more than 200000 bytes"),
        ("y" * 190_000, "is not TOML"),
        ("x = " + "9" * 5000, "plan.toml is not TOML"),
    ],
)
def test_hostile_plans_are_refused_at_once(tmp_path, text, words):
    (tmp_path / "plan.toml").write_text(text)
    start = time.process_time()
    with pytest.raises(ValueError, match=words):
        read_plan(tmp_path / "plan.toml")
    assert time.process_time() - start < 10
