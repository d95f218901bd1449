"""Functions of columns, for ``select``, SQL and streams: scores, and issues by an old audit.

``from sparkclean import functions``. They stand in `sparkclean.jobs.audit.functions`.
"""

from sparkclean.jobs.audit.functions import (
    confidence_weighted_entropy,
    label_issue,
    normalized_margin,
    predicted_label,
    register,
    self_confidence,
    suggested_label,
)

__all__ = [
    "confidence_weighted_entropy",
    "label_issue",
    "normalized_margin",
    "predicted_label",
    "register",
    "self_confidence",
    "suggested_label",
]
