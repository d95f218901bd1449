"""Tables that tests audit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray


def noisy_data(
    rows: int, classes: int, *, noise: float = 0.1, seed: int = 0, ties: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels with some of them wrong, and the probabilities of a fair model."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, classes, rows)
    logits = rng.standard_normal((rows, classes))
    logits[np.arange(rows), true] += 2.5
    pred_probs = np.exp(logits)
    pred_probs /= pred_probs.sum(axis=1, keepdims=True)
    if ties:  # few different values, still summing to 1
        pred_probs = np.round(pred_probs * 20) / 20
        pred_probs[np.arange(rows), pred_probs.argmax(axis=1)] += 1.0 - pred_probs.sum(axis=1)
    flipped = rng.random(rows) < noise
    given = np.where(flipped, rng.integers(0, classes, rows), true)
    return given, pred_probs


def write_table(
    folder: Path,
    given: NDArray[np.int64],
    pred_probs: NDArray[np.float64],
    *,
    files: int = 1,
    **extra: object,
) -> Path:
    """Write examples as Parquet files of equal size."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = {
        "id": pa.array(np.arange(len(given))),
        "label": pa.array(given),
        "pred_probs": pa.array(list(pred_probs)),
        **extra,
    }
    table = pa.table(columns)
    step = -(-len(given) // files)
    for i in range(files):
        pq.write_table(table.slice(i * step, step), folder / f"part-{i:05}.parquet")
    return folder
