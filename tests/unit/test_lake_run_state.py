"""What an unfinished run leaves behind for its repetition: the pin it was begun on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sparkclean.errors import VersionExistsError
from sparkclean.lake import DataFile, Pin
from sparkclean.lake.run_state import RunState, forget_run, remember_run

RUN_ID = "scheduled__2026-11-01T00:00:00+00:00"
PIN = Pin(
    format="parquet",
    table="/data/in",
    version=None,
    dataset_version="files-0123456789ab",
    root="/data/in",
    rows=3,
    size_bytes=100,
    files=(DataFile("/data/in/ü.parquet", 100, 1_700_000_000_123_456_789, 3),),
    schema_groups=((0,),),
)
STATE = RunState(RUN_ID, "fingerprint", "data/in", PIN)


def test_run_state_of_a_new_run_is_none(tmp_path: Path) -> None:
    assert RunState.load(str(tmp_path), RUN_ID) is None
    assert list(tmp_path.iterdir()) == []


def test_run_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    remember_run(str(tmp_path / "runs"), STATE)
    assert RunState.load(str(tmp_path / "runs"), RUN_ID) == STATE


def test_run_state_belongs_to_one_run_id(tmp_path: Path) -> None:
    remember_run(str(tmp_path), STATE)
    assert RunState.load(str(tmp_path), "another") is None


def test_run_state_remembered_again_stays(tmp_path: Path) -> None:
    remember_run(str(tmp_path), STATE)
    remember_run(str(tmp_path), STATE)
    assert RunState.load(str(tmp_path), RUN_ID) == STATE


@pytest.mark.parametrize(
    "other",
    [
        replace(STATE, config_fingerprint="other"),
        replace(STATE, pin=replace(PIN, rows=4)),
        replace(STATE, pin=replace(PIN, files=(replace(PIN.files[0], modified_ns=5),))),
    ],
    ids=["fingerprint", "rows", "file"],
)
def test_run_state_of_another_run_of_that_name_is_refused(tmp_path: Path, other: RunState) -> None:
    remember_run(str(tmp_path), STATE)
    with pytest.raises(VersionExistsError, match="use a run id of its own for each run"):
        remember_run(str(tmp_path), other)
    assert RunState.load(str(tmp_path), RUN_ID) == STATE


def test_run_state_forgotten_is_gone(tmp_path: Path) -> None:
    remember_run(str(tmp_path), STATE)
    forget_run(str(tmp_path), RUN_ID)
    forget_run(str(tmp_path), RUN_ID)
    assert RunState.load(str(tmp_path), RUN_ID) is None


@pytest.mark.parametrize(
    ("now", "word"),
    [
        (("other", "data/in", None), "other"),
        (("fingerprint", "data/in", "branch:b"), "at branch:b"),
    ],
)
def test_run_state_of_another_configuration_is_not_resumed(
    now: tuple[str, str, str | None], word: str
) -> None:
    STATE.check_same("fingerprint", "data/in", None)
    with pytest.raises(VersionExistsError, match=word):
        STATE.check_same(*now)
