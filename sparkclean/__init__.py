"""Find, measure and remove wrong labels in data lakes."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparkclean.confident.issues import find_label_issues
    from sparkclean.jobs.audit.api import AuditResult, audit
    from sparkclean.lake import read

from sparkclean.version import __version__

__all__ = ["AuditResult", "__version__", "audit", "find_label_issues", "read"]

# executors import this package: each name is loaded when it is first asked for
_HOMES = {
    "AuditResult": "sparkclean.jobs.audit.api",
    "audit": "sparkclean.jobs.audit.api",
    "find_label_issues": "sparkclean.confident.issues",
    "read": "sparkclean.lake",
}

logging.getLogger("sparkclean").addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sparkclean' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
