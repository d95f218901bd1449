"""The jobs that there are, by name."""
