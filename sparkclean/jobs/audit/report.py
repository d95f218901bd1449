"""The sections of a report that are an audit's: suspects, classes, pairs, scores."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sparkclean.numbers.intervals import wilson_interval
from sparkclean.plots import blocks
from sparkclean.plots.parts import (
    ORDER,
    Block,
    Card,
    Cards,
    Cell,
    Chart,
    Column,
    Commands,
    Facts,
    Notice,
    ReportPart,
    Sheet,
    Table,
    Text,
)
from sparkclean.runs.past import noise_of, parsed
from sparkclean.runs.reported import Examples, ReportedRun
from sparkclean.runs.status import GATE_FAILED
from sparkclean.schema import (
    GIVEN_LABEL,
    LABEL_QUALITY,
    PROVENANCE,
    RANK,
    REASON,
    SELF_CONFIDENCE,
    SUGGESTED_LABEL,
    SUGGESTED_PROBABILITY,
    SUSPECTS,
)

if TYPE_CHECKING:
    import pyarrow as pa

#: Suspects that are shown as cards.
SHOWN = 50
#: Classes up to which the whole noise matrix is read and drawn; of more the pairs with the most
#: estimated examples are read.
_MATRIX, _MOST_PAIRS = 50, 2000
#: Classes in the table; pairs of which groups of confused classes are made.
_MOST_CLASSES, _GROUPED = 5000, 60
#: Classes in the chart.
_DRAWN = 25
_CAVEAT = (
    "The noise is estimated from the model's probabilities. The interval is at least this wide; "
    "a weak model or overlapping classes bias the estimate."
)
_OWN = {name for name, _ in (*SUSPECTS, *PROVENANCE)}


def report_parts(run: ReportedRun) -> list[ReportPart]:
    """Make the sections of an audit.

    Parameters
    ----------
    run : ReportedRun

    Returns
    -------
    list of ReportPart

    Notes
    -----
    Reads 50 suspects, K classes, and the pairs of up to 50 classes, or 2,000 pairs of more classes.
    """
    parts = [_top(run), _suspects(run), _classes(run), _pairs(run), _scores(run)]
    return [part for part in parts if part is not None and part.blocks]


# -- the top ---------------------------------------------------------------------------------------


def _top(run: ReportedRun) -> ReportPart:
    record = run.record
    warnings = (parsed(record, "counts") or {}).get("warnings") or []
    found: list[Block] = []
    figures = list(_figures(record))
    if figures:
        found += [Facts(figures, big=True), Text(_CAVEAT)]
    found += [Notice(str(text), "warning", "look at this") for text in warnings]
    lines = list(_next(run))
    found += [Commands(lines)] if lines else []
    return ReportPart("top", "Result", found, ORDER["top"])


def _figures(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give the numbers that matter, as far as the run came."""
    audited = record.get("audited")
    for name in ("rows", "rejected", "suspects"):
        value = record.get(name)
        if value is not None:
            yield name, f"{value:,}"
    if audited and record.get("suspects") is not None:
        yield "suspects of audited rows", f"{record['suspects'] / audited:.2%}"
    noise = noise_of(record)
    if noise is not None:
        yield "estimated noise", f"{noise:.2%}"
        if audited:
            low, high = wilson_interval(round(noise * audited), audited)
            yield "95 % interval", f"{low:.2%} to {high:.2%}"


def _next(run: ReportedRun) -> Iterator[tuple[str, str]]:
    """Write commands to go on with."""
    record = run.record
    if record.get("original_run_id") is None:  # a call in a notebook has published nothing
        return
    run_id, config = str(record["original_run_id"]), parsed(record, "config") or {}
    suspects, cleaned = run.location("suspects"), run.location("cleaned")
    staged = record["status"] == GATE_FAILED
    if suspects is not None and record.get("suspects"):
        words = ["sparkclean", "show", suspects, "--run-id", run_id, "-n", "50"]
        yield "Look at more suspects", shlex.join(words)
    if staged:
        limits = passing_limits(parsed(record, "gates") or [])
        if limits:
            more = [word for limit in limits for word in ("--set", limit)]
            words = ["sparkclean", "audit", "--config", "audit.yaml", "--run-id", run_id, *more]
            yield "If that is as it should be: let it pass, with other limits", shlex.join(words)
        return
    if cleaned is not None and "cleaned" in (parsed(record, "outputs") or {}):
        yield "List the cleaned versions", shlex.join(["sparkclean", "versions", cleaned])
        if config.get("predict"):
            yield "Train a model on the cleaned version", "sparkclean train --config train.yaml"


