"""Find, measure and remove wrong labels in data lakes."""

__version__ = "0.1.0"
