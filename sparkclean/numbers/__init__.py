"""Exact sums, hashes of results and counts, on numbers. Knows no labels."""
