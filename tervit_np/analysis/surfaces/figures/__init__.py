"""Figures of loss surfaces, one in each file: a function draws its numbers and writes one PNG."""
