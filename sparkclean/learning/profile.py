"""What the features of a table are like, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Window
from pyspark.sql import functions as F

from sparkclean.errors import InputError
from sparkclean.examples.batches import LABEL
from sparkclean.examples.columns import EMPTY
from sparkclean.learning.columns import seen_text
from sparkclean.learning.encoding import NO_ENCODING, Encoding
from sparkclean.learning.feature_check import ROWS, UNFIT
from sparkclean.learning.feature_columns import FeatureColumns
from sparkclean.learning.feature_files import FeatureFiles
from sparkclean.learning.features import NUMBERS, TEXT_PREFIX
from sparkclean.learning.scored import FOLD
from sparkclean.rows.columns import quoted

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, Row

_SHOWN = 5
_MOST_CLASSES = 10_000
#: Hash of what a model sees of a row; rows of which other folds have copies.
_SAME, _COPIED = "__same", "__copied"


@dataclass(frozen=True)
class Profile:
    """What the features of a table are like.

    Attributes
    ----------
    num_numbers : int
        D, over all columns of numbers.
    classes : tuple
        The K labels.
    examples : ndarray of int64, shape (n_folds, K)
        Labelled rows by fold and class.
    rows : int
    strangers : int
        Rows without a label of the classes: predicted, and not trained on.
    copied : int
        Rows whose features other groups have, too, in other folds.
    encoding : Encoding
        Which of the numbers stand for categories and dates.
    """

    num_numbers: int
    classes: tuple[Any, ...]
    examples: NDArray[np.int64]
    rows: int
    strangers: int
    copied: int = 0
    encoding: Encoding = NO_ENCODING

    @property
    def width(self) -> int:
        """Columns that a model sees, but for those of texts."""
        return self.encoding.width(self.num_numbers)


def collect_profile(
    frame: DataFrame,
    table: DataFrame,
    features: FeatureColumns,
    *,
    classes: Sequence[Any] | None,
    n_folds: int,
    impute: bool,
    ids: Sequence[str],
    group: str | None,
    files: FeatureFiles | None = None,
) -> Profile:
    """Count rows by fold and label, and check the features.

    Parameters
    ----------
    frame : DataFrame
        By `narrow`.
    table : DataFrame
        From which it was made.
    features : FeatureColumns
    classes : sequence or None
        None: the labels that there are, in their order.
    n_folds : int
    impute : bool
        Whether missing numbers are allowed.
    ids : sequence of str
    group : str or None
    files : FeatureFiles, optional
        That hold the same rows.

    Returns
    -------
    Profile

    Raises
    ------
    InputError
        Features that are missing or of different lengths; no rows, one label, too many labels.

    Notes
    -----
    Two jobs that read the features, one where there are files; another one or two where something
    is wrong. With a group a hash of the features of each row is shuffled.
    """
    label = F.col(LABEL)
    if classes is not None:
        label = F.when(label.isin(list(classes)), label)

    def count(frame: DataFrame, *sums: Column) -> list[Row]:
        counted = frame.groupBy(FOLD, label.alias(LABEL)).agg(*sums)
        return counted.limit(n_folds * (_MOST_CLASSES + 1) + 1).collect()

    rows, num_numbers = [], 0
    if files is not None:
        num_numbers = files.num_numbers
        rows = count(files.count_examples(impute=impute), F.sum(ROWS).alias(ROWS))
    if not rows or any(
        row[FOLD] == UNFIT for row in rows
    ):  # then find out what is wrong, and where
        num_numbers = check_features(table, features, impute=impute, ids=ids, group=group)
        if group is None:
            rows = count(frame, F.count("*").alias(ROWS))
        else:
            sums = [F.sum(name).alias(name) for name in (ROWS, _COPIED)]
            rows = count(_with_copies(frame), *sums)
    found = {row[LABEL] for row in rows} - {None}
    known = tuple(sorted(found)) if classes is None else tuple(classes)
    if len(known) > _MOST_CLASSES:
        raise InputError(
            f"the label column holds more than {_MOST_CLASSES:,} labels; is it the right column? "
            "Set columns.label, or classes"
        )
    position = {value: k for k, value in enumerate(known)}
    examples = np.zeros((n_folds, len(known)), np.int64)
    strangers = 0
    for row in rows:
        if row[LABEL] is None:
            strangers += row[ROWS]
        else:
            examples[row[FOLD], position[row[LABEL]]] = row[ROWS]
    total = int(examples.sum()) + strangers
    if not total:
        raise InputError(EMPTY)
    if len(found) < 2:
        raise InputError(
            f"the labels of {total:,} rows are {', '.join(map(repr, found)) or 'all missing'}: a "
            "classifier needs examples of at least two classes"
        )
    copied = 0 if group is None else sum(row[_COPIED] for row in rows)
    return Profile(num_numbers, known, examples, total, strangers, copied, features.encoding)


def _with_copies(frame: DataFrame) -> DataFrame:
    """Count the rows of each fold, label and hash of features, and copies in other folds."""
    seen = [F.col(NUMBERS)] if NUMBERS in frame.columns else []
    seen += [seen_text(F.col(name)) for name in frame.columns if name.startswith(TEXT_PREFIX)]
    counted = frame.groupBy(F.xxhash64(*seen).alias(_SAME), FOLD, LABEL)
    same = Window.partitionBy(_SAME)
    is_copied = F.min(FOLD).over(same) < F.max(FOLD).over(same)
    return (
        counted.agg(F.count("*").alias(ROWS))
        .withColumn(_COPIED, F.when(is_copied, F.col(ROWS)).otherwise(0))
        .drop(_SAME)
    )


def check_features(
    table: DataFrame,
    features: FeatureColumns,
    *,
    impute: bool,
    ids: Sequence[str],
    group: str | None,
) -> int:
    """Check that all features can be used.

    Parameters
    ----------
    table : DataFrame
    features : FeatureColumns
    impute : bool
        Whether missing numbers are allowed.
    ids : sequence of str
        Record id columns, for the message.
    group : str or None

    Returns
    -------
    int
        D, the numbers of a row.

    Raises
    ------
    InputError
        Features that are missing, infinite or of different lengths.

    Notes
    -----
    One job that reads the features; another one for each column with findings.
    """
    names = (*features.single, *features.lists, *features.vectors, *features.texts)
    bad = {name: _is_missing(features, name, impute=impute) for name in names}
    sums = [F.count(F.when(wrong, 1)).alias(f"n{i}") for i, wrong in enumerate(bad.values())]
    sums.append(F.count("*").alias("rows"))
    arrays = (*features.lists, *features.vectors)
    for i, name in enumerate(arrays):
        values = features.list_of(name, complete=True)
        size = F.when(values.isNotNull(), F.size(values))
        sums += [F.min(size).alias(f"low{i}"), F.max(size).alias(f"high{i}")]
    if group is not None:
        sums.append(F.count(F.when(quoted(group).isNull(), 1)).alias("ungrouped"))
    (row,) = table.agg(*sums).collect()
    findings = []
    if group is not None and row["ungrouped"]:
        findings.append(
            f"predict.group: column {group!r}: {row['ungrouped']:,} rows are null, which would all "
            "be one group; give each row its own group, or leave these rows out with input.where"
        )
    for i, (name, condition) in enumerate(bad.items()):
        if row[f"n{i}"]:
            some = table.where(condition).select(*map(quoted, ids)).limit(_SHOWN).collect()
            shown = ", ".join(repr(r[0] if len(ids) == 1 else tuple(r)) for r in some)
            ways = "fill them, leave them out with input.where"
            what = "null or infinite" if impute else "null, NaN or infinite"
            if not impute:
                ways += ", or (not for infinite ones) set predict.missing: impute"
            findings.append(
                f"predict.features: column {name!r}: {row[f'n{i}']:,} rows are {what}, record ids "
                f"{shown}; {ways}"
            )
    for i, name in enumerate(arrays):
        low, high = row[f"low{i}"], row[f"high{i}"]
        if row[f"n{names.index(name)}"]:
            continue
        if low is None and row["rows"]:
            findings.append(
                f"predict.features: column {name!r}: all rows are null; leave the column out"
            )
        elif low != high:
            findings.append(
                f"predict.features: column {name!r} has {low} numbers in one row and {high} in "
                "another; embed with one model"
            )
    if findings:
        raise InputError(findings)
    numbers = len(features.single) + sum(row[f"high{i}"] or 0 for i in range(len(arrays)))
    if not numbers and not features.texts and row["rows"]:
        raise InputError("predict.features: all arrays are empty; there is nothing to learn from")
    return numbers


def _is_missing(features: FeatureColumns, name: str, *, impute: bool) -> Column:
    """Tell which rows of a feature cannot be used."""
    if name in (*features.texts, *features.categories, *features.dates):
        return F.lit(False) if impute else quoted(name).isNull()
    if name in features.numbers:
        value = quoted(name).cast("double")
        infinite = F.coalesce(F.abs(value) == float("inf"), F.lit(False))
        return infinite if impute else value.isNull() | F.isnan(value) | infinite
    # not by a lambda for each number, which Spark does not compile: several times the time
    values = features.list_of(name, complete=True)
    contain_infinity = [F.array_contains(values, sign * float("inf")) for sign in (1, -1)]
    wrong = F.coalesce(contain_infinity[0] | contain_infinity[1], F.lit(False))
    if not impute:
        # null where some element is; NaN is greater than all numbers
        wrong |= contain_infinity[0].isNull() | F.coalesce(
            F.isnan(F.array_max(values)), F.lit(False)
        )
    return wrong if impute else values.isNull() | wrong
