from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from sparkclean.errors import ConfigError, InputError
from sparkclean.faults import InjectedFault
from sparkclean.lake import ParquetTarget
from sparkclean.lake.parquet import custody
from sparkclean.lake.parquet.manifest import Manifest
from sparkclean.lake.parquet.owner import Owner
from tests.lake.helpers import in_child, new_target, publish, rows_of, stage


def _datasets(target: ParquetTarget, names: str) -> None:
    for number, name in enumerate(names):
        publish(target, name, accumulate=False, parent=number or None)


def _files_there(target: ParquetTarget) -> bool:
    return all(
        (target.root / file.path).is_file()
        for version in target.versions()
        for file in target.manifest(version.number).files
    )


def _own_elsewhere(folder: Path, created_at: str) -> None:
    owner = json.loads((folder / "_owner.json").read_text())
    owner |= {"host": "elsewhere", "created_at": created_at}
    (folder / "_owner.json").write_text(json.dumps(owner))


def test_clean_up_fresh_target_removes_nothing(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    _datasets(target, "abc")
    done = target.clean_up()
    assert (done.paths, done.versions, done.size_bytes) == ((), (), 0)
    assert len(target.versions()) == 3


def test_clean_up_living_staging_stays_dead_goes(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    mine = stage(target, "mine")
    code = "stage(open_target(sys.argv[1]), 'dead')"
    child = in_child(code, target.location)
    assert child.wait(60) == 0, child.stderr.read()
    planned = target.clean_up(dry_run=True)
    assert [Path(path).name for path in planned.paths] == ["dead-1"]
    assert planned.size_bytes > 0
    assert (target.root / "_staging" / "dead-1").is_dir()
    assert target.clean_up() == planned
    assert [path.name for path in (target.root / "_staging").iterdir()] == ["mine-1"]
    assert mine.count_rows() == 2


def test_clean_up_other_host_only_past_the_limit(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    publish(target, "a")
    _own_elsewhere(Path(stage(target, "new").path), Owner("t").created_at)
    _own_elsewhere(Path(stage(target, "old").path), "2026-01-01T00:00:00+00:00")
    assert [Path(path).name for path in target.clean_up().paths] == ["old-1"]
    time.sleep(0.01)
    assert [Path(path).name for path in target.clean_up(older_than_seconds=0).paths] == ["new-1"]
    assert len(target.versions()) == 1


def test_owner_pid_given_again_counts_as_dead() -> None:
    me = Owner("t")
    assert me.is_alive()
    assert me.is_publishing() is False
    with me:
        assert me.is_publishing()
    assert Owner("t", process_started="1").is_alive() is False
    assert Owner("t", boot="another").is_alive() is False
    assert Owner("t", host="elsewhere").is_alive() is None
    assert Owner("t", pid_namespace="pid:[1]").is_alive() is None


def test_clean_up_keep_retires_old_versions_with_their_files(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    _datasets(target, "abcd")
    planned = target.clean_up(keep=2, dry_run=True)
    assert planned.versions == ("v00000001", "v00000002")
    assert len(target.versions()) == 4
    done = target.clean_up(keep=2)
    assert done.versions == planned.versions
    assert [v.number for v in target.versions()] == [3, 4]
    assert rows_of(target) == {"d": 2}
    assert rows_of(target, 3) == {"c": 2}
    with pytest.raises(InputError, match="has retired version 1"):
        target.manifest(1)
    target.clean_up(keep=2)
    assert {path.name for path in (target.root / "data").iterdir()} == {"c", "d"}


@pytest.mark.parametrize("keep", [2, 3, 4, 9])
def test_clean_up_keeping_as_many_as_there_are_or_more_retires_none(
    tmp_path: Path, keep: int
) -> None:
    target = new_target(tmp_path)
    _datasets(target, "ab")
    assert target.clean_up(keep=keep).versions == ()
    assert len(target.versions()) == 2


def test_clean_up_accumulating_keeps_files_of_retired_versions_that_are_named(
    tmp_path: Path,
) -> None:
    target = new_target(tmp_path)
    for name in "abc":
        publish(target, name)
    target.clean_up(keep=1)
    assert [v.number for v in target.versions()] == [3]
    assert rows_of(target) == {"a": 2, "b": 2, "c": 2}
    assert target.find_run("a").number == 3
    assert publish(target, "a").number == 3


def test_clean_up_after_revert_keeps_what_current_names(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    _datasets(target, "abc")
    target.revert(1)
    target.clean_up(keep=1)
    assert rows_of(target) == {"a": 2}
    assert {path.name for path in (target.root / "data").iterdir()} == {"a"}
    # the run whose version is retired publishes anew
    assert publish(target, "b", accumulate=False, parent=4).number == 5


def test_clean_up_age_retires_only_what_is_older_and_never_the_current(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    _datasets(target, "abc")
    assert target.clean_up(older_than_seconds=3600).versions == ()
    path = target.root / "_manifests" / "v00000001.json"
    content = json.loads(path.read_text()) | {"created_at": "2026-01-01T00:00:00+00:00"}
    path.write_text(json.dumps(content))
    assert target.clean_up(older_than_seconds=3600, keep=3).versions == ()
    assert target.clean_up(older_than_seconds=3600).versions == ("v00000001",)
    time.sleep(1.1)
    assert target.clean_up(older_than_seconds=0).versions == ("v00000002",)
    assert rows_of(target) == {"c": 2}


@pytest.mark.parametrize("arguments", [{"keep": 0}, {"older_than_seconds": -1.0}])
def test_clean_up_senseless_limits_are_refused(tmp_path: Path, arguments: dict[str, float]) -> None:
    target = new_target(tmp_path)
    publish(target, "a")
    with pytest.raises(ConfigError):
        target.clean_up(**arguments)
    with pytest.raises(InputError):
        ParquetTarget(str(tmp_path / "none")).clean_up()


def test_retired_number_is_never_free_again(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    _datasets(target, "ab")
    stale: Manifest = target.manifest(2)
    publish(target, "c", accumulate=False, parent=2)
    target.clean_up(keep=1)
    # a writer that has slept since version 1 was current
    assert target._log.commit(stale) is False
    assert target.current().number == 3


def test_clean_up_folder_without_receipt_is_not_ours(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    publish(target, "a")
    (target.root / "data" / "theirs").mkdir()
    (target.root / "data" / "theirs" / "x.parquet").touch()
    target.clean_up(older_than_seconds=0, keep=1)
    assert (target.root / "data" / "theirs" / "x.parquet").exists()


def test_clean_up_orphan_of_finished_publication_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = new_target(tmp_path)
    publish(target, "a")
    with monkeypatch.context() as patch:
        patch.setenv("SPARKCLEAN_FAULT", "target.renamed:raise")
        with pytest.raises(InjectedFault):
            publish(target, "b")
    assert str(target.root / "data" / "b") in target.clean_up().paths
    assert {path.name for path in (target.root / "data").iterdir()} == {"a"}


def test_withdraw_folder_taken_over_meanwhile_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = new_target(tmp_path)
    with monkeypatch.context() as patch:
        patch.setenv("SPARKCLEAN_FAULT", "target.renamed:raise")
        with pytest.raises(InjectedFault):
            publish(target, "a")
    place = target.root / "data" / "a"
    seen = Owner.read(place / "_owner.json")
    # between the look and the rename another attempt adopts it
    Owner("other").write(place / "_owner.json")
    assert custody.withdraw(target._log, place, seen) is False
    assert place.is_dir()
    assert custody.withdraw(target._log, place, Owner.read(place / "_owner.json"))
    assert not place.exists()


def test_clean_up_puts_back_what_a_killed_withdrawal_took(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    publish(target, "a")
    (target.root / "data" / "a").rename(target.root / "_staging" / ".withdrawn-a-17")
    target.clean_up(older_than_seconds=0, keep=1)
    assert rows_of(target) == {"a": 2}


@pytest.mark.parametrize("point", ["clean_up.retired", "clean_up.withdrawn", "clean_up.removed"])
def test_clean_up_killed_at_each_step_readers_go_on_and_it_can_be_repeated(
    tmp_path: Path, point: str
) -> None:
    target = new_target(tmp_path)
    _datasets(target, "abc")
    child = in_child(
        "open_target(sys.argv[1]).clean_up(keep=1)", target.location, fault=f"{point}:kill"
    )
    assert child.wait(60) == -signal.SIGKILL
    assert rows_of(target) == {"c": 2}
    assert _files_there(target)
    target.clean_up(keep=1)
    assert {path.name for path in (target.root / "data").iterdir()} == {"c"}
    assert list((target.root / "_staging").iterdir()) == []


def test_clean_up_beside_publishers_never_breaks_a_version(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    publish(target, "first")
    code = """
        target = open_target(sys.argv[1])
        for n in range(15):
            publish(target, f"{sys.argv[2]}{n}")
    """
    children = [in_child(code, target.location, name) for name in "ab"]
    stop = threading.Event()
    failures: list[Exception] = []

    def clean() -> None:
        while not stop.is_set():
            try:
                target.clean_up(keep=2, older_than_seconds=0)
                rows_of(target)
            except Exception as exc:  # noqa: BLE001 (shown by the test)
                failures.append(exc)
                return

    thread = threading.Thread(target=clean)
    thread.start()
    codes = [child.wait(120) for child in children]
    stop.set()
    thread.join()
    assert codes == [0, 0], [child.stderr.read() for child in children]
    assert failures == []
    assert len(rows_of(target)) == 31


def test_clean_up_old_temporary_manifests_go(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    publish(target, "a")
    left = target.root / "_manifests" / ".v00000002.json.0123abcd"
    left.touch()
    assert target.clean_up().paths == ()
    os.utime(left, (0, 0))
    assert target.clean_up().paths == (str(left),)
    assert target.current().number == 1
