"""The ledger of people's decisions: which label a record has by all its votes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from sparkclean.errors import InputError
from sparkclean.lake import open_target, runs_of_table
from sparkclean.rows.columns import find_columns, quoted
from sparkclean.schema import ADJUDICATE, CONTENT_HASH, DECIDED_LABEL, GOLD, RUN_ID

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

#: States of a record by its votes.
DECIDED: Final = "decided"
UNCLEAR: Final = "unclear"
DISPUTED: Final = "disputed"
CONTRADICTORY: Final = "contradictory"
STATE: Final = "state"
#: Columns that `settle` adds: the decided label, the lowest and the highest of the votes.
LABEL: Final = "label"
LOWEST, HIGHEST, VOTES = "lowest", "highest", "votes"


def open_rows(
    spark: SparkSession, location: str, table: str, format_: str = "auto"
) -> DataFrame | None:
    """Read the rows of an output that are of one table.

    Parameters
    ----------
    spark : SparkSession
    location : str
    table : str
    format_ : str

    Returns
    -------
    DataFrame or None
        Lazy. None where nothing was published.

    Notes
    -----
    Reads metadata; on Delta and Iceberg up to three small jobs over the run records.
    """
    try:
        target = open_target(location, format_, spark=spark)
        if target.current() is None:
            return None
    except InputError:
        return None
    tables = target.tables_by_run()
    frame = target.frame(spark)
    if len(set(tables.values())) < 2:
        return frame
    return frame.where(F.col(RUN_ID).isin(runs_of_table(target, table) or []))


def content_hash(frame: DataFrame, names: Sequence[str]) -> Column:
    """Hash the content of examples.

    Parameters
    ----------
    frame : DataFrame
    names : sequence of str
        Columns; none: there is no content.

    Returns
    -------
    Column
        16 hexadecimal digits, or null.

    Raises
    ------
    InputError
        If a column is missing, or is of a type that Spark does not hash.
    """
    if not names:
        return F.lit(None).cast("string")
    found = find_columns(frame, names, "review.content")
    kinds = {name: frame.schema[name].dataType.simpleString() for name in found}
    maps = [name for name, kind in kinds.items() if "map<" in kind or "variant" in kind]
    if maps:
        raise InputError(
            f"review.content: column {maps[0]!r} is {kinds[maps[0]]}, which has no fixed order to "
            "hash; leave it out, or add a column that holds it as text"
        )
    # a null must differ from nothing, and its place counts
    parts = [part for name in found for part in (quoted(name).isNull(), quoted(name))]
    return F.lower(F.lpad(F.hex(F.xxhash64(*parts)), 16, "0"))


def settle(votes: DataFrame, ids: Sequence[str]) -> DataFrame:
    """Decide each record by its votes: of each reviewer the last one.

    Parameters
    ----------
    votes : DataFrame
        Rows of the ledger. Those on gold items do not count.
    ids : sequence of str
        Record id columns.

    Returns
    -------
    DataFrame
        By record id and content hash: `STATE`, `LABEL` (null unless decided), `LOWEST`, `HIGHEST`
        (of the votes before adjudication), `VOTES` (their number). Lazy; two shuffles of the
        ledger.

    Notes
    -----
    An adjudication beats votes, the last adjudication earlier ones. Without one, different labels
    are `CONTRADICTORY`, a label beside an unclear is `DISPUTED`.
    """
    keys = [*map(quoted, ids), F.col(CONTENT_HASH)]
    is_final, vote = F.col("__final"), F.col("__vote")
    last = F.max(
        F.struct(
            F.col("decided_at").alias("at"),
            F.col("imported_at").alias("then"),
            F.col(DECIDED_LABEL).alias("label"),
            F.col("is_unclear").alias("unclear"),
        )
    )
    each = (
        votes.where(F.col("part") != GOLD)
        .withColumn("__final", F.col("part") == ADJUDICATE)
        .groupBy(*keys, is_final, F.col("reviewer"))
        .agg(last.alias("__vote"))
    )
    clear = F.when(~is_final & ~vote["unclear"], vote["label"])
    found = each.groupBy(*keys).agg(
        F.max(F.when(is_final, vote)).alias("__last"),
        F.min(clear).alias(LOWEST),
        F.max(clear).alias(HIGHEST),
        F.sum((~is_final).cast("int")).cast("bigint").alias(VOTES),
        F.sum((~is_final & vote["unclear"]).cast("int")).alias("__unclear"),
    )
    final = F.col("__last")
    state = (
        F.when(final.isNotNull(), F.when(final["unclear"], UNCLEAR).otherwise(DECIDED))
        .when(F.col(LOWEST).isNull(), UNCLEAR)
        .when(F.col(LOWEST) != F.col(HIGHEST), CONTRADICTORY)
        .when(F.col("__unclear") > 0, DISPUTED)
        .otherwise(DECIDED)
    )
    label = F.when(final.isNotNull(), final["label"]).otherwise(F.col(LOWEST))
    return (
        found.withColumn(STATE, state)
        .withColumn(LABEL, F.when(F.col(STATE) == DECIDED, label))
        .drop("__last", "__unclear")
    )


def check_contradictions(settled: DataFrame, ids: Sequence[str], location: str) -> None:
    """Refuse a ledger in which reviewers contradict each other and nobody has settled it.

    Parameters
    ----------
    settled : DataFrame
        Of `settle`.
    ids : sequence of str
    location : str
        Of the ledger.

    Raises
    ------
    InputError
        Names the number of records and up to five record ids.

    Notes
    -----
    One job over the ledger.
    """
    wrong = settled.where(F.col(STATE) == CONTRADICTORY)
    count = wrong.count()
    if not count:
        return
    rows = wrong.select(*map(quoted, ids)).distinct().orderBy(*map(quoted, ids)).limit(5).collect()
    shown = ", ".join("/".join(map(str, row)) for row in rows)
    raise InputError(
        f"review.ledger: {location} holds contradictory decisions on {count:,} records: {shown}"
        f"{', ...' if count > len(rows) else ''}. Let a third person decide: sparkclean review "
        "plan puts them first, review import adds the decisions"
    )
