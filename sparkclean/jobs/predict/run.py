"""Predict a table out of sample: pin, profile, sample, train a model a fold, score, publish."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import functions as F

from sparkclean import schema
from sparkclean.config.model import PredictSection, prediction_fingerprint, resolve_classes
from sparkclean.errors import ConfigError, InputError, SparkCleanError
from sparkclean.examples.batches import LABEL
from sparkclean.examples.checks import count_duplicate_ids
from sparkclean.examples.columns import (
    check_classes,
    check_id_types,
    check_label_type,
    check_present,
)
from sparkclean.faults import fault_point
from sparkclean.lake import Pin, Staging, TargetTable, open_target, safe_run_id
from sparkclean.learning.columns import (
    FeatureColumns,
    Profile,
    collect_profile,
    narrow,
    resolve_features,
    unseen_findings,
)
from sparkclean.learning.engine import Engine, Job, open_engine
from sparkclean.learning.feature_files import FeatureFiles, plan_feature_files
from sparkclean.learning.model_folder import PIN, has_models, new_models
from sparkclean.learning.models import write_manifest
from sparkclean.learning.quality import QualityReport, QualitySums
from sparkclean.learning.scored import FOLD, PREDICTED, PREDICTIVE
from sparkclean.locations import local_path
from sparkclean.rows.emitted import ID_PREFIX
from sparkclean.rows.streams import Stream
from sparkclean.runs.outputs import Outputs
from sparkclean.runs.pinned_run import PinnedRun
from sparkclean.runs.provenance import Provenance
from sparkclean.runs.record import GATE_FAILED, RunRecord

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_log = logging.getLogger("sparkclean")

_SHOWN = 10


@dataclass
class PredictRun(PinnedRun):
    """One prediction of one table."""

    @property
    def predict(self) -> PredictSection:
        """Section ``predict`` of the configuration."""
        if self.config.predict is None:
            raise ConfigError(
                "predict: is missing; name the features, for instance predict: {features: "
                "[embedding]}"
            )
        return self.config.predict

    def _open_targets(self, work: Path | None) -> dict[str, TargetTable]:
        output = self.config.output
        places = {"predictions": output.predictions}
        if output.runs is not None:
            places["runs"] = output.runs
        return {
            name: open_target(place, output.format, spark=self.spark, work=work, layout="copy")
            for name, place in places.items()
        }

    # -- before anything is written ------------------------------------------------------------

    def prepare(self) -> None:
        """Pin the input and check the configuration against it. Writes nothing.

        Raises
        ------
        ConfigError, InputError
        """
        predict, columns = self.predict, self.config.columns
        if self.config.input.predictions is not None:
            raise ConfigError(
                "input.predictions: is for audits; predictions are written to output.predictions"
            )
        self._engine = open_engine(predict.engine)
        self._engine.check(self.spark, predict)
        self._pin()
        kinds = self.audited.schema
        named = [*columns.id_columns, columns.label]
        group = [] if predict.group is None else [predict.group]
        check_present(kinds, named, "columns.id and columns.label")
        check_present(kinds, group, "predict.group")
        findings = check_id_types(kinds, columns.id_columns)
        findings += check_label_type(kinds, columns.label)
        taken = {name for name, _ in schema.PREDICTIONS}
        findings += [
            f"columns: {name!r} is also the name of a column that predictions have; rename the "
            "column of the table"
            for name in named
            if name.lower() in taken
        ]
        findings += unseen_findings(predict.feature_columns, columns.id_columns, columns.label)
        if findings:
            raise InputError(findings)
        self.features: FeatureColumns = resolve_features(kinds, predict.feature_columns)
        self.classes = resolve_classes(self.config)
        if self.classes is not None:
            check_classes(self.classes, columns.label, kinds[columns.label].dataType)
        self._check_run(prediction_fingerprint(self.config, self.classes or ()))

    # -- the run -------------------------------------------------------------------------------

    def _work(self, staging: Staging, outputs: Outputs, record: RunRecord) -> str:
        """Train and predict, and publish.

        Reads the features three times: to check them and count rows by fold and label (twice, where
        they are not in files), to sample the training rows, and to predict; the record ids as
        `count_duplicate_ids` does. For Spark ML sample and predictions are of one staged copy.
        """
        work = Path(staging.path) / "work"
        try:
            files = self._plan_files(work)
            profile = self._check(outputs, files)
            engine = self._engine(self._job(work, profile, files))
            if not self._has_models():
                self._train(engine, self._rare_classes(profile))
        except InputError as exc:
            record.status, record.message = GATE_FAILED, str(exc)
            self._publish_record(outputs, record, None, None)
            raise
        fault_point("predict.trained")
        with self.progress.phase("predict") as phase:
            predicted, report = self._predict(engine, profile)
            phase.rows = predicted.rows
        self.source.verify(self.pin)
        fault_point("run.audited")
        if predicted.rows != profile.rows:
            raise SparkCleanError(
                f"predictions: {predicted.rows:,} rows were predicted where {profile.rows:,} must "
                "be; nothing was published. The input may have changed: run again"
            )
        if outputs.wants("predictions"):
            with self.progress.phase("write predictions") as phase:
                phase.rows = self._stage(outputs, predicted)
        with self.progress.phase("publish"):
            self.source.verify(self.pin)
            fault_point("run.verified")
            outputs.publish("predictions")
            self._publish_record(outputs, record, profile, report)
        return _summary(report, profile, outputs.places() | {"models": str(self._models)})

    def _check(self, outputs: Outputs, files: FeatureFiles | None) -> Profile:
        """Check the input; note the classes, in whose order probabilities are, for the audit."""
        with self.progress.phase("check features and record ids") as phase:
            profile = self._collect_profile(files)
            phase.rows = profile.rows
        noted = {"classes": json.dumps(profile.classes, ensure_ascii=False)}
        outputs.properties = {**outputs.properties, **noted}
        self.on_classes(max(len(profile.classes), profile.num_numbers))
        return profile

    def _narrow(self) -> DataFrame:
        predict, columns = self.predict, self.config.columns
        return narrow(
            self.audited,
            self.features,
            ids=columns.id_columns,
            label=columns.label,
            group=predict.group,
            n_folds=predict.n_folds,
            seed=predict.seed,
            complete=predict.missing == "reject",
        )

    def _job(self, work: Path, profile: Profile, files: FeatureFiles | None) -> Job:
        columns, kinds = self.config.columns, self.audited.schema
        return Job(
            spark=self.spark,
            predict=self.predict,
            frame=self._narrow(),
            profile=profile,
            num_texts=len(self.features.texts),
            id_types=tuple(kinds[name].dataType for name in columns.id_columns),
            label_type=kinds[columns.label].dataType,
            files=files,
            work=work,
            progress=self.progress,
        )

    def _plan_files(self, work: Path) -> FeatureFiles | None:
        """Plan to read the features from files, if they can be."""
        found = plan_feature_files(
            self.table,
            self.features,
            config=self.config,
            predict=self.predict,
            paths=self.source.plain_files(self.pin),
            work=work,
        )
        if not isinstance(found, str):
            return found
        _log.info("reading features through DataFrames, not files: %s", found)
        return None

    def _collect_profile(self, files: FeatureFiles | None) -> Profile:
        predict, ids = self.predict, self.config.columns.id_columns
        narrowed = self._narrow()
        names = [f"{ID_PREFIX}{i}" for i in range(len(ids))]
        if files is None or files.collect_rising_ids() is None:
            count_duplicate_ids(narrowed, names, ids, may_rise=files is None)
        profile = collect_profile(
            narrowed,
            self.audited,
            self.features,
            classes=self.classes,
            n_folds=predict.n_folds,
            impute=predict.missing == "impute",
            ids=ids,
            group=predict.group,
            files=files,
        )
        check_classes(
            profile.classes,
            self.config.columns.label,
            self.audited.schema[self.config.columns.label].dataType,
        )
        if profile.strangers:
            _log.warning(
                "%s rows have no label of the classes; they are predicted, and not trained on",
                f"{profile.strangers:,}",
            )
        return profile

    def _rare_classes(self, profile: Profile) -> list[Any]:
        """Find classes that some model would not see."""
        of_class = profile.examples.sum(axis=0)
        elsewhere = (of_class - profile.examples).min(axis=0)
        rare = (of_class > 0) & ((of_class < self.predict.n_folds) | (elsewhere == 0))
        found = [profile.classes[k] for k in np.flatnonzero(rare).tolist()]
        nobody = [profile.classes[k] for k in np.flatnonzero(of_class == 0).tolist()]
        if nobody:
            _log.warning("%s classes are given to nobody: %s", len(nobody), nobody[:_SHOWN])
        shown = ", ".join(
            f"{label!r} ({of_class[profile.classes.index(label)]})" for label in found[:_SHOWN]
        ) + (", ..." if len(found) > _SHOWN else "")
        if found and self.predict.rare_classes == "reject":
            raise InputError(
                f"{len(found)} classes have too few examples for {self.predict.n_folds} folds, or "
                f"all in one of them: {shown}; label more, take fewer predict.n_folds or another "
                "predict.group, or set predict.rare_classes: exclude"
            )
        if found:
            _log.warning("no model is trained on %s rare classes: %s", len(found), shown)
        if len(profile.classes) - len(found) - int((of_class == 0).sum()) < 2:
            raise InputError("fewer than two classes are left to train on; label more")
        return found

    # -- training ------------------------------------------------------------------------------

    @property
    def _models(self) -> Path:
        return local_path(self.config.output.models) / safe_run_id(self.run_id)

    @property
    def _identity(self) -> dict[str, str]:
        return {
            "config_fingerprint": self.fingerprint,
            "input": self.pin.dataset_version,
            "input_table": self.pin.table,
        }

    def collect_pins(self) -> tuple[Pin, str | int]:
        """Find what a run that has ended has read, and the version of its predictions.

        Returns
        -------
        pin : Pin
        version : str or int
            As ``input.version`` has it.

        Raises
        ------
        InputError
            If the predictions or the models of the run were removed.
        """
        version = self.targets["predictions"].find_run(self.run_id)
        try:
            pin = Pin.from_json((self._models / PIN).read_text())
        except FileNotFoundError:
            version = None
        if version is None:
            raise InputError(
                f"what run {self.run_id!r} has predicted was removed; use a new run id"
            )
        iceberg = self.targets["predictions"].format == "iceberg"
        return pin, f"snapshot:{version.number}" if iceberg else version.number

    def _has_models(self) -> bool:
        return has_models(self._models, self._identity, self.run_id)

    def _train(self, engine: Engine, rare: list[Any]) -> None:
        predict = self.predict
        with new_models(self._models, self._identity, self.run_id) as made:
            entries = engine.train(made, rare)
            (made / PIN).write_text(self.pin.to_json())
            write_manifest(
                made,
                entries,
                predict.estimator,
                predict.params,
                self._identity,
                engine=predict.engine,
                versions=engine.versions(),
            )

    def _predict(self, engine: Engine, profile: Profile) -> tuple[Stream, QualityReport]:
        output = engine.predict(self._models)
        sums = QualitySums(self.predict.n_folds, len(profile.classes))
        total = sums.state()
        for state in output.states:
            if state.kind == PREDICTIVE:
                total[state.first, state.second] = state.values
        sums.merge(total)
        return output.streams[PREDICTED], sums.report()

    def _stage(self, outputs: Outputs, predicted: Stream) -> int:
        ids = self.config.columns.id_columns
        provenance = Provenance(
            self.pin.dataset_version, self.fingerprint, safe_run_id(self.run_id)
        )
        columns = [(name, f"{ID_PREFIX}{i}") for i, name in enumerate(ids)]
        columns += [(self.config.columns.label, LABEL)]
        columns += [(schema.PRED_PROBS, schema.PRED_PROBS), (schema.FOLD, FOLD)]
        own = [F.col(internal).alias(name) for name, internal in columns]
        frame = predicted.frame.select(*own, *provenance.columns())
        write = predicted.plan_copy(columns, provenance.values())
        if write is None or not outputs.takes_files("predictions"):
            return outputs.stage_frame("predictions", frame)
        return outputs.stage_files("predictions", frame, write)

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
        found: dict[str, Any] = {}
        if profile is not None and report is not None:
            counts = {"classes": profile.classes, "quality": asdict(report)}
            found = {
                "rows": profile.rows,
                "classes": len(profile.classes),
                "counts": json.dumps(counts, ensure_ascii=False),
            }
        row = record.row(self.progress.phases, found)
        outputs.stage_rows("runs", [row], schema.RUNS)
        outputs.publish("runs", replace_run=True)


def describe_predictions(run: PredictRun) -> str:
    """Describe what a run would do. Writes nothing.

    Parameters
    ----------
    run : PredictRun
        Prepared.

    Returns
    -------
    str
        Several lines.
    """
    predict, pin = run.predict, run.pin
    rows = "counted when the run begins" if pin.rows is None else f"{pin.rows:,}"
    together = predict.group or "the content of the features"
    lines = [
        f"input     {pin.table} ({pin.format}, {pin.dataset_version})",
        f"rows      {rows}",
        f"features  {', '.join(predict.feature_columns)}",
        f"folds     {predict.n_folds}, by {together}",
        f"model     {predict.estimator or 'logistic regression'} ({predict.engine}), calibration "
        f"{predict.calibrate}",
    ]
    for name, target in run.targets.items():
        lines.append(f"publishes {name:<11} to {target.location}")
    return "\n".join([*lines, f"config fingerprint {run.fingerprint}", "nothing was written"])


def _summary(report: QualityReport, profile: Profile, places: Mapping[str, str]) -> str:
    lines = [f"{profile.rows:,} rows predicted out of sample, {len(profile.classes)} classes"]
    overall = report.overall
    if overall is not None:
        lines.append(
            f"against the given labels: accuracy {overall.accuracy:.4f}, log loss "
            f"{overall.log_loss:.4f}, Brier score {overall.brier_score:.4f}, calibration error "
            f"{overall.calibration_error:.4f}"
        )
    return "\n".join([*lines, *(f"  {name:<12} {place}" for name, place in places.items())])
