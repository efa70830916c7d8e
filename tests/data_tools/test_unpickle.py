import os
import pickle

import numpy as np
import pytest

from data_tools import DataError
from data_tools.unpickle import unpickle

CONTENT = {b"data": np.arange(6, dtype=np.uint8).reshape(2, 3), b"labels": [1, 2]}


@pytest.mark.parametrize("protocol", range(5))
def test_arrays_are_read_in_every_protocol(protocol):
    content = unpickle(pickle.dumps(CONTENT, protocol=protocol), "x")
    np.testing.assert_array_equal(content[b"data"], CONTENT[b"data"])
    assert content[b"labels"] == [1, 2]


def test_pickles_of_python_2_are_read():
    """As the official files: protocol 2, byte strings and NumPy's names of that time."""
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
        b"(K\x01K\x02K\x03\x86cnumpy\ndtype\n(U\x02u1K\x00K\x01tR"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x06abcdeftb"
    )
    written = b"\x80\x02}(U\x04data" + array + b"U\x06labels](K\x07K\x08eu."
    content = unpickle(written, "data_batch_1")
    np.testing.assert_array_equal(content[b"data"], [[97, 98, 99], [100, 101, 102]])
    assert content[b"data"].dtype == np.uint8
    assert content[b"labels"] == [7, 8]


class Hostile:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("function", [os.system, eval, exec, open, getattr, np.load, np.fromfile])
def test_no_function_is_ever_called(function, tmp_path):
    trap = tmp_path / "trap"
    hostile = pickle.dumps({b"data": Hostile(function, f"touch {trap}")})
    with pytest.raises(DataError, match=f"unsafe pickle: it names .*{function.__name__}"):
        unpickle(hostile, "x")
    assert not trap.exists()


@pytest.mark.parametrize("content", [b"", b"\x80", b"hello", pickle.dumps([1, 2])])
def test_other_contents_are_refused(content):
    with pytest.raises(DataError):
        unpickle(content, "x")


def test_damaged_pickles_are_read_or_refused():
    good = pickle.dumps(CONTENT, protocol=2)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(500):
        bad = bytearray(good)
        for offset in rng.integers(0, len(bad), 2):
            bad[offset] = rng.integers(256)
        try:
            assert isinstance(unpickle(bytes(bad[: rng.integers(1, len(bad) + 1)]), "x"), dict)
        except DataError:
            refused += 1
    assert refused > 300
