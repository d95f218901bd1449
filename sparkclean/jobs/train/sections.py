"""The training's part of the configuration."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import StrictStr

from sparkclean.config.sections import Config, Section, setting


class TrainSection(Section):
    """How `sparkclean train` trains the final model after an audit."""

    mode: Literal["cleaned", "weights", "robust"] = setting(
        "cleaned",
        description="cleaned: on the cleaned version; weights: on a cleaned version of clean.mode "
        "weight, with its weights; robust: on all audited rows, with a noise-robust loss.",
        result=True,
    )
    audit: StrictStr | None = setting(
        None,
        description="Run id of the audit. null: the last published audit of input.table in "
        "output.runs.",
        result=True,
    )
    test: StrictStr | None = setting(
        None,
        description="Test table: examples with trusted labels, in the same columns. The run "
        "measures the model on it.",
        result=True,
    )
    estimator: StrictStr | None = setting(
        None,
        description="Import path of a scikit-learn classifier. null: the estimator of predict; in "
        "mode robust softmax regression.",
        result=True,
    )
    params: dict[StrictStr, Any] | None = setting(
        None,
        description="Parameters of the classifier. null: those of predict, for its estimator. In "
        "mode robust: those of RobustClassifier, whose default loss is forward_correction.",
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
