"""Train a final model after an audit: pin, profile, sample, train, measure, record."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkclean import schema
from sparkclean.config.model import PredictSection, resolve_classes, training_fingerprint
from sparkclean.errors import ConfigError, InputError
from sparkclean.examples.columns import check_classes
from sparkclean.faults import fault_point
from sparkclean.jobs.train.audits import Audit, find_audit, recall_audit
from sparkclean.jobs.train.classifier import (
    Classifier,
    check_classifier,
    choose_classifier,
    predict_section,
)
from sparkclean.jobs.train.final import train_final_model
from sparkclean.jobs.train.noise import collect_classes, collect_noise
from sparkclean.jobs.train.output import describe, record_numbers, summarise
from sparkclean.jobs.train.training_table import (
    collect_training_profile,
    open_training_table,
    rows_of_mode,
)
from sparkclean.jobs.train.trusted import (
    TrustedTable,
    check_trusted,
    count_overlap,
    measure_model,
    open_trusted,
)
from sparkclean.lake import Staging, TargetTable, open_target
from sparkclean.lake.run_state import RunState
from sparkclean.learning.columns import LearningColumns, check_columns
from sparkclean.learning.model_files import read_entries
from sparkclean.learning.model_folder import has_models, model_folder
from sparkclean.runs.outputs import Outputs
from sparkclean.runs.pinned_run import PinnedRun
from sparkclean.runs.record import GATE_FAILED, PUBLISHED, RunRecord, pin_summary

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_log = logging.getLogger("sparkclean")


@dataclass
class TrainRun(PinnedRun):
    """One training after one audit.

    What is pinned and trained on is the cleaned version that the audit has published, or, for a
    robust loss, what it has audited.
    """

    audit: Audit = field(init=False)
    test: TrustedTable | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        # what is read follows from the audit, which follows from the run records
        self._open_outputs()

    @property
    def predict(self) -> PredictSection:
        """Section ``predict`` of the configuration, which names the features."""
        return predict_section(self.config)

    def _open_targets(self, work: Path | None) -> dict[str, TargetTable]:
        output = self.config.output
        if output.runs is None:
            raise ConfigError(
                "output.runs: null, but a training finds its audit in the run records; name those "
                "of the audit"
            )
        return {
            "runs": open_target(
                output.runs, output.format, spark=self.spark, work=work, layout="copy"
            )
        }

    def prepare(self) -> None:
        """Find the audit, pin what is read and check the configuration. Writes nothing.

        Raises
        ------
        ConfigError, InputError
        """
        train, source, runs = self.config.train, self.config.input, self.targets["runs"]
        self.classifier: Classifier = choose_classifier(train, self.predict)
        check_classifier(self.classifier, self.predict)
        state = RunState.load(str(self.home), self.run_id)
        # a repetition goes by the audit that it was begun with, whatever was audited since
        name = train.audit or (
            state.audit if state else recall_audit(self.spark, runs, self.run_id)
        )
        self.audit = find_audit(self.spark, runs, name, self.config)
        if self.audit.where != source.where:
            _log.warning(
                "input.where is %s, and that of audit %s was %s: rows that were not audited may be "
                "trained on",
                source.where,
                self.audit.run_id,
                self.audit.where,
            )
        self.source, self.given = open_training_table(
            self.spark,
            source,
            self.audit,
            train.mode,
            pin=state is None,
            is_finished=state is None and runs.run_status(self.run_id) == PUBLISHED,
        )
        self._pin()
        self.columns: LearningColumns = check_columns(
            self.audited.schema, self.config.columns, self.predict
        )
        self.rows: DataFrame = rows_of_mode(self.audited, train.mode)
        self.classes = resolve_classes(self.config)
        if self.classes is not None:
            check_classes(self.classes, self.columns.label, self.columns.label_type)
        if train.test is not None:
            remembered = None if state is None else state.test
            self.test = open_trusted(self.spark, train.test, remembered, self.columns, self.predict)
        self._check_run(training_fingerprint(self.config, self.classes or ()))

    def _run_state(self) -> RunState:
        test = None if self.test is None else self.test.pin
        return replace(super()._run_state(), audit=self.audit.run_id, test=test)

    def _record(self) -> RunRecord:
        record = super()._record()
        more = {"audit": self.audit.run_id, "train_mode": self.config.train.mode}
        tested = {} if self.test is None else {"test": pin_summary(self.test.pin)}
        record.input = {**record.input, **more, **tested}
        return record

    @property
    def folder(self) -> Path:
        """Folder of the model."""
        return model_folder(self.config.output.models, self.run_id)

    @property
    def _identity(self) -> dict[str, str]:
        return {
            "config_fingerprint": self.fingerprint,
            "input": self.pin.dataset_version,
            "input_table": self.pin.table,
            "audit": self.audit.run_id,
        }

    def _work(self, staging: Staging, outputs: Outputs, record: RunRecord) -> str:
        """Train, measure and record.

        Reads the features of the training table three times: to check them, to count rows by label,
        and to sample the training rows; the record ids as `count_duplicate_ids` does. With a test
        table once more, to look for its rows among them.
        """
        work, columns, predict = Path(staging.path) / "work", self.columns, self.predict
        overlap = 0
        try:
            noise, classes = None, self.classes
            if self.classifier.needs_noise:
                noise, classes = collect_noise(self.spark, self.audit, self.classes)
            elif classes is None:
                classes = collect_classes(self.spark, self.audit)
            with self.progress.phase("check features and record ids") as phase:
                profile = collect_training_profile(self.rows, columns, predict, classes)
                phase.rows = profile.rows
            self.on_classes(max(len(profile.classes), profile.num_numbers))
            if self.test is not None:
                with self.progress.phase("check the test table"):
                    check_trusted(self.test, columns, predict, profile)
                    overlap = count_overlap(self.test, self.rows, columns, profile)
            if not has_models(self.folder, self._identity, self.run_id):
                train_final_model(
                    self.rows,
                    columns,
                    predict,
                    self.classifier,
                    profile,
                    noise=noise,
                    folder=self.folder,
                    work=work,
                    pin=self.pin,
                    identity=self._identity,
                    run_id=self.run_id,
                    progress=self.progress,
                )
        except InputError as exc:
            record.status, record.message = GATE_FAILED, str(exc)
            self._publish_record(outputs, record, {})
            raise
        fault_point("predict.trained")
        report = None
        if self.test is not None:
            with self.progress.phase("measure on the test table") as phase:
                report = measure_model(
                    self.test, columns, predict, profile, folder=self.folder, work=work
                )
                phase.rows = report.overall.rows if report.overall else 0
            self.test.source.verify(self.test.pin)
        (entry,) = read_entries(self.folder)
        with self.progress.phase("publish"):
            self.source.verify(self.pin)
            fault_point("run.verified")
            self._publish_record(outputs, record, record_numbers(entry, profile, report, overlap))
        places = {"model": str(self.folder), "runs": self.targets["runs"].location}
        return summarise(entry, self.classifier, self.audit, profile, report=report, places=places)

    def _publish_record(self, outputs: Outputs, record: RunRecord, more: Mapping[str, Any]) -> None:
        record.outputs = outputs.versions()
        if record.status != GATE_FAILED:
            model = {"location": str(self.folder.parent), "version": self.folder.name}
            record.outputs = {**record.outputs, "model": model}
        row = record.row(self.progress.phases, more)
        outputs.stage_rows("runs", [row], schema.RUNS)
        outputs.publish("runs", replace_run=True)


def describe_training(run: TrainRun) -> str:
    """Describe what a run that is prepared would do, in several lines. Writes nothing."""
    return describe(
        run.pin,
        run.audit,
        run.predict,
        run.classifier,
        None if run.test is None else run.test.pin,
        folder=run.folder,
        runs=run.targets["runs"].location,
        fingerprint=run.fingerprint,
    )
