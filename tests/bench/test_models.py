import numpy as np
import pytest

import tervit_np as tv
from tervit_np.bench import compare_models, models
from tervit_np.models import create_model


def test_every_candidate_is_timed_for_every_batch_size():
    one, two = compare_models("swin_cifar", (1, 2), rounds=1)
    assert (one.batch, two.batch, one.model) == (1, 2, "swin_cifar")
    assert {models.PACKED, "packed, attention int8", "numpy float32", "numba float32"} <= set(
        one.times
    )
    assert one.ratio("numpy") == one.times["numpy float32"].median / one.times["packed"].median
    if "torch float32" in one.times:
        forms = [t.median for name, t in one.times.items() if name.startswith("torch int8")]
        assert one.ratio("torch int8") == min(forms) / one.times["packed"].median
    with pytest.raises(KeyError):
        one.ratio("jax")


@pytest.mark.parametrize("threads", [1, 2])
def test_the_packed_model_is_the_ternary_one(tmp_path, threads):
    images = np.random.default_rng(0).normal(size=(2, 3, 32, 32)).astype(np.float32)
    tv.export(tv.quantize(create_model("swin_cifar"), "ternary"), tmp_path / "x")
    found = models._packed(create_model("swin_cifar"), threads)
    assert set(found) >= {models.PACKED, "packed, attention int8"}
    for kind, packed in found.items():
        attention = models.ATTENTION[kind]
        expected = tv.load_packed(tmp_path / "x", attention=attention).predict(images)
        np.testing.assert_array_equal(packed.predict(images), expected)
