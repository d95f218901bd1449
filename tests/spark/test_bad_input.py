"""Bad inputs: one clear error that names the subject, the counts, record ids and the remedy."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from sparkclean.commands.main import main
from sparkclean.faults import watched
from sparkclean.lake import open_target
from tests.data import noisy_data, write_table

ROWS = 60


def good() -> dict[str, Any]:
    given, probs = noisy_data(ROWS, 3, seed=2)
    return {
        "id": pa.array(np.arange(ROWS)),
        "label": pa.array(given),
        "pred_probs": pa.array(list(probs)),
    }


def put(column: str, values: Any) -> Callable[[dict[str, Any]], None]:
    def change(columns: dict[str, Any]) -> None:
        columns[column] = values(columns) if callable(values) else values

    return change


def probs_of(columns: dict[str, Any]) -> np.ndarray:
    return np.array(columns["pred_probs"].to_pylist())


def row(position: int, value: Any, column: str = "pred_probs") -> Callable[..., None]:
    def change(columns: dict[str, Any]) -> None:
        values = columns[column].to_pylist()
        values[position] = value
        columns[column] = pa.array(values, columns[column].type)

    return change


def drop(column: str) -> Callable[..., None]:
    return lambda columns: columns.pop(column)


STRICT = ["admission.max_rejected_fraction=0"]
STRINGS = pa.array([f"k{i % 3}" for i in range(ROWS)])

# name: (change of the table, settings, exit code, words of the message)
CASES: dict[str, tuple[Callable[..., None], list[str], int, list[str]]] = {
    "column_missing": (drop("label"), [], 3, ["'label'", "not in the table", "fitting type: id"]),
    "column_misspelt": (
        put("labels", STRINGS), ["columns.label=lables"], 3, ["did you mean 'labels'"],
    ),
    "id_missing": (drop("id"), [], 3, ["'id'", "columns.id"]),
    "probs_missing": (drop("pred_probs"), [], 3, ["'pred_probs'"]),
    "id_duplicate": (row(5, 4, "id"), [], 3, ["1 record ids", "2 rows", "4", "unique"]),
    "id_null": (row(5, None, "id"), [], 3, ["1 rows have no record id"]),
    "id_float": (
        put("id", pa.array(np.arange(ROWS) / 2)), [], 3, ["double", "integer or a string"],
    ),
    "label_float_column_of_text": (
        put("label", pa.array([{"a": 1}] * ROWS)), [], 3, ["struct", "a label is"],
    ),
    "label_text_without_classes": (put("label", STRINGS), [], 2, ["classes: null", "strings"]),
    "label_text_unknown": (
        put("label", STRINGS), ["classes=[k0, k1, x]"], 3, ["label_not_in_classes", "'k2'"],
    ),
    "label_null": (row(3, None, "label"), STRICT, 3, ["1 rows label_null", "record ids 3"]),
    "label_outside": (row(3, 9, "label"), STRICT, 3, ["label_not_in_classes", "3 ('9')"]),
    "label_negative": (row(3, -1, "label"), STRICT, 3, ["label_not_in_classes", "-1"]),
    "classes_wrong_type": (
        lambda _: None, ["classes=[a, b, c]"], 2, ["number 1 of 3 is str", "bigint"],
    ),
    "classes_too_few": (lambda _: None, ["classes=[0]"], 2, ["K = 1", "at least two"]),
    "classes_more_than_probs": (
        lambda _: None, ["classes=[0, 1, 2, 3]"], 3, ["3 entries for 4 classes"],
    ),
    "probs_text": (put("pred_probs", STRINGS), [], 3, ["string", "array<float|double>"]),
    "probs_null": (row(8, None), STRICT, 3, ["pred_probs_null", "record ids 8"]),
    "probs_all_null": (
        put("pred_probs", pa.array([None] * ROWS, pa.list_(pa.float64()))), [], 3,
        ["no probabilities in the first"],
    ),
    "probs_short": (row(8, [0.5, 0.5]), STRICT, 3, ["wrong_length", "2 entries for 3 classes"]),
    "probs_nan": (row(8, [0.5, 0.5, float("nan")]), STRICT, 3, ["not_finite", "record ids 8"]),
    "probs_infinite": (row(8, [0.5, 0.5, float("inf")]), STRICT, 3, ["not_finite"]),
    "probs_null_entry": (row(8, [0.5, None, 0.5]), STRICT, 3, ["not_finite"]),
    "probs_negative": (row(8, [-0.1, 0.6, 0.5]), STRICT, 3, ["out_of_range", "-0.1"]),
    "probs_sum": (row(8, [0.3, 0.3, 0.3]), STRICT, 3, ["row_sum", "sum 0.9", "normalise"]),
    "probs_logits": (
        put("pred_probs", lambda c: pa.array(list(np.log(probs_of(c))))), [], 3,
        ["60 of 60 rows", "logits", "softmax"],
    ),
    "probs_percentages": (
        put("pred_probs", lambda c: pa.array(list(100 * probs_of(c)))), [], 3,
        ["percentages", "divide by 100"],
    ),
    "probs_columns_wrong_number": (
        put("p0", pa.array(np.ones(ROWS))), ["columns.pred_probs=[p0, id2]"], 3, ["'id2'"],
    ),
    "where_not_sql": (lambda _: None, ["input.where=id <"], 2, ["input.where", "predicate"]),
    "where_unknown_column": (lambda _: None, ["input.where=idd > 1"], 2, ["input.where", "idd"]),
    "where_empty": (lambda _: None, ["input.where=id < 0"], 3, ["0 rows to audit"]),
    "version_of_plain_folder": (lambda _: None, ["input.version=3"], 3, ["has no versions"]),
    "thresholds_unknown_class": (
        lambda _: None, ["method.thresholds={7: 0.5}"], 2, ["7 is not among the classes"],
    ),
    "thresholds_wrong_number": (
        lambda _: None, ["method.thresholds=[0.5, 0.5]"], 2, ["2 values for 3 classes"],
    ),
    "gate_suspects": (lambda _: None, ["gate.max_suspects=0"], 4, ["at most 0", "sparkclean show"]),
    "gate_fraction": (lambda _: None, ["gate.max_suspect_fraction=0"], 4, ["max_suspect_fraction"]),
    "gate_class_loss": (lambda _: None, ["gate.max_class_loss_fraction=0"], 4, ["class"]),
    "gate_examples_left": (
        lambda _: None, ["gate.min_examples_left_per_class=50"], 4, ["at least 50", "class"],
    ),
    "weight_column_taken": (
        put("sample_weight", pa.array(np.ones(ROWS))), ["clean.mode=weight"], 3,
        ["'sample_weight'"],
    ),
    "relabel_column_taken": (
        put("label_original", STRINGS), ["clean.mode=relabel"], 3, ["'label_original'"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_audit_bad_input_says_so(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    change, settings, code, words = CASES[case]
    columns = good()
    change(columns)
    table = tmp_path / "in"
    table.mkdir()
    pq.write_table(pa.table(columns), table / "part.parquet")
    assert run(tmp_path, table, settings) == code
    error = capsys.readouterr().err
    for word in words:
        assert word in error
    assert "Traceback" not in error
    published = [path for path in (tmp_path / "out").rglob("v0*.json") if "runs" not in path.parts]
    assert published == []


def run(tmp_path: Path, table: Path, settings: list[str], *options: str) -> int:
    config = tmp_path / "config.json"
    names = ("suspects", "cleaned", "rejected", "classes", "pairs", "runs")
    outputs = {name: str(tmp_path / "out" / name) for name in names}
    config.write_text(json.dumps({"input": {"table": str(table)}, "output": outputs}))
    words = [word for setting in settings for word in ("--set", setting)]
    return main(["audit", "--config", str(config), *words, *options])


def corrupt(folder: Path) -> Path:
    write_table(folder, *noisy_data(ROWS, 3))
    (folder / "part-00000.parquet").write_bytes(b"PAR1 not really")
    return folder


def empty_file(folder: Path) -> Path:
    write_table(folder, *noisy_data(ROWS, 3))
    (folder / "part-00001.parquet").touch()
    return folder


def csv(folder: Path) -> Path:
    folder.mkdir()
    (folder / "data.csv").write_text("id,label\n1,2\n")
    return folder


def no_files(folder: Path) -> Path:
    folder.mkdir()
    (folder / "_SUCCESS").touch()
    return folder


def float16(folder: Path) -> Path:
    given, probs = noisy_data(ROWS, 3)
    write_table(folder, given, probs, half=pa.array(np.ones(ROWS, np.float16)))
    return folder


def no_rows(folder: Path) -> Path:
    given, probs = noisy_data(ROWS, 3)
    write_table(folder, given[:0], probs[:0])
    table = pa.table({"id": [1], "label": [0], "pred_probs": [[0.5, 0.5]]}).slice(0, 0)
    pq.write_table(table, folder / "part.parquet")
    return folder


def differing(folder: Path) -> Path:
    write_table(folder, *noisy_data(ROWS, 3))
    table = pq.read_table(folder / "part-00000.parquet")
    texts = pa.array([str(i) for i in range(ROWS)])
    pq.write_table(table.set_column(1, "label", texts), folder / "part-00001.parquet")
    return folder


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (corrupt, ["1 of 1 files", "part-00000.parquet", "Write them again"]),
        (empty_file, ["1 of 2 files", "part-00001.parquet"]),
        (csv, ["data.csv", "Convert it once"]),
        (no_files, ["holds no Parquet files"]),
        (float16, ["'half'", "float16", "float32"]),
        (no_rows, ["empty"]),
        (differing, ["'label'", "string", "bigint", "one type"]),
        (lambda folder: folder.with_name("inn"), ["does not exist"]),
    ],
    ids=["corrupt", "empty_file", "csv", "no_files", "float16", "no_rows", "differing", "no_path"],
)
def test_audit_unreadable_table_exits_3(
    spark: SparkSession,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Path], Path],
    words: list[str],
) -> None:
    assert run(tmp_path, make(tmp_path / "in"), []) == 3
    error = capsys.readouterr().err
    for word in words:
        assert word in error


@pytest.mark.parametrize(
    ("settings", "options"),
    [([], []), (["classes=[0, 1, 2]"], []), (["classes=[0, 1, 2]"], ["--dry-run"])],
    ids=["sample", "run", "dry_run"],
)
def test_audit_damaged_page_exits_3(
    spark: SparkSession,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    settings: list[str],
    options: list[str],
) -> None:
    table = write_table(tmp_path / "in", *noisy_data(2000, 3))
    file = table / "part-00000.parquet"
    content = bytearray(file.read_bytes())
    for place in range(200, len(content) - 5000, 50):  # the footer stays whole
        content[place] ^= 255
    file.write_bytes(content)
    assert run(tmp_path, table, settings, *options) == 3
    error = capsys.readouterr().err
    assert "part-00000.parquet cannot be read: it is damaged" in error
    assert "Traceback" not in error


def test_audit_outputs_of_another_table_exit_3_before_any_work(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, probs = noisy_data(ROWS, 3)
    assert run(tmp_path, write_table(tmp_path / "in", given, probs), []) == 0
    texts = pa.array([f"k{label}" for label in given])
    other = write_table(tmp_path / "other", given, probs, label=texts)
    capsys.readouterr()
    assert run(tmp_path, other, ["classes=[k0, k1, k2]"], "--dry-run") == 3
    error = capsys.readouterr().err
    for name, column in (("suspects", "given_label"), ("classes", "class")):
        assert f"output.{name}: {tmp_path}/out/{name}: column {column!r} is bigint" in error
    assert "string in those of this one" in error
    assert "output.runs" not in error


def test_audit_columns_in_another_order_are_warned_of_in_the_plan_and_the_summary(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, probs = noisy_data(ROWS, 3, seed=2)
    table = write_table(tmp_path / "in", given, probs[:, [1, 2, 0]])
    assert run(tmp_path, table, [], "--dry-run") == 0
    assert "warning   the columns of the probabilities look permuted" in capsys.readouterr().out
    allowed = ["gate.min_examples_left_per_class=0", "gate.allow_permuted=true"]
    allowed += ["gate.allow_weak_model=true", "gate.allow_many_suspects=true"]
    assert run(tmp_path, table, allowed[:1]) == 4
    error = capsys.readouterr().err
    assert "the columns of the probabilities look permuted: 3 labels fit another column" in error
    assert (
        "check the order of classes against the model's, or set gate.allow_permuted: true" in error
    )
    command = re.search(r"\(sparkclean (show .*? --run-id \S+)\)", error)
    assert command is not None
    assert main(shlex.split(command[1])) == 0
    assert "suggested_label" in capsys.readouterr().out
    assert run(tmp_path, table, allowed) == 0
    shown = capsys.readouterr().out
    assert "warnings\n  the columns of the probabilities look permuted" in shown


def test_audit_dry_run_of_rows_that_would_be_rejected_says_so(
    spark: SparkSession,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given, probs = noisy_data(ROWS, 3, seed=2)
    probs[::2] *= 100.0
    table = write_table(tmp_path / "in", given, probs)
    assert run(tmp_path, table, ["admission.max_rejected_fraction=0.5"], "--dry-run") == 0
    assert "warning" not in capsys.readouterr().out
    assert run(tmp_path, table, [], "--dry-run") == 3  # all rows were looked at
    assert "they look like percentages; divide by 100" in capsys.readouterr().err
    monkeypatch.setattr("sparkclean.jobs.audit.plan._SAMPLE_ROWS", 50)
    assert run(tmp_path, table, [], "--dry-run") == 0
    said = "warning   of the first 50 rows: 25 of 50 rows were rejected (50.00%); admission.max_"
    assert said in capsys.readouterr().out


def test_audit_file_of_fewer_rows_in_the_middle_is_named(
    spark: SparkSession,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = write_table(tmp_path / "in", *noisy_data(ROWS, 3), files=3)
    victim = table / "part-00001.parquet"
    fewer = pq.read_table(victim).slice(0, 5)

    def act(name: str) -> None:
        if name == "run.audited":
            pq.write_table(fewer, victim)

    with watched(act):
        assert run(tmp_path, table, []) == 3
    error = capsys.readouterr().err
    assert "part-00001.parquet (changed)" in error
    assert "rows were written" not in error


def test_audit_unwritable_target_exits_3(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("a file is in the way")
    assert run(tmp_path, write_table(tmp_path / "in", *noisy_data(ROWS, 3)), []) == 3
    assert "cannot be written to" in capsys.readouterr().err


def test_audit_target_with_other_data_exits_3_before_any_work(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = tmp_path / "out" / "pairs"
    foreign.mkdir(parents=True)
    (foreign / "theirs.csv").touch()
    assert run(tmp_path, write_table(tmp_path / "in", *noisy_data(ROWS, 3)), []) == 3
    assert "theirs.csv" in capsys.readouterr().err
    assert not (tmp_path / "out" / "runs").exists()


@pytest.mark.parametrize("step", ["run.pinned", "run.audited"])
@pytest.mark.parametrize("change", ["vanish", "replace", "damage"])
def test_audit_input_changed_in_the_middle_exits_3(
    spark: SparkSession,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    step: str,
    change: str,
) -> None:
    table = write_table(tmp_path / "in", *noisy_data(ROWS, 3), files=3)
    victim = table / "part-00001.parquet"

    def act(name: str) -> None:
        if name != step:
            return
        if change == "vanish":
            victim.unlink()
        elif change == "replace":
            os.utime(victim, ns=(0, 0))
        else:
            victim.write_bytes(victim.read_bytes()[:100])

    with watched(act):
        assert run(tmp_path, table, []) == 3
    error = capsys.readouterr().err
    assert "part-00001.parquet" in error
    assert "Nothing was published" in error
    assert list((tmp_path / "out").rglob("v0*.json")) == []


def test_audit_files_added_in_the_middle_are_not_read(spark: SparkSession, tmp_path: Path) -> None:
    table = write_table(tmp_path / "in", *noisy_data(ROWS, 3))
    more = (table / "part-00000.parquet").read_bytes()

    def act(name: str) -> None:
        if name == "run.pinned":
            (table / "part-00009.parquet").write_bytes(more)

    with watched(act):
        assert run(tmp_path, table, ["clean.mode=weight"]) == 0
    assert open_target(str(tmp_path / "out" / "cleaned")).current().rows == ROWS


@pytest.mark.full
def test_audit_no_space_says_so(
    spark: SparkSession, small_disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    big = pa.array([os.urandom(100) for _ in range(20_000)])
    table = write_table(tmp_path / "in", *noisy_data(20_000, 3), noise=big)
    (tmp_path / "out").symlink_to(small_disk)
    assert run(tmp_path, table, []) == 1
    error = capsys.readouterr().err
    assert "no space" in error
    assert "Traceback" not in error
    assert list(small_disk.rglob("v0*.json")) == []
