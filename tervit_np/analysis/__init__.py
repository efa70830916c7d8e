"""Analysis of trained models: loss surfaces, comparisons, sizes, costs, the report."""
