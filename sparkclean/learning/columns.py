"""Features of a table as columns: what they are, what is wrong with them, which fold is whose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BooleanType, NumericType, StringType, StructType

from sparkclean.errors import InputError
from sparkclean.examples.batches import LABEL
from sparkclean.examples.columns import EMPTY, check_present
from sparkclean.learning.feature_check import ROWS, UNFIT
from sparkclean.learning.features import NUMBERS, TEXT_PREFIX
from sparkclean.learning.folds import WEIGHT
from sparkclean.learning.scored import FOLD, INNER, INNER_FOLDS, PLACE
from sparkclean.rows.columns import quoted
from sparkclean.rows.emitted import ID_PREFIX

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, Row

    from sparkclean.learning.feature_files import FeatureFiles

_SHOWN = 5
_MOST_CLASSES = 10_000


@dataclass(frozen=True)
class FeatureColumns:
    """Which columns are features, by kind, in the order in which they were named.

    Attributes
    ----------
    numbers, lists, vectors, texts : tuple of str
    """

    numbers: tuple[str, ...]
    lists: tuple[str, ...]
    vectors: tuple[str, ...]
    texts: tuple[str, ...]

    def list_of(self, name: str, *, complete: bool = False) -> Column:
        """Give a list or vector column as an array of double; null elements are NaN.

        Where none is known to be null, ``complete`` saves the time to look at each.
        """
        if name in self.vectors:
            from pyspark.ml.functions import vector_to_array  # noqa: PLC0415 (imports pyspark.ml)

            # it fails on null
            return F.when(quoted(name).isNotNull(), vector_to_array(quoted(name)))
        array, nan = quoted(name).cast("array<double>"), F.lit(float("nan"))
        return array if complete else F.transform(array, lambda x: F.coalesce(x, nan))

    def arrays(self, *, complete: bool = False) -> list[Column]:
        """Give all numbers, as arrays of double; ``complete`` as for `list_of`."""
        nan = F.lit(float("nan"))
        numbers = [F.coalesce(quoted(name).cast("double"), nan) for name in self.numbers]
        names = (*self.lists, *self.vectors)
        lists = [self.list_of(name, complete=complete) for name in names]
        return [*([F.array(*numbers)] if numbers else []), *lists]

    def words(self) -> list[Column]:
        """Give the texts; missing ones are empty."""
        return [F.coalesce(quoted(name), F.lit("")) for name in self.texts]


def resolve_features(schema: StructType, names: Sequence[str]) -> FeatureColumns:
    """Find out what kind each feature is of.

    Parameters
    ----------
    schema : StructType
        Of the table.
    names : sequence of str

    Returns
    -------
    FeatureColumns

    Raises
    ------
    InputError
        Names the columns that are missing or of no use.
    """
    check_present(schema, names, "predict.features")
    kinds: dict[str, list[str]] = {"numbers": [], "lists": [], "vectors": [], "texts": []}
    findings = []
    for name in names:
        kind = schema[name].dataType
        if isinstance(kind, NumericType | BooleanType):
            kinds["numbers"].append(name)
        elif isinstance(kind, StringType):
            kinds["texts"].append(name)
        elif isinstance(kind, ArrayType) and isinstance(kind.elementType, NumericType):
            kinds["lists"].append(name)
        elif kind.typeName() == "vectorudt" or kind.simpleString() == "vector":
            kinds["vectors"].append(name)
        else:
            findings.append(
                f"predict.features: column {name!r} is {kind.simpleString()}; a feature is a "
                "number, an array of numbers, a Spark ML vector or a text"
            )
    if findings:
        raise InputError(findings)
    return FeatureColumns(**{kind: tuple(found) for kind, found in kinds.items()})


def unseen_findings(features: Sequence[str], ids: Sequence[str], label: str) -> list[str]:
    """Find features that a model must not see."""
    return [
        f"predict.features: {name!r} is the {what}, which a model must not see"
        for names, what in ((ids, "record id"), ((label,), "label"))
        for name in names
        if name in features
    ]


def narrow(
    frame: DataFrame,
    features: FeatureColumns,
    *,
    ids: Sequence[str],
    label: str,
    group: str | None,
    n_folds: int,
    seed: int,
    complete: bool,
    weight: str | None = None,
) -> DataFrame:
    """Select what training and scoring read.

    Parameters
    ----------
    frame : DataFrame
    features : FeatureColumns
    ids : sequence of str
    label : str
    group : str or None
    n_folds, seed : int
    complete : bool
        Whether `check_features` has seen, by then, that no number is missing.
    weight : str, optional
        Column of sample weights.

    Returns
    -------
    DataFrame
        Record ids, label, features, fold, inner fold and place, the weight if there is one. Lazy.

    Notes
    -----
    All three are hashes of content: of the group, or of the features, and for the place of the
    record id, too. They do not depend on the order of the rows or how they are partitioned, and
    rows of one group, or of the same features, have one fold.
    """
    # of what a model sees, so that rows that are the same to it are in one fold
    arrays = features.arrays(complete=complete)
    same = [*arrays, *features.words()]
    together = same if group is None else [quoted(group)]
    id_columns = [quoted(name) for name in ids]
    selected = [column.alias(f"{ID_PREFIX}{i}") for i, column in enumerate(id_columns)]
    selected.append(quoted(label).alias(LABEL))
    if arrays:
        selected.append(F.concat(*arrays).alias(NUMBERS))
    selected += [text.alias(f"{TEXT_PREFIX}{i}") for i, text in enumerate(features.words())]

    def share(hashed: Column, parts: int) -> Column:
        return F.pmod(hashed, F.lit(parts)).cast("int")

    selected.append(share(row_hash(seed, OF_FOLD, *together), n_folds).alias(FOLD))
    selected.append(share(row_hash(seed, OF_INNER, *together), INNER_FOLDS).alias(INNER))
    selected += [] if weight is None else [quoted(weight).cast("double").alias(WEIGHT)]
    place = row_hash(seed, OF_PLACE, *together, *id_columns)
    return frame.select(*selected, place.alias(PLACE))


#: What a row is hashed for.
OF_FOLD, OF_INNER, OF_PLACE = range(3)


def row_hash(seed: int, purpose: int, *columns: Column) -> Column:
    """Hash rows for a purpose; without columns, what the hash begins with."""
    return F.xxhash64(F.lit(seed), F.lit(purpose), *columns)


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
    """

    num_numbers: int
    classes: tuple[Any, ...]
    examples: NDArray[np.int64]
    rows: int
    strangers: int


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
    is wrong.
    """
    label = F.col(LABEL)
    if classes is not None:
        label = F.when(label.isin(list(classes)), label)

    def count(frame: DataFrame, rows: Column) -> list[Row]:
        counted = frame.groupBy(FOLD, label.alias(LABEL)).agg(rows.alias(ROWS))
        return counted.limit(n_folds * (_MOST_CLASSES + 1) + 1).collect()

    rows, num_numbers = [], 0
    if files is not None:
        num_numbers = files.num_numbers
        rows = count(files.count_examples(impute=impute), F.sum(ROWS))
    if not rows or any(
        row[FOLD] == UNFIT for row in rows
    ):  # then find out what is wrong, and where
        num_numbers = check_features(table, features, impute=impute, ids=ids, group=group)
        rows = count(frame, F.count("*"))
    found = {row[LABEL] for row in rows} - {None}
    known = tuple(sorted(found)) if classes is None else tuple(classes)
    if len(known) > _MOST_CLASSES:
        raise InputError(
            f"the label column holds more than {_MOST_CLASSES:,} labels; is it the right one? Set "
            "columns.label, or classes"
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
    return Profile(num_numbers, known, examples, total, strangers)


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
    names = (*features.numbers, *features.lists, *features.vectors, *features.texts)
    bad = {name: _is_missing(features, name, impute=impute) for name in names}
    sums = [F.count(F.when(wrong, 1)).alias(f"n{i}") for i, wrong in enumerate(bad.values())]
    sums.append(F.count("*").alias("rows"))
    arrays = (*features.lists, *features.vectors)
    for i, name in enumerate(arrays):
        size = F.size(features.list_of(name, complete=True))
        sums += [F.min(size).alias(f"low{i}"), F.max(size).alias(f"high{i}")]
    if group is not None:
        sums.append(F.count(F.when(quoted(group).isNull(), 1)).alias("ungrouped"))
    (row,) = table.agg(*sums).collect()
    findings = []
    if group is not None and row["ungrouped"]:
        findings.append(
            f"predict.group: column {group!r}: {row['ungrouped']:,} rows are null, which would all "
            "be one group; give each one of its own, or leave them out with input.where"
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
        if low != high and row[f"n{names.index(name)}"] == 0:
            findings.append(
                f"predict.features: column {name!r} has {low} numbers in one row and {high} in "
                "another; embed with one model"
            )
    if findings:
        raise InputError(findings)
    numbers = len(features.numbers) + sum(row[f"high{i}"] or 0 for i in range(len(arrays)))
    if not numbers and not features.texts and row["rows"]:
        raise InputError("predict.features: all arrays are empty; there is nothing to learn from")
    return numbers


def _is_missing(features: FeatureColumns, name: str, *, impute: bool) -> Column:
    """Tell which rows of a feature cannot be used."""
    if name in features.texts:
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
    return values.isNull() | wrong
