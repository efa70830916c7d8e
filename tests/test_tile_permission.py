"""The matrix unit's registers: granted, refused, absent. The system call is injected."""

import ctypes

import pytest

from tervit_np import tile_permission
from tervit_np.kernels import isa, selected_variant

TILES = 1 << 18


class Kernel:
    """Answers arch_prctl as Linux does, and counts what it is asked."""

    def __init__(self, status=0, permitted=TILES | 0x202E7, get_status=0):
        self.status, self.permitted, self.get_status = status, permitted, get_status
        self.calls = []

    def __call__(self, operation, argument):
        self.calls.append(operation)
        if operation == 0x1023:
            assert argument.value == 18
            return self.status
        assert operation == 0x1022
        ctypes.cast(argument, ctypes.POINTER(ctypes.c_uint64))[0] = self.permitted
        return self.get_status


@pytest.mark.parametrize(
    ("kernel", "reason"),
    [
        (Kernel(), ""),
        (Kernel(status=-1), "Linux refuses the tile registers"),
        (Kernel(permitted=0x202E7), "does not list them as permitted"),
        (Kernel(get_status=-1), "does not list them as permitted"),
    ],
    ids=["granted", "refused", "not listed", "not answered"],
)
def test_the_system_is_asked_and_then_checked(kernel, reason):
    assert reason in tile_permission.request(kernel)
    assert bool(tile_permission.request(kernel)) == bool(reason)


@pytest.mark.parametrize(
    ("system", "machine"), [("darwin", "x86_64"), ("win32", "AMD64"), ("linux", "aarch64")]
)
def test_other_systems_are_not_asked(monkeypatch, system, machine):
    monkeypatch.setattr(tile_permission.sys, "platform", system)
    monkeypatch.setattr(tile_permission.platform, "machine", lambda: machine)
    monkeypatch.setattr(tile_permission, "_arch_prctl", None)
    assert "only Linux on x86-64" in tile_permission.refusal.__wrapped__()


AMX = frozenset({"avx2", "avx512vl", "avx512bw", "avx512vnni", "gfni", "amx-tile", "amx-int8"})


@pytest.fixture
def on_amx(monkeypatch):
    """Return a function that makes this a processor with a matrix unit, under a given kernel."""
    pytest.importorskip("numba")
    monkeypatch.setattr(isa, "features", lambda: AMX)
    monkeypatch.delenv("TERVIT_KERNEL", raising=False)
    monkeypatch.setattr(tile_permission.sys, "platform", "linux")
    monkeypatch.setattr(tile_permission.platform, "machine", lambda: "x86_64")

    def under(kernel):
        monkeypatch.setattr(tile_permission, "_arch_prctl", kernel)
        tile_permission.refusal.cache_clear()
        isa._resolve.cache_clear()
        return kernel

    yield under
    tile_permission.refusal.cache_clear()
    isa._resolve.cache_clear()


def test_permission_is_requested_when_the_variant_is_chosen(on_amx):
    """Not when it is compiled: compiled code may come from a file."""
    kernel = on_amx(Kernel())
    assert selected_variant() == "amx"
    assert kernel.calls == [0x1023, 0x1022]
    assert isa.check_supported("amx") == "amx"
    assert kernel.calls == [0x1023, 0x1022]  # once in a process


def test_a_refused_matrix_unit_is_not_there(on_amx, monkeypatch):
    on_amx(Kernel(status=-1))
    assert selected_variant() == "vnni512"
    assert "amx" not in isa.runnable()
    assert "amx" in isa.supported(AMX)  # of such a processor, wherever it is
    monkeypatch.setenv("TERVIT_KERNEL", "amx")
    with pytest.raises(ValueError, match="'amx' cannot run: Linux refuses the tile registers"):
        selected_variant()


def test_a_processor_without_tiles_is_never_asked(on_amx, monkeypatch):
    kernel = on_amx(Kernel())
    monkeypatch.setattr(isa, "features", lambda: AMX - {"amx-int8"})
    assert selected_variant() == "vnni512"
    assert kernel.calls == []
    with pytest.raises(ValueError, match="'amx' needs amx-tile and amx-int8"):
        isa.check_supported("amx")


def test_few_tokens_stay_in_vector_registers(on_amx):
    on_amx(Kernel())
    assert [isa.for_tokens("amx", tokens) for tokens in (1, 6, 7)] == ["vnni512", "vnni512", "amx"]
    assert isa.for_tokens("avx2", 1) == "avx2"


@pytest.mark.parametrize(
    ("kernel", "value", "advice"),
    [(Kernel(), "Intel AMX", ""), (Kernel(status=-1), "none", "Linux refuses the tile registers")],
)
def test_doctor_says_whether_there_is_a_matrix_unit(on_amx, kernel, value, advice):
    from tervit_np.cli import doctor

    on_amx(kernel)
    (finding,) = doctor._matrix_unit()
    assert finding.value == value
    assert finding.advice.partition(":")[0] == advice


def test_doctor_says_what_a_processor_lacks(on_amx, monkeypatch):
    from tervit_np.cli import doctor

    on_amx(Kernel())
    monkeypatch.setattr(isa, "features", lambda: AMX - {"amx-int8", "gfni"})
    (finding,) = doctor._matrix_unit()
    assert finding.value == "none: this processor lacks amx-int8, gfni"
    assert not finding.advice
