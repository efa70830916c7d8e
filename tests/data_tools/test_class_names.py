from pathlib import Path

import pytest

from data_tools import DataError
from data_tools.class_names import class_order, clean_names, first_few


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["10", "9", "0", "100"], ("0", "9", "10", "100")),
        (["010", "009", "100"], ("009", "010", "100")),
        (["1", "b", "10"], ("1", "10", "b")),
        (["10", "9", "-1"], ("-1", "10", "9")),
        (["n02", "n01", "n10"], ("n01", "n02", "n10")),
        (["²", "1", "10"], ("1", "10", "²")),
    ],
)
def test_numbers_are_sorted_by_value_and_other_names_as_text(names, order):
    assert class_order(names, Path("set")) == order


@pytest.mark.parametrize("names", [["1", "01"], ["0", "000", "1"]])
def test_two_names_of_one_number_are_refused(names):
    with pytest.raises(DataError, match="are one number"):
        class_order(names, Path("set"))


def test_a_sentence_has_the_first_names():
    assert first_few(("ant", "bee", "cat")) == "ant, bee, cat"
    assert first_few(("ant", "bee", "cat", "dog")) == "ant, bee, cat, ..."
    assert first_few(["ant", "bee"], 1) == "ant, ..."


def test_names_that_are_not_utf_8_become_text():
    latin_1 = b"caf\xe9".decode("utf-8", "surrogateescape")
    clean = clean_names({"a": latin_1, "b": "café", "c": "cafe\u0301"[:-1]}, Path("set"))
    assert clean == {"a": "caf\\udce9", "b": "café", "c": "cafe"}
    "".join(clean.values()).encode()


def test_two_spellings_of_one_name_are_refused():
    with pytest.raises(DataError, match="two folders are named café"):
        clean_names({"a": "cafe\u0301", "b": "caf\u00e9"}, Path("set"))


def test_a_name_is_the_same_in_an_ascii_locale():
    in_ascii = "grün".encode().decode("ascii", "surrogateescape")
    names = {"a": in_ascii, "b": "\ud800x", "c": "rot"}
    assert clean_names(names, Path("set")) == {"a": "grün", "b": "\\ud800x", "c": "rot"}