def passing_limits(gates: Sequence[Mapping[str, Any]]) -> list[str]:
    """Write the settings by which closed gates would let the same numbers pass.

    Parameters
    ----------
    gates : sequence of mapping
        Of a run record.

    Returns
    -------
    list of str
        ``section.key=value`` each.
    """
    limits: dict[str, float] = {}
    for gate in gates:
        if gate["passed"]:
            continue
        key, found = f"{gate['section']}.{gate['gate']}", float(gate["found"])
        choose = min if gate.get("at_least") else max
        limits[key] = choose(limits.get(key, found), found)
    return [
        # what lets a doubtful answer through is a switch
        f"{key}=true" if key.partition(".")[2].startswith("allow_") else f"{key}={found:.17g}"
        for key, found in limits.items()
    ]


# -- suspects --------------------------------------------------------------------------------------


def _suspects(run: ReportedRun) -> ReportPart | None:
    total = run.record.get("suspects")
    if total is None:
        return None
    title, order = "Suspects", ORDER["suspects"]
    if not total:
        text = "No given label is suspect: the model agrees with all of them."
        return ReportPart("suspects", title, [Notice(text)], order)
    rows = run.head("suspects", SHOWN)
    if rows is None or not rows.num_rows:
        text = f"The {total:,} suspects were not published, or their table is gone."
        return ReportPart("suspects", title, [Notice(text, "warning")], order)
    examples = run.examples(rows)
    cards = cards_of(rows, examples)
    found: list[Block] = []
    if examples.note:
        found.append(Notice(examples.note, "warning", "examples"))
    found.append(Cards(cards, int(total)))
    if any(card.example is not None for card in cards):
        found.append(Sheet(sheet_of(cards)))
    return ReportPart("suspects", title, found, order)


def cards_of(rows: pa.Table, examples: Examples) -> list[Card]:
    """Make cards of suspects.

    Parameters
    ----------
    rows : pyarrow.Table
        By ``schema.SUSPECTS``, after the record id columns.
    examples : Examples
        Of these rows.

    Returns
    -------
    list of Card
    """
    ids = [name for name in rows.column_names if name not in _OWN]
    return [_card(row, ids, examples, place) for place, row in enumerate(rows.to_pylist())]


def _card(row: Mapping[str, Any], ids: Sequence[str], examples: Examples, place: int) -> Card:
    given, suggested = text_of(row[GIVEN_LABEL]), text_of(row[SUGGESTED_LABEL])
    bars = [(given, float(row[SELF_CONFIDENCE]))]
    if suggested != given:
        bars.append((suggested, float(row[SUGGESTED_PROBABILITY])))
    example = examples.of(place)
    note = examples.note
    if examples.shown and example is None:
        note = "the example is not in the version of the table that was read"
    return Card(
        record_id=", ".join(text_of(row[name]) for name in ids),
        given=given,
        suggested=suggested,
        bars=bars,
        facts=[
            (RANK, f"{row[RANK]:,}"),
            ("label quality", f"{row[LABEL_QUALITY]:.4f}"),
            (REASON, str(row[REASON]).replace("_", " ")),
        ],
        example=example,
        note=note,
    )


