"""Charts of what was published: of tables of pandas, pyarrow or Spark, or of an `AuditResult`.

They are drawn by Altair, which the extra ``sparkclean[report]`` brings. A job that hands a report
parts of its own finds these in `sparkclean.plots.parts`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparkclean.plots.charts import (
        calibration,
        class_table,
        confused_pairs,
        history,
        noise_matrix,
        phases,
        score_histogram,
        self_confidence,
    )

__all__ = [
    "calibration",
    "class_table",
    "confused_pairs",
    "history",
    "noise_matrix",
    "phases",
    "score_histogram",
    "self_confidence",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'sparkclean.plots' has no attribute {name!r}")
    return getattr(importlib.import_module("sparkclean.plots.charts"), name)


def __dir__() -> list[str]:
    return __all__
