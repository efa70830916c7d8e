"""Damaged files of the kernel cache are compiled anew, and named."""

import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("numba")

from tervit_np.compiled.cache import _CheckedFiles  # noqa: E402

USE = (
    "import numpy as np, tervit_np as tv; print(tv.ops.gelu(np.ones((2, 3), np.float32))[0][0, 0])"
)


def files(folder):
    return _CheckedFiles(str(folder), "gelu-1.py311", "stamp")


def flip(content):
    bits = np.frombuffer(content, np.uint8).copy()
    bits[len(bits) // 2] ^= 4
    return bits.tobytes()


DAMAGES = {
    "empty": lambda _: b"",
    "cut in the checksum": lambda content: content[:9],
    "cut behind it": lambda content: content[:32],
    "cut at the end": lambda content: content[:-1],
    "longer": lambda content: content + b"x",
    "a flipped bit": flip,
    "zeros": lambda content: bytes(len(content)),
    "garbage": lambda _: b"garbage\n" * 9,
    "a pickle": lambda _: b"\x80\x04K\x01.",
}


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_counts_as_absent_and_is_named(tmp_path, capsys, ending, damage):
    files(tmp_path).save("key", ["code"])
    assert files(tmp_path).load("key") == ["code"]
    (file,) = tmp_path.glob(f"*.{ending}")
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    assert files(tmp_path).load("key") is None
    assert f"{file} was damaged" in capsys.readouterr().err
    files(tmp_path).save("key", ["code"])
    assert files(tmp_path).load("key") == ["code"]
    assert capsys.readouterr().err == ""


def test_another_source_or_an_absent_file_is_no_damage(tmp_path, capsys):
    assert files(tmp_path).load("key") is None
    files(tmp_path).save("key", 1)
    assert _CheckedFiles(str(tmp_path), "gelu-1.py311", "edited").load("key") is None
    next(tmp_path.glob("*.nbc")).unlink()
    assert files(tmp_path).load("key") is None
    assert capsys.readouterr().err == ""


def test_a_cache_that_cannot_be_written_costs_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(_CheckedFiles, "said", False)
    for _ in range(2):
        files(tmp_path / "absent").save("key", 1)
    assert capsys.readouterr().err.count("could not be saved") == 1


def run(cache):
    environment = os.environ | {"XDG_CACHE_HOME": str(cache), "LOCALAPPDATA": str(cache)}
    return subprocess.run(
        [sys.executable, "-c", USE], capture_output=True, text=True, check=False, env=environment
    )


@pytest.mark.skipif(sys.platform != "linux", reason="the cache is elsewhere")
def test_kernels_run_with_a_damaged_cache(tmp_path):
    assert run(tmp_path).stdout.strip() == "0.8413447"
    for ending, damage in (("nbi", "empty"), ("nbc", "a flipped bit")):
        for file in tmp_path.rglob(f"*.{ending}"):
            file.write_bytes(DAMAGES[damage](file.read_bytes()))
        done = run(tmp_path)
        assert done.stdout.strip() == "0.8413447", done.stderr
        assert str(tmp_path) in done.stderr
    assert run(tmp_path).stderr == ""


def test_two_processes_that_save_at_once_do_not_exchange_their_code(tmp_path):
    """The second one has read the index before the first one wrote it."""
    second = files(tmp_path)
    second._load_index = dict

    class First(_CheckedFiles):
        def _save_index(self, overloads):
            super()._save_index(overloads)
            second.save("float32", ["code for float32"])

    First(str(tmp_path), "gelu-1.py311", "stamp").save("int8", ["code for int8"])
    assert files(tmp_path).load("float32") == ["code for float32"]
    assert files(tmp_path).load("int8") in (None, ["code for int8"])
