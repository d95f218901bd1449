"""The fault points that one job passes: others have outputs of their own."""

from __future__ import annotations

from sparkclean.faults import fault_points
from sparkclean.registry import load_job


def steps_of(job: str, *kinds: str) -> list[str]:
    """Name the points of a job by kind: ``run``, ``stage``, ``publish``."""
    outputs = {spec.name for spec in load_job(job).outputs} | {"runs"}
    found = [name.split(".") for name in fault_points()]
    return [
        ".".join(parts)
        for parts in found
        if parts[0] in kinds and (parts[0] == "run" or parts[1] in outputs)
    ]
