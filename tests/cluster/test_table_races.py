"""Two audits in two processes that reach their commits at the same moment, on Delta and Iceberg."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkclean.faults import watched
from tests.cluster.commands import Meeting, command
from tests.tables import NAMES, QUARANTINE, ROWS, InPlace, Place, Undisturbed

pytestmark = pytest.mark.full
KINDS = pytest.mark.parametrize("kind", ["delta", "iceberg"])
#: They go on together from here.
STEPS = (
    "stage.cleaned.begin",
    "run.verified",
    "publish.suspects.begin",
    "publish.cleaned.begin",
)
FEW: dict[str, Any] = {"classes": None, "pairs": None, "rejected": None}
OTHER = "method.filter_by=predicted_neq_given"


def audit_beside(
    place: Place,
    guest: tuple[str, ...],
    host: tuple[str, ...],
    *settings: str,
    **outputs: Any,
) -> dict[str, int]:
    """Audit here and in another process, both of which meet at the steps; give the exit codes.

    Each is a run id and settings of its own; ``settings`` are those of both.
    """
    words = ["--properties-file", str(place.write_properties()), "--run-id", guest[0]]
    words += [word for setting in (*settings, *guest[1:]) for word in ("--set", setting)]
    meeting = Meeting(place.folder / f"meeting-{place.work.name}", "host", STEPS)
    with watched(meeting):
        process = meeting.invite(command(place.write_config(**outputs), *words))
        here = place.audit(*settings, *host[1:], run_id=host[0], **outputs)
    errors = process.communicate(timeout=120)[1]
    assert process.returncode in (0, 5), errors
    return {"here": here, "there": process.returncode}


def ids(place: Place, name: str, run_id: str) -> set[int]:
    return {row["id"] for row in place.read(name) if row.get("run_id", run_id) == run_id}


def check_dataset_of(place: Place, run_id: str) -> None:
    """The cleaned version is the input without the suspects of one run, and no other's."""
    cleaned = place.read("cleaned")
    assert len(cleaned) == ROWS - len(ids(place, "suspects", run_id))
    assert {row["id"] for row in cleaned} == set(range(ROWS)) - ids(place, "suspects", run_id)


@KINDS
def test_audit_of_two_run_ids_at_once_one_cleaned_version_wins_and_the_other_is_repeated(
    undisturbed: Callable[[str], Undisturbed], kind: str
) -> None:
    place = undisturbed(kind).place.elsewhere("two-runs")
    settings = ("method.filter_by=confident_learning",)
    codes = audit_beside(
        place, ("guest",), ("host", OTHER), *settings, **FEW
    )  # fmt: skip
    assert sorted(codes.values()) == [0, 5]  # they began on the same version
    winner, loser = ("host", "guest") if codes["here"] == 0 else ("guest", "host")
    assert ids(place, "suspects", "guest") != ids(place, "suspects", "host")
    for run_id in (winner, loser):
        assert len(place.published_by("suspects", run_id)) == 1
    assert place.published_by("cleaned", loser) == []
    check_dataset_of(place, winner)
    records = {row["run_id"]: row["status"] for row in place.read("runs")}
    assert records == {winner: "published", loser: "cleaned_conflict"}
    own = [OTHER] if loser == "host" else []
    assert place.audit(*settings, *own, run_id=loser, **FEW) == 0
    check_dataset_of(place, loser)
    assert {row["status"] for row in place.read("runs")} == {"published"}
    assert len(place.read("runs")) == 2


@KINDS
def test_audit_of_one_run_id_twice_at_once_counts_once(
    undisturbed: Callable[[str], Undisturbed], kind: str
) -> None:
    once = undisturbed(kind)
    place = once.place.elsewhere("twice")
    codes = audit_beside(place, ("r1",), ("r1",), *QUARANTINE)
    assert codes == {"here": 0, "there": 0}
    for name, answer in once.answers.items():
        assert place.answer(name, "r1") == answer, name
    for name in ("cleaned", "cleaned-quarantine"):
        assert len(place.published_by(name, "r1")) == 1
    assert [row["status"] for row in place.read("runs")] == ["published"]
    assert place.audit(*QUARANTINE) == 0
    assert all(len(place.read(name)) == len(once.place.read(name)) for name in NAMES)


@KINDS
def test_audit_in_place_of_two_run_ids_at_once_has_both_versions(
    spark: SparkSession, tmp_path: Path, kind: str
) -> None:
    place = InPlace(spark, tmp_path, kind)
    codes = audit_beside(place, ("guest",), ("host", OTHER), **FEW)
    assert codes == {"here": 0, "there": 0}  # such versions do not replace one another
    assert ids(place, "suspects", "guest") != ids(place, "suspects", "host")
    for run_id in ("guest", "host"):
        assert place.version(run_id) == set(range(ROWS)) - ids(place, "suspects", run_id)
    assert len(place.versions()) == len(place.read("runs")) == 2


@KINDS
def test_audit_in_place_of_one_run_id_twice_at_once_has_one_version(
    spark: SparkSession, tmp_path: Path, kind: str
) -> None:
    place = InPlace(spark, tmp_path, kind)
    codes = audit_beside(place, ("r1",), ("r1",), **FEW)
    assert codes == {"here": 0, "there": 0}
    assert place.version() == set(range(ROWS)) - ids(place, "suspects", "r1")
    assert len(place.versions()) == len(place.read("runs")) == 1
    assert {row["id"] for row in place.main()} == set(range(ROWS))
