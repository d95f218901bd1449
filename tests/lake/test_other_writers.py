"""Somebody else commits to a table between our look at it and our commit."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkclean.errors import PublishConflictError
from sparkclean.faults import watched
from sparkclean.lake import TargetTable, open_target
from sparkclean.schema import RUN_ID
from tests.lake.test_committed import by_run, publish, publish_dataset, suspects
from tests.tables import ALL_NAMES, QUARANTINE, Undisturbed, audit_undisturbed

FULL = pytest.mark.full
FORMATS = pytest.mark.parametrize("kind", ["delta", "iceberg"])
#: Before the transaction of our commit begins, or while its rows are written.
MOMENTS = pytest.mark.parametrize("moment", [pytest.param("before", marks=FULL), "within"])


@pytest.fixture(params=["delta", "iceberg"])
def target(request: pytest.FixtureRequest, spark: SparkSession, tmp_path: Path) -> TargetTable:
    unique = f"w{uuid.uuid4().hex[:8]}"
    name = f"{tmp_path}/out" if request.param == "delta" else f"lake.{unique}.out"
    return open_target(name, request.param, spark=spark, work=tmp_path / "work")


def append(target: TargetTable, rows: DataFrame) -> None:
    """Be a writer who knows nothing of us."""
    if target.format == "delta":
        rows.write.format("delta").mode("append").save(target.location)
    else:
        rows.writeTo(target.location).append()


def make(target: TargetTable, rows: DataFrame) -> None:
    """Be a writer who knows nothing of us, and makes the table."""
    if target.format == "delta":
        rows.write.format("delta").save(target.location)
    else:
        rows.sparkSession.sql(
            f"CREATE NAMESPACE IF NOT EXISTS {target.location.rpartition('.')[0]}"
        )
        rows.writeTo(target.location).using("iceberg").create()


def delayed(rows: DataFrame, folder: Path, act: Callable[[], None]) -> DataFrame:
    """Return rows whose writing waits, once, until something else is done."""
    begun, done = folder / f"{uuid.uuid4().hex}-begun", folder / f"{uuid.uuid4().hex}-done"

    def wait(batches: Iterator[Any]) -> Iterator[Any]:
        begun.touch()
        until = time.monotonic() + 60
        while not done.exists():
            assert time.monotonic() < until
            time.sleep(0.01)
        yield from batches

    def meddle() -> None:
        until = time.monotonic() + 60
        while not begun.exists() and time.monotonic() < until:
            time.sleep(0.01)
        act()
        done.touch()

    threading.Thread(target=meddle, daemon=True).start()
    return rows.coalesce(1).mapInArrow(wait, rows.schema)


def meddling(
    patch: pytest.MonkeyPatch,
    kind: type,
    folder: Path,
    moment: str,
    act: Callable[[TargetTable], None],
) -> None:
    """Act in every commit of a kind of target, the first time that it is tried."""
    acted: set[str] = set()
    for method in ("_put_run", "_replace"):
        write = getattr(kind, method)

        def meddled(self: Any, rows: DataFrame, *rest: Any, write: Any = write) -> None:
            first = self.location not in acted
            acted.add(self.location)
            if first and moment == "before":
                act(self)
            elif first:
                rows = delayed(rows, folder, lambda: act(self))
            write(self, rows, *rest)

        patch.setattr(kind, method, meddled)


@MOMENTS
def test_publish_run_append_by_another_writer_is_harmless(
    spark: SparkSession,
    target: TargetTable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    publish(target, "a", suspects(spark, "a", 2))
    meddling(
        monkeypatch,
        type(target),
        tmp_path,
        moment,
        lambda found: append(found, suspects(spark, "theirs", 1)),
    )
    version = publish(target, "b", suspects(spark, "b", 3))
    assert by_run(target.frame(spark)) == {"a": 2, "b": 3, "theirs": 1}
    assert version.run_id == "b"


@MOMENTS
def test_publish_dataset_append_by_another_writer_is_reported_with_both_versions(
    spark: SparkSession,
    target: TargetTable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    first = publish_dataset(target, "a", spark.range(5))
    meddling(
        monkeypatch, type(target), tmp_path, moment, lambda found: append(found, spark.range(1))
    )
    with pytest.raises(PublishConflictError) as caught:
        publish_dataset(target, "b", spark.range(3), first.number)
    theirs = next(v for v in target.versions() if v.number != first.number and not v.run_id)
    for version in (first, theirs):
        assert f"version {version.name}" in str(caught.value)
    ours = target.find_run("b")
    assert target.frame(spark).count() == (6 if ours is None else 3)
    if ours is not None:
        assert f"version {ours.name} of this run replaces its rows" in str(caught.value)


@FULL
@MOMENTS
def test_publish_first_dataset_of_a_table_that_another_writer_makes_leaves_theirs(
    spark: SparkSession,
    target: TargetTable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    meddling(monkeypatch, type(target), tmp_path, moment, lambda found: make(found, spark.range(1)))
    with pytest.raises(PublishConflictError, match="version"):
        publish_dataset(target, "a", spark.range(3))
    assert target.find_run("a") is None
    assert target.frame(spark).count() == 1


@FULL
@FORMATS
@MOMENTS
def test_audit_append_to_every_output_is_reported_for_datasets_and_harmless_for_others(
    undisturbed: Callable[[str], Undisturbed],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    kind: str,
    moment: str,
) -> None:
    once = undisturbed(kind)
    place = once.place.elsewhere(f"appended-{moment}")
    place.publish_earlier_run(once.place, ALL_NAMES)
    before = {name: place.target(name).current() for name in ALL_NAMES}

    def append_theirs(target: TargetTable) -> None:
        name = target.location.replace("`", "").rpartition("/" if kind == "delta" else ".")[2]
        rows = once.place.raw(name).limit(1)
        if RUN_ID in rows.columns:
            values = [f"'theirs' AS {c}" if c == RUN_ID else c for c in rows.columns]
            rows = rows.selectExpr(*values)
        append(target, rows)

    with monkeypatch.context() as patch:
        meddling(patch, type(place.target("cleaned")), tmp_path, moment, append_theirs)
        assert place.audit(*QUARANTINE) == 5
    error = capsys.readouterr().err
    for name in ALL_NAMES:
        if name.startswith("cleaned"):
            versions = place.target(name).versions()
            theirs = versions[versions.index(before[name]) + 1]
            if name == "cleaned":  # the last conflict is what the command says
                assert f"version {before[name].name}" in error
                assert f"version {theirs.name}" in error
        else:
            rows = place.raw(name).groupBy(RUN_ID).count().collect()
            found = {row[RUN_ID]: row["count"] for row in rows}
            assert found["theirs"] == 1
            assert found["r1"] == len(once.answers[name])
            if name != "runs":
                assert place.answer(name, "r1") == once.answers[name]


@FULL
@FORMATS
def test_audit_source_compacted_between_pin_and_publish_has_the_same_answer(
    spark: SparkSession, tmp_path: Path, kind: str
) -> None:
    once = audit_undisturbed(spark, tmp_path, kind)  # of an input that no other test reads
    place = once.place.elsewhere("compacted")
    left = ["run.pinned", "run.audited", "run.verified"]

    def act(name: str) -> None:
        if name in left:
            left.remove(name)
            place.append()  # something to compact each time
            place.compact()

    with watched(act):
        assert place.audit(*QUARANTINE) == 0
    assert left == []
    assert {name: place.answer(name) for name in once.answers} == once.answers
