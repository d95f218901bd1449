"""Secrets in settings of Spark: in no message, no file, no line of the log, no command line."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkclean import texts
from sparkclean.commands.log import configure_logging
from sparkclean.commands.main import main
from sparkclean.config.file import load_config
from sparkclean.errors import ConfigError, SparkCleanError
from sparkclean.lake import ParquetTarget
from sparkclean.rows.session import read_properties
from sparkclean.rows.settings_file import settings_in_file, submit_arguments
from sparkclean.texts import REDACTED, hide_secrets, is_secret, redact_config, remember_secrets
from tests.data import noisy_data, write_table
from tests.lake.helpers import SCHEMA

#: No test says it otherwise than by these names, so that it can be looked for.
SECRET = "wJalrXUtnFEMI/K7MDENG" + "+bPxRfi'CYEXAMPLEKEY"
KEY = "spark.hadoop.fs.s3a.secret.key"


@pytest.fixture(autouse=True)
def _forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "_known", set())


@pytest.mark.parametrize(
    "key",
    [KEY, "spark.hadoop.fs.s3a.access.key", "spark.hadoop.fs.s3a.session.token",
     "spark.ssl.keyPassword", "spark.hadoop.fs.azure.account.key.x.dfs.core.windows.net",
     "spark.hadoop.fs.azure.sas.c.x.blob.core.windows.net", "spark.sql.catalog.rest.credential",
     "spark.sql.catalog.rest.token", "spark.hadoop.google.cloud.auth.service.account.private.key"],
)  # fmt: skip
def test_is_secret_by_its_key(key: str) -> None:
    assert is_secret(key, "x")


@pytest.mark.parametrize(
    ("key", "value", "secret"),
    [
        ("spark.driver.extraJavaOptions", "-Xmx1g -Djavax.net.ssl.keyStorePassword=x", True),
        ("spark.sql.catalog.c.uri", "jdbc:postgresql://me:pass@host/db", True),
        ("spark.sql.catalog.c.uri", "jdbc:postgresql://host/db?user=a", False),
        ("spark.sql.session.timeZone", "UTC", False),
        ("spark.sql.shuffle.partitions", "2", False),
        ("spark.kerberos.access.hadoopFileSystems", "hdfs://a:8020", False),
        ("spark.mine", "x", True),
    ],
)
def test_is_secret_by_its_value_and_the_setting_of_spark(
    key: str, value: str, secret: bool
) -> None:
    assert is_secret(key, value, "(?i)mine") is secret


def test_is_secret_by_a_pattern_that_python_does_not_know_is_everything() -> None:
    assert is_secret("spark.x", "1", r"\p{Alpha}")


def test_redact_config_keeps_all_but_secrets() -> None:
    config = {
        "input": {"table": "s3a://me:pass@bucket/in"},
        "predict": {
            "params": {"C": 1.0, "token_pattern": "a", "api_key": "b", "c": [{"password": "c"}]}
        },
        "classes": [0, 1],
        "train": None,
        "spark": {KEY: SECRET, "spark.sql.shuffle.partitions": "2"},
    }  # fmt: skip
    assert redact_config(config) == {
        "input": {"table": f"s3a://{REDACTED}@bucket/in"},
        "predict": {
            "params": {
                "C": 1.0, "token_pattern": "a", "api_key": REDACTED, "c": [{"password": REDACTED}],
            }
        },
        "classes": [0, 1],
        "train": None,
        "spark": {KEY: REDACTED, "spark.sql.shuffle.partitions": "2"},
    }  # fmt: skip


def test_show_of_a_run_record_of_before_leaves_its_secrets_out(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    target = ParquetTarget(str(tmp_path / "runs"))
    staging = target.stage("r")
    config = json.dumps({"spark": {KEY: SECRET, "spark.x": "kept"}})
    rows = {"config_fingerprint": ["f", "f", "f"], "config": [config, None, "["]}
    staging.write_arrow(pa.table(rows))
    target.publish(staging, expected_parent=None, accumulate=False, properties={}, schema=SCHEMA)
    assert main(["show", target.location]) == 0
    shown = capsys.readouterr().out
    assert SECRET[:20] not in shown
    assert "kept" in shown or "..." in shown


def test_hide_secrets_finds_the_values_that_are_known() -> None:
    remember_secrets({KEY: SECRET, "spark.ssl.keyPassword": "ab", "spark.x": "known"})
    remember_secrets(["no mapping"])
    assert hide_secrets(f"<{SECRET}> ab known") == f"<{REDACTED}> ab known"
    assert SECRET not in hide_secrets(f"<{SECRET}> {SECRET!r}")


def test_error_that_quotes_spark_shows_no_secret() -> None:
    remember_secrets({KEY: SECRET})
    assert str(SparkCleanError(f"Spark did not start: {SECRET} is no number")) == (
        f"Spark did not start: {REDACTED} is no number"
    )


@pytest.mark.parametrize("kind", ["text", "json"])
def test_log_shows_no_secret(kind: str, capsys: pytest.CaptureFixture) -> None:
    configure_logging(kind)
    remember_secrets({KEY: SECRET})
    log = logging.getLogger("sparkclean")
    try:
        raise ValueError(SECRET)
    except ValueError:
        log.exception("refused: %s and %r", SECRET, SECRET)
    shown = capsys.readouterr().err
    assert SECRET[:20] not in shown
    assert REDACTED in shown


@pytest.mark.parametrize(
    "sections",
    [
        {"spark": {KEY: [SECRET]}},
        {"spark": {KEY: {"a": SECRET}}},
        {KEY: SECRET},
        {"spark": f"{KEY}={SECRET}"},
    ],
)
def test_load_config_malformed_setting_is_not_echoed(sections: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config({"input": {"table": "in"}} | sections, environ={})
    assert SECRET[:20] not in str(caught.value)
    assert REDACTED in str(caught.value)


@pytest.mark.parametrize("override", [f"spark.{KEY}=[{SECRET}", f"spark.{KEY}:{SECRET}"])
def test_load_config_malformed_override_is_not_echoed(override: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config({"input": {"table": "in"}}, overrides=[override], environ={})
    assert SECRET[:20] not in str(caught.value)


def test_read_properties_malformed_line_is_not_echoed(tmp_path: Path) -> None:
    path = tmp_path / "settings.conf"
    path.write_text(f"spark.a 1\n{SECRET}\n")
    with pytest.raises(ConfigError, match="line 2 is no setting") as caught:
        read_properties(str(path))
    assert SECRET[:20] not in str(caught.value)


# -- how Java is told ----------------------------------------------------------------------------


def parsed(path: Path) -> dict[str, str]:
    """Read a file of settings as Java does: of what stands twice the last counts."""
    found = {}
    for line in path.read_text().splitlines():
        if line.strip():
            key, _, value = line.partition("=")
            found[key] = value.encode().decode("unicode_escape")
    return found


def test_submit_arguments_name_a_file_that_nobody_else_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    (tmp_path / "spark-defaults.conf").write_text("spark.a=before\nspark.b=before")
    path = tmp_path / "file"
    words = submit_arguments(
        path, {"spark.a": "ü\n= #\\", KEY: SECRET}, "--jars 'a b' pyspark-shell"
    )
    assert words == ["--properties-file", str(path), "--jars", "a b", "pyspark-shell"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert parsed(path) == {"spark.a": "ü\n= #\\", "spark.b": "before", KEY: SECRET}
    with pytest.raises(FileExistsError):  # nor is a file used that somebody else has put there
        submit_arguments(path, {}, "")


@pytest.mark.parametrize("form", ["--properties-file {}", "--properties-file={}"])
def test_submit_arguments_take_in_a_file_that_is_given(form: str, tmp_path: Path) -> None:
    (tmp_path / "given").write_text("spark.a=given")
    words = submit_arguments(tmp_path / "file", {"spark.b": "1"}, form.format(tmp_path / "given"))
    assert words == ["--properties-file", str(tmp_path / "file")]
    assert parsed(tmp_path / "file") == {"spark.a": "given", "spark.b": "1"}


@pytest.mark.parametrize("before", [None, "--conf spark.x=1 pyspark-shell"])
def test_settings_in_file_leave_nothing_behind(
    before: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYSPARK_SUBMIT_ARGS", raising=False)
    if before is not None:
        monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", before)
    with settings_in_file({KEY: SECRET}):
        _, path, *rest = os.environ["PYSPARK_SUBMIT_ARGS"].split()
        assert rest == (before or "pyspark-shell").split()
        assert stat.S_IMODE(Path(path).parent.stat().st_mode) == 0o700
    assert not Path(path).parent.exists()
    assert os.environ.get("PYSPARK_SUBMIT_ARGS") == before


# -- a whole run ---------------------------------------------------------------------------------


def command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except OSError:
            continue


def test_run_leaves_a_secret_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    table = write_table(tmp_path / "in", *noisy_data(60, 3))
    scratch, config = tmp_path / "scratch", tmp_path / "config" / "audit.json"
    for folder in (scratch, config.parent):
        folder.mkdir()
    names = ("suspects", "cleaned", "rejected", "classes", "pairs", "runs")
    output = {name: str(tmp_path / "out" / name) for name in names}
    settings = {KEY: SECRET, "spark.app.name": "told", "spark.sql.shuffle.partitions": "3"}
    sections = {"input": {"table": str(table)}, "output": output, "spark": settings}
    config.write_text(json.dumps(sections))
    environment = os.environ | {"TMPDIR": str(scratch), "PYTHONPATH": str(Path.cwd())}
    environment |= {"SPARKCLEAN__SPARK__spark.hadoop.fs.s3a.session.token": SECRET[::-1]}
    seen: set[bytes] = set()
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            seen.update(command_lines())
            time.sleep(0.02)

    words = [sys.executable, "-m", "sparkclean", "audit", "--config", str(config), "--run-id", "r",
             "--debug", "--log-format", "json"]  # fmt: skip
    watcher = threading.Thread(target=look)
    watcher.start()
    done = subprocess.run(words, env=environment, capture_output=True, check=False, cwd=tmp_path)
    ended.set()
    watcher.join()
    assert done.returncode == 0, done.stderr
    assert any(b"org.apache.spark.deploy.SparkSubmit" in line for line in seen)
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path != config]
    contents = [*seen, done.stdout, done.stderr, *(path.read_bytes() for path in files)]
    (record,) = pq.read_table(tmp_path / "out" / "runs" / "data").to_pylist()
    contents.append(repr(record).encode())
    capsys.readouterr()
    assert main(["show", output["runs"]]) == 0
    contents.append(capsys.readouterr().out.encode())
    for planted in (SECRET, SECRET[::-1]):
        for form in (planted, planted[:20], json.dumps(planted)[1:-1]):
            assert [content[:200] for content in contents if form.encode() in content] == []
    kept = json.loads(record["config"])["spark"]
    assert kept[KEY] == kept["spark.hadoop.fs.s3a.session.token"] == REDACTED
    assert kept["spark.sql.shuffle.partitions"] == "3"
    assert list(scratch.glob("sparkclean-*")) == []
