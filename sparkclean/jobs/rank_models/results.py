"""From sums over items to the rows of both outputs. On the driver: M x M numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sparkclean.jobs.rank_models.sums import Sums
from sparkclean.jobs.rank_models.totals import (
    BAD,
    FIXED,
    VALID,
)
from sparkclean.noise import metrics, pairs
from sparkclean.noise.levels import level_prevalence, level_set
from sparkclean.noise.metrics import LOSS_UNIT, Measured
from sparkclean.noise.pair_sums import LOSS_BITS, LOSS_ERROR
from sparkclean.rows.types import arrow_type

#: Labels by which models are measured, and the strata that each consists of.
ORIGINAL, CLEAN, CORRECTED = (VALID, BAD), (VALID,), (VALID, FIXED)
#: Family-wise error of what is called certain.
ALPHA = 0.05
_DIGITS = 9

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Strata = tuple[int, ...]


@dataclass(frozen=True)
class Compared:
    """The rows of both outputs and what sums them up.

    Attributes
    ----------
    ranking : list of dict
    flips : Table
    metrics : dict
        Numbers to watch.
    """

    ranking: list[dict[str, Any]]
    flips: pa.Table
    metrics: dict[str, Any]


def compare(sums: Sums, chosen: Sequence[str], *, is_known: bool, is_checked: bool) -> Compared:
    """Measure all models, and compare every two of them.

    Parameters
    ----------
    sums : Sums
    chosen : sequence of str
        Metrics.
    is_known : bool
        Whether anything is known of the labels.
    is_checked : bool
        Whether it comes of something else than a model.

    Returns
    -------
    Compared
    """
    is_corrected = sums.items((FIXED,)) > 0
    versions: dict[str, Strata] = {"original": ORIGINAL}
    if is_known:
        versions["clean"] = CLEAN
    if is_corrected:
        versions["corrected"] = CORRECTED
    measured = {
        (metric, name): _measure(sums, metric, strata)
        for metric in dict.fromkeys(("accuracy", *chosen))
        for name, strata in versions.items()
    }
    blocks, intervals = [], {}
    for metric in ("accuracy", "log_loss"):
        if metric == "accuracy" or metric in chosen:
            values = {name: measured[metric, name].value for name in versions}
            block, interval = _pairs(sums, metric, versions, values, is_checked=is_checked)
            blocks.append(block)
            intervals[metric] = interval
    rows = [
        row
        for metric in chosen
        for row in _ranking(sums.models, metric, measured, versions, intervals.get(metric))
    ]
    numbers = _numbers(sums, chosen, measured, versions, blocks[0])
    return Compared(rows, pa.concat_tables(blocks), numbers)


def _measure(sums: Sums, metric: str, strata: Strata) -> Measured:
    items = sums.items(strata)
    if metric == "accuracy":
        return metrics.accuracy(sums.hits(strata).diagonal(), items)
    if metric == "log_loss":
        totals, products = sums.losses(strata)
        return metrics.log_loss(totals, products.diagonal() / float(1 << 2 * LOSS_BITS), items)
    counts = sums.classes(strata)
    return (
        metrics.balanced_accuracy(counts)
        if metric == "balanced_accuracy"
        else metrics.macro_f1(counts)
    )


# -- ranking -------------------------------------------------------------------------------------


def _ranking(
    models: Sequence[str],
    metric: str,
    measured: Mapping[tuple[str, str], Measured],
    versions: Mapping[str, Strata],
    interval: tuple[Integers, Integers] | None,
) -> list[dict[str, Any]]:
    """Make the rows of one metric, best model first."""
    low_is_best = metric == "log_loss"
    places = {
        name: pairs.ranks(measured[metric, name].value, low_is_best=low_is_best)
        for name in versions
    }
    rows = []
    for k in sorted(range(len(models)), key=lambda k: (places["original"][k], models[k])):
        row: dict[str, Any] = {"model": models[k], "metric": metric}
        for name in ("original", "clean", "corrected"):
            found = measured.get((metric, name))
            first = "value" if name == "original" else name
            low, high = ("low", "high") if name == "original" else (f"{name}_low", f"{name}_high")
            numbers = (None,) * 3 if found is None else [_rounded(part[k]) for part in found]
            row |= dict(zip((first, low, high), numbers, strict=True))
            row[f"rank_{name}"] = int(places[name][k]) if name in places else None
        row["rank_low"] = None if interval is None else int(interval[0][k])
        row["rank_high"] = None if interval is None else int(interval[1][k])
        rows.append(row)
    return rows


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), _DIGITS)


# -- pairs ---------------------------------------------------------------------------------------


def _pairs(
    sums: Sums,
    metric: str,
    versions: Mapping[str, Strata],
    values: Mapping[str, Floats],
    *,
    is_checked: bool,
) -> tuple[pa.Table, tuple[Integers, Integers]]:
    """Compare every two models; the better one by the original labels is the first of a pair."""
    is_loss = metric == "log_loss"
    sign = -1.0 if is_loss else 1.0
    order = np.array(
        sorted(
            range(len(sums.models)), key=lambda k: (-sign * values["original"][k], sums.models[k])
        )
    )
    i, j = np.triu_indices(len(order), 1)
    a, b = order[i], order[j]
    compare_by = _loss_difference if is_loss else _hit_difference
    found = {name: compare_by(sums, strata, a, b) for name, strata in versions.items()}
    last = found["clean" if "clean" in found else "original"]
    adjusted = pairs.holm(last.p_values)
    is_sure = adjusted < ALPHA
    # by which labels the order is judged
    first_better = sign * last.difference > 0
    better, worse = np.where(first_better, a, b)[is_sure], np.where(first_better, b, a)[is_sure]
    interval = pairs.rank_intervals(len(order), better, worse)
    names = np.array(sums.models, object)
    columns: dict[str, Any] = {
        "model_a": pa.array(names[a], pa.string()),
        "model_b": pa.array(names[b], pa.string()),
        "metric": pa.repeat(metric, len(a)),
    }
    for name in ("original", "clean", "corrected"):
        known = values.get(name)
        columns[f"{name}_a"] = _doubles(None if known is None else known[a], len(a))
        columns[f"{name}_b"] = _doubles(None if known is None else known[b], len(a))
        difference = found.get(name)
        for end, numbers in (
            ("", None if difference is None else difference.difference),
            ("_low", None if difference is None else difference.low),
            ("_high", None if difference is None else difference.high),
        ):
            digits = _DIGITS if end else 12
            columns[f"{name}_difference{end}"] = _doubles(numbers, len(a), digits=digits)
    columns["only_a"] = _integers(last.only_a, len(a))
    columns["only_b"] = _integers(last.only_b, len(a))
    now = found["original"].difference
    columns["flips"] = _flags(now * last.difference < 0 if "clean" in found else None, len(a))
    columns |= _levels(sums, found.get("clean"), compare_by, a, b)
    columns["mcnemar_p"] = _doubles(None if is_loss else last.p_values, len(a), digits=None)
    columns["holm_p"] = _doubles(adjusted, len(a), digits=None)
    columns["certain"] = pa.array(is_sure & is_checked)
    return pa.table(columns), interval


@dataclass(frozen=True)
class _Difference:
    """Differences of pairs on the same items, with variances, intervals and p values."""

    difference: Floats
    variance: Floats
    low: Floats
    high: Floats
    p_values: Floats
    only_a: Integers | None = None
    only_b: Integers | None = None


def _hit_difference(sums: Sums, strata: Strata, a: Integers, b: Integers) -> _Difference:
    counts = pairs.discordant(sums.hits(strata), sums.items(strata), a, b)
    low, high = pairs.difference_interval(counts)
    return _Difference(
        counts.difference, counts.variance, low, high, pairs.mcnemar(counts),
        counts.first, counts.second,
    )  # fmt: skip


def _loss_difference(sums: Sums, strata: Strata, a: Integers, b: Integers) -> _Difference:
    items = sums.items(strata)
    if items == 0:
        nothing = np.full(len(a), np.nan)
        return _Difference(nothing, nothing, nothing, nothing, np.ones(len(a)))
    totals, products = sums.losses(strata)
    mean = (totals[a] - totals[b]) / LOSS_UNIT / items
    own = products.diagonal()
    squares = (own[a] + own[b] - 2 * products[a, b]) / float(1 << 2 * LOSS_BITS)
    # products know losses to 2**-12: what differs by less would look the same in every item
    variance = np.maximum(squares / items - mean * mean, LOSS_ERROR) / items
    half, p_values = pairs.Z * np.sqrt(variance), pairs.normal_p(mean, variance)
    if items < 2:  # one item has no variance
        half, p_values = np.full(len(a), np.nan), np.ones(len(a))
    return _Difference(mean, variance, mean - half, mean + half, p_values)


def _levels(
    sums: Sums, clean: _Difference | None, compare_by: Any, a: Integers, b: Integers
) -> dict[str, pa.Array]:
    """Find where two models are level, and Fieller's sets, where there are bad labels."""
    kind = arrow_type("array<array<double>>")
    if clean is None or not sums.items((BAD,)) or not sums.items((VALID,)):
        return {
            "level_prevalence": _doubles(None, len(a)),
            "level_set": pa.nulls(len(a), kind),
        }
    bad = compare_by(sums, (BAD,), a, b)
    point = level_prevalence(clean.difference, bad.difference)
    sets = [
        [[round(end, _DIGITS) for end in ends] for ends in level_set(*map(float, numbers))]
        for numbers in zip(
            clean.difference, bad.difference, clean.variance, bad.variance, strict=True
        )
    ]
    return {
        "level_prevalence": _doubles(point, len(a), digits=12),
        "level_set": pa.array(sets, kind),
    }


