"""The run record: one row that says what a run did."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any

from sparkclean.lake import Pin, safe_run_id
from sparkclean.rows.progress import Phase
from sparkclean.runs.context import Parent
from sparkclean.runs.job import Result
from sparkclean.runs.status import PUBLISHED
from sparkclean.schema import RUNS
from sparkclean.texts import hide_secrets, redact_config
from sparkclean.version import __version__


def recorded(record: Mapping[str, Any] | None, name: str) -> Any:
    """Give what the record of a run says under ``input``; None unless the run has published."""
    if record is None or record["status"] != PUBLISHED:
        return None  # one that was refused looks anew
    return json.loads(record["input"]).get(name)


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
    """Describe a pinned table without its list of files.

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


@dataclass(frozen=True)
class RunRecord:
    """What is known of a run when it begins.

    Attributes
    ----------
    job, run_id : str
        The run id is the scheduler's.
    config_fingerprint, dataset_version : str
    config, input : mapping
        The configuration; the pins, without their lists of files.
    versions : mapping
        Of the software that took part.
    parents : sequence of Parent
        Runs whose outputs are read.
    started_at : datetime
    """

    job: str
    run_id: str
    config_fingerprint: str
    dataset_version: str
    config: Mapping[str, Any]
    input: Mapping[str, Any]
    versions: Mapping[str, str]
    parents: Sequence[Parent] = ()
    started_at: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    def row(
        self,
        result: Result,
        *,
        status: str,
        message: str,
        phases: Sequence[Phase],
        outputs: Mapping[str, Any],
        bytes_written: int | None,
    ) -> dict[str, Any]:
        """Build the row of the table of runs.

        Parameters
        ----------
        result : Result
            As far as the run came.
        status, message : str
        phases : sequence of Phase
        outputs : mapping
            What was published: location and version, by name.
        bytes_written : int or None
            By versions of datasets.

        Returns
        -------
        dict
            By ``schema.RUNS``.
        """
        finished = datetime.now(timezone.utc)
        return dict.fromkeys(name for name, _ in RUNS) | {
            "run_id": safe_run_id(self.run_id),
            "original_run_id": self.run_id,
            "job": self.job,
            "status": status,
            "started_at": self.started_at,
            "finished_at": finished,
            "seconds": (finished - self.started_at).total_seconds(),
            "config_fingerprint": self.config_fingerprint,
            "dataset_version": self.dataset_version,
            "result_hash": result.result_hash,
            "rows": result.rows,
            "phases": _json([phase.to_record() for phase in phases]),
            "versions": _json(self.versions),
            "config": _json(redact_config(self.config)),
            "input": _json(self.input),
            "counts": _json({}),
            "gates": _json([asdict(verdict) for verdict in result.gates]),
            "outputs": _json(outputs),
            "message": hide_secrets(message),
            "bytes_written": bytes_written,
            "metrics": _json(result.metrics),
            "parents": _json([asdict(parent) for parent in self.parents]),
            **result.record,
        }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
