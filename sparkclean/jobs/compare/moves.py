"""Which classes and class pairs have other suspect rates, beyond chance. No Spark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sparkclean.numbers.false_discovery import adjust_p_values
from sparkclean.numbers.two_samples import compare_shares

#: Share of false discoveries among those that are said to have moved.
LEVEL = 0.05
ALL, CLASS, PAIR = "all", "class", "pair"


@dataclass(frozen=True)
class Counts:
    """What an audit counted.

    Attributes
    ----------
    classes : mapping
        Examples and suspects by label.
    pairs : mapping
        Suspects by given and suggested label.
    """

    classes: Mapping[Any, tuple[int, int]] = field(default_factory=dict)
    pairs: Mapping[tuple[Any, Any], int] = field(default_factory=dict)

    @property
    def total(self) -> tuple[int, int]:
        """Examples and suspects of all classes."""
        examples, suspects = zip(*self.classes.values(), strict=True) if self.classes else ((), ())
        return sum(examples), sum(suspects)


def find_moves(one: Counts, other: Counts) -> list[dict[str, Any]]:
    """Compare the suspect rates of two audits.

    Parameters
    ----------
    one, other : Counts

    Returns
    -------
    list of dict
        By ``schema.MOVES``, without provenance: the whole first, then classes and pairs, in the
        order of their labels. A class that one audit does not have is not compared.

    Notes
    -----
    The tests of all classes and pairs are under one control of false discoveries; that of the whole
    stands by itself. The rate of a pair is the share of its given class.
    """
    rows = [_row(ALL, None, None, one.total, other.total)]
    shared = sorted(set(one.classes) & set(other.classes))
    rows += [_row(CLASS, label, None, one.classes[label], other.classes[label]) for label in shared]
    pairs = sorted({*one.pairs, *other.pairs})
    for given, suggested in pairs:
        if given in one.classes and given in other.classes:
            totals = (one.classes[given][0], other.classes[given][0])
            hits = (one.pairs.get((given, suggested), 0), other.pairs.get((given, suggested), 0))
            rows.append(_row(PAIR, given, suggested, *zip(totals, hits, strict=True)))
    tested = [row for row in rows if row["p"] is not None]
    parts = [row for row in tested if row["subject"] != ALL]
    adjusted = adjust_p_values([row["p"] for row in parts]).round(9).tolist()
    for row, p in zip(parts, adjusted, strict=True):
        row["adjusted_p"] = p
    for row in rows:
        if row["subject"] == ALL:
            row["adjusted_p"] = row["p"]
        row["moved"] = row["adjusted_p"] is not None and row["adjusted_p"] < LEVEL
    return rows


def _row(
    subject: str, given: Any, suggested: Any, one: Sequence[int], other: Sequence[int]
) -> dict[str, Any]:
    """Compare two rates; each comes as examples and suspects."""
    move = compare_shares((one[1], other[1]), (one[0], other[0]))
    rates = [None if not n else round(h / n, 9) for n, h in (one, other)]
    return {
        "subject": subject,
        "given_label": given,
        "suggested_label": suggested,
        "examples_a": one[0],
        "suspects_a": one[1],
        "examples_b": other[0],
        "suspects_b": other[1],
        "rate_a": rates[0],
        "rate_b": rates[1],
        "difference": None if move is None else move.difference,
        "low": None if move is None else move.low,
        "high": None if move is None else move.high,
        "p": None if move is None else move.p,
        "adjusted_p": None,
        "moved": False,
    }


def sentences(moves: Sequence[Mapping[str, Any]], most: int = 5) -> list[str]:
    """Say which rates moved, the largest differences first.

    Parameters
    ----------
    moves : sequence of mapping
        By `find_moves`.
    most : int
        Of them.

    Returns
    -------
    list of str
    """
    moved = sorted((m for m in moves if m["moved"]), key=lambda m: -abs(m["difference"]))
    texts = [
        f"{_name(m)}: {m['rate_a']:.2%} -> {m['rate_b']:.2%} suspects ({m['difference']:+.2%}, "
        f"95 % interval {m['low']:+.2%} to {m['high']:+.2%})"
        for m in moved[:most]
    ]
    if len(moved) > most:
        texts.append(f"{len(moved) - most} more rates moved")
    return texts or ["no rate moved beyond chance"]


def _name(move: Mapping[str, Any]) -> str:
    if move["subject"] == ALL:
        return "all rows"
    given = f"class {move['given_label']!r}"
    return given if move["subject"] == CLASS else f"{given} as {move['suggested_label']!r}"
