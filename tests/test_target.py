"""The processor that is compiled for is the one that Numba compiles for."""

import os
import subprocess
import sys

import pytest

FEATURES = """
from numba.core.registry import cpu_target
from tervit_np import target

told = cpu_target.target_context.codegen().magic_tuple()[2].split(",")
assert target.features() == {word[1:] for word in told if word.startswith("+")}
print(*sorted(target.features()))
"""


@pytest.mark.parametrize("setting", ["", "NUMBA_ENABLE_AVX=0", "NUMBA_CPU_FEATURES=+avx2,-fma"])
def test_features_are_those_that_numba_compiles_for(setting):
    """Or kernels hold instructions that LLVM was told not to use, and it ends the process."""
    pytest.importorskip("numba")
    names = ("NUMBA_ENABLE_AVX", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")
    settings = {key: value for key, value in os.environ.items() if key not in names}
    settings |= dict([setting.split("=", 1)] if setting else [])
    done = subprocess.run([sys.executable, "-c", FEATURES], env=settings, capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    if setting == "NUMBA_ENABLE_AVX=0":
        assert not any(name.startswith("avx") for name in done.stdout.split())
