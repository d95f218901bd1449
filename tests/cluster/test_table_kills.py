"""A driver killed at any step of publishing to Delta or Iceberg: nothing half, nothing twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkclean.schema import RUN_ID
from tests.cluster.commands import command, kill_at
from tests.steps import steps_of
from tests.tables import (
    EARLIER,
    QUARANTINE,
    ROWS,
    InPlace,
    Place,
    Undisturbed,
    audit_undisturbed,
)

#: The order in which outputs are published, by their table's name.
ORDER = ("suspects", "classes", "pairs", "rejected", "cleaned-quarantine", "cleaned", "runs")
#: Of ``publish.<output>.end`` the last alone: the others leave what the next ``begin`` finds.
STEPS = [
    *steps_of("audit", "run", "publish"),
    *[f"commit.done#{number}" for number in range(1, len(ORDER) + 1)],
]
SAME_AS_THE_NEXT = {s for s in STEPS if s.endswith(".end") and s != "publish.runs.end"}
FORMATS = ("delta", "iceberg")
#: Outputs that another run has published before.
SEEDED = ("suspects", "cleaned", "runs")
FEW: dict[str, Any] = {"classes": None, "pairs": None, "rejected": None}


def committed(step: str) -> tuple[str, ...]:
    """Name the outputs that a run has published when it passes a step."""
    if step.startswith("run."):
        return ()
    if step.startswith("commit.done"):
        return ORDER[: int(step.partition("#")[2])]
    _, name, moment = step.split(".")
    place = ORDER.index("cleaned-quarantine" if name == "quarantine" else name)
    return ORDER[: place + (moment == "end")]


def check_readers(place: Place, answers: dict[str, list[str]], there: tuple[str, ...]) -> None:
    """Whoever reads now sees whole versions, and rows of the run only once it has a record."""
    for name in ORDER:
        own = place.answer(name, "r1")
        assert len(place.published_by(name, "r1")) == (name in there), name
        if name in there:
            assert own == answers[name], name
        elif name.startswith("cleaned"):
            assert len(own) in (0, EARLIER), name
        else:
            assert own == [], name
        if not name.startswith("cleaned") and place.target(name).current() is not None:
            counted = {row[RUN_ID] for row in place.read(name)} - {"r0"}
            assert counted == ({"r1"} if "runs" in there else set()), name


def check_end(place: Place, answers: dict[str, list[str]], there: tuple[str, ...]) -> None:
    for name in there:
        assert place.answer(name, "r1") == answers[name], name
        assert len(place.published_by(name, "r1")) == 1, name
    (record,) = [row for row in place.read("runs") if row[RUN_ID] == "r1"]
    assert record["status"] == "published"
    assert not list((place.work / "_pins").iterdir())


def kill_audit(
    place: Place, step: str, settings: tuple[str, ...] = QUARANTINE, **outputs: Any
) -> None:
    words = [word for setting in settings for word in ("--set", setting)]
    session = ["--properties-file", str(place.write_properties()), "--run-id", "r1"]
    kill_at(step, command(place.write_config(**outputs), *session, *words))


@pytest.mark.parametrize("kind", [pytest.param("delta", marks=pytest.mark.full), "iceberg"])
def test_steps_of_the_kills_are_all_that_a_run_passes(
    undisturbed: Callable[[str], Undisturbed], kind: str
) -> None:
    passed = Counter(undisturbed(kind).passed)
    commits = passed.pop("commit.done")
    names = {name for name in passed if not name.startswith("stage.")}
    assert names | {f"commit.done#{n + 1}" for n in range(commits)} == set(STEPS)
    assert set(passed.values()) == {1}


@pytest.mark.parametrize(
    ("kind", "step", "there"),
    [
        # once the dataset is there and the run not recorded; once with nothing but suspects
        pytest.param(
            "delta",
            "commit.done#3",
            ("suspects", "cleaned-quarantine", "cleaned"),
            marks=pytest.mark.full,
        ),
        pytest.param("iceberg", "publish.quarantine.begin", ("suspects",), marks=pytest.mark.full),
    ],
)
def test_audit_of_few_outputs_killed_is_completed_by_a_repetition(
    undisturbed: Callable[[str], Undisturbed], kind: str, step: str, there: tuple[str, ...]
) -> None:
    once = undisturbed(kind)
    place = once.place.elsewhere("few")
    kill_audit(place, step, **FEW)
    check_readers(place, once.answers, there)
    assert place.audit(*QUARANTINE, **FEW) == 0
    check_end(place, once.answers, ("suspects", "cleaned-quarantine", "cleaned", "runs"))


@pytest.mark.full
@pytest.mark.parametrize("step", [step for step in STEPS if step not in SAME_AS_THE_NEXT])
@pytest.mark.parametrize("kind", FORMATS)
def test_audit_of_a_table_killed_at_a_step_is_completed_by_a_repetition(
    undisturbed: Callable[[str], Undisturbed], kind: str, step: str
) -> None:
    once = undisturbed(kind)
    place = once.place.elsewhere(step.replace("#", "-"))
    place.publish_earlier_run(once.place, SEEDED)
    kill_audit(place, step)
    check_readers(place, once.answers, committed(step))
    assert place.audit(*QUARANTINE) == 0
    check_end(place, once.answers, ORDER)


@pytest.mark.full
def test_audit_in_a_catalog_of_folders_killed_is_completed_by_a_repetition(
    spark: SparkSession, tmp_path: Path
) -> None:
    once = audit_undisturbed(spark, tmp_path, "iceberg", catalog="folders")
    place = once.place.elsewhere("killed")
    place.publish_earlier_run(once.place, SEEDED)
    kill_audit(place, "commit.done#6")
    check_readers(place, once.answers, committed("commit.done#6"))
    assert place.audit(*QUARANTINE) == 0
    check_end(place, once.answers, ORDER)


#: The cleaned version is the second of three commits where few outputs are written.
IN_PLACE = (
    "edit.made",
    "edit.written",
    "stage.cleaned.end",
    "publish.cleaned.begin",
    "commit.done#2",
    "publish.cleaned.end",
    "commit.done#3",
)


@pytest.mark.full
@pytest.mark.parametrize("step", IN_PLACE)
@pytest.mark.parametrize("kind", FORMATS)
def test_audit_in_place_killed_at_a_step_is_completed_by_a_repetition(
    spark: SparkSession, tmp_path: Path, kind: str, step: str
) -> None:
    place = InPlace(spark, tmp_path, kind)
    kill_audit(place, step, (), **FEW)
    published = place.published_by("suspects", "r1"), place.versions()
    assert tuple(map(len, published)) == (
        "edit" not in step and "stage" not in step,
        step in ("commit.done#2", "publish.cleaned.end", "commit.done#3"),
    )
    assert {row["id"] for row in place.main()} == set(range(ROWS))
    place.append()  # of the pinned table nothing has changed
    assert place.audit(**FEW) == 0
    suspects = {row["id"] for row in place.read("suspects")}
    assert place.version() == set(range(ROWS)) - suspects
    assert place.versions() == [published[1][0] if published[1] else place.versions()[0]]
    assert [row["status"] for row in place.read("runs")] == ["published"]
    assert not list((place.work / "_pins").iterdir())
