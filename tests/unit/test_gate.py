"""The gate: limits of a result."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sparkclean.errors import AuditGateError
from sparkclean.jobs.audit.doubts import Doubt
from sparkclean.jobs.audit.gate import judge
from sparkclean.jobs.audit.sections import GateSection
from sparkclean.runs.gates import Verdict, gate_error
from tests.unit.findings import make_findings, make_suspects

# suspects: 30 of 100 in class a, 10 of 20 in class b, none in class c, which nobody is given
JOINT = [[70, 30, 0], [10, 10, 0], [0, 0, 0]]
EXAMPLES = np.array(JOINT).sum(axis=1)
SUSPECTS = [[0, 30, 0], [10, 0, 0], [0, 0, 0]]
CLASSES = ("a", "b", "c")


def verdicts(mode: str = "relabel", **limits: Any) -> list[Verdict]:
    gate = GateSection(**limits)
    return judge(make_suspects(SUSPECTS), EXAMPLES, gate, mode=mode, classes=CLASSES)


def test_gate_without_limits_has_no_verdict() -> None:
    assert verdicts(min_examples_left_per_class=0) == []
    assert gate_error([], "x") is None


@pytest.mark.parametrize(("limit", "passed"), [(39, False), (40, True), (41, True), (0, False)])
def test_gate_max_suspects_counts_them(limit: int, passed: bool) -> None:
    (verdict,) = verdicts(max_suspects=limit)
    assert (verdict.found, verdict.passed) == (40, passed)


@pytest.mark.parametrize(("limit", "passed"), [(0.33, False), (1 / 3, True), (0.34, True)])
def test_gate_max_suspect_fraction_is_of_the_audited_rows(limit: float, passed: bool) -> None:
    (verdict,) = verdicts(max_suspect_fraction=limit)
    assert verdict.found == pytest.approx(40 / 120)
    assert verdict.passed == passed


def test_gate_max_suspect_fraction_does_not_count_rejected_rows() -> None:
    findings = make_findings(JOINT, SUSPECTS, rejected=1000)
    gate = GateSection(max_suspect_fraction=0.1)
    examples = findings.statistics.examples
    (verdict,) = judge(findings.suspects, examples, gate, mode="weight", classes=CLASSES)
    assert verdict.found == pytest.approx(40 / 120)


@pytest.mark.parametrize(("limit", "passed"), [(0.49, False), (0.5, True)])
def test_gate_max_class_loss_is_of_the_worst_class(limit: float, passed: bool) -> None:
    (verdict,) = verdicts(max_class_loss_fraction=limit)
    assert (verdict.found, verdict.passed, verdict.detail) == (0.5, passed, "class 'b'")


@pytest.mark.parametrize("mode", ["drop", "quarantine"])
@pytest.mark.parametrize(("limit", "passed"), [(10, True), (11, False)])
def test_gate_min_examples_left_is_of_the_smallest_class(
    mode: str, limit: int, passed: bool
) -> None:
    (verdict,) = verdicts(mode, min_examples_left_per_class=limit)
    assert (verdict.found, verdict.passed, verdict.detail) == (10, passed, "class 'b'")


@pytest.mark.parametrize("mode", ["relabel", "weight", "none"])
def test_gate_min_examples_left_needs_a_mode_that_loses_rows(mode: str) -> None:
    assert verdicts(mode, min_examples_left_per_class=1000) == []


def test_gate_gives_a_verdict_for_each_limit() -> None:
    found = verdicts("drop", max_suspects=1, max_suspect_fraction=1, max_class_loss_fraction=1)
    assert [(verdict.gate, verdict.passed) for verdict in found] == [
        ("max_suspects", False),
        ("max_suspect_fraction", True),
        ("max_class_loss_fraction", True),
        ("min_examples_left_per_class", True),
    ]


def test_gate_error_names_limits_findings_and_the_remedy() -> None:
    failed = verdicts("drop", max_suspects=1, max_suspect_fraction=0.1, max_class_loss_fraction=1)
    error = gate_error(failed, "suspects", "sparkclean show /o --run-id a")
    assert isinstance(error, AuditGateError)
    assert str(error) == (
        "gate.max_suspects wants at most 1, found 40; "
        "gate.max_suspect_fraction wants at most 0.1, found 0.333333. Nothing was published. "
        "Look at the suspects (sparkclean show /o --run-id a), then change the limit, the model or "
        "the data"
    )


def test_gate_error_without_staged_suspects_names_no_place() -> None:
    assert "sparkclean show" not in str(gate_error(verdicts(max_suspects=1), None))


def test_gate_error_of_a_lower_limit_says_at_least() -> None:
    error = gate_error(verdicts("drop", min_examples_left_per_class=50), None)
    assert "wants at least 50, found 10 (class 'b')" in str(error)


def test_gate_error_of_kept_limits_is_none() -> None:
    assert gate_error(verdicts("drop", max_suspects=100), "x") is None


# -- doubts --------------------------------------------------------------------------------------

DOUBT = Doubt("allow_weak_model", "the model is weak", "use a better one")


@pytest.mark.parametrize("mode", ["drop", "relabel", "weight", "quarantine"])
def test_gate_closes_by_a_doubt_where_there_is_a_cleaned_version(mode: str) -> None:
    gate = GateSection(min_examples_left_per_class=0)
    suspects = make_suspects(SUSPECTS)
    found = judge(suspects, EXAMPLES, gate, mode=mode, classes=CLASSES, doubts=[DOUBT])
    (verdict,) = [one for one in found if not one.passed]
    assert str(verdict) == (
        "the model is weak; use a better one, or set gate.allow_weak_model: true"
    )


def test_gate_does_not_ask_about_doubts_without_a_cleaned_version() -> None:
    suspects = make_suspects(SUSPECTS)
    assert (
        judge(suspects, EXAMPLES, GateSection(), mode="none", classes=CLASSES, doubts=[DOUBT]) == []
    )


def test_gate_lets_a_doubt_through_that_is_allowed() -> None:
    gate = GateSection(allow_weak_model=True, allow_permuted=True)
    found = judge(
        make_suspects(SUSPECTS), EXAMPLES, gate, mode="relabel", classes=CLASSES, doubts=[DOUBT]
    )
    assert [(verdict.gate, verdict.passed) for verdict in found] == [("allow_weak_model", True)]
