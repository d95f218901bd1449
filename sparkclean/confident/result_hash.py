"""One hash for the answer of an audit: equal data and method give it anywhere.

The hash covers thresholds, integer joints and every suspect with its typed record id, given and
suggested class and reason; no run id, version or location. Suspects enter as the sum of their
SHA-256 values modulo 2**256: the same as hashing them sorted, without sorting billions of rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: A suspect is hashed as these fields, each as "<bytes>:<text>".
LIMBS = 8
LIMB_BITS = 32


def suspect_text(ids: Sequence[int | str], given: int, suggested: int, reason: str) -> str:
    """Write a suspect so that no two different ones look alike.

    Parameters
    ----------
    ids : sequence of int or str
        Record id, one entry for each column.
    given, suggested : int
        Class indices.
    reason : str

    Returns
    -------
    str
        Every field preceded by its length in bytes; record ids also by their type, i or s.
    """
    fields = [*(f"s{i}" if isinstance(i, str) else f"i{i}" for i in ids)]
    fields += [str(given), str(suggested), reason]
    return "".join(f"{len(field.encode())}:{field}" for field in fields)


def suspect_texts(
    ids: Sequence[Sequence[int | str]],
    given: Sequence[int],
    suggested: Sequence[int],
    reason: str,
) -> Iterator[str]:
    """Write suspects one after the other.

    Parameters
    ----------
    ids : sequence of sequences of int or str, each of length N
        Columns of the record id.
    given, suggested : sequence of int, length N
        Class indices.
    reason : str

    Yields
    ------
    str
    """
    # as `suspect_text` for each, but the part behind the record id is written once for each pair
    ends: dict[tuple[int, int], str] = {}
    columns = []
    for column in ids:
        kind = "s" if len(column) and isinstance(column[0], str) else "i"
        texts = [f"{kind}{value}" for value in column]
        lengths = map(len, map(str.encode, texts)) if kind == "s" else map(len, texts)
        columns.append([f"{length}:{text}" for length, text in zip(lengths, texts, strict=True)])
    for *record_id, i, j in zip(*columns, given, suggested, strict=True):
        end = ends.get((i, j))
        if end is None:
            end = ends[i, j] = suspect_text((), i, j, reason)
        yield "".join(record_id) + end


def sum_hashes(texts: Iterable[str]) -> int:
    """Add the SHA-256 values of texts modulo 2**256.

    Parameters
    ----------
    texts : iterable of str

    Returns
    -------
    int
    """
    total = sum(int.from_bytes(hashlib.sha256(text.encode()).digest(), "big") for text in texts)
    return total % (1 << 256)


def split_hash_limbs(total: int) -> list[int]:
    """Split a sum of hashes into 32-bit limbs, highest first, whose sums over tasks fit 64 bits.

    Parameters
    ----------
    total : int

    Returns
    -------
    list of int, length 8
    """
    return [(total >> (LIMB_BITS * i)) % (1 << LIMB_BITS) for i in reversed(range(LIMBS))]


def join_hash_limbs(limbs: Sequence[int]) -> int:
    """Put a sum of hashes together from the sums of its 32-bit limbs, highest first.

    Parameters
    ----------
    limbs : sequence of int, length 8

    Returns
    -------
    int
        Modulo 2**256.
    """
    total = 0
    for limb in limbs:
        total = (total << LIMB_BITS) + int(limb)
    return total % (1 << 256)


def result_hash(
    *,
    classes: Sequence[Any],
    thresholds: NDArray[np.float64],
    confident_joint: NDArray[np.int64],
    calibrated_joint: NDArray[np.int64],
    suspects: int,
    suspect_sum: int,
) -> str:
    """Hash the answer of an audit.

    Parameters
    ----------
    classes : sequence
        The K labels.
    thresholds : ndarray of float64, shape (K,)
    confident_joint, calibrated_joint : ndarray of int64, shape (K, K)
    suspects : int
        Number of suspects.
    suspect_sum : int
        From `sum_hashes` or `join_hash_limbs`.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    digest = hashlib.sha256(
        json.dumps([[type(c).__name__, c] for c in classes], ensure_ascii=False).encode()
    )
    for array, kind in (
        (thresholds, "<f8"),
        (confident_joint, "<i8"),
        (calibrated_joint, "<i8"),
    ):
        digest.update(np.ascontiguousarray(array).astype(kind).tobytes())
    digest.update(f"{suspects}:{suspect_sum:064x}".encode())
    return digest.hexdigest()
