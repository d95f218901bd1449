"""Charts of what was published, and the parts of a report."""
