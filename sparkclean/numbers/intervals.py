"""Intervals of shares. On the driver only: scipy."""

from __future__ import annotations


def wilson_interval(hits: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share.

    Parameters
    ----------
    hits, total : int

    Returns
    -------
    low, high : float
        0 and 1 where nothing was counted.

    Notes
    -----
    Covers the sampling error alone, not the bias of a weak model.

    References
    ----------
    Wilson (1927), Probable Inference, the Law of Succession, and Statistical Inference.
    """
    from scipy.stats import binomtest  # noqa: PLC0415 (slow, and on the driver only)

    if total == 0:
        return 0.0, 1.0
    interval = binomtest(hits, total).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)
