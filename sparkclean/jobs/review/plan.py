"""Draw what people look at: a random part, suspects, gold items, disagreements."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pyspark.sql import Window
from pyspark.sql import functions as F

from sparkclean import schema
from sparkclean.config.review import ReviewSection
from sparkclean.errors import ConfigError, InputError
from sparkclean.examples.ledger import (
    CONTRADICTORY,
    DECIDED,
    DISPUTED,
    HIGHEST,
    LABEL,
    LOWEST,
    STATE,
    content_hash,
    settle,
)
from sparkclean.jobs.review.assign import Assignments, assign, hash_of
from sparkclean.jobs.review.audited import Audited, find_reviewed_audit, open_audited
from sparkclean.jobs.review.population import (
    UNIT,
    Population,
    collect_population,
    draw,
    drawn_before,
)
from sparkclean.jobs.review.steps import (
    ReviewPrepared,
    frame_of_ids,
    open_reviewed,
    read_ledger,
    read_output,
    sorted_ids,
)
from sparkclean.noise.rates import allocate
from sparkclean.noise.strata import SUSPECTS
from sparkclean.rows.columns import find_columns, quoted
from sparkclean.rows.driver_rows import rows_frame
from sparkclean.rows.report import Grid, Line, Report
from sparkclean.runs.context import Context, Parent
from sparkclean.runs.job import Execution, Result
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


def prepare_plan(context: Context) -> ReviewPrepared:
    """Pin the table and find the audit. Writes nothing.

    Parameters
    ----------
    context : Context

    Returns
    -------
    ReviewPrepared

    Raises
    ------
    ConfigError, InputError
    """
    section = context.config.section(ReviewSection)
    if not section.reviewers:
        raise ConfigError(
            "review.reviewers: [] names nobody; list the reviewers, such as [ann, bob]"
        )
    if not section.budget:
        raise ConfigError("review.budget: 0 asks for no example; write at least 1")
    for name in ("queue", "strata"):
        context.config.output.needed(name, context.job)
    table, ids, label, label_type = open_reviewed(context)
    wanted = [*section.content, *([section.annotator] if section.annotator else [])]
    find_columns(table.frame, wanted, "review.content and review.annotator")
    content_hash(table.frame, section.content)
    audit = find_reviewed_audit(context)
    audited = open_audited(context, table, audit)
    return ReviewPrepared(
        tables={"input": table} | audited.tables,
        ids=ids,
        label_type=label_type,
        label=label,
        notes={"audit": audit.run_id},
        parents=(Parent("audit", audit.run_id),),
        about={"audit": audit.run_id},
        more={"audited": audited},
    )


def describe_plan(prepared: ReviewPrepared, context: Context) -> Report:
    """Say what a plan would draw from. No job."""
    section = context.config.section(ReviewSection)
    facts = [
        ("audit", prepared.more["audited"].audit.run_id),
        ("input", prepared.input.pin.table),
        ("budget", f"{section.budget:,} examples, {section.reviews_per_item} reviews each"),
        ("reviewers", ", ".join(section.reviewers)),
    ]
    places = [(f"publishes {name}", f"to {t.location}") for name, t in context.targets.items()]
    return Report([Grid(facts, line="{0:<9} {1}"), Grid(places, line="{0:<17} {1}")])


def execute_plan(prepared: ReviewPrepared, execution: Execution) -> Result:
    """Draw the examples, choose their reviewers, stage queue and strata.

    Reads the probabilities once, record ids and content once more.

    Parameters
    ----------
    prepared : ReviewPrepared
    execution : Execution

    Returns
    -------
    Result

    Raises
    ------
    InputError
        If nothing is left to look at.
    """
    context, section = execution.context, execution.context.config.section(ReviewSection)
    audited: Audited = prepared.more["audited"]
    with execution.progress.phase("read the model's view") as phase:
        population = collect_population(
            audited.examples,
            audited.columns,
            audited.suspects,
            tolerance=audited.tolerance,
            folder=str(execution.folder),
            design=(audited.run, prepared.input.pin.dataset_version, section.seed),
        )
        phase.rows = sum(population.sizes)
    with execution.progress.phase("draw") as phase:
        chosen, before = _choose(prepared, context, population)
        if not chosen:
            raise InputError(
                f"review.budget: {section.budget}, but nothing of {prepared.input.pin.table} is "
                "left to look at: all was drawn, or decided. Import the decisions, or audit again"
            )
        rows, assigned = _queue_rows(prepared, execution, chosen, population)
        phase.rows = len(chosen)
    execution.computed()
    if execution.outputs.wants("queue"):
        columns = (*prepared.ids, *schema.QUEUE)
        frame = rows_frame(context.spark, rows, columns, prepared.label_type)
        execution.outputs.stage_frame("queue", frame)
    if execution.outputs.wants("strata"):
        strata = _strata_rows(population, before, chosen, execution)
        execution.outputs.stage_rows("strata", strata, prepared.label_type)
    return _result(population, chosen, assigned, context)


# -- the parts -------------------------------------------------------------------------------------


def _choose(
    prepared: ReviewPrepared, context: Context, population: Population
) -> tuple[list[Chosen], dict[Any, int]]:
    """Choose the examples of all parts; give what earlier plans have drawn, too."""
    section, ids = context.config.section(ReviewSection), prepared.id_columns
    queue = read_output(context, "queue", needed=False)
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
    there = {_key(each.row, ids) for each in random}
    return [
        *disputes,
        *random,
        *suspects,
        *(each for each in gold if _key(each.row, ids) not in there),
    ], before


def _drawn_with(
    population: Population, stratum: int, before: list[int], drawn: list[int]
) -> dict[str, Any]:
    share = (before[stratum] + drawn[stratum]) / population.sizes[stratum]
    return {"inclusion_probability": round(share, 9)}


def _before(context: Context, population: Population) -> dict[Any, int]:
    rows = read_output(context, "strata", needed=False)
    if rows is None:
        return {}
    same = rows.where(F.col("design") == population.design)
    found = same.select("stratum", "given_label", "rank_decile", "drawn").collect()
    return drawn_before([row.asDict() for row in found], population.names)


def _collect(frame: DataFrame, ids: list[str]) -> list[dict[str, Any]]:
    return [row.asDict() for row in frame.orderBy(*sorted_ids(ids)).collect()]


def _key(row: dict[str, Any], ids: list[str]) -> tuple[Any, ...]:
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
    drawn = {_key(each.row, ids) for each in random}
    place = F.row_number().over(Window.partitionBy("given_label").orderBy("rank"))
    is_first = F.col("__place") <= section.suspects_per_class
    ordered = open_.withColumn("__place", place).orderBy(
        F.when(is_first, F.col("__place")).otherwise(section.suspects_per_class + 1), "rank"
    )
    rows = [row.asDict() for row in ordered.limit(count + len(drawn)).collect()]
    free = [row for row in rows if _key(row, ids) not in drawn]
    return [Chosen("suspects", row, {}) for row in free[:count]]


def _voters(votes: DataFrame, ids: list[str], wanted: DataFrame) -> dict[Any, tuple[str, ...]]:
    """Tell who has decided on examples."""
    found = votes.join(wanted, ids).groupBy(*ids).agg(F.sort_array(F.collect_set("reviewer")))
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
    keys = [tuple(row) for row in some.limit(count).select(*ids, "gold_label").collect()]
    kinds = (*prepared.ids, ("gold_label", prepared.label_type))
    frame = frame_of_ids(context.spark, keys, kinds)
    voters = _voters(votes, ids, frame.select(*ids))
    return [
        Chosen(GOLD, row, {"gold_label": row.pop("gold_label")}, voters.get(_key(row, ids), ()))
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
    voters = _voters(votes, ids, frame.select(*ids))
    alike = _settled_alike(settled, ids, {key[len(ids) :] for key in keys})
    chosen = []
    for row in _with_views(population, frame, ids):
        low, high = row.pop(LOWEST), row.pop(HIGHEST)
        labels = f"{low} | {high}" if low != high else f"{low} | unclear"
        more = {"votes": labels, "settled_examples": alike.get((low, high))}
        chosen.append(Chosen(ADJUDICATE, row, more, voters.get(_key(row, ids), ())))
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


# -- the queue -------------------------------------------------------------------------------------


def _queue_rows(
    prepared: ReviewPrepared,
    execution: Execution,
    chosen: list[Chosen],
    population: Population,
) -> tuple[list[dict[str, Any]], Assignments]:
    """Order the examples by a hash, so that no part shows, and give them reviewers."""
    context, ids = execution.context, prepared.id_columns
    section = context.config.section(ReviewSection)
    table = prepared.input.frame
    annotator = F.lit(None) if section.annotator is None else quoted(section.annotator)
    read = table.select(
        *map(quoted, ids),
        content_hash(table, section.content).alias(schema.CONTENT_HASH),
        annotator.cast("string").alias("__annotator"),
    )
    keys = sorted({_key(each.row, ids) for each in chosen}, key=str)
    wanted = frame_of_ids(context.spark, keys, prepared.ids)
    found = {
        tuple(row[: len(ids)]): row[len(ids) :]
        for row in read.join(F.broadcast(wanted), ids).collect()
    }
    texts = {id(each): f"{each.part}/{_key(each.row, ids)!r}" for each in chosen}
    chosen = sorted(chosen, key=lambda each: hash_of(section.seed, context.run_id, texts[id(each)]))
    barred = {
        place: (*each.barred, *filter(None, found[_key(each.row, ids)][1:]))
        for place, each in enumerate(chosen)
    }
    assigned = assign(
        [texts[id(each)] for each in chosen],
        section.reviewers,
        [1 if each.part == ADJUDICATE else section.reviews_per_item for each in chosen],
        barred,
        section.seed,
    )
    rows = []
    for number, (each, names) in enumerate(zip(chosen, assigned.reviewers, strict=True), 1):
        row = dict.fromkeys(name for name, _ in schema.QUEUE) | each.row | each.more
        row |= {
            "queue_item": number,
            "part": each.part,
            "design": population.design,
            "stratum": population.names[each.row["stratum"]],
            schema.CONTENT_HASH: found[_key(each.row, ids)][0],
            **execution.provenance.values(),
        }
        rows += [row | {"reviewer": name} for name in names]
    return rows, assigned


def _strata_rows(
    population: Population, before: dict[Any, int], chosen: list[Chosen], execution: Execution
) -> list[dict[str, Any]]:
    drawn = dict(before)
    for each in chosen:
        if each.part == MEASURE:
            key = (each.row["stratum"], each.row["given_label"], each.row["rank_decile"])
            drawn[key] = drawn.get(key, 0) + 1
    return [
        {
            "design": population.design,
            "stratum": population.names[cell.stratum],
            "is_suspect": cell.stratum < SUSPECTS,
            "given_label": cell.label,
            "rank_decile": cell.decile,
            "examples": cell.examples,
            "drawn": drawn.get((cell.stratum, cell.label, cell.decile), 0),
            "doubt": cell.doubt / UNIT / cell.examples,
            **execution.provenance.values(),
        }
        for cell in population.cells
    ]


def _result(
    population: Population, chosen: list[Chosen], assigned: Assignments, context: Context
) -> Result:
    parts = {part: sum(each.part == part for each in chosen) for part in schema.QUEUE_PARTS}
    loads = assigned.loads()
    names = context.config.section(ReviewSection).reviewers
    lines: list[Line | Grid] = [
        Line(f"drew {len(chosen):,} of {sum(population.sizes):,} examples to look at"),
        Grid(
            [(part, f"{count:,}") for part, count in parts.items()],
            ("part", "examples"),
            right=(1,),
            indent=2,
        ),
        Grid(
            [(name, f"{loads.get(name, 0):,}") for name in names],
            ("reviewer", "examples"),
            right=(1,),
            indent=2,
        ),
    ]
    if assigned.short:
        lines.append(
            Line(
                f"{assigned.short:,} examples have fewer reviewers than asked for: the others have "
                "judged them before. Name more reviewers",
                "warning",
            )
        )
    metrics = {"examples": len(chosen), **parts, "reviews": sum(loads.values())}
    result = Result(rows=sum(population.sizes), metrics=metrics)
    return replace(result, report=Report(lines))
