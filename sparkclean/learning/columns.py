"""Columns of a table that a model learns from: record id, label, features; which fold is whose."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BooleanType, NumericType, StringType, StructType

from sparkclean.config.sections import ColumnsSection, PredictSection
from sparkclean.errors import InputError
from sparkclean.examples.batches import LABEL
from sparkclean.examples.columns import check_id_types, check_label_type
from sparkclean.learning.features import NUMBERS, TEXT_PREFIX, words_of
from sparkclean.learning.scored import FOLD, INNER, INNER_FOLDS, PLACE, WEIGHT
from sparkclean.rows.columns import find_columns, quoted
from sparkclean.rows.emitted import ID_PREFIX

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import DataType


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

    def list_of(self, name: str, *, complete: bool = False, length: int | None = None) -> Column:
        """Give a list or vector column as an array of double; null elements are NaN.

        Where none is known to be null, ``complete`` saves the time to look at each. With a length
        a list that is null is one of as many NaN.
        """
        nan = F.lit(float("nan"))
        if name in self.vectors:
            from pyspark.ml.functions import vector_to_array  # noqa: PLC0415 (imports pyspark.ml)

            # it fails on null
            array = F.when(quoted(name).isNotNull(), vector_to_array(quoted(name)))
        else:
            array = quoted(name).cast("array<double>")
            array = array if complete else F.transform(array, lambda x: F.coalesce(x, nan))
        return array if length is None else F.coalesce(array, F.array_repeat(nan, length))

    def arrays(
        self, *, complete: bool = False, lengths: Mapping[str, int] | None = None
    ) -> list[Column]:
        """Give all numbers, as arrays of double; ``complete`` and ``lengths`` as for `list_of`."""
        nan = F.lit(float("nan"))
        numbers = [F.coalesce(quoted(name).cast("double"), nan) for name in self.numbers]
        names = (*self.lists, *self.vectors)
        of = (lengths or {}).get
        lists = [self.list_of(name, complete=complete, length=of(name)) for name in names]
        return [*([F.array(*numbers)] if numbers else []), *lists]

    def words(self) -> list[Column]:
        """Give the texts; missing ones are empty."""
        return [F.coalesce(quoted(name), F.lit("")) for name in self.texts]

    def find_lengths(self, table: DataFrame) -> dict[str, int]:
        """Find how many numbers the first list of each column has; nothing where all are null.

        A small job for each column.
        """
        found: dict[str, int] = {}
        for name in (*self.lists, *self.vectors):
            size = F.size(self.list_of(name, complete=True))
            row = table.where(quoted(name).isNotNull()).select(size).first()
            found |= {} if row is None else {name: row[0]}
        return found


def resolve_features(schema: StructType, names: Sequence[str]) -> FeatureColumns:
    """Find out what kind each feature is of.

    Parameters
    ----------
    schema : StructType
        Of the table.
    names : sequence of str
        Columns that are there.

    Returns
    -------
    FeatureColumns

    Raises
    ------
    InputError
        Names the columns that are of no use.
    """
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


@dataclass(frozen=True)
class LearningColumns:
    """Which columns of a table a model learns from.

    Attributes
    ----------
    ids : tuple of str
        The record id.
    label : str
    features : FeatureColumns
    id_types : tuple of DataType
    label_type : DataType
    lengths : mapping
        Of the lists of features, by column, where lists may be null.
    """

    ids: tuple[str, ...]
    label: str
    features: FeatureColumns
    id_types: tuple[DataType, ...]
    label_type: DataType
    lengths: Mapping[str, int] = field(default_factory=dict)

    @property
    def id_names(self) -> list[str]:
        """Names of the record id columns of `narrow`."""
        return [f"{ID_PREFIX}{i}" for i in range(len(self.ids))]

    def with_lengths(self, table: DataFrame, predict: PredictSection) -> LearningColumns:
        """Find the lengths of lists, as `FeatureColumns.find_lengths`, if any may be null."""
        if predict.missing != "impute":
            return self
        return replace(self, lengths=self.features.find_lengths(table))

    def narrow(
        self,
        frame: DataFrame,
        predict: PredictSection,
        *,
        group: str | None,
        n_folds: int,
        weight: str | None = None,
    ) -> DataFrame:
        """Select what training and scoring read of a table, as `narrow` does."""
        return narrow(
            frame,
            self.features,
            ids=self.ids,
            label=self.label,
            group=group,
            n_folds=n_folds,
            seed=predict.seed,
            complete=predict.missing == "reject",
            weight=weight,
            lengths=self.lengths,
        )


def check_columns(
    frame: DataFrame,
    columns: ColumnsSection,
    predict: PredictSection,
    *,
    taken: Collection[str] = (),
) -> LearningColumns:
    """Find the columns that a configuration names, and check their types.

    Parameters
    ----------
    frame : DataFrame
        Of the table.
    columns : ColumnsSection
    predict : PredictSection
    taken : collection of str
        Names that record id and label must not have, in lower case.

    Returns
    -------
    LearningColumns

    Raises
    ------
    InputError
        Names the columns that are missing or of no use.
    """
    named = [*columns.id_columns, columns.label]
    *ids, label = find_columns(frame, named, "columns.id and columns.label")
    find_columns(frame, [] if predict.group is None else [predict.group], "predict.group")
    features = find_columns(frame, predict.feature_columns, "predict.features")
    schema = frame.schema
    findings = check_id_types(schema, ids)
    findings += check_label_type(schema, label)
    findings += [
        f"columns: {name!r} is also the name of a column that predictions have; rename the "
        "column of the table"
        for name in (*ids, label)
        if name.lower() in taken
    ]
    findings += _unseen_findings(features, ids, label)
    if findings:
        raise InputError(findings)
    return LearningColumns(
        ids=tuple(ids),
        label=label,
        features=resolve_features(schema, features),
        id_types=tuple(schema[name].dataType for name in ids),
        label_type=schema[label].dataType,
    )


def _unseen_findings(features: Sequence[str], ids: Sequence[str], label: str) -> list[str]:
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
    lengths: Mapping[str, int] | None = None,
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
    lengths : mapping, optional
        Of the lists that may be null.

    Returns
    -------
    DataFrame
        Record ids, label, features, fold, inner fold and place, the weight if there is one. Lazy.

    Notes
    -----
    All three are hashes of content: of the group, or of the features, and for the place of the
    record id, too. They do not depend on the order of the rows or how they are partitioned, and
    rows of one group, or of the same features, have one fold. Of a text its words count, which
    Python finds as the models do.
    """
    # of what a model sees, so that rows that are the same to it are in one fold
    arrays = features.arrays(complete=complete, lengths=lengths)
    seen = [*arrays, *map(seen_text, features.words())]
    together = seen if group is None else [quoted(group)]
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


def seen_text(text: Column) -> Column:
    """Give what a model sees of a text: its words, by a function in Python."""
    return F.udf(words_of, "string", useArrow=False)(text)


#: What a row is hashed for.
OF_FOLD, OF_INNER, OF_PLACE = range(3)


def row_hash(seed: int, purpose: int, *columns: Column) -> Column:
    """Hash rows for a purpose; without columns, what the hash begins with."""
    return F.xxhash64(F.lit(seed), F.lit(purpose), *columns)
