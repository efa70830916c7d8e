"""Random architectures compared with PyTorch, where it is installed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tervit_np as tv
from tervit_np.verify.golden import filled_model, forward_backward, inputs

torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
from tests.checks import relative_error  # noqa: E402
from tests.golden.reference import torch_results  # noqa: E402
from tests.golden.torch_deit import TorchDeiT  # noqa: E402


@st.composite
def configs(draw):
    """Draw a small architecture with any combination of options."""
    stem = draw(st.sampled_from(["linear", "conv", "conv3"]))
    patch = draw(
        {"linear": st.integers(1, 5), "conv": st.sampled_from([4, 8])}.get(stem, st.just(4))
    )
    heads = draw(st.integers(1, 4))
    width = draw(st.integers(1, 4)) * (4 if stem == "conv" else 1)
    distilled = draw(st.booleans())
    return tv.DeiTConfig(
        image_size=patch * draw(st.integers(1, 4)),
        patch_size=patch,
        num_classes=draw(st.integers(2, 6)),
        dim=max(heads * width, 2),
        depth=draw(st.integers(1, 3)),
        heads=heads if heads * width > 1 else 1,
        mlp_ratio=draw(st.sampled_from([0.5, 1.0, 2.7, 4.0])),
        distilled=distilled,
        stem=stem,
        pool="cls" if distilled else draw(st.sampled_from(["cls", "mean"])),
        gelu=draw(st.sampled_from(["erf", "tanh"])),
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(config=configs(), batch=st.integers(1, 4))
def test_logits_loss_and_every_gradient_agree(config, batch):
    images, labels = inputs(config, batch)
    ours = forward_backward(filled_model(config), images, labels)
    golden = torch_results(TorchDeiT(config), images, labels)
    assert list(ours) == list(golden)  # the same parameters in the same order
    largest = max(np.abs(golden[name]).max() for name in golden if name.startswith("grad."))
    for name, expected in golden.items():
        floor = 1e-6 * largest if name.startswith("grad.") else 0  # some are zero but for rounding
        scale = max(np.abs(expected).max(), floor, 1e-30)
        assert np.abs(ours[name] - expected).max() < 1e-9 * scale, name


def test_a_wrong_eps_fails_the_comparison():
    """PyTorch's default eps instead of DeiT's."""
    config = tv.DeiTConfig(8, 4, 3, 8, 2, 2)
    images, labels = inputs(config)
    ours = forward_backward(filled_model(config), images, labels)
    wrong = TorchDeiT(config)
    for module in wrong.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = 1e-5
    golden = torch_results(wrong, images, labels)
    assert relative_error(ours["logits"], golden["logits"]) > 1e-7
