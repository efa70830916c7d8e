"""Compiled blocks, compared with the same blocks run module by module."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from itertools import cycle

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.deploy.blocks import PackedBlocks
from tervit_np.kernels import has_tile, isa, runnable, selected_variant
from tervit_np.nn import Blocks
from tests.checks import BACKENDS
from tests.deploy.test_packed import CASES, DEIT, MEAN, SWIN, clear_images_of, images_of, model_of
from tests.golden.golden import SWIN_CASES
from tests.kernels.int8_reference import with_int8_attention
from tests.rounding import SAME, assert_same, errors

COMPILED = "numba" in BACKENDS and has_tile(selected_variant())
pytestmark = [
    pytest.mark.rounding,
    pytest.mark.skipif(not COMPILED, reason="no compiled block runs here"),
]
INT8 = DEIT, MEAN, SWIN_CASES["window 2"]
TILES = [r for r in (*runnable(), isa.EMULATED) if has_tile(r)] if COMPILED else []


def modules_with_blocks(model):
    return [m for _, m in model.named_modules() if isinstance(getattr(m, "blocks", None), Blocks)]


@pytest.fixture(params=CASES.args[1], ids=CASES.kwargs["ids"])
def config(request):
    return request.param


@pytest.fixture
def file(tmp_path, config):
    tv.export(model_of(config), tmp_path / "x")
    return tmp_path / "x"


@pytest.mark.parametrize("plan", ["ternary", "ternary-static"])
def test_compiled_blocks_compute_what_the_modules_do(tmp_path, config, plan):
    model = model_of(config, plan)
    tv.export(model, tmp_path / "x")
    packed, images = tv.load_packed(tmp_path / "x"), clear_images_of(model, 5)
    found = packed.predict(images)
    for module in modules_with_blocks(packed.model):
        assert isinstance(module.blocks, PackedBlocks)
        module.blocks = Blocks(module.blocks)
    assert_same(found, packed.predict(images))


@pytest.mark.parametrize("num_threads", [2, 3, 5])
def test_threads_change_no_bit(file, config, num_threads):
    images = images_of(config, 4)
    one_thread = tv.load_packed(file).predict(images)
    packed = tv.load_packed(file, threads=num_threads)
    for count in (1, 4):
        np.testing.assert_array_equal(packed.predict(images[:count]), one_thread[:count])


def test_threads_that_share_images_wait_before_the_next_pass(tmp_path):
    """Three images of 65 tokens pass together, then the fourth alone, of which a thread has other
    rows: one that is ahead would overwrite what another still reads.
    """
    config, num_threads = tv.DeiTConfig(32, 4, 5, 20, 2, 2), 5
    tv.export(model_of(config), tmp_path / "x")
    images, packed = images_of(config, 4), tv.load_packed(tmp_path / "x", threads=num_threads)
    expected = tv.load_packed(tmp_path / "x").predict(images)
    for _ in range(20):
        np.testing.assert_array_equal(packed.predict(images), expected)
    (module,) = modules_with_blocks(packed.model)
    arrivals = module.blocks._local.session.shared[0].barrier_count[0]
    around_attention, between_passes = 2 * 2, 1
    assert arrivals == num_threads * len(module.blocks) * (around_attention + between_passes)


@pytest.mark.parametrize("variant", TILES)
def test_all_variants_give_the_same_bits(file, config, variant, monkeypatch):
    packed, images = tv.load_packed(file), images_of(config)
    expected = packed.predict(images)
    monkeypatch.setenv("TERVIT_KERNEL", variant)
    np.testing.assert_array_equal(packed.predict(images), expected)


OTHER = """
import sys, numpy as np, tervit_np as tv
from tervit_np.kernels import gemm, selected_variant
for attention in ("float32", "int8"):
    packed = tv.load_packed(f"{sys.argv[1]}/{attention}", attention=attention)
    images = np.load(f"{sys.argv[1]}/{attention}.npy")
    np.save(f"{sys.argv[1]}/{attention} found.npy", packed.predict(images))
