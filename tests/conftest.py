"""One Spark session for all tests that need one; made when the first asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pyspark.sql import SparkSession

if TYPE_CHECKING:
    from tests.tables import Undisturbed

# as in conf/spark-defaults-both.conf, but for the catalog, whose commits are atomic in a database
LAKE_PACKAGES = (
    "io.delta:delta-spark_4.1_2.13:4.4.0",
    "org.apache.iceberg:iceberg-spark-runtime-4.1_2.13:1.11.0",
    "org.xerial:sqlite-jdbc:3.50.3.0",
)
GOLDEN = Path(__file__).resolve().parents[2] / "shared" / "golden"


def lake_settings(folder: Path) -> dict[str, str]:
    """Settings of a session with Delta and Iceberg, whose catalog ``lake`` lies in a folder."""
    defaults = Path(__file__).resolve().parents[1] / "conf" / "spark-defaults-both.conf"
    lines = [line.split(None, 1) for line in defaults.read_text().splitlines()]
    settings = {key: value for key, value in (x for x in lines if len(x) == 2) if key[0] != "#"}
    catalog = "spark.sql.catalog.lake"
    return settings | {
        "spark.jars.packages": ",".join(LAKE_PACKAGES),
        "spark.databricks.delta.snapshotPartitions": "2",
        f"{catalog}.type": "jdbc",
        f"{catalog}.uri": f"jdbc:sqlite:{folder}/catalog.db",
        f"{catalog}.warehouse": str(folder / "lake"),
        f"{catalog}.jdbc.schema-version": "V1",
    }


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    scratch = tmp_path_factory.mktemp("spark")
    session = (
        SparkSession.builder.master("local[2,4]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.memory", "2g")
        # 2, because tests are small; one module repeats with 7
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.ansi.enabled", "true")
        .config("spark.sql.warehouse.dir", str(scratch / "warehouse"))
        .config("spark.log.level", "ERROR")
        .config(map=lake_settings(scratch))
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.fixture(scope="session")
def undisturbed(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Undisturbed]:
    """Audit once in a format, with nothing in the way; give what came of it."""
    from tests.tables import audit_undisturbed

    return cache(lambda kind: audit_undisturbed(spark, tmp_path_factory.mktemp(kind), kind))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261124)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a folder with room for 1 MB. Needs the right to mount (root)."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"cannot mount a small disk, be root: {done.stderr}"
    yield folder
    # lazily: Hadoop 3.4 leaves files open that it could not write
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
