"""Noise matrices: P(noisy | true), a row a true class. Numpy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sparkclean.numbers.hashes import unit_hashes


def uniform_matrix(num_classes: int, rate: float) -> NDArray[np.float64]:
    """P(noisy | true) where every other class is as likely.

    Parameters
    ----------
    num_classes : int
        K.
    rate : float

    Returns
    -------
    ndarray of float64, shape (K, K)
    """
    matrix = np.full((num_classes, num_classes), rate / max(num_classes - 1, 1))
    np.fill_diagonal(matrix, 1.0 - rate)
    return matrix


def pair_matrix(
    num_classes: int, cells: Sequence[tuple[int, int]], rate: float
) -> NDArray[np.float64]:
    """P(noisy | true) of noise in some cells (true, noisy); a class shares its rate among them.

    Parameters
    ----------
    num_classes : int
        K.
    cells : sequence of (int, int)
    rate : float

    Returns
    -------
    ndarray of float64, shape (K, K)
    """
    matrix = np.zeros((num_classes, num_classes))
    for true, noisy in dict.fromkeys(cells):
        matrix[true, noisy] = 1.0
    totals = matrix.sum(axis=1)
    matrix *= (rate / np.maximum(totals, 1.0))[:, None]
    np.fill_diagonal(matrix, 1.0 - matrix.sum(axis=1))
    return matrix


def trace_matrix(
    num_classes: int, trace: float, sparsity: float = 0.0, seed: int = 0
) -> NDArray[np.float64]:
    """P(noisy | true) of a given trace, with a share of the other cells empty.

    Parameters
    ----------
    num_classes : int
        K.
    trace : float
        Sum of the shares of the classes that stay: K less the summed noise rates.
    sparsity : float
        Share of the cells beside the diagonal that are 0; one stays in each row.
    seed : int

    Returns
    -------
    ndarray of float64, shape (K, K)
    """
    mean = trace / num_classes
    wave = unit_hashes(num_classes, seed) - 0.5
    stays = mean + min(mean, 1.0 - mean) * (wave - wave.mean())
    weights = unit_hashes(num_classes * num_classes, seed + 1).reshape(num_classes, num_classes)
    order = unit_hashes(num_classes * num_classes, seed + 2).reshape(num_classes, num_classes)
    np.fill_diagonal(order, 2.0)  # the diagonal is none of the others
    empty = min(round(sparsity * (num_classes - 1)), num_classes - 2)
    matrix = 0.25 + 0.75 * weights
    for row, places in enumerate(np.argsort(order, axis=1, kind="stable")):
        matrix[row, places[: max(empty, 0)]] = 0.0
        matrix[row, row] = 0.0
        matrix[row] *= (1.0 - stays[row]) / matrix[row].sum()
        matrix[row, row] = stays[row]
    return matrix
