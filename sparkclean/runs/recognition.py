"""A run that has finished, recognised without Spark: a scheduler's retry need not wait for Java."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sparkclean.config.fingerprint import changed_settings
from sparkclean.lake import open_source
from sparkclean.lake.run_state import RunState
from sparkclean.runs.result import JobResult, finished_result
from sparkclean.runs.status import PUBLISHED
from sparkclean.schema import RUN_RECORDS
from sparkclean.version import __version__

if TYPE_CHECKING:
    from sparkclean.config.sections import Config
    from sparkclean.runs.runner import Runner


def recognise(runner: Runner) -> JobResult | None:
    """Recognise a run that has finished, where its record leaves no doubt.

    Parameters
    ----------
    runner : Runner
        Without a session.

    Returns
    -------
    JobResult or None
        None where a session must look: other settings, another version of the software, labels in
        a file, an input that has changed since, tables that are not Parquet.

    Raises
    ------
    Exception
        Of any kind, where something asks for the session: nothing is known then.

    Notes
    -----
    Reads the run record, manifests and the footers of the input.
    """
    record, job = runner.find_record(), runner.job
    if record is None or record["status"] != PUBLISHED or not _is_same(record, runner):
        return None
    if RunState.load(runner.home, job.name, runner.run_id) is not None:
        return None
    published = runner.find_published()
    datasets = {name for name in runner.targets if not runner.specs[name].accumulates}
    if not datasets <= set(published):
        return None
    outputs = {
        name: {"location": runner.targets[name].location, "version": version.name}
        for name, version in published.items()
        if name != RUN_RECORDS.name
    }
    metrics = json.loads(record.get("metrics") or "{}")
    return finished_result(job.name, runner.run_id, outputs, metrics)


def _is_same(record: Mapping[str, Any], runner: Runner) -> bool:
    """Tell whether a record is of these settings, by this software, of the input as it is."""
    config, job = runner.config, runner.job
    before = json.loads(record["config"] or "{}")
    made_by = json.loads(record["versions"] or "{}").get("sparkclean")
    if not before or made_by != __version__ or isinstance(config.classes, str):
        return False
    return (
        before["input"] == config.input.model_dump(mode="json")
        and not changed_settings(before, config, job.sections, without=job.unaffected_by)
        and _is_same_input(json.loads(record["input"] or "{}"), config)
    )


def _is_same_input(recorded: Mapping[str, Any], config: Config) -> bool:
    """Tell whether the tables that are named are there as the run has read them."""
    read = {"input.table": recorded, "input.predictions": recorded.get("predictions") or {}}
    for key, table in config.input.tables().items():
        is_input = key == "input.table"
        source = open_source(table, config.input.format if is_input else "auto")
        pin = source.pin(config.input.version if is_input else None)
        known = read[key].get("table"), read[key].get("dataset_version")
        if known != (pin.table, pin.dataset_version):
            return False
    return True
