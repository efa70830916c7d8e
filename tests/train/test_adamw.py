import numpy as np
import pytest

import tervit_np as tv
from tervit_np.param import Param
from tervit_np.train.adamw import decays
from tervit_np.verify.golden import CASES, filled_model, forward_backward, inputs
from tests.checks import BACKENDS, ROUNDOFF32, ROUNDOFF64, close
from tests.golden.golden import TRAINED, TRAINING, stored


def test_five_clipped_steps_match_pytorch():
    """Decay, order of operations, corrections, clipping, and which parameters decay."""
    config, golden = CASES[TRAINED], stored("training")
    model = filled_model(config)
    named = model.named_params()
    optimizer = tv.AdamW(
        named, TRAINING.lr, betas=TRAINING.betas, weight_decay=TRAINING.weight_decay
    )
    for step in range(TRAINING.steps):
        loss = forward_backward(model, *inputs(config))["loss"]
        assert loss == pytest.approx(golden["losses"][step], rel=ROUNDOFF64)
        norm = tv.clip_grad_norm(named, TRAINING.max_norm)
        assert norm == pytest.approx(golden["norms"][step], rel=ROUNDOFF64)
        optimizer.step()
    for name, param in named:
        data, expected = param.data, golden[f"param.{name}"]
        if name.endswith("qkv.bias"):  # Adam makes steps of the key third's rounding
            data, expected = np.delete(data.reshape(3, -1), 1, 0), expected.reshape(3, -1)[[0, 2]]
        close(data, expected, ROUNDOFF64, name)


def test_tokens_positions_and_vectors_do_not_decay():
    """As in timm; in DeiT's own code the distillation token decays."""
    named = tv.create_model("deit_shapes", pool="cls", distilled=True).named_params()
    kept = {n for n, p in named if not decays(n, p)}
    assert {"cls_token", "dist_token", "pos_embed", "norm.weight", "head.bias"} < kept
    assert {n for n, p in named if p.data.ndim >= 2} - kept == {n for n, p in named} - kept


def steps(dtype, backend="numpy", count=3):
    """Run AdamW on random gradients of a matrix and a vector."""
    rng = np.random.default_rng(0)
    named = [(n, Param(rng.normal(size=s).astype(dtype))) for n, s in (("w", (5, 7)), ("b", (7,)))]
    with tv.backend(backend):
        optimizer = tv.AdamW(named, lr=0.01, weight_decay=0.1)
        for _ in range(count):
            for _, param in named:
                param.grad[...] = rng.normal(size=param.shape)
            optimizer.step()
    return named, optimizer


@pytest.mark.parametrize("backend", BACKENDS)
def test_single_precision_follows_double(backend):
    for (name, one), (_, two) in zip(
        steps("float32", backend)[0], steps("float64")[0], strict=True
    ):
        assert one.data.dtype == np.float32
        close(one.data, two.data, ROUNDOFF32, name)


def test_the_first_step_is_lr_in_the_direction_of_the_sign():
    param = Param(np.array([1.0, -2.0, 3.0]))
    param.grad[...] = [1e-3, -5.0, 0.0]
    tv.AdamW([("b", param)], lr=0.1).step()
    np.testing.assert_allclose(param.data, [0.9, -1.9, 3.0], rtol=2e-5)


def test_decay_needs_no_gradient():
    w, b = Param(np.full((2, 2), 4.0)), Param(np.full(2, 4.0))
    tv.AdamW([("w", w), ("b", b)], lr=0.1, weight_decay=0.5).step()
    np.testing.assert_allclose(w.data, 4 * (1 - 0.1 * 0.5))
    np.testing.assert_array_equal(b.data, 4)


def test_only_matrices_decay():
    model = tv.create_model("deit_tiny_distilled_patch16_224", depth=1)
    decayed = [name for name, param in model.named_params() if decays(name, param)]
    layers = ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
    expected = ["patch_embed.proj", *(f"blocks.0.{k}" for k in layers), "head", "head_dist"]
    assert decayed == [f"{name}.weight" for name in expected]
    assert not decays("layers.0.relative_position_bias_table", Param(np.ones((3, 2))))


def test_the_rate_may_change_and_arrays_are_updated_in_place():
    param = Param(np.ones(3))
    data, optimizer = param.data, tv.AdamW([("b", param)], lr=0.1)
    param.grad[...] = 1
    optimizer.step()
    optimizer.lr = 0.0
    before = data.copy()
    optimizer.step()
    np.testing.assert_array_equal(data, before)
    assert param.data is data
    np.testing.assert_array_equal(param.grad, 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_resumed_optimizer_goes_on_to_the_same_bits(dtype):
    uninterrupted, _ = steps(dtype, count=6)
    half, optimizer = steps(dtype, count=3)
    again = tv.AdamW(half, lr=0.01, weight_decay=0.1)
    again.load_state_dict(optimizer.state_dict(), optimizer.steps)
    optimizer.first["w"] += 1  # the state was copied
    rng = np.random.default_rng(0)
    rng.normal(size=42 + 3 * 42)
    with tv.backend("numpy"):
        for _ in range(3):
            for _, param in half:
                param.grad[...] = rng.normal(size=param.shape)
            again.step()
    for (_, one), (_, two) in zip(half, uninterrupted, strict=True):
        np.testing.assert_array_equal(one.data, two.data)


@pytest.mark.parametrize(("size", "is_shared"), [(2**20, True), (2**20 - 1, False)])
def test_threads_share_the_parameters_of_large_models_alone(size, is_shared):
    halves, shared = (size // 2, size - size // 2), []
    named = [(f"b{i}", Param(np.zeros(half, np.float32))) for i, half in enumerate(halves)]

    def each(function, items):
        shared.extend(items)
        return map(function, items)

    for _, param in named:
        param.grad[...] = 1
    tv.AdamW(named, lr=0.1).step(each)
    assert shared == (named if is_shared else [])
    for _, param in named:
        np.testing.assert_allclose(param.data, -0.1, rtol=1e-5)
