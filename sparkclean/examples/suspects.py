"""Suspects: examples whose given label some detector holds for wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from sparkclean import schema
from sparkclean.examples.ranks import divide
from sparkclean.examples.suspect_totals import HASHES, PAIRS, QUALITY, SUSPECT
from sparkclean.numbers.pair_counts import PairCounts
from sparkclean.numbers.result_hash import join_hash_limbs
from sparkclean.rows.emitted import KIND, STATE
from sparkclean.rows.streams import Output, Stream

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: Rows that one task may sort alone when suspects are ranked; pieces that one expression tells
#: apart.
_ROWS_TO_RANK, _MOST_PIECES = 100_000, 256
#: No quality reaches it.
_ABOVE_EVERY_QUALITY = 2.0


@dataclass(frozen=True)
class Suspects:
    """What a detector found: all that later steps need to know, whichever detector it was.

    Attributes
    ----------
    frame : DataFrame
        Record ids under their internal names, ``given``, ``suggested`` (class indices), the
        detector's own numbers, ``label_quality``. Cheap to read again.
    stream : Stream
        The same, for tasks.
    counts : PairCounts
        By given and suggested class.
    qualities : mapping from int to int
        Rows by `ranks.quality_bucket` of the label quality.
    hash_sum : int
        Sum of the hashes of the suspects, modulo 2**256.
    reason : str
        Why they are suspects; one for all.
    detector : str
        Its name.
    numbers : tuple of str
        Columns that are the detector's own, float64.
    is_reviewed : bool
        Whether a ledger was read: the frame then says which suspects were reviewed.
    """

    frame: DataFrame
    stream: Stream
    counts: PairCounts
    qualities: Mapping[int, int]
    hash_sum: int
    reason: str
    detector: str
    numbers: tuple[str, ...]
    is_reviewed: bool = False

    @property
    def num_suspects(self) -> int:
        """Their number."""
        return self.counts.total


def read_suspects(
    output: Output, num_classes: int, *, reason: str, detector: str, numbers: tuple[str, ...]
) -> Suspects:
    """Read what tasks have emitted by `suspect_totals`.

    Parameters
    ----------
    output : Output
        Rows of kind `SUSPECT` with the columns of `suspect_totals.suspect_fields`, and the state of
        `suspect_totals.SuspectTotals`.
    num_classes : int
        K.
    reason, detector, numbers
        As in `Suspects`.

    Returns
    -------
    Suspects
    """
    states = output.states
    stream = output.streams[SUSPECT]
    return Suspects(
        frame=stream.frame.drop(KIND, STATE),
        stream=stream,
        counts=PairCounts.of_entries(
            num_classes, ((s.first, s.second, s.values[0]) for s in states if s.kind == PAIRS)
        ),
        qualities={s.first: s.values[0] for s in states if s.kind == QUALITY},
        # no rows, no tasks: no hash either
        hash_sum=sum(join_hash_limbs(s.values) for s in states if s.kind == HASHES),
        reason=reason,
        detector=detector,
        numbers=numbers,
    )


def ranked(suspects: Suspects, ids: Sequence[str]) -> DataFrame:
    """Add ``rank``: 1 for the lowest (label quality, record id).

    Parameters
    ----------
    suspects : Suspects
    ids : sequence of str
        Internal names of the record id columns.

    Returns
    -------
    DataFrame
        ``frame`` with column ``rank`` (bigint). Lazy; one shuffle, after which no task sorts more
        than its share.
    """
    share = max(_ROWS_TO_RANK, suspects.num_suspects // _MOST_PIECES)
    edges, before = divide(suspects.qualities, share)
    quality = F.col(schema.LABEL_QUALITY)
    # the first term is 0, but not a literal: Spark warns of windows over those
    first = (quality > _ABOVE_EVERY_QUALITY).cast("int")
    piece = sum((F.when(quality >= edge, 1).otherwise(0) for edge in edges), first)
    order = Window.partitionBy("__piece").orderBy(schema.LABEL_QUALITY, *ids)
    offset = F.get(F.array(*[F.lit(rows) for rows in before]), F.col("__piece"))
    return (
        suspects.frame.withColumn("__piece", piece)
        .withColumn("__place", F.row_number().over(order))
        .withColumn(schema.RANK, (offset + F.col("__place")).cast("bigint"))
        .drop("__piece", "__place")
    )
