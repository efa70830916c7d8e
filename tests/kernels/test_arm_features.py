"""What LLVM knows of Arm processors by their names; it can be asked on any machine."""

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
        pytest.skip("this LLVM knows no Arm")


@pytest.mark.parametrize("triple", [LINUX, MACOS])
@pytest.mark.parametrize(
    ("name", "listed", "found"),
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
def test_a_name_and_a_list_say_it(triple, name, listed, found):
    assert dot_products(triple, name, listed) == found


@pytest.mark.parametrize(
    ("name", "best"), [("cortex-a72", "neon"), ("apple-m1", "sdot"), ("apple-m2", "usdot")]
)
def test_the_variant_of_a_cpu(monkeypatch, name, best):
    """As on a machine of this name whose list of features leaves the dot products out."""
    import llvmlite.binding as llvm
    from numba import config

    monkeypatch.setattr(config, "CPU_NAME", None)
    monkeypatch.setattr(config, "CPU_FEATURES", None)
    monkeypatch.setattr(llvm, "get_process_triple", lambda: MACOS)
    monkeypatch.setattr(llvm, "get_host_cpu_name", lambda: name)
    monkeypatch.setattr(llvm, "get_host_cpu_features", llvm.FeatureMap)
    found = isa.features.__wrapped__()
    assert isa.supported(found)[-1] == best
    monkeypatch.setattr(config, "CPU_NAME", "generic")
    assert isa.features.__wrapped__() == {"neon"}  # which every 64-bit Arm has
