"""What an audit would do, for ``--dry-run``. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sparkclean.confident.thresholds import confident_thresholds
from sparkclean.errors import InputError
from sparkclean.examples.checks import (
    check_admission,
    count_duplicate_ids,
    in_sample_warning,
)
from sparkclean.examples.kernels import REJECTED, ClassSums
from sparkclean.examples.scan import FrameScan
from sparkclean.examples.statistics import ClassStatistics, Scanner, collect_class_statistics
from sparkclean.jobs.audit.doubts import find_doubts
from sparkclean.jobs.audit.pass_plan import Known, Needs, describe_passes
from sparkclean.jobs.audit.passes import run_pass
from sparkclean.jobs.audit.row_kernels import ConfidentCounts
from sparkclean.jobs.audit.sections import AdmissionSection, CleanSection, MethodSection
from sparkclean.jobs.audit.steps import AuditPrepared, scan_of
from sparkclean.lake import Pin
from sparkclean.rows.report import Grid, Report
from sparkclean.rows.stores import CacheStore
from sparkclean.runs.context import Context
from sparkclean.runs.job import Prepared

_SAMPLE_ROWS = 1000
_SHOWN = 8


def describe_audit(prepared: AuditPrepared, context: Context) -> Report:
    """Describe what an audit would do.

    Parameters
    ----------
    prepared : AuditPrepared
    context : Context

    Returns
    -------
    Report
        Rows, classes, a sample's verdict, passes, outputs.

    Raises
    ------
    InputError
        If too many rows are rejected, of a table that has less than a thousand.

    Notes
    -----
    Audits the first thousand rows: a few small jobs.
    """
    made = prepared.scanned.pin
    probs = f"{made.table} ({made.dataset_version})" if prepared.has_predictions else None
    method = context.config.section(MethodSection)
    about = [
        *_sample_verdict(prepared, context),
        _method(context),
        ("scan", scan_of(prepared, context.config).kind),
        ("passes", describe_passes(Known.likely(Needs.of(method), prepared.columns.num_classes))),
    ]
    return _describe(prepared, context, probs, prepared.columns.classes, about)


def describe_ahead(prepared: Prepared, context: Context) -> Report:
    """Describe what an audit would do, once its probabilities were predicted.

    Parameters
    ----------
    prepared : Prepared
    context : Context

    Returns
    -------
    Report
    """
    probs = f"{context.config.input.predictions} (to be predicted)"
    return _describe(prepared, context, probs, prepared.classes, [_method(context)])


def _describe(
    prepared: Prepared,
    context: Context,
    probs: str | None,
    classes: Sequence[Any],
    about: Sequence[tuple[str, str]],
) -> Report:
    config, pin = context.config, prepared.input.pin
    clean = config.section(CleanSection)
    where = f"; audited where {config.input.where}" if config.input.where else ""
    facts = [("input", pin.shown)]
    if probs is not None:
        facts.append(("probs", probs))
    facts.append(("rows", f"{_size(pin)}{where}"))
    shown = ", ".join(str(label) for label in classes[:_SHOWN])
    more = ", ..." if len(classes) > _SHOWN else ""
    facts.append(("classes", f"{len(classes)}: {shown}{more}" if classes else "all labels"))
    facts += [
        *about,
        ("cleaned", f"mode {clean.mode}, rejected rows: {clean.rejected}"),
    ]
    for name, target in context.targets.items():
        current = target.current()
        now = f"current {current.name}" if current else "new"
        facts.append(("publishes", f"{name:<10} to {target.location} ({now})"))
    return Report([Grid(facts, line="{0:<9} {1}")])


def _method(context: Context) -> tuple[str, str]:
    method = context.config.section(MethodSection)
    return "method", f"{method.filter_by}, ranked by {method.ranked_by}"


def _size(pin: Pin) -> str:
    """Say how large the input is, as far as that is known without a job."""
    rows = "counted when the run starts" if pin.rows is None else f"{pin.rows:,}"
    files = f" in {len(pin.files):,} files" if pin.files else ""
    return rows + files + (f", {pin.size_bytes >> 20:,} MiB" if pin.size_bytes is not None else "")


def _sample_verdict(prepared: AuditPrepared, context: Context) -> list[tuple[str, str]]:
    """Audit the first rows and say what was found."""
    columns, admission = prepared.columns, context.config.section(AdmissionSection)
    collision = context.config.section(MethodSection).collision
    tolerance = admission.row_sum_tolerance
    sample = columns.narrow(prepared.audited).limit(_SAMPLE_ROWS)
    store = CacheStore()
    scan = FrameScan(sample, columns.reader(tolerance), columns.id_types)
    scanner = Scanner(scan, columns, store)
    warnings: list[str] = []
    try:
        sums = run_pass(scanner, "sums", ClassSums(columns.num_classes))
        statistics = collect_class_statistics(scanner, sums.states, sums.streams[REJECTED])
        _check_ids(prepared, scanner, statistics.rows)
        rejections = _rejections(scanner, statistics, admission.max_rejected_fraction)
        if statistics.audited:
            thresholds = confident_thresholds(statistics.sums, statistics.examples.tolist())
            kernel = ConfidentCounts(thresholds, thresholds, collision, tolerance, emit="none")
            found = run_pass(scanner, "counts", kernel)
            doubts = find_doubts(statistics, found.predictions, found.core, None, columns.classes)
            warnings = in_sample_warning(statistics, found.predictions) + [str(d) for d in doubts]
    finally:
        store.close()
    rejected = [f"{count} {reason}" for reason, count in sorted(statistics.rejections.items())]
    rows = f"{statistics.rows:,} rows, {statistics.audited:,} valid"
    return [
        ("sample", "; ".join([rows, *rejected])),
        *(("warning", text) for text in [*rejections, *warnings]),
    ]


def _check_ids(prepared: AuditPrepared, scanner: Scanner, rows: int) -> None:
    """Check that record ids stand once among the first rows of the table."""
    columns = scanner.columns
    keys = columns.keys(prepared.input.frame).limit(_SAMPLE_ROWS)
    try:
        count_duplicate_ids(keys, scanner.ids, columns.ids, may_rise=False)
    except InputError as exc:
        of = "" if rows < _SAMPLE_ROWS else f"of the first {rows:,} rows: "
        raise InputError([of + text for text in exc.findings]) from exc


def _rejections(
    scanner: Scanner, statistics: ClassStatistics, max_rejected_fraction: float
) -> list[str]:
    """Say why the run would stop, were all rows as those of the sample; raise if these are all."""
    try:
        check_admission(
            statistics,
            max_rejected_fraction=max_rejected_fraction,
            ids=scanner.ids,
            label=scanner.columns.label,
            probs=scanner.columns.probs[0],
        )
    except InputError as exc:
        if statistics.rows < _SAMPLE_ROWS:
            raise
        return [f"of the first {statistics.rows:,} rows: {text}" for text in exc.findings]
    return []
