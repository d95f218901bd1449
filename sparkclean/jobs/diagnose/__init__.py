"""What kind of label noise a table has: `sparkclean diagnose`."""
