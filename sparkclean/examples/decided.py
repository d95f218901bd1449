"""Suspects and the ledger: what people decided comes before what a detector suspects."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkclean.examples.columns import Columns
from sparkclean.examples.decided_rows import DECIDED as CLASS
from sparkclean.examples.decided_rows import TakeDecisions
from sparkclean.examples.ledger import DECIDED, LABEL, STATE
from sparkclean.examples.suspects import Suspects, read_suspects
from sparkclean.rows.columns import quoted
from sparkclean.rows.emitted import ID_PREFIX
from sparkclean.rows.frame_stream import FrameStream
from sparkclean.rows.streams import RowStore
from sparkclean.schema import CONTENT_HASH

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_HASH = "__content"


def decided_labels(settled: DataFrame, columns: Columns, content: DataFrame | None) -> DataFrame:
    """Give the decided class of each record whose content is as it was.

    Parameters
    ----------
    settled : DataFrame
        Of `sparkclean.examples.ledger.settle`.
    columns : Columns
        Of the audit.
    content : DataFrame or None
        Record ids and content hashes as they are now; None: content does not count.

    Returns
    -------
    DataFrame
        Record ids by their internal names, and the class as an index; one row for each record.
        Lazy.
    """
    ids = list(columns.ids)
    decided = settled.where(F.col(STATE) == DECIDED)
    if content is not None:
        now = content.select(*map(quoted, ids), F.col(CONTENT_HASH).alias(_HASH))
        same = F.col(CONTENT_HASH).isNull() | (F.col(CONTENT_HASH) == F.col(_HASH))
        decided = decided.join(now, ids).where(same)
    labels = F.array(*[F.lit(label).cast(columns.label_type) for label in columns.classes])
    place = F.array_position(labels, F.col(LABEL)).cast("int")
    named = [quoted(name).alias(f"{ID_PREFIX}{i}") for i, name in enumerate(ids)]
    keys = [f"{ID_PREFIX}{i}" for i in range(len(ids))]
    found = decided.select(*named, place.alias(CLASS), CONTENT_HASH)
    # a decision on the content as it is comes before one on no content
    best = F.max(F.struct(F.col(CONTENT_HASH).isNotNull(), F.col(CLASS).alias("c")))
    one = found.where(F.col(CLASS) > 0).groupBy(*keys).agg(best["c"].alias(CLASS))
    return one.withColumn(CLASS, (F.col(CLASS) - 1).cast("int"))


def take_decisions(
    suspects: Suspects, decided: DataFrame, columns: Columns, store: RowStore
) -> Suspects:
    """Leave out suspects whose label is right, and suggest what people decided for the others.

    Parameters
    ----------
    suspects : Suspects
    decided : DataFrame
        Of `decided_labels`.
    columns : Columns
    store : RowStore

    Returns
    -------
    Suspects
        With counts, ranks and hash of those that are left.

    Notes
    -----
    One job: a join of suspects and decisions by record id.
    """
    keys = [f"{ID_PREFIX}{i}" for i in range(len(columns.ids))]
    joined = suspects.frame.join(decided, keys, "left")
    function = TakeDecisions(
        columns.num_classes, suspects.reason, columns.id_types, suspects.numbers
    )
    found = read_suspects(
        FrameStream(joined, store).run("reviewed", function),
        columns.num_classes,
        reason=suspects.reason,
        detector=suspects.detector,
        numbers=suspects.numbers,
    )
    return replace(found, is_reviewed=True)
