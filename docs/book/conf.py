"""Settings of the book. `tervit book` builds it: this folder, docs, tutorials and the package."""

import os
import sys
from pathlib import Path

BOOK = Path(__file__).resolve().parent
ROOT = BOOK.parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tutorials"), str(BOOK)]
os.environ["TERVIT_BOOK"] = "1"  # figures for a light and for a dark page

from tervit_book.figures import Scraper  # noqa: E402

from tervit_np import __version__  # noqa: E402

project = "tervit_np"
author = "the authors of tervit_np"
version = release = __version__
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "tervit_book",
]
exclude_patterns = ["runs", "tutorials/index.rst", "**/sg_execution_times.rst"]

html_theme = "furo"
html_title = "tervit_np"
html_static_path = ["static"]
html_css_files = ["book.css"]
html_js_files = [("book.js", {"defer": "defer"})]
html_show_copyright = False
html_show_search_summary = False  # it needs a server
html_copy_source = html_show_sourcelink = False
html_show_sphinx = False
mathjax_path = "mathjax.js"  # tervit_book copies it from the package sphinx-mathjax-offline
mathjax3_config = {"options": {"enableMenu": False}}  # the menu would load what is not there

myst_heading_anchors = 4  # as on GitHub
myst_enable_extensions = ["deflist", "dollarmath"]

add_module_names = False
highlight_language = "none"  # of formulas
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}

sphinx_gallery_conf = {
    "examples_dirs": str(ROOT / "tutorials"),
    "gallery_dirs": "tutorials",
    "filename_pattern": r"\d\d_\w+\.py$",
    "ignore_pattern": r"^(?!\d\d_)",
    "within_subsection_order": "tervit_book.order.longest_first",
    "parallel": True,  # as many chapters at a time as Sphinx has processes (-j)
    "image_scrapers": (Scraper(),),
    "reset_modules": ("tervit_book.progress.running", "tervit_book.notebooks.convert_more"),
    "capture_repr": (),
    "only_warn_on_example_error": True,
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": 1e9,
    "inspect_global_variables": False,
}