def _doubles(values: Floats | None, count: int, *, digits: int | None = 12) -> pa.Array:
    """Make a column of numbers; NaN is null."""
    if values is None:
        return pa.nulls(count, pa.float64())
    numbers = np.asarray(values, np.float64)
    if digits is not None:
        numbers = np.round(numbers, digits)
    return pa.array(numbers, pa.float64(), from_pandas=True)


def _integers(values: Integers | None, count: int) -> pa.Array:
    return pa.nulls(count, pa.int64()) if values is None else pa.array(values, pa.int64())


def _flags(values: NDArray[np.bool_] | None, count: int) -> pa.Array:
    return pa.nulls(count, pa.bool_()) if values is None else pa.array(values)


# -- numbers to watch ----------------------------------------------------------------------------


def _numbers(
    sums: Sums,
    chosen: Sequence[str],
    measured: Mapping[tuple[str, str], Measured],
    versions: Mapping[str, Strata],
    pairs_of: pa.Table,
) -> dict[str, Any]:
    items, bad = sums.items(ORIGINAL), sums.items((BAD,))
    found: dict[str, Any] = {"models": len(sums.models), "items": items}
    if "clean" in versions:
        found |= {"bad_items": bad, "prevalence": bad / items}
    if "corrected" in versions:
        found["corrected_items"] = sums.items((FIXED,))
    for metric in chosen:
        original = measured[metric, "original"].value
        for name in ("clean", "corrected"):
            if name in versions:
                tau = pairs.kendall_tau(original, measured[metric, name].value)
                found[f"kendall_tau_{name}_{metric}"] = tau
    certain = np.asarray(pairs_of.column("certain"))
    found["pairs"] = len(certain)
    if "clean" in versions:
        flips = np.asarray(pairs_of.column("flips"))
        found["flips"] = int(np.count_nonzero(flips))
        found["certain_flips"] = int(np.count_nonzero(flips & certain))
    found["certain_pairs"] = int(np.count_nonzero(certain))
    return found
