"""The report of a run: its page, and the figures on it, one a file."""

from tervit_np.analysis.report.writing import write_report

__all__ = ["write_report"]
