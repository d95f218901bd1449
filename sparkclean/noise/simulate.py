"""Plant known noise: which rows get which wrong label. Numpy only.

Every choice is one of ranks: rows of a class are ordered by a hash, and the first ones change. So
a rate is exact to one row a class, and no choice depends on how rows were divided or ordered.
`plant` works on arrays; the job calls the same functions with ranks that Spark has counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparkclean.noise.matrices import pair_matrix, uniform_matrix
from sparkclean.numbers.hashes import row_hashes, unit_hashes

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

KINDS: Final = (
    "uniform", "class", "pairs", "swap", "exchange", "shift", "boundary", "source", "annotator",
    "adversarial",
)  # fmt: skip

#: What a row has whose label stays.
UNCHANGED = -1


@dataclass(frozen=True)
class Noise:
    """One kind of noise, on class numbers 0..K-1.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    rate : float
        Share of the rows of each class that change; of ``shift``, of the groups.
    matrix : ndarray of float64, shape (K, K), optional
        P(noisy | true), rows true: ``class``.
    matrices : mapping of str to ndarray
        The same for each group: ``source`` and ``annotator``.
    pairs : tuple of (int, int)
        Classes that are confused, in both directions (``pairs``); the two that change places
        (``swap``); true and noisy class (``adversarial``).
    lag : int
        Rows by which labels are shifted.
    """

    kind: str
    rate: float = 0.0
    matrix: Floats | None = None
    matrices: Mapping[str, Floats] = field(default_factory=dict)
    pairs: tuple[tuple[int, int], ...] = ()
    lag: int = 1

    def matrix_of(self, num_classes: int, group: str | None = None) -> Floats:
        """Give P(noisy | true) of the rows of a group, shape (K, K)."""
        if self.kind in ("source", "annotator"):
            return self.matrices.get(group or "", np.eye(num_classes))
        if self.matrix is not None:
            return self.matrix
        if self.kind in ("uniform", "boundary"):
            return uniform_matrix(num_classes, self.rate)
        both = [*self.pairs, *((j, i) for i, j in self.pairs)]
        cells = self.pairs if self.kind == "adversarial" else both
        return pair_matrix(num_classes, cells, 1.0 if self.kind == "swap" else self.rate)


class Rows(NamedTuple):
    """What a noise looks at, one entry for each row that it may change.

    Attributes
    ----------
    true : ndarray of int64
        Class.
    rank : ndarray of int64
        Among the rows of the same group and class, from 0.
    group : ndarray of int64
        Number of the group.
    """

    true: Integers
    rank: Integers
    group: Integers


class Planted(NamedTuple):
    """Labels with planted noise.

    Attributes
    ----------
    noisy : ndarray of int64, shape (N,)
        Classes.
    noise : ndarray of int64, shape (N,)
        Number of the noise that changed the label; -1 where it stays.
    """

    noisy: Integers
    noise: Integers


def noise_seed(seed: int, number: int) -> int:
    """Give the seed of one of several noises."""
    return seed * 1009 + number


# -- choices of ranks ----------------------------------------------------------------------------


def cell_counts(size: int, shares: Floats, seed: int = 0) -> Integers:
    """Divide the rows of a class among noisy classes, each share exact to one row.

    Parameters
    ----------
    size : int
        Rows of the class.
    shares : ndarray of float64, shape (K,)
        With sum 1.
    seed : int
        Decides who gets a row where remainders are equal.

    Returns
    -------
    ndarray of int64, shape (K,)
        With sum ``size``, by largest remainders.
    """
    quotas = np.round(shares * size, 9)
    counts = np.floor(quotas).astype(np.int64)
    ties = unit_hashes(len(shares), seed)
    order = np.lexsort((ties, counts - quotas))
    counts[order[: size - int(counts.sum())]] += 1
    return counts


def flip_targets(
    noise: Noise, rows: Rows, sizes: Integers, names: Sequence[str | None], seed: int = 0
) -> Integers:
    """Say which class each row gets by a matrix; `UNCHANGED` where it stays.

    Parameters
    ----------
    noise : Noise
    rows : Rows
    sizes : ndarray of int64, shape (G, K)
        Rows by group and class.
    names : sequence
        Of the groups.
    seed : int

    Returns
    -------
    ndarray of int64
    """
    num_classes = sizes.shape[1]
    targets = np.full(len(rows.true), UNCHANGED, np.int64)
    cell = rows.group * num_classes + rows.true
    order = np.argsort(cell, kind="stable")
    starts = np.flatnonzero(np.diff(cell[order], prepend=-1))
    matrices: dict[int, Floats] = {}
    is_own = noise.kind in ("source", "annotator")
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        mine = order[start:end]
        group, true = divmod(int(cell[mine[0]]), num_classes)
        known = group if is_own else 0  # of other kinds one matrix serves all groups
        if known not in matrices:
            matrices[known] = noise.matrix_of(num_classes, names[group])
        counts = cell_counts(int(sizes[group, true]), matrices[known][true], seed + true)
        counts[true] = 0  # those that stay have the last ranks
        found = np.searchsorted(np.cumsum(counts), rows.rank[mine], side="right")
        targets[mine] = np.where(found < num_classes, found, UNCHANGED)
    return targets


def exchange_targets(noise: Noise, rows: Rows, sizes: Integers) -> Integers:
    """Say which label each row gets where rows of different classes exchange theirs.

    Rows that take part stand in a circle, class by class; opposite ones exchange. Where one class
    has more of them than all others together, what is beyond that stays.

    Parameters
    ----------
    noise : Noise
        ``rate`` is the share of the rows of each class that take part.
    rows : Rows
    sizes : ndarray of int64, shape (G, K)

    Returns
    -------
    ndarray of int64
        The class of the partner; `UNCHANGED` without one.
    """
    takes = np.floor(sizes * noise.rate + 0.5).astype(np.int64)
    total, largest = takes.sum(axis=1), takes.argmax(axis=1)
    every = np.arange(len(takes))
    most = takes[every, largest]
    takes[every, largest] = np.minimum(most, total - most)
    takes[every, takes.argmax(axis=1)] -= takes.sum(axis=1) % 2
    ends = np.cumsum(takes, axis=1)
    half = ends[:, -1] // 2
    place = ends[rows.group, rows.true] - takes[rows.group, rows.true] + rows.rank
    targets = np.full(len(rows.true), UNCHANGED, np.int64)
    for group in np.unique(rows.group):
        mine = np.flatnonzero((rows.group == group) & (rows.rank < takes[group][rows.true]))
        if len(mine):
            opposite = (place[mine] + half[group]) % max(2 * half[group], 1)
            targets[mine] = np.searchsorted(ends[group], opposite, side="right")
    return targets


def shifted_groups(noise: Noise, hashes: Integers) -> Bools:
    """Choose the groups whose labels are shifted: the share ``rate`` of them, by hash.

    Parameters
    ----------
    noise : Noise
    hashes : ndarray of int64, shape (G,)

    Returns
    -------
    ndarray of bool, shape (G,)
    """
    count = int(np.floor(noise.rate * len(hashes) + 0.5))
    chosen = np.zeros(len(hashes), bool)
    chosen[np.argsort(hashes, kind="stable")[:count]] = True
    return chosen


def mix(true: Integers, targets: Sequence[Integers]) -> Planted:
    """Let the first noise that changes a row win.

    Parameters
    ----------
    true : ndarray of int64, shape (N,)
    targets : sequence of ndarray of int64, shape (N,)
        What each noise would make of every row.

    Returns
    -------
    Planted
    """
    noisy, noise = true.copy(), np.full(len(true), UNCHANGED, np.int64)
    for number, target in enumerate(targets):
        wins = (noise == UNCHANGED) & (target != UNCHANGED) & (target != true)
        noisy[wins], noise[wins] = target[wins], number
    return Planted(noisy, noise)


# -- arrays --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Given:
    """What a noise goes by besides the labels, as arrays of shape (N,).

    Attributes
    ----------
    group : ndarray, optional
        Source, annotator, file or batch of each row.
    may_change : ndarray of bool, optional
        Rows that the noise may change.
    order : ndarray, optional
        Score of ``boundary``, lowest first; position within the file of ``shift``.
    runner_up : ndarray of int64, optional
        Class that a row gets, of ``boundary``; -1 for none. A row that has none, or its own class,
        cannot change.
    """

    group: NDArray[np.generic] | None = None
    may_change: Bools | None = None
    order: NDArray[np.generic] | None = None
    runner_up: Integers | None = None


def plant(
    true: Integers,
    noises: Sequence[Noise],
    *,
    num_classes: int,
    given: Sequence[Given] | None = None,
    seed: int = 0,
    hashes: Sequence[Integers] | None = None,
) -> Planted:
    """Plant noise in an array of labels.

    Parameters
    ----------
    true : ndarray of int64, shape (N,)
        Classes, 0..K-1.
    noises : sequence of Noise
        The first that changes a row wins.
    num_classes : int
        K.
    given : sequence of Given, optional
        What each noise goes by.
    seed : int
    hashes : sequence of ndarray of int64, optional
        Order of the rows for each noise; by default that of hashed row numbers.

    Returns
    -------
    Planted

    Examples
    --------
    >>> labels = np.repeat([0, 1, 2], 100)
    >>> planted = plant(labels, [Noise("uniform", rate=0.1)], num_classes=3)
    >>> np.bincount(labels[planted.noise >= 0])
    array([10, 10, 10])
    """
    true = np.asarray(true, np.int64)
    given = given or [Given()] * len(noises)
    found = []
    for number, (noise, about) in enumerate(zip(noises, given, strict=True)):
        own_seed = noise_seed(seed, number)
        order = row_hashes(len(true), own_seed) if hashes is None else hashes[number]
        found.append(_targets(noise, about, true, num_classes, order=order, seed=own_seed))
    return mix(true, found)


def _targets(
    noise: Noise, about: Given, true: Integers, num_classes: int, *, order: Integers, seed: int
) -> Integers:
    may = np.ones(len(true), bool) if about.may_change is None else about.may_change
    if about.runner_up is not None:
        may = may & (about.runner_up != UNCHANGED) & (about.runner_up != true)
    chosen = np.flatnonzero(may)
    targets = np.full(len(true), UNCHANGED, np.int64)
    names, group = _numbered(about.group, chosen)
    if noise.kind == "shift":
        place = np.arange(len(true)) if about.order is None else about.order
        hashed = row_hashes(len(names), seed)
        shifted = shifted_groups(noise, hashed)
        for number in np.flatnonzero(shifted):
            mine = chosen[group == number]
            mine = mine[np.argsort(place[mine], kind="stable")]
            targets[mine] = np.roll(true[mine], noise.lag)
        return targets
    keys: list[NDArray[Any]] = [order[chosen]]
    if noise.kind == "boundary" and about.order is not None:
        keys.append(about.order[chosen])
    rows = Rows(true[chosen], ranks_within(group * num_classes + true[chosen], keys), group)
    sizes = np.bincount(
        group * num_classes + true[chosen], minlength=len(names) * num_classes
    ).reshape(-1, num_classes)
    if noise.kind == "exchange":
        targets[chosen] = exchange_targets(noise, rows, sizes)
        return targets
    targets[chosen] = flip_targets(noise, rows, sizes, names, seed)
    if about.runner_up is not None:
        targets = np.where(targets == UNCHANGED, UNCHANGED, about.runner_up)
    return targets


def _numbered(
    group: NDArray[np.generic] | None, chosen: Integers
) -> tuple[list[str | None], Integers]:
    """Give the groups of the rows that may change, and the number of the group of each row."""
    if group is None:
        return [None], np.zeros(len(chosen), np.int64)
    names, numbers = np.unique(np.asarray(group)[chosen].astype(str), return_inverse=True)
    return [str(name) for name in names], numbers.astype(np.int64)


def ranks_within(cells: Integers, keys: Sequence[NDArray[np.generic]]) -> Integers:
    """Rank rows within their cell by keys, the last key first.

    Parameters
    ----------
    cells : ndarray of int64, shape (N,)
    keys : sequence of ndarray, shape (N,)

    Returns
    -------
    ndarray of int64, shape (N,)
        From 0; ties by position.
    """
    order = np.lexsort((*keys, cells))
    starts = np.flatnonzero(np.diff(cells[order], prepend=-1))
    lengths = np.diff([*starts, len(cells)])
    ranks = np.empty(len(cells), np.int64)
    ranks[order] = np.arange(len(cells)) - np.repeat(starts, lengths)
    return ranks
