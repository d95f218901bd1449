"""From the configuration to noise on class numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparkclean.errors import ConfigError
from sparkclean.jobs.simulate.sections import NoiseSection
from sparkclean.noise.matrices import trace_matrix, uniform_matrix
from sparkclean.noise.simulate import Noise, noise_seed

_ROW_SUM = 1e-6


def noises_of(noises: Sequence[NoiseSection], classes: Sequence[Any], seed: int) -> list[Noise]:
    """Write noise in class numbers.

    Parameters
    ----------
    noises : sequence of NoiseSection
    classes : sequence
        The K labels.
    seed : int

    Returns
    -------
    list of Noise

    Raises
    ------
    ConfigError
        All findings at once: labels that are no class, matrices that are none.
    """
    findings: list[str] = []
    found = [
        _noise(noise, classes, noise_seed(seed, number), f"simulate.noise.{number}", findings)
        for number, noise in enumerate(noises)
    ]
    if findings:
        raise ConfigError(findings)
    return found


def _noise(
    noise: NoiseSection, classes: Sequence[Any], seed: int, path: str, findings: list[str]
) -> Noise:
    count = len(classes)
    place = {(type(label), label): k for k, label in enumerate(classes)}
    pairs = []
    for pair in noise.pairs:
        strange = [label for label in pair if (type(label), label) not in place]
        findings += [
            f"{path}.pairs: {label!r} is not among the {count:,} classes" for label in strange
        ]
        if not strange:
            one, other = (place[type(label), label] for label in pair)
            pairs.append((one, other))
    matrix = None
    if noise.matrix is not None:
        matrix = _matrix(noise.matrix, count, f"{path}.matrix", findings)
    elif noise.trace is not None:
        if not 0 < noise.trace <= count:
            findings.append(f"{path}.trace: {noise.trace:g} is not between 0 and K = {count}")
        else:
            matrix = trace_matrix(count, noise.trace, noise.sparsity, seed)
    matrices = {
        name: _matrix(rows, count, f"{path}.matrices.{name}", findings)
        for name, rows in noise.matrices.items()
    }
    matrices |= {name: uniform_matrix(count, rate) for name, rate in noise.rates.items()}
    rate = 1.0 if noise.rate is None else noise.rate
    return Noise(noise.kind, rate, matrix, matrices, tuple(pairs), noise.lag)


def _matrix(
    rows: Sequence[Sequence[float]], count: int, path: str, findings: list[str]
) -> NDArray[np.float64]:
    """Check a matrix; give one without noise where it is none."""
    if len(rows) != count or any(len(row) != count for row in rows):
        findings.append(f"{path}: a matrix of {count} rows of {count} numbers is needed")
        return np.eye(count)
    matrix = np.array(rows, np.float64)
    wrong = [
        str(k + 1)
        for k, row in enumerate(matrix)
        if not (row >= 0).all() or abs(row.sum() - 1.0) > _ROW_SUM
    ]
    if wrong:
        findings.append(
            f"{path}: rows {', '.join(wrong[:5])} are no probabilities: from 0 to 1, with sum 1"
        )
        return matrix
    return matrix / matrix.sum(axis=1, keepdims=True)  # so that shares of many rows stay exact
