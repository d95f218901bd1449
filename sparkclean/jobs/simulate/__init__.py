"""Plant known noise in a table: `sparkclean simulate`."""
