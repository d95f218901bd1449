"""The rows of the output ``estimates``, of counts by stratum, given label and rank decile."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sparkclean.noise.rates import (
    Estimate,
    ModelSums,
    Reviewers,
    audit_rate,
    bounds,
    corrected_rate,
    difference_estimate,
    recall,
    reviews_to_halve,
    stratified_rate,
)

Row = dict[str, Any]


@dataclass(frozen=True)
class Sampled:
    """Examples of one stratum, given label and rank decile, and what reviewers said of them.

    Attributes
    ----------
    stratum : str
    is_suspect : bool
    label : object
        Given label.
    decile : int or None
    examples, drawn, reviewed, errors : int
        Of the population, of the random part, decided, and decided to be wrong.
    doubt : float
        Mean of f = 1 - p(given label) over the population.
    doubts, error_doubts, doubts_squared : float
        Sums over decided examples of f, of f where the label is wrong, and of f squared.
    """

    SUMS: ClassVar = ("reviewed", "errors", "doubts", "error_doubts", "doubts_squared")

    stratum: str
    is_suspect: bool
    label: Any
    decile: int | None
    examples: int
    doubt: float
    drawn: int
    reviewed: int
    errors: int
    doubts: float = 0.0
    error_doubts: float = 0.0
    doubts_squared: float = 0.0


class Cells:
    """Counts of the random part.

    Parameters
    ----------
    cells : iterable of Sampled
    is_single : bool
        Whether each example got one reviewer alone.
    """

    def __init__(self, cells: Iterable[Sampled], *, is_single: bool = False) -> None:
        self.is_single = is_single
        self.cells: Sequence[Sampled] = sorted(
            cells, key=lambda cell: (cell.stratum, str(cell.label), cell.decile or 0)
        )

    def where(self, **wanted: Any) -> Cells:
        """Keep the cells that have given values."""
        return Cells(
            cell
            for cell in self.cells
            if all(getattr(cell, name) == value for name, value in wanted.items())
        )

    def labels(self) -> list[Any]:
        """List the given labels, in order."""
        found = {cell.label for cell in self.cells}
        is_number = all(isinstance(label, int) for label in found)
        return sorted(found) if is_number else sorted(found, key=str)

    def sums(self, name: str) -> NDArray[Any]:
        """Add up a number by stratum; strata in the order of their names."""
        strata = sorted({cell.stratum for cell in self.cells})
        return np.array(
            [sum(getattr(c, name) for c in self.cells if c.stratum == s) for s in strata]
        )

    def total(self, name: str) -> int:
        """Add up a number over all cells."""
        return int(sum(getattr(cell, name) for cell in self.cells))

    @property
    def counts(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Examples, errors and decided examples, by stratum."""
        return self.sums("examples"), self.sums("errors"), self.sums("reviewed")

    @property
    def undecided(self) -> NDArray[Any]:
        """Drawn examples without a decision, by stratum."""
        return self.sums("drawn") - self.sums("reviewed")

    def rate(self, level: float = 0.95) -> Estimate:
        """Estimate the rate of wrong labels."""
        return stratified_rate(*self.counts, level=level)


def estimate_rows(
    cells: Cells,
    reviewers: Reviewers | None = None,
    joint: tuple[Sequence[int], Sequence[Sequence[int]]] | None = None,
) -> list[Row]:
    """Estimate all that a review tells.

    Parameters
    ----------
    cells : Cells
    reviewers : Reviewers, optional
        By gold items.
    joint : (examples, confident joint), optional
        Of the audit, for its own estimate.

    Returns
    -------
    list of dict
        By the columns of the output.
    """
    suspects, others = cells.where(is_suspect=True), cells.where(is_suspect=False)
    rows = [
        _row("error_rate", "all", cells, cells.rate()),
        _row("wrong_labels", "all", cells, cells.rate().times(cells.total("examples"))),
        _row("error_rate", "suspects", suspects, suspects.rate()),
        _row("error_rate", "others", others, others.rate()),
        _row("precision", "all", suspects, suspects.rate()),
        _row("recall", "all", cells, recall(suspects.counts, others.counts)),
        _row("errors_left", "all", others, others.rate().times(others.total("examples"))),
    ]
    rows += _ways(cells, reviewers, joint)
    rows.append(_halve(cells))
    for label in cells.labels():
        rows += _of_class(cells, label)
    for decile in sorted({c.decile for c in suspects.cells if c.decile is not None}):
        some = suspects.where(decile=decile)
        rows.append(_row("precision", "rank_decile", some, some.rate(), decile=decile))
    return rows


def _of_class(cells: Cells, label: Any) -> list[Row]:
    own = cells.where(label=label)
    suspects, others = own.where(is_suspect=True), own.where(is_suspect=False)
    return [
        _row("error_rate", "class", own, own.rate(), label=label),
        _row("precision", "class", suspects, suspects.rate(), label=label),
        _row("recall", "class", own, recall(suspects.counts, others.counts), label=label),
    ]


def _ways(
    cells: Cells,
    reviewers: Reviewers | None,
    joint: tuple[Sequence[int], Sequence[Sequence[int]]] | None,
) -> list[Row]:
    """Estimate the rate in other ways: bounds, the model's help, reviewers' errors, the audit."""
    rows = []
    if cells.undecided.any():
        low, high = bounds(*cells.counts, cells.undecided)
        none = Estimate(np.array(np.nan), np.array(low), np.array(high))
        rows.append(_row("error_rate", "all", cells, none, method="bounds"))
    sums = ModelSums(
        sizes=cells.sums("examples"),
        drawn=cells.sums("reviewed"),
        doubt=_mean_doubt(cells),
        error=cells.sums("errors"),
        doubts=cells.sums("doubts"),
        error_doubts=cells.sums("error_doubts"),
        doubts_squared=cells.sums("doubts_squared"),
    )
    found = [("difference", difference_estimate(sums))]
    if reviewers is not None:
        found.append(("corrected", corrected_rate(reviewers, cells.rate)))
    if joint is not None:
        found.append(("audit", audit_rate(*joint)))
    return rows + [
        _row("error_rate", "all", cells, estimate, method=method)
        for method, estimate in found
        if estimate is not None
    ]


def _mean_doubt(cells: Cells) -> NDArray[np.float64]:
    strata = sorted({cell.stratum for cell in cells.cells})
    totals = [
        sum(c.doubt * c.examples for c in cells.cells if c.stratum == stratum) for stratum in strata
    ]
    return np.array(totals) / np.maximum(cells.sums("examples"), 1)


def _halve(cells: Cells) -> Row:
    more = reviews_to_halve(*cells.counts)
    unknown = np.array(np.nan if more is None else more, np.float64)
    row = _row("reviews_to_halve", "all", cells, Estimate(unknown, unknown, unknown))
    return row | {"low": None, "high": None}


def _row(
    measure: str,
    scope: str,
    cells: Cells,
    estimate: Estimate,
    *,
    method: str = "reviewed",
    label: Any = None,
    decile: int | None = None,
) -> Row:
    value, low, high = estimate.rounded()
    return {
        "measure": measure,
        "method": method,
        "scope": scope,
        "class": label,
        "rank_decile": decile,
        "value": value,
        "low": low,
        "high": high,
        "examples": cells.total("examples"),
        "reviewed": cells.total("reviewed"),
        "errors": cells.total("errors"),
        "undecided": cells.total("drawn") - cells.total("reviewed"),
    }
