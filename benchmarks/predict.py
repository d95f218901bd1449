"""Time `sparkclean run` (predict and audit) from features, by engine, each a whole process.

python benchmarks/predict.py --rows 500000 2000000
python benchmarks/predict.py --rows 8000000 --engines sklearn

Tables of ``array<float>`` with 64 numbers a row and 10 classes, 5 % of the labels flipped. Seconds,
rows a second, peak memory of all processes together and of the largest Python worker, seconds by
phase. ``numpy`` is what scoring is compared with: the models that the run has left predict the same
rows, one process a core, read with pyarrow, nothing written. Writes benchmarks/results/predict.json
and .md, which keep what was not measured again. Ratios hold on other machines, seconds do not.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from run import Measured, machine, measure
from threadpoolctl import threadpool_limits

from sparkclean.lake import open_target
from sparkclean.learning.features import Block
from sparkclean.learning.model_files import read_models

NUMBERS, CLASSES, NOISE = 64, 10, 0.05
_GROUP_ROWS, _FILE_ROWS = 50_000, 250_000
ENGINES = ("sklearn", "spark-ml")


def generate(folder: Path, rows: int) -> None:
    """Write examples: id, label, features; each class around a center of its own."""
    folder.mkdir(parents=True)
    centers = np.random.default_rng(0).standard_normal((CLASSES, NUMBERS)).astype(np.float32)
    for start in range(0, rows, _FILE_ROWS):
        stop = min(start + _FILE_ROWS, rows)
        with pq.ParquetWriter(folder / f"part-{start // _FILE_ROWS:05}.parquet", _SCHEMA) as file:
            for first in range(start, stop, _GROUP_ROWS):
                count = min(_GROUP_ROWS, stop - first)
                rng = np.random.default_rng([first, rows])
                true = rng.integers(0, CLASSES, count)
                values = centers[true] * 0.45 + rng.standard_normal((count, NUMBERS), np.float32)
                moved = (true + rng.integers(1, CLASSES, count)) % CLASSES
                given = np.where(rng.random(count) < NOISE, moved, true).astype(np.int32)
                offsets = pa.array(np.arange(0, count * NUMBERS + 1, NUMBERS, dtype=np.int32))
                features = pa.ListArray.from_arrays(offsets, pa.array(values.reshape(-1)))
                ids = pa.array(np.arange(first, first + count))
                file.write_table(pa.table([ids, given, features], schema=_SCHEMA))


_SCHEMA = pa.schema(
    [("id", pa.int64()), ("label", pa.int32()), ("features", pa.list_(pa.float32()))]
)


def run(table: Path, work: Path, engine: str) -> tuple[Measured, dict[str, float]]:
    """Predict and audit a table: predictions, suspects and run records, no cleaned version."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    names = ("predictions", "models", "suspects", "runs")
    config = {
        "input": {"table": str(table)},
        "predict": {"features": ["features"], "engine": engine},
        "output": {
            **{name: str(work / name) for name in names},
            **dict.fromkeys(("cleaned", "rejected", "classes", "pairs")),
        },
    }
    path = work / "config.json"
    path.write_text(json.dumps(config))
    command = [sys.executable, "-m", "sparkclean", "run", "--config", str(path), "--run-id", "one"]
    done = measure(command)
    if done.failed:
        raise SystemExit(done.failed)
    runs = open_target(str(work / "runs"))
    files = runs.data_files(runs.versions()[-1].name)  # of the prediction, then of the audit
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    found = [phase for row in rows for phase in json.loads(row["phases"])]
    return done, {phase["name"]: round(phase["seconds"], 1) for phase in found}


def score(path: Path, models: Path) -> None:
    """Predict each row of a file once, by numpy alone."""
    loaded = read_models(models)
    with pq.ParquetFile(path) as file, threadpool_limits(1):
        for number, batch in enumerate(file.iter_batches(8192, columns=["features"])):
            values = batch.column(0).flatten().to_numpy().reshape(-1, NUMBERS)
            loaded[number % len(loaded)].predict(Block(values.astype(np.float64), ()))


def time_numpy(table: Path, models: Path) -> float:
    """Time the prediction of a table by one process a core, which have started before."""
    files = sorted(table.glob("*.parquet"))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(score, files[:2], [models] * 2))
        begun = time.monotonic()
        list(pool.map(score, files, [models] * len(files)))
        return time.monotonic() - begun


def main() -> None:
    """Generate what is missing, run, write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", nargs="+", type=int, default=[500_000, 2_000_000])
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--work", type=Path, default=Path("out/bench"), help="tables and outputs")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    kept = args.results / "predict.json"
    before = json.loads(kept.read_text())["results"] if kept.exists() else []
    results: list[dict[str, Any]] = []
    for rows in args.rows:
        table = (args.work / f"{rows}x{NUMBERS}-features").resolve()
        if not table.exists():
            generate(table, rows)
        for engine in args.engines:
            work = (args.work / "predict").resolve()
            done, phases = run(table, work, engine)
            row = {
                "rows": rows,
                "engine": engine,
                "seconds": round(done.seconds, 1),
                "rows_per_second": round(rows / done.seconds),
                "peak_gib": round(done.peak_bytes / 2**30, 2),
                "worker_gib": round(done.workers_bytes / 2**30, 2),
                "scoring_seconds": phases["predict"],
                "numpy_seconds": None,
                "phases": phases,
            }
            if engine == "sklearn":
                row["numpy_seconds"] = round(time_numpy(table, work / "models/one-predict"), 2)
            results.append(row)
    measured = [(row["rows"], row["engine"]) for row in results]
    results += [row for row in before if (row["rows"], row["engine"]) not in measured]
    results.sort(key=lambda row: (row["engine"], row["rows"]))
    args.results.mkdir(exist_ok=True)
    content = {"machine": machine(), "results": results}
    kept.write_text(json.dumps(content, indent=1) + "\n")
    (args.results / "predict.md").write_text(markdown(results))
    print(markdown(results))


def markdown(results: Sequence[dict[str, Any]]) -> str:
    """Table of the results."""
    keys = [key for key in results[0] if key != "phases"]
    lines = ["| " + " | ".join(keys) + " |", "|" + "---|" * len(keys)]
    for row in results:
        cells = ["" if row[key] is None else f"{row[key]:,}" for key in keys if key != "engine"]
        cells.insert(1, row["engine"])
        lines.append("| " + " | ".join(cells) + " |")
    about = ", ".join(f"{key} {value}" for key, value in machine().items())
    return "\n".join([*lines, "", about, ""])


if __name__ == "__main__":
    main()
