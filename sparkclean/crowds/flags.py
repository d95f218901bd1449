"""What is odd about annotators: one class always, disagreement beyond chance, copied errors.

Flags are tests against all annotators together, and survive a false-discovery control.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparkclean.crowds.annotators import CellSums
from sparkclean.crowds.votes import Votes
from sparkclean.numbers.false_discovery import adjust_p_values
from sparkclean.numbers.fixed_point import to_fixed

#: Share of flags that may be false (Benjamini and Hochberg 1995).
FALSE_DISCOVERIES = 0.05
#: What a flag wants besides: share of one class; disagreement, and shared errors, against what is
#: expected; items that two annotators share.
_ONE_CLASS, _TIMES_EXPECTED, _TIMES_SHARED, LEAST_SHARED = 0.95, 1.5, 2.0, 20
#: Votes below which nobody is said to give one class.
_FEWEST_VOTES = 10
#: Shared errors below which no pair of annotators is looked at, and votes of an item above which
#: its pairs are not.
LEAST_ERRORS, MOST_VOTES = 5, 64


def discoveries(
    p_values: NDArray[np.float64], level: float = FALSE_DISCOVERIES
) -> NDArray[np.bool_]:
    """Choose p-values so that the expected share of false ones is at most a level.

    Parameters
    ----------
    p_values : ndarray of float64, shape (T,)
        NaN is no test.
    level : float

    Returns
    -------
    ndarray of bool, shape (T,)
    """
    adjusted = adjust_p_values(p_values)
    return np.nan_to_num(adjusted, nan=1.0) <= level


def pooled_confusion(cells: CellSums) -> NDArray[np.float64]:
    """Give P(given | consensus of the others) of all annotators together.

    Parameters
    ----------
    cells : CellSums

    Returns
    -------
    ndarray of float64, shape (K true, K given)
        Of a class that no consensus has: all its items would be given it.
    """
    num_classes = cells.num_classes
    counts = np.bincount(
        cells.true * num_classes + cells.given, cells.without, num_classes * num_classes
    ).reshape(num_classes, num_classes)
    total = counts.sum(axis=1, keepdims=True)
    return np.where(total > 0, counts / np.maximum(total, 1), np.eye(num_classes))


def flag_one_class(cells: CellSums, num_annotators: int) -> NDArray[np.bool_]:
    """Find annotators who nearly always give one class, where the others would not.

    Parameters
    ----------
    cells : CellSums
    num_annotators : int
        A.

    Returns
    -------
    ndarray of bool, shape (A,)

    Notes
    -----
    There are at least 10 votes, at least 95 % of them for one class, and so many are unlikely
    (binomial tail) if the annotator gave it as often as all annotators do, by the consensus of the
    others.
    """
    num_classes = cells.num_classes
    pooled = pooled_confusion(cells)
    pairs, places = np.unique(cells.keys // num_classes, return_inverse=True)
    count = np.bincount(places, cells.without, len(pairs))
    who, given = pairs // num_classes, pairs % num_classes
    total = np.bincount(cells.annotators, cells.without, num_annotators)
    order = np.lexsort((given, -count, who))
    found, first = np.unique(who[order], return_index=True)
    top, given_top = np.zeros(num_annotators), np.zeros(num_annotators, np.int64)
    top[found], given_top[found] = count[order][first], given[order][first]
    # how many votes for its top class all annotators would give to an annotator's items
    expected = np.bincount(
        cells.annotators,
        cells.without * pooled[cells.true, given_top[cells.annotators]],
        num_annotators,
    )
    p_values = _tail(top, total, expected)
    enough = total >= _FEWEST_VOTES  # one vote is always for one class
    return discoveries(np.where(enough, p_values, 1.0)) & (top >= _ONE_CLASS * total)


def flag_disagreement(cells: CellSums, num_annotators: int) -> NDArray[np.bool_]:
    """Find annotators who disagree with the others more than chance explains.

    Parameters
    ----------
    cells : CellSums
    num_annotators : int
        A.

    Returns
    -------
    ndarray of bool, shape (A,)

    Notes
    -----
    Disagreements with the consensus of the others, against those of all annotators on items of the
    same classes: at least one and a half times as many, and unlikely (binomial tail).
    """
    pooled = pooled_confusion(cells)
    wrong = cells.given != cells.true
    total = np.bincount(cells.annotators, cells.without, num_annotators)
    found = np.bincount(cells.annotators[wrong], cells.without[wrong], num_annotators)
    error = 1 - pooled[np.arange(cells.num_classes), np.arange(cells.num_classes)]
    expected = np.bincount(cells.annotators, cells.without * error[cells.true], num_annotators)
    p_values = _tail(found, total, expected)
    return discoveries(p_values) & (found > _TIMES_EXPECTED * expected)


def _tail(found: NDArray[Any], total: NDArray[Any], expected: NDArray[Any]) -> NDArray[np.float64]:
    """Give P(at least so many | binomial); NaN where nothing was counted."""
    from scipy.stats import binom  # noqa: PLC0415 (slow, and on the driver only)

    known = total > 0
    p_values = np.full(len(found), np.nan)
    share = np.clip(expected[known] / total[known], 0.0, 1.0)
    p_values[known] = binom.sf(found[known] - 1, total[known], share)
    return p_values


def error_rates(cells: CellSums, num_annotators: int) -> NDArray[np.float64]:
    """Give the share of each annotator's votes that are not the consensus of the others.

    Parameters
    ----------
    cells : CellSums
    num_annotators : int
        A.

    Returns
    -------
    ndarray of float64, shape (A,)
        0 where the others have no consensus.
    """
    wrong = cells.given != cells.true
    total = np.bincount(cells.annotators, cells.without, num_annotators)
    found = np.bincount(cells.annotators[wrong], cells.without[wrong], num_annotators)
    return found / np.maximum(total, 1)


def error_classes(cells: CellSums) -> NDArray[np.float64]:
    """Give P(given | wrong, consensus of the others) of all annotators together.

    Parameters
    ----------
    cells : CellSums

    Returns
    -------
    ndarray of float64, shape (K true, K given)
        0 on the diagonal.
    """
    pooled = pooled_confusion(cells)
    np.fill_diagonal(pooled, 0.0)
    total = pooled.sum(axis=1, keepdims=True)
    return np.where(total > 0, pooled / np.maximum(total, 1e-300), 0.0)


@dataclass(frozen=True)
class PairErrors:
    """Errors that pairs of annotators share.

    Attributes
    ----------
    first, second : ndarray of int64, shape (T,)
        Two annotators.
    shared : ndarray of int64, shape (T,)
        Items of both on which the others have a consensus.
    errors : ndarray of int64, shape (T,)
        Those to which both gave the same class, and not the consensus.
    expected : ndarray of float64, shape (T, 2)
        Errors of the first that the second would share by chance, and the other way round.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    shared: NDArray[np.int64]
    errors: NDArray[np.int64]
    expected: NDArray[np.float64]


