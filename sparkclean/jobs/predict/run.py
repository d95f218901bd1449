"""Predict a table out of sample: pin, profile, sample, train a model a fold, score, publish."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sparkclean import schema
from sparkclean.config.model import PredictSection, prediction_fingerprint, resolve_classes
from sparkclean.errors import ConfigError, InputError, SparkCleanError
from sparkclean.examples.columns import check_classes
from sparkclean.faults import fault_point
from sparkclean.jobs.predict.checks import (
    collect_checked_profile,
    find_rare_classes,
    plan_files,
    predict_section,
)
from sparkclean.jobs.predict.models import find_pins, train_models
from sparkclean.jobs.predict.output import (
    describe,
    record_numbers,
    stage_predictions,
    summarise,
)
from sparkclean.lake import Pin, Staging, TargetTable, open_target, safe_run_id
from sparkclean.learning.columns import LearningColumns, check_columns
from sparkclean.learning.engine import Job
from sparkclean.learning.engines import open_engine
from sparkclean.learning.feature_files import FeatureFiles
from sparkclean.learning.model_folder import has_models, model_folder
from sparkclean.learning.profile import Profile
from sparkclean.learning.quality import QualityReport
from sparkclean.learning.scored import quality_of
from sparkclean.rows.emitted import PREDICTED
from sparkclean.runs.outputs import Outputs
from sparkclean.runs.pinned_run import PinnedRun
from sparkclean.runs.provenance import Provenance
from sparkclean.runs.record import GATE_FAILED, RunRecord

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass
class PredictRun(PinnedRun):
    """One prediction of one table."""

    @property
    def predict(self) -> PredictSection:
        """Section ``predict`` of the configuration."""
        return predict_section(self.config)

    def _open_targets(self, work: Path | None) -> dict[str, TargetTable]:
        output = self.config.output
        places = {"predictions": output.predictions}
        if output.runs is not None:
            places["runs"] = output.runs
        return {
            name: open_target(place, output.format, spark=self.spark, work=work, layout="copy")
            for name, place in places.items()
        }

    def prepare(self) -> None:
        """Pin the input and check the configuration against it. Writes nothing.

        Raises
        ------
        ConfigError, InputError
        """
        predict = self.predict
        if self.config.input.predictions is not None:
            raise ConfigError(
                "input.predictions: is for audits; predictions are written to output.predictions"
            )
        self._engine = open_engine(predict.engine)
        self._engine.check(self.spark, predict)
        self._pin()
        taken = {name for name, _ in schema.PREDICTIONS}
        self.columns: LearningColumns = check_columns(
            self.audited.schema, self.config.columns, predict, taken=taken
        )
        self.classes = resolve_classes(self.config)
        if self.classes is not None:
            check_classes(self.classes, self.columns.label, self.columns.label_type)
        self._check_run(prediction_fingerprint(self.config, self.classes or ()))

    def _work(self, staging: Staging, outputs: Outputs, record: RunRecord) -> str:
        """Train and predict, and publish.

        Reads the features three times: to check them and count rows by fold and label (twice, where
        they are not in files), to sample the training rows, and to predict; the record ids as
        `count_duplicate_ids` does. For Spark ML sample and predictions are of one staged copy.
        """
        work, folder, identity = Path(staging.path) / "work", self.folder, self._identity
        rows = self.columns.narrow(
            self.audited, self.predict, group=self.predict.group, n_folds=self.predict.n_folds
        )
        try:
            files = plan_files(
                self.table,
                self.columns,
                config=self.config,
                predict=self.predict,
                paths=self.source.plain_files(self.pin),
                work=work,
            )
            profile = self._check(rows, outputs, files)
            engine = self._engine(self._job(rows, work, profile, files))
            if not has_models(folder, identity, self.run_id):
                train_models(
                    engine,
                    folder,
                    rare=find_rare_classes(profile, self.predict),
                    predict=self.predict,
                    pin=self.pin,
                    identity=identity,
                    run_id=self.run_id,
                )
        except InputError as exc:
            record.status, record.message = GATE_FAILED, str(exc)
            self._publish_record(outputs, record, None, None)
            raise
        fault_point("predict.trained")
        with self.progress.phase("predict") as phase:
            output = engine.predict(folder)
            predicted = output.streams[PREDICTED]
            report = quality_of(output.states, self.predict.n_folds, len(profile.classes))
            phase.rows = predicted.rows
        self.source.verify(self.pin)
        fault_point("run.audited")
        if predicted.rows != profile.rows:
            raise SparkCleanError(
                f"predictions: {predicted.rows:,} rows were predicted where {profile.rows:,} must "
                "be; nothing was published. The input may have changed: run again"
            )
        if outputs.wants("predictions"):
            provenance = Provenance(
                self.pin.dataset_version, self.fingerprint, safe_run_id(self.run_id)
            )
            with self.progress.phase("write predictions") as phase:
                phase.rows = stage_predictions(outputs, predicted, self.columns, provenance)
        with self.progress.phase("publish"):
            self.source.verify(self.pin)
            fault_point("run.verified")
            outputs.publish("predictions")
            self._publish_record(outputs, record, profile, report)
        return summarise(report, profile, outputs.places() | {"models": str(folder)})

    def _check(self, rows: DataFrame, outputs: Outputs, files: FeatureFiles | None) -> Profile:
        """Check the input; note the classes, in whose order probabilities are, for the audit."""
        with self.progress.phase("check features and record ids") as phase:
            profile = collect_checked_profile(
                self.audited, rows, self.columns, self.predict, classes=self.classes, files=files
            )
            phase.rows = profile.rows
        noted = {"classes": json.dumps(profile.classes, ensure_ascii=False)}
        outputs.properties = {**outputs.properties, **noted}
        self.on_classes(max(len(profile.classes), profile.num_numbers))
        return profile

    def _job(
        self, rows: DataFrame, work: Path, profile: Profile, files: FeatureFiles | None
    ) -> Job:
        return Job(
            spark=self.spark,
            predict=self.predict,
            frame=rows,
            profile=profile,
            num_texts=len(self.columns.features.texts),
            id_types=self.columns.id_types,
            label_type=self.columns.label_type,
            files=files,
            work=work,
            progress=self.progress,
        )

    @property
    def folder(self) -> Path:
        """Folder of the models."""
        return model_folder(self.config.output.models, self.run_id)

    @property
    def _identity(self) -> dict[str, str]:
        return {
            "config_fingerprint": self.fingerprint,
            "input": self.pin.dataset_version,
            "input_table": self.pin.table,
        }

    def collect_pins(self) -> tuple[Pin, str | int]:
        """Find what a run that has ended has read, and the version of its predictions."""
        return find_pins(self.targets["predictions"], self.folder, self.run_id)

    def _publish_record(
        self,
        outputs: Outputs,
        record: RunRecord,
        profile: Profile | None,
        report: QualityReport | None,
    ) -> None:
        if "runs" not in self.targets:
            return
        record.outputs = outputs.versions()
        found = {}
        if profile is not None and report is not None:
            found = record_numbers(profile, report)
        row = record.row(self.progress.phases, found)
        outputs.stage_rows("runs", [row], schema.RUNS)
        outputs.publish("runs", replace_run=True)


def describe_predictions(run: PredictRun) -> str:
    """Describe what a run that is prepared would do, in several lines. Writes nothing."""
    places = {name: target.location for name, target in run.targets.items()}
    return describe(run.pin, run.predict, places, run.fingerprint)
