"""The tables of a ranking: columns checked, and laid out so that an item's rows come together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BooleanType, NumericType

from sparkclean.errors import InputError, first_of
from sparkclean.examples.columns import INTEGERS
from sparkclean.jobs.rank_models import tally
from sparkclean.jobs.rank_models.sections import RankSection
from sparkclean.lake import open_source, original_run_id, safe_run_id
from sparkclean.locations import same_place
from sparkclean.rows.columns import find_columns, quoted, where
from sparkclean.runs.context import Context, PinnedTable
from sparkclean.schema import RUN_ID

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import DataType

#: Rows of the table of an audit: whether the item is there.
_THERE = "__there"
_AUDITED = "__audited"
_RUNS_SHOWN = 5


@dataclass(frozen=True)
class Answers:
    """Where the answers are, by checked columns.

    Attributes
    ----------
    frame : DataFrame
        Of the rows that are compared.
    item : str
    model : str or None
        None where each of `values` is a model.
    values : tuple of str
        Columns of predictions, or the column of probabilities.
    has_probs : bool
    """

    frame: DataFrame
    item: str
    model: str | None
    values: tuple[str, ...]
    has_probs: bool

    def rows(self, models: tuple[str, ...]) -> DataFrame:
        """Give a row for each item and model: `tally.ITEM`, number of the model, answer. Lazy."""
        if self.model is None:
            each = [
                F.struct(F.lit(k).alias(tally.MODEL), quoted(name).cast("string").alias(tally.TEXT))
                for k, name in enumerate(self.values)
            ]
            exploded = self.frame.select(
                quoted(self.item).alias(tally.ITEM), F.explode(F.array(*each)).alias("__answer")
            )
            answer = F.col("__answer")
            return exploded.select(
                tally.ITEM,
                answer[tally.MODEL].alias(tally.MODEL),
                answer[tally.TEXT].alias(tally.TEXT),
            )
        numbers = self.frame.sparkSession.createDataFrame(
            [(name, k) for k, name in enumerate(models)], f"__name string, {tally.MODEL} int"
        )
        value = quoted(self.values[0])
        value = value if self.has_probs else value.cast("string")
        own = self.frame.select(
            quoted(self.item).alias(tally.ITEM),
            quoted(self.model).cast("string").alias("__name"),
            value.alias(tally.PROBS if self.has_probs else tally.TEXT),
        )
        return own.join(F.broadcast(numbers), "__name").drop("__name")


@dataclass(frozen=True)
class Labels:
    """A row for each item: what its label is, and whether that is right.

    Attributes
    ----------
    frame : DataFrame
        Columns `tally.ITEM`, `tally.TEXT`, `tally.CORRECTED`, `tally.IS_VALID`. Lazy.
    """

    frame: DataFrame


def open_answers(
    context: Context, rank: RankSection, run_time: str | None
) -> tuple[PinnedTable, Answers]:
    """Pin the answers and check their columns.

    Raises
    ------
    ConfigError, InputError
    """
    source, answers = context.config.input, rank.answers
    opened = open_source(answers.table, source.format, spark=context.spark)
    table = context.pin("input", opened, source.version)
    values = [*answers.predictions]
    values += [name for name in (answers.prediction, answers.probabilities) if name is not None]
    model = [] if answers.model is None else [answers.model]
    names = [answers.item, *model, *values]
    item, *rest = find_columns(table.frame, names, "rank.answers")
    schema, findings = table.frame.schema, []
    findings += _item_findings(schema[item].dataType, item, "rank.answers.item")
    has_probs = answers.probabilities is not None
    values = rest[len(model) :]
    for name in values:
        kind = schema[name].dataType
        if has_probs:
            is_right = isinstance(kind, ArrayType) and isinstance(kind.elementType, NumericType)
            if not is_right:
                findings.append(
                    f"rank.answers.probabilities: column {name!r} is {kind.simpleString()}; "
                    "probabilities are an array of numbers"
                )
        else:
            findings += label_findings(kind, name, "rank.answers.prediction")
    if findings:
        raise InputError(findings)
    frame = where(table.frame, source.where, run_time)
    values = values if model else sorted(values)  # as models are
    return table, Answers(frame, item, rest[0] if model else None, tuple(values), has_probs)


def open_labels(
    context: Context, rank: RankSection, table: PinnedTable, answers: Answers
) -> tuple[dict[str, PinnedTable], Labels]:
    """Pin the labels, and what an audit says of them, and check the columns.

    Labels in the table of the answers are those of the same version and rows (``input.version``,
    ``input.where``).

    Raises
    ------
    ConfigError, InputError
    """
    labels = rank.labels
    if same_place(labels.table, rank.answers.table):  # the same version, the same rows
        tables, frame = {"labels": table}, answers.frame
    else:
        opened = open_source(labels.table, "auto", spark=context.spark)
        tables = {"labels": context.pin("labels", opened)}
        frame = tables["labels"].frame
    given = [] if labels.corrected is None else [labels.corrected]
    item, label, *more = find_columns(frame, [labels.item, labels.label, *given], "rank.labels")
    schema = frame.schema
    findings = _item_findings(schema[item].dataType, item, "rank.labels.item")
    for key, name in zip(("label", "corrected"), (label, *more), strict=False):
        findings += label_findings(schema[name].dataType, name, f"rank.labels.{key}")
    findings += _pair_findings(answers, schema[item].dataType, schema[label].dataType)
    if findings:
        raise InputError(findings)
    text, corrected = quoted(label).cast("string"), F.lit(None).cast("string")
    if more:
        corrected = quoted(more[0]).cast("string")
    is_valid: Column = F.lit(True)
    if labels.valid is not None:
        where(frame, labels.valid, key="rank.labels.valid")
        is_valid = F.coalesce(F.expr(labels.valid), F.lit(False))
    elif more:
        is_valid = F.coalesce(corrected == text, F.lit(True))
    own = frame.select(
        quoted(item).alias(tally.ITEM),
        text.alias(tally.TEXT),
        corrected.alias(tally.CORRECTED),
        is_valid.alias(tally.IS_VALID),
    )
    if labels.audited is not None:
        key = "cleaned" if labels.cleaned is not None else "suspects"
        tables["audit"] = context.pin(
            "audit", open_source(labels.audited, "auto", spark=context.spark)
        )
        said = tables["audit"].frame
        if key == "suspects":
            said = _collect_one_run(said, labels.audit, labels.audited)
        own = _with_audit(own, said, item, label, key)
    return tables, Labels(own)


def _collect_one_run(suspects: DataFrame, run_id: str | None, table: str) -> DataFrame:
    """Choose the suspects of one audit: the table holds those of all. One small job."""
    if RUN_ID not in suspects.columns:
        return suspects
    if run_id is not None:
        own = suspects.where(F.col(RUN_ID) == safe_run_id(run_id))
        if own.limit(1).collect():
            return own
    rows = suspects.select(RUN_ID).distinct().limit(_RUNS_SHOWN + 1).collect()
    runs = sorted(row[0] for row in rows)
    if run_id is not None:
        raise InputError(no_suspects(table, run_id, runs))
    if len(runs) > 1:
        raise InputError(
            f"rank.labels.suspects: {table} holds the suspects of several audits, such as "
            f"{first_of(runs)}; choose one by its run id in rank.labels.audit"
        )
    return suspects


def no_suspects(table: str, run_id: str, runs: Sequence[str]) -> str:
    """Say that a table holds no suspects of an audit, and of which audits it does."""
    there = first_of([repr(original_run_id(run)) for run in runs]) or "none"
    return (
        f"rank.labels.audit: {table} has no suspects of run {run_id!r}; it has those of {there}; "
        "name one of them, and leave suspects out where the audit found none"
    )


def _with_audit(own: DataFrame, audit: DataFrame, item: str, label: str, key: str) -> DataFrame:
    """Say of each label what an audit says."""
    names = [item, label] if key == "cleaned" else [item]
    found = find_columns(audit, names, f"rank.labels.{key}")
    suggested = quoted(found[1]).cast("string") if key == "cleaned" else F.lit(None).cast("string")
    said = audit.select(quoted(found[0]).alias(tally.ITEM), suggested.alias(_AUDITED))
    # of several rows of an item always the same one
    said = said.groupBy(tally.ITEM).agg(F.min(_AUDITED).alias(_AUDITED), F.lit(True).alias(_THERE))
    joined = own.join(said, tally.ITEM, "left")
    if key == "cleaned":
        is_valid = F.coalesce(F.col(_AUDITED) == F.col(tally.TEXT), F.lit(False))
    else:
        is_valid = F.col(_THERE).isNull()
    return joined.select(
        tally.ITEM,
        tally.TEXT,
        F.when(~is_valid, F.col(_AUDITED)).alias(tally.CORRECTED),
        is_valid.alias(tally.IS_VALID),
    )


def _item_findings(kind: DataType, name: str, key: str) -> list[str]:
    if isinstance(kind, INTEGERS) or kind.simpleString() == "string":
        return []
    return [
        f"{key}: column {name!r} is {kind.simpleString()}; an item is identified by an integer or "
        "a string"
    ]


def label_findings(kind: DataType, name: str, key: str) -> list[str]:
    """Find a column of labels that is neither integer, string nor boolean."""
    is_label = isinstance(kind, (*INTEGERS, BooleanType)) or kind.simpleString() == "string"
    if is_label:
        return []
    return [
        f"{key}: column {name!r} is {kind.simpleString()}; a label is an integer, a string or a "
        "boolean; cast it"
    ]


def _pair_findings(answers: Answers, item: DataType, label: DataType) -> list[str]:
    """Find columns of the two tables that cannot be compared."""
    schema, found = answers.frame.schema, []
    there = schema[answers.item].dataType
    if _family(there) != _family(item):
        found.append(
            f"rank.labels.item: is {item.simpleString()}, but rank.answers.item "
            f"({answers.item!r}) is {there.simpleString()}; cast one of the two"
        )
    if answers.has_probs:
        return found
    return (
        found
        + [
            f"rank.labels.label: is {label.simpleString()}, but column {name!r} of the answers is "
            f"{schema[name].dataType.simpleString()}; cast one of the two"
            for name in answers.values
            if _family(schema[name].dataType) != _family(label)
        ][:5]
    )


def _family(kind: DataType) -> str:
    return "integer" if isinstance(kind, INTEGERS) else kind.simpleString()
