"""Train a final model after an audit: pin, profile, sample, train, measure, record."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import functions as F

from sparkclean import schema
from sparkclean.config.model import (
    PredictSection,
    TrainSection,
    resolve_classes,
    training_fingerprint,
)
from sparkclean.errors import ConfigError, InputError
from sparkclean.examples.checks import count_duplicate_ids
from sparkclean.examples.columns import (
    check_classes,
    check_id_types,
    check_label_type,
    check_present,
)
from sparkclean.faults import fault_point
from sparkclean.jobs.train.audits import Audit, find_audit, recall_audit
from sparkclean.lake import (
    Pin,
    SourceTable,
    Staging,
    TargetTable,
    open_source,
    open_target,
    open_version,
    safe_run_id,
    spark_path,
)
from sparkclean.lake.run_state import RunState
from sparkclean.learning.columns import (
    FeatureColumns,
    Profile,
    check_features,
    collect_profile,
    narrow,
    resolve_features,
    unseen_findings,
)
from sparkclean.learning.engine import versions_of
from sparkclean.learning.folds import MeasureModel, ScoreFolds, TrainFolds
from sparkclean.learning.losses import noise_matrix_of_pairs
from sparkclean.learning.model_folder import PIN, has_models, new_models
from sparkclean.learning.models import (
    MANIFEST,
    ROBUST_LOSS,
    make_estimator,
    make_robust,
    robust_params,
    weight_parameter,
    write_manifest,
)
from sparkclean.learning.quality import QualityReport, QualitySums
from sparkclean.learning.sampling import (
    default_train_rows,
    is_sampled,
    sample_shares,
)
from sparkclean.learning.scored import INNER, PLACE, PREDICTIVE
from sparkclean.learning.sklearn_engine import PACKAGES, collect_models
from sparkclean.locations import local_path
from sparkclean.rows.columns import quoted
from sparkclean.rows.emitted import ID_PREFIX
from sparkclean.rows.frame_stream import FrameStream
from sparkclean.rows.stores import FolderStore
from sparkclean.runs.outputs import Outputs
from sparkclean.runs.pinned_run import PinnedRun
from sparkclean.runs.record import GATE_FAILED, PUBLISHED, RunRecord, pin_summary

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_log = logging.getLogger("sparkclean")

_SHOWN = 5
#: Modes of an audit whose cleaned version holds no suspect under its given label.
_CLEANED = ("drop", "relabel", "quarantine")
_SAME = "__same"


@dataclass(frozen=True)
class TrustedTable:
    """Examples whose labels are trusted.

    Attributes
    ----------
    source : SourceTable
    pin : Pin
    frame : DataFrame
    """

    source: SourceTable
    pin: Pin
    frame: DataFrame


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
        if self.config.predict is None:
            raise ConfigError(
                "predict: is missing; it names the features of the final model, too, for instance "
                "predict: {features: [embedding]}"
            )
        return self.config.predict

    @property
    def train(self) -> TrainSection:
        """Section ``train`` of the configuration."""
        return self.config.train

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

    # -- before anything is written ------------------------------------------------------------

    def prepare(self) -> None:
        """Find the audit, pin what is read and check the configuration. Writes nothing.

        Raises
        ------
        ConfigError, InputError
        """
        train = self.train
        self._check_model()
        state = RunState.load(str(self.home), self.run_id)
        # a repetition goes by the audit that it was begun with, whatever was audited since
        name = train.audit or (
            state.audit if state else recall_audit(self.spark, self.targets["runs"], self.run_id)
        )
        self.audit = find_audit(self.spark, self.targets["runs"], name, self.config)
        if self.audit.where != self.config.input.where:
            _log.warning(
                "input.where is %s, and that of audit %s was %s: rows that were not audited may be "
                "trained on",
                self.config.input.where,
                self.audit.run_id,
                self.audit.where,
            )
        self._open_training(pin=state is None)
        self._pin()
        self._check_columns()
        self.classes = resolve_classes(self.config)
        kinds, label = self.audited.schema, self.config.columns.label
        if self.classes is not None:
            check_classes(self.classes, label, kinds[label].dataType)
        if train.test is not None:
            self.test = self._open_test(train.test, None if state is None else state.test)
        self._check_run(training_fingerprint(self.config, self.classes or ()))

    def _check_model(self) -> None:
        """Make the classifier once, to find what is wrong with it."""
        estimator, params = self._estimator
        if self.predict.calibrate != self._calibrate:
            _log.warning(
                "predict.calibrate: %s has no effect with train.mode: %s",
                self.predict.calibrate,
                self.train.mode,
            )
        if self.train.mode == "robust":
            _check_robust(params)
            return
        section = "predict" if self.train.estimator is None else "train"
        made = make_estimator(estimator, params, sparse=False, section=section)
        if self.train.mode == "weights":
            weight_parameter(made)

    @property
    def _estimator(self) -> tuple[str | None, dict[str, Any]]:
        train, predict = self.train, self.predict
        if train.mode == "robust":
            return train.estimator, robust_params(train.params or {})
        if train.estimator is not None:
            return train.estimator, train.params or {}
        if predict.engine != "sklearn":  # final models are those of scikit-learn
            return None, train.params or {}
        return predict.estimator, predict.params if train.params is None else train.params

    @property
    def _calibrate(self) -> str:
        # to what a row is given, which is not what its model shall say in the other modes
        return self.predict.calibrate if self.train.mode == "cleaned" else "none"

    def _open_training(self, *, pin: bool) -> None:
        """Open the table that is trained on, and pin it unless an attempt has done so."""
        mode, audit = self.train.mode, self.audit
        wanted = {"cleaned": _CLEANED, "weights": ("weight",)}.get(mode)
        if wanted is None:
            self._open_audited(pin=pin)
            return
        if audit.clean_mode not in wanted:
            other = {"weight": "weights", "none": "robust"}.get(audit.clean_mode, "cleaned")
            raise ConfigError(
                f"train.mode: {mode} wants an audit of clean.mode {' or '.join(wanted)}, and run "
                f"{audit.run_id!r} was of mode {audit.clean_mode}; set train.mode: {other}, or "
                f"audit with clean.mode: {wanted[0]}"
            )
        if "cleaned" not in audit.outputs:
            raise InputError(
                f"train.audit: run {audit.run_id!r} has published no cleaned version "
                "(output.cleaned: null); audit with output.cleaned, or set train.mode: robust"
            )
        location = audit.outputs["cleaned"]
        found = open_version(location, audit.run_id, spark=self.spark)
        if found is None:
            raise InputError(
                f"train.audit: the cleaned version of run {audit.run_id!r} is not in {location} "
                "any longer; audit again, or name a run whose version is there (sparkclean "
                f"versions {location})"
            )
        self.source, version = found
        with _about(f"train.audit: the cleaned version of run {audit.run_id!r}"):
            self.given = self.source.pin(version) if pin else None

    def _open_audited(self, *, pin: bool) -> None:
        """Open what was audited, in the version that was audited."""
        source, then = self.config.input, self.audit.input
        self.source = open_source(source.table, source.format, spark=self.spark)
        if not pin:
            return
        version = then["version"]
        if version is not None and then["format"] == "iceberg":
            version = f"snapshot:{version}"
        self.given = self.source.pin(version)
        now = self.given.dataset_version, self.given.table_id
        # one that has finished does not look at its input again
        finished = self.targets["runs"].run_status(self.run_id) == PUBLISHED
        if not finished and now != (then["dataset_version"], then["table_id"]):
            raise InputError(
                f"input.table: {then['table']} is not what run {self.audit.run_id!r} has audited "
                f"({then['dataset_version']}, now {now[0]}); audit it again"
            )

    def _check_columns(self) -> None:
        kinds, columns, features = (
            self.audited.schema,
            self.config.columns,
            self.predict.feature_columns,
        )
        named = [*columns.id_columns, columns.label]
        check_present(kinds, named, "columns.id and columns.label")
        if self.predict.group is not None:
            check_present(kinds, [self.predict.group], "predict.group")
        findings = check_id_types(kinds, columns.id_columns)
        findings += check_label_type(kinds, columns.label)
        findings += unseen_findings(features, columns.id_columns, columns.label)
        if findings:
            raise InputError(findings)
        self.features: FeatureColumns = resolve_features(kinds, features)
        #: Rows that are trained on: a suspect has the weight 0.
        self.rows: DataFrame = self.audited
        if self.train.mode == "weights":
            check_present(kinds, [schema.SAMPLE_WEIGHT], "train.audit")
            self.rows = self.audited.where(quoted(schema.SAMPLE_WEIGHT) > 0.0)

    def _open_test(self, table: str, remembered: Pin | None) -> TrustedTable:
        """Pin the test table, and give its columns the types of the training table."""
        columns, kinds = self.config.columns, self.audited.schema
        keys = [*columns.id_columns, columns.label]
        with _about("train.test"):
            source = open_source(table, "auto", spark=self.spark)
            if remembered is not None:
                source.verify(remembered)
            pin = remembered or source.pin(None)
            frame = source.read(self.spark, pin)
            check_present(frame.schema, [*keys, *self.predict.feature_columns], "train.test")
            findings = check_id_types(frame.schema, columns.id_columns)
            findings += check_label_type(frame.schema, columns.label)
            texts = [_is_text(frame.schema[name].dataType) for name in keys]
            findings += [
                f"column {name!r} is {frame.schema[name].dataType.simpleString()}, and "
                f"{kinds[name].dataType.simpleString()} in the table that is trained on"
                for name, text in zip(keys, texts, strict=True)
                if text != _is_text(kinds[name].dataType)
            ]
            if resolve_features(frame.schema, self.predict.feature_columns) != self.features:
                findings.append("its features are of other types than those that are trained on")
            if findings:
                raise InputError(findings)
        casts = {name: quoted(name).cast(kinds[name].dataType) for name in keys}
        return TrustedTable(source, pin, frame.withColumns(casts))

    # -- the run -------------------------------------------------------------------------------

    def _run_state(self) -> RunState:
        test = None if self.test is None else self.test.pin
        return replace(super()._run_state(), audit=self.audit.run_id, test=test)

    def _record(self) -> RunRecord:
        record = super()._record()
        more = {"audit": self.audit.run_id, "train_mode": self.train.mode}
        tested = {} if self.test is None else {"test": pin_summary(self.test.pin)}
        record.input = {**record.input, **more, **tested}
        return record

    @property
    def folder(self) -> Path:
        """Folder of the model."""
        return local_path(self.config.output.models) / safe_run_id(self.run_id)

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
        work = Path(staging.path) / "work"
        overlap = 0
        try:
            noise, classes = self._collect_noise()
            with self.progress.phase("check features and record ids") as phase:
                profile = self._collect_profile(classes)
                phase.rows = profile.rows
            self.on_classes(max(len(profile.classes), profile.num_numbers))
            if self.test is not None:
                with self.progress.phase("check the test table"):
                    self._check_test(self.test, profile)
                    overlap = self._count_overlap(self.test, profile)
            if not has_models(self.folder, self._identity, self.run_id):
                self._train(work, profile, noise)
        except InputError as exc:
            record.status, record.message = GATE_FAILED, str(exc)
            self._publish_record(outputs, record, {})
            raise
        fault_point("predict.trained")
        report = None
        if self.test is not None:
            with self.progress.phase("measure on the test table") as phase:
                report = self._measure(self.test, profile, work)
                phase.rows = report.overall.rows if report.overall else 0
            self.test.source.verify(self.test.pin)
        with self.progress.phase("publish"):
            self.source.verify(self.pin)
            fault_point("run.verified")
            (entry,) = self._manifest()["models"]
            counts: dict[str, Any] = {"classes": profile.classes, "model": entry}
            if report is not None:
                counts |= {"quality": asdict(report), "test_rows_like_training_rows": overlap}
            row = {
                "rows": profile.rows,
                "classes": len(profile.classes),
                "counts": json.dumps(counts, ensure_ascii=False),
            }
            self._publish_record(outputs, record, row)
        return self._summary(entry["training_rows"], profile, report)

    def _collect_noise(self) -> tuple[NDArray[np.float64] | None, tuple[Any, ...] | None]:
        """Read the noise matrix of the audit where the loss needs it, and the classes it is of."""
        if self.train.mode != "robust" or self._estimator[1]["loss"] != ROBUST_LOSS:
            return None, self.classes or self._collect_classes()
        audit, pairs = self.audit, []
        if "pairs" in audit.outputs:
            target = open_target(audit.outputs["pairs"], spark=self.spark)
            frame = target.frame(self.spark).where(
                F.col(schema.RUN_ID) == safe_run_id(audit.run_id)
            )
            pairs = frame.select(schema.GIVEN_LABEL, "true_label", "noise_rate").collect()
        if not pairs:
            raise InputError(
                f"train.audit: run {audit.run_id!r} has no rows in output.pairs, from which the "
                f"noise matrix of {ROBUST_LOSS} is taken; audit with output.pairs, or choose a "
                "loss without one: train.params: {loss: generalized_cross_entropy}"
            )
        labels = sorted({row[name] for row in pairs for name in (schema.GIVEN_LABEL, "true_label")})
        classes = self.classes or tuple(labels)
        return noise_matrix_of_pairs([row.asDict() for row in pairs], classes), classes

    def _collect_classes(self) -> tuple[Any, ...] | None:
        """Read the classes of the audit: a label that it has rejected is none."""
        location = self.audit.outputs.get("classes")
        if location is None:
            return None
        frame = open_target(location, spark=self.spark).frame(self.spark)
        mine = frame.where(F.col(schema.RUN_ID) == safe_run_id(self.audit.run_id))
        return tuple(row[0] for row in mine.orderBy("class_index").select("class").collect())

    def _narrow(self, frame: DataFrame, *, weight: str | None = None) -> DataFrame:
        return narrow(
            frame,
            self.features,
            ids=self.config.columns.id_columns,
            label=self.config.columns.label,
            group=self.predict.group,
            n_folds=1,
            seed=self.predict.seed,
            complete=self.predict.missing == "reject",
            weight=weight,
        )

    def _collect_profile(self, classes: tuple[Any, ...] | None) -> Profile:
        ids, label = self.config.columns.id_columns, self.config.columns.label
        # ids alone are read of it before features are checked
        narrowed = self._narrow(self.rows)
        count_duplicate_ids(narrowed, [f"{ID_PREFIX}{i}" for i in range(len(ids))], ids)
        profile = collect_profile(
            narrowed,
            self.rows,
            self.features,
            classes=classes,
            n_folds=1,
            impute=self.predict.missing == "impute",
            ids=ids,
            group=self.predict.group,
        )
        check_classes(profile.classes, label, self.audited.schema[label].dataType)
        if profile.strangers:
            _log.warning(
                "%s rows have no label of the classes; they are not trained on",
                f"{profile.strangers:,}",
            )
        nobody = [profile.classes[k] for k in np.flatnonzero(profile.examples[0] == 0).tolist()]
        if nobody:
            _log.warning("%s classes are given to nobody: %s", len(nobody), nobody[:_SHOWN])
        return profile

    # -- training ------------------------------------------------------------------------------

    def _train(self, work: Path, profile: Profile, noise: NDArray[np.float64] | None) -> None:
        predict, sample = self.predict, work / "sample"
        most = predict.max_train_rows or default_train_rows(
            profile.num_numbers, len(self.features.texts)
        )
        shares = sample_shares(profile, most)
        with self.progress.phase("sample training rows"):
            kind = self.audited.schema[self.config.columns.label].dataType
            weight = schema.SAMPLE_WEIGHT if self.train.mode == "weights" else None
            rows = self._narrow(self.rows, weight=weight)
            rows = rows.where(is_sampled(profile, shares, [], kind))
            rows.write.parquet(spark_path(sample))
        estimator, params = self._estimator
        with new_models(self.folder, self._identity, self.run_id) as made:
            task = TrainFolds(
                sample=str(sample),
                models=str(made),
                estimator=estimator,
                params=params,
                calibrate=self._calibrate,
                classes=profile.classes,
                num_numbers=profile.num_numbers,
                num_texts=len(self.features.texts),
                shares=shares,
                max_rows=most,
                seed=predict.seed,
                whole=True,
                robust=self.train.mode == "robust",
                noise_matrix=noise,
            )
            with self.progress.phase("train") as phase:
                (entry,) = collect_models(self.spark, task, 1, profile, [])
                phase.rows = entry.training_rows
            (made / PIN).write_text(self.pin.to_json())
            more = {
                "train_mode": self.train.mode,
                "classes": profile.classes,
                "features": asdict(self.features),
                "num_numbers": profile.num_numbers,
            }
            write_manifest(
                made,
                [entry],
                self.class_path,
                params,
                self._identity,
                engine="sklearn",
                versions=versions_of(PACKAGES),
                more=more,
            )

    @property
    def class_path(self) -> str | None:
        """Import path of the classifier; None: logistic regression."""
        if self.train.mode == "robust":
            return "sparkclean.learning.robust_classifier.RobustClassifier"
        return self._estimator[0]

    @property
    def _model_name(self) -> str:
        name = (self.class_path or "logistic regression").rpartition(".")[2]
        return f"{name} ({self._estimator[1]['loss']})" if self.train.mode == "robust" else name

    def _manifest(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / MANIFEST).read_text())
        return content

    # -- the test table ------------------------------------------------------------------------

    def _check_test(self, test: TrustedTable, profile: Profile) -> None:
        """Check that all rows can be scored, and have a label of the classes."""
        ids, label = self.config.columns.id_columns, self.config.columns.label
        with _about("train.test"):
            if not test.frame.limit(1).count():
                raise InputError("holds no rows")
            size = check_features(
                test.frame,
                self.features,
                impute=self.predict.missing == "impute",
                ids=ids,
                group=None,
            )
            if size != profile.num_numbers:
                raise InputError(
                    f"has {size} numbers a row in its features, and the table that is trained on "
                    f"{profile.num_numbers}; embed with one model"
                )
            known = F.coalesce(quoted(label).isin(list(profile.classes)), F.lit(False))
            strange = test.frame.where(~known)
            count = strange.count()
            if count:
                some = strange.select(*map(quoted, (*ids, label))).limit(_SHOWN).collect()
                shown = ", ".join(
                    f"{row[0] if len(ids) == 1 else tuple(row)[:-1]!r} ({row[len(ids)]!r})"
                    for row in some
                )
                raise InputError(
                    f"column {label!r}: {count:,} rows have a label that is not among the classes, "
                    f"record ids {shown}; correct them, or leave them out"
                )

    def _count_overlap(self, test: TrustedTable, profile: Profile) -> int:
        """Refuse rows that are trained on; count those that only look the same.

        Notes
        -----
        One join by a hash of the features, 8 bytes a row; another one where there are any.
        """
        ids = self.config.columns.id_columns
        features = [*self.features.arrays(), *self.features.words()]
        same = F.xxhash64(*features).alias(_SAME)
        keys = [quoted(name).alias(f"{ID_PREFIX}{i}") for i, name in enumerate(ids)]
        known = quoted(self.config.columns.label).isin(list(profile.classes))
        tested = test.frame.select(*keys, same)
        trained = self.rows.where(known).select(*keys, same)
        alike = tested.join(trained.select(_SAME), _SAME, "left_semi").count()
        if not alike:
            return 0
        names = [f"{ID_PREFIX}{i}" for i in range(len(ids))]
        there = tested.join(trained, [_SAME, *names], "left_semi")
        count = there.count()
        if count:
            some = there.orderBy(*names).select(*names).limit(_SHOWN).collect()
            shown = ", ".join(repr(row[0] if len(ids) == 1 else tuple(row)) for row in some)
            raise InputError(
                f"train.test: {count:,} rows are among those that are trained on, record ids "
                f"{shown}; a test of them says nothing. Leave them out of the table, or out of the "
                "training by input.where"
            )
        _log.warning(
            "train.test: %s rows have the same features as rows that are trained on, under other "
            "record ids; they flatter the model",
            f"{alike:,}",
        )
        return alike

    def _measure(self, test: TrustedTable, profile: Profile, work: Path) -> QualityReport:
        columns, kinds = self.config.columns, self.audited.schema
        score = ScoreFolds(
            models=str(self.folder),
            classes=profile.classes,
            num_numbers=profile.num_numbers,
            num_texts=len(self.features.texts),
            id_types=tuple(kinds[name].dataType.simpleString() for name in columns.id_columns),
            label_type=kinds[columns.label].dataType.simpleString(),
        )
        frame = narrow(
            test.frame,
            self.features,
            ids=columns.id_columns,
            label=columns.label,
            group=None,
            n_folds=1,
            seed=self.predict.seed,
            complete=self.predict.missing == "reject",
        )
        rows = FrameStream(frame.drop(PLACE, INNER), FolderStore(str(work)))
        sums = QualitySums(1, len(profile.classes))
        total = sums.state()
        for state in rows.collect(MeasureModel(score)):
            if state.kind == PREDICTIVE:
                total[state.first, state.second] = state.values
        sums.merge(total)
        return sums.report()

    # -- what is said of it --------------------------------------------------------------------

    def _publish_record(self, outputs: Outputs, record: RunRecord, more: Mapping[str, Any]) -> None:
        record.outputs = outputs.versions()
        if record.status != GATE_FAILED:
            model = {"location": str(self.folder.parent), "version": self.folder.name}
            record.outputs = {**record.outputs, "model": model}
        row = record.row(self.progress.phases, more)
        outputs.stage_rows("runs", [row], schema.RUNS)
        outputs.publish("runs", replace_run=True)

    def _summary(self, trained: int, profile: Profile, report: QualityReport | None) -> str:
        lines = [
            f"trained {self._model_name} on {trained:,} of {profile.rows:,} rows, "
            f"{len(profile.classes)} classes, by mode {self.train.mode} after audit "
            f"{self.audit.run_id}"
        ]
        overall = None if report is None else report.overall
        if overall is not None:
            lines.append(
                f"on {overall.rows:,} rows of the test table: accuracy {overall.accuracy:.4f}, log "
                f"loss {overall.log_loss:.4f}, Brier score {overall.brier_score:.4f}, calibration "
                f"error {overall.calibration_error:.4f}"
            )
        places = {"model": self.folder, "runs": self.targets["runs"].location}
        return "\n".join([*lines, *(f"  {name:<12} {place}" for name, place in places.items())])


def _check_robust(params: Mapping[str, Any]) -> None:
    """Try the parameters of the robust loss on two rows."""
    if "noise_matrix" in (params.get("loss_params") or {}):
        raise ConfigError(
            "train.params: loss_params holds a noise_matrix, which is taken from the audit; leave "
            "it out"
        )
    made = make_robust(params, np.eye(2) if params["loss"] == ROBUST_LOSS else None, sparse=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made.fit(np.eye(2), np.arange(2))
    except (ConfigError, TypeError, ValueError) as exc:
        findings = exc.findings if isinstance(exc, ConfigError) else (str(exc),)
        raise ConfigError([f"train.params: {finding}" for finding in findings]) from None


def _is_text(kind: Any) -> bool:
    return str(kind.simpleString()) == "string"


@contextmanager
def _about(subject: str) -> Iterator[None]:
    """Name another subject than the input in what is found."""
    try:
        yield
    except InputError as exc:
        findings = [finding.removeprefix("input.table: ") for finding in exc.findings]
        raise InputError([f"{subject}: {finding}" for finding in findings]) from exc


def describe_training(run: TrainRun) -> str:
    """Describe what a run would do. Writes nothing.

    Parameters
    ----------
    run : TrainRun
        Prepared.

    Returns
    -------
    str
        Several lines.
    """
    pin, audit = run.pin, run.audit
    rows = "counted when the run begins" if pin.rows is None else f"{pin.rows:,}"
    what = {
        "cleaned": f"the cleaned version, clean.mode {audit.clean_mode}",
        "weights": "the sample weights",
        "robust": "a robust loss",
    }[run.train.mode]
    return "\n".join(
        [
            f"audit     {audit.run_id}, by {what}",
            f"input     {pin.table} ({pin.format}, {pin.dataset_version})",
            f"rows      {rows}",
            f"features  {', '.join(run.predict.feature_columns)}",
            f"model     {run.class_path or 'logistic regression'}",
            "test      "
            + ("none" if run.test is None else f"{run.test.pin.table} ({run.test.pin.format})"),
            f"publishes model       to {run.folder}",
            f"publishes runs        to {run.targets['runs'].location}",
            f"config fingerprint {run.fingerprint}",
            "nothing was written",
        ]
    )
