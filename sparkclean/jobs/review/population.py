"""The examples from which a plan draws: strata, counts, and the draw itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import Window
from pyspark.sql import functions as F

from sparkclean.examples.columns import Columns
from sparkclean.jobs.review.row_function import BEST, GIVEN, OWN, ReadViews
from sparkclean.noise.strata import BUCKETS, DECILES, SUSPECTS, bucket_edges, stratum_names
from sparkclean.rows.columns import quoted
from sparkclean.rows.emitted import ID_PREFIX
from sparkclean.rows.frame_stream import FrameStream
from sparkclean.rows.stores import FolderStore
from sparkclean.schema import RANK, SELF_CONFIDENCE, SUGGESTED_LABEL

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

#: Doubts add up in these units, as integers.
UNIT = 1 << 20
STRATUM, DECILE, LABEL, DOUBT = "stratum", "rank_decile", "given_label", "doubt"


@dataclass(frozen=True)
class Cell:
    """Examples of one stratum, given label and rank decile.

    Attributes
    ----------
    stratum : int
    label : object
    decile : int or None
    examples : int
    doubt : int
        Sum of 1 - p(given label), in units of 1 / `UNIT`.
    """

    stratum: int
    label: Any
    decile: int | None
    examples: int
    doubt: int


@dataclass(frozen=True)
class Population:
    """All examples that were audited, with their strata.

    Attributes
    ----------
    frame : DataFrame
        Record ids, given label, suggested label, self-confidence, rank, stratum, decile. Cheap to
        read again.
    ids : tuple of str
    names : list of str
        Of the strata.
    cells : list of Cell
    design : str
        Hash of what decides the strata and the order of the draw.
    """

    frame: DataFrame
    ids: tuple[str, ...]
    names: list[str]
    cells: list[Cell]
    design: str

    @property
    def sizes(self) -> list[int]:
        """Examples of each stratum."""
        sizes = [0] * len(self.names)
        for cell in self.cells:
            sizes[cell.stratum] += cell.examples
        return sizes


def collect_population(
    examples: DataFrame,
    columns: Columns,
    suspects: DataFrame,
    *,
    tolerance: float,
    folder: str,
    design: Sequence[Any],
) -> Population:
    """Read the model's view of all examples, and divide them into strata.

    Parameters
    ----------
    examples : DataFrame
        That were audited.
    columns : Columns
    suspects : DataFrame
        Of the audit: record ids, suggested label and rank.
    tolerance : float
        ``admission.row_sum_tolerance``.
    folder : str
        For intermediate files.
    design : sequence
        What decides the draw besides the strata.

    Returns
    -------
    Population

    Notes
    -----
    One pass over the probabilities; three small jobs. The driver holds a count for each given
    label, decile and stratum.
    """
    views = ReadViews(columns.reader(tolerance), columns.id_types)
    stream = FrameStream(columns.narrow(examples), FolderStore(folder))
    viewed = stream.run("views", views).streams[0].frame
    ids = [F.col(f"{ID_PREFIX}{i}").alias(name) for i, name in enumerate(columns.ids)]
    own = viewed.select(
        *ids,
        columns.label_of(F.col(GIVEN)).alias(LABEL),
        columns.label_of(F.col(BEST)).alias("__best"),
        F.col(OWN).alias(SELF_CONFIDENCE),
    )
    known = suspects.select(*map(quoted, columns.ids), RANK, SUGGESTED_LABEL)
    joined = own.join(known, list(columns.ids), "left")
    joined = joined.withColumn(SUGGESTED_LABEL, F.coalesce(SUGGESTED_LABEL, "__best"))
    bucket = F.least(F.floor(F.col(SELF_CONFIDENCE) * BUCKETS), F.lit(BUCKETS - 1)).cast("int")
    counted = (
        joined.withColumn("__bucket", F.when(F.col(RANK).isNull(), bucket))
        .groupBy("__bucket")
        .count()
        .collect()
    )
    total = sum(row[1] for row in counted if row[0] is None)
    edges = bucket_edges({row[0]: row[1] for row in counted if row[0] is not None})
    frame = _with_strata(joined, bucket, edges, total)
    cells = _collect_cells(frame)
    text = repr([*design, edges, total])
    return Population(
        frame.drop("__best"),
        columns.ids,
        stratum_names(edges),
        cells,
        hashlib.sha256(text.encode()).hexdigest()[:16],
    )


def _with_strata(frame: DataFrame, bucket: Column, edges: Sequence[int], total: int) -> DataFrame:
    """Add decile and stratum, by the rules of `sparkclean.noise.strata`."""
    ranks = max(total, 1)
    # whole numbers: a quotient of doubles could round to the next one
    decile = F.expr(f"CAST(((`{RANK}` - 1) * {DECILES}) DIV {ranks} AS INT) + 1")
    other = F.lit(SUSPECTS)
    for edge in edges:
        other = other + (bucket >= edge).cast("int")
    of_suspect = F.expr(f"CAST(((`{DECILE}` - 1) * {SUSPECTS}) DIV {DECILES} AS INT)")
    return frame.withColumn(DECILE, decile).withColumn(
        STRATUM, F.when(F.col(DECILE).isNull(), other).otherwise(of_suspect)
    )


def doubt_units(own: Column) -> Column:
    """Give 1 - p(given label) in units of 1 / `UNIT`."""
    return F.round((1.0 - own) * UNIT).cast("bigint")


def _collect_cells(frame: DataFrame) -> list[Cell]:
    sums = frame.groupBy(STRATUM, LABEL, DECILE).agg(
        F.count("*").alias("examples"), F.sum(doubt_units(F.col(SELF_CONFIDENCE))).alias(DOUBT)
    )
    cells = [Cell(*row) for row in sums.collect()]
    cells.sort(key=lambda cell: (cell.stratum, str(cell.label), cell.decile or 0))
    return cells


def draw(
    population: Population, before: Sequence[int], drawn: Sequence[int], seed: int
) -> DataFrame:
    """Draw examples from each stratum, behind those that were drawn before.

    Parameters
    ----------
    population : Population
    before, drawn : sequence of int, length H
        Examples of each stratum that earlier plans have drawn, and that this one draws.
    seed : int

    Returns
    -------
    DataFrame
        Rows of the population. Lazy; a sort within each stratum of its first rows.

    Notes
    -----
    The order within a stratum is that of a hash of seed and record id, then of the record id.
    """
    texts = [quoted(name).cast("string") for name in population.ids]
    order = [F.xxhash64(F.lit(seed), *texts), *map(quoted, population.ids)]
    place = F.row_number().over(Window.partitionBy(STRATUM).orderBy(*order))
    last = [a + b for a, b in zip(before, drawn, strict=True)]
    # the constant lets Spark keep the first rows of each task alone
    near = population.frame.withColumn("__place", place).where(
        F.col("__place") <= max(last, default=0)
    )
    begin = F.get(F.array(*map(F.lit, before)), F.col(STRATUM))
    end = F.get(F.array(*map(F.lit, last)), F.col(STRATUM))
    return near.where((F.col("__place") > begin) & (F.col("__place") <= end)).drop("__place")


def drawn_before(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[Any, int]:
    """Read how many examples of each cell earlier plans of a design have drawn.

    Parameters
    ----------
    rows : sequence of mapping
        Of the output ``strata``, of one design; of each cell the largest number counts.
    names : sequence of str
        Of the strata.

    Returns
    -------
    dict
        By stratum, label and decile.
    """
    numbers = {name: h for h, name in enumerate(names)}
    found: dict[Any, int] = {}
    for row in rows:
        key = (numbers[row["stratum"]], row["given_label"], row["rank_decile"])
        found[key] = max(found.get(key, 0), row["drawn"])
    return found
