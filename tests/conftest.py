"""One Spark session for all tests that need one; made when the first asks for it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyspark
import pytest
from hypothesis import settings
from pyspark.sql import SparkSession

from sparkclean.lake.formats import package_of
from tests.connect_server import connect_server

if TYPE_CHECKING:
    from tests.tables import Undisturbed

SQLITE = "org.xerial:sqlite-jdbc:3.50.3.0"
GOLDEN = Path(__file__).resolve().parents[2] / "shared" / "golden"

# a machine with other work is slow: no property depends on time
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--connect", action="store_true", help="start a Spark Connect server, and run through it"
    )
    parser.addoption(
        "--hashes", metavar="DIR", help="result hashes of other versions, which ours must equal"
    )


def lake_settings(folder: Path) -> dict[str, str]:
    """Settings of a session with Delta and Iceberg, whose catalog ``lake`` lies in a folder.

    As in conf/spark-defaults-both.conf, but for the jars, which are those of the Spark at hand, and
    the catalog, whose commits are atomic in a database.
    """
    defaults = Path(__file__).resolve().parents[1] / "conf" / "spark-defaults-both.conf"
    lines = [line.split(None, 1) for line in defaults.read_text().splitlines()]
    settings = {key: value for key, value in (x for x in lines if len(x) == 2) if key[0] != "#"}
    catalog = "spark.sql.catalog.lake"
    packages = [package_of(kind, pyspark.__version__) for kind in ("delta", "iceberg")]
    return settings | {
        "spark.jars.packages": ",".join([*packages, SQLITE]),
        "spark.databricks.delta.snapshotPartitions": "2",
        f"{catalog}.type": "jdbc",
        f"{catalog}.uri": f"jdbc:sqlite:{folder}/catalog.db",
        f"{catalog}.warehouse": str(folder / "lake"),
        f"{catalog}.jdbc.schema-version": "V1",
    }


def session_settings(scratch: Path) -> dict[str, str]:
    """Settings of the session of the tests, embedded or of a Connect server."""
    return {
        "spark.master": "local[2,4]",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "2g",
        # 2, because tests are small; one module repeats with 7
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.log.level": "ERROR",
        **lake_settings(scratch),
    }


@pytest.fixture(scope="session")
def spark(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SparkSession]:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    scratch = tmp_path_factory.mktemp("spark")
    settings = session_settings(scratch)
    if request.config.getoption("connect"):
        with connect_server(settings, scratch) as address:
            session = SparkSession.builder.remote(address).getOrCreate()
            yield session
            session.stop()
        return
    builder = SparkSession.builder
    for key, value in settings.items():
        builder = builder.config(key, value)
    # one process at a time downloads the jars: on a fresh machine the others would fail
    with (tmp_path_factory.getbasetemp().parent / "session.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        session = builder.getOrCreate()
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
def by_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave even the few rows of a test to tasks, as if they were many."""
    monkeypatch.setattr("sparkclean.rows.streams.SHORT_ROWS", -1)


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
