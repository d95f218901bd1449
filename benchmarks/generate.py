"""Write a table of examples with noisy labels, of any size, in bounded memory.

python benchmarks/generate.py --rows 1000000 --classes 10 --to data/1m_x_10
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_VALUES_PER_GROUP = 1 << 22
_ROWS_PER_FILE = 2_000_000
SHAPES = ("one-file", "small-files", "skewed")


def generate(
    folder: Path, rows: int, classes: int, shape: str = "", *, noise: float = 0.08
) -> None:
    """Write ``rows`` examples: id, label (with ``noise`` of them flipped), pred_probs as float32.

    The same numbers for the same arguments. A class's logit is raised for its own examples, and
    more for easy ones, so that the model is neither perfect nor hopeless. Of a shape: all rows in
    one file; in 10,000 files; or 99 % of them in one class.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows_per_file = {"one-file": rows, "small-files": -(-rows // 10_000)}.get(shape, _ROWS_PER_FILE)
    group = max(1, min(rows, _VALUES_PER_GROUP // classes))
    if shape == "small-files":
        group = min(group, rows_per_file)
    writer: pq.ParquetWriter | None = None
    in_file = files = 0
    for start in range(0, rows, group):
        count = min(group, rows - start)
        rng = np.random.default_rng([start, rows, classes])
        true = rng.integers(0, classes, count)
        if shape == "skewed":
            true[rng.random(count) < 0.99] = 0
        logits = rng.standard_normal((count, classes), np.float32) * np.float32(1.5)
        ease = rng.exponential(3.0, count).astype(np.float32) + np.float32(np.log(classes))
        logits[np.arange(count), true] += ease
        logits -= logits.max(axis=1, keepdims=True)
        np.exp(logits, out=logits)
        logits /= logits.sum(axis=1, keepdims=True)
        given = np.where(rng.random(count) < noise, rng.integers(0, classes, count), true)
        offsets = pa.array(np.arange(0, count * classes + 1, classes, dtype=np.int32))
        table = pa.table(
            {
                "id": pa.array(np.arange(start, start + count)),
                "label": pa.array(given.astype(np.int32)),
                "pred_probs": pa.ListArray.from_arrays(offsets, pa.array(logits.reshape(-1))),
            }
        )
        if writer is None or in_file >= rows_per_file:
            if writer is not None:
                writer.close()
            writer = pq.ParquetWriter(folder / f"part-{files:05}.parquet", table.schema)
            files, in_file = files + 1, 0
        writer.write_table(table)
        in_file += count
    if writer is not None:
        writer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--classes", type=int, required=True)
    parser.add_argument("--shape", choices=SHAPES, default="")
    parser.add_argument("--to", type=Path, required=True)
    args = parser.parse_args()
    generate(args.to, args.rows, args.classes, args.shape)
