"""The dot products that LLVM uses for the names of Arm CPUs, on any machine."""

import pytest

from tervit_np.kernels import isa

pytest.importorskip("numba")

from tervit_np.kernels.arm_features import dot_products  # noqa: E402

LINUX, MACOS = "aarch64-unknown-linux-gnu", "arm64-apple-darwin23.1.0"


@pytest.fixture(autouse=True)
def _arm():
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    try:
        llvm.Target.from_triple(LINUX)
    except RuntimeError:
        pytest.skip("this LLVM cannot compile for Arm")


@pytest.mark.parametrize("triple", [LINUX, MACOS])
@pytest.mark.parametrize(
    ("name", "listed", "expected"),
    [
        ("generic", "", set()),
        ("cortex-a72", "+neon,+crc", set()),
        ("neoverse-n1", "+neon,-sve", {"dotprod"}),
        ("neoverse-v1", "", {"dotprod", "i8mm"}),
        ("apple-m1", "", {"dotprod"}),
        ("apple-m2", "", {"dotprod", "i8mm"}),
        ("generic", "+dotprod", {"dotprod"}),
        ("neoverse-n1", "-dotprod", set()),
    ],
)
def test_dot_products_follow_from_name_and_features(triple, name, listed, expected):
    assert dot_products(triple, name, listed) == expected


@pytest.mark.parametrize(
    ("name", "best"), [("cortex-a72", "neon"), ("apple-m1", "sdot"), ("apple-m2", "usdot")]
)
def test_the_variant_follows_from_the_name(monkeypatch, name, best):
    """On a machine of this name whose list of features does not contain the dot products."""
    import llvmlite.binding as llvm
    from numba import config

    monkeypatch.setattr(config, "CPU_NAME", None)
    monkeypatch.setattr(config, "CPU_FEATURES", None)
    monkeypatch.setattr(llvm, "get_process_triple", lambda: MACOS)
    monkeypatch.setattr(llvm, "get_host_cpu_name", lambda: name)
    monkeypatch.setattr(llvm, "get_host_cpu_features", llvm.FeatureMap)
    assert isa.supported(isa.features.__wrapped__())[-1] == best
    monkeypatch.setattr(config, "CPU_NAME", "generic")
    assert isa.features.__wrapped__() == {"neon"}  # which every 64-bit Arm has