def text_of(value: Any) -> str:
    """Write a label or an id."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def sheet_of(cards: Sequence[Card]) -> list[tuple[str, list[Card]]]:
    """Group cards by their pair of labels, the largest group first.

    Parameters
    ----------
    cards : sequence of Card

    Returns
    -------
    list of (str, list of Card)
    """
    groups: dict[tuple[str, str], list[Card]] = {}
    for card in cards:
        groups.setdefault((card.given, card.suggested), []).append(card)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    return [
        (f"given {given}, " + (f"looks like {true}" if true != given else "unsure"), group)
        for (given, true), group in ordered
    ]


# -- classes and pairs -----------------------------------------------------------------------------


def _classes(run: ReportedRun) -> ReportPart | None:
    rows = run.head("classes", min(run.record.get("classes") or _MOST_CLASSES, _MOST_CLASSES))
    chart = None if rows is None or not rows.num_rows else blocks.class_table(rows)
    if chart is None:
        return None
    # all classes stand in a table of their own, which can be sorted and searched
    drawn = replace(chart, table=replace(chart.table, rows=chart.table.rows[:_DRAWN], total=None))
    return ReportPart("classes", "Classes", [drawn, chart.table], ORDER["classes"])


def _pairs(run: ReportedRun) -> ReportPart | None:
    size = run.record.get("classes") or 0
    found: list[Block | None]
    if size <= _MATRIX:
        rows = run.head("pairs", max(size * size, 1))
        found = [] if rows is None else [blocks.noise_matrix(rows)]
    else:
        # those of a class with itself are many of the largest
        rows = run.head("pairs", _MOST_PAIRS + size, largest="calibrated_joint")
        found = [] if rows is None else [_most_confused(rows), groups_table(rows)]
        if rows is not None:
            text = (
                f"Of {size:,} classes, the pairs with the most estimated examples. Classes that "
                "are confused with one another, directly or through a third one, are a group."
            )
            found = [Text(text), *found]
    kept = [block for block in found if block is not None]
    if not any(not isinstance(block, Text) for block in kept):
        return None
    return ReportPart("pairs", "Confused classes", kept, ORDER["pairs"])


def _most_confused(rows: pa.Table) -> Chart | None:
    """Draw the most confused pairs of many: how many there are is not known."""
    chart = blocks.confused_pairs(rows)
    if chart is None:
        return None
    given, true, estimated, suspects, *_ = chart.table.rows[0]
    words = (
        "The most confused pairs (given → probably): estimated examples as light bars, suspects "
        f"among them as dark ones. First: {given} → {true}, {estimated:,} estimated, "
        f"{suspects:,} suspects."
    )
    table = replace(chart.table, caption="The most confused pairs", total=None)
    return replace(chart, alternative=words, table=table)


def groups_table(rows: pa.Table, most: int = _GROUPED) -> Table | None:
    """Group the classes that the most confused pairs connect.

    Parameters
    ----------
    rows : pyarrow.Table
        By ``schema.PAIRS``.
    most : int
        Pairs that connect.

    Returns
    -------
    Table or None
        None where nothing is confused. The group with the most estimated examples first.
    """
    pairs = [
        (row[GIVEN_LABEL], row["true_label"], row["calibrated_joint"], row["suspects"])
        for row in rows.select(
            [GIVEN_LABEL, "true_label", "calibrated_joint", "suspects"]
        ).to_pylist()
        if row[GIVEN_LABEL] != row["true_label"] and row["calibrated_joint"]
    ]
    pairs = sorted(pairs, key=lambda pair: -pair[2])[:most]
    group: dict[Any, set[Any]] = {}
    for one, other, _, _ in pairs:
        both = group.get(one, {one}) | group.get(other, {other})
        group |= dict.fromkeys(both, both)
    found: dict[int, list[tuple[Any, Any, int, int]]] = {}
    for pair in pairs:
        found.setdefault(id(group[pair[0]]), []).append(pair)
    table: list[tuple[Cell, ...]] = []
    for own in sorted(found.values(), key=lambda own: -sum(pair[2] for pair in own)):
        classes = dict.fromkeys(label for one, other, _, _ in own for label in (one, other))
        named = ", ".join(map(text_of, list(classes)[:8]))
        more = f" and {len(classes) - 8} more" if len(classes) > 8 else ""
        sums = (sum(pair[2] for pair in own), sum(pair[3] for pair in own))
        table.append((named + more, len(classes), len(own), *sums))
    columns = (
        Column("group of classes"),
        Column("classes", numeric=True),
        Column("pairs", numeric=True),
        Column("estimated", numeric=True, bar=True),
        Column("suspects", numeric=True, bar=True),
    )
    caption = f"Groups of the {len(pairs)} most confused pairs"
    return Table(columns, table, caption) if table else None


# -- scores ----------------------------------------------------------------------------------------


def _scores(run: ReportedRun) -> ReportPart | None:
    metrics = parsed(run.record, "metrics") or {}
    if "self_confidence" not in metrics.get("histograms", {}):  # a record of before
        return None
    found = [blocks.self_confidence(metrics), blocks.score_histogram(metrics)]
    kept: list[Block] = [block for block in found if block is not None]
    return ReportPart("scores", "Scores", kept, ORDER["scores"]) if kept else None
