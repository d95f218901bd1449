"""What is wrong with items is said with their number, their ids and the remedy."""

from __future__ import annotations

import numpy as np
import pytest

from sparkclean.errors import InputError
from sparkclean.jobs.rank_models import tally
from sparkclean.jobs.rank_models.problems import check_problems
from sparkclean.jobs.rank_models.sections import RankSection
from sparkclean.jobs.rank_models.totals import PROBLEM, Totals

RANK = RankSection.model_validate(
    {
        "answers": {"table": "answers", "model": "model", "probabilities": "probs"},
        "labels": {"table": "questions", "label": "key", "corrected": "right"},
    }
)


def totals_of(*reasons: str) -> Totals:
    totals = Totals()
    for reason in reasons:
        totals.add((PROBLEM + reason, 0, 0), np.array([1234]), ["7", "8"])
    return totals


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (tally.NULL_ITEM, "rank.labels.item: 1,234 rows have no item (null); correct them"),
        (tally.NULL_LABEL, "column 'key' is null for 1,234 items (7, 8); correct the labels"),
        (tally.NO_LABEL, "1,234 items (7, 8) of the answers have no row in questions; add them"),
        (tally.TWICE_LABELLED, "1,234 items (7, 8) have several rows in questions; keep one"),
        (tally.TWICE_ANSWERED, "1,234 items (7, 8) have several answers of the same model; keep"),
        (tally.MISSING, "no row of some of the 3 models; add rows, or set rank.missing: wrong"),
        (tally.CONTRADICTION, "are valid and have another label in column 'right'; correct one"),
        (tally.UNKNOWN_CLASS, "a label that is not among the classes; add it to classes"),
        (tally.BAD_PROBS, "1,234 rows (7, 8) hold in column 'probs' no probabilities"),
    ],
)
def test_problem_has_its_own_message(reason: str, words: str) -> None:
    with pytest.raises(InputError) as raised:
        check_problems(totals_of(reason), RANK, 3)
    (finding,) = raised.value.findings
    assert words in finding


def test_problems_are_said_at_once_and_none_is_no_error() -> None:
    check_problems(totals_of(), RANK, 3)
    with pytest.raises(InputError) as raised:
        check_problems(totals_of(tally.NO_LABEL, tally.MISSING), RANK, 3)
    assert len(raised.value.findings) == 2
