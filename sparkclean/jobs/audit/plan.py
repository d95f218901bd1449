"""What a run would do, for ``--dry-run``. Writes nothing."""

from __future__ import annotations

from sparkclean.confident.thresholds import confident_thresholds
from sparkclean.errors import InputError
from sparkclean.examples.checks import check_admission, model_warnings
from sparkclean.examples.kernels import REJECTED, ClassSums
from sparkclean.examples.scan import FrameScan
from sparkclean.examples.scan_choice import choose_scan
from sparkclean.examples.statistics import ClassStatistics, Scanner, collect_class_statistics
from sparkclean.jobs.audit.pass_plan import Known, Needs, describe_passes
from sparkclean.jobs.audit.passes import run_pass
from sparkclean.jobs.audit.row_kernels import ConfidentCounts
from sparkclean.jobs.audit.run import Run
from sparkclean.lake import Pin
from sparkclean.rows.stores import CacheStore

_SAMPLE_ROWS = 1000
_SHOWN = 8


def describe_plan(run: Run) -> str:
    """Describe what a run would do.

    Parameters
    ----------
    run : Run
        Prepared.

    Returns
    -------
    str
        Several lines: rows, classes, a sample's verdict, passes, outputs.

    Raises
    ------
    InputError
        If too many rows are rejected, of a table that has less than a thousand.

    Notes
    -----
    Audits the first thousand rows: a few small jobs.
    """
    config, columns, pin = run.config, run.columns, run.pin
    shown = ", ".join(str(label) for label in columns.classes[:_SHOWN])
    more = ", ..." if columns.num_classes > _SHOWN else ""
    where = f"; audited where {config.input.where}" if config.input.where else ""
    scan = choose_scan(config, run.scanned, run.predictions or pin, run.audited, columns)
    lines = [
        f"input     {pin.table} ({pin.format}, {pin.dataset_version})",
        *(
            [f"probs     {run.predictions.table} ({run.predictions.dataset_version})"]
            if run.predictions is not None
            else []
        ),
        f"rows      {_size(pin)}{where}",
        f"classes   {columns.num_classes}: {shown}{more}",
        *_sample_verdict(run),
        f"method    {config.method.filter_by}, ranked by {config.method.ranked_by}",
        f"scan      {scan.kind}",
        f"passes    {describe_passes(Known.likely(Needs.of(config.method), columns.num_classes))}",
        f"cleaned   mode {config.clean.mode}, rejected rows: {config.clean.rejected}",
    ]
    for name, target in run.targets.items():
        current = target.current()
        now = f"current {current.name}" if current else "new"
        lines.append(f"publishes {name:<10} to {target.location} ({now})")
    return "\n".join([*lines, f"config fingerprint {run.fingerprint}", "nothing was written"])


def _size(pin: Pin) -> str:
    """Say how large the input is, as far as that is known without a job."""
    rows = "counted when the run begins" if pin.rows is None else f"{pin.rows:,}"
    files = f" in {len(pin.files):,} files" if pin.files else ""
    return rows + files + (f", {pin.size_bytes >> 20:,} MiB" if pin.size_bytes is not None else "")


def _sample_verdict(run: Run) -> list[str]:
    """Audit the first rows and say what was found."""
    store = CacheStore()
    tolerance = run.config.admission.row_sum_tolerance
    sample = run.columns.narrow(run.audited).limit(_SAMPLE_ROWS)
    scan = FrameScan(sample, run.columns.reader(tolerance), run.columns.id_types)
    scanner = Scanner(scan, run.columns, store)
    warnings: list[str] = []
    try:
        with run.engine_errors():
            sums = run_pass(scanner, "sums", ClassSums(run.columns.num_classes))
            statistics = collect_class_statistics(scanner, sums.states, sums.streams[REJECTED])
            rejections = _rejections(run, scanner, statistics)
            if statistics.audited:
                examples = statistics.examples
                thresholds = confident_thresholds(statistics.sums, examples.tolist())
                kernel = ConfidentCounts(
                    thresholds, thresholds, run.config.method.collision, tolerance, emit="none"
                )
                found = run_pass(scanner, "counts", kernel)
                warnings = model_warnings(statistics, found.predictions, run.columns.classes)
    finally:
        store.close()
    rejected = [f"{count} {reason}" for reason, count in sorted(statistics.rejections.items())]
    rows = f"{statistics.rows:,} rows, {statistics.audited:,} valid"
    return [
        "sample    " + "; ".join([rows, *rejected]),
        *(f"warning   {text}" for text in [*rejections, *warnings]),
    ]


def _rejections(run: Run, scanner: Scanner, statistics: ClassStatistics) -> list[str]:
    """Say why the run would stop, were all rows as those of the sample; raise if these are all."""
    try:
        check_admission(
            statistics,
            max_rejected_fraction=run.config.admission.max_rejected_fraction,
            ids=scanner.ids,
            label=run.columns.label,
            probs=run.columns.probs[0],
        )
    except InputError as exc:
        if statistics.rows < _SAMPLE_ROWS:
            raise
        return [f"of the first {statistics.rows:,} rows: {text}" for text in exc.findings]
    return []
