"""A table of examples: record ids, labels, probabilities, the scans of them, suspects."""
