import json

import pytest

from tervit_np.json_files import AnyOf, Each, first_difference, mismatch, parse_json, read_json

SCHEMA = {"a": int, "b": [float], "c": Each(str), "d": AnyOf(str, None), "e": {"f": bool}}
RIGHT = {"a": 1, "b": [1, 0.5], "c": {"x": "y"}, "d": None, "e": {"f": True}, "more": [1]}


def test_a_value_of_the_schema_is_returned():
    assert parse_json(json.dumps(RIGHT), SCHEMA) == RIGHT


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"a": 1.0}, "a is 1.0; expected an integer"),
        ({"a": True}, "a is true; expected an integer"),
        ({"b": 3}, "b is 3; expected a list"),
        ({"b": [1, float("nan")]}, "b[1] is NaN; expected a finite number"),
        ({"b": [10**400]}, "b[0] is 1000"),
        ({"c": {"x": 1}}, "c.x is 1; expected text"),
        ({"c": []}, "c is a list of 0; expected an object"),
        ({"d": 5}, "d is 5; expected text"),
        ({"e": {}}, "e.f is missing"),
        ({"e": None}, "e is null; expected an object"),
    ],
)
def test_the_first_wrong_field_is_named(changes, words):
    assert words in mismatch(RIGHT | changes, SCHEMA)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"\0" * 9, b"[" * 99_999, b'{"a":' * 99_999, b"9" * 9999, b"nul"],
)
def test_what_is_not_json_is_damaged_in_one_line(tmp_path, content):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(ValueError, match="x.json is damaged") as caught:
        read_json(tmp_path / "x.json", SCHEMA)
    assert len(str(caught.value).splitlines()) == 1


def test_names_and_values_in_messages_are_short():
    assert len(mismatch({"x": {"k" * 9999: 1}}, {"x": Each(str)})) < 200
    assert len(mismatch({"x": "v" * 9999}, {"x": int})) < 200


@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [
        ({"a": 1}, {"a": 1}, None),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, ("a[1].b", "2", "3")),
        ({"a": 1}, {}, ("a", "1", "null")),
        ({}, {"z": 0}, ("z", "null", "0")),
        ([1, 2], [1], ("", "a list of 2", "a list of 1")),
        ({"a": {}}, {"a": []}, ("a", "an object", "a list of 0")),
    ],
)
def test_the_first_difference_is_found(one, other, difference):
    assert first_difference(one, other) == difference


def test_json_that_would_fill_the_memory_is_refused():
    with pytest.raises(ValueError, match="it has 1800002 bytes, expected at most 1500000"):
        parse_json("[" + "[]," * 600_000 + "]", list)
