"""Sections of a report that follow from run records alone, whatever the job: they know no job."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from sparkclean.config.model import config_model
from sparkclean.config.output_locations import last_part, with_table_in_locations
from sparkclean.lake import version_selector
from sparkclean.plots import blocks
from sparkclean.plots.parts import (
    ORDER,
    Block,
    Cell,
    Column,
    Commands,
    Facts,
    Notice,
    ReportPart,
    Table,
    Text,
)
from sparkclean.runs.gates import Verdict
from sparkclean.runs.past import choose, listed, parsed, table_of
from sparkclean.runs.status import CLEANED_CONFLICT, GATE_FAILED, PUBLISHED
from sparkclean.schema import CONFIG_FINGERPRINT, DATASET_VERSION, JOB, RUN_ID
from sparkclean.texts import redact_config

if TYPE_CHECKING:
    from sparkclean.config.sections import Config

#: Runs that a history shows, the newest ones.
_MOST_RUNS = 200
#: Characters of a command that is shown; one that is cut would be another one.
_LONGEST_COMMAND = 3500
#: Sections of a configuration on which no answer depends, or that change with every run.
_PLACES = ("output", "spark", "report")


# -- the top ---------------------------------------------------------------------------------------


def top_part(record: Mapping[str, Any]) -> ReportPart:
    """Say how the run ended; what its job adds to the section stands below.

    Parameters
    ----------
    record : mapping

    Returns
    -------
    ReportPart
    """
    return ReportPart("top", "Result", [verdict_of(record)], ORDER["top"])


def gates_part(record: Mapping[str, Any]) -> ReportPart:
    """Say what each gate wanted and found, at the end of the first section.

    Parameters
    ----------
    record : mapping

    Returns
    -------
    ReportPart
    """
    gates = [Verdict(**gate) for gate in parsed(record, "gates") or []]
    rows = [
        (
            f"{gate.section}.{gate.gate}",
            "at least" if gate.at_least else "at most",
            float(gate.limit),
            float(gate.found),
            "passed" if gate.passed else "failed",
            gate.detail or gate.text,
        )
        for gate in gates
    ]
    columns = (
        Column("gate"),
        Column("wants"),
        Column("limit", numeric=True),
        Column("found", numeric=True),
        Column("verdict"),
        Column("about"),
    )
    table = [Table(columns, rows, "Gates", sortable=False)] if rows else []
    return ReportPart("top", "Result", table, ORDER["top"])


def verdict_of(record: Mapping[str, Any]) -> Notice:
    """Say in a box how a run ended."""
    status, message = record["status"], record.get("message") or ""
    gates = parsed(record, "gates") or []
    if status == PUBLISHED:
        if not gates:
            return Notice(
                "No gate is set: what was found was published as it is.", title="Published"
            )
        said = f"All {len(gates)} gates passed." if len(gates) > 1 else "The gate passed."
        return Notice(said, title="Published")
    if status == GATE_FAILED:
        title = "Gate failed" if any(not gate["passed"] for gate in gates) else "Refused"
        return Notice(message or "Nothing was published.", "error", title)
    if status == CLEANED_CONFLICT:
        text = message or "Another run was first with its version of the dataset."
        return Notice(text, "warning", "No version of its own")
    return Notice(
        message or "Nothing of it counts until it is repeated.",
        "error",
        str(status).replace("_", " ").capitalize(),
    )


# -- what changed ----------------------------------------------------------------------------------


def changed_part(record: Mapping[str, Any], before: Mapping[str, Any] | None) -> ReportPart | None:
    """Compare a run with the last published one of its job and table.

    Parameters
    ----------
    record : mapping
    before : mapping or None

    Returns
    -------
    ReportPart or None
        None without an earlier run.
    """
    if before is None:
        return None
    rows: list[tuple[Cell, ...]] = [
        (name, was, now, None if was is None or now is None else now - was)
        for name, was, now in _numbers(before, record)
    ]
    columns = (
        Column("number"),
        Column("before", numeric=True),
        Column("now", numeric=True),
        Column("change", numeric=True),
    )
    since = f"{before['original_run_id']}, which ended {_moment(before)}"
    found: list[Block] = [
        Text(f"Compared with the last published run of this job and table: {since}."),
        Table(columns, rows, "Numbers", sortable=False),
    ]
    same = [
        ("input version", _same(before, record, DATASET_VERSION)),
        ("configuration", _same(before, record, CONFIG_FINGERPRINT)),
        ("answer", _same(before, record, "result_hash")),
    ]
    found.append(Facts([(name, text) for name, text in same if text]))
    differing = list(_differing(before, record))
    if differing:
        names = (Column("setting or package"), Column("before"), Column("now"))
        found.append(Table(names, differing, "What else is different", sortable=False))
    return ReportPart("changed", "What changed", found, ORDER["changed"])


def _numbers(
    before: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[tuple[str, float | None, float | None]]:
    """Pair the numbers of two runs, by name."""
    ours = {"rows": now.get("rows")} | (parsed(now, "metrics") or {})
    theirs = {"rows": before.get("rows"), "suspects": before.get("suspects")}
    theirs |= parsed(before, "metrics") or {}
    ours["seconds"], theirs["seconds"] = now.get("seconds"), before.get("seconds")
    for name, value in ours.items():
        was = theirs.get(name)
        if _is_number(value) and (was is None or _is_number(was)):
            yield name.replace("_", " "), was, value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(before: Mapping[str, Any], now: Mapping[str, Any], name: str) -> str:
    was, is_now = before.get(name), now.get(name)
    if was is None or is_now is None:
        return ""
    return "the same" if was == is_now else f"another one: {str(was)[:16]} → {str(is_now)[:16]}"


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name in ("config", "versions"):
        was, is_now = parsed(before, name), parsed(now, name)
        if was is None or is_now is None:  # records of a history do not have them
            continue
        if name == "config":
            was, is_now = (
                {k: v for k, v in redact_config(c).items() if k not in _PLACES}
                for c in (was, is_now)
            )
        old, new = dict(flattened(was)), dict(flattened(is_now))
        for key in dict.fromkeys([*old, *new]):
            if old.get(key) != new.get(key):
                yield key, old.get(key, ""), new.get(key, "")


def flattened(content: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Write nested settings as ``section.key`` and value.

    Parameters
    ----------
    content : mapping
        As JSON has it.
    above : str
        What stands before each key.

    Yields
    ------
    (str, str)
    """
    for key, value in content.items():
        if isinstance(value, Mapping) and value:
            yield from flattened(value, f"{above}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield f"{above}{key}", text


# -- history ---------------------------------------------------------------------------------------


def history_part(
    past: Sequence[Mapping[str, Any]], *, name: str = "history", title: str = "History"
) -> ReportPart:
    """Show how runs of one job and table went.

    Parameters
    ----------
    past : sequence of mapping
        Of `read_past`, the oldest first.
    name, title : str
        Of the section.

    Returns
    -------
    ReportPart
    """
    newest = list(past)[-_MOST_RUNS:]
    chart = blocks.history(newest)
    found: list[Block] = [] if chart is None else [chart]
    found.append(runs_table(newest, total=len(past)))
    return ReportPart(name, title, found, ORDER["history"])


def runs_table(past: Sequence[Mapping[str, Any]], *, total: int) -> Table:
    """List runs, the newest first."""
    rows = [tuple(row.values()) for row in reversed(listed(past))]
    units = {"noise": "%", "seconds": "s"}
    numeric = {"rows", "suspects", *units}
    names = {RUN_ID: "run id", "finished_at": "ended (UTC)"}
    columns = [
        Column(names.get(name, name), numeric=name in numeric, unit=units.get(name, ""))
        for name in (listed(past[:1])[0] if past else {})
    ]
    return Table(columns, rows, "Runs, the newest first", total=total)


def histories(past: Sequence[Mapping[str, Any]]) -> list[ReportPart]:
    """Show all runs, apart by job and table.

    Parameters
    ----------
    past : sequence of mapping

    Returns
    -------
    list of ReportPart
    """
    keys = dict.fromkeys((row[JOB], table_of(row)) for row in reversed(past) if table_of(row))
    parts = []
    for number, (job, table) in enumerate(keys, 1):
        own = choose(past, job=job, table=table)
        title = f"{job or 'unknown job'} of {last_part(table or '')}"
        part = history_part(own, name=f"history-{number:03}", title=title)
        parts.append(replace(part, blocks=[Facts([("table", str(table))]), *part.blocks]))
    return parts


def history_top(past: Sequence[Mapping[str, Any]], records: str) -> ReportPart:
    """Sum up all runs of a table of run records."""
    if not past:
        return ReportPart("top", "Runs", [Notice("There are no runs yet.")], ORDER["top"])
    newest = past[-1]
    published = sum(row["status"] == PUBLISHED for row in past)
    facts = [
        ("runs", f"{len(past):,}"),
        ("published", f"{published:,}"),
        ("tables", f"{len({table_of(row) for row in past} - {None}):,}"),
        ("newest", f"{newest['original_run_id']} ({newest[JOB]}), {newest['status']}"),
    ]
    run = shlex.quote(str(newest["original_run_id"]))
    command = f"sparkclean report {shlex.quote(records)} --run-id {run} -o report.html"
    lines = [("A report on one run", command)]
    return ReportPart("top", "Runs", [Facts(facts), Commands(lines)], ORDER["top"])


# -- where it came from ----------------------------------------------------------------------------


def origin_part(record: Mapping[str, Any]) -> ReportPart:
    """Say what the run has read, with what, how long it took, and how it is done again.

    Parameters
    ----------
    record : mapping

    Returns
    -------
    ReportPart
    """
    facts = [
        ("run id", record["original_run_id"]),
        ("job", record[JOB]),
        ("ended", _moment(record)),
        ("seconds", None if record.get("seconds") is None else f"{record['seconds']:,.1f}"),
        ("config fingerprint", record.get(CONFIG_FINGERPRINT)),
        ("result hash", record.get("result_hash")),
    ]
    facts += [
        (f"parent run ({parent['job']})", parent["run_id"])
        for parent in parsed(record, "parents") or []
    ]
    found: list[Block] = [Facts([(name, str(value)) for name, value in facts if value is not None])]
    pins = list(_pins(parsed(record, "input") or {}))
    if pins:
        columns = (
            Column("what"),
            Column("table"),
            Column("format"),
            Column("version"),
            Column("rows", numeric=True),
            Column("files", numeric=True),
        )
        found.append(Table(columns, pins, "Tables that were read", sortable=False))
    made = parsed(record, "outputs") or {}
    if made:
        places = [(name, one.get("location"), one.get("version")) for name, one in made.items()]
        titles = (Column("output"), Column("location"), Column("version"))
        found.append(Table(titles, places, "What was published", sortable=False))
    phases = blocks.phases(record) if parsed(record, "phases") else None
    found += [] if phases is None else [phases]
    versions = parsed(record, "versions") or {}
    if versions:
        software = [(name, str(version)) for name, version in versions.items()]
        found.append(Table((Column("software"), Column("version")), software, "Versions"))
    config = redact_config(parsed(record, "config") or {})
    if config:
        names = (Column("setting"), Column("value"))
        found.append(Table(names, list(flattened(config)), "Configuration as it was"))
        found.append(Commands(reproducing(record)))
    return ReportPart("origin", "Where it came from", found, ORDER["origin"])


def _pins(content: Mapping[str, Any]) -> Iterator[tuple[Cell, ...]]:
    named = {"input": content} | {k: v for k, v in content.items() if isinstance(v, Mapping)}
    for name, pin in named.items():
        if "table" in pin:
            version = pin.get("version") or str(pin.get("dataset_version", ""))[:16]
            yield name, pin["table"], pin.get("format"), version, pin.get("rows"), pin.get("files")


def reproducing(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Write the commands by which a run is done again, on what it has read.

    Parameters
    ----------
    record : mapping

    Returns
    -------
    list of (str, str)
        What each does, and the command.
    """
    config = redact_config(parsed(record, "config") or {})
    pin = parsed(record, "input") or {}
    settings = not_default(config)
    if pin.get("version") is not None and "input" in settings:
        selector = version_selector(pin.get("format", ""), str(pin["version"]))
        settings["input"] = {**settings["input"], "version": selector}
    again = shlex.quote(f"{record['original_run_id']}-again")
    written = shlex.quote(json.dumps(settings))
    command = f"printf %s {written} | sparkclean {record[JOB]} --config - --run-id {again}"
    if len(command) > _LONGEST_COMMAND:
        file = f"{record[JOB]}.yaml"
        what = f"Run it again under a new run id, with the configuration above in {file}"
        return [(what, f"sparkclean {record[JOB]} --config {file} --run-id {again}")]
    return [("Run it again on the same version of the table, under a new run id", command)]


def not_default(config: Mapping[str, Any]) -> dict[str, Any]:
    """Leave settings out that have their default.

    Parameters
    ----------
    config : mapping
        As JSON has it, of a record; also one of before.

    Returns
    -------
    dict
    """
    table = config.get("input", {}).get("table", "table")
    of_table = cast("Config", config_model()(input={"table": table}))
    defaults = with_table_in_locations(of_table).model_dump(mode="json")
    kept: dict[str, Any] = {}
    for name, value in config.items():
        default = defaults.get(name)
        if isinstance(value, Mapping) and isinstance(default, Mapping):
            own = {k: v for k, v in value.items() if k not in default or default[k] != v}
            if name == "input":
                own = {"table": table} | own
            if own:
                kept[name] = own
        elif value != default:
            kept[name] = value
    return kept


def _moment(record: Mapping[str, Any]) -> str:
    moment = record.get("finished_at")
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"


def title_of(record: Mapping[str, Any]) -> str:
    """Write the title of a page about a run."""
    table = table_of(record)
    named = "a table" if table is None else last_part(table)
    job = str(record[JOB]).replace("-", " ").capitalize()
    return f"{job} of {named}, run {record['original_run_id']}"
