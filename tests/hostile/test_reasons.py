"""What Spark, Java and Python say, in our words: the right exit code, reason and remedy."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from sparkclean.commands.main import main
from sparkclean.errors import (
    ConfigError,
    InputError,
    SparkCleanError,
    UnsupportedFeatureError,
)
from sparkclean.examples.batches import LABEL, PROBS, BatchReader
from sparkclean.lake import Pin, open_target, translate_read_error, translate_write_error
from sparkclean.rows.emitted import ID_PREFIX
from sparkclean.runs.engine_errors import engine_errors, translate_engine_error
from sparkclean.texts import cause_of
from tests.data import noisy_data

ROWS = 60

WORKER = """
  An exception was thrown from the Python worker. Please see the stack trace below.
Traceback (most recent call last):
  File "/spark/python/lib/pyspark.zip/pyspark/worker.py", line 1, in main
    process()
    ~~~~~~~^^
{}
"""
JAVA = """An error occurred while calling o55.count.
: org.apache.spark.SparkException: [TASK_WRITE_FAILED] Task failed while writing rows.
\tat org.apache.spark.sql.errors.X$.fail(X.scala:1)
\tat java.base/java.lang.Thread.run(Thread.java:840)
Caused by: java.lang.RuntimeException: a wrapper
\tat a.b.C(D.java:1)
\t... 3 more
Caused by: {}
\tat a.b.C(D.java:1)
\t... 5 more
"""


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (WORKER.format("ValueError: C must be\npositive"), "ValueError: C must be positive"),
        (WORKER.format("sparkclean.errors.InputError: column x"), "InputError: column x"),
        (JAVA.format("java.io.IOException: disk x\n is away"), "IOException: disk x is away"),
        (JAVA.partition("Caused by")[0], "SparkException: [TASK_WRITE_FAILED] Task failed while"),
        (
            "Job aborted due to stage failure: Task 0 failed: org.apache.spark.api.python."
            f"PythonException: {WORKER.format('KeyError: 3').lstrip()}\n\n"
            "\tat org.apache.spark.api.Python.x(P.scala:1)\n\nDriver stacktrace:",
            "KeyError: 3",
        ),
        ("\n[PARSE_SYNTAX_ERROR] at 'x'.\n\n== SQL ==\nx", "RuntimeError: [PARSE_SYNTAX_ERROR] at"),
        ("", "RuntimeError: no message"),
        ("x" * 5000, "RuntimeError: xxx"),
    ],
)
def test_cause_of_a_wrapper_is_the_innermost(text: str, cause: str) -> None:
    said = cause_of(RuntimeError(text))
    assert said.startswith(cause)
    assert len(said) < 1100
    assert "\n" not in said
    assert "stack trace" not in said


CONDITIONS: list[tuple[str, type[SparkCleanError], str]] = [
    ("[COLUMN_ALREADY_EXISTS] The column `label` already exists.", InputError, "caseSensitive"),
    ("[AMBIGUOUS_REFERENCE] Reference `label` is ambiguous", InputError, "`label`"),
    ("java.lang.ClassNotFoundException: x.BrotliCodec", InputError, "compressed by Brotli"),
    ("UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff", InputError, "not UTF-8"),
    ("[DELTA_VIOLATE_CONSTRAINT_WITH_VALUES] CHECK constraint x", InputError, "clean.layout: copy"),
    ("[UNSUPPORTED_TIME_TYPE] The data type TIME", InputError, "write it as another type"),
    ("[CAST_INVALID_INPUT] The value 'x' of the type", ConfigError, "input.where"),
    ("[DIVIDE_BY_ZERO] Division by zero.", ConfigError, "input.where"),
    ("java.io.IOException: Disk quota exceeded", SparkCleanError, "no space left"),
    ("java.io.FileNotFoundException: /x (File name too long)", InputError, "too long"),
    ("java.io.FileNotFoundException: /x (Permission denied)", InputError, "/x cannot be read"),
    ("java.io.FileNotFoundException: /d/x (No space left on device)", SparkCleanError, "of /d/x."),
    ("[FAILED_READ_FILE.NO_HINT] file:/t/a.parquet", InputError, "damaged"),
]


@pytest.mark.parametrize(
    "text",
    [
        WORKER.format("ModuleNotFoundError: No module named 'sparkclean'"),
        WORKER.format("ModuleNotFoundError: No module named 'numpy'"),
        "[PYTHON_VERSION_MISMATCH] Python in worker has different version: 3.9 than that in "
        "driver: 3.11, PySpark cannot run with different minor versions.",
        'org.apache.spark.api.python: pyspark: java.io.IOException: Cannot run program "pythonX"',
        'java.io.IOException: Cannot run program "pythonX": error=2, No such file or directory',
    ],
)
def test_python_of_the_tasks_without_our_packages_is_named(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYSPARK_PYTHON", "pythonX")
    said = translate_engine_error(RuntimeError(text))
    assert type(said) is SparkCleanError
    for words in (sys.executable, "pythonX", "PYSPARK_PYTHON", "--archives"):
        assert words in str(said)


def test_python_of_the_tasks_of_a_connect_server_is_not_that_of_the_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYSPARK_PYTHON", "pythonX")
    kind = type(
        "PythonException", (Exception,), {"__module__": "pyspark.errors.exceptions.connect"}
    )
    said = str(translate_engine_error(kind(WORKER.format("ImportError: No module named 'numpy'"))))
    assert "the Python of the Connect server, this process" in said
    assert sys.executable in said
    assert "pythonX" not in said


def test_files_of_a_pinned_version_that_are_gone_want_a_new_run_id() -> None:
    exc = RuntimeError("[FAILED_READ_FILE.FILE_NOT_EXIST] File file:/t/a.parquet does not exist")
    said = str(translate_read_error(exc, Pin("delta", "/t", None, "3")))
    assert "/t/a.parquet is gone" in said
    assert "use a new run id" in said


def test_intermediate_file_that_is_gone_is_not_said_of_the_input() -> None:
    pin = Pin("parquet", "/work/in", None, "3")
    for path, kind, words in (
        ("/work/_staging/r1-1/work/x.parquet", SparkCleanError, "intermediate files"),
        ("/work/in/x.parquet", InputError, "/work/in/x.parquet is gone"),
    ):
        exc = RuntimeError(f"[FAILED_READ_FILE.FILE_NOT_EXIST] File file:{path} does not exist")
        with pytest.raises(SparkCleanError, match=words) as raised, engine_errors(pin, "/work"):
            raise exc
        assert type(raised.value) is kind


def test_output_where_the_session_has_no_file_system_says_so(spark: SparkSession) -> None:
    with pytest.raises(UnsupportedFeatureError, match=r"^gs://b/t: this session cannot look there"):
        open_target("delta.`gs://b/t`", spark=spark).current()


@pytest.mark.parametrize(("said", "kind", "words"), CONDITIONS)
def test_condition_has_our_error(said: str, kind: type[SparkCleanError], words: str) -> None:
    for text in (said, JAVA.format(said)):
        exc = RuntimeError(text)
        ours = translate_engine_error(exc) or translate_read_error(exc, "/t")
        ours = ours or translate_write_error(exc, "/t")
        assert type(ours) is kind
        assert words in str(ours)


def test_map_whose_keys_are_no_classes_names_the_first() -> None:
    entries = [[("01", 0.5), ("02", 0.5)], [("0", 0.5), ("0", 0.5)], [("0", 0.5), ("1", 0.5)]]
    columns = {
        f"{ID_PREFIX}0": pa.array([0, 1, 2]),
        LABEL: pa.array([0, 1, 0]),
        PROBS: pa.array(entries, pa.map_(pa.string(), pa.float64())),
    }
    batch = pa.RecordBatch.from_pydict(columns)
    admitted, rejected = BatchReader(1, (0, 1), "map", 1e-3).read(batch)
    assert admitted.ids[0].to_pylist() == [2]
    assert rejected is not None
    assert rejected.detail.to_pylist() == ["'01' is not among the classes", "0 stands twice"]


# -- in Spark ------------------------------------------------------------------------------------


def _audit(folder: Path, columns: dict[str, Any], *settings: str, **written: Any) -> int:
    (folder / "in").mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), folder / "in" / "a.parquet", **written)
    return _audit_table(folder, str(folder / "in"), *settings)


def _audit_table(folder: Path, table: str, *settings: str) -> int:
    outputs = ("suspects", "cleaned", "classes", "pairs", "rejected", "runs")
    config = {"input": {"table": table}, "output": {o: str(folder / "out" / o) for o in outputs}}
    (folder / "config.json").write_text(json.dumps(config))
    words = [word for setting in settings for word in ("--set", setting)]
    return main(["audit", "--config", str(folder / "config.json"), *words])


def _good() -> dict[str, Any]:
    given, probs = noisy_data(ROWS, 3, seed=2)
    return {"id": np.arange(ROWS), "label": given, "pred_probs": list(probs)}


def _bytes_as_text() -> pa.Array:
    texts = pa.array([[b"a", b"b", b"\xff\xfe"][i % 3] for i in range(ROWS)], pa.binary())
    return pa.Array.from_buffers(pa.string(), ROWS, texts.buffers())


Change = Callable[[dict[str, Any]], None]


def _put(name: str, values: Any) -> Change:
    return lambda columns: columns.update({name: values})


CASES: dict[str, tuple[Change, list[str], dict[str, Any], int, list[str]]] = {
    "names_differ_in_case": (
        _put("Label", np.zeros(ROWS)), [], {}, 3, ["spark.sql.caseSensitive", "abel`"],
    ),
    "labels_not_utf8": (
        _put("label", _bytes_as_text()), ["classes=[a, b, c]"], {}, 3, ["not UTF-8"],
    ),
    "labels_not_utf8_frame": (
        _put("label", _bytes_as_text()), ["classes=[a, b, c]", "scan=dataframe"], {}, 3,
        ["not UTF-8"],
    ),
    "where_text_against_number": (
        lambda _: None, ["input.where=label = 'x'"], {}, 2, ["input.where", "'x'"],
    ),
    "where_syntax": (lambda _: None, ["input.where=label ="], {}, 2, ["PARSE_SYNTAX_ERROR"]),
    "output_name_too_long": (
        lambda _: None, [f"output.cleaned=/tmp/{'x' * 300}"], {}, 3, ["too long"],
    ),
    "time_of_day": (
        _put("t", pa.array([1] * ROWS, pa.time64("us"))), ["scan=dataframe"], {}, 3, ["TIME"],
    ),
    "brotli": (
        lambda _: None, ["scan=dataframe"], {"compression": "brotli"}, 3, ["rotli", "codec"],
    ),
    "map_keys_of_another_type": (
        _put("pred_probs", pa.array([[("01", 0.7), ("02", 0.3)]] * ROWS,
                                    pa.map_(pa.string(), pa.float64()))),
        ["classes=[0, 1]"], {}, 3, ["'01'"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_audit_gives_the_reason(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    change, settings, written, code, words = CASES[case]
    columns = _good()
    change(columns)
    got = _audit(tmp_path, columns, *settings, **written)
    error = capsys.readouterr().err
    assert got == code, error
    for word in words:
        assert word in error
    for wrapper in ("Traceback", "stack trace", "Py4J", "Job aborted"):
        assert wrapper not in error


def test_labels_of_type_char_match_their_classes(spark: SparkSession, tmp_path: Path) -> None:
    given, probs = noisy_data(ROWS, 3, seed=2)
    labels = ["a", "b", "ccc"]
    rows = [
        (i, labels[g], list(map(float, p)))
        for i, (g, p) in enumerate(zip(given, probs, strict=True))
    ]
    spark.sql(
        "CREATE TABLE chars (id BIGINT, label CHAR(3), pred_probs ARRAY<DOUBLE>) USING parquet"
    )
    try:
        frame = spark.createDataFrame(rows, "id long, label string, pred_probs array<double>")
        frame.write.insertInto("chars")
        view = spark.table("chars")
        assert view.first()["label"] in ("a  ", "b  ", "ccc")
        from sparkclean import audit

        result = audit(view, id="id", classes=labels)
        assert result.rejected.count() == 0
    finally:
        spark.sql("DROP TABLE chars")
