"""The consensus' parts of the configuration."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar, Literal

from pydantic import StrictStr, field_validator

from sparkclean.config.sections import Config, Section, setting
from sparkclean.config.values import Fraction, NotNegative, Positive

Method = Literal["auto", "majority_vote", "wawa", "dawid_skene", "crowdlab"]


class AnnotationsSection(Section):
    """The table of annotations: a row says which label an annotator gave to an item."""

    run_table: ClassVar[tuple[str, ...]] = ("table",)
    may_be_null: ClassVar[bool] = True
    if_null: ClassVar[str] = (
        "name the table and its columns, for instance annotations: {table: data/annotations, "
        "item: item_id, annotator: worker, label: label}"
    )

    table: StrictStr = setting(
        description="The table of annotations: a path or URI, or a name in a catalog."
    )
    item: StrictStr | list[StrictStr] = setting(
        "item_id",
        description="Record id of the item: a column or a list of columns.",
        result=True,
    )
    annotator: StrictStr = setting(
        "annotator",
        description="Who gave the label: integers or strings. A language model is an annotator "
        "like any other.",
        result=True,
    )
    label: StrictStr = setting(
        "label",
        description="The label that was given: integers, strings or booleans. Rows without one "
        "are left out.",
        result=True,
    )
    time: StrictStr | None = setting(
        None,
        description="When the label was given: a timestamp, a date or an integer. Needed where an "
        "annotator has given an item two labels.",
        result=True,
    )
    duplicates: Literal["latest", "error"] = setting(
        "latest",
        description="An annotator's second label of the same item: the latest counts (latest), or "
        "the run stops (error).",
        result=True,
    )

    @field_validator("item")
    @classmethod
    def _one(cls, item: str | list[str]) -> str | list[str]:
        """Write a list of one name as that name, which is the same configuration."""
        return item[0] if isinstance(item, list) and len(item) == 1 else item

    @property
    def item_columns(self) -> tuple[str, ...]:
        """Record id columns."""
        return (self.item,) if isinstance(self.item, str) else tuple(self.item)

    def findings(self, config: Config) -> list[str]:  # noqa: ARG002
        """Find columns that are none, or that have two meanings."""
        if not self.item_columns:
            return ["annotations.item: [] names no column; name at least one"]
        names = [*self.item_columns, self.annotator, self.label]
        named = Counter([*names, *([] if self.time is None else [self.time])])
        return [
            f"annotations: {name!r} is named {count} times; each column has one meaning"
            for name, count in named.items()
            if count > 1
        ]


class ConsensusSection(Section):
    """How `sparkclean consensus` decides on a label for each item."""

    method: Method = setting(
        "auto",
        description="majority_vote; wawa (votes weighed by agreement with the majority); "
        "dawid_skene (a confusion matrix for each annotator); crowdlab (annotators and models as "
        "weighted voters). auto: crowdlab with predictions, else dawid_skene.",
        result=True,
    )
    predictions: list[StrictStr] = setting(
        [],
        description="Tables of predicted probabilities, one for each model: record id and "
        "columns.pred_probs. Every item needs a row in each.",
        result=True,
    )
    smoothing: NotNegative = setting(
        1.0,
        description="dawid_skene: pseudo-annotations of each annotator and true class, spread as "
        "all annotators together spread theirs. More than 0.",
        result=True,
    )
    max_iterations: Positive = setting(
        100, description="dawid_skene: most passes over the items.", result=True
    )
    tolerance: NotNegative = setting(
        1.0e-7,
        description="dawid_skene: it ends when a pass gains less in log posterior for each "
        "annotation.",
        result=True,
    )
    adjudicate_below: Fraction = setting(
        0.7,
        description="Quality of a consensus below which a person should look at the item.",
        result=True,
    )

    def findings(self, config: Config) -> list[str]:  # noqa: ARG002
        """Find settings that cannot hold together."""
        findings = []
        if self.method == "crowdlab" and not self.predictions:
            findings.append(
                "consensus.method: 'crowdlab' needs a model; name its table in "
                "consensus.predictions, or choose dawid_skene"
            )
        if not self.smoothing > 0:
            findings.append(
                f"consensus.smoothing: {self.smoothing:g} is not above 0; an annotator who never "
                "gave a class would then be sure never to give it"
            )
        return findings

    @property
    def chosen_method(self) -> str:
        """The method, `auto` decided."""
        if self.method != "auto":
            return self.method
        return "crowdlab" if self.predictions else "dawid_skene"

    def tables(self) -> dict[str, str]:
        """Give the tables that are read besides the annotations."""
        return {
            f"consensus.predictions[{place}]": name for place, name in enumerate(self.predictions)
        }
