import numpy as np
import pytest

import tervit_np as tv
from tervit_np.analysis.sizes import costs, grouped, sizes, ternarity
from tervit_np.deploy.writing import packed_arrays
from tervit_np.quant import PLANS, named_plan

PAPER = {"tiny": 1.74, "small": 6.13}  # MB under the paper's accounting


@pytest.mark.parametrize(("size", "expected"), PAPER.items())
def test_the_papers_accounting_gives_its_sizes(size, expected):
    model = tv.quantize(tv.create_model(f"deit_{size}_patch16_224"), "ternary")
    assert round(sizes(model).paper / 1e6, 2) == expected


def test_a_float_model_has_four_bytes_for_each_parameter():
    model = tv.create_model("deit_shapes")
    assert set(sizes(model)) == {4 * model.num_params()}
    assert ternarity(model) is None


def test_the_size_as_stored_equals_a_count_by_hand():
    model = tv.create_model("deit_shapes", depth=1, dim=8, heads=2)
    tv.quantize(model, "ternary")
    matrices = [24 * 8, 8 * 8, 32 * 8, 8 * 32]
    codes = sum(-(-n // 5) for n in matrices)
    outside = 8 * 192 + 10 * 8  # patch embedding and head, one byte each
    scales = 4 * (24 + 8 + 32 + 8 + 8 + 10)
    rest = 4 * (model.num_params() - sum(matrices) - outside)
    assert sizes(model).stored == codes + outside + scales + rest


@pytest.mark.parametrize("name", ["deit_cifar", "swin_cifar"])
@pytest.mark.parametrize(
    "plan",
    [
        *sorted(PLANS.keys() - {"ttq", "hadamard"}),  # these two have no packed form
        *(f"int{bits}" for bits in range(2, 8)),
        "lsqplus4",
    ],
)
def test_the_size_as_stored_is_that_of_the_arrays_in_a_packed_file(name, plan):
    model = tv.quantize(tv.create_model(name), named_plan(plan))
    if plan.endswith("-static"):
        tv.calibrate(model, np.random.default_rng(0).standard_normal((2, 3, 32, 32)))
    arrays = packed_arrays(model, np.dtype(np.float32))
    assert sizes(model).stored == sum(array.nbytes for array in arrays.values())


def test_ternarity_counts_ternary_weights_and_zeros():
    model = tv.quantize(tv.create_model("deit_shapes"), "ternary")
    fraction, sparsity = ternarity(model)
    assert fraction == 1.0
    codes = [
        layer.weight_quant.encode(layer.weight.data).codes
        for name, layer in model.quantizable()
        if name.startswith("blocks.") and layer.weight is not None
    ]
    assert sparsity == np.mean(np.concatenate([c.ravel() for c in codes]) == 0)


def test_the_fully_ternary_variant_has_its_published_size():
    """FTerViT's published DeiT-S: 5.81 MB."""
    model = tv.create_model("deit_small_patch16_224")
    assert round(grouped(model)[-1].ftervit / 1e6, 2) == 5.81


@pytest.mark.parametrize("plan", ["float", "int8", "ternary"])
def test_groups_and_tensors_add_up(plan):
    model = tv.quantize(tv.create_model("deit_cifar"), plan)
    groups, tensors = grouped(model), costs(model)
    assert sum(cost.parameters for cost in tensors) == model.num_params()
    for field in ("parameters", "paper", "stored", "ftervit", "float32"):
        total = getattr(groups[-1], field)
        assert sum(getattr(g, field) for g in groups[:-1]) == pytest.approx(total)
        assert sum(getattr(t, field) for t in tensors) == pytest.approx(total)
    assert [g.name for g in groups][-1] == "all"


def test_a_tensor_with_one_scale_counts_one_scale():
    plan = tv.quant.Plan([(r"blocks\..*", tv.quant.Ternary("tensor"), tv.quant.Identity())])
    model = tv.quantize(tv.create_model("deit_shapes"), plan)
    qkv = next(cost for cost in costs(model) if cost.name == "blocks.0.attn.qkv.weight")
    assert qkv.stored == -(-192 * 64 // 5) + 4
