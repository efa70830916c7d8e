from collections import Counter

import pytest

import tervit_np as tv
from tervit_np.verify.checks import ROW_CHECKS
from tervit_np.verify.mutants import MUTANTS, find_mutant
from tervit_np.verify.mutation import Mutant, mutated

ON_A_SLOW_MACHINE = ("--budget", 9999)  # seconds, for which all gradients are checked


def test_all_checks_pass(tervit):
    code, out, _ = tervit("check")
    assert code == 0
    assert "checks passed" in out
    assert "FAIL" not in out


@pytest.mark.parametrize("plan", ["float", "ternary"])
def test_every_parameter_of_a_model_is_checked(tervit, plan):
    args = ("--model", "deit_shapes", "--plan", plan, *ON_A_SLOW_MACHINE)
    code, out, _ = tervit("check", *args)
    assert code == 0
    assert "blocks.3.mlp.fc2.weight" in out
    assert "all 56 checks passed" in out


def test_static_inputs_are_calibrated_before_the_check(tervit):
    code, out, _ = tervit("check", "--model", "deit_shapes", "--plan", "int8-static", "--budget", 0)
    assert code == 0
    assert "all 8 checks passed" in out


def test_a_saved_model_is_checked_with_its_quantizers(tervit, tmp_path):
    model = tv.create_model("deit_shapes", depth=1, dim=16)
    tv.save_checkpoint(model, tmp_path / "m.npz", plan=tv.quant.named_plan("ternary"))
    code, out, _ = tervit("check", "--trained", tmp_path / "m.npz")
    assert code == 0
    assert "blocks.0.attn.qkv.weight" in out


def test_a_run_folder_is_checked_at_its_last_stage(tervit, tmp_path, monkeypatch):
    import json

    model = tv.create_model("deit_shapes", depth=1, dim=16)
    stages = [{"name": "float"}, {"name": "ternary"}]
    (tmp_path / "run.json").write_text(json.dumps({"stages": stages}))
    for stage in ("float", "ternary"):
        tv.save_checkpoint(tv.quantize(model, stage), tmp_path / f"{stage}.npz")
    asked = []
    monkeypatch.setattr(
        "tervit_np.checkpoints.load_model", lambda path: asked.append(path) or (model, {})
    )
    assert tervit("check", "--trained", tmp_path)[0] == 0
    assert asked == [tmp_path / "ternary.npz"]


def test_a_small_budget_spreads_over_the_model(tervit):
    code, out, _ = tervit("check", "--model", "deit_cifar_p4", "--budget", 0)
    assert code == 0
    assert "8 of 80 gradients, spread from images to logits" in out
    rows = [line.split()[1] for line in out.splitlines() if line.startswith("adjoint")]
    assert (len(rows), rows[0], rows[-1]) == (8, "images", "head.bias")


def test_a_wrong_model_says_where_the_mistake_begins(tervit):
    with mutated(find_mutant("softmax-scale")):
        code, out, _ = tervit("check", "--model", "deit_shapes", *ON_A_SLOW_MACHINE)
    assert code == 1
    assert "blocks.3.attn.qkv.bias: right from the logits down to blocks.3.attn.proj.weight" in out
    assert "checks failed" in out.splitlines()[-1]


def test_a_diagnosis_is_not_repeated(tervit):
    _, out, _ = tervit("check", "--mutant", "wrong-eps")
    assert out.count("another framework disagrees; look at the forward pass") == 1


def test_all_mutants_are_listed_with_the_checks_that_caught_them(tervit, monkeypatch):
    """Two here; tests/verify/test_mutants.py runs them all, if slow."""
    few = {name: MUTANTS[name] for name in ("residual", "ternary-clip")}
    monkeypatch.setattr("tervit_np.verify.mutants.MUTANTS", few)
    code, out, _ = tervit("check", "--all-mutants")
    assert code == 0
    lines = out.splitlines()
    for line, caught in zip(lines[::2], ("differences, golden", "frozen"), strict=False):
        assert line.endswith(f"  caught by {caught}")
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "2 of 2 mutants caught by the declared check"


