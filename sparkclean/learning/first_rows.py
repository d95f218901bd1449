"""Check the first rows of a table that a model is to learn from, for ``--dry-run``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkclean.config.sections import PredictSection
from sparkclean.errors import InputError
from sparkclean.examples.checks import count_duplicate_ids
from sparkclean.examples.columns import EMPTY
from sparkclean.learning.columns import LearningColumns
from sparkclean.learning.profile import check_features
from sparkclean.rows.columns import quoted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: Rows that a dry run looks at.
FIRST_ROWS = 1000


def check_first_rows(rows: DataFrame, columns: LearningColumns, predict: PredictSection) -> int:
    """Check record ids and features of the first thousand rows.

    Parameters
    ----------
    rows : DataFrame
    columns : LearningColumns
    predict : PredictSection

    Returns
    -------
    int
        How many rows that are: all of them, if fewer than `FIRST_ROWS`.

    Raises
    ------
    InputError
        There are no rows, record ids are not unique, or features cannot be used.

    Notes
    -----
    Three small jobs; another one or two where there are findings.
    """
    first = rows.limit(FIRST_ROWS)
    count = first.count()
    if not count:
        raise InputError(EMPTY)
    keys = first.select(*(quoted(name) for name in columns.ids)).toDF(*columns.id_names)
    findings: list[str] = []
    try:
        count_duplicate_ids(keys, columns.id_names, columns.ids, may_rise=False)
    except InputError as exc:
        findings += exc.findings
    try:
        check_features(
            first,
            columns.features,
            impute=predict.missing == "impute",
            ids=columns.ids,
            group=predict.group,
        )
    except InputError as exc:
        findings += exc.findings
    if findings:
        of = f"of the first {count:,} rows: " if count == FIRST_ROWS else ""
        raise InputError([of + finding for finding in findings])
    return count
