"""p-values of many tests, adjusted so that a limit bounds the share of false discoveries."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def adjust_p_values(p: ArrayLike, tests: int | None = None) -> NDArray[np.float64]:
    """Adjust p-values by Benjamini and Hochberg: a discovery is one of at most the wanted share.

    Parameters
    ----------
    p : array of float64, shape (M,)
        NaN is no test, and stays NaN.
    tests : int, optional
        Tests that were made, where those that are left out had p = 1; by default those of `p`.

    Returns
    -------
    ndarray of float64, shape (M,)

    References
    ----------
    Benjamini and Hochberg (1995), Controlling the False Discovery Rate.
    """
    values = np.asarray(p, np.float64)
    adjusted = np.full(len(values), np.nan)
    tested = np.flatnonzero(~np.isnan(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    scaled = values[order] * max(tests or 0, len(order)) / np.arange(1, len(order) + 1)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted
