"""The run record: one row that says what a run did, and the state that a retry resumes on."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any

from sparkclean.lake import Pin
from sparkclean.rows.progress import Phase
from sparkclean.runs.gates import Verdict
from sparkclean.schema import RUNS
from sparkclean.version import __version__

PUBLISHED = "published"
GATE_FAILED = "gate_failed"
#: Suspects were recorded; another run's cleaned version was first.
CLEANED_CONFLICT = "cleaned_conflict"

_PACKAGES = ("pyspark", "numpy", "pandas", "pyarrow", "scikit-learn", "pydantic", "PyYAML")


def package_versions(spark_version: str) -> dict[str, str]:
    """List the versions of everything that took part.

    Parameters
    ----------
    spark_version : str

    Returns
    -------
    dict
    """
    versions = {"sparkclean": __version__, "spark": spark_version}
    versions["python"] = platform.python_version()
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def pin_summary(pin: Pin) -> dict[str, Any]:
    """Describe the pinned input without its list of files.

    Parameters
    ----------
    pin : Pin

    Returns
    -------
    dict
    """
    content: dict[str, Any] = json.loads(pin.to_json())
    content["files"] = len(pin.files)
    content.pop("schema_groups")
    return content


@dataclass
class RunRecord:
    """What a run did, gathered while it goes on.

    Attributes
    ----------
    job, run_id, original_run_id : str
        The safe name of the run, and the scheduler's.
    config_fingerprint, dataset_version : str
    config, input : dict
        The configuration; the pin without its list of files.
    versions : dict
    """

    job: str
    run_id: str
    original_run_id: str
    config_fingerprint: str
    dataset_version: str
    config: Mapping[str, Any]
    input: Mapping[str, Any]
    versions: Mapping[str, str]
    started_at: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    status: str = PUBLISHED
    message: str = ""
    result_hash: str | None = None
    gates: Sequence[Verdict] = ()
    outputs: Mapping[str, Any] = field(default_factory=dict)
    bytes_written: int | None = None

    def row(self, phases: Sequence[Phase], found: Mapping[str, Any]) -> dict[str, Any]:
        """Build the row of the table of runs.

        Parameters
        ----------
        phases : sequence of Phase
        found : mapping
            What the job has to say, by column; empty where the run stopped before.

        Returns
        -------
        dict
            By ``schema.RUNS``.
        """
        finished = datetime.now(timezone.utc)
        return dict.fromkeys(name for name, _ in RUNS) | {
            "job": self.job,
            "run_id": self.run_id,
            "original_run_id": self.original_run_id,
            "status": self.status,
            "started_at": self.started_at,
            "finished_at": finished,
            "seconds": (finished - self.started_at).total_seconds(),
            "config_fingerprint": self.config_fingerprint,
            "dataset_version": self.dataset_version,
            "result_hash": self.result_hash,
            "phases": _json([asdict(phase) for phase in phases]),
            "versions": _json(self.versions),
            "config": _json(self.config),
            "input": _json(self.input),
            "counts": _json({}),
            "gates": _json([asdict(verdict) for verdict in self.gates]),
            "outputs": _json(self.outputs),
            "message": self.message,
            "bytes_written": self.bytes_written,
            **found,
        }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
