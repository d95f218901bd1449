"""The section of people's decisions: the review commands make them, an audit reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from pydantic import StrictStr

from sparkclean.config.sections import Config, Section, setting
from sparkclean.config.values import Count, Fraction, Positive, Seed, Switch

#: The driver holds what a plan draws.
_MOST = 100_000


class ReviewSection(Section):
    """What people look at, and the ledger of what they decided."""

    ledger: StrictStr | None = setting(
        None,
        description="Ledger of decisions. An audit leaves out suspects that it says are correct, "
        "and relabels by it. null: an audit reads none; the review commands use output.ledger.",
        result=True,
    )
    content: list[StrictStr] = setting(
        [],
        description="Columns that reviewers see. Their hash is kept with each decision: a decision "
        "no longer counts once they have changed.",
        result=True,
    )
    audit: StrictStr | None = setting(
        None,
        description="Run id of the audit that is reviewed. null: the last published audit of "
        "input.table in output.runs.",
        result=True,
    )
    reviewers: list[StrictStr] = setting([], description="Names of the reviewers.", result=True)
    annotator: StrictStr | None = setting(
        None,
        description="Column that names who gave the label; that reviewer does not get the example.",
        result=True,
    )
    reviews_per_item: Positive = setting(
        2,
        description="Reviewers that look at each example, without seeing each other.",
        result=True,
    )
    budget: Count = setting(
        200, description="Examples to look at, all parts of the plan together.", result=True
    )
    measure: Fraction = setting(
        0.5,
        description="Share of the budget for the random part, by which errors are measured.",
        result=True,
    )
    gold: Fraction = setting(
        0.1,
        description="Share of the budget for examples that were decided before; they measure the "
        "reviewers.",
        result=True,
    )
    suspects_per_class: Count = setting(
        1,
        description="Suspects of each given label that come before all others; the rest follows "
        "by rank.",
        result=True,
    )
    seed: Seed = setting(0, description="Random seed of the draw.", result=True)
    blind: Switch = setting(
        True, description="false: reviewers see the given and the suggested label.", result=True
    )
    plan: StrictStr | None = setting(
        None,
        description="Run id of the plan to export, to show or to estimate by. null: the last one.",
        result=True,
    )
    format: Literal["csv", "parquet"] = setting(
        "csv", description="Format of the files for reviewers.", result=True
    )
    files: StrictStr | list[StrictStr] | None = setting(
        None,
        description="Files or folders to import. null: those of output.review.",
        result=True,
    )

    def findings(self, config: Config) -> list[str]:  # noqa: ARG002
        """Find settings of a review that cannot hold together."""
        findings = []
        if self.measure + self.gold > 1.0 + 1e-12:
            findings.append(
                f"review.measure: {self.measure} and review.gold: {self.gold} are more than the "
                "whole budget; their sum is at most 1, and suspects get the rest"
            )
        if self.budget > _MOST:
            findings.append(
                f"review.budget: {self.budget} is more than one plan can draw; write at most "
                f"{_MOST}, and plan again"
            )
        for key, names in (("reviewers", self.reviewers), ("content", self.content)):
            findings += [
                f"review.{key}: {name!r} is named {count} times; name it once"
                for name, count in Counter(names).items()
                if count > 1
            ]
            if any(not name.strip() for name in names):
                findings.append(f"review.{key}: an entry is empty; leave it out")
        if self.reviewers and len(self.reviewers) < self.reviews_per_item:
            findings.append(
                f"review.reviews_per_item: {self.reviews_per_item}, but review.reviewers names "
                f"{len(self.reviewers)}; name more reviewers, or ask for fewer reviews"
            )
        return findings


def unaffected_but_by(keys: Iterable[str]) -> frozenset[str]:
    """Name the settings of the section on which a job's answer does not depend.

    Parameters
    ----------
    keys : iterable of str
        Those on which it does.

    Returns
    -------
    frozenset of str
        As ``review.key``.
    """
    return frozenset(f"review.{key}" for key in ReviewSection.model_fields if key not in keys)
