"""The rows of ``estimates`` of counts that were decided by hand."""

from __future__ import annotations

from typing import Any

import pytest

from sparkclean.jobs.review.estimating import _sampled
from sparkclean.jobs.review.numbers import Cells, Sampled, estimate_rows
from sparkclean.noise.rates import Reviewers
from sparkclean.schema import ESTIMATES, PROVENANCE


def cell(stratum: str, label: str, decile: int | None, counts: tuple[int, ...]) -> Sampled:
    examples, drawn, reviewed, errors = counts
    return Sampled(
        stratum=stratum, is_suspect=decile is not None, label=label, decile=decile,
        examples=examples, doubt=0.1, drawn=drawn, reviewed=reviewed, errors=errors,
    )  # fmt: skip


CELLS = Cells(
    [
        cell("a", "cat", 1, (20, 20, 20, 15)),
        cell("a", "dog", 2, (20, 20, 20, 10)),
        cell("b", "cat", None, (60, 60, 60, 5)),
        cell("b", "dog", None, (100, 100, 100, 0)),
    ]
)


def find(rows: list[dict[str, Any]], measure: str, scope: str = "all", **more: Any) -> Any:
    wanted = {"measure": measure, "scope": scope, "method": "reviewed"} | more
    (row,) = [r for r in rows if all(r[key] == value for key, value in wanted.items())]
    return row["value"]


def test_estimates_of_a_whole_review_are_exact() -> None:
    rows = estimate_rows(CELLS)
    assert find(rows, "error_rate") == 0.15
    assert find(rows, "wrong_labels") == 30
    assert find(rows, "precision") == 0.625
    assert find(rows, "recall") == pytest.approx(25 / 30)
    assert find(rows, "errors_left") == 5
    assert find(rows, "error_rate", "class", **{"class": "cat"}) == 0.25
    assert find(rows, "recall", "class", **{"class": "dog"}) == 1.0
    assert find(rows, "precision", "rank_decile", rank_decile=1) == 0.75
    assert all(row["low"] == row["value"] == row["high"] for row in rows if row["low"] is not None)
    assert find(rows, "reviews_to_halve") is None


def test_estimates_have_the_columns_of_the_output() -> None:
    names = [name for name, _ in ESTIMATES if (name, "string") not in PROVENANCE]
    assert all(list(row) == names for row in estimate_rows(CELLS))


def test_estimates_show_bounds_where_something_is_undecided() -> None:
    open_ = Cells([*CELLS.cells, cell("c", "cat", None, (100, 50, 40, 2))])
    assert not [row for row in estimate_rows(CELLS) if row["method"] == "bounds"]
    (found,) = [row for row in estimate_rows(open_) if row["method"] == "bounds"]
    main = next(row for row in estimate_rows(open_) if row["measure"] == "error_rate")
    assert (found["undecided"], found["value"]) == (10, None)
    assert found["low"] <= main["low"] < main["high"] < found["high"]


def test_estimates_do_not_depend_on_the_order_of_cells() -> None:
    assert estimate_rows(Cells(reversed(CELLS.cells))) == estimate_rows(CELLS)


def test_estimates_of_other_methods() -> None:
    rows = estimate_rows(CELLS, Reviewers(50, 45, 50, 50), ([80, 120], [[60, 10], [0, 90]]))
    assert find(rows, "error_rate", method="audit") == pytest.approx(80 / 200 / 7)
    assert find(rows, "error_rate", method="corrected") == pytest.approx(0.15 / 0.9)
    assert find(rows, "error_rate", method="difference") is not None


def test_examples_that_nobody_could_get_are_undecided() -> None:
    row = {
        "stratum": "others", "given_label": 1, "rank_decile": None, "is_suspect": False,
        "examples": 100, "doubt": 0.1, "drawn": 10,
    }  # fmt: skip
    found = dict.fromkeys(("drawn", *Sampled.SUMS), 7)
    cell = _sampled(row, {("others", 1, None): found})
    assert (cell.drawn, cell.reviewed) == (10, 7)
    assert _sampled(row, {}).drawn == 10
    assert "bounds" in {row["method"] for row in estimate_rows(Cells([cell]))}
