"""Proof and pictures: gradient checks, planted mistakes, sizes, figures, the report."""
