"""The part of the configuration of `sparkclean simulate`."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, get_args

from pydantic import StrictStr

from sparkclean.config.sections import Config, Section, setting
from sparkclean.config.values import Fraction, Label, Number, Positive, Seed

NoiseKind = Literal[
    "uniform", "class", "pairs", "swap", "exchange", "shift", "boundary", "source", "annotator",
    "adversarial",
]  # fmt: skip
KINDS: tuple[str, ...] = get_args(NoiseKind)

_RATE = ("uniform", "pairs", "exchange", "boundary", "adversarial")
_PAIRS = ("pairs", "swap", "adversarial")
_BY = ("shift", "source", "annotator")


class NoiseSection(Section):
    """One kind of noise. The first noise of the list that changes a row wins."""

    kind: NoiseKind = setting(
        description="uniform: to any other class; class: by a matrix; pairs: two classes are "
        "confused; swap: two classes change places; exchange: pairs of rows exchange labels; "
        "shift: labels move by some rows within a file; boundary: rows of low score; source, "
        "annotator: each by its own matrix; adversarial: one class into another.",
    )
    rate: Fraction | None = setting(
        None, description="Share of the rows of each class that change; of shift, of the files."
    )
    matrix: list[list[Number]] | None = setting(
        None, description="class: P(noisy | true), a row for each true class, in class order."
    )
    trace: Number | None = setting(
        None, description="class: sum of the diagonal of a matrix that is made by hash."
    )
    sparsity: Fraction = setting(
        0.0, description="class: share of the other cells of such a matrix that are 0."
    )
    pairs: list[list[Label]] = setting(
        [], description="pairs, swap: two labels each; adversarial: true and noisy label."
    )
    by: StrictStr | None = setting(
        None, description="Column of the source, annotator, file or batch."
    )
    values: list[Label] | None = setting(
        None, description="Change rows of these values of by alone. null: of all."
    )
    matrices: dict[StrictStr, list[list[Number]]] = setting(
        {}, description="source, annotator: matrix by value of by; others make no errors."
    )
    rates: dict[StrictStr, Fraction] = setting(
        {}, description="source, annotator: rate of uniform errors by value of by."
    )
    order: StrictStr | None = setting(
        None,
        description="boundary: column of the score, lowest first; shift: column of the position "
        "in the file. null: record ids.",
    )
    runner_up: StrictStr | None = setting(
        None,
        description="boundary: column of the label that such a row gets. null: any other. A row "
        "that has its own label there, or none, does not change, and does not count.",
    )
    lag: Positive = setting(1, description="shift: rows by which labels move.")
    where: StrictStr | None = setting(
        None,
        description="SQL predicate: change these rows alone, such as those of a burst in time.",
    )
    trigger: dict[StrictStr, Any] = setting(
        {}, description="Values by column that the rows that this noise changes get."
    )

    def own_findings(self, path: str) -> list[str]:
        """Find what a kind of noise needs, or has no use for.

        Parameters
        ----------
        path : str
            Key of this noise.

        Returns
        -------
        list of str
        """
        kind, found = self.kind, []
        needs_rate = kind in _RATE or (kind == "shift" and self.values is None)
        if needs_rate and self.rate is None:
            found.append(f"{path}.rate: null, but kind {kind} needs a rate, such as 0.05")
        if kind in _PAIRS:
            found += self._pair_findings(path)
        if kind in _BY and self.by is None:
            found.append(f"{path}.by: null, but kind {kind} needs the column of its groups")
        if self.values is not None and self.by is None:
            found.append(f"{path}.values: set, but by is null; name the column in by")
        if kind == "class" and (self.matrix is None) == (self.trace is None):
            found.append(f"{path}: kind class needs either matrix, or trace (and sparsity)")
        if kind in ("source", "annotator"):
            both = {*self.matrices} & {*self.rates}
            if not self.matrices and not self.rates:
                found.append(f"{path}.rates: {{}}, but kind {kind} needs rates or matrices")
            found += [
                f"{path}.rates: {name!r} has a matrix, too; leave one of the two out"
                for name in sorted(both)
            ]
        if kind == "boundary" and self.order is None:
            found.append(f"{path}.order: null, but kind boundary needs the column of the score")
        return found

    def _pair_findings(self, path: str) -> list[str]:
        """Find pairs that are none."""
        if not self.pairs:
            return [f"{path}.pairs: [], but kind {self.kind} needs labels, such as [[cat, dog]]"]
        return [
            f"{path}.pairs: {pair!r} is no pair of different labels"
            for pair in self.pairs
            if len(pair) != 2 or pair[0] == pair[1]
        ]


class SimulateSection(Section):
    """Which noise `sparkclean simulate` plants."""

    noise: list[NoiseSection] = setting(
        description="Kinds of noise. Each chooses its rows by itself; of a row that several "
        "choose, the first has it.",
        result=True,
    )
    seed: Seed = setting(0, description="Seed of the hashes that choose rows.", result=True)

    may_be_null: ClassVar[bool] = True
    if_null: ClassVar[str] = (
        "list the noise, for instance simulate: {noise: [{kind: uniform, rate: 0.05}]}"
    )

    def findings(self, config: Config) -> list[str]:  # noqa: ARG002
        """Find noise that is none."""
        if not self.noise:
            return ["simulate.noise: [] lists no noise; list at least one kind"]
        return [
            finding
            for number, noise in enumerate(self.noise)
            for finding in noise.own_findings(f"simulate.noise.{number}")
        ]
