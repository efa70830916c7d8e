"""Models at 224 pixels, compared with fingerprints of their gradients in PyTorch.

Swin is quick in float32 alone; small Swins are compared in float64 elsewhere.
"""

import numpy as np
import pytest

from tervit_np.models import CONFIGS
from tervit_np.verify.golden import filled_model, forward_backward, inputs
from tests.checks import relative_error
from tests.golden.golden import FULL_SIZE, fingerprint, stored

LARGE = ("deit_small_patch16_224", "swin_tiny_patch4_window7_224")  # 5 s each in float64


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        *(
            pytest.param(name, "float64", marks=pytest.mark.slow if name in LARGE else ())
            for name in FULL_SIZE
        ),
        (FULL_SIZE[0], "float32"),
        (FULL_SIZE[-1], "float32"),
    ],
)
def test_logits_loss_and_every_gradient_agree(name, dtype):
    config = CONFIGS[name]
    actual = forward_backward(filled_model(config, dtype), *inputs(config, 2))
    ours, golden = fingerprint(actual), stored("full_size")
    logits, gradients = (1e-12, 1e-12) if dtype == "float64" else (2e-5, 3e-4)
    assert relative_error(ours["logits"], golden[f"{name}/logits"]) < logits
    assert relative_error(ours["loss"], golden[f"{name}/loss"]) < logits
    rows = dict(zip(ours["names"], ours["gradients"], strict=True))
    assert set(rows) == set(golden[f"{name}/names"])
    expected = golden[f"{name}/gradients"]
    gradients_ours = np.array([rows[key] for key in golden[f"{name}/names"]])
    norms = expected[:, :1]  # relative to the norm, because a projection may nearly cancel
    assert (np.abs(gradients_ours - expected) / norms).max() < gradients
