"""tervit_in_one_file.py: the library's loss and gradients, in 350 lines of NumPy alone."""

import ast
import importlib.util
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import tervit_np as tv

FILE = Path(__file__).parents[2] / "tutorials" / "tervit_in_one_file.py"
PLANS = {"float": "float", "8-bit": "int8", "ternary": "ternary"}  # precision -> plan


@pytest.fixture(scope="module")
def one_file():
    spec = importlib.util.spec_from_file_location("tervit_in_one_file", FILE)
    module = importlib.util.module_from_spec(spec)
    threads = os.environ.get("OPENBLAS_NUM_THREADS")
    spec.loader.exec_module(module)
    if threads is not None:
        os.environ["OPENBLAS_NUM_THREADS"] = threads
    return module


def random_model():
    """Return the library's model with random biases and gains, and the file's parameters."""
    rng = np.random.default_rng(1)
    model = tv.create_model("deit_shapes", gelu="tanh", dtype="float64")
    for _, param in model.named_params():
        param.data += rng.normal(0, 0.1, param.shape)
    params = {name: in_file(name, p.data.copy()) for name, p in model.named_params()}
    return model, params


def in_file(name, array):
    """Give a parameter of the library the shape that it has in the file."""
    if name == "pos_embed":
        return array[0]
    return array.reshape(len(array), -1) if name == "patch_embed.proj.weight" else array


def relative(value, expected):
    return np.abs(value - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize("precision", PLANS)
def test_loss_and_gradients_are_those_of_the_library(one_file, precision):
    rng = np.random.default_rng(2)
    images = rng.normal(size=(8, 3, 32, 32))
    labels = rng.integers(0, 10, 8)
    model, params = random_model()
    assert set(params) == set(one_file.new_params(rng))
    tv.quantize(model, PLANS[precision])
    logits, cache = model.forward(images)
    expected, dlogits = tv.losses.cross_entropy(logits, labels, smoothing=0.1)
    model.backward(dlogits, cache)

    own_logits, backward = one_file.vit(images, params, precision)
    loss, own_dlogits = one_file.cross_entropy(own_logits, labels)
    grads = backward(own_dlogits)
    assert relative(own_logits, logits) < 1e-12
    assert abs(loss - expected) < 1e-12 * expected
    assert set(grads) == set(params)
    for name, param in model.named_params():
        assert relative(grads[name], in_file(name, param.grad)) < 1e-12, name

    with ThreadPoolExecutor(2) as pool:  # the mean of two halves is the same
        loss, halves = one_file.loss_and_grads(images, labels, params, precision, pool)
    assert abs(loss - expected) < 1e-12 * expected
    for name in params:
        assert relative(halves[name], grads[name]) < 1e-12, name


def test_the_precisions_differ(one_file):
    """Otherwise the test above would compare float with float three times."""
    images = np.random.default_rng(3).normal(size=(2, 3, 32, 32))
    _, params = random_model()
    logits = [one_file.vit(images, params, precision)[0] for precision in PLANS]
    assert 1e-4 < relative(logits[1], logits[0]) < relative(logits[2], logits[0])


def test_adamw_takes_the_steps_of_the_library(one_file):
    model, params = random_model()
    optimizer = tv.train.AdamW(model.named_params(), lr=1e-3, betas=(0.9, 0.98))
    moments = {name: np.zeros((2, *w.shape)) for name, w in params.items()}
    rng = np.random.default_rng(4)
    for step in (1, 2, 3):
        for _, param in model.named_params():
            param.grad[...] = rng.normal(0, 1e-3, param.shape) * step
        grads = {name: in_file(name, p.grad.copy()) for name, p in model.named_params()}
        tv.train.clip_grad_norm(model.named_params(), 1.0)
        optimizer.step()
        one_file.adamw(params, grads, moments, step, lr=1e-3)
    for name, param in model.named_params():
        assert relative(params[name], in_file(name, param.data)) < 1e-8, name


def test_the_first_loss_is_that_of_guessing(one_file):
    rng = np.random.default_rng(5)
    logits, _ = one_file.vit(rng.normal(size=(64, 3, 32, 32)), one_file.new_params(rng), "float")
    loss, _ = one_file.cross_entropy(logits, rng.integers(0, 10, 64))
    assert loss == pytest.approx(np.log(10), abs=0.05)


def test_it_is_short_and_needs_numpy_alone():
    text = FILE.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 350
    roots = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            roots |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            roots.add(node.module.partition(".")[0])
    assert roots - sys.stdlib_module_names == {"numpy", "data_tools"}


def test_the_short_form_improves(tmp_path):
    environment = os.environ | {"TERVIT_FAST": "1"}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(
        [sys.executable, str(FILE)], capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert done.returncode == 0, done.stderr
    losses = [float(loss) for loss in re.findall(r"loss (\d\.\d+)", done.stdout)]
    assert losses[0] == pytest.approx(np.log(10), abs=0.1)
    assert losses[-1] < losses[0] - 0.1
    stages = re.findall(r"^(\S+) +test accuracy (\S+) %.* (\S+) % after", done.stdout, re.MULTILINE)
    assert [stage for stage, _, _ in stages] == list(PLANS)
    assert float(stages[-1][2]) > float(stages[0][1]) + 5
