"""Who looks at what: balanced, and never somebody who has judged the example before."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Assignments:
    """Reviewers by example.

    Attributes
    ----------
    reviewers : list of tuple of str
        As the examples were given.
    short : int
        Examples that got fewer reviewers than asked for.
    """

    reviewers: list[tuple[str, ...]]
    short: int

    def loads(self) -> dict[str, int]:
        """Give examples by reviewer."""
        loads: dict[str, int] = {}
        for names in self.reviewers:
            for name in names:
                loads[name] = loads.get(name, 0) + 1
        return loads


def assign(
    items: Sequence[str],
    reviewers: Sequence[str],
    reviews: Sequence[int],
    excluded: Mapping[int, Collection[str]],
    seed: int,
) -> Assignments:
    """Choose the reviewers of each example.

    Parameters
    ----------
    items : sequence of str, length N
        A text for each example, no two equal.
    reviewers : sequence of str
    reviews : sequence of int, length N
        Reviewers that each example is to get.
    excluded : mapping from int to collection of str
        By position of the example: who must not get it.
    seed : int

    Returns
    -------
    Assignments
        The one with the fewest examples so far comes first; a hash decides between equals.
    """
    loads = dict.fromkeys(reviewers, 0)
    found: list[tuple[str, ...]] = []
    short = 0
    for place, item in enumerate(items):
        barred = excluded.get(place, ())
        free = [name for name in reviewers if name not in barred]
        free.sort(key=lambda name: (loads[name], hash_of(seed, item, name)))
        chosen = tuple(free[: reviews[place]])
        short += len(chosen) < reviews[place]
        for name in chosen:
            loads[name] += 1
        found.append(chosen)
    return Assignments(found, short)


def hash_of(seed: int, *texts: str) -> str:
    """Hash texts for an order that looks random and is always the same."""
    joined = "".join(f"{len(text)}:{text}" for text in (str(seed), *texts))
    return hashlib.sha256(joined.encode()).hexdigest()
