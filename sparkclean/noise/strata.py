"""Strata of a review: suspects by rank, other examples by the model's confidence in their label."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

#: Buckets of the self-confidence, all of one width. A power of two: Spark and numpy agree on each.
BUCKETS = 1024
#: Shares of the other examples below which a stratum ends: those of which the model is least sure.
_SHARES = ((1, 10), (4, 10))
#: Strata of suspects: the first and the second half of the ranks.
SUSPECTS = 2
DECILES = 10


def bucket_edges(counts: Mapping[int, int]) -> list[int]:
    """Choose where strata of the other examples begin, by their self-confidence.

    Parameters
    ----------
    counts : mapping
        Examples by bucket, 0 to `BUCKETS` - 1.

    Returns
    -------
    list of int
        First bucket of each stratum but the first. Shorter where one bucket holds too many.
    """
    total, edges, below = sum(counts.values()), [], 0
    shares = list(_SHARES)
    for bucket, rows in sorted(counts.items()):
        reached = [share for share in shares if below * share[1] >= total * share[0]]
        if reached and below:
            edges.append(bucket)
            shares = shares[len(reached) :]
        below += rows
    return edges


def stratum_of_bucket(bucket: int, edges: Sequence[int]) -> int:
    """Give the stratum of another example; those of suspects come first."""
    return SUSPECTS + sum(bucket >= edge for edge in edges)


def decile_of_rank(rank: int, suspects: int) -> int:
    """Give the tenth in which a rank lies: 1 holds the most suspicious ones."""
    return (rank - 1) * DECILES // suspects + 1


def stratum_of_decile(decile: int) -> int:
    """Give the stratum of a suspect."""
    return (decile - 1) * SUSPECTS // DECILES


def stratum_names(edges: Sequence[int]) -> list[str]:
    """Name the strata.

    Parameters
    ----------
    edges : sequence of int
        Of `bucket_edges`.

    Returns
    -------
    list of str
        Suspects first.
    """
    limits = [0.0, *(edge / BUCKETS for edge in edges), 1.0]
    others = [f"self_confidence {a:.3f}-{b:.3f}" for a, b in itertools.pairwise(limits)]
    return ["suspects, first half", "suspects, second half", *(others if edges else ["others"])]
