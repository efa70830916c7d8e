"""Fair comparisons of ways of training: equal budgets and searches, several seeds, one test."""

from tervit_np.analysis.comparison.notes import notes
from tervit_np.analysis.comparison.plan import Arm, ComparisonPlan, Contrast
from tervit_np.analysis.comparison.reading import read_plan
from tervit_np.analysis.comparison.record import Record, read_record, write_record
from tervit_np.analysis.comparison.running import compare
from tervit_np.analysis.comparison.table import arms_table, contrasts_table, markdown

__all__ = [
    "Arm",
    "ComparisonPlan",
    "Contrast",
    "Record",
    "arms_table",
    "compare",
    "contrasts_table",
    "markdown",
    "notes",
    "read_plan",
    "read_record",
    "write_record",
]
