"""Proofs that the mathematics is right: gradient checks, golden files, contracts, mutants."""
