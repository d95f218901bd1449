"""The sections of an audit's report: cards, contact sheet, groups of classes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

pytest.importorskip("PIL")

from sparkclean.jobs.audit.report import (
    _MATRIX,
    _MOST_PAIRS,
    SHOWN,
    cards_of,
    groups_table,
    passing_limits,
    report_parts,
    sheet_of,
)
from sparkclean.plots.parts import Cards, Example, Notice
from sparkclean.runs.example_values import example_of, is_url, short
from sparkclean.runs.reported import Examples, default_columns
from tests.unit.test_past import record


def suspects(*pairs: tuple[Any, Any], ids: Sequence[str] = ("id",)) -> pa.Table:
    """Make rows of a suspect table."""
    rows = [
        dict.fromkeys(ids, place)
        | {
            "given_label": given,
            "suggested_label": suggested,
            "self_confidence": 0.1,
            "suggested_probability": 0.9,
            "label_quality": 0.1,
            "rank": place + 1,
            "reason": "pruned_from_pair",
            "run_id": "r",
        }
        for place, (given, suggested) in enumerate(pairs)
    ]
    return pa.Table.from_pylist(rows)


class Run:
    """A run that notes what is read of it."""

    def __init__(self, tables: dict[str, pa.Table], **more: Any) -> None:
        self.record = record("r", audited=100, rejected=0, **more)
        self.tables, self.asked = tables, dict[str, tuple[int, str | None]]()

    def location(self, output: str) -> str:
        return f"out/{output}"

    def head(self, output: str, rows: int, *, largest: str | None = None) -> pa.Table | None:
        self.asked[output] = (rows, largest)
        return self.tables.get(output)

    def examples(self, rows: pa.Table) -> Examples:
        return Examples(note="the example cannot be shown: it is gone")


def test_cards_have_both_probabilities_and_say_why_there_is_no_example() -> None:
    rows = suspects(("3", "8"), ("cat", "cat"), ids=("shop", "id"))
    shown = Examples([Example(fields=[("a", "b")]), None])
    one, other = cards_of(rows.slice(0, 1), shown)[0], cards_of(rows, shown)[1]
    assert (one.record_id, one.given, one.suggested) == ("0, 0", "3", "8")
    assert list(one.bars) == [("3", 0.1), ("8", 0.9)]
    assert (one.example, one.note) == (shown.shown[0], "")
    assert list(other.bars) == [("cat", 0.1)]  # a low score, and no other class is likelier
    assert "is not in the version of the table" in other.note


def test_sheet_groups_by_pair_the_largest_group_first() -> None:
    cards = cards_of(suspects((1, 2), (3, 8), (3, 8)), Examples())
    groups = sheet_of(cards)
    assert [title for title, _ in groups] == ["given 3, looks like 8", "given 1, looks like 2"]
    assert [card.record_id for card in groups[0][1]] == ["1", "2"]


def test_passing_limits_are_those_of_what_was_found() -> None:
    gates = [
        {"section": "gate", "gate": "max_suspect_fraction", "found": 0.125, "passed": False},
        {"section": "gate", "gate": "max_of_class", "found": 0.2, "passed": False},
        {"section": "gate", "gate": "max_of_class", "found": 0.5, "passed": False},
        {"section": "gate", "gate": "min_rows", "found": 3, "passed": False, "at_least": True},
        {"section": "gate", "gate": "allow_weak_model", "found": 1, "passed": False},
        {"section": "gate", "gate": "max_rejected", "found": 0, "passed": True},
    ]
    assert passing_limits(gates) == [
        "gate.max_suspect_fraction=0.125",
        "gate.max_of_class=0.5",
        "gate.min_rows=3",
        "gate.allow_weak_model=true",
    ]


def pairs_of(*entries: tuple[int, int, int]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "given_label": given,
                "true_label": true,
                "calibrated_joint": count,
                "suspects": 1,
                "noise_rate": 0.1,
            }
            for given, true, count in entries
        ]
    )


def test_groups_are_classes_that_pairs_connect() -> None:
    table = groups_table(pairs_of((0, 0, 90), (1, 2, 5), (3, 2, 4), (7, 8, 20), (5, 6, 0)))
    assert table is not None
    assert [row[:4] for row in table.rows] == [("7, 8", 2, 1, 20), ("1, 2, 3", 3, 2, 9)]
    assert groups_table(pairs_of((0, 0, 9))) is None


@pytest.mark.parametrize("classes", [10, 1000])
def test_parts_read_heads_alone(classes: int) -> None:
    pytest.importorskip("altair")
    tables = {"suspects": suspects((3, 8)), "pairs": pairs_of((3, 8, 4), (3, 3, 90))}
    run = Run(tables, suspects=100_000, classes=classes)
    parts = {part.name: part for part in report_parts(run)}  # type: ignore[arg-type]
    assert run.asked["suspects"] == (SHOWN, None)
    many = (_MOST_PAIRS + classes, "calibrated_joint")
    assert run.asked["pairs"] == ((classes**2, None) if classes <= _MATRIX else many)
    assert {"top", "suspects", "pairs"} <= set(parts)
    found = [block for block in parts["suspects"].blocks if isinstance(block, Cards)]
    assert found[0].total == 100_000
    notes = [block for block in parts["suspects"].blocks if isinstance(block, Notice)]
    assert "it is gone" in notes[0].text


def test_parts_of_a_refused_run_say_what_is_not_there() -> None:
    gone = report_parts(Run({}, suspects=7, status="gate_failed"))  # type: ignore[arg-type]
    assert "were not published" in gone[1].blocks[0].text  # type: ignore[union-attr]
    none = report_parts(Run({}, suspects=0))  # type: ignore[arg-type]
    assert "No given label is suspect" in none[1].blocks[0].text  # type: ignore[union-attr]


# -- values of examples ----------------------------------------------------------------------------


def test_example_sorts_values_by_how_they_are_shown() -> None:
    found = example_of(
        {
            "title": "short",
            "text": "long " * 50,
            "url": "https://example.org/1.png",
            "image": [0.0, 1.0, 2.0, 3.0] * 16,
            "price": 1.5,
            "none": None,
            "raw": b"\x00" * 2000,
            "more": list(range(9)),
        }
    )
    assert [name for name, _ in found.texts] == ["text"]
    assert found.links == [("url", "https://example.org/1.png")]
    assert [name for name, _ in found.images] == ["image"]
    assert dict(found.fields) == {
        "title": "short",
        "price": "1.5",
        "none": "null",
        "raw": "2,000 bytes",
        "more": "[0, 1, 2, 3, ... (9)]",
    }


@pytest.mark.parametrize(
    "text",
    ["javascript:alert(1)", "https://", "http://a b", "https://[", "ftp://x", "see http://x"],
)
def test_what_is_no_url_is_no_link(text: str) -> None:
    assert not is_url(text)


def test_short_is_short_however_large_a_value_is() -> None:
    nested = {"a": [list(range(1000))] * 100, **{str(i): i for i in range(100)}}
    assert len(short(nested)) < 300
    assert short(True) == "true"


def test_default_columns_are_eight_without_id_label_and_probabilities() -> None:
    own = {"columns": {"id": ["Shop", "id"], "label": "label", "pred_probs": "pred_probs"}}
    choose = default_columns({"config": json.dumps(own)})
    there = ["shop", "ID", "label", "pred_probs", "row_number", *(f"c{i}" for i in range(9))]
    assert choose(there) == [f"c{i}" for i in range(8)]
