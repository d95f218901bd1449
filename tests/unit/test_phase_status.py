"""How far a phase has come: counts, rows, the time left."""

from __future__ import annotations

from itertools import pairwise

import pytest

from sparkclean.rows.phase_status import Pace, PhaseStatus, shown_rate, shown_seconds
from sparkclean.rows.task_status import TaskCount, add_up


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (41.4, "41 s"), (119.0, "119 s"), (130.0, "2 min"), (3600.0, "60 min"),
     (9000.0, "2.5 h")],
)  # fmt: skip
def test_seconds_are_as_exact_as_an_estimate(seconds: float, text: str) -> None:
    assert shown_seconds(seconds) == text


def test_standing_says_steps_rows_and_time_left() -> None:
    status = PhaseStatus(10.0, 25, 100, rows=4_000_000, left=30.0)
    assert status.rows_done == 1_000_000
    assert str(status) == (
        "25 of 100 tasks, about 1,000,000 of 4,000,000 rows, 100,000 rows/s, about 30 s left"
    )


def test_standing_of_folds_names_them() -> None:
    assert str(PhaseStatus(10.0, 2, 5, unit="folds")) == "2 of 5 folds"


def test_standing_of_which_nothing_is_known_says_nothing() -> None:
    assert str(PhaseStatus(10.0, rows=5)) == ""


def test_standing_before_the_first_step_names_no_rows() -> None:
    assert str(PhaseStatus(10.0, 0, 4, rows=100)) == "0 of 4 tasks"


def test_pace_gives_the_time_left_by_the_steps_that_are_done() -> None:
    pace = Pace()
    assert pace.status(1.0, (1, 4)).left is None  # too soon to tell
    assert pace.status(10.0, (2, 4)).left == 10.0
    assert pace.status(12.0, (4, 4)).left == 0.0


def test_pace_of_another_job_begins_anew() -> None:
    pace = Pace()
    pace.status(10.0, (8, 8))
    assert pace.status(11.0, (0, 4)).left is None
    assert pace.status(14.0, (1, 4)).left == pytest.approx(12.0)  # since the last look before it


def test_pace_without_counts_gives_seconds() -> None:
    assert Pace("folds", 7).status(3.0, None) == PhaseStatus(3.0, unit="folds", rows=7)


def test_tasks_of_stages_that_have_begun_are_added_up() -> None:
    # done, running, all: the last stage waits or is skipped
    assert add_up([(10, 0, 10), (0, 2, 30), (0, 0, 200)]) == TaskCount(10, 40)


def test_tasks_of_no_stage_are_none() -> None:
    assert add_up([]) is None
    assert add_up([(0, 0, 200)]) is None


def test_pace_of_a_single_step_gives_seconds() -> None:
    assert Pace().status(3.0, (0, 1)) == PhaseStatus(3.0)


def test_standing_for_a_narrow_terminal_is_short() -> None:
    assert PhaseStatus(10.0, 2, 5, unit="folds", left=41.0).short == "2/5 folds, 41 s left"
    assert PhaseStatus(10.0, 2, 5).short == "2/5 tasks"
    assert PhaseStatus(10.0).short == ""


@pytest.mark.parametrize(
    ("rows", "seconds", "text"),
    [(0, 5.0, ""), (1, 1000.0, ""), (1, 4.0, ", 0.25 rows/s"), (9, 4.0, ", 2.2 rows/s"),
     (6000, 4.0, ", 1,500 rows/s"), (0, 0.0, "")],
)  # fmt: skip
def test_rate_is_never_zero(rows: int, seconds: float, text: str) -> None:
    assert shown_rate(rows, seconds) == text


def test_standing_of_slow_rows_has_no_rate_of_zero() -> None:
    assert "0 rows/s" not in str(PhaseStatus(10_000.0, 1, 4, rows=4))


def test_time_left_counts_down_between_two_steps() -> None:
    pace = Pace("folds")
    left = [pace.status(float(second), (1, 5)).left for second in range(30, 90)]
    assert left[0] == 120.0
    assert all(after <= before for before, after in pairwise(left))
    assert left[-1] == 90.0  # three folds that have not begun


def test_time_left_does_not_jump_at_a_slow_step() -> None:
    pace = Pace("folds")
    assert pace.status(10.0, (1, 5)).left == 40.0
    assert pace.status(60.0, (1, 5)).left == 30.0
    # by the two folds together it would be 90
    assert pace.status(60.0, (2, 5)).left == pytest.approx((30.0 + 90.0) / 2)


def test_time_left_is_hidden_until_enough_is_done() -> None:
    pace = Pace()
    assert pace.status(30.0, (1, 100)).left is None
    assert pace.status(60.0, (4, 100)).left is None
    assert pace.status(70.0, (5, 100)).left == pytest.approx(70 * 95 / 5)
