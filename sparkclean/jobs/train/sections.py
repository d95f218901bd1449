"""The training's part of the configuration."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import StrictStr

from sparkclean.config.sections import Config, Section, setting


class TrainSection(Section):
    """How the final model is trained after an audit, by ``sparkclean train``."""

    mode: Literal["cleaned", "weights", "robust"] = setting(
        "cleaned",
        description="cleaned: on the cleaned version; weights: on that of clean.mode weight, by "
        "its weights; robust: on all audited rows, by a loss that bears wrong labels.",
        result=True,
    )
    audit: StrictStr | None = setting(
        None,
        description="Run id of the audit; null: the last published one of input.table in "
        "output.runs.",
        result=True,
    )
    test: StrictStr | None = setting(
        None,
        description="Table of examples whose labels are trusted, with the same columns: the model "
        "is measured on it.",
        result=True,
    )
    estimator: StrictStr | None = setting(
        None,
        description="Import path of a classifier of scikit-learn; null: that of predict, in mode "
        "robust softmax regression.",
        result=True,
    )
    params: dict[StrictStr, Any] | None = setting(
        None,
        description="Parameters of the classifier; null: those of predict for its estimator. In "
        "mode robust those of RobustClassifier, whose loss is forward_correction by default.",
        result=True,
    )

    def findings(self, config: Config) -> list[str]:  # noqa: ARG002
        """Find settings of a training that cannot hold together."""
        if self.mode == "robust" and self.estimator is not None:
            return [
                f"train.estimator: {self.estimator!r} has no effect with train.mode: 'robust', "
                "which trains by a loss of its own; leave it, and choose the loss in train.params"
            ]
        return []

    def tables(self) -> dict[str, str]:
        """Give the table that is read besides what was audited."""
        return {} if self.test is None else {"train.test": self.test}
