"""Audit examples in a notebook: three lines, nothing written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, overload

from sparkclean.config.arguments import in_words_of_arguments
from sparkclean.config.classes import resolve_classes
from sparkclean.config.fingerprint import fingerprint
from sparkclean.config.model import parse_sections
from sparkclean.errors import InputChangedError
from sparkclean.examples.checks import count_duplicate_ids
from sparkclean.examples.class_order import (
    names_in_data,
    noted_classes,
    noted_columns,
    notes_of_data,
)
from sparkclean.examples.columns import keys_of, resolve_columns
from sparkclean.examples.given import Given, check_given, default_id, open_given, warn_of_unstable
from sparkclean.examples.given_frame import GivenFrame
from sparkclean.examples.scan import FrameScan
from sparkclean.examples.statistics import READ_OTHERWISE, Scanner
from sparkclean.jobs.audit.job import AuditJob
from sparkclean.jobs.audit.pipeline import collect_findings
from sparkclean.jobs.audit.result import AuditResult, in_words_of_the_call
from sparkclean.jobs.audit.sections import AdmissionSection, MethodSection
from sparkclean.rows.live import shown_phases
from sparkclean.rows.progress import PhaseListener, Progress
from sparkclean.rows.session import batch_setter
from sparkclean.rows.stores import CacheStore
from sparkclean.rows.task_status import watched_tasks
from sparkclean.runs.engine_errors import errors_of_tasks
from sparkclean.runs.provenance import Provenance

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pyspark.sql import DataFrame

    from sparkclean.config.sections import Config


@overload
def audit(
    df: DataFrame | str,
    *,
    id: str | Sequence[str] | None = ...,
    label: str | None = ...,
    pred_probs: str | Sequence[str] = ...,
    classes: Sequence[Any] | str | None = ...,
    row_sum_tolerance: float = ...,
    max_rejected_fraction: float = ...,
    progress: bool = ...,
    **method: Any,
) -> AuditResult[DataFrame]: ...


@overload
def audit(
    df: pd.DataFrame | pa.Table,
    *,
    id: str | Sequence[str] | None = ...,
    label: str | None = ...,
    pred_probs: str | Sequence[str] = ...,
    classes: Sequence[Any] | str | None = ...,
    row_sum_tolerance: float = ...,
    max_rejected_fraction: float = ...,
    progress: bool = ...,
    **method: Any,
) -> AuditResult[pd.DataFrame]: ...


def audit(
    df: DataFrame | pd.DataFrame | pa.Table | str,
    *,
    id: str | Sequence[str] | None = None,  # noqa: A002 (the name of the configuration's key)
    label: str | None = None,
    pred_probs: str | Sequence[str] = "pred_probs",
    classes: Sequence[Any] | str | None = None,
    row_sum_tolerance: float = 1e-3,
    max_rejected_fraction: float = 0.01,
    progress: bool = True,
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
        Record id: integers or strings, unique and not null. By default what `sparkclean.predict`
        has noted beside ``pred_probs``, else the column ``id``; for pandas and Arrow the number of
        the row, which results call ``row``. It may be a level of a pandas index.
    label : str, optional
        Given label: integers, strings or booleans. By default what `sparkclean.predict` has noted,
        else the column ``label``.
    pred_probs : str or sequence of str
        Out-of-sample predicted probabilities: ``array<float|double>``, a Spark ML vector,
        ``map<label, double>``, ``array<struct<label, probability>>``, or K columns.
    classes : sequence or str, optional
        The labels in the order of the probabilities, or a file with them. By default what
        `sparkclean.predict` has noted beside ``pred_probs``, or the integers 0..K-1.
    row_sum_tolerance, max_rejected_fraction : float
        As in the configuration's section ``admission``.
    progress : bool
        Whether a notebook or a terminal shows the current phase, on one line. Elsewhere, and where
        the logger ``sparkclean`` is set to INFO, phases go to the log.
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
    with in_words_of_arguments(), shown_phases(progress) as listener:
        return _audit(
            df,
            _Names(id, label, pred_probs if isinstance(pred_probs, str) else list(pred_probs)),
            {
                "classes": classes if classes is None or isinstance(classes, str) else [*classes],
                "method": method,
                "admission": {
                    "row_sum_tolerance": row_sum_tolerance,
                    "max_rejected_fraction": max_rejected_fraction,
                },
            },
            listener,
        )


@dataclass(frozen=True)
class _Names:
    """The columns that a call names, and None for those that it leaves out."""

    id: str | Sequence[str] | None
    label: str | None
    pred_probs: str | list[str]

    def completed(self, notes: Mapping[Any, Any], there: Sequence[str]) -> _Names:
        """Take what is left out from what a prediction has noted, as far as it is there."""
        label, ids = noted_columns(notes)
        known = {name.lower() for name in there}
        return _Names(
            ids if self.id is None and ids and known >= {name.lower() for name in ids} else self.id,
            label if self.label is None and label and label.lower() in known else self.label,
            self.pred_probs,
        )

    def section(self, default_id: str) -> dict[str, Any]:
        """Write them as section ``columns``."""
        named = default_id if self.id is None else self.id
        return {
            "id": named if isinstance(named, str) else list(named),
            "label": "label" if self.label is None else self.label,
            "pred_probs": self.pred_probs,
        }


def _audit(
    df: Any, call: _Names, sections: dict[str, Any], listener: PhaseListener
) -> AuditResult[Any]:
    check_given(df)
    probs = call.pred_probs if isinstance(call.pred_probs, str) else ""
    if not isinstance(df, str):
        call = call.completed(notes_of_data(df, probs), names_in_data(df))
    config = parse_sections({"columns": call.section(default_id(df)), **sections})  # before Spark
    names = config.columns
    given, own = open_given(
        df,
        id=call.id,
        needed=[names.label, *names.pred_probs_columns],
        keys=keys_of(names.id_columns, names.label, names.pred_probs_columns),
        listener=listener,
    )
    notes = given.notes_of(probs)
    if isinstance(given, GivenFrame) and isinstance(df, str):  # the table itself may note them
        call = call.completed(notes, given.columns)
        config = parse_sections({"columns": call.section(default_id(df)), **sections})
        names = config.columns
        given = replace(given, ids=names.id_columns)
    classes: Sequence[Any] | None = resolve_classes(config)
    if classes is None and isinstance(names.pred_probs, str):
        classes = noted_classes(notes)
    with watched_tasks(given.frame.sparkSession) as count_tasks:
        progress = Progress(listener, count_tasks=count_tasks)
        return _find(given, config, classes, progress, own=own)


def _find(
    given: Given[Any],
    config: Config,
    classes: Sequence[Any] | None,
    progress: Progress,
    *,
    own: bool,
) -> AuditResult[Any]:
    names = config.columns
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
        with progress.phase("check record ids") as phase:
            phase.rows = rows = count_duplicate_ids(
                narrow, scanner.ids, columns.ids, may_rise=False
            )
        method = config.section(MethodSection)
        findings = collect_findings(scanner, method, admission, progress, rows=rows)
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
