"""The run record: one row that says what a run did, and the state that a retry resumes on."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any

from sparkclean import __version__
from sparkclean.cluster.findings import Findings
from sparkclean.cluster.gate import Verdict
from sparkclean.cluster.progress import Phase
from sparkclean.lake import Pin

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
    run_id, original_run_id : str
        The safe name, and the scheduler's.
    config_fingerprint, dataset_version : str
    config, input : dict
        The configuration; the pin without its list of files.
    versions : dict
    """

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

    def row(self, findings: Findings | None, phases: Sequence[Phase]) -> dict[str, Any]:
        """Build the row of the table of runs.

        Parameters
        ----------
        findings : Findings or None
            None where the run stopped before.
        phases : sequence of Phase

        Returns
        -------
        dict
            By ``schema.RUNS``.
        """
        finished = datetime.now(timezone.utc)
        counts: dict[str, Any] = {}
        if findings is not None:
            counts = {
                "rejections": findings.statistics.rejections,
                "clipped": findings.statistics.clipped,
                "warnings": list(findings.warnings),
                "noise_rate": findings.noise.noise_rate,
            }
        statistics = findings.statistics if findings else None
        return {
            "run_id": self.run_id,
            "original_run_id": self.original_run_id,
            "status": self.status,
            "started_at": self.started_at,
            "finished_at": finished,
            "seconds": (finished - self.started_at).total_seconds(),
            "config_fingerprint": self.config_fingerprint,
            "dataset_version": self.dataset_version,
            "result_hash": self.result_hash,
            "rows": statistics.rows if statistics else None,
            "audited": statistics.audited if statistics else None,
            "rejected": statistics.rows - statistics.audited if statistics else None,
            "suspects": findings.num_suspects if findings else None,
            "classes": len(findings.thresholds) if findings else None,
            "phases": _json([asdict(phase) for phase in phases]),
            "versions": _json(self.versions),
            "config": _json(self.config),
            "input": _json(self.input),
            "counts": _json(counts),
            "gates": _json([asdict(verdict) for verdict in self.gates]),
            "outputs": _json(self.outputs),
            "message": self.message,
            "bytes_written": self.bytes_written,
            "remembered": findings.remembered if findings else None,
        }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
