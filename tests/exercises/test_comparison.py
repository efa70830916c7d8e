import numpy as np
import pytest

from tervit_np.exercises.comparison import (
    in_words,
    is_expected,
    not_an_array,
    not_arrays,
    wrong_array,
    wrong_number,
)

TRUE = np.array([[1.0, 2], [3, 4]])
LARGE = np.arange(20.0).reshape(4, 5)


def test_the_right_array_has_no_fault():
    assert wrong_array(TRUE.copy(), TRUE, "y") == ""
    assert wrong_array(LARGE * (1 + 1e-12), LARGE, "y") == ""


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "nothing is returned, expected an array of real numbers"),
        ([[1.0, 2], [3, 4]], "y is list, expected an array of real numbers"),
        (np.asmatrix(TRUE), "y is an np.matrix, in which `*` means a matrix product"),
        (TRUE.astype(int), "y is int64, expected an array of real numbers"),
        (TRUE.astype(np.float32), "y is float32, expected float64"),
        (TRUE + 1, "y is [[2, 3], [4, 5]], expected [[1, 2], [3, 4]]"),
        (-TRUE, "y: the sign (it is [[-1, -2], [-3, -4]], expected [[1, 2], [3, 4]])"),
        (TRUE.sum(axis=1), "y: one sum too many (it is [3, 7], expected [[1, 2], [3, 4]])"),
        (TRUE[:, :, None], "y: its shape is (2, 2, 1), expected (2, 2): drop keepdims"),
        (TRUE * np.nan, "y is [[nan, nan], [nan, nan]], expected"),
    ],
)
def test_each_fault_is_one_sentence(value, message):
    known = {"the sign": -TRUE, "one sum too many": TRUE.sum(axis=1)}
    assert wrong_array(value, TRUE, "y", known).startswith(message)


def test_a_mistake_that_is_right_in_this_case_explains_nothing():
    """With one picture a sum is the mean; what is wrong is the ninth digit."""
    value = TRUE * (1 + 3e-9)
    assert "a sum" not in wrong_array(value, TRUE, "y", {"it is a sum": TRUE})
    assert wrong_number(1 + 3e-9, 1.0, "the loss", {"it is a sum": 1.0}) == (
        "the loss is 1.000000003, expected 1"
    )
    assert wrong_number(2.0, 1.0, "the loss", {"it is a sum": 2.0}).endswith("1: it is a sum")


def test_of_a_large_array_the_first_wrong_element_is_shown():
    wrong = LARGE.copy()
    wrong[1, 2] = -7
    assert wrong_array(wrong, LARGE, "y") == "y at [1, 2] is -7, expected 7"


def test_a_view_of_an_argument_is_refused():
    given = {"x": TRUE}
    assert wrong_array(TRUE, TRUE, "y") == ""
    assert wrong_array(TRUE, TRUE, "y", given=given).startswith("y is x itself or a view of it")
    assert wrong_array(TRUE[:], TRUE, "y", given=given) != ""
    assert wrong_array(TRUE + 0, TRUE, "y", given=given) == ""


def test_integers_of_any_width_are_integers():
    assert not_an_array(np.ones(2, np.uint8), "codes", np.int8) == ""
    assert not_an_array(np.ones(2), "codes", np.int8) == (
        "codes is float64, expected an array of integers"
    )
    codes = np.array([1, 2], np.int8)
    assert wrong_array(codes.astype(int), codes, "codes") == "codes is int64, expected int8"


def test_several_results_are_counted_and_named():
    names = ("q", "k")
    assert not_arrays((TRUE, TRUE), names) == ""
    assert not_arrays(TRUE, names) == "one array is returned, expected 2 arrays, q, k"
    assert not_arrays((TRUE,), names) == "1 values are returned, expected 2 arrays, q, k"
    assert not_arrays((TRUE, None), names).startswith("k is None, expected 2")


def test_arrays_are_written_as_one_types_them():
    assert in_words(np.array([[1.0, 2.5], [-3, 1 / 3]])) == "[[1, 2.5], [-3, 0.3333]]"
    assert in_words(np.array([True, False])) == "[True, False]"
    assert in_words(np.float64(2)) == "2"
    assert is_expected(np.float64(2.000001), np.float64(2)) == "is 2.000001, expected 2"
