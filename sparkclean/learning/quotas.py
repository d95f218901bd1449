"""How many rows of each class a model is trained on, and which. Runs on executors: numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def rows_in_quota(given: NDArray[np.int64], quota: NDArray[np.int64]) -> NDArray[np.intp]:
    """Find the first rows of each class.

    Parameters
    ----------
    given : ndarray of int64, shape (N,)
    quota : ndarray of int64, shape (K,)

    Returns
    -------
    ndarray of int
        Ascending.
    """
    order = np.argsort(given, kind="stable")
    begin = np.searchsorted(given[order], np.arange(len(quota)))
    place = np.empty(len(given), np.int64)
    place[order] = np.arange(len(given))
    return np.flatnonzero(place - begin[given] < quota[given])


def drawn_shares(drawn: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Find which share of each class a model was trained on.

    Parameters
    ----------
    drawn, counts : ndarray of int64, shape (K,)
        Rows that it was trained on, and of those that there were.

    Returns
    -------
    ndarray of float64, shape (K,)
        1 for a class of which it has seen nothing, whose probability is 0.
    """
    return np.where(drawn > 0, drawn / np.maximum(counts, 1), 1.0)
