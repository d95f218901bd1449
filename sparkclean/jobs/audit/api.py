"""Audit examples in a notebook: three lines, nothing written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from sparkclean.config.arguments import in_words_of_arguments
from sparkclean.config.classes import resolve_classes
from sparkclean.config.fingerprint import fingerprint
from sparkclean.config.model import parse_sections
from sparkclean.errors import InputChangedError
from sparkclean.examples.checks import count_duplicate_ids
from sparkclean.examples.columns import resolve_columns
from sparkclean.examples.given import check_given, default_id, open_given, warn_of_unstable
from sparkclean.examples.scan import FrameScan
from sparkclean.examples.statistics import READ_OTHERWISE, Scanner
from sparkclean.jobs.audit.job import AuditJob
from sparkclean.jobs.audit.pipeline import collect_findings
from sparkclean.jobs.audit.result import AuditResult, in_words_of_the_call
from sparkclean.jobs.audit.sections import AdmissionSection, MethodSection
from sparkclean.rows.progress import Progress
from sparkclean.rows.session import batch_setter
from sparkclean.rows.stores import CacheStore
from sparkclean.runs.engine_errors import errors_of_tasks
from sparkclean.runs.provenance import Provenance

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pyspark.sql import DataFrame


@overload
def audit(
    df: DataFrame | str,
    *,
    id: str | Sequence[str] | None = ...,
    label: str = ...,
    pred_probs: str | Sequence[str] = ...,
    classes: Sequence[Any] | str | None = ...,
    row_sum_tolerance: float = ...,
    max_rejected_fraction: float = ...,
    **method: Any,
) -> AuditResult[DataFrame]: ...


@overload
def audit(
    df: pd.DataFrame | pa.Table,
    *,
    id: str | Sequence[str] | None = ...,
    label: str = ...,
    pred_probs: str | Sequence[str] = ...,
    classes: Sequence[Any] | str | None = ...,
    row_sum_tolerance: float = ...,
    max_rejected_fraction: float = ...,
    **method: Any,
) -> AuditResult[pd.DataFrame]: ...


def audit(
    df: DataFrame | pd.DataFrame | pa.Table | str,
    *,
    id: str | Sequence[str] | None = None,  # noqa: A002 (the name of the configuration's key)
    label: str = "label",
    pred_probs: str | Sequence[str] = "pred_probs",
    classes: Sequence[Any] | str | None = None,
    row_sum_tolerance: float = 1e-3,
    max_rejected_fraction: float = 0.01,
    **method: Any,
) -> AuditResult[Any]:
    """Find the label issues of examples without writing anything.

    Parameters
    ----------
    df : DataFrame, pandas.DataFrame, pyarrow.Table or str
        One row per example. A str is the path or name of a table, whose current version is read by
        the active session, or one that is created. Of pandas and Arrow the columns that are named
        here are sent to Spark, at most 256 MiB; results are DataFrames of pandas.
    id : str or sequence of str, optional
        Record id: integers or strings, unique and not null. By default the column ``id``; for
        pandas and Arrow the number of the row, which results call ``row``. It may be a level of a
        pandas index.
    label : str
        Given label: integers, strings or booleans.
    pred_probs : str or sequence of str
        Out-of-sample predicted probabilities: ``array<float|double>``, a Spark ML vector,
        ``map<label, double>``, ``array<struct<label, probability>>``, or K columns.
    classes : sequence or str, optional
        The labels in the order of the probabilities, or a file with them. By default what
        `sparkclean.predict` has noted beside ``pred_probs``, or the integers 0..K-1.
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
        rows, local rows that are too large to be sent.
    InputChangedError
        If the frame gave other rows when it was read again. What only one pass has read cannot be
        compared: a frame whose plan says that it is not deterministic gets a warning.

    Notes
    -----
    Reads the wide column for a sample and once more; two or three times where the sample was wrong,
    for ``adjust_pred_probs`` and ``prior_shifted_self_confidence``, and for filters by class pair
    of 100 classes and more. About ten jobs; the driver holds K x K numbers, and
    16 MB of the sample. Narrow intermediates are cached; where there is no cache they are computed
    again. `AuditResult.close` drops them.
    """
    with in_words_of_arguments():
        return _audit(
            df,
            id,
            {
                "columns": {
                    "label": label,
                    "pred_probs": pred_probs if isinstance(pred_probs, str) else list(pred_probs),
                },
                "classes": classes if classes is None or isinstance(classes, str) else [*classes],
                "method": method,
                "admission": {
                    "row_sum_tolerance": row_sum_tolerance,
                    "max_rejected_fraction": max_rejected_fraction,
                },
            },
        )


def _audit(df: Any, ids: str | Sequence[str] | None, sections: dict[str, Any]) -> AuditResult[Any]:
    check_given(df)
    named = default_id(df) if ids is None else ids
    sections["columns"]["id"] = named if isinstance(named, str) else list(named)
    config = parse_sections(sections)  # before Spark is waited for
    names = config.columns
    given, own = open_given(
        df,
        id=ids,
        needed=[names.label, *names.pred_probs_columns],
        keys="columns.id, columns.label and columns.pred_probs",
    )
    classes: Sequence[Any] | None = resolve_classes(config)
    if classes is None and isinstance(names.pred_probs, str):
        classes = given.class_order(names.pred_probs)
    columns = resolve_columns(
        given.frame,
        ids=given.ids,
        label=names.label,
        probs=names.pred_probs_columns,
        classes=classes,
    )
    batch_setter(given.frame.sparkSession, own=own)(columns.num_classes)
    narrow = columns.narrow(given.frame)
    unstable = warn_of_unstable(given, narrow)
    admission = config.section(AdmissionSection)
    scan = FrameScan(narrow, columns.reader(admission.row_sum_tolerance), columns.id_types)
    store = CacheStore()
    scanner = Scanner(scan, columns, store)
    with errors_of_tasks():
        rows = count_duplicate_ids(narrow, scanner.ids, columns.ids, may_rise=False)
        method = config.section(MethodSection)
        findings = collect_findings(scanner, method, admission, Progress(), rows=rows)
    read = findings.statistics.rows
    if read != rows:
        raise InputChangedError(READ_OTHERWISE.format(f"{rows:,}, then {read:,} rows"))
    given.verify()
    own_print = fingerprint(config, AuditJob.name, AuditJob.sections, columns.classes)
    provenance = Provenance(given.version, own_print, "interactive")
    findings = in_words_of_the_call(findings, *unstable)
    with errors_of_tasks():
        return AuditResult.of(
            findings, columns, store, given, provenance, ranked_by=method.ranked_by
        )
