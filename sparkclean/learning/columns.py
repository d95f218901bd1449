"""Columns of a table that a model learns from: record id, label, features; which fold is whose."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkclean.config.sections import ColumnsSection, PredictSection
from sparkclean.errors import InputError
from sparkclean.examples.batches import LABEL
from sparkclean.examples.columns import check_id_types, check_label_type, keys_of
from sparkclean.learning.feature_columns import FeatureColumns, features_of
from sparkclean.learning.feature_types import (
    FeatureTypes,
    Values,
    check_feature_types,
    choose_all,
    choose_named,
    decide,
    takes_all,
    undecided,
)
from sparkclean.learning.features import NUMBERS, TEXT_PREFIX, words_of
from sparkclean.learning.scored import FOLD, INNER, INNER_FOLDS, PLACE, WEIGHT
from sparkclean.rows.columns import find_columns, quoted
from sparkclean.rows.emitted import ID_PREFIX
from sparkclean.schema import ORIGINAL_SUFFIX

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import DataType, StructType


#: By which name state and record of a run carry what columns are taken as.
NOTE = "columns"
#: Counts the values of columns, up to so many, as `sparkclean.learning.column_values` does.
Count = Callable[[Mapping[str, int]], Mapping[str, Values]]


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
    taken : FeatureTypes or None
        What the table has decided on; None where all features are named and of their type.
    """

    ids: tuple[str, ...]
    label: str
    features: FeatureColumns
    id_types: tuple[DataType, ...]
    label_type: DataType
    lengths: Mapping[str, int] = field(default_factory=dict)
    taken: FeatureTypes | None = None

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Columns, and what they are taken as, for the fingerprint."""
        return () if self.taken is None else self.taken.pairs

    def features_in(self, schema: StructType) -> FeatureColumns:
        """Take the columns of these names in another table as these are taken.

        Raises
        ------
        InputError
            Names those whose type forbids it.
        """
        by_type = choose_named(schema, self.features.names, {})
        return features_of(schema, self.taken or by_type)

    @property
    def notes(self) -> dict[str, str]:
        """What a repetition must go by, rather than look at the table."""
        return {} if self.taken is None else {NOTE: self.taken.to_json()}

    @property
    def about(self) -> dict[str, Any]:
        """What the run record says of it."""
        return {} if self.taken is None else {NOTE: self.taken.pairs}

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
    count: Count,
    known: FeatureTypes | None = None,
    reserved: Collection[str] = (),
) -> LearningColumns:
    """Find the columns that a configuration names, and check their types.

    Parameters
    ----------
    frame : DataFrame
        Of the table.
    columns : ColumnsSection
    predict : PredictSection
    count : callable
        Called where the values of columns decide what these are taken as.
    known : FeatureTypes, optional
        What an earlier attempt has taken them as.
    reserved : collection of str
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
    keys = keys_of(columns.id_columns, columns.label)
    *ids, label = find_columns(frame, named, keys)
    group = find_columns(frame, [] if predict.group is None else [predict.group], "predict.group")
    schema = frame.schema
    findings = check_id_types(schema, ids)
    findings += check_label_type(schema, label)
    findings += [
        f"columns: {name!r} is also the name of a column of predictions; rename the column of the "
        "table"
        for name in (*ids, label)
        if name.lower() in reserved
    ]
    is_all = takes_all(predict.feature_columns, schema)
    if known is not None:
        find_columns(frame, list(known.kinds), "predict.features")
    if is_all:
        if findings:
            raise InputError(findings)
        probs = {name.lower() for name in columns.pred_probs_columns}
        meanings = {name: "probabilities" for name in schema.names if name.lower() in probs}
        meanings[label + ORIGINAL_SUFFIX] = "the label that was relabelled"
        meanings |= dict.fromkeys(group, "predict.group") | dict.fromkeys(ids, "the record id")
        meanings |= {label: "the label"}
        taken = _take_all(frame, predict, meanings, count, known)
    else:
        features = find_columns(frame, predict.feature_columns, "predict.features")
        findings += _unseen_findings(features, ids, label)
        if findings:
            raise InputError(findings)
        taken = _take_named(frame, features, predict, count, known)
    return LearningColumns(
        ids=tuple(ids),
        label=label,
        features=features_of(schema, taken),
        id_types=tuple(schema[name].dataType for name in ids),
        label_type=schema[label].dataType,
        taken=taken if is_all or predict.columns else None,
    )


def _take_all(
    frame: DataFrame,
    predict: PredictSection,
    meanings: Mapping[str, str],
    count: Count,
    known: FeatureTypes | None,
) -> FeatureTypes:
    """Take all columns that can be features and have no other meaning."""
    declared = _declared(frame, predict)
    findings = [
        f"predict.columns: {name!r} is {meanings[name]}, which a model must not see"
        for name, kind in declared.items()
        if name in meanings and kind != "ignore"
    ]
    if findings:
        raise InputError(findings)
    chosen = choose_all(frame.schema, meanings, declared)
    return known or _decided(frame, chosen, undecided(chosen, declared, all_columns=True), count)


def _take_named(
    frame: DataFrame,
    features: Sequence[str],
    predict: PredictSection,
    count: Count,
    known: FeatureTypes | None,
) -> FeatureTypes:
    """Take the columns that are named, by their type but for what is said of them."""
    declared = _declared(frame, predict)
    strange = [name for name, kind in declared.items() if name not in features or kind == "ignore"]
    if strange:
        raise InputError(f"predict.columns: {strange} are not among predict.features")
    chosen = choose_named(frame.schema, features, declared)
    return known or _decided(frame, chosen, undecided(chosen, declared, all_columns=False), count)


def _declared(frame: DataFrame, predict: PredictSection) -> dict[str, str]:
    """Give ``predict.columns`` in the spelling of the table."""
    spelled = find_columns(frame, list(predict.columns), "predict.columns")
    return dict(zip(spelled, predict.columns.values(), strict=True))


def _decided(
    frame: DataFrame, chosen: FeatureTypes, wanted: Mapping[str, int], count: Count
) -> FeatureTypes:
    check_feature_types(frame.schema, chosen)
    return decide(chosen, count(wanted) if wanted else {})


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
