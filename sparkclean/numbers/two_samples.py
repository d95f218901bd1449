"""Whether a share moved between two samples: difference, interval, test, false discoveries.

On the driver only: scipy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sparkclean.numbers.intervals import wilson_interval

#: Expected counts below which the normal test gives way to the exact one.
_FEW = 5
#: Digits of what is written: nothing of scipy's last bits.
_DIGITS = 9


@dataclass(frozen=True)
class Move:
    """How a share differs between two samples.

    Attributes
    ----------
    difference : float
        Second share less first one.
    low, high : float
        95 % interval of the difference.
    p : float
        Of the hypothesis that both shares are one, two-sided.
    """

    difference: float
    low: float
    high: float
    p: float


def compare_shares(hits: tuple[int, int], totals: tuple[int, int]) -> Move | None:
    """Compare two shares.

    Parameters
    ----------
    hits, totals : tuple of int
        Of the first and of the second sample.

    Returns
    -------
    Move or None
        None where a sample is empty.

    Raises
    ------
    ValueError
        If there are more hits than rows.

    Notes
    -----
    Newcombe's interval of Wilson limits; the pooled normal test, or Fisher's exact one where an
    expected count is below 5. Both take the samples for independent. Two versions of one table
    share most of their rows, so the true error is smaller: the test is careful.

    References
    ----------
    Newcombe (1998), Interval estimation for the difference between independent proportions,
    method 10.
    """
    if any(h > n or h < 0 for h, n in zip(hits, totals, strict=True)):
        raise ValueError(f"{hits} of {totals}")
    if 0 in totals:
        return None
    (p1, p2) = (h / n for h, n in zip(hits, totals, strict=True))
    (l1, u1), (l2, u2) = (wilson_interval(h, n) for h, n in zip(hits, totals, strict=True))
    difference = p2 - p1
    low = difference - float(np.hypot(p2 - l2, u1 - p1))
    high = difference + float(np.hypot(u2 - p2, p1 - l1))
    numbers = (difference, low, high, _test(hits, totals))
    return Move(*(round(number, _DIGITS) + 0.0 for number in numbers))


def _test(hits: tuple[int, int], totals: tuple[int, int]) -> float:
    from scipy.stats import fisher_exact, norm  # noqa: PLC0415 (slow, and on the driver only)

    pooled = sum(hits) / sum(totals)
    if pooled in (0.0, 1.0):
        return 1.0
    if min(pooled, 1 - pooled) * min(totals) < _FEW:
        (a, b), (m, n) = hits, totals
        return float(fisher_exact([[a, m - a], [b, n - b]]).pvalue)
    spread = np.sqrt(pooled * (1 - pooled) * (1 / totals[0] + 1 / totals[1]))
    return float(2 * norm.sf(abs(hits[1] / totals[1] - hits[0] / totals[0]) / spread))
