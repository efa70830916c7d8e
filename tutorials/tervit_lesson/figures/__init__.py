"""Figures, one module a chapter: functions that take arrays and draw."""
