"""The passes over the wide column, and what the driver makes of their state.

A pass runs one or more kernels on one scan. What it leaves in the store is read again by kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sparkclean.confident.bounds import Bounds
from sparkclean.confident.scores import PRIOR_SHIFTED, WIDE_SCORES, ScoreInputs
from sparkclean.examples.kernels import REJECTED, ClassSums, Kernel, RunKernel, Together
from sparkclean.examples.statistics import (
    ClassStatistics,
    Scanner,
    check_read_again,
    collect_class_statistics,
)
from sparkclean.jobs.audit.counts import COUNTS_STATE
from sparkclean.jobs.audit.cutoffs import BucketCounts, bucket_counts_of
from sparkclean.jobs.audit.doubts import Core, find_core
from sparkclean.jobs.audit.histograms import Histogram, read_histogram
from sparkclean.jobs.audit.issue_kernels import CountOutcomes
from sparkclean.jobs.audit.pass_plan import PlannedPass
from sparkclean.jobs.audit.row_kernels import ConfidentCounts, PairMargins, RowScore
from sparkclean.jobs.audit.row_types import COUNTS, LOW_CONFIDENCE, UNDECIDED_ROW
from sparkclean.jobs.audit.sections import MethodSection
from sparkclean.numbers.pair_counts import PairCounts
from sparkclean.rows.progress import Phase, Progress
from sparkclean.rows.streams import State, Stream
from sparkclean.schema import PAIR_FILTERS

#: Buckets of a margin's unit interval, and the most counts by pair and bucket in one task.
_BUCKETS, _COUNTS = 64, 1 << 16


@dataclass(frozen=True)
class Pass:
    """The output of one scan.

    Attributes
    ----------
    streams : dict
        Emitted rows by kind.
    states : list of State
    confident, predictions : PairCounts
        Of `ConfidentCounts`: rows by given class and outcome, but for the undecided ones
        (`collect_undecided`); rows by given class and argmax.
    found : PairCounts
        Of `PairMargins`: emitted entries by pair.
    counted : BucketCounts or None
        The same by bucket of the margin, with its sign turned; None where they were not counted.
    core : Core
        Of `ConfidentCounts`: the rows of which the model is surest.
    self_confidence : Histogram
        Of `ConfidentCounts`: all rows, by their self-confidence.
    """

    streams: Mapping[int, Stream]
    states: list[State]
    confident: PairCounts
    predictions: PairCounts
    found: PairCounts
    counted: BucketCounts | None
    core: Core
    self_confidence: Histogram

    def collect_undecided(self, thresholds: NDArray[np.float64], collision: str) -> PairCounts:
        """Count the rows that bands left undecided, by given class and outcome.

        Parameters
        ----------
        thresholds : ndarray of float64, shape (K,)
            Within the bands.
        collision : str

        Returns
        -------
        PairCounts

        Notes
        -----
        A job over the undecided rows, one over the low-confidence rows; the driver holds at most K
        x K rows.
        """
        states: list[State] = []
        if UNDECIDED_ROW in self.streams:  # else thresholds were known
            count = CountOutcomes(thresholds, collision)
            for stream in (self.streams.get(kind) for kind in (UNDECIDED_ROW, LOW_CONFIDENCE)):
                if stream is not None and stream.rows != 0:
                    states += stream.collect(count)
        return PairCounts.of_entries(
            len(thresholds), ((state.first, state.second, state.values[0]) for state in states)
        )


def run_pass(scanner: Scanner, name: str, *kernels: Kernel) -> Pass:
    """Run kernels on one scan.

    Parameters
    ----------
    scanner : Scanner
    name : str
        Of the output in the store.
    *kernels : Kernel

    Returns
    -------
    Pass

    Notes
    -----
    Reads the wide column once. One job over files, two over frames; the driver holds at most K x K
    rows.
    """
    size, scan = scanner.columns.num_classes, scanner.scan
    function = RunKernel(scan.reader, Together(kernels), scan.id_types)
    output = scan.stream(scanner.store).run(name, function)
    buckets = max((k.buckets for k in kernels if isinstance(k, PairMargins)), default=0)
    counts = [state for state in output.states if state.kind == COUNTS]
    confident, predictions, found = (
        PairCounts.of_entries(
            size, ((s.first, s.second, s.values[i]) for s in counts if i < len(s.values))
        )
        for i in range(len(COUNTS_STATE))
    )
    return Pass(
        streams=output.streams,
        states=output.states,
        confident=confident,
        predictions=predictions,
        found=found,
        counted=bucket_counts_of(output.states, buckets) if buckets else None,
        core=find_core(output.states),
        self_confidence=read_histogram(output.states),
    )


@dataclass(frozen=True)
class Passes:
    """The passes that an audit may need, over one scan.

    Attributes
    ----------
    scanner : Scanner
    method : MethodSection
    progress : Progress
    rows : int
        That each of them reads.
    made : list of PlannedPass
        Those begun so far.
    """

    scanner: Scanner
    method: MethodSection
    progress: Progress
    rows: int
    made: list[PlannedPass] = field(default_factory=list)

    def first(self, planned: PlannedPass, bounds: Bounds | None) -> tuple[Pass, ClassStatistics]:
        """Admit rows and add up classes; with bounds count the joint and emit rows as well."""
        size = self.scanner.columns.num_classes
        kernels: list[Kernel] = [ClassSums(size, self.method.ranked_by == PRIOR_SHIFTED)]
        if bounds is not None:
            margins = bounds.lowest_margins
            kernels.append(self._counts(bounds.lowest, bounds.highest, pairs=margins is not None))
            if margins is not None:
                kernels.append(self._margins(margins))
        with self._phase(planned) as phase:
            found = run_pass(self.scanner, planned.name, *kernels)
            statistics = collect_class_statistics(
                self.scanner, found.states, found.streams[REJECTED]
            )
            phase.rows = statistics.rows
        return found, statistics

    def exact(
        self, planned: PlannedPass, thresholds: NDArray[np.float64], statistics: ClassStatistics
    ) -> Pass:
        """Count the joint by thresholds that are known, and emit rows."""
        return self._later(planned, self._counts(thresholds, thresholds), statistics)

    def last(
        self,
        planned: PlannedPass,
        thresholds: NDArray[np.float64],
        statistics: ClassStatistics,
        *,
        margins: NDArray[np.float64] | None,
        shift: NDArray[np.float64] | None,
    ) -> Pass:
        """Emit what pairs may prune, by bounds; score by the noise model."""
        kernel: Kernel
        if margins is None:
            kernel = self._counts(thresholds, thresholds, shift=shift)
        else:
            kernel = self._margins(margins, thresholds, shift)
        return self._later(planned, kernel, statistics)

    def _later(self, planned: PlannedPass, kernel: Kernel, statistics: ClassStatistics) -> Pass:
        """Read all again, and check that it is what the first pass has read."""
        classes = self.scanner.columns.classes
        with self._phase(planned) as phase:
            phase.rows = statistics.rows
            sums = ClassSums(len(classes), is_first=False)
            found = run_pass(self.scanner, planned.name, kernel, sums)
            check_read_again(statistics, found.states, classes)
        return found

    def _phase(self, planned: PlannedPass) -> AbstractContextManager[Phase]:
        self.made.append(planned)
        return self.progress.phase(planned.title(len(self.made)), of=self.rows)

    def _counts(
        self,
        lowest: NDArray[np.float64],
        highest: NDArray[np.float64],
        *,
        pairs: bool = False,
        shift: NDArray[np.float64] | None = None,
    ) -> ConfidentCounts:
        method = self.method
        emit = {
            "confident_learning": "confident",
            "predicted_neq_given": "differing",
            "prune_by_noise_rate": "none" if pairs else "rivals",
            "both": "low" if pairs else "rivals",
        }.get(method.filter_by, "low")
        return ConfidentCounts(
            lowest,
            highest,
            method.collision,
            self.scanner.scan.reader.row_sum_tolerance,
            emit=emit,
            score=None if method.filter_by in PAIR_FILTERS else row_score(method, lowest, shift),
        )

    def _margins(
        self,
        lowest: NDArray[np.float64],
        thresholds: NDArray[np.float64] | None = None,
        shift: NDArray[np.float64] | None = None,
    ) -> PairMargins:
        tolerance = self.scanner.scan.reader.row_sum_tolerance
        score = row_score(self.method, thresholds, shift)
        pairs = np.flatnonzero(lowest < np.inf)
        buckets = _BUCKETS if len(pairs) * _BUCKETS <= _COUNTS else 0
        margins = lowest.reshape(-1)[pairs]
        return PairMargins(len(lowest), pairs, margins, tolerance, score, buckets)


def row_score(
    method: MethodSection,
    thresholds: NDArray[np.float64] | None,
    shift: NDArray[np.float64] | None,
) -> RowScore | None:
    """Give the score that needs the whole row, if the method has one.

    Parameters
    ----------
    method : MethodSection
    thresholds : ndarray of float64, shape (K,), or None
        For adjusted probabilities.
    shift : ndarray of float64, shape (K,), or None
        For ``prior_shifted_self_confidence``; without it that one has to wait for another pass.

    Returns
    -------
    RowScore or None
    """
    if method.ranked_by == PRIOR_SHIFTED and shift is None:
        return None
    if not method.adjust_pred_probs and method.ranked_by not in WIDE_SCORES:
        return None
    inputs = ScoreInputs(thresholds, shift)
    return RowScore(method.ranked_by, method.adjust_pred_probs, inputs)
