"""Audit a DataFrame in a notebook: three lines, nothing written."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparkclean import schema
from sparkclean.confident.noise import NoiseModel
from sparkclean.config.classes import resolve_classes
from sparkclean.config.fingerprint import fingerprint
from sparkclean.config.model import parse_sections
from sparkclean.errors import ConfigError, InputChangedError, InputError
from sparkclean.examples.checks import count_duplicate_ids
from sparkclean.examples.columns import EMPTY, Columns, resolve_columns
from sparkclean.examples.scan import FrameScan
from sparkclean.examples.statistics import READ_OTHERWISE, Scanner
from sparkclean.examples.suspect_table import suspects_frame
from sparkclean.jobs.audit.findings import Findings, findings_hash
from sparkclean.jobs.audit.job import AuditJob
from sparkclean.jobs.audit.pipeline import collect_findings
from sparkclean.jobs.audit.sections import AdmissionSection, MethodSection
from sparkclean.jobs.audit.tables import class_rows, pair_rows, rejected_frame
from sparkclean.rows.conditions import find_unstable
from sparkclean.rows.driver_rows import rows_frame
from sparkclean.rows.progress import Progress
from sparkclean.rows.session import warn_of_large_batches
from sparkclean.rows.stores import CacheStore
from sparkclean.runs.engine_errors import errors_of_tasks
from sparkclean.runs.provenance import Provenance

if TYPE_CHECKING:
    from types import TracebackType

    from pyspark.sql import DataFrame

_log = logging.getLogger("sparkclean")

_SECTION = re.compile(r"\b(?:columns|method|admission)\.(?=[a-z])")


@dataclass
class AuditResult:
    """What `audit` found. A context manager: leaving it drops the cached frames.

    Attributes
    ----------
    suspects : DataFrame
        The label issues, by ``sparkclean.schema.SUSPECTS``; ``rank`` 1 is the most suspicious.
    classes, pairs : DataFrame
        One row per class; one row per (given, true) pair.
    rejected : DataFrame
        Rows that could not be audited, with the reason.
    noise : NoiseModel
    thresholds : ndarray of float64, shape (K,)
    num_suspects : int
    warnings : tuple of str
    """

    suspects: DataFrame
    classes: DataFrame
    pairs: DataFrame
    rejected: DataFrame
    noise: NoiseModel
    thresholds: NDArray[np.float64]
    num_suspects: int
    warnings: tuple[str, ...]
    _findings: Findings
    _columns: Columns
    _store: CacheStore

    def compute_result_hash(self) -> str:
        """Hash thresholds, joints and suspects: equal data and method give it anywhere.

        Returns
        -------
        str
        """
        return findings_hash(self._findings, self._columns.classes)

    def close(self) -> None:
        """Drop the cached intermediate frames."""
        self._store.close()

    def __enter__(self) -> AuditResult:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def audit(
    df: DataFrame,
    *,
    id: str | Sequence[str] = "id",  # noqa: A002 (the name of the configuration's key)
    label: str = "label",
    pred_probs: str | Sequence[str] = "pred_probs",
    classes: Sequence[Any] | None = None,
    row_sum_tolerance: float = 1e-3,
    max_rejected_fraction: float = 0.01,
    **method: Any,
) -> AuditResult:
    """Find the label issues of a DataFrame without writing anything.

    Parameters
    ----------
    df : DataFrame
        One row per example.
    id : str or sequence of str
        Record id: integers or strings, unique and not null.
    label : str
        Given label: integers, strings or booleans.
    pred_probs : str or sequence of str
        Out-of-sample predicted probabilities: ``array<float|double>``, a Spark ML vector,
        ``map<label, double>``, ``array<struct<label, probability>>``, or K columns.
    classes : sequence, optional
        The labels in the order of the probabilities; by default the integers 0..K-1.
    row_sum_tolerance, max_rejected_fraction : float
        As in the configuration's section ``admission``.
    **method
        ``filter_by``, ``ranked_by``, ``collision``, ``frac_noise``, ``min_examples_per_class``,
        ``adjust_pred_probs``, ``thresholds``, as in the configuration's section ``method``.

    Returns
    -------
    AuditResult

    Raises
    ------
    ConfigError
        If an option is unknown or contradicts another.
    InputError
        If the data is unusable: missing column, duplicate or null record ids, too many invalid
        rows.
    InputChangedError
        If the frame gave other rows when it was read again. What only one pass has read cannot be
        compared: a frame whose plan says that it is not deterministic gets a warning.

    Notes
    -----
    Reads the wide column for a sample and once more; two or three times where the sample was wrong,
    for ``adjust_pred_probs`` and ``prior_shifted_self_confidence``, and for filters by class pair
    of 100 classes and more. About ten jobs; the driver holds K x K numbers, and
    16 MB of the sample. Narrow intermediates are cached; where there is no cache they are computed
    again.
    """
    with _in_words_of_arguments():
        return _audit(
            df,
            id=id,
            label=label,
            pred_probs=pred_probs,
            classes=classes,
            row_sum_tolerance=row_sum_tolerance,
            max_rejected_fraction=max_rejected_fraction,
            **method,
        )


def _audit(
    df: DataFrame,
    *,
    id: str | Sequence[str],  # noqa: A002
    label: str,
    pred_probs: str | Sequence[str],
    classes: Sequence[Any] | None,
    row_sum_tolerance: float,
    max_rejected_fraction: float,
    **method: Any,
) -> AuditResult:
    if not hasattr(df, "sparkSession"):
        raise InputError(
            f"audit needs a Spark DataFrame, not {type(df).__module__}.{type(df).__name__}; for "
            "arrays there is sparkclean.find_label_issues"
        )
    if df.isStreaming:
        raise InputError(
            "the DataFrame is a stream, and the audit reads it more than once; write the stream to "
            "a table, and audit that (spark.read)"
        )
    config = parse_sections(
        {
            "columns": {
                "id": id if isinstance(id, str) else list(id),
                "label": label,
                "pred_probs": pred_probs if isinstance(pred_probs, str) else list(pred_probs),
            },
            "classes": None if classes is None else list(classes),
            "method": method,
            "admission": {
                "row_sum_tolerance": row_sum_tolerance,
                "max_rejected_fraction": max_rejected_fraction,
            },
        }
    )
    columns = resolve_columns(
        df,
        ids=config.columns.id_columns,
        label=label,
        probs=config.columns.pred_probs_columns,
        classes=resolve_classes(config),
    )
    warn_of_large_batches(df.sparkSession, columns.num_classes)
    narrow = columns.narrow(df)
    unstable = _warn_of_unstable(narrow)
    scan = FrameScan(narrow, columns.reader(row_sum_tolerance), columns.id_types)
    store = CacheStore()
    scanner = Scanner(scan, columns, store)
    with errors_of_tasks():
        rows = count_duplicate_ids(narrow, scanner.ids, columns.ids, may_rise=False)
        findings = collect_findings(
            scanner,
            config.section(MethodSection),
            config.section(AdmissionSection),
            Progress(),
            rows=rows,
        )
    read = findings.statistics.rows
    if read != rows:
        raise InputChangedError(READ_OTHERWISE.format(f"{rows:,}, then {read:,} rows"))
    own = fingerprint(config, AuditJob.name, AuditJob.sections, columns.classes)
    provenance = Provenance("dataframe", own, "interactive")
    spark, label_type = df.sparkSession, columns.label_type.simpleString()
    return AuditResult(
        suspects=suspects_frame(findings.suspects, columns, provenance.values()),
        classes=rows_frame(
            spark, class_rows(findings, columns, provenance), schema.CLASSES, label_type
        ),
        pairs=rows_frame(spark, pair_rows(findings, columns, provenance), schema.PAIRS, label_type),
        rejected=rejected_frame(findings.statistics.rejected, columns, provenance),
        noise=findings.noise,
        thresholds=findings.thresholds,
        num_suspects=findings.suspects.num_suspects,
        warnings=(*unstable, *findings.warnings),
        _findings=findings,
        _columns=columns,
        _store=store,
    )


@contextmanager
def _in_words_of_arguments() -> Iterator[None]:
    """Name arguments of `audit` where errors name settings of a configuration."""
    try:
        yield
    except (ConfigError, InputError) as exc:
        findings = [
            _SECTION.sub("", "the DataFrame is empty (0 rows to audit)" if text == EMPTY else text)
            for text in exc.findings
        ]
        raise type(exc)(findings) from exc


def _warn_of_unstable(df: DataFrame) -> tuple[str, ...]:
    """Log that a frame may be another one each time that it is computed, and give that."""
    unstable = find_unstable(df)
    if unstable is None:
        return ()
    warning = (
        f"the DataFrame depends on {unstable}: it may be another one each time that it is read, "
        "and the audit reads it more than once. Write it to a table, and audit that"
    )
    _log.warning("%s", warning)
    return (warning,)
