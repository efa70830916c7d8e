"""Blocks in compiled functions against the same blocks module by module."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tervit_np as tv
from tervit_np.deploy.blocks import PackedBlocks
from tervit_np.kernels import has_tile, isa, supported
from tervit_np.nn import Blocks
from tervit_np.quant import Plan, Ternary, UniformAct
from tests.checks import BACKENDS
from tests.deploy.test_packed import CASES, DEIT, SWIN, images_of, model_of

pytestmark = pytest.mark.skipif("numba" not in BACKENDS, reason="Numba is absent")
TILES = [r for r in supported(isa.features()) if has_tile(r)] if "numba" in BACKENDS else []


def runs(model):
    return [m for _, m in model.named_modules() if isinstance(getattr(m, "blocks", None), Blocks)]


@pytest.fixture(params=["deit", "conv", "swin"])
def config(request):
    return dict(zip(("deit", "conv", "swin"), CASES.args[1], strict=True))[request.param]


@pytest.fixture
def file(tmp_path, config):
    tv.export(model_of(config), tmp_path / "x")
    return tmp_path / "x"


def distance(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def test_module_by_module(file, config):
    """One value rounded the other way is a hundredth of its token; more than that is a mistake."""
    packed, images = tv.load_packed(file), images_of(config, 5)
    found = packed.predict(images)
    for module in runs(packed.model):
        assert isinstance(module.blocks, PackedBlocks)
        module.blocks = Blocks(module.blocks)
    assert distance(found, packed.predict(images)) < 5e-3


@pytest.mark.parametrize("members", [2, 3, 5])
def test_threads_change_no_bit(file, config, members):
    images = images_of(config, 4)
    alone = tv.load_packed(file).predict(images)
    together = tv.load_packed(file, threads=members)
    for count in (1, 4):
        np.testing.assert_array_equal(together.predict(images[:count]), alone[:count])


@pytest.mark.parametrize("variant", TILES)
def test_every_variant(file, config, variant, monkeypatch):
    packed, images = tv.load_packed(file), images_of(config)
    expected = packed.predict(images)
    monkeypatch.setenv("TERVIT_KERNEL", variant)
    np.testing.assert_array_equal(packed.predict(images), expected)


OTHER = """
import sys, numpy as np, tervit_np as tv
from tervit_np.kernels import gemm, selected_variant
images = np.load(sys.argv[2])
np.save(sys.argv[3], tv.load_packed(sys.argv[1]).predict(images))
np.save(sys.argv[3] + "b", tv.load_packed(sys.argv[1], attention="int8").predict(images))
print(selected_variant(), gemm.LANES)
"""


@pytest.mark.parametrize(
    ("needed", "target", "features", "found"),
    [
        ("avx2", "haswell", "+avx2,+fma", "avx2 8"),
        ("avx2", "x86-64", "+sse2", "generic 4"),
        ("sdot", "cortex-a72", "+neon", "neon 4"),
        ("usdot", "neoverse-n1", "+neon", "sdot 4"),
    ],
)
def test_compiled_for_another_processor(tmp_path, needed, target, features, found):
    """Narrower registers, fewer of them, no dot product: the same answers."""
    if needed not in TILES:
        pytest.skip(f"needs a processor with {needed}")
    tv.export(model_of(SWIN), tmp_path / "x")
    images = images_of(SWIN, 2)
    np.save(tmp_path / "in.npy", images)
    files = [str(tmp_path / name) for name in ("x", "in.npy", "out")]
    done = subprocess.run(
        [sys.executable, "-c", OTHER, *files],
        env=os.environ | {"NUMBA_CPU_NAME": target, "NUMBA_CPU_FEATURES": features},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, found), done.stderr
    for kind, name in (("float32", "out.npy"), ("int8", "outb.npy")):
        expected = tv.load_packed(tmp_path / "x", attention=kind).predict(images)
        assert distance(np.load(tmp_path / name), expected) < 1e-2


def test_an_image_does_not_depend_on_its_neighbours(file, config):
    images, packed = images_of(config, 40), tv.load_packed(file)
    whole = packed.predict(images)
    for i in (0, 17, 39):
        np.testing.assert_array_equal(packed.predict(images[i : i + 1])[0], whole[i])


def test_several_callers_at_once(file, config):
    packed, images = tv.load_packed(file, threads=2), images_of(config, 3)
    expected = packed.predict(images)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: packed.predict(images), range(12)):
            np.testing.assert_array_equal(found, expected)


def test_attention_on_bytes(file, config):
    images = images_of(config, 5)
    exact, rounded = (
        tv.load_packed(file, attention=kind).predict(images) for kind in ("float32", "int8")
    )
    assert 1e-5 < distance(rounded, exact) < 0.05


@pytest.mark.parametrize("members", [1, 2])
def test_values_that_cannot_be_rounded(file, config, members):
    """One thread fails and the other does not wait for it for ever."""
    images = images_of(config, 1)
    packed = tv.load_packed(file, threads=members)
    packed.predict(images)
    last = runs(packed.model)[-1].blocks[-1]
    last.norm1.bias.data[0] = np.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        packed.predict(images)
    last.norm1.bias.data[0] = 0
    assert np.isfinite(packed.predict(images)).all()


@pytest.mark.parametrize("config_", [DEIT, SWIN], ids=["deit", "swin"])
def test_where_some_layers_are_not_ternary(tmp_path, config_):
    """Such blocks run one by one."""
    plan = Plan([(r".*(qkv|proj|fc1)", Ternary(), UniformAct(8))])
    model, images = model_of(config_, plan), images_of(config_)
    tv.export(model, tmp_path / "x")
    packed = tv.load_packed(tmp_path / "x")
    assert not any(isinstance(m.blocks, PackedBlocks) for m in runs(packed.model))
    assert distance(packed.predict(images), model.predict(images)) < 1e-4


def test_options_that_do_not_exist(file):
    with pytest.raises(ValueError, match="threads is 0"):
        tv.load_packed(file, threads=0)
    with pytest.raises(ValueError, match="'int4'; expected at least 1, and one of float32, int8"):
        tv.load_packed(file, attention="int4")
