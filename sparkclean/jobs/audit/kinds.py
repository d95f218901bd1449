"""Kinds of the rows that an audit's functions emit.

`sparkclean.examples.kernels` has 0 and 1: kernels of both ride on one scan. Runs on executors.
"""

#: State: counts by pair of classes, or given class and outcome; by group and bucket of a score; the
#: sum of hashes; counts by bucket of quality.
COUNTS, BUCKETS, HASHES, QUALITY = range(2, 6)
#: Rows: low ones; undecided ones; those that a pair may prune; label issues, or places of rows.
LOW, OPEN, MARGIN, ISSUE = range(6, 10)
