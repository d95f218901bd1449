"""How the result of an audit shows itself, without Spark."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import pytest

from sparkclean.jobs.audit import result as module
from sparkclean.jobs.audit.result import AuditResult, in_words_of_the_call
from tests.unit.findings import make_columns, make_findings
from tests.unit.test_report_html import Page

CLASSES = ("<script>alert(1)</script>", "dog", "owl")
JOINT = [[900, 80, 20], [10, 480, 10], [0, 0, 100]]
SUSPECTS = [[0, 60, 15], [5, 0, 5], [0, 0, 0]]


class Store:
    """A cache, or none."""

    def __init__(self, *, is_kept: bool) -> None:
        self.is_kept = is_kept

    def close(self) -> None:
        self.is_kept = False


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of rows that jobs have looked for."""
    asked: list[int] = []

    def collect_top(_: Any, __: Any, ___: Any, count: int) -> list[dict[str, Any]]:
        asked.append(count)
        numbers = {"self_confidence": 0.01, "label_quality": 0.02}
        labels = {"given_label": CLASSES[0], "suggested_label": "dog"}
        return [{"rank": i, "id": f"<b>{i}", **labels, **numbers} for i in range(1, count + 1)]

    monkeypatch.setattr(module, "collect_top", collect_top)
    return asked


def result(*, is_kept: bool = True) -> AuditResult[Any]:
    findings = make_findings(JOINT, SUSPECTS, rejected=3)
    nothing = cast(Any, None)
    return AuditResult(
        nothing,
        nothing,
        nothing,
        nothing,
        findings.noise,
        findings.thresholds,
        findings.suspects.num_suspects,
        findings.warnings,
        findings,
        make_columns(CLASSES),
        cast(Any, Store(is_kept=is_kept)),
        nothing,
    )


def test_repr_shows_counts_pairs_classes_and_suspects(jobs: list[int]) -> None:
    text = repr(result())
    for part in ("rows", "1,603", "suspects", "85", "noise", "most confused", "worst classes"):
        assert part in text
    assert "top 5 suspects" in text
    assert "few examples" in text


def test_repr_looks_for_suspects_once_for_text_and_html(jobs: list[int]) -> None:
    found = result()
    repr(found), found._repr_html_(), repr(found)
    assert jobs == [5]


def test_repr_without_a_cache_runs_no_job(jobs: list[int]) -> None:
    found = result(is_kept=False)
    assert "top" not in repr(found)
    assert jobs == []


def test_repr_of_a_closed_result_shows_what_it_has_shown_before(jobs: list[int]) -> None:
    found = result()
    before = repr(found)
    found.close()
    assert repr(found) == before
    assert jobs == [5]


def test_repr_where_spark_has_gone_shows_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fail(*_: Any) -> None:
        asked.append(1)
        raise ConnectionError("gone")

    monkeypatch.setattr(module, "collect_top", fail)
    found = result()
    assert "worst classes" in repr(found)
    assert "worst classes" in found._repr_html_()
    assert len(asked) == 1


@pytest.mark.parametrize("width", [60, 80, 200])
def test_repr_has_the_width_of_the_terminal(
    jobs: list[int], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = repr(result()).splitlines()
    # tables are as wide as they are
    assert all(len(line) <= width for line in lines[:6])


def test_html_is_balanced_and_labels_are_escaped(jobs: list[int]) -> None:
    text = result()._repr_html_()
    page = Page(text)
    assert page.open == []
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert page.text.count("<script>alert(1)</script>") >= 4
    assert page.tags.count("table") == 4


@pytest.mark.parametrize("n", [0, 10_001])
def test_top_of_too_many_rows_names_the_argument(n: int) -> None:
    with pytest.raises(Exception, match="n=: "):
        result().top(n)


@pytest.mark.parametrize(
    ("mode", "message"),
    [("none", "mode=: 'none' makes no"), ("drp", "mode='drp' is unknown; did you mean 'drop'")],
)
def test_cleaned_of_another_mode_names_the_argument(mode: str, message: str) -> None:
    with pytest.raises(Exception, match=message):
        result().cleaned(mode)


def test_warnings_name_arguments() -> None:
    findings = make_findings(JOINT, SUSPECTS)
    spoken = dataclasses.replace(findings, warnings=("a model as predict.estimator, or your own",))
    found = in_words_of_the_call(spoken, "first")
    assert found.warnings == ("first", "a model as estimator=, or your own")