print(selected_variant(), gemm.LANES)
"""


@pytest.mark.slow  # each compiles everything anew
@pytest.mark.parametrize(
    ("needed", "target", "features", "found"),
    [
        ("avx2", "haswell", "+avx2,+fma", "avx2 8"),
        ("avx2", "x86-64", "+sse2", "generic 4"),
        ("sdot", "cortex-a72", "+neon", "neon 4"),
        ("usdot", "neoverse-n1", "+neon", "sdot 4"),
    ],
)
def test_a_kernel_compiled_for_another_cpu_gives_the_same_logits(
    tmp_path, needed, target, features, found
):
    """The targets have narrower or fewer registers, or no dot product instruction."""
    if needed not in TILES:
        pytest.skip(f"needs a CPU with {needed}")
    models = {"float32": model_of(SWIN), "int8": with_int8_attention(model_of(DEIT))}
    images = {name: clear_images_of(model, 2) for name, model in models.items()}
    for name, config in (("float32", SWIN), ("int8", DEIT)):
        tv.export(model_of(config), tmp_path / name)
        np.save(tmp_path / f"{name}.npy", images[name])
    environment = {key: value for key, value in os.environ.items() if key != "TERVIT_KERNEL"}
    done = subprocess.run(
        [sys.executable, "-c", OTHER, str(tmp_path)],
        env=environment | {"NUMBA_CPU_NAME": target, "NUMBA_CPU_FEATURES": features},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, found), done.stderr
    for name, model in models.items():
        assert_same(np.load(tmp_path / f"{name} found.npy"), model.predict(images[name]))


def test_an_image_does_not_depend_on_its_neighbours(file, config):
    images, packed = images_of(config, 40), tv.load_packed(file)
    whole = packed.predict(images)
    for i in (0, 17, 39):
        np.testing.assert_array_equal(packed.predict(images[i : i + 1])[0], whole[i])


def test_several_threads_may_call_predict_at_once(file, config):
    packed, images = tv.load_packed(file, threads=2), images_of(config, 3)
    expected = tv.load_packed(file).predict(images)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: packed.predict(images), range(12)):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("plan", ["ternary", "int8"])
@pytest.mark.parametrize("first", [0, 1])
def test_another_thread_may_select_another_backend_at_any_time(tmp_path, monkeypatch, plan, first):
    """Each question for the selected kernel gets another answer than the one before."""
    tv.export(model_of(DEIT, plan), tmp_path / "x")
    packed, images = tv.load_packed(tmp_path / "x"), images_of(DEIT, 2)
    expected, answers = packed.predict(images), [selected_variant(), "numpy"]
    changing = cycle([answers[first], answers[1 - first]])
    for name in ("deploy.blocks", "kernels.int8_linear", "kernels.ternary_linear"):
        module = import_module(f"tervit_np.{name}")  # two of them have a function of their name
        monkeypatch.setattr(module, "selected_variant", lambda: next(changing))
    assert np.abs(packed.predict(images) - expected).max() < 0.1 * np.abs(expected).max()


def test_after_an_error_no_thread_computes_in_the_workspaces_of_a_later_call(
    file, config, monkeypatch
):
    """After two Ctrl-C the threads of the interrupted call still run."""
    packed, images = tv.load_packed(file, threads=2), images_of(config, 1)
    expected, runs = packed.predict(images), []
    team_class = import_module("tervit_np.kernels.team").Team  # needs Numba
    run, ended = team_class.run, threading.Event()

    def interrupted(team, work, barrier_counts):
        runs.append(team)
        if len(runs) > 1:
            return run(team, work, barrier_counts)
        team._workers.submit(ended.wait, 20)  # what a thread still computes
        raise KeyboardInterrupt

    monkeypatch.setattr(team_class, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        packed.predict(images)
    found = packed.predict(images)
    ended.set()
    assert runs[0] not in runs[1:]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("config_", INT8, ids=["deit", "conv", "swin"])
def test_int8_attention_equals_its_numpy_reference(tmp_path, config_):
    """Small models: in larger ones, every image has an exponential next to a rounding boundary."""
    model = model_of(config_)
    tv.export(model, tmp_path / "x")
    reference = with_int8_attention(model)
    images = clear_images_of(reference, 5)
    found = tv.load_packed(tmp_path / "x", attention="int8").predict(images)
    assert_same(found, reference.predict(images))
    assert (errors(found, model.predict(images)) > SAME).all()


@pytest.mark.parametrize("config_", [DEIT, SWIN_CASES["window 2"]], ids=["deit", "swin"])
def test_bfloat16_attention_is_close_and_the_same_on_two_threads(tmp_path, config_):
    tv.export(model_of(config_), tmp_path / "x")
    images = images_of(config_, 3)
    exact = tv.load_packed(tmp_path / "x").predict(images)
    found = tv.load_packed(tmp_path / "x", attention="bfloat16").predict(images)
    assert (found != exact).any()
    assert np.abs(found - exact).max() < 0.1 * np.abs(exact).max()
    two = tv.load_packed(tmp_path / "x", attention="bfloat16", threads=2)
    np.testing.assert_array_equal(two.predict(images), found)


@pytest.mark.parametrize("num_threads", [1, 2])
def test_a_value_that_is_not_finite_is_refused(file, config, num_threads):
    """If one thread fails, the other stops waiting for it."""
    images = images_of(config, 1)
    packed = tv.load_packed(file, threads=num_threads)
    packed.predict(images)
    last = modules_with_blocks(packed.model)[-1].blocks[-1]
    last.norm1.bias.data[0] = np.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        packed.predict(images)
    last.norm1.bias.data[0] = 0
    assert np.isfinite(packed.predict(images)).all()


def test_unknown_options_are_refused(file):
    with pytest.raises(ValueError, match="threads is 0"):
        tv.load_packed(file, threads=0)
    with pytest.raises(ValueError, match="'int4'; expected one of float32, bfloat16, int8"):
        tv.load_packed(file, attention="int4")
