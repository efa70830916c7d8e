"""What trained models look like: loss surfaces, comparisons, sizes, costs, the report."""
