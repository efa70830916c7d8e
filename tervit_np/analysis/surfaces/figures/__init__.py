"""Figures of loss surfaces, one a file: each takes numbers, draws, and writes one PNG."""
