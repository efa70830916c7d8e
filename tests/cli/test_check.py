import pytest

import tervit_np as tv


def test_everything_passes(tervit):
    code, out, _ = tervit("check")
    assert code == 0
    assert "checks passed" in out
    assert "FAIL" not in out


@pytest.mark.parametrize("plan", ["float", "ternary"])
def test_a_model_by_layer(tervit, plan):
    code, out, _ = tervit("check", "--model", "deit_shapes", "--plan", plan)
    assert code == 0
    assert "blocks.3.mlp.fc2.weight" in out
    assert "all 56 checks passed" in out


def test_a_saved_model_with_its_quantizers(tervit, tmp_path):
    model = tv.create_model("deit_shapes", depth=1, dim=16)
    tv.save_checkpoint(model, tmp_path / "m.npz", plan=tv.quant.named_plan("ternary"))
    code, out, _ = tervit("check", "--trained", tmp_path / "m.npz")
    assert code == 0
    assert "blocks.0.attn.qkv.weight" in out


def test_a_plant_is_shown_and_caught(tervit):
    code, out, _ = tervit("check", "--plant", "softmax-scale")
    assert code == 0
    assert "- scale * y * (dy" in out
    assert "FAIL" in out
    assert "caught by differences" in out


def test_a_failing_check_exits_1_and_names_the_mistake(tervit):
    from tervit_np.analysis.planting import planted
    from tervit_np.analysis.plants import find_plant

    with planted(find_plant("attention-dq")):
        code, out, _ = tervit("check")
    assert code == 1
    assert "checks failed" in out


def test_plants_are_listed(tervit):
    code, out, _ = tervit("check", "--list-plants")
    assert code == 0
    assert len(out.splitlines()) >= 25


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--plant", "layernorm"), "unknown plant 'layernorm'; did you mean layernorm-"),
        (("--model", "vgg"), "unknown model 'vgg'"),
        (("--model", "deit_shapes", "--plan", "int9"), "int9"),
        (("--trained", "nowhere.npz"), "nowhere.npz: no such file"),
    ],
)
def test_mistakes_get_one_line(tervit, args, words):
    code, _, error = tervit("check", *args)
    assert code == 2
    assert words in error
    assert len(error.strip().splitlines()) == 1
