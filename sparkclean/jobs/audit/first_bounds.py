"""What is known before the first pass: fixed thresholds, and bounds by a former run or a sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparkclean.confident.bounds import Bounds, recalled_bounds, sample_bounds
from sparkclean.errors import ConfigError
from sparkclean.examples.statistics import Scanner
from sparkclean.jobs.audit.sections import MethodSection
from sparkclean.rows.progress import Progress
from sparkclean.schema import PAIR_FILTERS


def collect_bounds(
    scanner: Scanner,
    method: MethodSection,
    progress: Progress,
    *,
    fixed: NDArray[np.float64],
    rows: int,
    recall: Callable[[], str | None],
) -> Bounds | None:
    """Bound thresholds and cutoffs by an earlier run, or by a sample.

    Parameters
    ----------
    scanner : Scanner
    method : MethodSection
    progress : Progress
    fixed : ndarray of float64, shape (K,)
        Thresholds that are not computed; NaN elsewhere.
    rows, recall
        As in `pipeline.collect_findings`.

    Returns
    -------
    Bounds or None

    Notes
    -----
    A sample of a frame takes a job. One of files is cheaper than to read what other runs have left.
    """
    if method.adjust_pred_probs:  # scores each row by exact thresholds
        return None
    pairs = method.filter_by in PAIR_FILTERS
    if not scanner.scan.samples_without_job:
        text = recall()
        bounds = None if text is None else recalled_bounds(text, fixed=fixed, pairs=pairs)
        if bounds is not None:
            return bounds
    with progress.phase("sample") as phase:
        sample = scanner.scan.collect_sample(rows)
        if sample is None:
            return None
        phase.rows = len(sample[0])
    return sample_bounds(
        *sample,
        fixed=fixed,
        collision=method.collision,
        frac_noise=method.frac_noise if pairs else None,
    )


def fixed_thresholds(given: Any, classes: Sequence[Any]) -> NDArray[np.float64]:
    """Arrange the user's thresholds by class.

    Parameters
    ----------
    given : mapping from label to float, sequence of K floats, or None
    classes : sequence
        The K labels.

    Returns
    -------
    ndarray of float64, shape (K,)
        NaN where the threshold is to be computed.

    Raises
    ------
    ConfigError
        If a label is unknown or the number of thresholds is not K.
    """
    if given is None:
        given = {}
    if not isinstance(given, dict):
        if len(given) != len(classes):
            raise ConfigError(
                f"method.thresholds: {len(given)} values for {len(classes)} classes; give one for "
                "each, or a mapping from label to threshold"
            )
        return np.asarray(given, np.float64)
    # a key of a JSON file or of an override is text whatever the labels are
    position = {str(label): k for k, label in enumerate(classes)}
    unknown = [label for label in given if str(label) not in position]
    if unknown:
        raise ConfigError(f"method.thresholds: {unknown[0]!r} is not among the classes")
    fixed = np.full(len(classes), np.nan)
    for label, value in given.items():
        fixed[position[str(label)]] = value
    return fixed
