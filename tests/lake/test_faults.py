from __future__ import annotations

import signal
from pathlib import Path

import pytest

from sparkclean.errors import PublishConflictError
from sparkclean.faults import InjectedFault, fault_point, fault_points
from sparkclean.lake import ParquetTarget, open_target
from tests.lake.helpers import IDENTITY, in_child, new_target, publish, rows_of

PUBLISHING = [name for name in fault_points() if name.startswith("target.")]
LINKED = ("target.manifest_linked", "target.finished")


def test_fault_point_unknown_name_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"target\.renmaed"):
        fault_point("target.renmaed")
    for wrong in ("nowhere:kill", "target.renamed", "target.renamed:explode"):
        monkeypatch.setenv("SPARKCLEAN_FAULT", wrong)
        with pytest.raises(ValueError, match="SPARKCLEAN_FAULT"):
            fault_point("target.renamed")


def test_fault_point_second_passage_only_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKCLEAN_FAULT", "target.renamed#2:raise")
    fault_point("target.renamed")
    fault_point("target.staged")
    with pytest.raises(InjectedFault):
        fault_point("target.renamed")


def _check_rerun(target: ParquetTarget, point: str, accumulate: bool) -> None:
    """Readers see the old version or the whole new one; the same run again completes it."""
    new = {"a": 2, "b": 3} if accumulate else {"b": 3}
    assert rows_of(target) == (new if point in LINKED else {"a": 2})
    version = publish(target, "b", rows=3, accumulate=accumulate, parent=1)
    assert version.number == 2
    assert rows_of(target) == new
    assert rows_of(target, 1) == {"a": 2}
    assert len(target.versions()) == 2


@pytest.mark.parametrize("accumulate", [True, False])
@pytest.mark.parametrize("point", PUBLISHING)
def test_publish_raised_at_each_step_is_completed_by_rerun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str, accumulate: bool
) -> None:
    target = new_target(tmp_path)
    publish(target, "a", accumulate=accumulate)
    with monkeypatch.context() as patch:
        patch.setenv("SPARKCLEAN_FAULT", f"{point}:raise")
        with pytest.raises(InjectedFault):
            publish(target, "b", rows=3, accumulate=accumulate, parent=1)
    _check_rerun(target, point, accumulate)


@pytest.mark.parametrize("point", PUBLISHING)
def test_publish_killed_at_each_step_is_completed_by_rerun(tmp_path: Path, point: str) -> None:
    target = new_target(tmp_path)
    publish(target, "a", accumulate=False)
    code = "publish(open_target(sys.argv[1]), 'b', rows=3, accumulate=False, parent=1)"
    child = in_child(code, target.location, fault=f"{point}:kill")
    assert child.wait(60) == -signal.SIGKILL
    _check_rerun(target, point, accumulate=False)
    target.clean_up(older_than_seconds=0, keep=2)
    left = [path.name for path in (target.root / "_staging").iterdir()]
    # without an owner it may be that of a process that begins in this moment
    assert left == (["b-1"] if point == "target.staged" else [])
    assert {path.name for path in (target.root / "data").iterdir()} == {"a", "b"}
    assert rows_of(target) == {"b": 3}
    assert rows_of(target, 1) == {"a": 2}


@pytest.mark.parametrize("point", PUBLISHING)
def test_publish_killed_then_cleaned_up_then_rerun_completes(tmp_path: Path, point: str) -> None:
    target = new_target(tmp_path)
    publish(target, "a")
    code = "publish(open_target(sys.argv[1]), 'b', rows=3)"
    child = in_child(code, target.location, fault=f"{point}:kill")
    assert child.wait(60) == -signal.SIGKILL
    target.clean_up()
    _check_rerun(target, point, accumulate=True)


@pytest.mark.parametrize("point", PUBLISHING)
def test_publish_record_replaced_and_killed_keeps_a_record(tmp_path: Path, point: str) -> None:
    target = open_target(str(tmp_path / "runs"))
    code = """
        target = open_target(sys.argv[1])
        publish_record(target, "r", "gate_failed")
        publish_record(target, "r", "published")
    """
    child = in_child(code, target.location, fault=f"{point}#2:kill")
    assert child.wait(60) == -signal.SIGKILL
    assert target.run_status("audit", "r") == ("published" if point in LINKED else "gate_failed")
    child = in_child("publish_record(open_target(sys.argv[1]), 'r', 'published')", target.location)
    assert child.wait(60) == 0, child.stderr.read()
    target.clean_up()
    assert target.run_status("audit", "r") == "published"
    assert target.current().files == 1


def test_publish_orphan_of_other_configuration_is_never_adopted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = new_target(tmp_path)
    with monkeypatch.context() as patch:
        patch.setenv("SPARKCLEAN_FAULT", "target.renamed:raise")
        with pytest.raises(InjectedFault):
            publish(target, "a", rows=1)
    publish(target, "a", rows=5, properties=IDENTITY | {"config_fingerprint": "f2"})
    assert rows_of(target) == {"a": 5}


def test_publish_orphan_with_same_identity_is_adopted_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = new_target(tmp_path)
    with monkeypatch.context() as patch:
        patch.setenv("SPARKCLEAN_FAULT", "target.renamed:raise")
        with pytest.raises(InjectedFault):
            publish(target, "a", rows=1)
    left = (target.root / "data" / "a" / "part-00000.parquet").stat().st_ino
    publish(target, "a", rows=1)
    assert (target.root / "data" / "a" / "part-00000.parquet").stat().st_ino == left
    assert rows_of(target) == {"a": 1}


def test_publish_orphan_that_is_damaged_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = new_target(tmp_path)
    with monkeypatch.context() as patch:
        patch.setenv("SPARKCLEAN_FAULT", "target.renamed:raise")
        with pytest.raises(InjectedFault):
            publish(target, "a")
    (target.root / "data" / "a" / "part-00000.parquet").write_bytes(b"PAR1")
    publish(target, "a")
    assert rows_of(target) == {"a": 2}


def test_publish_while_other_attempt_lives_is_a_conflict(tmp_path: Path) -> None:
    target = new_target(tmp_path)
    code = """
        import os, time
        from sparkclean import faults
        def wait(name):
            if name == "target.renamed":
                print("renamed", flush=True)
                sys.stdin.read()
        with faults.watched(wait):
            publish(open_target(sys.argv[1]), "a", properties={"config_fingerprint": "other"})
    """
    child = in_child(code, target.location)
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "renamed"
    with pytest.raises(PublishConflictError, match=f"process {child.pid}"):
        publish(target, "a")
    target.clean_up()
    assert (target.root / "data" / "a").is_dir()
    child.kill()
    child.wait()
    assert publish(target, "a").number == 1
    assert rows_of(target) == {"a": 2}
