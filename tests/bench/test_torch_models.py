"""The models in PyTorch compute the same as the float models of this package."""

import pytest

torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
from tervit_np.bench.torch_models import to_torch  # noqa: E402
from tests.checks import relative_error  # noqa: E402
from tests.deploy.test_packed import DEIT, MEAN, images_of, model_of  # noqa: E402
from tests.golden.golden import SWIN_CASES  # noqa: E402

CASES = {"distilled": DEIT, "conv": MEAN, **SWIN_CASES}  # some of them shift their windows


@pytest.mark.parametrize("config", CASES.values(), ids=CASES)
@pytest.mark.parametrize("fused", [True, False])
def test_logits_are_equal(config, fused):
    model, images = model_of(config, "float"), images_of(config)
    with torch.inference_mode():
        logits = to_torch(model, fused)(torch.from_numpy(images)).numpy()
    assert relative_error(logits, model.predict(images)) < 1e-5
