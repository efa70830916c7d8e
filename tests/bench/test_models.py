import numpy as np
import pytest

from tervit_np.bench import compare_models, models
from tervit_np.models import create_model
from tests.checks import relative_error


def test_every_candidate_is_timed_for_every_batch_size():
    one, two = compare_models("swin_cifar", (1, 2), rounds=1)
    assert (one.batch, two.batch, one.model) == (1, 2, "swin_cifar")
    assert {*models.PACKED, "numpy float32", "numba float32"} <= set(one.times)
    assert one.ratio("numpy") == one.times["numpy float32"].median / one.times["packed"].median
    if "torch float32" in one.times:
        forms = [t.median for name, t in one.times.items() if name.startswith("torch int8")]
        assert one.ratio("torch int8") == min(forms) / one.times["packed"].median
    with pytest.raises(KeyError):
        one.ratio("jax")


def test_the_packed_model_is_the_ternary_one():
    from tervit_np.models import quantize

    images = np.random.default_rng(0).normal(size=(2, 3, 32, 32)).astype(np.float32)
    expected = quantize(create_model("swin_cifar"), "ternary").predict(images)
    for threads in (1, 2):
        packed, packed_int8 = models._packed(create_model("swin_cifar"), threads)
        assert relative_error(packed.predict(images), expected) < 0.02
        assert 0 < relative_error(packed_int8.predict(images), expected) < 0.1
