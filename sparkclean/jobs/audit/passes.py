"""The passes over the wide column, and what the driver makes of their state.

A pass runs one or more kernels on one scan. What it leaves in the store is read again by kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparkclean.examples.kernels import Kernel, RunKernel, Together
from sparkclean.examples.statistics import Scanner
from sparkclean.jobs.audit.counts import COUNTS_STATE
from sparkclean.jobs.audit.cuts import Counted, counted_of
from sparkclean.jobs.audit.issue_kernels import CountOutcomes
from sparkclean.jobs.audit.kinds import COUNTS, LOW, OPEN
from sparkclean.jobs.audit.row_kernels import PairMargins
from sparkclean.rows.streams import State, Stream


@dataclass(frozen=True)
class Pass:
    """The output of one scan.

    Attributes
    ----------
    streams : dict
        Emitted rows by kind.
    states : list of State
    confident, predictions : ndarray of int64, shape (K, K)
        Of `ConfidentCounts`: rows by given class and outcome, but for the undecided ones
        (`collect_undecided`); rows by given class and argmax.
    found : ndarray of int64, shape (K, K)
        Of `PairMargins`: emitted entries by pair.
    counted : Counted or None
        The same by bucket of the margin, with its sign turned; None where they were not counted.
    """

    streams: Mapping[int, Stream]
    states: list[State]
    confident: NDArray[np.int64]
    predictions: NDArray[np.int64]
    found: NDArray[np.int64]
    counted: Counted | None

    def collect_undecided(
        self, thresholds: NDArray[np.float64], collision: str
    ) -> NDArray[np.int64]:
        """Count the rows that bands left undecided, by given class and outcome.

        Parameters
        ----------
        thresholds : ndarray of float64, shape (K,)
            Within the bands.
        collision : str

        Returns
        -------
        ndarray of int64, shape (K, K)

        Notes
        -----
        A job over the undecided rows, one over the low rows; the driver holds at most K x K rows.
        """
        counts = np.zeros_like(self.confident)
        if OPEN not in self.streams:  # thresholds were known
            return counts
        count = CountOutcomes(thresholds, collision)
        for stream in (self.streams.get(kind) for kind in (OPEN, LOW)):
            if stream is not None and stream.rows != 0:
                for _, given, outcome, values in stream.collect(count):
                    counts[given, outcome] += values[0]
        return counts


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
    matrices = {name: np.zeros((size, size), np.int64) for name in COUNTS_STATE}
    for kind, given, true, values in output.states:
        if kind == COUNTS:
            for matrix, value in zip(matrices.values(), values, strict=False):
                matrix[given, true] = value
    return Pass(
        streams=output.streams,
        states=output.states,
        confident=matrices["confident"],
        predictions=matrices["predictions"],
        found=matrices["entries_found"],
        counted=counted_of(output.states, buckets) if buckets else None,
    )
