"""Damaged and hostile files of every format: `python -m tests.fuzz FORMAT N`."""
