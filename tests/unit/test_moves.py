"""Rates of two audits, by hand; where outputs of a comparison go."""

from __future__ import annotations

import pytest

from sparkclean.commands.compare import beside
from sparkclean.jobs.compare.moves import Counts, find_moves, sentences

ONE = Counts({"a": (1000, 20), "b": (1000, 20), "c": (50, 1)}, {("a", "b"): 20, ("b", "a"): 20})
OTHER = Counts({"a": (1000, 80), "b": (1000, 22)}, {("a", "b"): 70, ("a", "c"): 10, ("b", "a"): 22})


def by_name(moves: list[dict]) -> dict:
    return {(m["subject"], m["given_label"], m["suggested_label"]): m for m in moves}


def test_find_moves_finds_what_moved_and_nothing_else() -> None:
    moves = by_name(find_moves(ONE, OTHER))
    assert [name for name, move in moves.items() if move["moved"]] == [
        ("all", None, None),
        ("class", "a", None),
        ("pair", "a", "b"),
        ("pair", "a", "c"),
    ]
    assert ("class", "c", None) not in moves  # only one audit has it
    a = moves["class", "a", None]
    assert (a["rate_a"], a["rate_b"], a["difference"]) == (0.02, 0.08, 0.06)
    assert 0 < a["low"] < 0.06 < a["high"]
    assert a["adjusted_p"] >= a["p"]


def test_find_moves_of_one_audit_twice_finds_nothing() -> None:
    moves = find_moves(ONE, ONE)
    assert not any(move["moved"] for move in moves)
    assert sentences(moves) == ["no rate moved beyond chance"]


def test_find_moves_of_an_audit_without_rows_compares_nothing() -> None:
    (move,) = find_moves(Counts(), ONE)
    assert (move["rate_a"], move["p"], move["moved"]) == (None, None, False)


def test_sentences_say_the_largest_first() -> None:
    texts = sentences(find_moves(ONE, OTHER), most=1)
    assert texts[0].startswith("class 'a': 2.00% -> 8.00% suspects (+6.00%, 95 % interval +")
    assert texts[1] == "3 more rates moved"


@pytest.mark.parametrize(
    ("runs", "place"),
    [
        ("out/x/runs", "out/x/changes"),
        ("/runs", "/changes"),
        ("runs", "./changes"),
        ("lake.db.runs", "lake.db.changes"),
        ("delta.`/data/runs`", "delta.`/data/changes`"),
    ],
)
def test_beside_names_an_output_beside_the_run_records(runs: str, place: str) -> None:
    assert beside(runs, "changes") == place
    assert beside(runs, "changes", "out/") == "out/changes"
