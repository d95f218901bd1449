"""The job `sparkclean consensus`: one label for each item, from those of several annotators."""
