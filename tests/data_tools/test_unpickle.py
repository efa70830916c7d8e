import os
import pickle

import numpy as np
import pytest

from data_tools import DataError
from data_tools.unpickle import unpickle

CONTENT = {b"data": np.arange(6, dtype=np.uint8).reshape(2, 3), b"labels": [1, 2]}


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_are_read_in_every_protocol(protocol):
    content = unpickle(pickle.dumps(CONTENT, protocol=protocol), "x")
    np.testing.assert_array_equal(content["data"], CONTENT[b"data"])
    assert content["labels"] == [1, 2]


def test_pickles_of_python_2_are_read():
    """As the official files: protocol 2, byte strings and NumPy's names of that time."""
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
        b"(K\x01K\x02K\x03\x86cnumpy\ndtype\n(U\x02u1K\x00K\x01tR"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x06abcdeftb"
    )
    written = b"\x80\x02}(U\x04data" + array + b"U\x06labels](K\x07K\x08eu."
    content = unpickle(written, "data_batch_1")
    np.testing.assert_array_equal(content["data"], [[97, 98, 99], [100, 101, 102]])
    assert content["data"].dtype == np.uint8
    assert content["labels"] == [7, 8]


class Hostile:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("function", [os.system, eval, exec, open, getattr, np.load, np.fromfile])
def test_no_function_is_ever_called(function, tmp_path):
    trap = tmp_path / "trap"
    hostile = pickle.dumps({b"data": Hostile(function, f"touch {trap}")})
    with pytest.raises(
        DataError, match=f"not a readable pickle of plain data: it names .*{function.__name__}"
    ):
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


NDARRAY, DTYPE = b"cnumpy\nndarray\n", b"cnumpy\ndtype\n"
U1 = DTYPE + b"(X\x02\x00\x00\x00u1K\x00K\x01tR"
STATE = b"(K\x03X\x01\x00\x00\x00|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
EMPTY = b"cnumpy.core.multiarray\n_reconstruct\n(" + NDARRAY + b"K\x00\x85C\x01btR"


def filled(shape, dtype, raw, flags=b"\x89"):
    return EMPTY + b"(K\x01" + shape + dtype + flags + b"C" + bytes([len(raw)]) + raw + b"tb"


HOSTILE = {
    "a pointer as an object": NDARRAY
    + b"(K\x01\x85"
    + DTYPE
    + b"(X\x01\x00\x00\x00OtR"
    + b"C\x08AAAAAAAAtR",
    "an array of objects": filled(b"K\x01\x85", DTYPE + b"(X\x01\x00\x00\x00OtR", b"A" * 8),
    "a type with fields": filled(
        b"K\x04\x85", U1 + b"(K\x03X\x01\x00\x00\x00<N}}K\x08K\x01K\x00tb", b"abcd"
    ),
    "more pixels than bytes": filled(b"K\x05\x85", U1 + STATE, b"abcd"),
    "fewer pixels than bytes": filled(b"K\x03\x85", U1 + STATE, b"abcd"),
    "a negative axis": filled(b"J\xfc\xff\xff\xff\x85", U1 + STATE, b"abcd"),
    "axes whose product overflows": filled(b"J\x00\x00\x00\x40" * 2 + b"\x86", U1 + STATE, b"abcd"),
    "a shape of lists": filled(b"]", U1 + STATE, b"abcd"),
    "many axes": filled(b"(" + b"K\x01" * 40 + b"t", U1 + STATE, b"a"),
    "another kind of array": EMPTY.replace(b"ndarray", b"matrix"),
    "an array of text": filled(b"K\x01\x85", DTYPE + b"(X\x02\x00\x00\x00U1K\x00K\x01tR", b"abcd"),
    "floats": filled(b"K\x01\x85", DTYPE + b"(X\x02\x00\x00\x00f4K\x00K\x01tR", b"abcd"),
    "an array without a state tuple": EMPTY + b"K\x01b",
    "a function of another module": b"cnumpy._core._multiarray_umath\n_reconstruct\n)R",
    "a nested name": b"X\x05\x00\x00\x00numpyX\x0c\x00\x00\x00ndarray.dump\x93)R",
    "another encoding": b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x03\x00\x00\x00rot\x86R",
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_arrays_are_plain_bytes_of_a_plain_shape(value):
    with pytest.raises(DataError, match="x: not a readable pickle of plain data"):
        unpickle(b"\x80\x02}(X\x04\x00\x00\x00data" + value + b"u.", "x")


def test_texts_are_keys_in_either_python():
    for key in (b"data", "data"):
        assert unpickle(pickle.dumps({key: [1], 5: 2}, 2), "x") == {"data": [1]}


def test_columns_first_is_read():
    array = np.asfortranarray(CONTENT[b"data"])
    for protocol in range(6):
        content = unpickle(pickle.dumps({"data": array}, protocol), "x")
        np.testing.assert_array_equal(content["data"], array)


def test_a_large_array_is_not_copied_more_than_once(traced):
    raw = pickle.dumps({"data": np.zeros((10_000, 3072), np.uint8)}, 4)
    _, peak = traced(lambda: unpickle(raw, "x"))
    assert peak < len(raw) + 2**20
