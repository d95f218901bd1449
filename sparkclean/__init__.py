"""Find, measure and remove wrong labels in data lakes."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparkclean import functions, plots
    from sparkclean.commands.jobs import run_job
    from sparkclean.confident.issues import find_label_issues
    from sparkclean.errors import ConfigError, InputError, SparkCleanError
    from sparkclean.jobs.audit.api import audit
    from sparkclean.jobs.audit.result import AuditResult
    from sparkclean.jobs.predict.api import predict
    from sparkclean.lake import read
    from sparkclean.learning import losses
    from sparkclean.learning.array_issues import find_label_issues_from_features
    from sparkclean.learning.final_model import load_model
    from sparkclean.learning.robust_classifier import RobustClassifier

from sparkclean.version import __version__

__all__ = [
    "AuditResult",
    "ConfigError",
    "InputError",
    "RobustClassifier",
    "SparkCleanError",
    "__version__",
    "audit",
    "find_label_issues",
    "find_label_issues_from_features",
    "functions",
    "load_model",
    "losses",
    "plots",
    "predict",
    "read",
    "run_job",
]

# executors import this package: each name is loaded when it is first asked for
_HOMES = {
    "AuditResult": "sparkclean.jobs.audit.result",
    "ConfigError": "sparkclean.errors",
    "InputError": "sparkclean.errors",
    "RobustClassifier": "sparkclean.learning.robust_classifier",
    "SparkCleanError": "sparkclean.errors",
    "audit": "sparkclean.jobs.audit.api",
    "find_label_issues": "sparkclean.confident.issues",
    "find_label_issues_from_features": "sparkclean.learning.array_issues",
    "functions": "sparkclean.functions",
    "load_model": "sparkclean.learning.final_model",
    "losses": "sparkclean.learning.losses",
    "plots": "sparkclean.plots",
    "predict": "sparkclean.jobs.predict.api",
    "read": "sparkclean.lake",
    "run_job": "sparkclean.commands.jobs",
}

logging.getLogger("sparkclean").addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sparkclean' has no attribute {name!r}")
    home = importlib.import_module(_HOMES[name])
    return home if _HOMES[name].endswith(f".{name}") else getattr(home, name)


def __dir__() -> list[str]:
    return __all__
