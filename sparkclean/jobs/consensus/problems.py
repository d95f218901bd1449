"""What is wrong with annotations and predictions, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sparkclean.errors import first_of
from sparkclean.examples.checks import shown_id
from sparkclean.jobs.consensus.annotations import AnnotationColumns
from sparkclean.jobs.consensus.row_types import (
    BAD_PREDICTION,
    NO_PREDICTION,
    NO_TIME,
    NULL_ANNOTATOR,
    NULL_ITEM,
    SAME_TIME,
    TWICE,
    TWO_PREDICTIONS,
    UNKNOWN_LABEL,
)

#: Codes of the problems of one model.
_OF_MODEL = 16


def problem_findings(
    counts: Mapping[int, int],
    examples: Mapping[int, Sequence[tuple[Any, ...]]],
    columns: AnnotationColumns,
    models: Sequence[str],
) -> list[str]:
    """Write findings of the problems that the grouping has counted.

    Parameters
    ----------
    counts : mapping
        Rows by code: `sparkclean.jobs.consensus.row_types`; those of a model lie 16 apart.
    examples : mapping
        First record ids by code.
    columns : AnnotationColumns
    models : sequence of str
        Tables of predictions.

    Returns
    -------
    list of str
    """
    item = ", ".join(map(repr, columns.ids))
    findings = []
    for code in sorted(counts):
        shown = [shown_id(ids) for ids in sorted(examples.get(code, []))]
        some = f" ({item}: {first_of(shown)})" if shown else ""
        findings.append(_finding(code, counts[code], some, columns, models))
    return findings


def _finding(
    code: int, count: int, some: str, columns: AnnotationColumns, models: Sequence[str]
) -> str:
    number, label, who = f"{count:,}", repr(columns.label), repr(columns.annotator)
    item = ", ".join(map(repr, columns.ids))
    texts = {
        NULL_ITEM: f"annotations.item: {number} annotations have no record id in {item}; leave "
        "them out by input.where, or fill the column",
        NULL_ANNOTATOR: f"annotations.annotator: {number} annotations do not say in {who} who "
        f"gave the label{some}; leave them out by input.where, or fill the column",
        UNKNOWN_LABEL: f"annotations.label: {number} annotations have a label in {label} that is "
        f"not in classes{some}; correct them, or add the label to classes",
        TWICE: f"annotations.duplicates: error, and {number} annotations are of an item that the "
        f"annotator had labelled before{some}; remove them, or set annotations.duplicates: latest",
        NO_TIME: f"annotations.time: null, and {number} times an annotator gave an item another "
        f"label than before{some}; name the column of the time, so that the latest counts, or "
        "remove the older rows",
        SAME_TIME: f"annotations.time: {number} times an annotator gave an item two labels at the "
        f"same time in {columns.time!r}{some}; nothing says which is the latest: remove one",
    }
    if code in texts:
        return texts[code]
    table = models[(code - NO_PREDICTION) // _OF_MODEL]
    kind = (code - NO_PREDICTION) % _OF_MODEL + NO_PREDICTION
    about = {
        NO_PREDICTION: f"{number} items have no prediction{some}; predict them, or leave their "
        "annotations out by input.where",
        TWO_PREDICTIONS: f"{number} items have several predictions{some}; keep one row for each",
        BAD_PREDICTION: f"{number} rows are no probabilities{some}; a row holds one number from 0 "
        "to 1 for each class, and they sum to 1",
    }
    return f"consensus.predictions: {table}: {about[kind]}"
