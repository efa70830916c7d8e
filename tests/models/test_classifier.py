import numpy as np
import pytest

import tervit_np as tv
from tervit_np.arrays import read_only
from tests.checks import ROUNDOFF64, count_walks


def build(dtype="float32", **options):
    config = tv.DeiTConfig(8, 4, 3, 8, 1, 2, drop_path=0.5, **options)
    return tv.DeiT(config, np.random.default_rng(0), dtype)


IMAGES = np.random.default_rng(1).normal(size=(7, 3, 8, 8)).astype(np.float32)


@pytest.mark.parametrize("batch_size", [1, 2, 7, 64])
def test_predicting_in_batches_equals_the_forward_pass(batch_size):
    model = build("float64")
    expected, _ = model.forward(IMAGES)
    np.testing.assert_allclose(model.predict(IMAGES, batch_size), expected, rtol=ROUNDOFF64)


@pytest.mark.parametrize("threads", [2, 3, 9])
def test_threads_change_no_bit(threads):
    model = build()
    np.testing.assert_array_equal(model.predict(IMAGES, 2, threads), model.predict(IMAGES, 2))


@pytest.mark.parametrize(("batch_size", "threads"), [(0, 1), (-1, 1), (4, 0)])
def test_a_batch_and_its_threads_are_at_least_one(batch_size, threads):
    message = "(batch_size|threads) is .*; expected a whole number of at least 1"
    with pytest.raises(ValueError, match=message):
        build().predict(IMAGES, batch_size, threads)


def test_a_distilled_model_predicts_the_mean_of_logits():
    model = build(distilled=True)
    one, two = model.forward(IMAGES)[0]
    assert (one != two).any()
    np.testing.assert_array_equal(model.predict(IMAGES), (one + two) / 2)


def test_no_images_give_no_rows():
    logits = build().predict(np.empty((0, 3, 8, 8), np.float32))
    assert logits.shape == (0, 3)
    assert logits.dtype == np.float32


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("image_dtype", ["float16", "float32", "float64"])
def test_logits_have_the_models_type(dtype, image_dtype):
    images = read_only(np.abs(IMAGES).astype(image_dtype))
    assert build(dtype).predict(images).dtype == dtype
    assert build(dtype).dtype == dtype


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "complex64", "object"])
def test_images_that_nobody_has_normalised_are_refused(dtype):
    """Bytes from 0 to 255 were classified, and a gradient had their size."""
    for run in (build().predict, build().forward):
        with pytest.raises(ValueError, match=f"images are {dtype}, expected floating-point numb"):
            run(np.ones((2, 3, 8, 8), dtype))
    with pytest.raises(ValueError, match="images are a list, expected an array"):
        build().predict(IMAGES.tolist())


def test_a_packed_model_says_that_it_has_no_backward_pass():
    for model in (build(), tv.create_model("swin_cifar")):
        model.packed = True
        with pytest.raises(ValueError, match="the model is packed and has no latent weights"):
            model.backward(np.ones((1, 3), np.float32), None)


@pytest.mark.parametrize("plan", ["float", "ternary"])
@pytest.mark.parametrize("train", [False, True])
def test_no_pass_walks_the_modules(monkeypatch, plan, train):
    model = tv.quantize(build(), plan)
    walked = count_walks(monkeypatch)
    logits, cache = model.forward(IMAGES, train=train, rng=np.random.default_rng(0))
    model.backward(np.ones_like(logits), cache)
    model.predict(IMAGES)
    assert walked == []


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 8, 8, 3), (2, 3, 8, 9), (2, 1, 8, 8)])
def test_images_of_other_shapes_are_refused(shape):
    message = r"expects \(B, 3, 8, 8\), normalised, channels first"
    for run in (build().predict, build().forward):
        with pytest.raises(ValueError, match=message):
            run(np.zeros(shape, np.float32))


@pytest.mark.parametrize("options", [{"pool": "mean"}, {"distilled": True}, {"window": 2}])
def test_a_loss_of_float64_makes_the_gradients_of_float32(options):
    """The whole backward pass of a Swin ran in float64, and not in the precision that was set."""
    if "window" in options:
        config = tv.SwinConfig(8, 2, 3, 4, (1, 2), (1, 2), **options)
        model = tv.Swin(config, np.random.default_rng(0))
    else:
        model = build(**options)
    logits, cache = model.forward(IMAGES)
    heads = logits if isinstance(logits, tuple) else (logits,)
    dlogits = [np.random.default_rng(2).normal(size=z.shape) for z in heads]
    found = []
    for dtype in (np.float64, np.float32):
        model.zero_grad()
        upstream = tuple(d.astype(dtype) for d in dlogits)
        dimages = model.backward(upstream if len(heads) > 1 else upstream[0], cache)
        assert dimages.dtype == np.float32
        found.append([dimages, *(p.grad.copy() for _, p in model.named_params())])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
