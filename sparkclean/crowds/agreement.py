"""Agreement among annotators: Krippendorff's alpha and Fleiss' kappa, with bootstrap intervals.

Both follow from integer sums over items, by the number of an item's votes. A replicate of the
bootstrap gives each item a weight from a hash of the item and of the replicate's number, as if
drawn from a Poisson distribution of mean 1. So replicates do not depend on how items are divided.

References
----------
Krippendorff (2011), Computing Krippendorff's Alpha-Reliability. Fleiss (1971), Measuring Nominal
Scale Agreement among Many Raters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from sparkclean.crowds.votes import Votes
from sparkclean.numbers.hashes import mix_bits

#: Replicates of the bootstrap, and how many a 64-bit hash serves.
REPLICATES, _OF_HASH = 200, 4
#: P(weight <= w), Poisson of mean 1, in units of 2**-16.
_CUMULATED = (24109, 48219, 60273, 64292, 65296, 65497, 65531, 65535)
_POISSON = np.searchsorted(_CUMULATED, np.arange(1 << 16), side="right").astype(np.uint8)
_STEP = np.uint64(0x9E3779B97F4A7C15)
#: By the number of votes: votes by class, and disagreeing pairs.
_Sums = Mapping[int, tuple[list[int], int]]


def poisson_weights(hashes: NDArray[np.uint64], replicates: int = REPLICATES) -> NDArray[np.uint8]:
    """Draw the weight of each item in each replicate.

    Parameters
    ----------
    hashes : ndarray of uint64, shape (N,)
        Of the items.
    replicates : int
        B.

    Returns
    -------
    ndarray of uint8, shape (B, N)
    """
    weights = np.empty((replicates, len(hashes)), np.uint8)
    for first in range(0, replicates, _OF_HASH):
        number = np.uint64((first // _OF_HASH + 1) * int(_STEP) % (1 << 64))
        mixed = mix_bits(hashes + number)
        for part in range(min(_OF_HASH, replicates - first)):
            bits = (mixed >> np.uint64(16 * part)) & np.uint64(0xFFFF)
            weights[first + part] = _POISSON[bits]
    return weights


@dataclass
class AgreementCounts:
    """Sums over items by the number of their votes; those of several tasks add up.

    Attributes
    ----------
    sums : dict of int to ndarray of int64, shape (1 + B, 2, K)
        By number of votes: of all items with weight 1, then of each replicate; the sum of the votes
        of each class, and of their squares.
    """

    sums: dict[int, NDArray[np.int64]] = field(default_factory=dict)

    def add(
        self,
        votes: Votes,
        num_classes: int,
        hashes: NDArray[np.uint64],
        replicates: int = REPLICATES,
    ) -> None:
        """Add items.

        Parameters
        ----------
        votes : Votes
        num_classes : int
            K.
        hashes : ndarray of uint64, shape (N,)
            Of the items.
        replicates : int
            B.
        """
        tally = votes.tally(num_classes)
        values = np.concatenate([tally, tally * tally], axis=1).astype(np.float64)
        for size in np.unique(votes.sizes).tolist():
            chosen = np.flatnonzero(votes.sizes == size)
            weights = np.ones((1 + replicates, len(chosen)))
            weights[1:] = poisson_weights(hashes[chosen], replicates)
            # integers far below 2**53: the product is exact in any order
            found = (weights @ values[chosen]).astype(np.int64).reshape(-1, 2, num_classes)
            self.add_sums(size, found)

    def add_sums(self, size: int, found: NDArray[np.int64]) -> None:
        """Add sums of items with a number of votes."""
        self.sums[size] = self.sums[size] + found if size in self.sums else found


@dataclass(frozen=True)
class Agreement:
    """One number of agreement.

    Attributes
    ----------
    statistic : {"krippendorff_alpha", "fleiss_kappa"}
    label : int or None
        Class that is told from all others; None for all classes.
    value, lower, upper : float or None
        With a 95 % interval; None where there is no pair of votes, or only one class.
    items, annotations : int
        Items with several votes, and their votes.
    """

    statistic: str
    label: int | None
    value: float | None
    lower: float | None
    upper: float | None
    items: int
    annotations: int


def agreements(counts: AgreementCounts, num_classes: int) -> Iterator[Agreement]:
    """Work out alpha, and kappa where every item has the same number of votes.

    Parameters
    ----------
    counts : AgreementCounts
        Of all items.
    num_classes : int
        K.

    Yields
    ------
    Agreement
        Of all classes, then of each one; alpha first.
    """
    paired = {size: sums for size, sums in sorted(counts.sums.items()) if size > 1}
    annotations = sum(int(sums[0, 0].sum()) for sums in paired.values())
    items = sum(int(sums[0, 0].sum()) // size for size, sums in paired.items())
    statistics: dict[str, Callable[[_Sums], float | None]] = {"krippendorff_alpha": _alpha}
    if len(counts.sums) == len(paired) == 1:
        statistics["fleiss_kappa"] = _kappa
    for name, function in statistics.items():
        for label in (None, *range(num_classes)):
            value, *drawn = _values(function, paired, label)
            known = sorted(number for number in drawn if number is not None)
            lower, upper = _interval(known) if value is not None and known else (None, None)
            yield Agreement(name, label, value, lower, upper, items, annotations)


def _values(
    function: Callable[[_Sums], float | None],
    paired: Mapping[int, NDArray[np.int64]],
    label: int | None,
) -> list[float | None]:
    """Work out a statistic of all items and of each replicate."""
    if not paired:
        return [None]
    classes = {size: _of_classes(part, size, label) for size, part in paired.items()}
    replicates = len(next(iter(paired.values())))
    return [
        function({size: (votes[i], apart[i]) for size, (votes, apart) in classes.items()})
        for i in range(replicates)
    ]


def _of_classes(
    sums: NDArray[np.int64], size: int, label: int | None
) -> tuple[list[list[int]], list[int]]:
    """Give votes by class, and disagreeing pairs; of one class against all others, if one is named.

    A pair counts twice, once from each of its votes.
    """
    votes, squares = sums[:, 0], sums[:, 1]
    total = votes.sum(axis=1)
    if label is None:
        return votes.tolist(), (size * total - squares.sum(axis=1)).tolist()
    own = votes[:, label]
    apart = 2 * (size * own - squares[:, label])
    return np.stack([own, total - own], axis=1).tolist(), apart.tolist()


def _alpha(sums: _Sums) -> float | None:
    classes = [sum(votes) for votes in zip(*(votes for votes, _ in sums.values()), strict=True)]
    total = sum(classes)
    expected = total * total - sum(count * count for count in classes)
    if total == 0 or expected == 0:
        return None
    apart = sum((Fraction(pairs, size - 1) for size, (_, pairs) in sums.items()), Fraction(0))
    return float(1 - (total - 1) * apart / expected)


def _kappa(sums: _Sums) -> float | None:
    ((size, (classes, apart)),) = sums.items()
    total = sum(classes)
    expected = total * total - sum(count * count for count in classes)
    if total == 0 or expected == 0:
        return None
    return float(1 - Fraction(apart, (size - 1) * total) * total * total / expected)


def _interval(values: list[float]) -> tuple[float, float]:
    """Give the 2.5 and 97.5 % quantiles of sorted values."""
    quantiles = []
    for share in (Fraction(1, 40), Fraction(39, 40)):
        place = share * (len(values) - 1)
        low = int(place)
        high, part = min(low + 1, len(values) - 1), float(place - low)
        quantiles.append(round(values[low] * (1 - part) + values[high] * part, 9))
    return quantiles[0], quantiles[1]
