"""Conflicts: examples of the same content and different labels, and contents in several splits."""
