"""Labels that stand at the wrong row: shifted within a file, or exchanged between neighbours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sparkclean.noise.diagnosis.chances import Excess, Floats, calm, excess
from sparkclean.noise.diagnosis.counts import FAR, LAGS, NEAR, Integers, NeighbourCounts
from sparkclean.noise.diagnosis.limits import Limits
from sparkclean.numbers.false_discovery import adjust_p_values

_ZERO = LAGS.index(0)


class NeighbourSigns(NamedTuple):
    """What neighbouring rows show.

    Attributes
    ----------
    counts : NeighbourCounts
    lag : ndarray of int64, shape (F,)
        At which labels of the file agree best; 0 where nothing speaks for another.
    gain, low, high : ndarray of float64, shape (F,)
        By how much more they agree than with their own row, with a 95 % interval.
    shifted : float
        Errors of the files whose lag is not 0.
    exchange, exchange_q : Excess and ndarray, shape (3,)
        Exchanges at the distances `NEAR` against those at `FAR`.
    exchanged : float
        Rows that have exchanged their labels.
    """

    counts: NeighbourCounts
    lag: Integers
    gain: Floats
    low: Floats
    high: Floats
    shifted: float
    exchange: Excess
    exchange_q: Floats
    exchanged: float


def find_neighbours(
    counts: NeighbourCounts, limits: Limits, *, data: NeighbourSigns | None = None
) -> NeighbourSigns:
    """Look for shifts by file, and for exchanges in all files.

    Parameters
    ----------
    counts : NeighbourCounts
    limits : Limits
    data : NeighbourSigns, optional
        Of the data, where the counts are a replicate of them.

    Returns
    -------
    NeighbourSigns
    """
    compared = np.maximum(counts.compared, 1)
    share = counts.agreeing / compared
    others = np.array([k for k, lag in enumerate(LAGS) if lag])
    best = others[np.argmax(share[:, others], axis=1)]
    every = np.arange(len(share))
    at_best, at_own = share[every, best], share[:, _ZERO]
    gain = at_best - at_own
    spread = at_best * (1 - at_best) / compared[every, best]
    spread += at_own * (1 - at_own) / compared[:, _ZERO]
    half = 1.96 * np.sqrt(spread)
    is_shifted = (gain > limits.lag_gain) & (gain - half > 0)
    is_shifted &= counts.disagreements >= limits.fewest
    lag = np.where(is_shifted, np.array(LAGS)[best], 0)
    total = np.where(is_shifted[:, None], 0, counts.exchanged).sum(axis=0)
    near, far = total[: len(NEAR)], int(total[len(NEAR) :].sum())
    found = excess(
        near, np.ones(len(NEAR)), np.full(len(NEAR), far), np.full(len(NEAR), float(len(FAR)))
    )
    known = None if data is None else data.exchange_q < limits.q
    q = adjust_p_values(calm(found.p, known))
    counted = (q < limits.q) & (found.ratio > limits.exchange_ratio) & (near >= limits.fewest)
    return NeighbourSigns(
        counts, lag, gain, gain - half, gain + half,
        float(counts.disagreements[is_shifted].sum()),
        found, q, float(2.0 * found.errors[counted].sum()),
    )  # fmt: skip
