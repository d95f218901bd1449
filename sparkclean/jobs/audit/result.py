"""What an audit in a notebook found: tables, the cleaned examples, and how it shows itself."""

from __future__ import annotations

import logging
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from sparkclean import schema
from sparkclean.confident.noise import NoiseModel
from sparkclean.config.arguments import in_words_of_arguments, words_of_arguments
from sparkclean.config.model import parse_sections
from sparkclean.errors import ConfigError
from sparkclean.examples.clean import Cleaned, RejectedRows, check_free_names, clean_dataset
from sparkclean.examples.columns import Columns
from sparkclean.examples.given import Given
from sparkclean.examples.suspect_table import collect_top, suspects_frame
from sparkclean.jobs.audit.findings import Findings, findings_hash
from sparkclean.jobs.audit.numbers import result_of
from sparkclean.jobs.audit.sections import CleanSection
from sparkclean.jobs.audit.summary import summarise
from sparkclean.jobs.audit.tables import class_rows, pair_rows, rejected_frame
from sparkclean.rows.driver_rows import rows_frame
from sparkclean.rows.report import Report
from sparkclean.rows.report_html import report_html
from sparkclean.rows.stores import CacheStore
from sparkclean.runs.engine_errors import errors_of_tasks
from sparkclean.runs.provenance import Provenance

if TYPE_CHECKING:
    from types import TracebackType

    from pyspark.sql import Row

    from sparkclean.runs.report import ReportPage

_log = logging.getLogger("sparkclean")

#: DataFrame of Spark or of pandas, as what was audited.
F = TypeVar("F")

#: Suspects that a result shows, and that `AuditResult.top` gives at most.
_SHOWN, _MOST = 5, 10_000


