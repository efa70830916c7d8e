"""The scripts that make the data of figures."""

import sys

from tests.figures.pages import BOOK

sys.path.append(str(BOOK))  # figure_data
