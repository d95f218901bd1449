"""The ledger that an audit reads: pinned, checked, and settled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkclean.config.review import ReviewSection
from sparkclean.errors import ConfigError, InputError
from sparkclean.examples.columns import Columns
from sparkclean.examples.ledger import check_contradictions, settle
from sparkclean.lake import open_source, open_target, runs_of_table
from sparkclean.rows.columns import find_columns, quoted
from sparkclean.runs.context import Context, PinnedTable
from sparkclean.schema import CONTENT_HASH, DECIDED_LABEL, RUN_ID

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def open_ledger(context: Context, columns: Columns) -> tuple[PinnedTable, DataFrame]:
    """Pin the ledger, and decide each record by its votes. Writes nothing.

    Parameters
    ----------
    context : Context
    columns : Columns
        Of the audit.

    Returns
    -------
    table : PinnedTable
    settled : DataFrame
        Of `sparkclean.examples.ledger.settle`. Lazy.

    Raises
    ------
    ConfigError
        If rows have no record id.
    InputError
        If there is no ledger, it is no ledger, has other record ids, or contradicts itself.

    Notes
    -----
    One job over the ledger.
    """
    config = context.config
    section = config.section(ReviewSection)
    place = section.ledger or ""
    if config.columns.is_numbered:
        raise ConfigError(
            "review.ledger: decisions are found by the record id, and columns.id is null; name a "
            "record id"
        )
    target = open_target(place, spark=context.spark)
    if target.current() is None:
        raise InputError(
            f"review.ledger: nothing was published at {place}; import decisions first (sparkclean "
            "review import), or set review.ledger: null"
        )
    table = context.pin("ledger", open_source(place, spark=context.spark))
    rows = table.frame
    missing = [n for n in (DECIDED_LABEL, "is_unclear", "part", RUN_ID) if n not in rows.columns]
    if missing:
        raise InputError(
            f"review.ledger: {place} has no column {missing[0]!r}, so it is no ledger; give the "
            "location of output.ledger"
        )
    find_columns(rows, columns.ids, "columns.id, as in the ledger")
    integers = ("tinyint", "smallint", "int", "bigint")
    kinds = {name: rows.schema[name].dataType.simpleString() for name in columns.ids}
    other = [
        f"review.ledger: record id {name!r} is {kinds[name]} in {place}, and {kind} in the table; "
        "name the ledger of this table"
        for name, kind in zip(columns.ids, columns.id_types, strict=True)
        if kinds[name] != kind and not (kinds[name] in integers and kind in integers)
    ]
    if other:
        raise InputError(other)
    tables = target.tables_by_run()
    counted = list(tables)
    if len(set(tables.values())) > 1:
        counted = runs_of_table(target, config.input.table) or []
    if counted:
        rows = rows.where(F.col(RUN_ID).isin(counted))
    # a format may know fewer types: Iceberg has no smallint
    types = zip(columns.ids, columns.id_types, strict=True)
    rows = rows.withColumns({name: quoted(name).cast(kind) for name, kind in types})
    if not section.content:  # then all decisions are on the same content
        rows = rows.withColumn(CONTENT_HASH, F.lit(None).cast("string"))
    settled = settle(rows, columns.ids)
    check_contradictions(settled, columns.ids, place)
    return table, settled
