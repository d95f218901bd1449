"""Contents: what is folded, what is equal, and what a task emits."""

from __future__ import annotations

import datetime
import hashlib
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkclean.examples.batches import LABEL
from sparkclean.examples.contents import (
    CONFLICT,
    GIVEN,
    HASH,
    LEAK,
    PART,
    PLACE,
    POSITION,
    TRUSTED,
    HashContents,
    KeepFindings,
    content_hash,
    fold_text,
    has_content,
    values_as_bytes,
)
from sparkclean.numbers.result_hash import join_hash_limbs
from sparkclean.rows.emitted import KIND, STATE


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Good  film", "good film"),
        (" good\tfilm\n", "good film"),
        ("ＢＡＤ", "bad"),
        ("caf\u00e9", "CAFE\u0301"),
        ("STRASSE", "stra\u00dfe"),
        ("\ufb01lm", "film"),
        ("a\u00a0b", "a b"),
        ("\u0345", "\u03b9"),
    ],
)
def test_fold_text_of_texts_that_people_read_as_the_same_is_one(one: str, other: str) -> None:
    assert fold_text(one) == fold_text(other)


@pytest.mark.parametrize(("one", "other"), [("a b", "ab"), ("cafe", "café"), ("no", "not")])
def test_fold_text_of_other_texts_is_another(one: str, other: str) -> None:
    assert fold_text(one) != fold_text(other)


@given(st.text())
def test_fold_text_twice_is_fold_text_once(text: str) -> None:
    assert fold_text(fold_text(text)) == fold_text(text)


@given(st.text(), st.sampled_from([" ", "  ", "\t", "\n", "\u2003"]))
def test_fold_text_does_not_see_blanks_around(text: str, blank: str) -> None:
    assert fold_text(blank + text + blank) == fold_text(text)


def test_content_hash_is_the_first_half_of_sha_256_of_the_pieces_with_their_lengths() -> None:
    assert content_hash([b"ab", None]) == hashlib.sha256(b"2:ab-:").digest()[:16]


@given(st.lists(st.one_of(st.none(), st.binary(max_size=3)), min_size=1, max_size=3), st.data())
def test_content_hash_differs_for_other_contents(pieces: list, data: st.DataObject) -> None:
    strategy = st.lists(st.one_of(st.none(), st.binary(max_size=3)), min_size=1, max_size=3)
    other = data.draw(strategy)
    assert (content_hash(pieces) == content_hash(other)) == (pieces == other)


def test_values_as_bytes_of_floats_know_one_zero_and_one_nan() -> None:
    nans = np.array([0x7FF8000000000000, 0x7FF8000000000001], np.uint64).view(np.float64)
    values = pa.array([0.0, -0.0, *nans, 1.5, None])
    zero, minus, nan, other_nan, number, null = values_as_bytes(values, fold=False)
    assert zero == minus
    assert nan == other_nan != zero
    assert (number, null) == (np.float64(1.5).tobytes(), None)


def test_values_as_bytes_of_float32_are_those_of_float64() -> None:
    narrow = values_as_bytes(pa.array([0.5, 3.25], pa.float32()), fold=False)
    assert narrow == values_as_bytes(pa.array([0.5, 3.25]), fold=False)


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1, 1, 2]),
        pa.array([True, True, False]),
        pa.array([b"a", b"a", b"b"]),
        pa.array([Decimal("1.50"), Decimal("1.50"), Decimal("1.51")]),
        pa.array([datetime.date(2026, 1, 1)] * 2 + [datetime.date(2026, 1, 2)]),
        pa.array([1, 1, 2], pa.timestamp("us", "UTC")),
        pa.array([[1.0, 2.0], [1.0, 2.0], [1.0]]),
        pa.array([["a", "b"], ["a", "b"], ["ab"]]),
        pa.array([[["a"], ["b"]], [["a"], ["b"]], [["a", "b"]]]),
        pa.array([{"x": 1, "y": "b"}, {"x": 1, "y": "b"}, {"x": 1, "y": None}]),
        pa.array(["a", "a", "b"]).dictionary_encode(),
        pa.array(["a", "a", "b"], pa.large_string()),
    ],
)
def test_values_as_bytes_are_equal_where_values_are(values: pa.Array) -> None:
    one, same, other = values_as_bytes(values, fold=False)
    assert one == same != other


def test_values_as_bytes_of_sliced_lists_are_those_of_their_own_rows() -> None:
    whole = pa.array([["a"], None, ["b", "c"], []])
    assert values_as_bytes(whole.slice(2), fold=False) == values_as_bytes(whole, fold=False)[2:]
    assert values_as_bytes(whole, fold=False)[1] is None


def test_values_as_bytes_fold_texts_inside_lists() -> None:
    lists = pa.array([["A  b"], ["a B"]])
    one, other = values_as_bytes(lists, fold=True)
    assert one == other
    assert len(set(values_as_bytes(lists, fold=False))) == 2


