"""What is collected of answers and labels: models, classes, and the sums of the one pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyspark.sql import functions as F

from sparkclean.errors import InputError, first_of
from sparkclean.examples.columns import INTEGERS
from sparkclean.jobs.rank_models import tally
from sparkclean.jobs.rank_models.tables import Answers, Labels
from sparkclean.jobs.rank_models.totals import COLUMNS, KEYS, Totals, add_up
from sparkclean.rows.columns import quoted
from sparkclean.rows.tasks import map_in_arrow
from sparkclean.rows.types import schema_text

#: Models that are compared: the driver holds as many numbers squared.
MOST_MODELS = 4000
#: Classes that are counted; models times classes.
MOST_CLASSES, MOST_CELLS = 100_000, 1 << 20


def collect_models(answers: Answers) -> tuple[str, ...]:
    """List the models, by name.

    Raises
    ------
    InputError
        If there is none, one, or too many; or if rows have no model.

    Notes
    -----
    One job over the column of the model; none where each column is a model.
    """
    if answers.model is None:
        return answers.values
    name = quoted(answers.model).cast("string")
    rows = answers.frame.groupBy(name.alias("__name")).count().limit(MOST_MODELS + 2).collect()
    if not rows:
        raise InputError(
            "rank.answers: the table is empty (0 rows); check rank.answers.table and input.where"
        )
    without = sum(row["count"] for row in rows if row[0] is None)
    models = sorted(row[0] for row in rows if row[0] is not None)
    if without:
        raise InputError(
            f"rank.answers.model: {without:,} rows have no model (null in column "
            f"{answers.model!r}); correct them, or leave them out with input.where"
        )
    if len(models) < 2:
        raise InputError(
            f"rank.answers.model: column {answers.model!r} names one model ({models[0]!r}); a "
            "ranking needs at least 2"
        )
    if len(models) > MOST_MODELS:
        raise InputError(
            f"rank.answers.model: column {answers.model!r} names more than {MOST_MODELS:,} models, "
            f"such as {first_of(models)}; name the column of the model, or choose models with "
            "input.where"
        )
    return tuple(models)


def collect_classes(labels: Labels, num_models: int) -> tuple[str, ...]:
    """List the labels that there are, original and corrected.

    Raises
    ------
    InputError
        If they are too many to count by model and class.

    Notes
    -----
    One job over the labels.
    """
    text, corrected = F.col(tally.TEXT), F.col(tally.CORRECTED)
    each = labels.frame.select(F.explode(F.array(text, corrected)).alias("__label"))
    most = min(MOST_CLASSES, MOST_CELLS // num_models)
    rows = each.where(F.col("__label").isNotNull()).distinct().limit(most + 1).collect()
    if len(rows) > most:
        raise InputError(
            f"rank.metrics: balanced_accuracy and macro_f1 count by model and class, and there are "
            f"more than {most:,} labels for {num_models:,} models; set rank.metrics: [accuracy]"
        )
    return tuple(sorted(row[0] for row in rows))


# -- the pass ------------------------------------------------------------------------------------


def collect_totals(
    answers: Answers, labels: Labels, models: tuple[str, ...], count: tally.CountAnswers
) -> Totals:
    """Add up all that is known of pairs of models, in one pass.

    Parameters
    ----------
    answers : Answers
    labels : Labels
    models : tuple of str
    count : CountAnswers

    Returns
    -------
    Totals
        M x M integers, and M x K by class.

    Notes
    -----
    One job with two shuffles: answers and labels by item, then sums of the tasks by their key.
    """
    item = "bigint" if _is_integer(answers) else "string"
    probs = F.lit(None).cast("array<double>")
    text = F.lit(None).cast("string")
    own = answers.rows(models)
    given = own.select(
        F.col(tally.ITEM).cast(item).alias(tally.ITEM),
        tally.MODEL,
        (text if count.has_probs else F.col(tally.TEXT)).alias(tally.TEXT),
        text.alias(tally.CORRECTED),
        F.lit(None).cast("boolean").alias(tally.IS_VALID),
        *([F.col(tally.PROBS).cast("array<double>").alias(tally.PROBS)] if count.has_probs else []),
    )
    wanted = labels.frame.select(
        F.col(tally.ITEM).cast(item).alias(tally.ITEM),
        F.lit(tally.LABEL_ROW).alias(tally.MODEL),
        tally.TEXT,
        tally.CORRECTED,
        tally.IS_VALID,
        *([probs.alias(tally.PROBS)] if count.has_probs else []),
    )
    together = given.unionByName(wanted).repartition(tally.ITEM)
    ordered = together.sortWithinPartitions(tally.ITEM, tally.MODEL)
    counted = map_in_arrow(ordered, count, schema_text(COLUMNS))
    summed = map_in_arrow(counted.repartition(*KEYS), add_up, schema_text(COLUMNS))
    return _read(summed.collect())


def _read(rows: list[Any]) -> Totals:
    totals = Totals()
    for row in rows:
        key = (row["part"], row["stratum"], row["place"])
        totals.add(key, np.frombuffer(row["counts"], "<i8"), row["ids"] or ())
    return totals


def _is_integer(answers: Answers) -> bool:
    return isinstance(answers.frame.schema[answers.item].dataType, INTEGERS)
