import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

numba = pytest.importorskip("numba")

from tervit_np.compiled import jit  # noqa: E402

USE = (
    "import numpy as np, tervit_np as tv; print(tv.ops.gelu(np.ones((2, 3), np.float32))[0][0, 0])"
)


def run(use=USE, **environment):
    return subprocess.run(
        [sys.executable, "-c", use],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


@pytest.mark.parametrize("edited", ["compiled/gelu.py", "kernels/gemm.py", "target.py"])
def test_an_edit_anywhere_gives_another_cache_folder(monkeypatch, tmp_path, edited):
    before = jit.source_hash()
    package = Path(jit.__file__).parents[1]
    for file in (file for pattern in jit.SOURCES for file in package.glob(pattern)):
        copy = tmp_path / file.relative_to(package)
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(file, copy)
    monkeypatch.setattr(jit, "__file__", str(tmp_path / "compiled" / "jit.py"))
    assert jit.source_hash() == before
    with open(tmp_path / edited, "a") as file:
        file.write("# another edit\n")
    assert jit.source_hash() != before


def test_compiling_is_announced_once_and_cached_under_the_hash(tmp_path):
    """It takes half a minute for all kernels; a second run finds them and announces nothing."""
    use = "import logging; logging.basicConfig(level=logging.INFO); " + USE
    for times in (1, 0):
        done = run(use, XDG_CACHE_HOME=str(tmp_path), LOCALAPPDATA=str(tmp_path))
        assert done.stdout.strip() == "0.8413447", done.stderr
        assert done.stderr.count("compiling kernels for this processor (once") == times
    if sys.platform == "linux":
        indices = list((tmp_path / "tervit_np" / "kernels" / jit.source_hash()).rglob("*.nbi"))
        assert len(indices) > 1  # announced once for several


def test_without_a_writable_folder_kernels_still_run(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    done = run(XDG_CACHE_HOME=str(blocked), LOCALAPPDATA=str(blocked), HOME=str(blocked))
    assert done.stdout.strip() == "0.8413447", done.stderr


def test_functions_of_no_module_are_compiled():
    """As those that a user's program makes of text: the notice looks at every compilation."""

    def twice(x):
        return 2 * x

    twice.__module__ = None
    assert numba.njit(twice)(3) == 6
