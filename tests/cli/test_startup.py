import subprocess
import sys

import pytest

from tervit_np.cli import startup


@pytest.fixture
def avx512(monkeypatch, tmp_path):
    """Pretend to be a processor with AVX-512."""
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("flags : avx2 avx512f avx512vl\n")
    monkeypatch.setattr(startup, "CPUINFO", cpuinfo)
    return cpuinfo


def test_a_slow_core_type_is_dropped(monkeypatch, avx512):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    startup.prepare()
    assert "OPENBLAS_CORETYPE" not in startup.os.environ
    assert startup.os.environ.pop("TERVIT_DROPPED_CORETYPE") == "Haswell"


def test_a_fitting_core_type_stays(monkeypatch, avx512):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "SkylakeX")
    assert startup.slow_core_type() is None
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    avx512.write_text("flags : avx2\n")
    assert startup.slow_core_type() is None


def test_numbers_of_threads_that_are_set_stay(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    startup.prepare()
    assert startup.os.environ["OPENBLAS_NUM_THREADS"] == "3"
    assert startup.os.environ["OMP_NUM_THREADS"] == "1"


def test_numpy_is_imported_after_the_threads_are_set():
    """An import at the top of a command module would start OpenBLAS with its own number."""
    code = "import sys, tervit_np.cli, tervit_np.__main__; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
