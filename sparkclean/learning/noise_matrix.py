"""Noise matrices, P(given | true): of an audit's pairs, of a sample, and what is wrong with one.

Runs on executors: numpy only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparkclean import schema
from sparkclean.errors import ConfigError, InputError

#: How far a column of a noise matrix may be from 1, for those that were stored with few digits.
_SUM_TOLERANCE = 1e-6


def noise_matrix_of_pairs(
    pairs: Iterable[Mapping[str, Any]], classes: Sequence[Any]
) -> NDArray[np.float64]:
    """Take the noise matrix from an audit's table of class pairs.

    Parameters
    ----------
    pairs : iterable of mapping
        Rows of one run, by ``schema.PAIRS``: ``given_label``, ``true_label``, ``noise_rate``. What
        has no row is 0.
    classes : sequence, length K
        Labels, in the order that the matrix shall have.

    Returns
    -------
    ndarray of float64, shape (K, K)
        P(given | true), rows given, columns true, for `ForwardCorrection`.

    Raises
    ------
    InputError
        If a pair is of other classes, or occurs twice.
    """
    index = {label: k for k, label in enumerate(classes)}
    matrix = np.full((len(index), len(index)), np.nan)
    for pair in pairs:
        names = pair[schema.GIVEN_LABEL], pair["true_label"]
        if any(label not in index for label in names):
            raise InputError(f"the pair {names} is not of the classes {list(index)[:5]}; name all")
        place = index[names[0]], index[names[1]]
        if not np.isnan(matrix[place]):
            raise InputError(f"the pair {names} occurs twice; give the pairs of one run")
        matrix[place] = pair["noise_rate"]
    return np.nan_to_num(matrix)


def noise_of_sample(
    noise_matrix: NDArray[np.float64], shares: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the noise matrix of rows that were sampled by their given class.

    Parameters
    ----------
    noise_matrix : ndarray of float64, shape (K, K)
        P(given | true) of all rows.
    shares : ndarray of float64, shape (K,)
        Of the rows of each given class.

    Returns
    -------
    noise_matrix : ndarray of float64, shape (K, K)
        P(given | true) in the sample, proportional to the shares of rows.
    shares : ndarray of float64, shape (K,)
        Of the rows of each true class, by which its probabilities are those of all rows again; 1
        for a class that is never true.
    """
    if (shares == 1.0).all():
        return noise_matrix, shares
    sampled = noise_matrix * shares[:, None]
    totals = sampled.sum(axis=0)
    totals = np.where(totals > 0.0, totals, 1.0)
    return sampled / totals, totals


def check_noise_matrix(matrix: NDArray[np.float64]) -> None:
    """Check that a matrix is one of probabilities, given classes in rows, true ones in columns.

    Parameters
    ----------
    matrix : ndarray of float64
        Of any shape.

    Raises
    ------
    ConfigError
        If it is not square, holds negative numbers, or a column sums neither to 1 nor to 0.
    """
    subject = "forward_correction: noise_matrix"
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ConfigError(f"{subject} has the shape {matrix.shape}; give (K, K)")
    if not (matrix >= 0.0).all():
        raise ConfigError(f"{subject} holds {matrix.min()}; give probabilities")
    sums = matrix.sum(axis=0)
    wrong = np.flatnonzero((np.abs(sums - 1.0) > _SUM_TOLERANCE) & (sums != 0.0))
    if len(wrong):
        rows = np.allclose(matrix.sum(axis=1), 1.0, rtol=0.0, atol=_SUM_TOLERANCE)
        raise ConfigError(
            f"{subject}: column {wrong[0]} sums to {sums[wrong[0]]:.6g}, not to 1; rows are given "
            "classes, columns true ones" + ("; it seems to be transposed" if rows else "")
        )
