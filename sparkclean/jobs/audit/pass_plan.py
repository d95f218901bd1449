"""Which passes over the wide column an audit makes, and why: no Spark, no data.

The driver asks `next_pass` again and again, with what it knows by then. ``--dry-run`` asks the same
function, with what is likely.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from sparkclean.confident.bounds import MANY_CLASSES, Bounds
from sparkclean.confident.scores import PRIOR_SHIFTED
from sparkclean.jobs.audit.sections import MethodSection
from sparkclean.schema import PAIR_FILTERS

_MARGINS = "margins of class pairs"


class PassKind(Enum):
    """The passes that there are; people see them numbered as they come."""

    #: Admits rows and adds up classes; by bounds it counts the joint and emits rows as well.
    FIRST = 1
    #: Counts the joint by exact thresholds, and emits low-confidence rows, for filters by pair with
    #: rivals.
    EXACT = 2
    #: Emits what pairs may prune, by bounds of their cutoffs; scores by the noise model.
    LAST = 3


@dataclass(frozen=True)
class PlannedPass:
    """One pass over the wide column.

    Attributes
    ----------
    kind : PassKind
    what : str
        What it finds, for people.
    why : str
    notice : str
        For the log, where something is not what was expected.
    """

    kind: PassKind
    what: str
    why: str
    notice: str = ""

    @property
    def name(self) -> str:
        """Name of its output in the store."""
        return f"pass_{self.kind.value}"

    def title(self, number: int) -> str:
        """Name its phase, by how many passes there are with it."""
        return f"pass {number}: {self.what}"


@dataclass(frozen=True)
class Needs:
    """What a method asks of the probabilities, beside class sums and the confident joint.

    Attributes
    ----------
    pair_cutoffs : bool
        Margins of the rows that a pair of classes may prune.
    scores_by_thresholds, scores_by_noise_model : bool
        Scores that need exact thresholds; that need the noise model.
    """

    pair_cutoffs: bool = False
    scores_by_thresholds: bool = False
    scores_by_noise_model: bool = False

    @classmethod
    def of(cls, method: MethodSection) -> Needs:
        """Read them from the configuration."""
        return cls(
            method.filter_by in PAIR_FILTERS,
            method.adjust_pred_probs,
            method.ranked_by == PRIOR_SHIFTED,
        )


@dataclass(frozen=True)
class Known:
    """What is known when the next pass is decided on.

    Attributes
    ----------
    needs : Needs
    thresholds_bounded, cutoffs_bounded : bool
        Before the first pass; cutoffs only with thresholds.
    class_sums : bool
        And with them the exact thresholds.
    joint : bool
        The confident joint is counted, and low-confidence rows are emitted.
    rivals : bool
        Low-confidence rows are emitted with their rivals, which bound the cutoffs of class pairs.
    margins : bool
        All rows that a pair may prune are emitted.
    scores : bool
        Rows are scored by the noise model.
    """

    needs: Needs
    thresholds_bounded: bool = False
    cutoffs_bounded: bool = False
    class_sums: bool = False
    joint: bool = False
    rivals: bool = False
    margins: bool = False
    scores: bool = False

    @classmethod
    def by_bounds(cls, needs: Needs, bounds: Bounds | None) -> Known:
        """Say what is known before the first pass."""
        cutoffs = bounds is not None and bounds.lowest_margins is not None and needs.pair_cutoffs
        return cls(needs, bounds is not None, cutoffs)

    @classmethod
    def likely(cls, needs: Needs, num_classes: int) -> Known:
        """Say what a sample is likely to bound."""
        bounded = not needs.scores_by_thresholds
        cutoffs = bounded and needs.pair_cutoffs and num_classes < MANY_CLASSES
        return cls(needs, bounded, cutoffs)

    def after_first(self, *, thresholds_hold: bool) -> Known:
        """Add what the first pass finds; thresholds hold if they lie within their bounds."""
        hold = self.thresholds_bounded and thresholds_hold
        return replace(
            self,
            class_sums=True,
            joint=hold,
            rivals=hold and not self.cutoffs_bounded,
            margins=hold and self.cutoffs_bounded,
        )

    def after_quotas(self, *, cutoffs_hold: bool) -> Known:
        """Add whether the bounded cutoffs have let as many rows through as the quotas want."""
        return replace(self, margins=self.margins and cutoffs_hold)

    def after_exact(self) -> Known:
        """Add what the pass by exact thresholds finds."""
        return replace(self, joint=True, rivals=True)

    def after_last(self) -> Known:
        """Add what the last pass finds."""
        return replace(self, margins=True, scores=True)


def next_pass(known: Known) -> PlannedPass | None:
    """Decide on the next pass.

    Parameters
    ----------
    known : Known

    Returns
    -------
    PlannedPass or None
        None where no further one is needed.
    """
    if not known.class_sums:
        return _first(known)
    needs_margins = known.needs.pair_cutoffs and not known.margins
    if not known.joint or (needs_margins and not known.rivals):
        return _exact(known)
    if needs_margins:
        return PlannedPass(PassKind.LAST, _MARGINS, "the cutoffs of class pairs are bounded now")
    if known.needs.scores_by_noise_model and not known.scores:
        what = _MARGINS if known.needs.pair_cutoffs else "scores by the noise model"
        return PlannedPass(PassKind.LAST, what, "scores need the noise model")
    return None


def _first(known: Known) -> PlannedPass:
    what = "class sums and confident joint" if known.thresholds_bounded else "class sums"
    if known.cutoffs_bounded:
        why = "thresholds and cutoffs of class pairs are bounded beforehand"
    elif known.thresholds_bounded:
        why = "thresholds are bounded beforehand"
    elif known.needs.scores_by_thresholds:
        why = "scores need exact thresholds"
    else:
        why = "nothing bounds the thresholds"
    return PlannedPass(PassKind.FIRST, what, why)


def _exact(known: Known) -> PlannedPass:
    why, notice = "the thresholds are known now", ""
    if known.joint:
        why = "the cutoffs of class pairs are outside their bounds"
        notice = f"{why}: two more passes"
    elif known.thresholds_bounded:
        why = "the thresholds are outside their bounds"
        notice = f"{why}: one more pass"
    return PlannedPass(PassKind.EXACT, "confident joint", why, notice)


def planned_passes(known: Known, *, bounds_hold: bool = True) -> tuple[PlannedPass, ...]:
    """List all passes from here on.

    Parameters
    ----------
    known : Known
    bounds_hold : bool
        Whether the thresholds lie within their bounds, and the cutoffs of class pairs with them.

    Returns
    -------
    tuple of PlannedPass
    """
    planned = next_pass(known)
    if planned is None:
        return ()
    after = {
        PassKind.FIRST: known.after_first(thresholds_hold=bounds_hold),
        PassKind.EXACT: known.after_exact(),
        PassKind.LAST: known.after_last(),
    }[planned.kind]
    return (planned, *planned_passes(after, bounds_hold=bounds_hold))


def describe_passes(known: Known) -> str:
    """Write the passes down in one line, with reasons.

    Parameters
    ----------
    known : Known
        Before the first pass.

    Returns
    -------
    str
    """
    likely = planned_passes(known)
    most = len(planned_passes(known, bounds_hold=False))
    shown = ", then ".join(f"{planned.what} ({planned.why})" for planned in likely)
    return f"{len(likely)}: {shown}" + (f"; {most} if bounds fail" if most > len(likely) else "")
