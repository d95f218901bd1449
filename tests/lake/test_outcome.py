"""A commit whose answer is lost: looked up in the table, and said to be unknown if need be."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkclean.errors import CommitStateUnknownError, PublishConflictError, VersionExistsError
from sparkclean.lake import TargetTable, Version, open_target
from sparkclean.lake.engine_errors import is_conflict, is_state_unknown
from tests.lake.test_committed import publish, publish_dataset, suspects
from tests.tables import QUARANTINE, Undisturbed

FULL = pytest.mark.full
# as they arrive: the class stands in the text of a Py4JJavaError and of Connect's exception
UNKNOWN = (
    "org.apache.iceberg.exceptions.CommitStateUnknownException: Cannot determine whether the "
    "commit was successful or not, the underlying data files may or may not be needed"
)
CONFLICT = "org.apache.iceberg.exceptions.CommitFailedException: Cannot commit, refs have moved"
REFUSED = "org.apache.iceberg.jdbc.UncheckedSQLException: Unknown failure: disk is full"


@pytest.fixture(params=["delta", "iceberg"])
def target(request: pytest.FixtureRequest, spark: SparkSession, tmp_path: Path) -> TargetTable:
    unique = f"o{uuid.uuid4().hex[:8]}"
    name = f"{tmp_path}/out" if request.param == "delta" else f"lake.{unique}.out"
    return open_target(name, request.param, spark=spark, work=tmp_path / "work")


@contextmanager
def failing(target: TargetTable, text: str, *, committed: bool) -> Iterator[None]:
    """Fail once, before or after the commit is made, as if the engine had."""
    with pytest.MonkeyPatch.context() as patch:
        left = [text]
        for method in ("_put_run", "_replace"):
            write = getattr(target, method)

            def fail(*arguments: Any, write: Any = write) -> None:
                if committed or not left:
                    write(*arguments)
                if left:
                    raise RuntimeError(left.pop())

            patch.setattr(target, method, fail)
        yield


def put(target: TargetTable, rows: DataFrame) -> Version:
    """Publish rows of a run, or a dataset where they are of none."""
    if "run_id" in rows.columns:
        return publish(target, "a", rows)
    return publish_dataset(target, "a", rows)


ROWS: list[Callable[[SparkSession], DataFrame]] = [
    lambda spark: suspects(spark, "a", 3),
    lambda spark: spark.range(3),
]
KINDS = pytest.mark.parametrize(
    "rows", [pytest.param(ROWS[0], marks=FULL), ROWS[1]], ids=["accumulating", "dataset"]
)


@KINDS
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(UNKNOWN, id="unknown"),
        pytest.param(CONFLICT, marks=FULL, id="conflict"),
        pytest.param(REFUSED, marks=FULL, id="refused"),
    ],
)
def test_publish_failed_behind_its_commit_is_published_once(
    spark: SparkSession, target: TargetTable, rows: Callable[..., DataFrame], text: str
) -> None:
    with failing(target, text, committed=True):
        version = put(target, rows(spark))
    assert version == target.current()
    assert [v.run_id for v in target.versions()].count("a") == 1
    assert target.frame(spark).count() == 3


@KINDS
def test_publish_of_unknown_outcome_and_no_commit_is_exit_6_and_can_be_repeated(
    spark: SparkSession, target: TargetTable, rows: Callable[..., DataFrame]
) -> None:
    with (
        failing(target, UNKNOWN, committed=False),
        pytest.raises(CommitStateUnknownError, match="run 'a' was committed is unknown"),
    ):
        put(target, rows(spark))
    assert CommitStateUnknownError.exit_code == 6
    assert target.find_run("a") is None
    put(target, rows(spark))
    assert target.frame(spark).count() == 3


@FULL
@KINDS
def test_publish_refused_without_a_commit_says_what_the_engine_said(
    spark: SparkSession, target: TargetTable, rows: Callable[..., DataFrame]
) -> None:
    with failing(target, REFUSED, committed=False), pytest.raises(RuntimeError, match="disk is"):
        put(target, rows(spark))
    assert target.find_run("a") is None


@FULL
@KINDS
def test_publish_failed_and_table_not_to_be_read_is_unknown(
    spark: SparkSession,
    target: TargetTable,
    rows: Callable[..., DataFrame],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(target, rows(spark))
    found, looks = target.find_run, iter([None])

    def lost(run_id: str) -> Version | None:
        if next(looks, "lost") == "lost":
            raise ConnectionError("the catalog is gone")
        return found(run_id)

    monkeypatch.setattr(target, "find_run", lost)
    other = suspects(spark, "b", 3) if "run_id" in rows(spark).columns else spark.range(3)
    with (
        failing(target, REFUSED, committed=True),
        pytest.raises(CommitStateUnknownError, match="UncheckedSQLException"),
    ):
        publish(
            target,
            "b",
            other,
            accumulate="run_id" in other.columns,
            parent=target.current().number,
        )


@FULL
def test_publish_same_run_id_elsewhere_with_another_input_is_refused(
    spark: SparkSession, target: TargetTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = target._put_run

    def beaten(rows: DataFrame, run: str, properties: dict[str, str]) -> None:
        write(rows, run, properties | {"input": "delta-8"})
        raise RuntimeError(CONFLICT)

    monkeypatch.setattr(target, "_put_run", beaten)
    with pytest.raises(VersionExistsError, match="delta-8"):
        publish(target, "a", suspects(spark, "a", 3))


@FULL
def test_publish_conflict_of_another_run_stays_a_conflict(
    spark: SparkSession, target: TargetTable
) -> None:
    first = publish_dataset(target, "a", spark.range(3))
    with failing(target, CONFLICT, committed=False), pytest.raises(PublishConflictError):
        publish_dataset(target, "b", spark.range(4), first.number)
    assert target.frame(spark).count() == 3


@FULL
def test_publish_while_the_catalog_is_locked_fails_and_can_be_repeated(
    spark: SparkSession, tmp_path: Path
) -> None:
    name = f"lake.o{uuid.uuid4().hex[:8]}.out"
    target = open_target(name, "iceberg", spark=spark, work=tmp_path / "work")
    first = publish_dataset(target, "a", spark.range(3))
    database = spark.conf.get("spark.sql.catalog.lake.uri").removeprefix("jdbc:sqlite:")
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # reading goes on
        with pytest.raises(Exception, match=r"SQLITE_BUSY|UncheckedSQLException"):
            publish_dataset(target, "b", spark.range(4), first.number)
        assert target.current() == first
        other.execute("ROLLBACK")
    publish_dataset(target, "b", spark.range(4), first.number)
    assert target.frame(spark).count() == 4


@FULL
@pytest.mark.parametrize("kind", ["delta", "iceberg"])
def test_audit_of_unknown_outcome_exits_6_and_is_completed_by_a_repetition(
    undisturbed: Callable[[str], Undisturbed],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    once = undisturbed(kind)
    place = once.place.elsewhere("unknown")
    with monkeypatch.context() as patch:

        def lost(*_: Any) -> None:
            raise RuntimeError(UNKNOWN)

        patch.setattr(type(place.target("cleaned")), "_replace", lost)
        assert place.audit(*QUARANTINE) == 6
    assert "was committed is unknown" in capsys.readouterr().err
    assert place.audit(*QUARANTINE) == 0
    assert {name: place.answer(name) for name in once.answers} == once.answers


@pytest.mark.parametrize(
    ("text", "unknown", "conflict"),
    [
        (UNKNOWN, True, False),
        (f"{UNKNOWN}\nCaused by: {CONFLICT}", True, False),
        (CONFLICT, False, True),
        (REFUSED, False, False),
        ("org.postgresql.util.PSQLException: This connection has been closed.", True, False),
        ("java.net.SocketException: Connection reset", True, False),
        ("io.grpc.StatusRuntimeException: UNAVAILABLE: io exception", True, False),
        ("Job aborted due to stage failure: SocketException: Connection reset", False, False),
        ("[DELTA_CONCURRENT_APPEND.WITHOUT_HINT] files were added", False, True),
    ],
)
def test_errors_of_commits_are_told_apart(text: str, unknown: bool, conflict: bool) -> None:
    error = RuntimeError(text)
    assert (is_state_unknown(error), is_conflict(error)) == (unknown, conflict)


@KINDS
def test_publish_first_version_of_a_table_that_another_makes_meanwhile(
    spark: SparkSession, tmp_path: Path, rows: Callable[..., DataFrame]
) -> None:
    target = open_target(f"{tmp_path}/out", "delta", spark=spark, work=tmp_path / "work")
    save, left = target._save, ["DELTA_PROTOCOL_CHANGED: the protocol version was changed"]

    def beaten(writer: Any) -> None:
        save(writer)
        if left:
            raise RuntimeError(left.pop())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(target, "_save", beaten)
        assert put(target, rows(spark)).run_id == "a"
    assert target.frame(spark).count() == 3
