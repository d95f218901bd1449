"""Buckets of confidence: the rows of which a model is surest, without a sort. Numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparkclean.numbers.fixed_point import ONE, to_fixed

Integers = NDArray[np.int64]

#: Tiers of confidence end at these shares of the rows of each predicted class, the surest first;
#: the last tier holds everything else.
TIER_SHARES = (0.125, 0.25, 0.5, 0.75)
#: The core: the surest eighth, and the next eighth.
TOP, CORE = 0, 1
OUTSIDE = len(TIER_SHARES)
#: Buckets of each power of two of the distance to 1.
_STEPS = 16


def confidence_buckets(highest: NDArray[np.floating]) -> Integers:
    """Give highest probabilities numbers of buckets, the surest first.

    Parameters
    ----------
    highest : ndarray of float, shape (N,)

    Returns
    -------
    ndarray of int64, shape (N,)
        0 for a probability of 1; 16 buckets for each power of two of the distance to 1.
    """
    distance = np.maximum(float(ONE) - to_fixed(highest), 0.0)
    mantissa, exponent = np.frexp(distance)
    step = np.floor((mantissa - 0.5) * (2 * _STEPS))
    return np.where(distance == 0.0, 0.0, exponent * _STEPS + step + 1).astype(np.int64)


def tier_cutoffs(
    predicted: Integers, bucket: Integers, count: Integers, num_classes: int
) -> Integers:
    """Find the last bucket of each tier but the last, by predicted class.

    Parameters
    ----------
    predicted, bucket, count : ndarray of int64, shape (B,)
        Rows by predicted class and bucket.
    num_classes : int
        K.

    Returns
    -------
    ndarray of int64, shape (4, K)
        A bucket in which a tier ends belongs to it as a whole, so a tier may be larger than its
        share. -1 for a class that is never predicted.
    """
    cutoffs = np.full((len(TIER_SHARES), num_classes), -1, np.int64)
    order = np.lexsort((bucket, predicted))
    predicted, bucket, count = predicted[order], bucket[order], count[order]
    starts = np.flatnonzero(np.diff(predicted, prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(predicted)], strict=True):
        sums = np.cumsum(count[start:end])
        for tier, share in enumerate(TIER_SHARES):
            place = int(np.searchsorted(sums, share * sums[-1]))
            cutoffs[tier, predicted[start]] = bucket[start + place]
    return cutoffs


def tiers(predicted: Integers, bucket: Integers, cutoffs: Integers) -> Integers:
    """Give the tier of each row.

    Parameters
    ----------
    predicted, bucket : ndarray of int64, shape (N,)
    cutoffs : ndarray of int64, shape (4, K)

    Returns
    -------
    ndarray of int64, shape (N,)
        From `TOP` to `OUTSIDE`.
    """
    beyond = bucket[None, :] > cutoffs[:, predicted]
    return beyond.sum(axis=0).astype(np.int64)
