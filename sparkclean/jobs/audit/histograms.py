"""Histograms of scores in bins that are fixed, for people to look at afterwards.

Runs on executors: numpy only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparkclean.jobs.audit.row_types import SCORES
from sparkclean.rows.emitted import KIND, STATE, Emitted

if TYPE_CHECKING:
    from sparkclean.rows.streams import State

#: Bins of the unit interval, 0.02 wide: bin m holds [m/50, (m+1)/50), and the last one 1 as well.
SCORE_BINS = 50


def score_bin(score: NDArray[np.floating]) -> NDArray[np.int64]:
    """Find the bin of a score.

    Parameters
    ----------
    score : ndarray of float, shape (N,)
        Between 0 and 1; what rounding puts beyond counts in the bin at that end.

    Returns
    -------
    ndarray of int64, shape (N,)
        In [0, `SCORE_BINS`).
    """
    found = np.floor(score.astype(np.float64) * SCORE_BINS).astype(np.int64)
    return np.clip(found, 0, SCORE_BINS - 1)


@dataclass(frozen=True)
class Histogram:
    """Rows by bin of a score, apart by whether the predicted class is the given label.

    Attributes
    ----------
    agreed, disagreed : tuple of int
        `SCORE_BINS` counts each.
    """

    agreed: tuple[int, ...] = (0,) * SCORE_BINS
    disagreed: tuple[int, ...] = (0,) * SCORE_BINS

    def metrics(self, score: str, of: str) -> dict[str, Any]:
        """Give it by name, for the run record.

        Parameters
        ----------
        score : str
            Name of the score.
        of : str
            Which rows were counted.

        Returns
        -------
        dict
        """
        return {
            "score": score,
            "of": of,
            "agreed": list(self.agreed),
            "disagreed": list(self.disagreed),
        }


class ScoreCounts:
    """Counts rows of a task by bin of a score: integers, so that sums of tasks are exact."""

    def __init__(self) -> None:
        self._counts = np.zeros((2, SCORE_BINS), np.int64)

    def add(self, score: NDArray[np.floating], *, differs: bool | NDArray[np.bool_]) -> None:
        """Count rows.

        Parameters
        ----------
        score : ndarray of float, shape (N,)
        differs : bool or ndarray of bool, shape (N,)
            Whether the given label is not the predicted class.
        """
        codes = np.asarray(differs) * np.int64(SCORE_BINS) + score_bin(score)
        self._counts += np.bincount(codes, minlength=2 * SCORE_BINS).reshape(2, SCORE_BINS)

    def state(self, keys: tuple[str, str]) -> Iterator[Emitted]:
        """Yield the counts as columns of state, keyed by whether rows differ, and bin."""
        differs, places = np.nonzero(self._counts)
        if len(places):
            counts = [[count] for count in self._counts[differs, places].tolist()]
            yield {KIND: SCORES, keys[0]: differs, keys[1]: places, STATE: counts}


def read_histogram(states: Iterable[State]) -> Histogram:
    """Read what tasks have counted.

    Parameters
    ----------
    states : iterable of State
        Of `ScoreCounts`; other kinds are passed over.

    Returns
    -------
    Histogram
    """
    counts = [[0] * SCORE_BINS, [0] * SCORE_BINS]
    for state in states:
        if state.kind == SCORES:
            counts[state.first][state.second] += state.values[0]
    return Histogram(*map(tuple, counts))
