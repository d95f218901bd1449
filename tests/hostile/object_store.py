"""Audits of tables at an object store, in a session of its own: its file system needs packages."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

import sparkclean
from sparkclean.errors import SparkCleanError
from tests.conftest import session_settings
from tests.data import noisy_data, write_table

#: Of Spark 4.1's Hadoop, whose own package brings 600 MB: these parts of Amazon's do.
HADOOP_AWS = "org.apache.hadoop:hadoop-aws:3.4.2"
AMAZON = tuple(
    f"software.amazon.awssdk:{part}:2.29.52" for part in ("s3", "s3-transfer-manager", "sts")
)
LEFT_OUT = "software.amazon.awssdk:bundle,org.slf4j:slf4j-api"
BUCKET = "s3a://bucket"
NAMES = ("suspects", "cleaned", "runs")


def open_session(port: str, folder: Path) -> SparkSession:
    settings, s3a = session_settings(folder), "spark.hadoop.fs.s3a."
    settings["spark.jars.packages"] += "," + ",".join([HADOOP_AWS, *AMAZON])
    settings |= {
        "spark.jars.excludes": LEFT_OUT,
        f"{s3a}endpoint": f"http://127.0.0.1:{port}",
        f"{s3a}endpoint.region": "us-east-1",
        f"{s3a}access.key": "key",
        f"{s3a}secret.key": "secret",
        f"{s3a}path.style.access": "true",
        "spark.sql.catalog.store": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.store.type": "hadoop",
        "spark.sql.catalog.store.warehouse": f"{BUCKET}/warehouse",
    }
    builder = SparkSession.builder
    for key, value in settings.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def audit(table: str, prefix: str, kind: str, folder: Path, **run: Any) -> str:
    """Audit once; give the status, or the exit code and what was said."""
    output = dict.fromkeys(("rejected", "classes", "pairs")) | {
        name: prefix + name for name in NAMES
    }
    output |= {"format": kind, "work": str(folder / "work")}
    config = {"input": {"table": table}, "output": output}
    try:
        return sparkclean.run_job("audit", config, **run).status
    except SparkCleanError as exc:
        return f"{exc.exit_code}: {exc}"


def counts(spark: SparkSession, prefix: str) -> dict[str, Any]:
    """Count rows by run, of datasets all of them."""
    found: dict[str, Any] = {}
    for name in NAMES:
        rows = sparkclean.read(spark, prefix + name)
        if "run_id" in rows.columns:
            found[name] = Counter(row["run_id"] for row in rows.select("run_id").collect())
        else:
            found[name] = rows.count()
    return found


def main(port: str, folder: Path) -> None:
    """Audit on Delta and Iceberg, and what cannot be, and write down what came of it."""
    spark, found = open_session(port, folder), dict[str, Any]()
    frame = spark.read.parquet(str(write_table(folder / "files", *noisy_data(300, 3, seed=4))))
    frame.write.format("delta").save(f"{BUCKET}/in")
    spark.sql("CREATE NAMESPACE store.db")
    frame.writeTo("store.db.examples").using("iceberg").create()
    wrong = {
        "no table": (f"{BUCKET}/nothing", f"{BUCKET}/out/", "delta"),
        "no bucket": ("s3a://elsewhere/in", f"{BUCKET}/out/", "delta"),
        "parquet": (f"{BUCKET}/in", f"{BUCKET}/files/", "parquet"),
        "no file system": ("gs://bucket/in", f"{BUCKET}/out/", "delta"),
        "no file system of outputs": (f"{BUCKET}/in", "gs://bucket/out/", "delta"),
    }
    found["wrong"] = {name: audit(*places, folder) for name, places in wrong.items()}
    for kind, table, prefix, runs in (
        ("delta", f"{BUCKET}/in", f"{BUCKET}/out/", ("r1", "r1", "r2")),
        ("iceberg", "store.db.examples", "store.db.", ("r1", "r1")),
    ):
        place = table, prefix, kind, folder
        statuses = [audit(*place, run_id="r1", dry_run=True)]
        statuses += [audit(*place, run_id=run_id) for run_id in runs]
        found[kind] = {"statuses": statuses, "counts": counts(spark, prefix)}
    (folder / "found.json").write_text(json.dumps(found))
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
