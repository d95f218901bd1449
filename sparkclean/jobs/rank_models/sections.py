"""The part of the configuration of `sparkclean rank-models`."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar, Literal

from pydantic import StrictStr

from sparkclean.config.sections import Config, Section, setting
from sparkclean.locations import same_place

#: Metrics, in the order of the output.
Metric = Literal["accuracy", "balanced_accuracy", "macro_f1", "log_loss"]


class AnswersSection(Section):
    """What the models answered: a row for each item and model, or a column for each model."""

    table: StrictStr = setting(description="Table of the answers.")
    item: StrictStr = setting("item", description="Column that identifies the item.", result=True)
    model: StrictStr | None = setting(
        None,
        description="Column that names the model. null: each column of predictions is a model.",
        result=True,
    )
    prediction: StrictStr | None = setting(
        None,
        description="Column of the predicted label; null in it counts as wrong.",
        result=True,
    )
    predictions: list[StrictStr] = setting(
        [],
        description="Columns of predicted labels, one for each model, which they name.",
        result=True,
    )
    probabilities: StrictStr | None = setting(
        None,
        description="Array column of probabilities, in the order of classes, instead of "
        "prediction: the class of the highest one counts, and log loss is measured, too.",
        result=True,
    )

    @property
    def is_long(self) -> bool:
        """Whether a row is the answer of one model."""
        return self.model is not None


class LabelsSection(Section):
    """The labels of the items, and what is known of them."""

    table: StrictStr = setting(description="Table of the labels.", result=True)
    item: StrictStr = setting("item", description="Column that identifies the item.", result=True)
    label: StrictStr = setting("label", description="Column of the original label.", result=True)
    corrected: StrictStr | None = setting(
        None,
        description="Column of the corrected label, null where there is none.",
        result=True,
    )
    valid: StrictStr | None = setting(
        None,
        description="SQL predicate: the original label is right. null: it is right where no "
        "other label is in corrected.",
        result=True,
    )
    cleaned: StrictStr | None = setting(
        None,
        description="Cleaned version that an audit made of the table: items that are not in it, "
        "or have another label there, have bad labels.",
        result=True,
    )
    suspects: StrictStr | None = setting(
        None,
        description="Suspect table of an audit of the table: its items have bad labels.",
        result=True,
    )
    audit: StrictStr | None = setting(
        None,
        description="Run id of the audit, where suspects holds the suspects of several.",
        result=True,
    )

    @property
    def is_checked(self) -> bool:
        """Whether something else than a model says which labels are right."""
        return self.valid is not None or self.corrected is not None

    @property
    def audited(self) -> str | None:
        """Table of an audit that says which labels are right."""
        return self.cleaned or self.suspects

    @property
    def is_known(self) -> bool:
        """Whether anything is known of the labels."""
        return self.is_checked or self.audited is not None


class RankSection(Section):
    """Which models `sparkclean rank-models` compares, on which labels."""

    answers: AnswersSection = setting(
        description="What the models answered.",
        result=True,
    )
    labels: LabelsSection = setting(
        description="The labels of the items, and what is known of them.",
        result=True,
    )
    metrics: list[Metric] | None = setting(
        None,
        description="Metrics: accuracy, balanced_accuracy, macro_f1, log_loss. null: all that the "
        "answers allow.",
        result=True,
    )
    missing: Literal["reject", "wrong"] = setting(
        "reject",
        description="Items without a row of some model: stop with an error (reject), or count "
        "them as wrong (wrong).",
        result=True,
    )

    may_be_null: ClassVar[bool] = True
    if_null: ClassVar[str] = (
        "name the answers and the labels, for instance rank: {answers: {table: data/answers, "
        "model: model, prediction: answer}, labels: {table: data/questions}}"
    )
    run_table: ClassVar[tuple[str, ...]] = ("answers", "table")

    def findings(self, config: Config) -> list[str]:
        """Find settings that contradict each other."""
        return [*self._answer_findings(config), *self._label_findings(), *self._metric_findings()]

    def _answer_findings(self, config: Config) -> list[str]:
        answers, found = self.answers, []
        probs = answers.probabilities
        if answers.is_long:
            if answers.predictions:
                found.append(
                    "rank.answers.predictions: lists columns, but rank.answers.model names a "
                    "column of models; leave one of the two out"
                )
            if (answers.prediction is None) == (probs is None):
                found.append(
                    "rank.answers: name either prediction, the column of predicted labels, or "
                    "probabilities"
                )
        else:
            if answers.prediction is not None or probs is not None:
                found.append(
                    "rank.answers.model: null, so list a column for each model in "
                    "rank.answers.predictions; or name the column of the model"
                )
            elif len(answers.predictions) < 2:
                found.append(
                    f"rank.answers.predictions: {answers.predictions!r} lists "
                    f"{len(answers.predictions)} columns; a ranking needs at least 2 models"
                )
            found += [
                f"rank.answers.predictions: {name!r} is listed {count} times; list it once"
                for name, count in Counter(answers.predictions).items()
                if count > 1
            ]
        if probs is not None and config.classes is None:
            found.append(
                f"classes: null, but rank.answers.probabilities is {probs!r}; list the labels in "
                "the order of the probabilities"
            )
        return found

    def _label_findings(self) -> list[str]:
        labels = self.labels
        if labels.cleaned is not None and labels.suspects is not None:
            return [
                "rank.labels: cleaned and suspects both name an audit's output; leave one of the "
                "two out"
            ]
        if labels.is_checked and labels.audited is not None:
            key = "cleaned" if labels.cleaned is not None else "suspects"
            return [
                f"rank.labels.{key}: an audit's output, but valid or corrected say which labels "
                "are right; leave one of the two out"
            ]
        return []

    def _metric_findings(self) -> list[str]:
        if self.metrics is None:
            return []
        found = []
        if not self.metrics:
            found.append("rank.metrics: [] names no metric; name one, or leave it out")
        if "log_loss" in self.metrics and self.answers.probabilities is None:
            found.append(
                "rank.metrics: log_loss needs probabilities; name their column in "
                "rank.answers.probabilities, or leave log_loss out"
            )
        return found + [
            f"rank.metrics: {name!r} is listed {count} times; list it once"
            for name, count in Counter(self.metrics).items()
            if count > 1
        ]

    def tables(self) -> dict[str, str]:
        """Give the table that is read besides the answers; an audit's may be among the outputs."""
        same = same_place(self.labels.table, self.answers.table)
        return {} if same else {"rank.labels.table": self.labels.table}

    @property
    def chosen_metrics(self) -> tuple[Metric, ...]:
        """Metrics that are measured, in the order of the output."""
        every: tuple[Metric, ...] = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")
        if self.metrics is not None:
            return tuple(name for name in every if name in self.metrics)
        return every if self.answers.probabilities is not None else every[:3]

    @property
    def needs_classes(self) -> bool:
        """Whether a metric counts by class."""
        return bool({"balanced_accuracy", "macro_f1"} & {*self.chosen_metrics})
