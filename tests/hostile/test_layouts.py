"""One list of files is the table: for the pin, the frame, the file scan and Spark itself."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlparse

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from sparkclean.commands.main import main
from sparkclean.errors import InputError
from sparkclean.lake import open_source
from sparkclean.lake.parquet.layout import check_layout, partition_types
from tests.data import noisy_data

ROOT = Path("/t")
#: Files below a folder, and what must be said of them.
REFUSED = {
    ("a", "day=1/b"): r"/t/a beside day=1/",
    ("a", "old/b"): r"/t/a beside old/",
    ("day=1/a", "day=1/old/b"): r"/t/day=1/a beside old/",
    ("day=1/a", "day=1/hour=2/b"): r"/t/day=1/a beside hour=2/",
    ("day=1/a", "day=2/hour=2/b"): r"\(day\) in day=1/, \(day, hour\) in day=2/hour=2/",
    ("day=1/a", "date=2/b"): r"\(date\) in date=2/, \(day\) in day=1/",
    ("day=1/a", "Day=2/b"): r"\(Day\) in Day=2/, \(day\) in day=1/",
    ("x=1/y=1/a", "y=1/x=1/b"): r"\(x, y\) in x=1/y=1/, \(y, x\)",
    ("day=1/a", "old/b"): r"\(day\) in day=1/, \(\) in old/",
    ("v1/day=1/a", "v2/day=1/b"): r"below v1/ in v1/day=1/",
    ("day=1/x/hour=2/a",): r"below x/ in day=1/x/hour=2/",
    ("day=/a", "day=1/b"): r"a name and a value: day=/",
    ("=1/a",): r"a name and a value: =1/",
    ("day=1/Day=2/a",): r"names a partition column twice",
}
ACCEPTED = (
    ("a", "b"),
    ("day=1/a", "day=2/b", "day=__HIVE_DEFAULT_PARTITION__/c"),
    ("day=1/x/a", "day=2/b"),
    ("x=1/y=2/a", "x=2/y=1/b"),
)


@pytest.mark.parametrize("names", REFUSED)
def test_check_layout_that_spark_reads_otherwise_names_the_paths(names: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match=REFUSED[names]) as caught:
        check_layout("t", ROOT, [ROOT / name for name in names])
    assert str(caught.value).startswith("input.table: t: ")


@pytest.mark.parametrize(
    "names", [*ACCEPTED, ("train/a", "test/b"), ("2025/a", "2026/01/b"), ("old/a",)]
)
def test_check_layout_of_one_table_passes(names: tuple[str, ...]) -> None:
    check_layout("t", ROOT, [ROOT / name for name in names])


def test_pin_and_spark_agree_on_what_is_accepted_and_refused(
    spark: SparkSession, tmp_path: Path
) -> None:
    for number, names in enumerate([*ACCEPTED, *REFUSED]):
        root = tmp_path / str(number)
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.table({"id": [1]}), root / f"{name}.parquet")
        found = set()
        with suppress(Exception):  # Spark fails in many ways
            rows = spark.read.parquet(f"file://{root}").select("_metadata.file_path").collect()
            found = {unquote(urlparse(row.file_path).path) for row in rows}
        whole = found == {f"{root}/{name}.parquet" for name in names}
        # of these Spark reads all files, but the columns depend on the rest of the folder
        if names in {("day=1/a", "day=1/old/b"), ("day=1/x/hour=2/a",), ("day=1/a", "Day=2/b")}:
            assert whole
            continue
        assert whole == (names in ACCEPTED), (names, found)
        if whole:
            pin = open_source(str(root)).pin()
            assert {file.path for file in pin.files} == found


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["3", "-7", "0"], "integer"),
        (["2147483647", "-2147483648"], "integer"),
        (["2147483648"], "long"),
        (["9223372036854775808"], "string"),
        (["00700", "700"], "string"),
        (["+1"], "string"),
        (["-0"], "string"),
        (["1.1", "1"], "double"),
        (["1.10", "1.1"], "string"),
        (["1.0"], "string"),
        (["1e5"], "string"),
        (["0.10000000000000000001"], "string"),
        (["12d"], "string"),
        (["NaN"], "string"),
        (["2026-01-02", "0001-01-01"], "date"),
        (["2026-01"], "string"),
        (["2026-1-2"], "string"),
        (["2026-01-02 03%3A04%3A05"], "string"),
        (["__HIVE_DEFAULT_PARTITION__", "3"], "integer"),
        (["__HIVE_DEFAULT_PARTITION__"], "string"),
        (["\N{ARABIC-INDIC DIGIT ONE}"], "string"),
    ],
)
def test_partition_types_keep_what_can_be_written_again(values: list[str], kind: str) -> None:
    paths = [f"/t/v={value}/a.parquet" for value in values]
    assert partition_types("/t", paths) == {"v": kind}


def test_read_partition_values_are_those_of_the_folders_whatever_the_session_infers(
    spark: SparkSession, tmp_path: Path
) -> None:
    values = [(3, "00700", "1.10", "x y"), (3, "700", "1.1", "12d"), (4, "07", "1", "2026-01")]
    for number, (label, code, p, text) in enumerate(values):
        folder = tmp_path / f"label={label}/zip={code}/p={p}/t={text.replace(' ', '%20')}"
        folder.mkdir(parents=True)
        # two schemas: such files are not read together
        rows = pa.array([number], pa.int32() if number else pa.int64())
        pq.write_table(pa.table({"id": rows}), folder / "a.parquet")
    source = open_source(str(tmp_path))
    pin = source.pin()
    setting = "spark.sql.sources.partitionColumnTypeInference.enabled"
    for infers in ("true", "false"):
        spark.conf.set(setting, infers)
        try:
            frame = source.read(spark, pin)
            assert frame.dtypes == [
                ("id", "bigint"),
                *(("label", "int"), ("zip", "string"), ("p", "string"), ("t", "string")),
            ]
            assert sorted(tuple(row)[1:] for row in frame.collect()) == sorted(values)
        finally:
            spark.conf.unset(setting)


def _audit(folder: Path, scan: str, *settings: str) -> int:
    names = ("suspects", "cleaned", "rejected", "classes", "pairs", "runs")
    config = {
        "input": {"table": str(folder / "in")},
        "output": {name: str(folder / scan / name) for name in names},
        "scan": scan,
    }
    path = folder / f"{scan}.json"
    path.write_text(json.dumps(config))
    words = [word for setting in settings for word in ("--set", setting)]
    return main(["audit", "--config", str(path), "--run-id", "r1", *words])


def _write(path: Path, rows: slice) -> None:
    given, probs = noisy_data(240, 3, seed=3)
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = list(range(240))[rows]
    table = pa.table({"id": ids, "label": given[rows], "pred_probs": list(probs[rows])})
    pq.write_table(table, path)


def test_audit_cleaned_copy_keeps_partitions_apart(spark: SparkSession, tmp_path: Path) -> None:
    folders = ("zip=00700/p=1.1", "zip=00700/p=1.10", "zip=700/p=1.1", "zip=700/p=1.10")
    for number, name in enumerate(folders):
        _write(tmp_path / "in" / name / "a.parquet", slice(60 * number, 60 * number + 60))
    found = []
    for scan in ("files", "dataframe"):
        assert _audit(tmp_path, scan) == 0
        query = f"SELECT * FROM '{tmp_path}/{scan}/cleaned/data/r1/*.parquet' ORDER BY id"
        found.append(duckdb.sql(query).fetchall())
    assert found[0] == found[1]
    assert 180 < len(found[0]) < 240
    for row in found[0]:
        assert f"zip={row[3]}/p={row[4]}" == folders[row[0] // 60]


def test_audit_root_files_beside_partitions_end_with_3_by_any_scan(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    _write(tmp_path / "in" / "p0.parquet", slice(0, 120))
    _write(tmp_path / "in" / "day=1" / "p1.parquet", slice(120, 240))
    for scan, where in (("files", "null"), ("dataframe", "null"), ("auto", "id >= 0")):
        assert _audit(tmp_path, scan, f"input.where={where}") == 3
        assert f"{tmp_path}/in/p0.parquet beside day=1/" in capsys.readouterr().err
        assert not (tmp_path / scan / "runs").exists()


def test_audit_rows_that_spark_does_not_read_end_with_3(
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    # a layout that nobody has thought of
    monkeypatch.setattr("sparkclean.lake.parquet.source.check_layout", lambda *_: None)
    _write(tmp_path / "in" / "p0.parquet", slice(0, 120))
    _write(tmp_path / "in" / "day=1" / "p1.parquet", slice(120, 240))
    assert _audit(tmp_path, "dataframe", "input.where=id >= 0") == 3
    said = capsys.readouterr().err
    assert "Spark reads 120 rows" in said
    assert "2 files hold 240" in said
