"""The page in a real browser."""

from tests.analysis.report.page_layout import check_layout


def test_nothing_is_cut_and_labels_can_be_read(browser, finished):
    check_layout(browser, finished.folder / "report.html")
