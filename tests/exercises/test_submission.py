import re
import unicodedata

import numpy as np
import pytest

from tervit_np.exercises.isolated_run import run_isolated
from tervit_np.exercises.numbers import check_rng, numbers_of
from tervit_np.exercises.submission import submission_token
from tervit_np.exercises.tasks import find_exercise

LINEAR = find_exercise("linear_backward")
TOKEN = submission_token("pack", "Ada", True, b"x = 1\n")


def test_a_token_is_twelve_digits():
    assert re.fullmatch(r"[0-9a-f]{4}(-[0-9a-f]{4}){2}", TOKEN)


@pytest.mark.parametrize(
    "other",
    [
        ("ternarize", "Ada", True, b"x = 1\n"),
        ("pack", "Grace", True, b"x = 1\n"),
        ("pack", "", True, b"x = 1\n"),
        ("pack", "Ada", False, b"x = 1\n"),
        ("pack", "Ada", True, b"x = 2\n"),
        ("packA", "da", True, b"x = 1\n"),
    ],
)
def test_whatever_differs_gives_another_token(other):
    assert submission_token(*other) != TOKEN


@pytest.mark.parametrize("name", ["Ada", "ada", " ADA "])
def test_line_ends_and_spellings_of_a_name_do_not_count(name):
    assert submission_token("pack", name, True, b"x = 1\r\n") == TOKEN
    composed, apart = (unicodedata.normalize(form, "Zoë") for form in ("NFC", "NFD"))
    assert submission_token("pack", composed, True, b"") == submission_token(
        "pack", apart, True, b""
    )


def test_a_name_may_have_bytes_that_are_not_utf_8():
    """As a folder that a Latin-1 archive has left: Python reads it with surrogates."""
    odd, other = "J\udcfcrgen", "J\udcf6rgen"
    assert re.fullmatch(r"[0-9a-f-]{14}", submission_token("pack", odd, True, b""))
    assert submission_token("pack", odd, True, b"") != submission_token("pack", other, True, b"")
    with numbers_of(odd):
        assert check_rng().normal() == check_rng().normal()


def test_the_verdict_carries_the_token_of_the_file(tmp_path):
    """As it was before it ran."""
    file = tmp_path / LINEAR.file_name
    text = LINEAR.solved_file() + f"\nopen({str(file)!r}, 'w').close()\n"
    file.write_text(text)
    verdict = run_isolated(LINEAR, file, student="Ada")
    assert verdict.passed
    assert file.read_text() == ""
    assert verdict.token == submission_token("linear_backward", "Ada", True, text.encode())


def test_numbers_belong_to_a_student():
    def draw(student, stream=0):
        with numbers_of(student):
            return check_rng(stream).normal()

    assert draw("") == np.random.default_rng(0).normal()
    assert draw("", 1) == np.random.default_rng(1).normal()
    assert draw("Ada") == draw("ada ") != draw("Grace")
    assert draw("Ada", 1) != draw("Ada")
    assert draw("") == check_rng().normal()  # the context has ended
