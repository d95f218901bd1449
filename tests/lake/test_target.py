from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pyarrow as pa
import pytest

from sparkclean.errors import (
    CommitStateUnknownError,
    ConfigError,
    InputError,
    PublishConflictError,
    SparkCleanError,
    UnsupportedFeatureError,
    VersionExistsError,
)
from sparkclean.lake import ANY, open_target, translate_write_error
from sparkclean.lake import files as lake_files
from sparkclean.lake.parquet.runs import runs_that_count
from tests.lake.helpers import (
    IDENTITY,
    SCHEMA,
    in_child,
    new_target,
    publish,
    publish_record,
    rows_of,
    stage,
)


def test_publish_first_version_is_one_and_readable_by_folder(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    assert target.current() is None
    version = publish(target, "a:1", rows=3)
    assert (version.number, version.name, version.parent) == (1, "v00000001", None)
    assert (version.rows, version.files, version.run_ids) == (3, 1, ("a_x3a1",))
    assert version.properties["original_run_id"] == "a:1"
    assert target.current() == version
    assert rows_of(target) == {"a:1": 3}
    names = {p.name for p in (target.root / "data" / "a_x3a1").iterdir()}
    assert names == {"part-00000.parquet", "_receipt.json"}
    assert list((target.root / "_staging").iterdir()) == []


def test_publish_accumulating_adds_to_parent(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    publish(target, "a")
    version = publish(target, "b", rows=3)
    assert version.run_ids == ("a", "b")
    assert rows_of(target) == {"a": 2, "b": 3}
    assert rows_of(target, 1) == {"a": 2}
    assert [v.rows for v in target.versions()] == [2, 5]


def test_publish_same_run_again_returns_its_version(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    first = publish(target, "a")
    publish(target, "b")
    assert publish(target, "a", rows=7) == first
    assert len(target.versions()) == 2
    assert list((target.root / "_staging").iterdir()) == []


def test_publish_run_without_rows_is_remembered(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    publish(target, "a")
    version = publish(target, "empty", rows=0)
    assert version.run_ids == ("a", "empty")
    assert target.find_run("empty") == version


@pytest.mark.parametrize("key", ["config_fingerprint", "input"])
def test_publish_same_run_other_identity_is_refused(tmp_path: Path, key: str) -> None:
    target = new_target(tmp_path)
    publish(target, "a")
    with pytest.raises(VersionExistsError, match=key):
        publish(target, "a", properties=IDENTITY | {key: "other"})
    assert len(target.versions()) == 1


def test_publish_replacing_run_may_have_another_identity(tmp_path: Path) -> None:
    # the record of a run that failed its gate binds nobody
    target = new_target(tmp_path)
    publish(target, "a", rows=2)
    publish(target, "a", rows=3, properties=IDENTITY | {"input": "other"}, replace_run=True)
    assert rows_of(target) == {"a": 3}


def test_publish_dataset_from_old_parent_conflicts_and_leaves_nothing(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    publish(target, "winner", accumulate=False)
    with pytest.raises(PublishConflictError, match=r"v00000001.*'winner'"):
        publish(target, "loser", accumulate=False, parent=None)
    assert rows_of(target) == {"winner": 2}
    assert not (target.root / "data" / "loser").exists()
    assert publish(target, "loser", accumulate=False, parent=1).number == 2
    assert rows_of(target) == {"loser": 2}


def test_publish_dataset_overtaken_in_last_moment_moves_data_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sparkclean.lake.parquet import publishing

    target = new_target(tmp_path)
    staging = stage(target, "loser")
    settle = publishing._settle

    def overtake(*arguments):
        result = settle(*arguments)
        monkeypatch.setattr(publishing, "_settle", settle)
        publish(target, "winner", accumulate=False)
        return result

    monkeypatch.setattr(publishing, "_settle", overtake)
    with pytest.raises(PublishConflictError, match="winner"):
        target.publish(
            staging, expected_parent=None, accumulate=False, properties=IDENTITY, schema=SCHEMA
        )
    assert rows_of(target) == {"winner": 2}
    assert not (target.root / "data" / "loser").exists()
    assert staging.count_rows() == 2


def test_publish_any_parent_takes_whatever_is_current(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    publish(target, "a", accumulate=False)
    version = target.publish(
        stage(target, "b"),
        expected_parent=ANY,
        accumulate=False,
        properties=IDENTITY,
        schema=SCHEMA,
    )
    assert (version.number, version.parent) == (2, 1)


def test_publish_replacing_never_touches_what_is_current(tmp_path: Path) -> None:
    target = open_target(str(tmp_path / "runs"))
    before: set[str] = set()
    for status in ("gate_failed", "gate_failed", "published"):
        version = publish_record(target, "a:1", status)
        paths = {file.path for file in target.manifest().files}
        assert len(paths) == 1
        assert not paths & before
        before |= paths
        # files of every version are still there: readers of the one before go on
        assert all((target.root / path).is_file() for path in before)
        assert version.files == 1
    assert target.run_status("audit", "a:1") == "published"
    assert set(runs_that_count(target.root, "audit") or ()) == {"a_x3a1"}


def test_publish_accumulating_widens_numbers_and_refuses_others(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    publish(target, "a")

    def other(run_id: str, kind: str) -> None:
        schema = json.loads(SCHEMA)
        schema["fields"][0]["type"] = kind
        schema["fields"].append(
            {"name": "more", "type": "string", "nullable": True, "metadata": {}}
        )
        staging = target.stage(run_id)
        staging.write_arrow(pa.table({"run": [run_id]}))
        target.publish(
            staging,
            expected_parent=None,
            accumulate=True,
            properties=IDENTITY,
            schema=json.dumps(schema),
        )

    other("b", "integer")
    types = {f["name"]: f["type"] for f in json.loads(target.manifest().schema)["fields"]}
    assert types == {"id": "long", "run": "string", "more": "string"}
    with pytest.raises(InputError, match=r"'id' is bigint.*string"):
        other("c", "string")
    assert target.current().number == 2


def test_publish_nothing_written_says_where_spark_may_have_written(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    staging = target.stage("a")
    with pytest.raises(SparkCleanError, match="disks of their own"):
        target.publish(staging, expected_parent=None, accumulate=True, properties={}, schema=SCHEMA)


def test_publish_unfinished_job_is_refused(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    staging = stage(target, "a")
    Path(staging.data_path, "_temporary").mkdir()
    with pytest.raises(SparkCleanError, match="not complete"):
        target.publish(staging, expected_parent=None, accumulate=True, properties={}, schema=SCHEMA)


def test_publish_two_processes_twenty_runs_each_keeps_all(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    code = """
        target = open_target(sys.argv[1])
        for n in range(10):
            publish(target, f"{sys.argv[2]}-{n}")
    """
    children = [in_child(code, target.location, name) for name in "abc"]
    for child in children:
        assert child.wait(120) == 0, child.stderr.read()
    versions = target.versions()
    assert [v.number for v in versions] == list(range(1, 31))
    assert [v.parent for v in versions] == [None, *range(1, 30)]
    assert rows_of(target) == {f"{name}-{n}": 2 for name in "abc" for n in range(10)}


def test_publish_same_run_from_three_processes_counts_once(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    code = "print(publish(open_target(sys.argv[1]), 'same').number)"
    children = [in_child(code, target.location) for _ in range(3)]
    outcomes = [child.communicate(timeout=120) for child in children]
    assert [out.strip() for out, _ in outcomes] == ["1"] * 3, outcomes
    assert rows_of(target) == {"same": 2}
    assert len(target.versions()) == 1


def test_publish_datasets_from_one_parent_one_wins(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    code = """
        from sparkclean.errors import PublishConflictError
        try:
            publish(open_target(sys.argv[1]), sys.argv[2], accumulate=False)
        except PublishConflictError:
            sys.exit(5)
    """
    children = [in_child(code, target.location, name) for name in "abc"]
    assert sorted(child.wait(120) for child in children) == [0, 5, 5]
    winner = target.current().run_id
    assert rows_of(target) == {winner: 2}
    assert [path.name for path in (target.root / "data").iterdir()] == [winner]


def test_find_run_reverted_away_is_still_found(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    first = publish(target, "a", accumulate=False)
    second = publish(target, "b", accumulate=False, parent=1)
    target.revert(1)
    assert target.find_run("b") == second
    assert target.find_run("a") == first
    assert target.find_run("c") is None
    assert publish(target, "b", accumulate=False, parent=1) == second
    assert target.current().number == 3


def test_revert_publishes_old_files_and_deletes_nothing(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    publish(target, "a", accumulate=False)
    publish(target, "b", accumulate=False, parent=1)
    version = target.revert(1)
    assert (version.number, version.parent, version.operation) == (3, 2, "revert")
    assert version.properties["reverted_to"] == "v00000001"
    assert rows_of(target) == {"a": 2}
    assert rows_of(target, 2) == {"b": 2}
    assert target.revert(3) == target.current()
    with pytest.raises(InputError, match=r"no version 9.*v00000003"):
        target.revert(9)


def test_revert_files_gone_is_refused(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    publish(target, "a", accumulate=False)
    publish(target, "b", accumulate=False, parent=1)
    (target.root / "data" / "a" / "part-00000.parquet").unlink()
    with pytest.raises(InputError, match=r"data/a/part-00000.parquet \(gone\)"):
        target.revert(1)
    assert target.current().number == 2


@pytest.mark.parametrize("text", [2, "2", "v2", "v00000002"])
def test_manifest_version_is_found_by_number_and_name(tmp_path: Path, text: str | int) -> None:
    target = new_target(tmp_path)
    publish(target, "a")
    publish(target, "b")
    assert target.manifest(text).number == 2
    for wrong in ("x", "v", "", "²"):
        with pytest.raises(InputError):
            target.manifest(wrong)


def test_manifest_of_other_format_is_refused(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    publish(target, "a")
    path = target.root / "_manifests" / "v00000002.json"
    path.write_text('{"manifest_format": 99}')
    with pytest.raises(UnsupportedFeatureError, match="another version of sparkclean"):
        target.current()
    path.write_text("{")
    with pytest.raises(SparkCleanError, match="v00000002"):
        target.current()


def test_stage_attempts_count_up(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    names = [Path(target.stage("a-1").path).name for _ in range(3)]
    assert names == ["a-1-1", "a-1-2", "a-1-3"]
    staging = stage(target, "b", rows=5)
    assert staging.count_rows() == 5
    staging.discard()
    assert not Path(staging.path).exists()


def test_stage_into_folder_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "part-0.parquet").touch()
    with pytest.raises(InputError, match=r"other files \(part-0.parquet\)"):
        open_target(str(tmp_path)).stage("a")
    with pytest.raises(InputError):
        open_target(str(tmp_path)).check_writable()
    assert [path.name for path in tmp_path.iterdir()] == ["part-0.parquet"]


@pytest.mark.parametrize("below", ["", "/deeper/still"])
def test_stage_where_a_file_is_in_the_way_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    target = open_target(f"{tmp_path}/file{below}")
    for attempt in (target.check_writable, lambda: target.stage("a")):
        with pytest.raises(InputError, match="is a file"):
            attempt()


@pytest.mark.parametrize("location", ["s3://b/t", "hdfs://n/t", "abfss://c@a/t", "dbfs:/t"])
def test_open_target_elsewhere_says_not_yet(location: str) -> None:
    with pytest.raises(UnsupportedFeatureError, match="not supported yet"):
        open_target(location, "parquet")


def test_open_target_other_format_says_which() -> None:
    with pytest.raises(UnsupportedFeatureError, match="only be looked at with a Spark session"):
        open_target("x", "delta")
    with pytest.raises(ConfigError, match="csv"):
        open_target("x", "csv")


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.ENOSPC, SparkCleanError, "no space left"),
        (errno.EDQUOT, SparkCleanError, "no space left"),
        (errno.EACCES, InputError, "is not writable"),
        (errno.EROFS, InputError, "is not writable"),
        (errno.EIO, SparkCleanError, "Input/output error"),
    ],
)
def test_publish_failing_disk_is_explained_and_nothing_is_current(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    kind: type[SparkCleanError],
    words: str,
) -> None:
    target = new_target(tmp_path)
    publish(target, "a")
    staging = stage(target, "b")

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", fail)
        with pytest.raises(SparkCleanError, match=words) as caught:
            target.publish(
                staging, expected_parent=None, accumulate=True, properties=IDENTITY, schema=SCHEMA
            )
    assert caught.type is kind
    assert str(target.root) in str(caught.value)
    assert target.current().number == 1
    # the same run again completes, on what the first attempt has left
    assert publish(target, "b").number == 2
    assert rows_of(target) == {"a": 2, "b": 2}


def test_publish_without_hard_links_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", fail)
    with pytest.raises(UnsupportedFeatureError, match="hard links"):
        publish(new_target(tmp_path), "a")


def test_put_if_absent_reply_lost_recognises_own_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def link_twice(source: Path, goal: Path) -> None:
        real(source, goal)
        real(source, goal)

    monkeypatch.setattr(os, "link", link_twice)
    assert lake_files.put_if_absent(tmp_path / "f", "mine")
    monkeypatch.setattr(os, "link", real)
    assert not lake_files.put_if_absent(tmp_path / "f", "other")
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_text() == "mine"


def test_put_if_absent_unconfirmed_state_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(lake_files, "sync", fail)
    with pytest.raises(CommitStateUnknownError, match="look whether"):
        lake_files.put_if_absent(tmp_path / "f", "mine")


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("... java.io.IOException: No space left on device\n at ...", SparkCleanError, "no space"),
        ("java.nio.file.AccessDeniedException: x: Permission denied", InputError, "may not"),
        ("java.io.IOException: Mkdirs failed to create file:/x/_temporary", InputError, "folder"),
    ],
)
def test_translate_write_error_engine_text_is_recognised(
    text: str, kind: type[SparkCleanError], words: str
) -> None:
    translated = translate_write_error(RuntimeError(text), "/out/x")
    assert type(translated) is kind
    assert "/out/x" in str(translated)
    assert words in str(translated)


def test_translate_write_error_unknown_stays() -> None:
    exc = RuntimeError("division by zero")
    assert translate_write_error(exc, "/out/x") is exc
    ours = InputError("x")
    assert translate_write_error(ours, "/out/x") is ours


def test_head_gives_lowest_ranks_of_newest_run(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    staging = target.stage("a")
    staging.write_arrow(pa.table({"id": [5, 6, 7], "rank": [3, 1, 5]}))
    staging.write_arrow(pa.table({"id": [8, 9], "rank": [2, 4]}))
    schema = {
        "type": "struct",
        "fields": [
            {"name": name, "type": "long", "nullable": True, "metadata": {}}
            for name in ("id", "rank")
        ],
    }
    target.publish(
        staging, expected_parent=None, accumulate=True, properties={}, schema=json.dumps(schema)
    )
    assert target.head(3)["id"].to_pylist() == [6, 8, 5]
    plain = open_target(str(tmp_path / "plain"))
    publish(plain, "a", rows=10)
    assert plain.head(4)["id"].to_pylist() == [0, 1, 2, 3]
    assert plain.head(40).num_rows == 10
