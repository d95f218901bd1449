"""The parts of a plan: a random part, suspects, gold items, disagreements."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import Window
from pyspark.sql import functions as F

from sparkclean.config.review import ReviewSection
from sparkclean.examples.ledger import (
    CONTRADICTORY,
    DECIDED,
    DISPUTED,
    HIGHEST,
    LABEL,
    LOWEST,
    STATE,
    settle,
)
from sparkclean.jobs.review.population import Population, draw, drawn_before
from sparkclean.jobs.review.steps import (
    ReviewPrepared,
    frame_of_ids,
    read_ledger,
    read_output,
    sorted_ids,
)
from sparkclean.noise.rates import allocate
from sparkclean.rows.columns import quoted
from sparkclean.runs.context import Context
from sparkclean.schema import ADJUDICATE, GOLD, MEASURE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: Settled examples that an adjudicator sees of the same pair of labels.
_SETTLED = 3


@dataclass(frozen=True)
class Chosen:
    """An example of the queue, before it has reviewers.

    Attributes
    ----------
    part : str
    row : dict
        Of the population, by column.
    more : dict
        Further columns of the queue.
    barred : tuple of str
        Who must not get it.
    """

    part: str
    row: dict[str, Any]
    more: dict[str, Any]
    barred: tuple[str, ...] = ()


def choose_examples(
    prepared: ReviewPrepared, context: Context, population: Population
) -> tuple[list[Chosen], dict[Any, int]]:
    """Choose the examples of all parts; give what earlier plans have drawn, too."""
    section, ids = context.config.section(ReviewSection), prepared.id_columns
    queue = read_output(context, "queue")
    votes = read_ledger(context)
    settled = None if votes is None else settle(votes, ids)
    left = section.budget
    disputes = _disputes(
        context, prepared, population, settled=settled, votes=votes, queue=queue, count=left
    )
    left -= len(disputes)
    num_gold, num_measure = (math.floor(left * share) for share in (section.gold, section.measure))
    gold = _gold(context, prepared, population, settled=settled, votes=votes, count=num_gold)
    num_measure += num_gold - len(gold)
    before = _before(context, population)
    of_stratum = [0] * len(population.names)
    for (stratum, _, _), count in before.items():
        of_stratum[stratum] += count
    drawn = allocate(num_measure, population.sizes, of_stratum).tolist()
    measured = draw(population, of_stratum, drawn, section.seed)
    random = [
        Chosen(MEASURE, row, _drawn_with(population, row["stratum"], of_stratum, drawn))
        for row in _collect(measured, ids)
    ]
    suspects = _suspects(
        population,
        ids,
        left - num_measure - len(gold),
        section,
        known=(queue, settled),
        random=random,
    )
    # what is drawn at random may be gold, too: one reviewer sees it once
    there = {key_of(each.row, ids) for each in random}
    return [
        *disputes,
        *random,
        *suspects,
        *(each for each in gold if key_of(each.row, ids) not in there),
    ], before


def _drawn_with(
    population: Population, stratum: int, before: list[int], drawn: list[int]
) -> dict[str, Any]:
    share = (before[stratum] + drawn[stratum]) / population.sizes[stratum]
    return {"inclusion_probability": round(share, 9)}


def _before(context: Context, population: Population) -> dict[Any, int]:
    rows = read_output(context, "strata")
    if rows is None:
        return {}
    same = rows.where(F.col("design") == population.design)
    found = same.select("stratum", "given_label", "rank_decile", "drawn").collect()
    return drawn_before([row.asDict() for row in found], population.names)


def _collect(frame: DataFrame, ids: list[str]) -> list[dict[str, Any]]:
    return [row.asDict() for row in frame.orderBy(*sorted_ids(ids)).collect()]


def key_of(row: dict[str, Any], ids: list[str]) -> tuple[Any, ...]:
    """Give the record id of a row."""
    return tuple(row[name] for name in ids)


def _suspects(
    population: Population,
    ids: list[str],
    count: int,
    section: ReviewSection,
    *,
    known: tuple[DataFrame | None, DataFrame | None],
    random: list[Chosen],
) -> list[Chosen]:
    """Choose suspects by rank, behind some of each given label; none that was chosen before."""
    if count <= 0:
        return []
    open_ = population.frame.where(F.col("rank").isNotNull())
    queue, settled = known
    for seen in (queue, None if settled is None else settled.where(F.col(STATE) == DECIDED)):
        if seen is not None:
            open_ = open_.join(seen.select(*map(quoted, ids)).distinct(), ids, "left_anti")
    drawn = {key_of(each.row, ids) for each in random}
    place = F.row_number().over(Window.partitionBy("given_label").orderBy("rank"))
    is_first = F.col("__place") <= section.suspects_per_class
    ordered = open_.withColumn("__place", place).orderBy(
        F.when(is_first, F.col("__place")).otherwise(section.suspects_per_class + 1), "rank"
    )
    rows = [row.asDict() for row in ordered.limit(count + len(drawn)).collect()]
    free = [row for row in rows if key_of(row, ids) not in drawn]
    return [Chosen("suspects", row, {}) for row in free[:count]]


def _voters(votes: DataFrame, ids: list[str], wanted: DataFrame) -> dict[Any, tuple[str, ...]]:
    """Tell who has decided on examples."""
    found = (
        votes.join(wanted, ids)
        .groupBy(*map(quoted, ids))
        .agg(F.sort_array(F.collect_set("reviewer")))
    )
    return {tuple(row[: len(ids)]): tuple(row[len(ids)]) for row in found.collect()}


def _with_views(population: Population, rows: DataFrame, ids: list[str]) -> list[dict[str, Any]]:
    """Add to few examples what the population says of them."""
    return _collect(rows.join(population.frame, ids), ids)


def _gold(
    context: Context,
    prepared: ReviewPrepared,
    population: Population,
    *,
    settled: DataFrame | None,
    votes: DataFrame | None,
    count: int,
) -> list[Chosen]:
    """Choose examples that were decided before."""
    if settled is None or votes is None or not count:
        return []
    ids, seed = prepared.id_columns, context.config.section(ReviewSection).seed
    decided = settled.where(F.col(STATE) == DECIDED).withColumnRenamed(LABEL, "gold_label")
    texts = [quoted(name).cast("string") for name in ids]
    some = decided.dropDuplicates(ids).orderBy(
        F.xxhash64(F.lit("gold"), F.lit(seed), F.lit(context.run_id), *texts), *map(quoted, ids)
    )
    keys = [
        tuple(row) for row in some.limit(count).select(*map(quoted, ids), "gold_label").collect()
    ]
    kinds = (*prepared.ids, ("gold_label", prepared.label_type))
    frame = frame_of_ids(context.spark, keys, kinds)
    voters = _voters(votes, ids, frame.select(*map(quoted, ids)))
    return [
        Chosen(GOLD, row, {"gold_label": row.pop("gold_label")}, voters.get(key_of(row, ids), ()))
        for row in _with_views(population, frame, ids)
    ]


def _disputes(
    context: Context,
    prepared: ReviewPrepared,
    population: Population,
    *,
    settled: DataFrame | None,
    votes: DataFrame | None,
    queue: DataFrame | None,
    count: int,
) -> list[Chosen]:
    """Choose examples on which reviewers disagree, and that nobody is to settle yet."""
    if settled is None or votes is None:
        return []
    ids = prepared.id_columns
    open_ = settled.where(F.col(STATE).isin(CONTRADICTORY, DISPUTED))
    if queue is not None:
        asked = queue.where(F.col("part") == ADJUDICATE).select(*map(quoted, ids)).distinct()
        open_ = open_.join(asked, ids, "left_anti")
    some = open_.dropDuplicates(ids).orderBy(*sorted_ids(ids)).limit(count)
    keys = [tuple(row) for row in some.select(*map(quoted, ids), LOWEST, HIGHEST).collect()]
    if not keys:
        return []
    kinds = (*prepared.ids, (LOWEST, prepared.label_type), (HIGHEST, prepared.label_type))
    frame = frame_of_ids(context.spark, keys, kinds)
    voters = _voters(votes, ids, frame.select(*map(quoted, ids)))
    alike = _settled_alike(settled, ids, {key[len(ids) :] for key in keys})
    chosen = []
    for row in _with_views(population, frame, ids):
        low, high = row.pop(LOWEST), row.pop(HIGHEST)
        labels = f"{low} | {high}" if low != high else f"{low} | unclear"
        more = {"votes": labels, "settled_examples": alike.get((low, high))}
        chosen.append(Chosen(ADJUDICATE, row, more, voters.get(key_of(row, ids), ())))
    return chosen


def _settled_alike(
    settled: DataFrame, ids: list[str], pairs: set[tuple[Any, ...]]
) -> dict[tuple[Any, ...], str]:
    """Find examples on which reviewers gave the same two labels, and that were settled."""
    one = F.concat_ws("/", *[quoted(name).cast("string") for name in ids])
    shown = F.concat(one, F.lit(" = "), F.col(LABEL).cast("string"))
    known = settled.where((F.col(STATE) == DECIDED) & (F.col(LOWEST) != F.col(HIGHEST)))
    place = F.row_number().over(Window.partitionBy(LOWEST, HIGHEST).orderBy(*sorted_ids(ids)))
    first = known.withColumn("__place", place).where(F.col("__place") <= _SETTLED)
    listed = first.groupBy(LOWEST, HIGHEST).agg(
        F.array_join(F.sort_array(F.collect_list(shown)), "; ")
    )
    return {(low, high): text for low, high, text in listed.collect() if (low, high) in pairs}
