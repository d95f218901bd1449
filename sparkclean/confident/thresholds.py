"""Per-class thresholds of confident learning, exact and order-free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sparkclean.numbers.fixed_point import ONE

#: No threshold is below it: less `CONFIDENT_MARGIN` it is above 0 still.
LOWEST_THRESHOLD = 2e-6
#: Of a class that nobody is given: no probability reaches it.
MISSING_CLASS_THRESHOLD = 2.0
#: A class is confident when its probability reaches its threshold less this.
CONFIDENT_MARGIN = 1e-6


def confident_thresholds(sums: Sequence[int], examples: Sequence[int]) -> NDArray[np.float64]:
    """Compute the mean self-confidence of each class from exact sums.

    Parameters
    ----------
    sums : sequence of int, length K
        Sum of the probabilities of class k over the examples given k, in units of 2**-40.
    examples : sequence of int, length K
        Number of examples given k.

    Returns
    -------
    ndarray of float64, shape (K,)
        At least `LOWEST_THRESHOLD`; `MISSING_CLASS_THRESHOLD` for a class that nobody is given.

    Notes
    -----
    One correctly rounded division per class, in integers: the result cannot depend on order.

    References
    ----------
    Northcutt, Jiang, Chuang (2021), Confident Learning, JAIR 70, section 3.1, eq. 2.
    """
    return np.array(
        [
            max(int(total) / (int(count) * ONE), LOWEST_THRESHOLD)
            if count
            else MISSING_CLASS_THRESHOLD
            for total, count in zip(sums, examples, strict=True)
        ]
    )
