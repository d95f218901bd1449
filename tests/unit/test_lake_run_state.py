"""What an unfinished run leaves behind for its repetition: the pin it was begun on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sparkclean.errors import VersionExistsError
from sparkclean.lake import DataFile, Pin, safe_run_id
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
STATE = RunState("audit", RUN_ID, "fingerprint", "data/in", None, {"input": PIN})


def test_run_state_of_a_new_run_is_none(tmp_path: Path) -> None:
    assert RunState.load(str(tmp_path), "audit", RUN_ID) is None
    assert list(tmp_path.iterdir()) == []


def test_run_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    remember_run(str(tmp_path / "runs"), STATE)
    assert RunState.load(str(tmp_path / "runs"), "audit", RUN_ID) == STATE


def test_run_state_belongs_to_one_run_id(tmp_path: Path) -> None:
    remember_run(str(tmp_path), STATE)
    assert RunState.load(str(tmp_path), "audit", "another") is None
    assert RunState.load(str(tmp_path), "predict", RUN_ID) is None


def test_run_states_of_jobs_with_one_run_id_stand_side_by_side(tmp_path: Path) -> None:
    home = str(tmp_path)
    more = {"input": PIN, "test": replace(PIN, rows=9)}
    training = replace(STATE, job="train", pins=more, notes={"audit": "a:1"})
    remember_run(home, STATE)
    remember_run(home, training)
    assert RunState.load(home, "train", RUN_ID) == training
    forget_run(home, "audit", RUN_ID)
    assert RunState.load(home, "audit", RUN_ID) is None
    assert RunState.load(home, "train", RUN_ID) == training


def leave_state_of_before(home: Path, run_id: str, **more: object) -> Path:
    """Write a state as it was before runs were keyed by their job."""
    pin = json.loads(PIN.to_json())
    content = {"run_id": run_id, "config_fingerprint": "old", "table": "data/in", "pin": pin}
    path = home / "_pins" / f"{safe_run_id(run_id)}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content | {"version": None} | more))
    return path


@pytest.mark.parametrize(
    ("more", "jobs"),
    [({}, {"audit", "predict"}), ({"predictions": PIN}, {"audit"}), ({"audit": "a"}, {"train"})],
    ids=["plain", "predictions", "audit"],
)
def test_run_state_of_before_is_a_candidate_of_jobs_that_may_have_left_it(
    tmp_path: Path, more: dict[str, Pin | str], jobs: set[str]
) -> None:
    texts = {k: json.loads(v.to_json()) if isinstance(v, Pin) else v for k, v in more.items()}
    leave_state_of_before(tmp_path, RUN_ID, **texts)
    for job in ("audit", "predict", "train", "report"):
        state = RunState.load(str(tmp_path), job, RUN_ID)
        assert (state is not None) == (job in jobs)
        if state is not None:
            assert state.is_of_before
            assert (state.job, state.config_fingerprint) == (job, "old")
            assert state.pins == {"input": PIN} | {k: p for k, p in more.items() if p == PIN}
            assert state.notes == {k: v for k, v in more.items() if v == "a"}


@pytest.mark.parametrize("adopted", [True, False])
def test_run_state_of_before_goes_with_the_run_that_adopted_it(
    tmp_path: Path, adopted: bool
) -> None:
    path = leave_state_of_before(tmp_path, RUN_ID)
    remember_run(str(tmp_path), replace(STATE, has_adopted=adopted))
    state = RunState.load(str(tmp_path), "audit", RUN_ID)
    assert (state.is_of_before, state.has_adopted) == (False, adopted)
    assert RunState.load(str(tmp_path), "predict", RUN_ID).is_of_before
    forget_run(str(tmp_path), "audit", RUN_ID, adopted=state.has_adopted)
    assert path.exists() != adopted


def test_run_state_of_a_run_id_that_reads_like_a_shared_one_is_not_of_before(
    tmp_path: Path,
) -> None:
    remember_run(str(tmp_path), replace(STATE, run_id="a"))
    assert RunState.load(str(tmp_path), "predict", "a@audit") is None
    leave_state_of_before(tmp_path, "b@audit")
    assert RunState.load(str(tmp_path), "audit", "b") is None


def test_run_state_remembered_again_stays(tmp_path: Path) -> None:
    remember_run(str(tmp_path), STATE)
    remember_run(str(tmp_path), STATE)
    assert RunState.load(str(tmp_path), "audit", RUN_ID) == STATE


@pytest.mark.parametrize(
    "other",
    [
        replace(STATE, config_fingerprint="other"),
        replace(STATE, pins={"input": replace(PIN, rows=4)}),
        replace(STATE, pins={"input": replace(PIN, files=(replace(PIN.files[0], modified_ns=5),))}),
    ],
    ids=["fingerprint", "rows", "file"],
)
def test_run_state_of_another_run_of_that_name_is_refused(tmp_path: Path, other: RunState) -> None:
    remember_run(str(tmp_path), STATE)
    with pytest.raises(VersionExistsError, match="use a run id of its own for each run"):
        remember_run(str(tmp_path), other)
    assert RunState.load(str(tmp_path), "audit", RUN_ID) == STATE


def test_run_state_forgotten_is_gone(tmp_path: Path) -> None:
    remember_run(str(tmp_path), STATE)
    forget_run(str(tmp_path), "audit", RUN_ID)
    forget_run(str(tmp_path), "audit", RUN_ID)
    assert RunState.load(str(tmp_path), "audit", RUN_ID) is None


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
