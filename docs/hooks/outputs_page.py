"""The reference of outputs, of the jobs' `OutputSpec`s and the schemas."""

from __future__ import annotations

from collections.abc import Iterator

from in_markdown import code, sentence, table

from sparkclean import registry, schema
from sparkclean.schema import OutputSpec

#: Columns that key an output besides the run id, where it is not the class alone.
_KEYS = {
    "pairs": (schema.GIVEN_LABEL, "true_label"),
    "annotators": (schema.ANNOTATOR,),
    "confusions": (schema.ANNOTATOR, "given", "true"),
    "agreement": ("statistic", "class"),
    "ranking": ("model", "metric"),
    "flips": ("model_a", "model_b", "metric"),
    "diagnosis": (
        "hypothesis",
        "subject_kind",
        "subject",
        schema.GIVEN_LABEL,
        "predicted_label",
        "measure",
    ),
    "strata": ("stratum", schema.GIVEN_LABEL, "rank_decile"),
    "rejected_decisions": ("file", "line"),
    "estimates": ("measure", "method", "scope", "class", "rank_decile"),
}
_HEADS = ("column", "type", "meaning")


def generate() -> str:
    """Write the part of the page that follows from the code.

    Returns
    -------
    str
        Markdown: every output, with its columns.

    Raises
    ------
    KeyError
        If a column has no description in `sparkclean.schema.COLUMN_DESCRIPTIONS`.
    """
    lines: list[str] = []
    outputs = list(all_outputs())
    lines += table(
        ("output", "written by", "holds", "default location"),
        [
            (f"[`{spec.name}`](#{spec.name})", _jobs(jobs), _holds(spec), _location(spec))
            for spec, jobs in outputs
        ],
    )
    for spec, jobs in outputs:
        lines += _output(spec, jobs)
    return "\n".join(lines)


def all_outputs() -> Iterator[tuple[OutputSpec, list[str]]]:
    """Give every output and the jobs that write it; the run record, which all write, last."""
    jobs = registry.load_jobs()
    for name, job in jobs.items():
        for spec in job.outputs:
            yield spec, [name]
    yield schema.RUN_RECORDS, list(jobs)


def _jobs(jobs: list[str]) -> str:
    return ", ".join(code(job) for job in jobs)


def _holds(spec: OutputSpec) -> str:
    return "rows of all runs" if spec.accumulates else "one version per run"


def _location(spec: OutputSpec) -> str:
    return code(spec.location) if spec.location else "beside `cleaned`"


def _output(spec: OutputSpec, jobs: list[str]) -> Iterator[str]:
    yield from (f"## `{spec.name}` {{#{spec.name}}}", "", sentence(spec.description), "")
    if spec.accumulates:
        yield "The table **accumulates**: it holds the rows of all runs."
    else:
        yield "Each run **replaces** the rows: a version is a whole dataset, and older ones stay."
    command = registry.JOBS[jobs[0]].command or jobs[0]
    yield f"`sparkclean {command}` writes it." if len(jobs) == 1 else "Every job writes it."
    yield from ("", *_key_of(spec), "")
    if spec.columns:
        rows = [*_record_id(spec), *_described(spec.name, spec.columns)]
        yield from table(_HEADS, rows)
    else:
        yield from _of_the_input(spec)
    if spec.name == "suspects":
        yield from ("`reason` by `method.filter_by`:", "")
        yield from table(
            ("filter", "reason", "meaning"),
            [
                (code(name), code(reason), schema.REASON_DESCRIPTIONS[reason])
                for name, reason in schema.SUSPECT_REASONS.items()
            ],
        )
    if spec.name == "rejected_decisions":
        yield from ("Reasons, in the order in which they are tried:", "")
        yield from (*(f"- `{reason}`" for reason in schema.DECISION_REJECTIONS), "")
    if spec.name == "rejected":
        yield from ("Reasons, in the order in which they are tried:", "")
        yield from (*(f"- `{reason}`" for reason in schema.REJECTION_REASONS), "")


_MORE = {"queue": ", `part`", "ledger": ", `queue`, `decided_at`"}


#: Keys of outputs that have no record id.
def _key_of(spec: OutputSpec) -> Iterator[str]:
    if spec.name == schema.RUN_RECORDS.name:
        yield "Key: `job` and `run_id`."
    elif not spec.columns:
        yield "Key: the record id of the input table."
    elif spec.name in ("queue", "ledger"):
        yield f"Key: record id, `reviewer`{_MORE[spec.name]} and `run_id`."
    elif spec.keyed and spec.accumulates:
        yield "Key: record id and `run_id`."
    elif spec.keyed:
        yield "Key: record id."
    else:
        names = [code(name) for name in (*_KEYS.get(spec.name, ("class",)), schema.RUN_ID)]
        yield f"Key: {', '.join(names[:-1])} and {names[-1]}."


def _record_id(spec: OutputSpec) -> Iterator[tuple[str, str, str]]:
    if spec.keyed:
        key = "annotations.item" if spec.name == "consensus" else "columns.id"
        yield "record id", "as in the input", f"The columns of `{key}`, under their own names."
    if spec.name == "predictions":
        yield "label", "as in the input", "The column of `columns.label`, under its own name."


def _described(output: str, columns: schema.Columns) -> Iterator[tuple[str, str, str]]:
    for column, kind in columns:
        whole = {"<label>": "as the label", "<annotator>": "as the annotator"}
        words = whole.get(kind, code(kind.replace("<label>", "label")))
        yield code(column), words, schema.describe_column(output, column)


def _of_the_input(spec: OutputSpec) -> Iterator[str]:
    yield from ("It has all columns of the input table.", "")
    if spec.name != "cleaned":
        return
    yield from ("Two modes of cleaning add columns:", "")
    added = [pair for columns in schema.ADDED_BY_CLEANING.values() for pair in columns]
    yield from table(_HEADS, list(_described(spec.name, tuple(added))))
