"""Comparison: what changed between two audits of one table."""
