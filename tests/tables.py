"""An input table of Delta or Iceberg and the names of its outputs, audited here or elsewhere."""

from __future__ import annotations

import copy
import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

import sparkclean
from sparkclean.commands.main import main
from sparkclean.faults import watched
from sparkclean.lake import (
    TargetTable,
    open_edited_target,
    open_target,
    safe_run_id,
    shared_run_id,
)
from sparkclean.schema import RUN_ID
from tests.conftest import lake_settings
from tests.data import noisy_data, write_table

ROWS = 300
NAMES = ("suspects", "cleaned", "rejected", "classes", "pairs", "runs")
ALL_NAMES = (*NAMES, "cleaned-quarantine")
#: Settings of an audit that writes every output; of the filters one that is quick.
QUARANTINE = ("clean.mode=quarantine", "method.filter_by=confident_learning")
#: Rows of each output of an earlier run.
EARLIER = 5
#: What of a run record does not depend on the clock, nor on where the outputs are.
RECORDED = ("run_id", "status", "config_fingerprint", "dataset_version", "result_hash", "gates")


#: Given labels and probabilities.
Data = tuple[np.ndarray, np.ndarray]


class Place:
    """An input table and the names of its outputs, in one format.

    Two rows cannot be audited where ``rejected`` is set: below the limit of one in a hundred.
    """

    def __init__(
        self,
        spark: SparkSession,
        folder: Path,
        kind: str,
        *,
        catalog: str = "lake",
        rejected: bool = False,
        data: Data | None = None,
    ) -> None:
        self.spark, self.folder, self.kind, self.catalog = spark, folder, kind, catalog
        #: Settings of a catalog that the session of all tests does not have: one in a folder.
        self.settings: dict[str, str] = {}
        if catalog != "lake":
            own = f"spark.sql.catalog.{catalog}"
            self.settings = {own: "org.apache.iceberg.spark.SparkCatalog", f"{own}.type": "hadoop"}
            self.settings[f"{own}.warehouse"] = str(folder / "warehouse")
        for key, value in self.settings.items():
            spark.conf.set(key, value)
        given, pred_probs = noisy_data(ROWS, 3, seed=4) if data is None else data
        texts = pa.array([f"row {i}" for i in range(len(given))])
        if rejected:
            given[[7, 170]] = 9
        files = write_table(folder / "files", given, pred_probs, files=2, text=texts)
        self._choose_outputs("out")
        self.table = f"{folder}/in" if kind == "delta" else f"{self.prefix}examples"
        frame = spark.read.parquet(str(files))
        if kind == "delta":
            frame.write.format("delta").save(self.table)
        else:
            spark.sql(f"CREATE NAMESPACE {self.prefix.rstrip('.')}")
            frame.writeTo(self.table).using("iceberg").create()
        self.files = files

    def _choose_outputs(self, name: str) -> None:
        unique = uuid.uuid4().hex[:8]
        delta = self.kind == "delta"
        self.prefix = f"{self.folder}/{name}/" if delta else f"{self.catalog}.a{unique}."
        self.work = self.folder / f"work-{name}"

    def elsewhere(self, name: str) -> Place:
        """Return a place with the same input whose outputs are new."""
        other = copy.copy(self)
        other._choose_outputs(name)
        return other

    # -- audits --------------------------------------------------------------------------------

    def write_config(self, **outputs: Any) -> Path:
        output = {name: self.prefix + name for name in NAMES}
        output |= {"format": self.kind, "work": str(self.work)} | outputs
        path = self.folder / f"{self.work.name}.json"
        path.write_text(json.dumps({"input": {"table": self.table}, "output": output}))
        return path

    def write_properties(self) -> Path:
        """Write the settings of a process that sees the same tables as this session."""
        found = {key: self.spark.conf.get(key) for key in lake_settings(self.folder)}
        found |= self.settings | {"spark.master": "local[1,4]", "spark.sql.shuffle.partitions": "1"}
        found |= {"spark.driver.memory": "1g", "spark.sql.session.timeZone": "UTC"}
        # what is compiled well pays off later than such a process lives
        found["spark.driver.extraJavaOptions"] = "-XX:TieredStopAtLevel=1"
        path = self.folder / "spark.conf"
        path.write_text("".join(f"{key} {value}\n" for key, value in found.items()))
        return path

    def audit(self, *settings: str, run_id: str = "r1", **outputs: Any) -> int:
        words = [word for setting in settings for word in ("--set", setting)]
        config = str(self.write_config(**outputs))
        return main(["audit", "--config", config, "--run-id", run_id, *words])

    # -- what is there -------------------------------------------------------------------------

    def target(self, name: str) -> TargetTable:
        return open_target(self.prefix + name, self.kind, spark=self.spark, work=self.work)

    def read(self, name: str) -> list[dict[str, Any]]:
        """What counts, as a reader sees it."""
        frame = sparkclean.read(self.spark, self.prefix + name)
        return [row.asDict() for row in frame.collect()]

    def raw(self, name: str) -> DataFrame:
        """All rows, also those of runs that do not count."""
        return self.target(name)._read(None)

    def answer(self, name: str, run_id: str | None = None) -> list[str]:
        """Rows of an output without what two runs of one answer differ in; none if it is not."""
        target = self.target(name)
        if target.current() is None:
            return []
        frame = target._read(None)
        if run_id is not None and RUN_ID in frame.columns:
            frame = frame.where(F.col(RUN_ID) == run_id)
        frame = frame.select(*RECORDED) if name == "runs" else frame
        return sorted(json.dumps(row.asDict(True), default=str) for row in frame.collect())

    def published_by(self, name: str, run_id: str) -> list[str]:
        """Names of the versions that a run has published."""
        target = self.target(name)
        versions = target.versions() if target.current() else []
        run = safe_run_id(shared_run_id("audit", run_id)) if name == "runs" else run_id
        return [version.name for version in versions if version.run_id == run]

    def publish_earlier_run(self, like: Place, names: tuple[str, ...]) -> None:
        """Give outputs a version of a run ``r0``, with few of the rows of another place."""
        for name in names:
            rows = like.raw(name).limit(EARLIER)
            accumulate = RUN_ID in rows.columns
            if accumulate:
                ids = {name for name in (RUN_ID, "original_run_id") if name in rows.columns}
                rows = rows.withColumns(dict.fromkeys(ids, F.lit("r0")))
            target = self.target(name)
            staging = target.stage("r0", accumulate=accumulate)
            staging.write_frame(rows)
            runs = {} if name == "runs" else {"runs": self.target("runs").location}
            target.publish(
                staging,
                expected_parent=None,
                accumulate=accumulate,
                properties={"input": "another"} | runs,
                schema=rows.schema.json(),
            )

    # -- other writers -------------------------------------------------------------------------

    def append(self) -> None:
        """Be another writer."""
        rows = self.spark.table(self.table) if self.kind == "iceberg" else None
        if rows is None:
            rows = self.spark.read.format("delta").load(self.table)
            rows.limit(5).write.format("delta").mode("append").save(self.table)
        else:
            rows.limit(5).writeTo(self.table).append()

    def compact(self) -> None:
        """Be the nightly job that puts small files together."""
        if self.kind == "delta":
            self.spark.sql(f"OPTIMIZE delta.`{self.table}`")
        else:
            catalog, _, name = self.table.partition(".")
            self.spark.sql(
                f"CALL {catalog}.system.rewrite_data_files(table => '{name}', "
                "options => map('rewrite-all', 'true'))"
            )


