"""Pickles that a file's author wrote by hand: what they may do to a reader."""

import pickle
import struct
import time

import numpy as np
import pytest

from data_tools.pickle_machine import PickleMachine
from data_tools.pickle_values import PickleError, shown
from data_tools.pickles import PickleReader

PRIME = 2**61 - 1  # Python's hash of an integer is its rest modulo this number


def integer(number):
    raw = number.to_bytes(8, "little", signed=True)
    return pickle.LONG1 + bytes([len(raw)]) + raw


def nested(opening, count):
    """Tuples, lists or dictionaries in one another."""
    return {
        "tuple": b"N" + b"\x85" * count,
        "list": b"]" * count + b"a" * (count - 1),
        "dict": b"}" + b"K\x01}" * (count - 1) + b"s" * (count - 1),
        "set": b"\x8f" + b"(\x8f" * (count - 1) + b"\x90" * (count - 1),
    }[opening]  # fmt: skip


def doubled(count):
    """A tuple of the same tuple twice, of the same tuple twice, and so on."""
    return b")" + b"2\x86" * count


HOSTILE = {
    "a tuple of a million tuples as a key": b"}" + nested("tuple", 10**6) + b"Ns.",
    "a tuple that doubles forty times as a key": b"}" + doubled(40) + b"Ns.",
    "the same in a frozen set as a key": b"}(" + doubled(60) + b"\x91Ns.",
    "a list as a key": b"}]Ns.",
    "a float as a key": b"}G" + struct.pack(">d", 1.5) + b"Ns.",
    "integers of one hash as keys": b"}("
    + b"".join(integer(k * PRIME) + b"N" for k in range(1, 4))
    + b"u.",
    "negative integers of one hash": b"}(" + integer(-PRIME) + b"N" + integer(-1) + b"Nu.",
    "a key without a value": b"}(K\x01u.",
    "a huge length": b"\x8e" + struct.pack("<Q", 2**62) + b".",
    "a huge text": b"X" + struct.pack("<I", 2**32 - 1) + b"abc.",
    "a huge number": b"\x8b" + struct.pack("<I", 10**5) + bytes(10**5) + b".",
    "digits without end": b"I" + b"9" * 10**6 + b"\n.",
    "a line without end": b"V" + b"x" * 10**5,
    "a value from the extension registry": b"\x82\x01.",
    "an out-of-band buffer": b"\x97.",
    "an empty stack": b"0.",
    "a mark that is not there": b"e.",
    "a value below a mark": b"N(a.",
    "append to a tuple": b")Na.",
    "set an item of a list": b"]K\x01K\x02s.",
    "state of a number": b"K\x01Nb.",
    "call a number": b"K\x01)R.",
    "call with a list": b"K\x01]R.",
    "names that are numbers": b"K\x01K\x02\x93.",
    "a value that was never stored": b"h\x05.",
    "a memo of letters": b"Npx\n.",
    "half a surrogate in a name": b"X\x03\x00\x00\x00\xed\xa0\x80X\x01\x00\x00\x00x\x93.",
    "nothing": b"",
    "no end": b"N",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_hostile_pickles_are_refused_at_once(content):
    start = time.process_time()
    with pytest.raises(PickleError):
        PickleReader(content).load()
    assert time.process_time() - start < 10


@pytest.mark.parametrize("kind", ["tuple", "list", "dict", "set"])
@pytest.mark.parametrize("count", [1, 50_000])
def test_deep_values_are_built_and_freed(kind, count):
    """No function of the reader calls itself, and Python frees deep values without recursion."""
    value = PickleReader(nested(kind, count) + b".").load()
    for _ in range(min(count - 1, 10)):
        (value,) = value.values() if isinstance(value, dict) else value
    del value


def test_many_keys_are_read_quickly():
    start = time.process_time()
    pairs = b"".join(integer(k << 40) + b"N" for k in range(60_000))
    assert len(PickleReader(b"}(" + pairs + b"u.").load()) == 60_000
    assert time.process_time() - start < 10


GROWING = {
    "a large memo number": b"Np99999999\n.",
    "a large binary memo number": b"Nr\xff\xff\xff\x7f.",
    "empty lists": b"(" + b"]" * 90_000 + b"t.",
    "empty dictionaries": b"(" + b"}" * 90_000 + b"t.",
    "short texts": b"(" + b"\x8c\x02ab" * 60_000 + b"t.",
    "short strings": b"(" + b"U\x02ab" * 60_000 + b"t.",
    "stored values": b"N" + b"\x94" * 90_000 + b".",
    "wide texts": b"(" + (b"X\x00\x40\x00\x00" + b"\xf0\x9f\x98\x80" + b"a" * 16380) * 50 + b"t.",
    "numbers": b"(" + b"J\xff\xff\xff\x7f" * 90_000 + b"t.",
    "floats": b"(" + (b"G" + bytes(8)) * 90_000 + b"t.",
    "tuples of a fetched value": b"N\x94(" + b"h\x00\x85" * 90_000 + b"t.",
}


@pytest.mark.parametrize("content", GROWING.values(), ids=GROWING)
def test_memory_is_bounded_by_the_size_of_the_file(content, monkeypatch, traced):
    """A tenth of the bound, to be quick: the reader may use the file's size and 24 MB."""
    monkeypatch.setattr("data_tools.pickle_machine._SPARE", 2_400_000)

    def read():
        try:
            return PickleReader(content).load()
        except PickleError as error:
            assert "much larger than the file" in str(error)

    assert traced(read)[1] < len(content) + 3.2e6


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_are_read_as_pickle_reads_them(protocol):
    values = [
        *[None, True, False, 0, 1, 255, 256, -1, 2**31, -(2**40), 2**70, 0.5, -1e300],
        *["", "a", "ä\n\\u", "\U0001f600", "x" * 300, "\ud800"],
        *[(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], [1, [2, [3]]], {}, {"a": {1: "b"}}],
        *[list(range(3000)), {str(i): i for i in range(3000)}],
    ]
    assert PickleReader(pickle.dumps(values, protocol)).load() == values


def test_long_texts_stay_in_the_file():
    machine = PickleReader(pickle.dumps("é" * 100_000))
    assert machine.latin1(machine.load()) == "é".encode("latin-1") * 100_000


@pytest.mark.parametrize("text", ["\u0100", "x" * 100_000 + "\u0100", "\ud800"])
def test_other_characters_are_no_latin1(text):
    machine = PickleReader(pickle.dumps(text))
    with pytest.raises(PickleError, match="a text is damaged"):
        machine.latin1(machine.load())


def test_names_are_shown_without_control_characters():
    assert shown("os", "sys\x1b[31mtem") == "os.sys?[31mtem"
    assert len(shown("x" * 1000, "y" * 1000)) < 200


def test_random_bytes_never_escape():
    rng = np.random.default_rng(0)
    good = pickle.dumps({"a": [1, 2.5, "x"], "b": ({}, None)}, 2)
    for _ in range(3000):
        bad = bytearray(good if rng.random() < 0.7 else rng.bytes(rng.integers(1, 60)))
        for offset in rng.integers(0, len(bad), 3):
            bad[offset] = rng.integers(256)
        try:
            PickleReader(bytes(bad)).load()
        except PickleError:
            pass


def test_the_machine_alone_allows_no_names():
    with pytest.raises(PickleError, match=r"it names os\.system where only plain values"):
        PickleMachine(b"").name("os", "system")
