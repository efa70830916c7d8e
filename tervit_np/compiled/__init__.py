"""Compiled twins of operators, in Numba: one pass over memory where NumPy makes several.

A twin takes C-contiguous float32 arrays and computes the same as the NumPy lines of its operator; a
test compares the two. It is faster because it reads a row once, keeps it in the L1 cache through
all steps, and writes it once. dispatch.py imports operators.py on first use.
"""