def flag_copiers(
    pairs: PairErrors, num_annotators: int, num_pairs: int, excess: float
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Find annotators who share more errors than a usual pair.

    Parameters
    ----------
    pairs : PairErrors
        That share at least `LEAST_ERRORS`.
    num_annotators : int
        A.
    num_pairs : int
        All pairs that were looked at: so many tests.
    excess : float
        Shared errors of all pairs over those expected: hard items make everybody err together.

    Returns
    -------
    flags : ndarray of bool, shape (A,)
    partners : ndarray of int64, shape (A,)
        With whom most errors are shared; -1 of those that are not flagged.
    """
    from scipy.stats import poisson  # noqa: PLC0415

    flags, partners = np.zeros(num_annotators, bool), np.full(num_annotators, -1)
    if not len(pairs.first):
        return flags, partners
    expected = np.maximum(pairs.expected.max(axis=1) * max(excess, 1.0), 1e-9)
    p_values = poisson.sf(pairs.errors - 1, expected)
    p_values[pairs.shared < LEAST_SHARED] = 1.0
    tested = np.concatenate([p_values, np.ones(max(0, num_pairs - len(p_values)))])
    chosen = discoveries(tested)[: len(p_values)] & (pairs.errors >= _TIMES_SHARED * expected)
    most = np.zeros(num_annotators, np.int64)
    for place in np.flatnonzero(chosen).tolist():
        for one, other in (
            (int(pairs.first[place]), int(pairs.second[place])),
            (int(pairs.second[place]), int(pairs.first[place])),
        ):
            flags[one] = True
            if pairs.errors[place] > most[one]:
                most[one], partners[one] = pairs.errors[place], other
    return flags, partners


@dataclass(frozen=True)
class SharedErrors:
    """Pairs of votes of the same items, and whether both are the same error.

    Attributes
    ----------
    first, second : ndarray of int64, shape (T,)
        The annotators of each pair of votes on an item: the lower one first.
    same : ndarray of bool, shape (T,)
        Whether both gave the same class, and not the consensus of the others.
    expected : ndarray of int64, shape (T, 2)
        Probability that the second gives the class of the first where that one errs, and the other
        way round, in units of 2**-40.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    same: NDArray[np.bool_]
    expected: NDArray[np.int64]


def shared_errors(
    votes: Votes,
    num_classes: int,
    rates: NDArray[np.float64],
    wrong_classes: NDArray[np.float64],
) -> SharedErrors:
    """Compare all pairs of votes of the same items.

    Parameters
    ----------
    votes : Votes
    num_classes : int
        K.
    rates : ndarray of float64, shape (A,)
        Of `error_rates`.
    wrong_classes : ndarray of float64, shape (K, K)
        Of `error_classes`.

    Returns
    -------
    SharedErrors
        Of pairs of items whose other votes have one class in front; items with more than
        `MOST_VOTES` votes are left out.
    """
    firsts, seconds, items = _pairs_of(votes)
    tally = votes.tally(num_classes)[items]
    rows = np.arange(len(items))
    given = votes.labels[firsts], votes.labels[seconds]
    for labels in given:
        tally[rows, labels] -= 1
    highest = tally.max(axis=1, initial=0)
    consensus = tally.argmax(axis=1)
    known = (highest > 0) & ((tally == highest[:, None]).sum(axis=1) == 1)
    firsts, seconds, consensus = firsts[known], seconds[known], consensus[known]
    one, other = given[0][known], given[1][known]
    who = votes.annotators[firsts].astype(np.int64), votes.annotators[seconds].astype(np.int64)
    expected = np.stack(
        [
            rates[who[1]] * wrong_classes[consensus, one],
            rates[who[0]] * wrong_classes[consensus, other],
        ],
        axis=1,
    )
    fixed = to_fixed(expected).astype(np.int64)
    return SharedErrors(who[0], who[1], (one == other) & (one != consensus), fixed)


def _pairs_of(votes: Votes) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """List all pairs of votes of the same item, and the item of each pair."""
    parts: list[Sequence[NDArray[np.int64]]] = []
    for size in np.unique(votes.sizes).tolist():
        if not 2 < size <= MOST_VOTES:
            continue
        items = np.flatnonzero(votes.sizes == size)
        one, other = np.triu_indices(size, 1)
        starts = votes.starts[items][:, None]
        parts.append(((starts + one).ravel(), (starts + other).ravel(), np.repeat(items, len(one))))
    if not parts:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, nothing
    firsts, seconds, items = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return firsts, seconds, items