class InPlace(Place):
    """A place whose cleaned versions are branches or clones, as fits the format."""

    def __init__(self, spark: SparkSession, folder: Path, kind: str) -> None:
        super().__init__(spark, folder, kind)
        self.layout = "clone" if kind == "delta" else "branch"
        self.cleaned = f"{self.prefix}cleaned" if kind == "delta" else self.table

    def write_config(self, **outputs: Any) -> Path:
        path = super().write_config(cleaned=self.cleaned, **outputs)
        content = json.loads(path.read_text()) | {"clean": {"layout": self.layout}}
        path.write_text(json.dumps(content))
        return path

    def version(self, run_id: str = "r1", suffix: str = "") -> set[int]:
        """Record ids of a version as plain Spark reads it."""
        if self.kind == "delta":
            place = f"{self.cleaned}{suffix.replace('/', '-')}/{run_id}"
            frame = self.spark.read.format("delta").load(place)
        else:
            self.spark.catalog.refreshTable(self.table)
            tag = f"sparkclean/{run_id}{suffix}"
            frame = self.spark.sql(f"SELECT * FROM {self.table} VERSION AS OF '{tag}'")
        return {row["id"] for row in frame.select("id").collect()}

    def main(self) -> list[Row]:
        if self.kind == "delta":
            return self.spark.read.format("delta").load(self.table).collect()
        self.spark.catalog.refreshTable(self.table)
        return self.spark.table(self.table).collect()

    def versions(self) -> list[str]:
        """Names of all cleaned versions."""
        target = open_edited_target(self.cleaned, self.kind, spark=self.spark)
        return [version.name for version in target.versions()]

    def record(self, run_id: str = "r1") -> dict[str, Any]:
        return next(row for row in self.read("runs") if row["run_id"] == run_id)


@dataclass(frozen=True)
class Undisturbed:
    """An audit of mode quarantine with the run id ``r1``, and what it passed on its way."""

    place: Place
    answers: dict[str, list[str]]
    passed: tuple[str, ...]


def audit_undisturbed(
    spark: SparkSession, folder: Path, kind: str, catalog: str = "lake"
) -> Undisturbed:
    place = Place(spark, folder, kind, rejected=True, catalog=catalog)
    passed: list[str] = []
    with watched(passed.append):
        assert place.audit(*QUARANTINE) == 0
    # intermediate files lie in folders of Parquet, whatever the format
    own = tuple(name for name in passed if not name.startswith("target."))
    return Undisturbed(place, {name: place.answer(name) for name in ALL_NAMES}, own)
