"""One hash for the answer of an audit: equal data and method give it anywhere.

The hash covers thresholds, integer joints and every suspect with its typed record id, given and
suggested class and reason; no run id, version or location. Suspects enter as the sum of their
SHA-256 values modulo 2**256: the same as hashing them sorted, without sorting billions of rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: A SHA-256 value in parts whose sums fit 64 bits.
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


def sum_hashes(texts: Iterable[str]) -> int:
    """Add the SHA-256 values of texts modulo 2**256.

    Parameters
    ----------
    texts : iterable of str

    Returns
    -------
    int
    """
    digests = b"".join([hashlib.sha256(text.encode()).digest() for text in texts])
    limbs = np.frombuffer(digests, f">u{LIMB_BITS // 8}").reshape(-1, LIMBS)
    return join_hash_limbs(limbs.sum(axis=0, dtype=np.uint64).tolist())


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
