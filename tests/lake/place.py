"""An input table and its outputs, in a format."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import SparkSession

import sparkclean
from sparkclean.cli import main
from tests.data import noisy_data, write_table

ROWS = 300
Data = tuple[NDArray[np.int64], NDArray[np.float64]]
NAMES = ("suspects", "cleaned", "rejected", "classes", "pairs", "runs")


class Place:
    """An input table and the names of its outputs, in one format."""

    def __init__(
        self, spark: SparkSession, folder: Path, kind: str, data: Data | None = None
    ) -> None:
        self.spark, self.folder, self.kind = spark, folder, kind
        given, probs = noisy_data(ROWS, 3, seed=4) if data is None else data
        texts = pa.array([f"row {i}" for i in range(len(given))])
        files = write_table(folder / "files", given, probs, files=2, text=texts)
        self.prefix = f"{folder}/out/" if kind == "delta" else f"lake.a{uuid.uuid4().hex[:8]}."
        self.table = f"{folder}/in" if kind == "delta" else f"{self.prefix}examples"
        frame = spark.read.parquet(str(files))
        if kind == "delta":
            frame.write.format("delta").save(self.table)
        else:
            spark.sql(f"CREATE NAMESPACE {self.prefix.rstrip('.')}")
            frame.writeTo(self.table).using("iceberg").create()
        self.files = files

    def audit(self, *settings: str, run_id: str = "r1", **outputs: Any) -> int:
        output = {name: self.prefix + name for name in NAMES}
        output |= {"format": self.kind, "work": str(self.folder / "work")} | outputs
        path = self.folder / "config.json"
        path.write_text(json.dumps({"input": {"table": self.table}, "output": output}))
        words = [word for setting in settings for word in ("--set", setting)]
        return main(["audit", "--config", str(path), "--run-id", run_id, *words])

    def read(self, name: str) -> list[dict[str, Any]]:
        frame = sparkclean.read(self.spark, self.prefix + name)
        return [row.asDict() for row in frame.collect()]

    def append(self) -> None:
        """Be another writer."""
        rows = self.spark.table(self.table) if self.kind == "iceberg" else None
        if rows is None:
            rows = self.spark.read.format("delta").load(self.table)
            rows.limit(5).write.format("delta").mode("append").save(self.table)
        else:
            rows.limit(5).writeTo(self.table).append()
