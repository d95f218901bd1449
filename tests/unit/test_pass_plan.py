"""Which passes an audit makes, by what is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sparkclean.confident.bounds import MANY_CLASSES, Bounds
from sparkclean.jobs.audit.pass_plan import (
    Known,
    Needs,
    PassKind,
    describe_passes,
    next_pass,
    planned_passes,
)
from sparkclean.jobs.audit.sections import MethodSection

FIRST, EXACT, LAST = PassKind.FIRST, PassKind.EXACT, PassKind.LAST
PAIRS = Needs(pair_cutoffs=True)
PLAIN = Needs()
SHIFTED = Needs(scores_by_noise_model=True)
ADJUSTED = Needs(scores_by_thresholds=True)
ALL = Needs(pair_cutoffs=True, scores_by_thresholds=True, scores_by_noise_model=True)


def bounds(*, cutoffs: bool) -> Bounds:
    ends = np.zeros(2), np.ones(2)
    return Bounds(*ends, np.zeros((2, 2)) if cutoffs else None)


def kinds(known: Known, **options: Any) -> list[PassKind]:
    return [planned.kind for planned in planned_passes(known, **options)]


@pytest.mark.parametrize(
    ("method", "needs"),
    [
        ({"filter_by": "prune_by_noise_rate"}, PAIRS),
        ({"filter_by": "both"}, PAIRS),
        ({"filter_by": "prune_by_class"}, PLAIN),
        ({"filter_by": "low_self_confidence", "adjust_pred_probs": True}, ADJUSTED),
        ({"filter_by": "both", "ranked_by": "prior_shifted_self_confidence"},
         Needs(pair_cutoffs=True, scores_by_noise_model=True)),
        ({"filter_by": "confident_learning", "ranked_by": "confidence_weighted_entropy"}, PLAIN),
    ],
)  # fmt: skip
def test_needs_are_those_of_filter_and_score(method: dict[str, Any], needs: Needs) -> None:
    assert Needs.of(MethodSection(**method)) == needs


@pytest.mark.parametrize(
    ("needs", "found", "thresholds", "cutoffs"),
    [
        (PAIRS, None, False, False),
        (PAIRS, bounds(cutoffs=False), True, False),
        (PAIRS, bounds(cutoffs=True), True, True),
        (PLAIN, bounds(cutoffs=True), True, False),  # nobody asks for them
    ],
)
def test_known_before_the_first_pass_is_what_bounds_say(
    needs: Needs, found: Bounds | None, thresholds: bool, cutoffs: bool
) -> None:
    known = Known.by_bounds(needs, found)
    assert (known.thresholds_bounded, known.cutoffs_bounded) == (thresholds, cutoffs)
    assert kinds(known)[:1] == [FIRST]


@pytest.mark.parametrize(
    ("needs", "thresholds", "cutoffs", "hold", "missed"),
    [
        # one pass where all that it needs is bounded and holds
        (PAIRS, True, True, [FIRST], [FIRST, EXACT, LAST]),
        (PLAIN, True, False, [FIRST], [FIRST, EXACT]),
        # cuts are bounded by the rivals that the first pass has emitted
        (PAIRS, True, False, [FIRST, LAST], [FIRST, EXACT, LAST]),
        # nothing bounded: nothing to hold
        (PAIRS, False, False, [FIRST, EXACT, LAST], [FIRST, EXACT, LAST]),
        (PLAIN, False, False, [FIRST, EXACT], [FIRST, EXACT]),
        (ADJUSTED, False, False, [FIRST, EXACT], [FIRST, EXACT]),
        # the noise model comes after the joint
        (SHIFTED, True, False, [FIRST, LAST], [FIRST, EXACT, LAST]),
        (Needs(True, False, True), True, True, [FIRST, LAST], [FIRST, EXACT, LAST]),
        # pairs and scores share the last pass
        (ALL, False, False, [FIRST, EXACT, LAST], [FIRST, EXACT, LAST]),
    ],
)
def test_planned_passes_are_as_many_as_what_is_not_known(
    needs: Needs, thresholds: bool, cutoffs: bool, hold: list[PassKind], missed: list[PassKind]
) -> None:
    known = Known(needs, thresholds, cutoffs)
    assert kinds(known) == hold
    assert kinds(known, bounds_hold=False) == missed


def test_thresholds_that_are_missed_cost_the_exact_pass_and_are_told() -> None:
    known = Known(PAIRS, True, True).after_first(thresholds_hold=False)
    planned = next_pass(known)
    assert planned is not None
    assert (planned.name, planned.title(2)) == ("pass_2", "pass 2: confident joint")
    assert planned.notice == "the thresholds are outside their bounds: one more pass"
    # entries by bounds that did not hold are not used, whatever the quotas say
    assert known.after_quotas(cutoffs_hold=True) == known


def test_cuts_that_are_missed_cost_two_passes_and_are_told() -> None:
    found = Known(PAIRS, True, True).after_first(thresholds_hold=True)
    assert next_pass(found.after_quotas(cutoffs_hold=True)) is None
    known = found.after_quotas(cutoffs_hold=False)
    planned = next_pass(known)
    assert planned is not None
    assert planned.kind is EXACT
    assert planned.notice == "the cutoffs of class pairs are outside their bounds: two more passes"
    last = next_pass(known.after_exact())
    assert last is not None
    assert (last.name, last.title(3)) == ("pass_3", "pass 3: margins of class pairs")
    assert next_pass(known.after_exact().after_last()) is None


def test_thresholds_that_nobody_expected_are_no_surprise() -> None:
    planned = next_pass(Known(PLAIN).after_first(thresholds_hold=False))
    assert planned is not None
    assert (planned.why, planned.notice) == ("the thresholds are known now", "")


@pytest.mark.parametrize(
    ("needs", "title"),
    [
        (SHIFTED, "pass 2: scores by the noise model"),
        (Needs(True, False, True), "pass 2: margins of class pairs"),
    ],
)
def test_scores_by_the_noise_model_wait_for_the_last_pass(needs: Needs, title: str) -> None:
    known = Known(needs, True, needs.pair_cutoffs).after_first(thresholds_hold=True)
    planned = next_pass(known)
    assert planned is not None
    assert planned.title(2) == title


@pytest.mark.parametrize(
    ("known", "title"),
    [
        (Known(PAIRS), "pass 1: class sums"),
        (Known(PAIRS, True), "pass 1: class sums and confident joint"),
        (Known(PAIRS, True, True), "pass 1: class sums and confident joint"),
    ],
)
def test_first_pass_is_called_by_what_it_finds(known: Known, title: str) -> None:
    planned = next_pass(known)
    assert planned is not None
    assert (planned.name, planned.title(1)) == ("pass_1", title)


@pytest.mark.parametrize(
    ("needs", "size", "line"),
    [
        (
            PAIRS,
            10,
            "1: class sums and confident joint (thresholds and cutoffs of class pairs are bounded "
            "beforehand); "
            "3 if bounds fail",
        ),
        (
            PAIRS,
            MANY_CLASSES,
            "2: class sums and confident joint (thresholds are bounded beforehand), then margins "
            "of "
            "class pairs (the cutoffs of class pairs are bounded now); 3 if bounds fail",
        ),
        (
            ADJUSTED,
            10,
            "2: class sums (scores need exact thresholds), then confident joint (the thresholds "
            "are known now)",
        ),
        (PLAIN, MANY_CLASSES, "1: class sums and confident joint (thresholds are bounded "
                              "beforehand); "
         "2 if bounds fail"),
    ],
)  # fmt: skip
def test_describe_passes_says_which_and_why(needs: Needs, size: int, line: str) -> None:
    assert describe_passes(Known.likely(needs, size)) == line
