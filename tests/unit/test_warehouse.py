"""The folder of a local session's own catalog."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from sparkclean.rows.warehouse import remove_warehouse, warehouse_settings

KEY = "spark.sql.warehouse.dir"
LOCAL = {
    "spark.master": "local[*,4]",
    "spark.driver.extraJavaOptions": "-XX:SharedArchiveFile=/home/a/.cache/spark.jsa",
}
DELTA = {"spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog"}


@pytest.fixture(autouse=True)
def no_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    monkeypatch.delenv("PYSPARK_SUBMIT_ARGS", raising=False)
    return tmp_path


@pytest.mark.parametrize("more", [{}, DELTA], ids=["none", "delta"])
def test_catalog_in_memory_gets_a_temporary_folder(more: dict[str, str]) -> None:
    folder = Path(warehouse_settings(LOCAL | more)[KEY])
    assert folder.is_dir()
    assert folder.parent != Path.cwd()
    remove_warehouse(folder)
    assert not folder.exists()


@pytest.mark.parametrize(
    "more",
    [
        {KEY: "/data/warehouse"},
        {"spark.sql.catalogImplementation": "hive"},
        {"spark.sql.catalog.spark_catalog.type": "hive"},
        {"spark.master": "spark://there:7077"},
        {"spark.master": "yarn"},
    ],
    ids=str,
)
def test_folder_of_the_user_or_of_hive_stays(more: dict[str, str]) -> None:
    assert warehouse_settings(LOCAL | more) == {}


@pytest.mark.parametrize("line", [f"{KEY} /data/w", "spark.sql.catalogImplementation hive"])
def test_defaults_of_spark_win(no_defaults: Path, line: str) -> None:
    (no_defaults / "spark-defaults.conf").write_text(f"{line}\n")
    assert warehouse_settings(LOCAL) == {}


def test_arguments_of_spark_win(no_defaults: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", f"--conf {KEY}=/data/w pyspark-shell")
    assert warehouse_settings(LOCAL) == {}
    (no_defaults / "mine.conf").write_text(f"{KEY} /data/w\n")
    monkeypatch.setenv(
        "PYSPARK_SUBMIT_ARGS", f"--properties-file {no_defaults}/mine.conf pyspark-shell"
    )
    assert warehouse_settings(LOCAL) == {}


def test_folder_that_holds_tables_is_kept_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "suspects").mkdir()
    with caplog.at_level(logging.WARNING, logger="sparkclean"):
        remove_warehouse(tmp_path)
    assert (tmp_path / "suspects").is_dir()
    assert str(tmp_path) in caplog.text
