"""The result hash: what it covers, what it does not, and that no two answers look alike."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import numpy as np
import pytest

from sparkclean.numbers.result_hash import (
    LIMB_BITS,
    LIMBS,
    join_hash_limbs,
    result_hash,
    sum_hashes,
    suspect_text,
)

ANSWER: dict[str, Any] = {
    "classes": ["cat", "dog"],
    "thresholds": np.array([0.75, 0.5]),
    "confident_joint": np.array([[3, 1], [0, 2]]),
    "calibrated_joint": np.array([[6, 2], [0, 2]]),
    "suspects": 1,
    "suspect_sum": 5,
}


def sha256(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")


def limbs_of(number: int) -> list[int]:
    """Split into 32-bit limbs, highest first."""
    return [(number >> LIMB_BITS * (LIMBS - 1 - i)) & 0xFFFFFFFF for i in range(LIMBS)]


# --- a suspect as text ---


def test_suspect_text_integer_id_is_typed_and_measured() -> None:
    assert suspect_text([7], 1, 2, "low_score") == "2:i71:11:29:low_score"


def test_suspect_text_string_id_is_typed_and_measured() -> None:
    assert suspect_text(["7"], 1, 2, "low_score") == "2:s71:11:29:low_score"


def test_suspect_text_composite_id_is_a_field_per_column() -> None:
    assert suspect_text(["a", 12], 0, 1, "x") == "2:sa3:i121:01:11:x"


def test_suspect_text_length_is_in_bytes() -> None:
    assert suspect_text(["é"], 0, 1, "x").startswith("3:sé")


def test_suspect_text_numpy_integer_is_as_a_python_integer() -> None:
    assert suspect_text([np.int64(7)], 1, 2, "x") == suspect_text([7], 1, 2, "x")


def test_suspect_text_negative_and_huge_ids_are_written_out() -> None:
    assert suspect_text([-(1 << 70)], 0, 1, "x").startswith("24:i-1180591620717411303424")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (([1], 0, 1, "x"), (["1"], 0, 1, "x")),
        (([1], 0, 1, "x"), ([1], 1, 0, "x")),
        (([1], 1, 11, "x"), ([1], 11, 1, "x")),
        ((["a", "bc"], 0, 1, "x"), (["ab", "c"], 0, 1, "x")),
        ((["a", ""], 0, 1, "x"), (["", "a"], 0, 1, "x")),
        ((["i1"], 0, 1, "x"), ([1], 0, 1, "x")),
        ((["a1:0"], 0, 1, "x"), (["a"], 0, 1, "x")),
        (([1], 0, 1, "x"), ([1], 0, 1, "y")),
        (([1, 0], 0, 1, "x"), ([1], 0, 1, "x")),
    ],
)
def test_suspect_text_different_suspects_have_different_texts(one: Any, other: Any) -> None:
    assert suspect_text(*one) != suspect_text(*other)


# --- sums of hashes ---


def test_sum_hashes_of_nothing_is_zero() -> None:
    assert sum_hashes([]) == 0


def test_sum_hashes_of_one_text_is_its_sha256() -> None:
    assert sum_hashes(["a"]) == sha256("a")


def test_sum_hashes_does_not_depend_on_order() -> None:
    texts = [f"row {i}" for i in range(50)]
    assert sum_hashes(texts) == sum_hashes(reversed(texts))


def test_sum_hashes_counts_repetitions() -> None:
    assert sum_hashes(["a", "a"]) == 2 * sha256("a") % (1 << 256)
    assert sum_hashes(["a", "a"]) != sum_hashes(["a"])


def test_sum_hashes_is_modulo_two_to_the_256() -> None:
    texts = [str(i) for i in range(100)]
    total = sum(sha256(text) for text in texts)
    assert total > 1 << 256
    assert sum_hashes(texts) == total - (total >> 256 << 256)


def test_join_hash_limbs_is_the_number() -> None:
    number = sha256("a")
    assert join_hash_limbs(limbs_of(number)) == number


def test_join_hash_limbs_of_added_limbs_is_the_sum_of_hashes() -> None:
    texts = [str(i) for i in range(1000)]
    limbs = np.sum([limbs_of(sha256(text)) for text in texts], axis=0)
    assert max(limbs) > 1 << LIMB_BITS  # carries
    assert join_hash_limbs(limbs) == sum_hashes(texts)


def test_join_hash_limbs_highest_limb_overflows_away() -> None:
    assert join_hash_limbs([1 << 32, 0, 0, 0, 0, 0, 0, 3]) == 3


# --- the whole answer ---


def test_result_hash_is_sha256_of_classes_arrays_and_suspects() -> None:
    data = b'[["str", "cat"], ["str", "dog"]]'
    data += struct.pack("<2d", 0.75, 0.5)
    data += struct.pack("<4q", 3, 1, 0, 2)
    data += struct.pack("<4q", 6, 2, 0, 2)
    data += b"1:" + b"0" * 63 + b"5"
    assert result_hash(**ANSWER) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("classes", ["dog", "cat"]),
        ("classes", ["cat", "dög"]),
        ("thresholds", np.array([0.75, np.nextafter(0.5, 1.0)])),
        ("confident_joint", np.array([[3, 0], [1, 2]])),
        ("calibrated_joint", np.array([[6, 2], [1, 1]])),
        ("suspects", 2),
        ("suspect_sum", 6),
    ],
)
def test_result_hash_any_part_that_differs_changes_it(name: str, value: Any) -> None:
    assert result_hash(**{**ANSWER, name: value}) != result_hash(**ANSWER)


@pytest.mark.parametrize("classes", [[0, 1], [False, True], ["0", "1"], [0.0, 1.0]])
def test_result_hash_type_of_the_classes_is_part_of_it(classes: list[Any]) -> None:
    others = [[0, 1], [False, True], ["0", "1"], [0.0, 1.0]]
    same = [
        c
        for c in others
        if result_hash(**{**ANSWER, "classes": c}) == result_hash(**{**ANSWER, "classes": classes})
    ]
    assert [repr(c) for c in same] == [repr(classes)]


def test_result_hash_joints_are_not_interchangeable() -> None:
    swapped = {
        **ANSWER,
        "confident_joint": ANSWER["calibrated_joint"],
        "calibrated_joint": ANSWER["confident_joint"],
    }
    assert result_hash(**swapped) != result_hash(**ANSWER)


def test_result_hash_layout_and_width_of_arrays_do_not_matter() -> None:
    same = {
        **ANSWER,
        "thresholds": ANSWER["thresholds"].astype(">f8"),
        "confident_joint": np.asfortranarray(ANSWER["confident_joint"]),
        "calibrated_joint": ANSWER["calibrated_joint"].astype(">i4"),
    }
    assert result_hash(**same) == result_hash(**ANSWER)


def test_result_hash_is_64_hexadecimal_digits() -> None:
    found = result_hash(**ANSWER)
    assert len(found) == 64
    assert set(found) <= set("0123456789abcdef")