def test_a_mutant_that_is_not_caught_exits_1(tervit, monkeypatch):
    harmless = Mutant("harmless", "nothing at all", "golden", ())
    monkeypatch.setitem(MUTANTS, "harmless", harmless)
    code, out, _ = tervit("check", "--mutant", "harmless")
    assert code == 1
    assert "not caught: golden should have failed" in out
    monkeypatch.setattr("tervit_np.verify.mutants.MUTANTS", {"harmless": harmless})
    code, out, _ = tervit("check", "--all-mutants")
    assert code == 1
    assert "NOT CAUGHT" in out


def test_a_mutant_is_shown_and_caught(tervit):
    """`--plant` is the former name of `--mutant`, which the tests around this one use."""
    code, out, _ = tervit("check", "--plant", "softmax-scale")
    assert code == 0
    assert "- scale * y * (dy" in out
    assert "FAIL" in out
    assert "caught by differences" in out
    rows = [line for line in out.splitlines() if line.endswith(("  ok", "  FAIL"))]
    assert 0 < max(map(len, rows)) <= 80


@pytest.mark.parametrize(
    "mutant",
    [
        "layernorm-mean",
        pytest.param("divergence", marks=pytest.mark.slow),
        pytest.param("gradient-replaced", marks=pytest.mark.slow),
    ],
)
def test_the_closing_words_count_the_rows_above_them(tervit, mutant):
    _, out, _ = tervit("check", "--mutant", mutant)
    *table, closing = out.splitlines()
    counts = Counter(row.split()[0] for row in table if row.endswith("FAIL"))
    caught, _, passed = closing.partition("; ")
    assert caught == "caught by " + ", ".join(f"{check} ({n})" for check, n in counts.items())
    names = passed.removesuffix(" saw nothing").split(", ")
    assert set(names) == set(ROW_CHECKS) - set(counts)


def test_the_former_option_is_not_shown(tervit):
    assert "--plant" not in tervit("check", "--help")[1]


def test_a_failing_check_exits_1_and_names_the_mistake(tervit):
    with mutated(find_mutant("attention-dq")):
        code, out, _ = tervit("check")
    assert code == 1
    assert "checks failed" in out


def test_conventions_are_printed(tervit):
    code, out, _ = tervit("check", "--conventions")
    assert code == 0
    lines = out.splitlines()
    assert [line for line in lines if line[0] != " "] == list(tv.quant.conventions())
    assert "  boundary  |w| = Delta gives 0 (strict); |w| = clip has no gradient" in lines
    begun = [line for line in lines if not line.startswith(" " * 12)]  # others continue one
    assert len(begun) == 5 * len(tv.quant.conventions())


def test_mutants_are_listed(tervit):
    code, out, _ = tervit("check", "--list-mutants")
    assert code == 0
    begun = [line for line in out.splitlines() if line[0] != " "]  # others continue one
    assert len(begun) == len(MUTANTS) >= 70


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--mutant", "layernorm"), "unknown mutant 'layernorm'; did you mean layernorm-"),
        (("--model", "vgg"), "unknown model 'vgg'"),
        (("--model", "deit_shapes", "--plan", "int9"), "int9"),
        (("--plan", "ternary"), "--plan is for --model"),
        (("--trained", "shapes", "--plan", "ternary"), "--plan is for --model"),
        (("--model", "deit_shapes", "--budget", "nan"), "--budget is nan; expected seconds"),
        (("--model", "deit_shapes", "--budget", "-1"), "--budget is -1; expected seconds"),
        (("--budget", "60"), "--budget is for --model and --trained"),
        (("--all-mutants", "--budget", "5"), "--budget is for --model and --trained"),
        (("--trained", "shapes"), "shapes.safetensors is packed and has no gradients; name the"),
        (("--trained", "nowhere.npz"), "nowhere.npz: no such file"),
    ],
)
def test_a_wrong_request_gets_one_line(tervit, args, words):
    code, _, error = tervit("check", *args)
    assert code == 2
    assert words in error
    assert len(error.strip().splitlines()) == 1
