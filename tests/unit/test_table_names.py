"""Names of tables that no catalog can hold are found before Spark starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkclean.commands.main import main
from sparkclean.errors import InputError
from sparkclean.rows.table_names import check_table_names, hint_of_paths, may_have_catalogs

ICEBERG = {"spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog"}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a working directory with a table and, in a folder, a configuration beside another."""
    for name in ("SPARK_REMOTE", "PYSPARK_GATEWAY_PORT", "SPARK_HOME", "SPARK_CONF_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("PYSPARK_SUBMIT_ARGS", raising=False)
    (tmp_path / "products.parquet").touch()
    (tmp_path / "conf" / "orders").mkdir(parents=True)
    (tmp_path / "conf" / "run.yaml").write_text("input: {table: orders}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("settings", "environ", "may"),
    [
        ({}, {}, False),
        ({"spark.driver.memory": "1g"}, {}, False),
        (ICEBERG, {}, True),
        ({"spark.sql.catalogImplementation": "hive"}, {}, True),
        ({"spark.remote": "sc://there"}, {}, True),
        ({}, {"SPARK_REMOTE": "sc://there"}, True),
        ({}, {"PYSPARK_GATEWAY_PORT": "1"}, True),
    ],
)
def test_a_session_that_starts_may_have_catalogs(
    settings: dict[str, str], environ: dict[str, str], may: bool
) -> None:
    assert may_have_catalogs(settings, environ) is may


@pytest.mark.parametrize("variable", ["SPARK_CONF_DIR", "SPARK_HOME"])
def test_a_file_of_defaults_may_have_catalogs(tmp_path: Path, variable: str) -> None:
    folder = tmp_path if variable == "SPARK_CONF_DIR" else tmp_path / "conf"
    environ = {variable: str(tmp_path)}
    assert not may_have_catalogs({}, environ)
    folder.mkdir(exist_ok=True)
    (folder / "spark-defaults.conf").touch()
    assert may_have_catalogs({}, environ)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("products", "did you mean './products.parquet'?"),
        ("pproducts", "did you mean './products.parquet'?"),
        ("Products", "did you mean './products.parquet'?"),
        ("nothing_like_it", "check the name, or write the path"),
        ("lake.db.examples", "no catalog is configured that could hold this table"),
        ("orders", "it is beside the configuration"),
        ("ordrs", "conf/orders'?"),
    ],
)
def test_a_name_that_no_catalog_holds_is_refused(here: Path, table: str, words: str) -> None:
    with pytest.raises(InputError) as refused:
        check_table_names({"input.table": table}, {}, beside=here / "conf")
    assert str(refused.value).startswith(f"input.table: {table}: ")
    assert words in str(refused.value)


@pytest.mark.parametrize("table", ["./products", "products.parquet", "s3://bucket/t", "conf"])
def test_a_path_is_left_to_what_opens_it(here: Path, table: str) -> None:
    check_table_names({"input.table": table}, {}, beside=here)


def test_a_name_is_left_to_a_catalog(here: Path) -> None:
    check_table_names({"input.table": "products"}, ICEBERG, beside=here)


def test_all_names_are_told_at_once(here: Path) -> None:
    with pytest.raises(InputError) as refused:
        check_table_names({"input.table": "products", "input.predictions": "probs"}, {})
    assert len(refused.value.findings) == 2
    assert here.name in str(refused.value)


def test_of_the_hints_none_is_hidden(here: Path) -> None:
    (here / ".products").touch()
    assert hint_of_paths("products") == "did you mean './products.parquet'?"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["audit", "products", "--label", "label"], "did you mean './products.parquet'?"),
        (["audit", "--config", "conf/run.yaml"], "write conf/orders"),
        (["init", "pproducts", "--to", "new.yaml"], "did you mean './products.parquet'?"),
        (["versions", "pproducts"], "did you mean './products.parquet'?"),
    ],
)
def test_commands_say_so_without_spark(
    here: Path,
    arguments: list[str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert here.is_dir()
    monkeypatch.setattr("sparkclean.commands.jobs.find_session", lambda: None)
    monkeypatch.setattr("sparkclean.commands.versions.find_session", lambda: None)
    assert main(arguments) == 3
    err = capsys.readouterr().err
    assert words in err
    assert "starting Spark" not in err
