"""The report of a run: page.py writes the page; each of the other files draws one figure."""

from tervit_np.analysis.report.page import write_report

__all__ = ["write_report"]
