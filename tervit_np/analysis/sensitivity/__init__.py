"""Sensitivity: what rounding one layer does to the loss, and plans made from it."""

from tervit_np.analysis.sensitivity.choice import (
    benefit,
    budget_of_share,
    check_share,
    choose_layers,
    extra_bytes,
    plan_and_notes,
    size_with,
)
from tervit_np.analysis.sensitivity.measure import (
    KINDS,
    Effect,
    Layer,
    Sensitivity,
    answers_with,
    layer_names,
    measure,
    mixed_plan,
    tasks_of,
)
from tervit_np.analysis.sensitivity.record import Record, Settings, read_record, write_record

__all__ = [
    "KINDS",
    "Effect",
    "Layer",
    "Record",
    "Sensitivity",
    "Settings",
    "answers_with",
    "benefit",
    "budget_of_share",
    "check_share",
    "choose_layers",
    "extra_bytes",
    "layer_names",
    "measure",
    "mixed_plan",
    "plan_and_notes",
    "read_record",
    "size_with",
    "tasks_of",
    "write_record",
]
