"""Copies, pickles and forked processes of models compute what the models themselves do."""

import copy
import multiprocessing
import pickle
import threading
import warnings
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

import tervit_np as tv
from tests.deploy.test_packed import DEIT, MEAN, SHIFTED, images_of, model_of

CONFIGS = pytest.mark.parametrize(
    "config", [DEIT, MEAN, SHIFTED], ids=["distilled", "conv", "shifted windows"]
)
COPIES = pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), copy.copy],
    ids=["deepcopy", "pickle", "copy"],
)
PLANS = pytest.mark.parametrize("plan", ["ternary", "int8", "float"])


def packed_model(tmp_path, config=DEIT, plan="ternary", **options):
    tv.export(model_of(config, plan), tmp_path / "x", extra={"classes": list("abcde")})
    return tv.load_packed(tmp_path / "x", **options)


@CONFIGS
@COPIES
@PLANS
@pytest.mark.parametrize("used", [False, True])
def test_copies_of_packed_models_predict_the_same(tmp_path, config, copied, plan, used):
    packed, images = packed_model(tmp_path, config, plan, threads=2), images_of(config)
    if used:
        packed.predict(images)
    twin = copied(packed)
    np.testing.assert_array_equal(twin.predict(images), packed.predict(images))
    assert twin.extra == packed.extra


def test_a_copy_has_weights_of_its_own(tmp_path):
    packed, images = packed_model(tmp_path), images_of(DEIT)
    expected, twin = packed.predict(images), copy.deepcopy(packed)
    twin.predict(images)
    twin.model.head.bias = None
    for block in twin.model.blocks:
        block.norm1.weight.data.fill(0)
    np.testing.assert_array_equal(packed.predict(images), expected)
    assert not np.array_equal(twin.predict(images), expected)


@CONFIGS
@COPIES
@PLANS
def test_copies_of_latent_models_predict_and_train_the_same(config, copied, plan):
    model, images = model_of(config, plan), images_of(config)
    twin = copied(model)
    results = []
    for each in (model, twin):
        each.zero_grad()
        logits, cache = each.forward(images, train=True)
        each.backward(logits, cache)
        results.append({name: param.grad.copy() for name, param in each.named_params()})
    for name, gradient in results[0].items():
        np.testing.assert_array_equal(results[1][name], gradient, err_msg=name)


def forked(work):
    """Run `work` in a forked process.  -> its result."""
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("this system does not fork")
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads
        child = context.Process(target=lambda: sender.send(work()))
        child.start()
    try:
        assert receiver.poll(60), "the forked process hangs"
        return receiver.recv()
    finally:
        child.kill()
        child.join()


@CONFIGS
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_forked_process_predicts_the_same(tmp_path, config, threads):
    packed, images = packed_model(tmp_path, config, threads=threads), images_of(config)
    expected = packed.predict(images)
    np.testing.assert_array_equal(forked(lambda: packed.predict(images)), expected)
    np.testing.assert_array_equal(packed.predict(images), expected)


def test_a_process_that_is_forked_twice_predicts_the_same(tmp_path):
    packed, images = packed_model(tmp_path, threads=2), images_of(DEIT)
    expected = packed.predict(images)
    twice = forked(lambda: forked(lambda: packed.predict(images)))
    np.testing.assert_array_equal(twice, expected)


def test_a_fork_in_another_thread_predicts_the_same(tmp_path):
    """The session of the thread that forks is not that of the main thread."""
    packed, images = packed_model(tmp_path, threads=2), images_of(DEIT)
    expected, found = packed.predict(images), []
    thread = threading.Thread(target=lambda: found.append(forked(lambda: packed.predict(images))))
    thread.start()
    thread.join()
    np.testing.assert_array_equal(found[0], expected)


def test_a_pool_of_fresh_processes_predicts_the_same(tmp_path):
    packed, images = packed_model(tmp_path, threads=2), images_of(DEIT)
    expected = packed.predict(images)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        np.testing.assert_array_equal(pool.submit(packed.predict, images).result(), expected)
