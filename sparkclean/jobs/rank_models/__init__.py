"""Does the ranking of models stand: `sparkclean rank-models`."""
