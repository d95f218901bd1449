"""Types of the rows that the functions of a consensus emit, and the columns of items.

Runs on executors: no package but ours.
"""

from __future__ import annotations

from sparkclean.rows.emitted import ANY_KEYS, id_fields, state_fields
from sparkclean.rows.types import Fields

#: Rows: of items, and of the first record ids with a problem.
ITEM, EXAMPLE = 0, 1
#: State of the grouping: totals, votes by class, votes by annotator, rows with a problem.
TOTALS, CLASS, ANNOTATOR, PROBLEM = 2, 3, 4, 5
#: Rows: sums of one pass of EM.
SUMS = 0
#: State of counts by which voters are weighed: of all, of classes, of models, by number of votes.
VOTERS, CONSENSUS, MODEL, SIZE = 6, 7, 8, 9
#: Rows of decisions, of confusions, of agreement; state: totals, and the hash of the answer.
RESULT, CELL, AGREEMENT, RESULT_TOTALS, HASH = 0, 1, 2, 10, 11
#: State of errors that two annotators share: by pair, and of all pairs.
PAIR, PAIRS = 12, 13

#: Columns of the frame that is grouped, besides record ids.
SOURCE, WHO, LABEL, TIME, PROBS, HASHED = (
    "__source", "__annotator", "__label", "__time", "__probs", "__hash"
)  # fmt: skip
#: Columns of an item, besides record ids.
ITEM_HASH, ANNOTATORS, LABELS, PRED_PROBS = "hash", "annotators", "labels", "probs"

#: What may be wrong with rows, by code: see `sparkclean.jobs.consensus.problems`.
NULL_ITEM, NULL_ANNOTATOR, UNKNOWN_LABEL, TWICE, NO_TIME, SAME_TIME = range(6)
NO_PREDICTION, TWO_PREDICTIONS, BAD_PREDICTION = 6, 7, 8
#: Record ids that a message shows.
SHOWN = 5


def item_fields(id_types: tuple[str, ...]) -> Fields:
    """Name the columns that the grouping emits."""
    return (
        *state_fields(ANY_KEYS),
        *id_fields(id_types),
        (ITEM_HASH, "bigint"),
        (ANNOTATORS, "array<int>"),
        (LABELS, "array<int>"),
        (PRED_PROBS, "array<double>"),
    )
