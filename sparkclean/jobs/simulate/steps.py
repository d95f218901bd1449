"""The steps of a simulation: pin and check; count; plant; stage."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkclean.config.classes import resolve_classes
from sparkclean.errors import ConfigError, InputError, first_of
from sparkclean.examples.checks import count_duplicate_ids
from sparkclean.examples.columns import check_classes, check_id_types, check_label_type
from sparkclean.jobs.simulate.frames import (
    Labelled,
    add_ranks,
    class_frame,
    collect_plan,
    label_rows,
)
from sparkclean.jobs.simulate.noises import noises_of
from sparkclean.jobs.simulate.planting import CODE, NOISE, NOISY, SOURCE, PlantRows
from sparkclean.jobs.simulate.sections import NoiseSection, SimulateSection
from sparkclean.lake import open_source, spark_path
from sparkclean.noise.simulate import UNCHANGED
from sparkclean.rows.columns import find_columns, quoted, unused_name, where
from sparkclean.rows.emitted import ID_PREFIX
from sparkclean.rows.report import Grid, Line, Report
from sparkclean.rows.tasks import map_in_arrow
from sparkclean.runs.context import Context
from sparkclean.runs.job import Execution, Prepared, Result

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

#: Classes that noise is planted among: the driver holds matrices of them.
MOST_CLASSES = 2000
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class SimulatePrepared(Prepared):
    """A simulation that is ready.

    Attributes
    ----------
    label : str
    rows : DataFrame
        That may change.
    noises : tuple of NoiseSection
        With columns in the spelling of the table.
    """

    label: str
    rows: DataFrame
    noises: tuple[NoiseSection, ...]

    @property
    def id_names(self) -> tuple[str, ...]:
        """Record id columns."""
        return tuple(name for name, _ in self.ids)


def prepare_simulation(context: Context) -> SimulatePrepared:
    """Pin the table and check the configuration against it. Writes nothing.

    Parameters
    ----------
    context : Context

    Returns
    -------
    SimulatePrepared

    Raises
    ------
    ConfigError, InputError
    """
    config = context.config
    source, columns = config.input, config.columns
    simulate = config.section(SimulateSection)
    opened = open_source(source.table, source.format, spark=context.spark)
    table = context.pin("input", opened, source.version, numbered=columns.is_numbered)
    names = [*columns.id_columns, columns.label]
    *ids, label = find_columns(table.frame, names, "columns.id and columns.label")
    schema = table.frame.schema
    findings = check_id_types(schema, ids) + check_label_type(schema, label)
    if findings:
        raise InputError(findings)
    noises = tuple(
        _with_columns(table.frame, noise, f"simulate.noise.{number}", label)
        for number, noise in enumerate(simulate.noise)
    )
    run_time = context.run_time()
    rows = where(table.frame, source.where, run_time)
    classes = resolve_classes(config)
    if classes is not None:
        check_classes(classes, label, schema[label].dataType)
        noises_of(noises, classes, simulate.seed)
    return SimulatePrepared(
        tables={"input": table},
        classes=classes or (),
        ids=tuple((name, schema[name].dataType.simpleString()) for name in ids),
        label_type=schema[label].dataType.simpleString(),
        run_time=run_time,
        label=label,
        rows=rows,
        noises=noises,
    )


def _with_columns(table: DataFrame, noise: NoiseSection, path: str, label: str) -> NoiseSection:
    """Find the columns of a noise, and check its predicate."""
    keys = [key for key in ("by", "order", "runner_up") if getattr(noise, key) is not None]
    found = find_columns(table, [getattr(noise, key) for key in keys], path)
    trigger = find_columns(table, list(noise.trigger), f"{path}.trigger")
    if noise.where is not None:
        where(table, noise.where, key=f"{path}.where")
    if label in trigger:
        raise ConfigError(f"{path}.trigger: {label!r} is the label; name other columns")
    if noise.runner_up is not None:
        kinds = [table.schema[name].dataType for name in (found[keys.index("runner_up")], label)]
        if kinds[0] != kinds[1]:
            raise InputError(
                f"{path}.runner_up: column {noise.runner_up!r} is {kinds[0].simpleString()}, and "
                f"the label is {kinds[1].simpleString()}; cast it"
            )
    update: dict[str, Any] = dict(zip(keys, found, strict=True))
    update["trigger"] = dict(zip(trigger, noise.trigger.values(), strict=True))
    return noise.model_copy(update=update)


def describe_simulation(prepared: SimulatePrepared, context: Context) -> Report:
    """Say what would be planted.

    Parameters
    ----------
    prepared : SimulatePrepared
    context : Context

    Returns
    -------
    Report
    """
    pin = prepared.input.pin
    facts = [("input", pin.shown)]
    for noise in prepared.noises:
        rate = "" if noise.rate is None else f", rate {noise.rate:g}"
        facts.append(("noise", f"{noise.kind}{rate}"))
    return Report([Grid(facts, line="{0:<9} {1}"), context.publishes])


def execute_simulation(prepared: SimulatePrepared, execution: Execution) -> Result:
    """Plant the noise, and stage both tables.

    Parameters
    ----------
    prepared : SimulatePrepared
    execution : Execution

    Returns
    -------
    Result

    Notes
    -----
    One job writes record ids and classes, which all else reads. For each noise one job counts, and
    the job that plants has a shuffle or two; then a join of the rows that change with the table.
    """
    context, progress = execution.context, execution.progress
    simulate = context.config.section(SimulateSection)
    kind = prepared.rows.schema[prepared.label].dataType
    with progress.phase("check record ids and labels") as phase:
        ids = prepared.id_names
        phase.rows = count_duplicate_ids(prepared.input.frame, ids, ids)
        classes = prepared.classes or _collect_classes(prepared)
        noises = noises_of(prepared.noises, classes, simulate.seed)
        rows = label_rows(prepared.rows, ids, prepared.label, classes, prepared.noises)
        rows = _write_labelled(rows, execution)
        _collect_strange_labels(rows, prepared)
    with progress.phase("count rows by noise and class"):
        plans = [
            collect_plan(rows, number, noise, len(classes)) for number, noise in enumerate(noises)
        ]
    with progress.phase("plant noise"):
        for number, plan in enumerate(plans):
            rows = add_ranks(rows, number, plan, simulate.seed)
        plant = PlantRows(tuple(plans), rows.ids, simulate.seed)
        planted = _write_planted(rows, plant, prepared, execution)
        counts = planted.groupBy(NOISE).agg(
            F.count("*").alias("rows"), _hash_sum(rows.ids).alias("hash")
        )
        found = {row[NOISE]: row for row in counts.collect()}
    execution.computed()
    with progress.phase("write both tables"):
        _stage(prepared, execution, planted, classes, kind)
    return _result(found, prepared.noises)


def _write_labelled(rows: Labelled, execution: Execution) -> Labelled:
    """Write record ids, class numbers and what noise goes by, once; give them as read again."""
    folder = execution.folder / "labelled"
    rows.frame.write.mode("overwrite").parquet(spark_path(folder))
    read = execution.context.spark.read.schema(rows.frame.schema).parquet(spark_path(folder))
    return Labelled(read, rows.ids)


def _collect_classes(prepared: SimulatePrepared) -> tuple[Any, ...]:
    """List the labels that there are. One job."""
    label = quoted(prepared.label)
    distinct = prepared.rows.where(label.isNotNull()).select(label.alias("label")).distinct()
    found = sorted(row[0] for row in distinct.limit(MOST_CLASSES + 1).collect())
    if len(found) > MOST_CLASSES:
        raise InputError(
            f"columns.label: column {prepared.label!r} holds more than {MOST_CLASSES:,} labels; "
            "noise is planted among at most so many"
        )
    if len(found) < 2:
        shown = first_of(list(map(repr, found))) or "none"
        raise InputError(
            f"columns.label: column {prepared.label!r} holds {len(found)} labels ({shown}); noise "
            "needs at least 2; list more in classes, or check input.where"
        )
    return tuple(found)


def _collect_strange_labels(rows: Labelled, prepared: SimulatePrepared) -> None:
    """Refuse rows without a label that is a class. One job, or two."""
    strange = rows.frame.where(F.col(CODE).isNull())
    some = strange.select(*rows.ids).orderBy(*rows.ids).limit(_SHOWN).collect()
    if not some:
        return
    shown = ", ".join(str(row[0] if len(row) == 1 else tuple(row)) for row in some)
    raise InputError(
        f"columns.label: {strange.count():,} rows have in column {prepared.label!r} null, or a "
        f"label that is not among the classes, record ids {shown}; correct them, or leave them "
        "out with input.where"
    )


def _write_planted(
    rows: Labelled, plant: PlantRows, prepared: SimulatePrepared, execution: Execution
) -> DataFrame:
    """Write record ids, classes and noise of every row, once; give them as they are read again."""
    ids = [f"`{name}` {kind}" for name, (_, kind) in zip(rows.ids, prepared.ids, strict=True)]
    schema = ", ".join([*ids, f"{CODE} int, {NOISY} int, {NOISE} int, {SOURCE} string"])
    folder = execution.folder / "planted"
    map_in_arrow(rows.frame, plant, schema).write.mode("overwrite").parquet(spark_path(folder))
    return execution.context.spark.read.schema(schema).parquet(spark_path(folder))


def _hash_sum(ids: Sequence[str]) -> Column:
    """Add up hashes of rows, in whatever order they come."""
    return F.sum(F.xxhash64(*map(F.col, ids), NOISY, NOISE).cast("decimal(38,0)"))


def _stage(
    prepared: SimulatePrepared,
    execution: Execution,
    planted: DataFrame,
    classes: Sequence[Any],
    kind: Any,
) -> None:
    """Stage what is wanted of both outputs."""
    outputs, spark = execution.outputs, execution.context.spark
    true = class_frame(spark, classes, kind, "true_label", CODE)
    noisy = class_frame(spark, classes, kind, "noisy_label", NOISY)
    named = planted.join(F.broadcast(true), CODE).join(F.broadcast(noisy), NOISY)
    if outputs.wants("truth"):
        names = F.array(*[F.lit(noise.kind) for noise in prepared.noises])
        ids = [F.col(f"{ID_PREFIX}{i}").alias(name) for i, name in enumerate(prepared.id_names)]
        own = [
            *ids,
            F.col("true_label"),
            F.col("noisy_label"),
            F.when(F.col(NOISE) != UNCHANGED, F.get(names, F.col(NOISE))).alias("kind"),
            F.col(SOURCE),
        ]
        outputs.stage_frame("truth", named.select(*own, *execution.provenance.columns()))
    if outputs.wants("noisy"):
        outputs.stage_frame("noisy", _noisy(prepared, named.where(F.col(NOISE) != UNCHANGED)))


def _noisy(prepared: SimulatePrepared, changed: DataFrame) -> DataFrame:
    """Give the whole table with the labels that noise has changed, and its triggers. Lazy."""
    table = prepared.input.frame
    names = prepared.input.own_frame.columns
    label, noise = unused_name("__noisy", table.columns), unused_name("__noise", table.columns)
    keys = [unused_name(f"{ID_PREFIX}{i}", table.columns) for i in range(len(prepared.ids))]
    changes = changed.select(
        *(F.col(f"{ID_PREFIX}{i}").alias(key) for i, key in enumerate(keys)),
        F.col("noisy_label").alias(label),
        F.col(NOISE).alias(noise),
    )
    on = [quoted(name) == F.col(key) for name, key in zip(prepared.id_names, keys, strict=True)]
    joined = table.join(changes, on, "left")
    own = []
    for name in names:
        column = quoted(name)
        if name == prepared.label:
            column = F.coalesce(F.col(label), column)
        for number, section in enumerate(prepared.noises):
            if name in section.trigger:
                value = F.lit(section.trigger[name]).cast(table.schema[name].dataType)
                column = F.when(F.col(noise) == number, value).otherwise(column)
        own.append(column.alias(name))
    return joined.select(*own)


def _result(found: dict[int, Any], noises: Sequence[NoiseSection]) -> Result:
    rows = sum(row["rows"] for row in found.values())
    counts = [found[k]["rows"] if k in found else 0 for k in range(len(noises))]
    changed = sum(counts)
    digest = hashlib.sha256(
        "".join(f"{k}:{found[k]['rows']}:{found[k]['hash']};" for k in sorted(found)).encode()
    )
    by_kind: dict[str, int] = {}
    for noise, count in zip(noises, counts, strict=True):
        by_kind[noise.kind] = by_kind.get(noise.kind, 0) + count
    metrics = {"rows": rows, "changed": changed} | {f"changed_{k}": n for k, n in by_kind.items()}
    text = f"{changed:,} of {rows:,} labels changed ({100 * changed / rows:.2f} %)"
    lines = [[noise.kind, f"{count:,}"] for noise, count in zip(noises, counts, strict=True)]
    return Result(
        rows=rows,
        metrics=metrics,
        result_hash=digest.hexdigest(),
        report=Report([Line(text), Grid(lines, titles=("noise", "labels"), right=[1])]),
    )
