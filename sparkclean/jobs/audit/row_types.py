"""Kinds of the rows that an audit's functions emit.

`sparkclean.examples.kernels` has 0 and 1: kernels of both ride on one scan. Suspects have kinds of
their own (`sparkclean.examples.suspect_totals`), as no other rows are emitted with them. Runs on
executors.
"""

#: State: counts by pair of classes, or given class and outcome; by group and bucket of a score.
COUNTS, BUCKETS = 2, 3
#: Rows: low-confidence ones; undecided ones; those that a pair may prune; entries of groups.
LOW_CONFIDENCE, UNDECIDED_ROW, MARGIN, ENTRY = range(4, 8)
#: State: counts by predicted class, whether the label differs, and bucket of sureness.
SURENESS = 8
#: State: counts by whether the label differs from the prediction, and bin of a score.
SCORES = 9