def test_has_content_is_false_of_nulls_and_blanks_and_true_of_numbers() -> None:
    texts = pa.array(["a", " \n", "", None])
    assert has_content(texts, values_as_bytes(texts, fold=False)) == [True, False, False, False]
    numbers = pa.array([0, None])
    assert has_content(numbers, values_as_bytes(numbers, fold=False)) == [True, False]


def batch(texts: list, labels: list, parts: list | None = None) -> pa.RecordBatch:
    parts = parts or [GIVEN] * len(texts)
    return pa.RecordBatch.from_pydict(
        {
            "__id_0": pa.array(range(len(texts)), pa.int64()),
            LABEL: pa.array(labels, pa.string()),
            PLACE: pa.array(["train"] * len(texts)),
            PART: pa.array(parts, pa.int32()),
            "__content_0": pa.array(texts, pa.string()),
        }
    )


def rows_and_state(batches: list[pa.RecordBatch]) -> tuple[list[dict], list[dict]]:
    rows = [row for b in batches for row in b.to_pylist()]
    return [r for r in rows if r[KIND] == 0], [r for r in rows if r[KIND] == 1]


def test_hash_contents_leaves_rows_without_content_out_and_counts_them() -> None:
    function = HashContents(("bigint",), "string", 1, fold=True)
    batches = [batch(["A", "a ", " ", None], ["x", "y", "x", None]), batch(["b"], ["x"], [TRUSTED])]
    rows, states = rows_and_state(list(function(batches)))
    assert [row["__id_0"] for row in rows] == [0, 1, 0]
    assert [rows[0][name] for name in HASH] == [rows[1][name] for name in HASH]
    high, low = (rows[0][name] for name in HASH)
    assert high.to_bytes(8, "big", signed=True) + low.to_bytes(8, "big", signed=True) == (
        content_hash([b"a"])
    )
    assert {state[PART]: state[STATE] for state in states} == {GIVEN: [4, 3, 2], TRUSTED: [1, 1, 1]}


def test_hash_contents_of_no_rows_emits_nothing() -> None:
    function = HashContents(("bigint",), "string", 1, fold=False)
    assert list(function([])) == []


def marked(rows: list[tuple], places: list | None = None) -> pa.RecordBatch:
    """Rows: id, label, part, position, conflict, leak."""
    ids, labels, parts, positions, conflict, leak = zip(*rows, strict=True)
    return pa.RecordBatch.from_pydict(
        {
            "__id_0": pa.array(ids, pa.int64()),
            LABEL: pa.array(labels, pa.string()),
            PLACE: pa.array(places or ["train"] * len(ids), pa.string()),
            PART: pa.array(parts, pa.int32()),
            HASH[0]: pa.array([7] * len(ids), pa.int64()),
            HASH[1]: pa.array([9] * len(ids), pa.int64()),
            POSITION: pa.array(positions, pa.int32()),
            CONFLICT: pa.array(conflict, pa.bool_()),
            LEAK: pa.array(leak, pa.bool_()),
        }
    )


ROWS = [
    (1, "a", GIVEN, 1, True, True),
    (2, "b", GIVEN, 2, True, True),
    (3, "a", TRUSTED, 3, True, True),
    (4, "a", GIVEN, 1, None, False),
    (5, "a", GIVEN, 2, None, False),
]


def test_keep_findings_counts_duplicates_conflicts_and_leaks() -> None:
    function = KeepFindings(("bigint",), "string")
    rows, states = rows_and_state(list(function([marked(ROWS)])))
    assert [row["__id_0"] for row in rows] == [1, 2, 3]
    numbers = next(s[STATE] for s in states if s["__what"] == 0)
    assert numbers == [5, 2, 2, 1, 3, 1]  # the trusted row is no row of the conflict


def test_keep_findings_counts_no_row_without_a_place_as_a_leak() -> None:
    function = KeepFindings(("bigint",), "string")
    places = [None, "train", "test", "train", "train"]
    _, states = rows_and_state(list(function([marked(ROWS, places)])))
    numbers = next(s[STATE] for s in states if s["__what"] == 0)
    assert numbers == [5, 2, 2, 1, 2, 1]


def test_keep_findings_has_one_digest_for_any_order_and_another_for_other_labels() -> None:
    function = KeepFindings(("bigint",), "string")

    def digest(*parts: list[tuple]) -> int:
        _, states = rows_and_state(list(function([marked(part) for part in parts])))
        return join_hash_limbs(next(s[STATE] for s in states if s["__what"] == 1))

    assert digest(ROWS) == digest(ROWS[3:], ROWS[1:3][::-1], ROWS[:1])
    assert digest(ROWS) != digest([(1, "b", *ROWS[0][2:]), *ROWS[1:]])
