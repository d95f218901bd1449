"""Fit a method to items in passes: the driver's side."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sparkclean.crowds.crowdlab import Crowdlab, CrowdlabCounts, Weights, weigh
from sparkclean.crowds.dawid_skene import Confusions, DawidSkene, Sums
from sparkclean.crowds.em import Fit
from sparkclean.crowds.majority import MajorityVote, UntiedCounts, Wawa, wawa_skills
from sparkclean.errors import InputError
from sparkclean.jobs.consensus.item_functions import (
    CountAgreeing,
    CountVoters,
    Decider,
    Expect,
    add_sums,
)
from sparkclean.jobs.consensus.row_types import (
    ANNOTATOR,
    ANNOTATORS,
    CONSENSUS,
    LABELS,
    MODEL,
    SIZE,
    SUMS,
)
from sparkclean.jobs.consensus.sections import ConsensusSection
from sparkclean.rows.progress import Progress
from sparkclean.rows.streams import State, Stream

#: Items that a task of EM reads at once.
_PASS_ROWS = 1 << 16
#: Numbers of all confusion matrices together: a task holds twice as many of 8 bytes.
MOST_CELLS = 1 << 26


@dataclass(frozen=True)
class Items:
    """All items, and what is known of them.

    Attributes
    ----------
    stream : Stream
        Of `sparkclean.jobs.consensus.group.GroupItems`.
    folder : Path
        That driver and executors share.
    untied : UntiedCounts
    num_models : int
        P.
    items, annotations : int
        N and V.
    """

    stream: Stream
    folder: Path
    untied: UntiedCounts
    num_models: int
    items: int
    annotations: int

    @property
    def num_annotators(self) -> int:
        """A."""
        return len(self.untied.votes)

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.untied.classes)


@dataclass(frozen=True)
class Fitted:
    """A method that is fitted.

    Attributes
    ----------
    decider : Decider
    quality : {"agreement", "posterior", "crowdlab"}
        How the quality of annotators is measured.
    model_share : float
        As `sparkclean.crowds.annotators.annotator_stats` takes it.
    iterations : int or None
        Of EM.
    warnings : tuple of str
    """

    decider: Decider
    quality: str
    model_share: float = 0.0
    iterations: int | None = None
    warnings: tuple[str, ...] = ()


def fit_method(items: Items, section: ConsensusSection, progress: Progress) -> Fitted:
    """Fit the method that is configured.

    Parameters
    ----------
    items : Items
    section : ConsensusSection
    progress : Progress

    Returns
    -------
    Fitted

    Raises
    ------
    InputError
        If CROWDLAB has no item with two votes.

    Notes
    -----
    Jobs over the items: none for a majority vote, one for Wawa, two for CROWDLAB, one for each
    iteration of Dawid-Skene and one to start it.
    """
    method = section.chosen_method
    if method == "majority_vote":
        return Fitted(MajorityVote(items.untied), "agreement")
    if method == "wawa":
        return _fit_wawa(items, progress)
    if method == "crowdlab":
        return _fit_crowdlab(items, progress)
    return fit_in_passes(items, section, progress)


def _fit_wawa(items: Items, progress: Progress) -> Fitted:
    with progress.phase("weigh annotators", of=items.items):
        states = items.stream.collect(CountAgreeing(items.untied, items.num_models))
    counts = np.zeros((items.num_annotators, 2), np.int64)
    for state in states:
        counts[state.first] += state.values
    return Fitted(Wawa(items.untied, wawa_skills(counts[:, 0], counts[:, 1])), "agreement")


def _fit_crowdlab(items: Items, progress: Progress) -> Fitted:
    fitted: Crowdlab | None = None
    weights: list[Weights] = []
    for _ in range(2):
        with progress.phase("weigh annotators and models", of=items.items):
            states = items.stream.collect(CountVoters(items.untied, items.num_models, fitted))
        weights.append(weigh(_voters(states, items)))
        fitted = Crowdlab(items.untied, *weights)
    fitted = Crowdlab(items.untied, weights[0], weights[1])
    return Fitted(fitted, "crowdlab", weights[-1].model_share)


def _voters(states: Sequence[State], items: Items) -> CrowdlabCounts:
    """Add up what tasks have counted."""
    found = CrowdlabCounts(
        items.items,
        items.annotations,
        np.zeros(items.num_annotators, np.int64),
        np.zeros(items.num_annotators, np.int64),
        np.zeros(items.num_classes, np.int64),
        np.zeros(items.num_models, np.int64),
        {},
    )
    for kind, first, _, values in states:
        if kind == ANNOTATOR:
            found.pairs[first], found.possible[first] = values
        elif kind == CONSENSUS:
            found.classes[first] = values[0]
        elif kind == MODEL:
            found.model_errors[first] = values[0]
        elif kind == SIZE:
            found.agreeing[first] = (values[0], values[1])
    if not found.agreeing:
        raise InputError(
            f"consensus.method: crowdlab weighs annotators by items with two labels or more, and "
            f"none of the {items.items:,} items has two; for single labels use sparkclean audit, "
            "or consensus.method: majority_vote"
        )
    return found


# -- Dawid and Skene -----------------------------------------------------------------------------


def fit_in_passes(items: Items, section: ConsensusSection, progress: Progress) -> Fitted:
    """Fit the model of Dawid and Skene; each iteration is one pass over the items.

    Parameters
    ----------
    items : Items
    section : ConsensusSection
    progress : Progress

    Returns
    -------
    Fitted

    Raises
    ------
    InputError
        If the matrices are too large.

    Notes
    -----
    A job for each pass. The driver holds A K K numbers; so does a task. The matrices go to a file
    that tasks map into memory, so that the plan of a pass does not grow.
    """
    cells = items.num_annotators * items.num_classes**2
    if cells > MOST_CELLS:
        raise InputError(
            f"consensus.method: dawid_skene needs {cells:,} numbers for the confusion matrices of "
            f"{items.num_annotators:,} annotators and {items.num_classes:,} classes, and at most "
            f"{MOST_CELLS:,} are possible; choose wawa, majority_vote or crowdlab"
        )
    fit = Fit(
        items.annotations,
        items.items,
        section.smoothing,
        section.tolerance,
        section.max_iterations,
    )
    stream = items.stream.select((ANNOTATORS, LABELS), _PASS_ROWS)
    with progress.phase("fit confusion matrices", of=items.items):
        following: Confusions | None = fit.start(_pass(items, stream, None, 0))
        last, number = following, 0
        while following is not None:
            place = items.folder / f"confusions-{number}.npy"
            last, number = following.kept(place), number + 1
            following = fit.step(_pass(items, stream, last, number))
            if following is not None:
                place.unlink()
    warnings: tuple[str, ...] = ()
    if not fit.has_converged:
        gain = "unknown" if fit.gain is None else f"{fit.gain:.2g}"
        warnings = (
            f"dawid_skene stopped after {fit.iterations} iterations (consensus.max_iterations), "
            f"when the last one gained {gain} for each annotation",
        )
    if last is None:
        raise ValueError("EM has made no pass")
    return Fitted(
        DawidSkene(items.untied, last), "posterior", iterations=fit.iterations, warnings=warnings
    )


def _pass(items: Items, stream: Stream, parameters: Confusions | None, number: int) -> Sums:
    function = Expect(items.num_annotators, items.num_classes, parameters)
    name = f"pass-{number}"
    output = stream.run(name, function)
    sums = add_sums(output.streams[SUMS].read_here(), items.num_annotators, items.num_classes)
    shutil.rmtree(items.folder / name, ignore_errors=True)
    return sums
