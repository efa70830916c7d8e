"""Ternary gammas of LayerNorms: in plans, plan files, models, sizes and packed files."""

import re

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.analysis.sizes import sizes
from tervit_np.analysis.surfaces.affine_models import rounded
from tervit_np.checkpoints.formats.safetensors import read_safetensors
from tervit_np.deploy.packing import packed_copy
from tervit_np.models.quantization import plan_of
from tervit_np.quant import IDENTITY, Plan, Ternary, TernaryGamma, UniformAct, plan_table
from tervit_np.quant.plan import NORMS
from tervit_np.quant.plan_file import check_fits, plan_to_toml, read_plan_file
from tervit_np.quant.plan_names import named_plan
from tervit_np.quant.spec import plan_from_spec, plan_to_spec
from tests.checks import ROUNDOFF32, close
from tests.golden.golden import SWIN_CASES

DEIT = tv.DeiTConfig(16, 8, 5, 24, 2, 2)
SWIN = SWIN_CASES["window 2"]


def filled(config):
    """Build a model whose gammas differ, with FTerViT's plan."""
    rng = np.random.default_rng(0)
    model = tv.models.build(config, rng)
    for _, norm in model.norms():
        norm.weight.data[...] = rng.normal(1, 1, norm.weight.shape)
    return tv.quantize(model, "ftervit")


def images_of(config):
    size = config.image_size
    return np.random.default_rng(1).normal(size=(2, 3, size, size)).astype(np.float32)


@pytest.mark.parametrize("config", [DEIT, SWIN], ids=["deit", "swin"])
def test_the_plan_leaves_no_weight_float(config):
    model = filled(config)
    quantizers = [layer.weight_quant for _, layer in model.quantizable() if layer.weight]
    assert all(isinstance(quantizer, Ternary) for quantizer in quantizers)
    norms = dict(model.norms())
    assert {n for n, _ in model.official_params() if re.search(r"(^|\.)norm\d?\.weight", n)} == {
        f"{name}.weight" for name in norms
    }
    for norm in norms.values():
        gamma = norm.gamma_hat()
        assert len(np.unique(np.abs(gamma[gamma != 0]))) == 1
        assert not np.array_equal(gamma, norm.weight.data)
    table = plan_table(model.quantizable(), model.norms())
    assert re.search(r"norm1 .*\d+ .*ternary gamma +-", table)


def test_rules_of_gammas_and_of_layers_do_not_meet():
    plan = Plan([(".*", Ternary(), UniformAct(8)), (".*", TernaryGamma(), IDENTITY)])
    model = tv.quantize(tv.models.build(DEIT, None), plan)
    assert repr(dict(model.quantizable())["head"].weight_quant).startswith("ternary (channel")
    assert all(isinstance(norm.gamma_quant, TernaryGamma) for _, norm in model.norms())
    tv.quantize(model, Plan([(".*", Ternary(), UniformAct(8))]))
    assert all(norm.gamma_quant is IDENTITY for _, norm in model.norms())


def test_plans_with_gammas_are_stored(tmp_path):
    model = filled(DEIT)
    plan = plan_of(model)
    assert plan_to_spec(plan_from_spec(plan_to_spec(plan))) == plan_to_spec(plan)
    (tmp_path / "p.toml").write_text(plan_to_toml(named_plan("ftervit")))
    read = read_plan_file(tmp_path / "p.toml")
    check_fits(read, model.quantizable(), model.norms())
    expected = model.predict(images_of(DEIT))
    for other in (plan, read):
        again = tv.quantize(tv.quantize(model, "float"), other)
        np.testing.assert_array_equal(again.predict(images_of(DEIT)), expected)


def test_mistakes_in_plans_have_their_sentences(tmp_path):
    model = tv.models.build(DEIT, None)
    with pytest.raises(ValueError, match="the inputs of a LayerNorm stay float"):
        Plan([(NORMS, TernaryGamma(), UniformAct(8))])
    file = tmp_path / "p.toml"
    file.write_text("[[layer]]\npattern = '.*'\nweights = 'ternarygamma'\ninputs = 'int8'\n")
    with pytest.raises(ValueError, match='stay float; write inputs = "float"'):
        read_plan_file(file)
    rest = (".*", IDENTITY, IDENTITY)
    with pytest.raises(ValueError, match="'head' matches no LayerNorm; the LayerNorms are blocks"):
        check_fits(Plan([("head", TernaryGamma(), IDENTITY), rest]), [], model.norms())


@pytest.mark.parametrize("config", [DEIT, SWIN], ids=["deit", "swin"])
def test_a_packed_file_has_their_codes(tmp_path, config):
    model, images = filled(config), images_of(config)
    tv.export(model, tmp_path / "x")
    packed = tv.load_packed(tmp_path / "x").model
    np.testing.assert_array_equal(packed.predict(images), packed_copy(model).predict(images))
    loaded = dict(packed.norms())
    for name, norm in model.norms():
        np.testing.assert_array_equal(loaded[name].weight.data, norm.gamma_hat())
    arrays, _ = read_safetensors(tmp_path / "x")
    assert arrays["norm.codes"].size == -(-model.norm.weight.size // 5)
    assert sum(array.nbytes for array in arrays.values()) == sizes(model).stored


def test_a_rounded_copy_has_the_gammas_themselves():
    model = filled(DEIT)
    copied = rounded(model)
    assert all(norm.gamma_quant is IDENTITY for _, norm in copied.norms())
    close(copied.predict(images_of(DEIT)), model.predict(images_of(DEIT)), ROUNDOFF32)
