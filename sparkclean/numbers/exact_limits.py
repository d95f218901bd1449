"""Exact limits of shares, of arrays at once. On the driver only: scipy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Limits = tuple[NDArray[np.float64], NDArray[np.float64]]

#: Hits, and draws that are none, from which on hypergeometric limits combine over strata.
_FEWEST_HITS = 10


def clopper_pearson(hits: ArrayLike, drawn: ArrayLike, level: float = 0.95) -> Limits:
    """Exact limits of shares, each of a sample of a large population.

    Parameters
    ----------
    hits, drawn : array_like, shape (...)
        Hits among the draws; need not be integers.
    level : float
        Of confidence.

    Returns
    -------
    low, high : ndarray of float64, shape (...)
        0 and 1 where nothing was drawn.

    References
    ----------
    Clopper and Pearson (1934), The Use of Confidence or Fiducial Limits.
    """
    from scipy.special import betaincinv  # noqa: PLC0415 (slow, and on the driver only)

    k, n = np.broadcast_arrays(np.asarray(hits, np.float64), np.asarray(drawn, np.float64))
    half = (1.0 - level) / 2
    has_low, has_high = k > 0, (k < n) & (n > 0)
    low = betaincinv(np.where(has_low, k, 1.0), np.where(has_low, n - k + 1, 1.0), half)
    high = betaincinv(np.where(has_high, k + 1, 1.0), np.where(has_high, n - k, 1.0), 1 - half)
    return np.where(has_low, low, 0.0), np.where(has_high, high, 1.0)


def hypergeometric_limits(
    hits: ArrayLike, drawn: ArrayLike, size: ArrayLike, level: float = 0.95
) -> Limits:
    """Exact limits of shares, each of a sample without replacement of a small population.

    Parameters
    ----------
    hits, drawn, size : array_like of int, shape (...)
        Hits among the draws, draws, and examples of the population.
    level : float
        Of confidence.

    Returns
    -------
    low, high : ndarray of float64, shape (...)
        The share itself, twice, where all were drawn; 0 and 1 where none was.

    Notes
    -----
    Some 2 log2(size) evaluations of the distribution for each different (hits, drawn, size).
    """
    given = np.broadcast_arrays(*(np.asarray(part, np.int64) for part in (hits, drawn, size)))
    cells, back = np.unique(
        np.stack([part.reshape(-1) for part in given], axis=1), axis=0, return_inverse=True
    )
    k, n, total = cells.T
    half, top = (1.0 - level) / 2, total - (n - k)
    # the smallest number of hits under which k or more are not too rare
    fewest = _first(k, top, lambda number: _upper_tail(k, n, total, number) > half)
    # the largest number under which k or fewer are not too rare
    most = _first(k, top + 1, lambda number: _lower_tail(k, n, total, number) <= half) - 1
    scale = np.maximum(total, 1)
    low = np.where(n > 0, fewest / scale, 0.0)[back.reshape(-1)].reshape(given[0].shape)
    high = np.where(n > 0, most / scale, 1.0)[back.reshape(-1)].reshape(given[0].shape)
    return low, high


def _upper_tail(k: Any, n: Any, total: Any, number: Any) -> Any:
    from scipy.stats import hypergeom  # noqa: PLC0415 (slow, and on the driver only)

    return hypergeom.sf(k - 1, total, number, n)


def _lower_tail(k: Any, n: Any, total: Any, number: Any) -> Any:
    from scipy.stats import hypergeom  # noqa: PLC0415 (slow, and on the driver only)

    # beyond the largest possible number fewer than k cannot be hit
    inside = np.minimum(number, total - (n - k))
    return np.where(number > inside, 0.0, hypergeom.cdf(k, total, inside, n))


def _first(low: NDArray[np.int64], high: NDArray[np.int64], holds: Any) -> NDArray[np.int64]:
    """Find the first integer in [low, high] for which a rising condition holds, by halving."""
    low, high = low.copy(), high.copy()
    while (low < high).any():
        middle = (low + high) // 2
        held = holds(middle)
        high = np.where(held, middle, high)
        low = np.where(held, low, np.minimum(middle + 1, high))
    return low


def share_limits(hits: ArrayLike, drawn: ArrayLike, size: ArrayLike, level: float = 0.95) -> Limits:
    """Exact limits of shares, to be combined by the method of MOVER.

    Parameters
    ----------
    hits, drawn, size : array_like of int, shape (...)
    level : float

    Returns
    -------
    low, high : ndarray of float64, shape (...)

    Notes
    -----
    Hypergeometric where more than 5 % of the population was drawn and at least ten draws are hits,
    and ten are none; or where all was drawn. Else Clopper and Pearson's, which are wider. With few
    hits the narrower limits of several strata do not combine: their coverage fell to .26.
    """
    k, n, total = np.broadcast_arrays(*(np.asarray(part, np.int64) for part in (hits, drawn, size)))
    low, high = (part.copy() for part in clopper_pearson(k, n, level))
    is_small = (n * 20 > total) & (np.minimum(k, n - k) >= _FEWEST_HITS)
    exact = (n > 0) & (is_small | (n == total))
    if exact.any():
        low[exact], high[exact] = hypergeometric_limits(k[exact], n[exact], total[exact], level)
    return low, high
