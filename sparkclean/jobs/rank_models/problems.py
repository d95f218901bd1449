"""What is wrong with items, in words."""

from __future__ import annotations

from sparkclean.errors import InputError
from sparkclean.jobs.rank_models import tally
from sparkclean.jobs.rank_models.sections import RankSection
from sparkclean.jobs.rank_models.totals import PROBLEM, Totals


def check_problems(totals: Totals, rank: RankSection, num_models: int) -> None:
    """Refuse items of which something is wrong.

    Parameters
    ----------
    totals : Totals
    rank : RankSection
    num_models : int

    Raises
    ------
    InputError
        All findings at once, each with up to five items.
    """
    answers, labels = rank.answers, rank.labels
    column = answers.probabilities
    texts = {
        tally.NULL_ITEM: "rank.answers.item, rank.labels.item: {rows} have no item (null); "
        "correct them, or leave them out",
        tally.NULL_LABEL: f"rank.labels.label: column {labels.label!r} is null for {{items}}; "
        "correct the labels, or leave these items out of both tables",
        tally.NO_LABEL: f"rank.labels: {{items}} of the answers have no row in {labels.table}; "
        "add them there, or leave these answers out with input.where",
        tally.TWICE_LABELLED: f"rank.labels.item: {{items}} have several rows in {labels.table}; "
        "keep one of each",
        tally.TWICE_ANSWERED: "rank.answers: {items} have several answers of the same model; keep "
        "one of each, or choose among them with input.where",
        tally.MISSING: f"rank.answers: {{items}} have no row of some of the {num_models:,} "
        "models; add rows, or set rank.missing: wrong to count these answers as wrong",
        tally.CONTRADICTION: f"rank.labels: {{items}} are valid and have another label in column "
        f"{labels.corrected!r}; correct one of the two",
        tally.UNKNOWN_CLASS: "rank.labels.label: {items} have a label that is not among the "
        "classes; add it to classes, or leave these items out of both tables",
        tally.BAD_PROBS: f"rank.answers.probabilities: {{rows}} hold in column {column!r} no "
        "probabilities: one for each class, from 0 to 1, with sum 1; correct them",
    }  # fmt: skip
    findings = []
    for reason, text in texts.items():
        key = (PROBLEM + reason, 0, 0)
        if key not in totals.counts:
            continue
        count, ids = int(totals.counts[key][0]), totals.ids[key]
        shown = "" if reason == tally.NULL_ITEM else f" ({', '.join(ids)})"
        what = {
            "items": f"{_count(count, 'item')}{shown}",
            "rows": f"{_count(count, 'row')}{shown}",
        }
        findings.append(text.format(**what))
    if findings:
        raise InputError(findings)


def _count(count: int, of: str) -> str:
    return f"{count:,} {of}{'' if count == 1 else 's'}"
