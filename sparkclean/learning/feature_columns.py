"""Columns of features by what they are taken as, and as Spark hands them over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkclean.learning.encoding import Encoding
from sparkclean.learning.feature_types import FeatureTypes, check_feature_types, choose_named
from sparkclean.rows.columns import quoted

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import StructType


@dataclass(frozen=True)
class FeatureColumns:
    """Which columns are features, by kind, in the order in which they were named.

    Attributes
    ----------
    numbers, lists, vectors, texts : tuple of str
    categories : mapping
        Values of each, in the order of their places.
    dates : mapping
        Spark type of each.
    """

    numbers: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    vectors: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    dates: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """All columns."""
        return (*self.single, *self.lists, *self.vectors, *self.texts)

    @property
    def single(self) -> tuple[str, ...]:
        """Columns of one number each, in the order in which a row holds them."""
        return (*self.numbers, *self.categories, *self.dates)

    @property
    def encoding(self) -> Encoding:
        """Which numbers of a row stand for categories and dates."""
        sizes = tuple(len(values) for values in self.categories.values())
        return Encoding(len(self.numbers), sizes, len(self.dates))

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
        numbers = [quoted(name).cast("double") for name in self.numbers]
        numbers += [_place(name, values) for name, values in self.categories.items()]
        numbers += [_days(name, kind) for name, kind in self.dates.items()]
        numbers = [F.coalesce(number, nan) for number in numbers]
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


def _place(name: str, values: Sequence[str]) -> Column:
    """Give the place of a category's value; null for any other."""
    if not values:
        return F.lit(None).cast("double")
    # as plain text, whatever order or equality the column is declared to have
    known, value = F.array(*map(F.lit, values)), quoted(name).cast("string")
    # F.array_position of Spark 3.5 takes no column
    place = F.call_function("array_position", known, value)
    return F.when(place > 0, (place - 1).cast("double"))


def _days(name: str, kind: str) -> Column:
    """Give the days since 1970-01-01 of a date; of a moment by UTC, whatever the session's zone."""
    if kind == "timestamp":
        return F.floor(F.unix_seconds(quoted(name)) / 86_400).cast("double")
    return F.unix_date(quoted(name).cast("date")).cast("double")


def resolve_features(schema: StructType, names: Sequence[str]) -> FeatureColumns:
    """Find out what kind each feature is of, by its type alone.

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
    return features_of(schema, choose_named(schema, names, {}))


def features_of(schema: StructType, taken: FeatureTypes) -> FeatureColumns:
    """Arrange columns by what they are taken as.

    Raises
    ------
    InputError
        Names the columns whose type is none of their kind.
    """
    check_feature_types(schema, taken)

    def of(kind: str) -> tuple[str, ...]:
        return tuple(name for name, found in taken.kinds.items() if found == kind)

    return FeatureColumns(
        numbers=of("number"),
        lists=of("list"),
        vectors=of("vector"),
        texts=of("text"),
        categories={name: taken.values.get(name, ()) for name in of("category")},
        dates={name: schema[name].dataType.simpleString() for name in of("date")},
    )
