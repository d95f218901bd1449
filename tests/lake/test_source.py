from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkclean.errors import (
    ConfigError,
    InputChangedError,
    InputError,
    SparkCleanError,
    UnsupportedFeatureError,
)
from sparkclean.lake import Pin, open_source, translate_read_error
from tests.lake.helpers import new_target, publish, publish_record


def write(path: Path, **columns: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def test_pin_folder_lists_what_spark_would_read(tmp_path: Path) -> None:
    for name in ("_x=1/b/2.parquet", "_x=2/a.parquet", "_x=1/c/c.parquet", "_x=3/noextension"):
        write(tmp_path / name, id=[1, 2])
    for name in (
        "_SUCCESS",
        ".a.parquet.crc",
        "_hidden/x.parquet",
        ".h=1/x.parquet",
        "x._COPYING_",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"junk")
    pin = open_source(str(tmp_path)).pin()
    names = [os.path.relpath(file.path, tmp_path) for file in pin.files]
    assert names == [
        *("_x=1/b/2.parquet", "_x=1/c/c.parquet", "_x=2/a.parquet", "_x=3/noextension")
    ]
    assert (pin.rows, pin.root, pin.version) == (8, str(tmp_path), None)
    assert pin.size_bytes == sum((tmp_path / name).stat().st_size for name in names)
    assert pin.schema_groups == ((0, 1, 2, 3),)
    assert pin.dataset_version.startswith("files-")
    assert Pin.from_json(pin.to_json()) == pin
    assert open_source(str(tmp_path)).pin() == pin


def test_pin_one_file_has_its_folder_as_root(tmp_path: Path) -> None:
    path = write(tmp_path / "date=1" / "a.parquet", id=[1])
    for location in (str(path), f"file:{path}", f"file://{path}"):
        pin = open_source(location).pin()
        assert [file.path for file in pin.files] == [str(path)]
        assert pin.root == str(path.parent)


def test_pin_changes_with_rows_size_name_and_time(tmp_path: Path) -> None:
    path = write(tmp_path / "t" / "a.parquet", id=[1])
    seen = {open_source(str(tmp_path / "t")).pin().dataset_version}
    os.utime(path, ns=(1, 1))
    seen.add(open_source(str(tmp_path / "t")).pin().dataset_version)
    path.rename(path.with_name("b.parquet"))
    seen.add(open_source(str(tmp_path / "t")).pin().dataset_version)
    assert len(seen) == 3


def test_pin_groups_files_by_physical_schema(tmp_path: Path) -> None:
    single, double = pa.array([[0.5]], pa.list_(pa.float32())), pa.array([[0.5]])
    write(tmp_path / "a.parquet", p=single)
    write(tmp_path / "b.parquet", p=double)
    write(tmp_path / "c.parquet", p=single)
    # leaves alike, but not the groups above them
    write(tmp_path / "d.parquet", s=pa.array([{"x": 1}]))
    write(tmp_path / "e.parquet", t=pa.array([{"x": 1}]))
    assert open_source(str(tmp_path)).pin().schema_groups == ((0, 2), (1,), (3,), (4,))


def test_pin_missing_suggests_a_neighbour(tmp_path: Path) -> None:
    (tmp_path / "examples").mkdir()
    with pytest.raises(InputError, match=r"did you mean '.*/examples'"):
        open_source(str(tmp_path / "exampels")).pin()
    with pytest.raises(InputError, match="holds examples"):
        open_source(str(tmp_path / "zzz")).pin()


def test_pin_empty_folder_is_refused_with_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it is empty"):
        open_source(str(tmp_path)).pin()
    (tmp_path / "_SUCCESS").touch()
    with pytest.raises(InputError, match="_SUCCESS"):
        open_source(str(tmp_path)).pin()


def test_pin_unreadable_files_are_named_up_to_five(tmp_path: Path) -> None:
    write(tmp_path / "good.parquet", id=[1])
    (tmp_path / "empty.parquet").touch()
    whole = (tmp_path / "good.parquet").read_bytes()
    (tmp_path / "half.parquet").write_bytes(whole[: len(whole) // 2])
    for number in range(5):
        (tmp_path / f"x{number}.csv").write_text("id,label\n1,2\n")
    with pytest.raises(InputError) as caught:
        open_source(str(tmp_path)).pin()
    text = str(caught.value)
    assert "7 of 8 files" in text
    assert "empty.parquet (empty file)" in text
    assert "half.parquet" in text
    assert "x2.csv" in text
    assert "x3.csv" not in text


def test_pin_csv_says_convert(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id\n1\n")
    for location in (tmp_path, tmp_path / "a.csv"):
        with pytest.raises(InputError, match=r"Convert it once, and name .*parquet then"):
            open_source(str(location)).pin()


def test_pin_float16_names_the_column(tmp_path: Path) -> None:
    half = pa.array([[np.float16(0.5)]], pa.list_(pa.float16()))
    write(tmp_path / "a.parquet", id=[1], probs=half)
    with pytest.raises(InputError, match=r"'probs' of .*a\.parquet is float16.*float32"):
        open_source(str(tmp_path)).pin()


@pytest.mark.parametrize("marker", ["_delta_log/0.json", ".hoodie/x", "metadata/v1.metadata.json"])
def test_pin_table_of_other_format_is_not_read_as_files(tmp_path: Path, marker: str) -> None:
    write(tmp_path / "a.parquet", id=[1])
    (tmp_path / marker).parent.mkdir()
    (tmp_path / marker).touch()
    with pytest.raises(UnsupportedFeatureError, match="table"):
        open_source(str(tmp_path), "parquet").pin()


def test_open_source_formats_and_places(tmp_path: Path) -> None:
    for wrong in ("delta", "iceberg"):
        with pytest.raises(UnsupportedFeatureError, match="only be looked at with a Spark session"):
            open_source(str(tmp_path), wrong)
    with pytest.raises(ConfigError, match="parqet"):
        open_source(str(tmp_path), "parqet")
    with pytest.raises(UnsupportedFeatureError, match="not supported yet"):
        open_source("s3a://bucket/table", "parquet")


def test_pin_link_in_a_circle_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "t" / "a.parquet", id=[1])
    (tmp_path / "t" / "b").symlink_to(tmp_path / "t")
    with pytest.raises(InputError, match="link"):
        open_source(str(tmp_path / "t")).pin()


def test_pin_target_of_ours_is_its_current_or_named_version(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    publish(target, "a", accumulate=False)
    publish(target, "b", accumulate=False, parent=1, rows=3)
    source = open_source(target.location)
    pin = source.pin()
    assert (pin.version, pin.dataset_version, pin.rows) == ("v00000002", "v00000002", 3)
    assert (source.pin(1).rows, source.pin("v00000001").rows) == (2, 2)
    with pytest.raises(InputError, match="no version 3"):
        source.pin(3)
    write(target.root / "data" / "b" / "part-00000.parquet", id=[1])
    with pytest.raises(InputError, match="changed"):
        source.pin()


def test_pin_target_leaves_out_runs_without_record(tmp_path: Path) -> None:
    from sparkclean.lake import open_target

    target, runs = new_target(tmp_path), open_target(str(tmp_path / "runs"))
    properties = {"runs": "../runs"}
    publish(target, "done", properties=properties)
    publish_record(runs, "done", "published")
    publish(target, "failed", properties=properties, rows=3)
    publish_record(runs, "failed", "gate_failed")
    publish(target, "dead", properties=properties, rows=4)
    assert open_source(target.location).pin().rows == 2
    assert target.head(9)["run"].to_pylist() == ["done", "done"]


def test_pin_plain_folder_has_no_versions(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", id=[1])
    with pytest.raises(InputError, match="no versions"):
        open_source(str(tmp_path)).pin("v00000001")


def test_verify_names_what_changed_or_vanished_and_not_what_is_new(tmp_path: Path) -> None:
    for number in range(8):
        write(tmp_path / f"{number}.parquet", id=[1])
    source = open_source(str(tmp_path))
    pin = source.pin()
    write(tmp_path / "new.parquet", id=[1])
    source.verify(pin)
    (tmp_path / "0.parquet").unlink()
    os.utime(tmp_path / "1.parquet", ns=(5, 5))
    with pytest.raises(
        InputChangedError, match=r"2 of 8 .*0\.parquet \(vanished\).*1\.parquet \(changed\)"
    ):
        source.verify(pin)
    for number in range(2, 8):
        (tmp_path / f"{number}.parquet").unlink()
    with pytest.raises(InputChangedError) as caught:
        source.verify(pin)
    assert str(caught.value).count("parquet (") == 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "[PATH_NOT_FOUND] Path does not exist: file:/t/a.parquet. SQLSTATE: 42K03",
            "/t/a.parquet",
        ),
        (
            "[FAILED_READ_FILE.NO_HINT] Encountered error while reading file file:///t/a%20b.parquet.",
            "/t/a b.parquet cannot be read: it is damaged",
        ),
        (
            "[CANNOT_READ_FILE_FOOTER] Could not read footer for file: file:/t/x.parquet. Please",
            "/t/x",
        ),
        (
            "[PARQUET_TYPE_ILLEGAL] Illegal Parquet type: INT64 (TIMESTAMP(NANOS,false)).",
            "NANOS,false",
        ),
    ],
)
def test_translate_read_error_condition_gives_file_and_remedy(text: str, words: str) -> None:
    translated = translate_read_error(RuntimeError(text), "/t")
    assert isinstance(translated, SparkCleanError)
    assert words in str(translated)


def test_translate_read_error_other_is_none() -> None:
    assert translate_read_error(RuntimeError("[DIVIDE_BY_ZERO] x"), "/t") is None
