"""Findings of an audit, made by hand: no Spark behind them."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from sparkclean.confident.noise import estimate_noise
from sparkclean.examples.columns import Columns
from sparkclean.examples.statistics import ClassStatistics
from sparkclean.examples.suspects import Suspects
from sparkclean.jobs.audit.findings import Findings
from sparkclean.jobs.audit.histograms import Histogram
from sparkclean.numbers.pair_counts import PairCounts


def make_suspects(counts: list[list[int]]) -> Suspects:
    """Make suspects that are counted by given and suggested class, and that nobody reads."""
    return Suspects(
        frame=cast(Any, None),
        stream=cast(Any, None),
        counts=PairCounts(counts),
        qualities={},
        hash_sum=0,
        reason="pruned_from_pair",
        detector="by hand",
        numbers=(),
    )


def make_findings(
    joint: list[list[int]], suspects: list[list[int]], *, rejected: int = 0
) -> Findings:
    """Make findings of a calibrated joint and of suspects by given and suggested class."""
    calibrated = np.array(joint, np.int64)
    examples = calibrated.sum(axis=1)
    size = len(joint)
    statistics = ClassStatistics(
        rows=int(examples.sum()) + rejected,
        examples=examples,
        sums=[0] * size,
        column_sums=[0] * size,
        clipped=0,
        surely=0,
        percentages=0,
        lowest=None,
        highest=None,
        rejections={"label_null": rejected} if rejected else {},
        rejected=cast(Any, None),
    )
    return Findings(
        statistics=statistics,
        thresholds=np.full(size, 0.5),
        noise=estimate_noise(calibrated, calibrated, examples),
        suspects=make_suspects(suspects),
        warnings=("few examples",),
        doubts=(),
        remembered="{}",
        self_confidence=Histogram(),
        label_quality=Histogram(),
    )


def make_columns(classes: tuple[Any, ...], ids: tuple[str, ...] = ("id",)) -> Columns:
    """Make the meaning of a table's columns."""
    return Columns(
        ids=ids,
        label="label",
        probs=("pred_probs",),
        layout="array",
        label_type=cast(Any, None),
        id_types=("bigint",) * len(ids),
        classes=classes,
    )
