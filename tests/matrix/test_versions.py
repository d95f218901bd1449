"""What must hold on every version of Spark: run on all of them by `make test`."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkclean import audit, predict, read
from sparkclean.errors import InputError, PublishConflictError
from sparkclean.lake import TargetTable, open_source, open_target
from sparkclean.lake.engine_errors import is_conflict
from tests.spark.answers import hash_of_arrays
from tests.tables import NAMES, Data, Place

#: Seconds.
_PATIENCE = 120


def fixed_data(rows: int = 400, classes: int = 4) -> Data:
    """Labels, every ninth wrong, and probabilities with the same bits on every numpy."""
    row, column = np.arange(rows)[:, None], np.arange(classes)[None, :]
    true = (row * 7 + row // 5) % classes
    parts = (row * 7919 + column * 104_729 + row * column * 31) % 97
    parts = parts + np.where(column == true, 200 + row % 150, 0)
    given = np.where(row[:, 0] % 9 == 0, (true[:, 0] + 1 + row[:, 0] % 2) % classes, true[:, 0])
    return given, parts / parts.sum(axis=1, keepdims=True)


@pytest.mark.usefixtures("by_tasks")
def test_audit_has_the_result_hash_of_every_version(
    request: pytest.FixtureRequest, spark: SparkSession, tmp_path: Path
) -> None:
    data = fixed_data()
    wanted = hash_of_arrays(*data, "prune_by_noise_rate")
    # one audit with all formats: that each has this answer is for tests/lake
    place = Place(spark, tmp_path, "iceberg", data=data)
    outputs = {name: f"parquet.`{tmp_path}/{name}`" for name in NAMES}
    outputs |= {"suspects": f"delta.`{tmp_path}/suspects`", "cleaned": f"{place.prefix}cleaned"}
    assert place.audit(**outputs) == 0
    assert open_target(outputs["runs"]).head(1)["result_hash"].to_pylist() == [wanted]
    found = read(spark, outputs["suspects"]).count(), len(place.read("cleaned"))
    assert min(found) > 10
    assert sum(found) == len(data[0])
    if (kept := request.config.getoption("hashes")) is not None:
        way = "connect" if request.config.getoption("connect") else "classic"
        # a file each, as several versions are tested at once
        Path(kept).mkdir(parents=True, exist_ok=True)
        Path(kept, f"{spark.version}-{way}.hash").write_text(wanted)
        hashes = {path.stem: path.read_text() for path in Path(kept).glob("*.hash")}
        assert set(hashes.values()) == {wanted}, hashes


@pytest.fixture(params=["delta", "iceberg"])
def target(request: pytest.FixtureRequest, spark: SparkSession, tmp_path: Path) -> TargetTable:
    prefix = f"{tmp_path}/" if request.param == "delta" else f"lake.m{uuid.uuid4().hex[:8]}."
    return open_target(f"{prefix}cleaned", request.param, spark=spark)


def publish(target: TargetTable, run: str, rows: DataFrame, parent: int | None) -> int:
    staging = target.stage(run, accumulate=False)
    staging.write_frame(rows)
    version = target.publish(
        staging,
        expected_parent=parent,
        accumulate=False,
        properties={"config_fingerprint": "f1", "input": "x"},
        schema=rows.schema.json(),
    )
    return version.number


def slow_rows(spark: SparkSession, folder: Path) -> DataFrame:
    """Rows that tell when they are asked for, and come when they may."""
    begun, go = str(folder / "begun"), str(folder / "go")

    def wait(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        # what executors load must not be this module: a Connect server does not know it
        import time
        from pathlib import Path

        Path(begun).touch()
        deadline = time.monotonic() + 60
        while not Path(go).exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        yield from batches

    # one part: the other core is for the faster run
    return spark.range(0, 5, 1, 1).mapInArrow(wait, "id bigint")


def test_publish_during_another_commit_is_a_conflict_of_the_engine(
    spark: SparkSession, target: TargetTable, tmp_path: Path
) -> None:
    first = publish(target, "a", spark.range(10), None)
    rows = slow_rows(spark, tmp_path)
    raised: list[BaseException] = []

    def lose() -> None:
        try:
            publish(target, "slower", rows, first)
        except Exception as exc:  # noqa: BLE001 (looked at below)
            raised.append(exc)

    slower = threading.Thread(target=lose)
    slower.start()
    deadline = time.monotonic() + _PATIENCE
    while not (tmp_path / "begun").exists() and slower.is_alive() and time.monotonic() < deadline:
        time.sleep(0.05)
    publish(target, "faster", spark.range(8), first)
    (tmp_path / "go").touch()
    slower.join(_PATIENCE)
    (error,) = raised
    assert isinstance(error, PublishConflictError), error
    assert "published by faster" in str(error)
    assert error.exit_code == 5
    # Spark's own word, not the look at the version before
    assert error.__cause__ is not None
    assert is_conflict(error.__cause__)
    assert [version.run_id for version in target.versions()] == ["a", "faster"]
    assert target.frame(spark).count() == 8


def test_missing_tables_and_versions_are_input_errors(
    spark: SparkSession, target: TargetTable, tmp_path: Path
) -> None:
    missing = "12345"
    for name in ("default.nothing", "lake.db.nothing", f"delta.`{tmp_path}/nothing`"):
        with pytest.raises(InputError, match="no such table"):
            open_source(name, spark=spark).pin()
    with pytest.raises(InputError, match="no such table"):
        target.versions()
    publish(target, "a", spark.range(10), None)
    with pytest.raises(InputError, match=f"has no version {missing}"):
        read(spark, target.location, missing)
    version = missing if target.format == "delta" else f"snapshot:{missing}"
    with pytest.raises(InputError, match=f"has no (version|snapshot) {missing}"):
        open_source(target.location, spark=spark).pin(version)


def test_notebook_calls_agree_on_spark_and_pandas(spark: SparkSession, tmp_path: Path) -> None:
    given, points = fixed_data(90, 3)
    names = np.array(["ant", "bee", "cat"])
    rows = pd.DataFrame({"id": range(90), "label": names[given], "x": list(points[:, :2])})
    frame = spark.createDataFrame(
        [(int(i), str(label), x.tolist()) for i, label, x in rows.itertuples(index=False)],
        "id int, label string, x array<double>",
    )
    probs = predict(frame, features="x", n_folds=2, work=tmp_path)
    local = rows.assign(pred_probs=[row["pred_probs"] for row in probs.orderBy("id").collect()])
    with (
        audit(probs) as result,  # the column carries the classes
        audit(local, classes=sorted(names)) as found,
    ):
        assert found.num_suspects > 3
        assert repr(result).split("top 5")[0] == repr(found).split("top 5")[0]
        wanted = [row["id"] for row in result.suspects.orderBy("rank").collect()]
        assert found.suspects["row"].tolist() == wanted
        top = result.top(3, columns="x").collect()
        assert [row["x"] for row in top] == [rows["x"][i].tolist() for i in wanted[:3]]
        for mode in ("drop", "relabel", "weight"):
            cleaned = result.cleaned(mode).orderBy("id").collect()
            assert [row["label"] for row in cleaned] == found.cleaned(mode)["label"].tolist()
