"""The steps of a search for conflicts: pin and check, hash, group, stage."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkclean.errors import ConfigError, InputError
from sparkclean.examples import conflicts
from sparkclean.examples.checks import count_duplicate_ids
from sparkclean.examples.columns import check_id_types, check_label_type
from sparkclean.examples.conflicts import Examples, Found
from sparkclean.jobs.conflicts.sections import TEST, ConflictsSection, trusted_table
from sparkclean.jobs.conflicts.suspects import AuditView, open_view
from sparkclean.lake import open_source
from sparkclean.rows.columns import find_columns, quoted, where
from sparkclean.rows.driver_rows import typed_columns
from sparkclean.rows.report import Grid, Line, Report
from sparkclean.rows.stores import FolderStore
from sparkclean.runs.context import Context, Parent, PinnedTable
from sparkclean.runs.job import Execution, Prepared, Result

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_NAMED = "columns.id, columns.label, conflicts.columns and conflicts.split"


@dataclass(frozen=True, kw_only=True)
class ConflictsPrepared(Prepared):
    """A search that is ready.

    Attributes
    ----------
    examples : Examples
    rows : DataFrame
        That are compared, by ``input.where``.
    view : AuditView or None
        What an audit found.
    """

    examples: Examples
    rows: DataFrame
    view: AuditView | None

    @property
    def test(self) -> PinnedTable | None:
        """The table of trusted labels."""
        return self.tables.get("test")


def prepare_conflicts(context: Context) -> ConflictsPrepared:
    """Pin the tables and check the configuration against them. Writes nothing.

    Parameters
    ----------
    context : Context

    Returns
    -------
    ConflictsPrepared

    Raises
    ------
    ConfigError, InputError
    """
    config = context.config
    config.section(ConflictsSection)  # where it is missing, that is said first
    _check_outputs(context)
    source = open_source(config.input.table, config.input.format, spark=context.spark)
    table = context.pin("input", source, config.input.version, numbered=config.columns.is_numbered)
    tables = {"input": table}
    run_time = context.run_time()
    rows = where(table.frame, config.input.where, run_time)
    examples = _find_examples(context, rows)
    location = trusted_table(config)
    if location is not None:
        tables["test"] = _open_test(context, location, examples, rows)
    view = open_view(context, examples)
    types = zip(examples.ids, examples.id_types, strict=True)
    taken = [] if location is None else [(TEST, tables["test"].pin.dataset_version)]
    return ConflictsPrepared(
        tables=tables,
        ids=tuple(types),
        label_type=examples.label_type,
        run_time=run_time,
        notes={} if view is None else {"audit": view.run_id},
        parents=() if view is None else (Parent("audit", view.run_id),),
        about={} if view is None else {"audit": view.run_id},
        taken=tuple(taken),
        examples=examples,
        rows=rows,
        view=view,
    )


def _check_outputs(context: Context) -> None:
    """Refuse a run that writes neither conflicts nor leaks; raise `ConfigError`."""
    if not {"conflicts", "leaks"} & set(context.targets):
        raise ConfigError(
            "output.conflicts and output.leaks: null, so the run would publish nothing; name a "
            "location for one of them"
        )


def _find_examples(context: Context, rows: DataFrame) -> Examples:
    """Find the columns in the table, and check their types."""
    columns, section = context.config.columns, context.config.section(ConflictsSection)
    split = [] if section.split is None else [section.split]
    wanted = [*columns.id_columns, columns.label, *section.content_columns, *split]
    found = find_columns(rows, wanted, _NAMED)
    count = len(columns.id_columns)
    ids, label, content = found[:count], found[count], found[count + 1 : len(wanted) - len(split)]
    schema = rows.schema
    findings = check_id_types(schema, ids) + check_label_type(schema, label)
    findings += conflicts.content_findings(schema, content)
    for name in found[len(wanted) - len(split) :]:
        findings += [
            text.replace("columns.label", "conflicts.split").replace("a label is", "a split is")
            for text in check_label_type(schema, name)
        ]
    if section.fold and not any(conflicts.has_text(schema[name].dataType) for name in content):
        findings.append(
            "conflicts.fold: true, but none of conflicts.columns holds texts: "
            f"{', '.join(map(repr, content))}; leave it out"
        )
    if findings:
        raise InputError(findings)
    return Examples(
        ids=tuple(ids),
        id_types=tuple(schema[name].dataType.simpleString() for name in ids),
        label=label,
        label_type=schema[label].dataType.simpleString(),
        content=tuple(content),
        split=found[-1] if split else None,
        fold=section.fold,
    )


def _open_test(context: Context, location: str, examples: Examples, rows: DataFrame) -> PinnedTable:
    """Pin the table of trusted labels; its columns must be those of the table."""
    try:
        source = open_source(location, "auto", spark=context.spark)
        test = context.pin("test", source, numbered=context.config.columns.is_numbered)
    except InputError as exc:
        texts = [text.removeprefix("input.table: ") for text in exc.findings]
        raise InputError([f"{TEST}: {text}" for text in texts]) from exc
    names = [*examples.ids, examples.label, *examples.content]
    find_columns(test.frame, names, f"{TEST}, whose columns are those of input.table")
    here, there = rows.schema, test.frame.schema
    findings = [
        f"{TEST}: column {name!r} is {there[name].dataType.simpleString()}, and "
        f"{here[name].dataType.simpleString()} in input.table; give it the same type"
        for name in names
        if there[name].dataType.simpleString() != here[name].dataType.simpleString()
    ]
    if findings:
        raise InputError(findings)
    return test


def describe_conflicts(prepared: ConflictsPrepared, context: Context) -> Report:
    """Say what a search would do.

    Parameters
    ----------
    prepared : ConflictsPrepared
    context : Context

    Returns
    -------
    Report
    """
    pin, test, examples = prepared.input.pin, prepared.test, prepared.examples
    view = prepared.view
    facts = [
        ("input", pin.shown),
        ("rows", "counted when the run starts" if pin.rows is None else f"{pin.rows:,}"),
        ("content", ", ".join(examples.content) + (", folded" if examples.fold else "")),
        ("split", examples.split or "none"),
        ("test", "none" if test is None else f"{test.pin.table} ({test.pin.format})"),
        ("audit", "none" if view is None else view.run_id),
    ]
    return Report([Grid(facts, line="{0:<9} {1}"), context.publishes])


def execute_conflicts(prepared: ConflictsPrepared, execution: Execution) -> Result:
    """Hash the contents, and stage what is found.

    Reads the content columns once, and the record ids as `count_duplicate_ids` does.

    Parameters
    ----------
    prepared : ConflictsPrepared
    execution : Execution

    Returns
    -------
    Result

    Raises
    ------
    InputError
        If record ids are null or stand twice, or nothing can be compared.
    """
    examples, section = prepared.examples, execution.context.config.section(ConflictsSection)
    with execution.progress.phase("check record ids") as phase:
        phase.rows = _check_ids(prepared)
    test = prepared.test
    with execution.progress.phase("hash the contents") as phase:
        found = conflicts.find_repeated(
            examples,
            prepared.rows,
            None if test is None else test.frame,
            FolderStore(str(execution.folder)),
        )
        phase.rows = found.given.rows + found.trusted.rows
    conflicts.refuse_nothing_compared(found.given, "input.table", examples.content)
    if test is not None:
        conflicts.refuse_nothing_compared(found.trusted, TEST, examples.content)
    execution.computed()
    suspects = None if prepared.view is None else prepared.view.frame(examples)
    frames = {
        "conflicts": conflicts.conflicts_frame(found, examples, section.max_ids, suspects),
        "leaks": conflicts.leaks_frame(found, examples, section.max_ids),
    }
    with execution.progress.phase("write conflicts"):
        for name, frame in frames.items():
            if execution.outputs.wants(name):
                columns = typed_columns(execution.outputs.specs[name].columns, examples.label_type)
                # what nobody can null inside an array would be no type that a table takes later
                own_columns = [F.col(c).cast(kind) for c, kind in columns[: len(frame.columns)]]
                own = frame.select(*own_columns, *execution.provenance.columns())
                execution.outputs.stage_frame(name, own)
    metrics = _metrics(found)
    result = Result(
        rows=found.given.rows,
        metrics=metrics,
        result_hash=_result_hash(metrics, found.digest),
    )
    return replace(result, report=_summarise(found, has_places=bool(examples.split or test)))


def _check_ids(prepared: ConflictsPrepared) -> int | None:
    if prepared.input.is_numbered:
        return None
    names = list(prepared.examples.ids)
    internal = prepared.examples.id_names
    keys = [quoted(name).alias(own) for name, own in zip(names, internal, strict=True)]
    return count_duplicate_ids(prepared.rows.select(*keys), internal, names)


def _metrics(found: Found) -> dict[str, Any]:
    """Give the counts of the run record, by name."""
    given, trusted = found.given, found.trusted
    return {
        "rows": given.rows,
        "rows_without_label": given.rows - given.labelled,
        "rows_without_content": given.rows - given.with_content,
        "test_rows": trusted.rows,
        "duplicate_rows": found.duplicate_rows,
        "duplicate_contents": found.duplicate_contents,
        "conflict_rows": found.conflict_rows,
        "conflicts": found.conflicts,
        "leak_rows": found.leak_rows,
        "leaks": found.leaks,
    }


def _result_hash(metrics: dict[str, Any], digest: int) -> str:
    """Hash the answer: all counts, and every row of a conflict or leak."""
    text = json.dumps([metrics, f"{digest:064x}"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _summarise(found: Found, *, has_places: bool) -> Report:
    given = found.given
    lines = [
        f"{found.conflicts:,} contents have rows with different labels: {found.conflict_rows:,} of "
        f"{given.rows:,} rows",
        f"{found.duplicate_rows:,} rows are duplicates: they share {found.duplicate_contents:,} "
        "contents",
    ]
    if has_places:
        lines.append(f"{found.leaks:,} contents stand in several places: {found.leak_rows:,} rows")
    empty = given.rows - given.with_content
    if empty:
        lines.append(f"{empty:,} rows have no content and were not compared")
    return Report([Line(text) for text in lines])
