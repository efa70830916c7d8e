"""The report's figures, one a file: each takes numbers, draws, and writes one PNG."""
