"""The columns that a job learns from: as the run has taken them before, or as they are now."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from sparkclean.config.sections import PredictSection
from sparkclean.lake import NoPlainFiles
from sparkclean.learning.column_values import collect_values
from sparkclean.learning.columns import NOTE, LearningColumns, check_columns
from sparkclean.learning.feature_types import FeatureTypes, Values
from sparkclean.runs.context import Context, PinnedTable
from sparkclean.runs.record import recorded

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def prepare_columns(
    context: Context, table: PinnedTable, rows: DataFrame, *, reserved: Collection[str] = ()
) -> LearningColumns:
    """Find the columns of a table that a job learns from, and what each is taken as.

    Parameters
    ----------
    context : Context
    table : PinnedTable
    rows : DataFrame
        Of the table, by ``input.where``.
    reserved : collection of str
        As for `check_columns`.

    Returns
    -------
    LearningColumns
        A repetition takes the columns as the first attempt did, without looking at the table. Of a
        run that has published the record knows the kinds alone, and no values.

    Raises
    ------
    InputError

    Notes
    -----
    As `collect_values`, where ``predict.features`` is all or ``predict.columns`` names a category.
    """
    config = context.config

    def count(wanted: Mapping[str, int]) -> Mapping[str, Values]:
        paths = table.source.plain_files(table.pin)
        if config.scan == "dataframe" or config.input.where is not None:
            paths = NoPlainFiles("rows are read through Spark")
        with context.progress.phase("look at the columns"):
            return collect_values(rows, wanted, paths=paths)

    noted, kinds = context.note(NOTE), recorded(context.record, NOTE)
    known = None if kinds is None else FeatureTypes(dict(kinds))
    return check_columns(
        rows,
        config.columns,
        config.section(PredictSection),
        count=count,
        known=known if noted is None else FeatureTypes.from_json(noted),
        reserved=reserved,
    )
