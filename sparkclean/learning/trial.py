"""Try an estimator on a few rows of a table, before the table is read as a whole."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import functions as F

from sparkclean.errors import ConfigError
from sparkclean.examples.batches import LABEL
from sparkclean.learning.estimator_errors import EstimatorError
from sparkclean.learning.features import NUMBERS, TEXT_PREFIX, Block

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_log = logging.getLogger("sparkclean")

#: Rows that are tried, and numbers of one of them beyond which a few must do.
_ROWS, _WIDE_ROWS, _WIDE = 200, 5, 1 << 14
#: Rows that are made of them, and numbers that these hold, at most.
_LEAST_MADE, _MOST_MADE, _MOST_NUMBERS = 1000, 20_000, 1 << 22
_MOST_CLASSES = 10_000

#: Trains on examples of K classes, given by number, and predicts them.
Attempt = Callable[[Block, NDArray[np.int64], int], None]


@dataclass(frozen=True)
class TrialRows:
    """A few rows of a table, held by the driver.

    Attributes
    ----------
    block : Block
    given : ndarray of int64, shape (N,)
        Classes by number.
    num_classes : int
    """

    block: Block
    given: NDArray[np.int64]
    num_classes: int


def try_estimator(
    frame: DataFrame,
    attempt: Attempt,
    *,
    num_texts: int,
    impute: bool,
    classes: Sequence[Any],
    section: str,
) -> None:
    """Try an estimator on the first rows of a table.

    Parameters
    ----------
    frame : DataFrame
        By `narrow`.
    attempt : callable
    num_texts : int
    impute : bool
        Whether numbers may be missing.
    classes : sequence
        The K labels; empty where only the table knows them.
    section : str
        Of the configuration, that names the parameters.

    Raises
    ------
    ConfigError
        If the parameters do not work, whatever the rows are.
    InputError
        If it takes no such rows.

    Notes
    -----
    One small job; another one where the estimator fails. Rows whose features cannot be used are
    passed over: the checks of the features tell about them.
    """
    rows = collect_trial_rows(frame, num_texts=num_texts, impute=impute, classes=classes)
    if rows is not None:
        judge(attempt, rows, lambda: len(classes) or _count_classes(frame), section=section)


def collect_trial_rows(
    frame: DataFrame, *, num_texts: int, impute: bool, classes: Sequence[Any]
) -> TrialRows | None:
    """Read the first rows of a table, but for those that cannot be used.

    Parameters
    ----------
    frame, num_texts, impute, classes
        As in `try_estimator`.

    Returns
    -------
    TrialRows or None
        With classes that are made up where these rows have fewer than two. None where there are
        fewer than two rows.
    """
    texts = [F.col(f"{TEXT_PREFIX}{i}") for i in range(num_texts)]
    numbers = F.col(NUMBERS) if NUMBERS in frame.columns else F.array().cast("array<double>")
    few = F.when(F.size(numbers) <= _WIDE, numbers)
    found = frame.select(LABEL, few, *texts).limit(_ROWS).collect()
    if not any(row[1] is not None for row in found):
        found = frame.select(LABEL, numbers, *texts).limit(_WIDE_ROWS).collect()
    lengths = [len(row[1]) for row in found if row[1] is not None]
    rows = [row for row in found if row[1] is not None and len(row[1]) == max(lengths)]
    if len(rows) < 2:
        return None
    matrix = np.array([row[1] for row in rows], np.float64).reshape(len(rows), -1)  # null is NaN
    usable = ~np.isinf(matrix) if impute else np.isfinite(matrix)
    labels = {row[0] for row in rows if row[0] is not None}
    known = sorted(labels & set(classes) if classes else labels)
    kept = np.flatnonzero(usable.all(axis=1))
    if len(known) > 1:
        kept = np.array([i for i in kept.tolist() if rows[i][0] in known], np.intp)
    if len(kept) < 2:
        return None
    place = {label: k for k, label in enumerate(known)}
    given = [place[rows[i][0]] if len(known) > 1 else k % 2 for k, i in enumerate(kept)]
    words = tuple([rows[i][2 + j] or "" for i in kept] for j in range(num_texts))
    return TrialRows(Block(matrix[kept], words), np.array(given, np.int64), max(len(known), 2))


def judge(
    attempt: Attempt, rows: TrialRows, count_classes: Callable[[], int], *, section: str
) -> None:
    """Try an estimator; say whether its parameters or the rows are wrong, if one is for certain.

    Parameters
    ----------
    attempt : callable
    rows : TrialRows
    count_classes : callable
        Gives K, where it matters.
    section : str

    Raises
    ------
    ConfigError, InputError

    Notes
    -----
    A few rows may be too few, of too few classes, or too much alike, for an estimator that does
    well on all of them. So the rows are repeated, a little moved, with all classes among them, and
    twice as often once more. What fails with the same words then would fail on the table.
    """
    first = _failure(attempt, rows.block, rows.given, rows.num_classes)
    if first is None:
        return
    classes = max(count_classes(), 2)
    width = rows.block.numbers.shape[1]
    made = max(_LEAST_MADE, 2 * width * classes, 20 * classes)
    error = first
    certain = 2 * made <= _MOST_MADE and 2 * made * width <= _MOST_NUMBERS
    if certain:
        error, same = (
            _failure(attempt, _repeated(rows.block, count), np.arange(count) % classes, classes)
            or first
            for count in (made, 2 * made)
        )
        certain = first is not error and first is not same and error.words == same.words
    if not certain:
        _log.info(
            "tried on %d rows: %s; this works on all rows of the sample", len(rows.block), first
        )
        return
    harmless = _failure(attempt, _harmless(rows.block, made), np.arange(made) % classes, classes)
    if harmless is not None and harmless.words == error.words:
        raise ConfigError(
            f"{section}.params: {error.name} fails on any rows of {classes} classes: "
            f"{error.words}. To it classes are numbers, 0 to {classes - 1}; correct the "
            f"parameters, or choose another {section}.estimator"
        ) from error
    raise error


def _failure(
    attempt: Attempt, block: Block, given: NDArray[np.int64], num_classes: int
) -> EstimatorError | None:
    try:
        attempt(block, given, num_classes)
    except EstimatorError as exc:
        return exc
    return None


def _repeated(block: Block, count: int) -> Block:
    """Repeat rows, the repetitions a little larger: none becomes negative, none is like another."""
    place = np.arange(count) % len(block)
    found = block.take(place)
    scale = np.nanstd(found.numbers, axis=0) if found.numbers.size else 0.0
    moved = 1e-3 * np.random.default_rng(0).random(found.numbers.shape) * np.maximum(scale, 1e-3)
    return Block(found.numbers + np.where((np.arange(count) < len(block))[:, None], 0.0, moved),
                 found.texts)  # fmt: skip


def _harmless(block: Block, count: int) -> Block:
    """Make rows of the same shape that nothing can be wrong with."""
    numbers = np.random.default_rng(0).random((count, block.numbers.shape[1]))
    words = [f"word{i % 97} other{i % 89}" for i in range(count)]
    return Block(numbers, tuple(words for _ in block.texts))


def _count_classes(frame: DataFrame) -> int:
    """Count the labels of a table. One job that reads the label column."""
    return (
        frame.where(F.col(LABEL).isNotNull()).select(LABEL).distinct().limit(_MOST_CLASSES).count()
    )
