"""Which suspects are new, fixed, still open or back, between two audits: joins of narrow rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.errors import AnalysisException
from pyspark.sql import functions as F

from sparkclean.lake.engine_errors import analysed
from sparkclean.rows.columns import quoted
from sparkclean.rows.emitted import ID_PREFIX
from sparkclean.schema import GIVEN_LABEL, LABEL_QUALITY, RUN_ID, SUGGESTED_LABEL

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

NEW, FIXED, OPEN, RETURNED, RELABELLED = "new", "fixed", "open", "returned", "relabelled"
CHANGES = (NEW, FIXED, OPEN, RETURNED, RELABELLED)
#: Why a row changed, where both versions of the table can be read.
ADDED, REMOVED, LABEL, SAME = "row_added", "row_removed", "label_changed", "row_unchanged"


@dataclass(frozen=True)
class Keys:
    """Record id and label of the table, and their types.

    Attributes
    ----------
    ids : tuple of (str, str)
        Name and Spark type.
    label, label_type : str
    """

    ids: tuple[tuple[str, str], ...]
    label: str
    label_type: str

    @property
    def names(self) -> list[str]:
        """Record id columns of all frames in between."""
        return [f"{ID_PREFIX}{i}" for i in range(len(self.ids))]

    def select(self, frame: DataFrame, *others: Column) -> DataFrame:
        """Select record ids by their internal names, and other columns. Lazy."""
        keys = zip(self.names, self.ids, strict=True)
        ids = [quoted(name).cast(kind).alias(own) for own, (name, kind) in keys]
        return frame.select(*ids, *others)


def suspects_of(frame: DataFrame, keys: Keys, run: str, side: str) -> DataFrame:
    """Select the suspects of a run, with columns that end in the name of its side. Lazy.

    Parameters
    ----------
    frame : DataFrame
        The output ``suspects``.
    keys : Keys
    run : str
        As it stands in the rows.
    side : str
        ``a`` or ``b``.
    """
    return keys.select(
        frame.where(F.col(RUN_ID) == run),
        F.col(GIVEN_LABEL).cast(keys.label_type).alias(f"given_{side}"),
        F.col(SUGGESTED_LABEL).cast(keys.label_type).alias(f"suggested_{side}"),
        F.col(LABEL_QUALITY).alias(f"quality_{side}"),
        F.lit(True).alias(f"in_{side}"),
    )


def labels_of(frame: DataFrame, keys: Keys, side: str, *, with_file: bool = False) -> DataFrame:
    """Select record ids and labels of a version of the table. Lazy.

    Parameters
    ----------
    frame : DataFrame
    keys : Keys
    side : str
    with_file : bool
        Whether to name the file of each row, where the format tells it.
    """
    label = quoted(keys.label).cast(keys.label_type).alias(f"label_{side}")
    there = F.lit(True).alias(f"there_{side}")
    if with_file:
        try:
            return analysed(
                keys.select(frame, label, there, F.col("_metadata.file_path").alias("file"))
            )
        except AnalysisException:  # the rows come from no files, or several reads
            pass
        return keys.select(frame, label, there, F.lit(None).cast("string").alias("file"))
    return keys.select(frame, label, there)


def changes_frame(
    keys: Keys,
    suspects: tuple[DataFrame, DataFrame],
    earlier: DataFrame | None,
    labels: tuple[DataFrame | None, DataFrame],
    *,
    is_b: bool,
) -> DataFrame:
    """Build the table of changes.

    Parameters
    ----------
    keys : Keys
    suspects : tuple of DataFrame
        By `suspects_of`.
    earlier : DataFrame or None
        Record ids of suspects of earlier audits, by their internal names.
    labels : (DataFrame or None, DataFrame)
        By `labels_of`: of the version of the first audit, where it can be read, and of that of the
        second, with files.
    is_b : bool
        Whether the second one is exactly what the second audit has read.

    Returns
    -------
    DataFrame
        By ``schema.CHANGES``, without provenance. Lazy.

    Notes
    -----
    Shuffles the suspects, and record id and label of the table; a version of the first audit that
    can be read is joined whole, because labels of other rows may have changed.
    """
    ids = keys.names
    found = suspects[0].join(suspects[1], ids, "full")
    old, new = labels
    if old is None:
        rows = found.join(new, ids, "left")
        nothing = (("label_a", keys.label_type), ("there_a", "boolean"))
        rows = rows.withColumns({name: F.lit(None).cast(kind) for name, kind in nothing})
    else:
        rows = found.join(old.join(new, ids, "full"), ids, "full")
    was = F.lit(False)
    if earlier is not None:
        rows = rows.join(earlier.distinct().withColumn("was", F.lit(True)), ids, "left")
        was = F.coalesce(F.col("was"), F.lit(False))
    in_a, in_b = (F.coalesce(F.col(f"in_{s}"), F.lit(False)) for s in "ab")
    given_a = F.coalesce("given_a", "label_a")
    given_b = F.coalesce("given_b", "label_b")
    relabelled = F.col("label_a") != F.col("label_b")
    change = (
        F.when(in_a & in_b, OPEN)
        .when(in_a, FIXED)
        .when(in_b & was, RETURNED)
        .when(in_b, NEW)
        .when(relabelled, RELABELLED)
    )
    there_a, there_b = (F.coalesce(F.col(f"there_{s}"), F.lit(False)) for s in "ab")
    cause = F.when(~there_b, REMOVED) if is_b or old is None else F.when(F.lit(False), "")
    cause = cause.when(given_a != given_b, LABEL)
    if old is not None:
        cause = cause.when(~there_a, ADDED).otherwise(SAME)
    else:
        cause = cause.when(given_a == given_b, SAME)
    original = zip(ids, keys.ids, strict=True)
    return rows.where(change.isNotNull()).select(
        *[F.col(own).alias(name) for own, (name, _) in original],
        change.alias("change"),
        given_a.alias("given_label_a"),
        given_b.alias("given_label_b"),
        F.col("suggested_a").alias("suggested_label_a"),
        F.col("suggested_b").alias("suggested_label_b"),
        F.col("quality_a").alias("label_quality_a"),
        F.col("quality_b").alias("label_quality_b"),
        cause.alias("cause"),
        "file",
    )


def count_changes(rows: DataFrame, ids: Sequence[str]) -> tuple[dict[str, int], str]:
    """Count changes by kind, and hash them. One job.

    Parameters
    ----------
    rows : DataFrame
        By `changes_frame`.
    ids : sequence of str
        Record id columns.

    Returns
    -------
    counts : dict
        Changes that there are, and the rows whose label changed among them.
    digest : str
        Equal for equal changes in any order.
    """
    hashed = F.xxhash64(*[quoted(name) for name in ids], "change", "given_label_a", "given_label_b")
    changed = F.sum((F.col("given_label_a") != F.col("given_label_b")).cast("bigint"))
    total = F.sum(hashed.cast("decimal(38,0)"))
    groups = rows.groupBy("change").agg(F.count("*"), changed, total).collect()
    counts = dict.fromkeys(CHANGES, 0) | {row[0]: row[1] for row in groups}
    counts["labels_changed"] = sum(row[2] or 0 for row in groups)
    return counts, "|".join(sorted(f"{row[0]}:{row[1]}:{row[3]}" for row in groups))
