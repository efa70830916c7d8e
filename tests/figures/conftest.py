"""One browser for all tests of figures, and the scripts that make their data."""

import sys

import pytest

from tests.figures.browser import Browser, find_browser
from tests.figures.pages import BOOK

sys.path.append(str(BOOK))  # figure_data


@pytest.fixture(scope="session")
def browser():
    if find_browser() is None:
        pytest.skip("no Chromium here (Debian: apt-get install chromium)")
    with Browser() as found:
        yield found