@dataclass(repr=False)
class AuditResult(Generic[F]):
    """What `audit` found. A context manager: leaving it drops the cached frames.

    Tables are DataFrames of Spark, or of pandas where rows of pandas or Arrow were audited. These
    have the index of the rows that they are about. A notebook shows a result as a page.

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

    suspects: F
    classes: F
    pairs: F
    rejected: F
    noise: NoiseModel
    thresholds: NDArray[np.float64]
    num_suspects: int
    warnings: tuple[str, ...]
    _findings: Findings
    _columns: Columns
    _store: CacheStore
    _given: Given[F]
    _ranked_by: str = "self_confidence"
    _known: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        findings: Findings,
        columns: Columns,
        store: CacheStore,
        given: Given[F],
        provenance: Provenance,
        *,
        ranked_by: str = "self_confidence",
    ) -> AuditResult[F]:
        """Make the tables of what was found, as the caller works with them.

        Parameters
        ----------
        findings : Findings
        columns : Columns
        store : CacheStore
            That holds the suspects.
        given : Given
            What was audited.
        provenance : Provenance
        ranked_by : str
            The label quality score.

        Returns
        -------
        AuditResult

        Notes
        -----
        No job for frames of Spark, which are lazy. Four small ones for local rows.
        """
        spark, label_type = given.frame.sparkSession, columns.label_type.simpleString()
        tables = (
            (class_rows(findings, columns, provenance), schema.CLASSES),
            (pair_rows(findings, columns, provenance), schema.PAIRS),
        )
        classes, pairs = (rows_frame(spark, rows, kind, label_type) for rows, kind in tables)
        suspects = suspects_frame(findings.suspects, columns, provenance.values())
        return cls(
            suspects=given.give(suspects if given.is_lazy else suspects.orderBy(schema.RANK)),
            classes=given.give(classes),
            pairs=given.give(pairs),
            rejected=given.give(rejected_frame(findings.statistics.rejected, columns, provenance)),
            noise=findings.noise,
            thresholds=findings.thresholds,
            num_suspects=findings.suspects.num_suspects,
            warnings=findings.warnings,
            _findings=findings,
            _columns=columns,
            _store=store,
            _given=given,
            _ranked_by=ranked_by,
        )

    def top(self, n: int = 10, columns: str | Sequence[str] = ()) -> F:
        """Give the most suspicious examples, with columns of their own.

        Parameters
        ----------
        n : int
            Rows, at most 10,000, which the driver holds. All of them are in ``suspects``.
        columns : str or sequence of str
            Columns of the examples, such as a text; ``"*"`` gives all. One that is called like a
            column of suspects gets the suffix ``_of_example``.

        Returns
        -------
        DataFrame
            In the order of ``rank``: rank, record id, given and suggested label, scores, reason.

        Raises
        ------
        ConfigError
            If ``n`` is out of range.
        InputError
            If there is no such column.

        Notes
        -----
        One job over the suspects, or none where they were shown before. Columns of a frame of Spark
        take one that reads the frame, when the result is used; few rows are broadcast for it.
        """
        if not 1 <= n <= _MOST:
            raise ConfigError(f"n=: {n!r} is out of range; choose 1 to {_MOST:,}. suspects has all")
        given, ids = self._given, self._columns.ids
        own = [columns] if isinstance(columns, str) else list(columns)
        if columns == "*":
            own = [name for name in given.columns if name not in ids]
        empty = suspects_frame(self._findings.suspects, self._columns, {})
        kept = [name for name in empty.columns if name not in (*ids, schema.RANK)]
        kind = empty.select(schema.RANK, *ids, *kept).schema
        rows: list[Row] = [tuple(row[name] for name in kind.names) for row in self._top(n)]  # type: ignore[misc]
        with in_words_of_arguments():
            return given.give_top(rows, kind, own)

    def cleaned(
        self, mode: str = "drop", *, rejected: str = "keep", keep_original: bool = True
    ) -> F:
        """Give the examples cleaned: the same rows that were audited, changed as ``mode`` says.

        Parameters
        ----------
        mode : {"drop", "relabel", "weight", "quarantine"}
            ``drop`` leaves suspects out, and so does ``quarantine`` (`quarantined` has them);
            ``relabel`` gives them the suggested label; ``weight`` adds ``sample_weight``, which is
            0 for suspects.
        rejected : {"keep", "remove"}
            What happens to rows that could not be audited.
        keep_original : bool
            Whether ``relabel`` adds the given label and a mark of what was changed.

        Returns
        -------
        DataFrame
            Of Spark: lazy. Of pandas: new rows with their index.

        Raises
        ------
        ConfigError
            If an option is unknown.
        InputError
            If a column that is added is there already.

        Notes
        -----
        A join by record id, which shuffles no examples for up to a million suspects. For local rows
        one job over their labels. Nothing asks here whether the result is to be trusted: look at
        ``warnings`` first.
        """
        cleaned, changed = self._clean(mode, rejected, keep_original=keep_original)
        with errors_of_tasks():
            return self._given.give_changed(cleaned.clean, changed)

    def quarantined(self) -> F:
        """Give the rows that ``cleaned("quarantine")`` leaves out, with all their columns.

        Returns
        -------
        DataFrame
            As `cleaned`.
        """
        cleaned, _ = self._clean("quarantine", "keep", keep_original=True)
        with errors_of_tasks():
            return self._given.give_changed(cleaned.quarantine, ())  # type: ignore[arg-type]

    def _clean(
        self, mode: str, rejected: str, *, keep_original: bool
    ) -> tuple[Cleaned, tuple[str, ...]]:
        """Build the cleaned examples, and name the columns that change."""
        given, columns, findings = self._given, self._columns, self._findings
        with in_words_of_arguments():
            options = {"mode": mode, "rejected": rejected, "keep_original": keep_original}
            clean = parse_sections({"clean": options}).section(CleanSection)
            if clean.mode == "none":
                raise ConfigError("mode=: 'none' makes no cleaned version; use what was audited")
            check_free_names(given.columns, columns.label, mode, keep_original=keep_original)
        statistics = findings.statistics
        cleaned = clean_dataset(
            given.narrowed([columns.label]),
            findings.suspects,
            RejectedRows(
                statistics.rejected, statistics.num_rejected, remove=clean.rejected == "remove"
            ),
            columns,
            mode=clean.mode,
            where=None,
            rows=statistics.rows,
            keep_original=keep_original,
            class_weights=findings.noise.class_weights.tolist(),
        )
        return cleaned, (columns.label,) if mode == "relabel" else ()

    def _top(self, count: int) -> list[dict[str, Any]]:
        """Collect the most suspicious rows, unless they are known. One job."""
        if len(self._known) < min(count, self.num_suspects):
            with errors_of_tasks():
                self._known = collect_top(self._findings.suspects, self._columns, {}, count)
        return self._known[:count]

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

    def __enter__(self) -> AuditResult[F]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The numbers that a run record has: rows, suspects, histograms of the scores."""
        return result_of(self._findings, self._ranked_by).metrics

    def report(self, columns: Sequence[str] | None = None) -> ReportPage:
        """Make the page that a run writes; a notebook shows it.

        Parameters
        ----------
        columns : sequence of str, optional
            Of the examples, that are shown with the top 50 suspects; by default up to eight that
            are neither id, label nor probabilities. ``[]`` keeps the table's data out of the page.

        Returns
        -------
        ReportPage
            ``save(path)`` writes it to a file.

        Raises
        ------
        ConfigError
            If the extra ``sparkclean[report]`` is not installed.
        InputError
            If there is no such column.

        Notes
        -----
        As `top` of 50 rows.
        """
        from sparkclean.jobs.audit.notebook_run import NotebookRun, report_on  # noqa: PLC0415 (the extra)

        run = NotebookRun(
            self._findings,
            self._columns,
            self._ranked_by,
            top=self._top,
            show=self.top,
            there=self._given.columns,
            columns=columns,
        )
        return report_on(run)

    # -- how it shows itself -----------------------------------------------------------------------

    def _report(self) -> Report:
        """Sum up what was found, with suspects where these are at hand."""
        top: list[dict[str, Any]] = []
        # without the cache the whole audit would be made again, for a few rows
        if self._known or self._store.is_kept:
            try:
                top = self._top(_SHOWN)[:_SHOWN]
            except Exception as exc:  # noqa: BLE001 (Spark may have gone: what is known is shown)
                _log.warning("the top suspects are not shown: %s", exc)
                self._store.close()
        return summarise(self._findings, self._columns, top)

    def __repr__(self) -> str:
        width = shutil.get_terminal_size().columns
        lines = str(self._report()).strip("\n").splitlines()
        return "\n".join(fitted for line in lines for fitted in _fit(line, width))

    def _repr_html_(self) -> str:
        return report_html(self._report())


def _fit(line: str, width: int) -> list[str]:
    """Break a line that is too wide for a terminal; what follows is indented."""
    if len(line) <= width:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.wrap(line, max(width, 40), subsequent_indent=indent, drop_whitespace=True)


def in_words_of_the_call(findings: Findings, *more: str) -> Findings:
    """Name arguments in the warnings of findings, and put further ones first."""
    own = (words_of_arguments(text) for text in findings.warnings)
    return replace(findings, warnings=(*more, *own))
