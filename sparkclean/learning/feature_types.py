"""What each column is taken as: by its type, by what is configured, and by how many values it has.

Nothing here reads a table: `sparkclean.learning.column_values` counts the values.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DateType,
    IntegralType,
    NumericType,
    StringType,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from sparkclean import schema as names_of_ours
from sparkclean.config.sections import ALL
from sparkclean.errors import InputError
from sparkclean.rows.report import Grid, Line

if TYPE_CHECKING:
    from pyspark.sql.types import DataType

#: A text column of at most so many values is a category by itself; by configuration, of so many.
FEW_VALUES, MOST_VALUES = 50, 1000
#: Characters of a category's value, at most.
LONGEST_VALUE = 100
#: What a column is, in the order in which a model takes them.
FEATURE_TYPES = ("number", "category", "date", "list", "vector", "text")
_TYPES: dict[str, tuple[type[DataType], ...]] = {
    "number": (NumericType, BooleanType),
    "category": (StringType, IntegralType, BooleanType),
    "date": (DateType, TimestampType, TimestampNTZType),
    "text": (StringType,),
}
_NEEDED = {
    "number": "numbers or booleans",
    "category": "texts, whole numbers or booleans",
    "date": "dates or timestamps",
    "text": "texts",
    "list": "arrays of numbers",
    "vector": "Spark ML vectors",
}
#: Columns that our own outputs have, and that of a pandas index that was written along.
_OURS = (
    *(name for name, _ in names_of_ours.PROVENANCE),
    names_of_ours.PRED_PROBS,
    names_of_ours.FOLD,
    names_of_ours.SAMPLE_WEIGHT,
    names_of_ours.LABEL_WAS_CHANGED,
)
_SEEN_OF_DATE = "year, month, weekday and days, in UTC"
_INDEX = "__index_level_"


@dataclass(frozen=True)
class Values:
    """The values of a column.

    Attributes
    ----------
    found : tuple of str or None
        In the order of their code points. None: they are too many, or one is too long.
    rows : int
        That have one; 0 where ``found`` is None.
    """

    found: tuple[str, ...] | None
    rows: int


@dataclass(frozen=True)
class FeatureTypes:
    """What the columns of a table are taken as.

    Attributes
    ----------
    kinds : mapping
        One of `FEATURE_TYPES` by column, in the order in which features were named, or stand in
        the table.
    values : mapping
        Of each category.
    notes : mapping
        For people: how many values a column has.
    left_out : mapping
        For people: columns that are no features, and why.
    """

    kinds: Mapping[str, str]
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Columns and kinds, for the fingerprint."""
        return tuple(self.kinds.items())

    def to_json(self) -> str:
        """Write it down for a repetition of the run."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> FeatureTypes:
        """Read what `to_json` has written."""
        content = json.loads(text)
        values = {name: tuple(found) for name, found in content.pop("values").items()}
        return cls(values=values, **content)


def parts_of(taken: FeatureTypes | None) -> list[Line | Grid]:
    """Say what columns are taken as, then which are left out and why; nothing where all is known.

    Parameters
    ----------
    taken : FeatureTypes or None

    Returns
    -------
    list
        Parts of a report.
    """
    if taken is None:
        return []
    rows = [(name, kind, taken.notes.get(name, "")) for name, kind in taken.kinds.items()]
    rows += [(name, "left out", why) for name, why in taken.left_out.items()]
    count = len(taken.kinds)
    about = f"{count:,} of {len(rows):,} columns are features:"
    titles = ("column", "taken as", "because")
    if not any(why for _, _, why in rows):
        return [Line(about), Grid([row[:2] for row in rows], titles=titles[:2], indent=2)]
    return [Line(about), Grid(rows, titles=titles, indent=2)]


def feature_type_of(kind: DataType) -> str | None:
    """Say what a column is by its type alone; None where it cannot be a feature."""
    if isinstance(kind, ArrayType):
        return "list" if isinstance(kind.elementType, NumericType) else None
    if kind.typeName() == "vectorudt" or kind.simpleString() == "vector":
        return "vector"
    found = (name for name in ("number", "date", "text") if isinstance(kind, _TYPES[name]))
    return next(found, None)


def takes_all(features: Sequence[str], schema: StructType) -> bool:
    """Tell whether all columns are features; a table may have one of that name, which is meant."""
    return list(features) == [ALL] and ALL not in (name.lower() for name in schema.names)


def choose_all(
    schema: StructType, meanings: Mapping[str, str], declared: Mapping[str, str]
) -> FeatureTypes:
    """Choose every column that can be a feature.

    Parameters
    ----------
    schema : StructType
    meanings : mapping
        Columns that have another meaning, and which.
    declared : mapping
        ``predict.columns``.

    Returns
    -------
    FeatureTypes
        Texts are yet to be told from categories, by `decide`.
    """
    kinds, left_out = {}, {}
    for field_ in schema.fields:
        name, kind = field_.name, feature_type_of(field_.dataType)
        if name in meanings:
            left_out[name] = meanings[name]
        elif name in declared:
            if declared[name] == "ignore":
                left_out[name] = "predict.columns: ignore"
            else:
                kinds[name] = declared[name]
        elif name.lower() in _OURS:
            left_out[name] = "a column of sparkclean's own outputs"
        elif name.startswith(_INDEX):
            left_out[name] = "an index of pandas"
        elif kind is None:
            found = field_.dataType.simpleString()
            left_out[name] = f"its type is {found}, which cannot be a feature"
        else:
            kinds[name] = kind
    return FeatureTypes(kinds, left_out=left_out)


def choose_named(
    schema: StructType, names: Collection[str], declared: Mapping[str, str]
) -> FeatureTypes:
    """Take named columns as they are declared, or by their type: a text is no category then."""
    kinds = {}
    for name in names:
        by_type = feature_type_of(schema[name].dataType)
        # a date was no feature before it could be declared one
        kinds[name] = declared.get(name) or ("" if by_type == "date" else by_type or "")
    return FeatureTypes(kinds)


def check_feature_types(schema: StructType, taken: FeatureTypes) -> None:
    """Check that the type of each column is one of its kind.

    Raises
    ------
    InputError
        Names the columns.
    """
    findings = []
    for name, kind in taken.kinds.items():
        found = schema[name].dataType
        if not kind:
            findings.append(_no_feature(name, found))
        elif feature_type_of(found) != kind and not isinstance(found, _TYPES.get(kind, ())):
            findings.append(
                f"predict.columns: column {name!r} is {found.simpleString()}, and a {kind} is of "
                f"{_NEEDED[kind]}; choose another feature type, or leave it out"
            )
    if findings:
        raise InputError(findings)


def _no_feature(name: str, kind: DataType) -> str:
    """Say that a column is no feature."""
    text = (
        f"predict.features: column {name!r} is {kind.simpleString()}; a feature is a "
        "number, an array of numbers, a Spark ML vector or a text"
    )
    if isinstance(kind, _TYPES["date"]):
        return f"{text}, or a date that predict.columns names: {{{name}: date}}"
    return text


def undecided(
    taken: FeatureTypes, declared: Collection[str], *, all_columns: bool
) -> dict[str, int]:
    """Give the columns whose values are to be counted, and how many tell enough."""
    wanted = {}
    for name, kind in taken.kinds.items():
        if kind == "category":
            wanted[name] = MOST_VALUES
        elif kind == "text" and all_columns and name not in declared:
            wanted[name] = FEW_VALUES
    return wanted


def decide(taken: FeatureTypes, values: Mapping[str, Values]) -> FeatureTypes:
    """Tell categories from texts by their values.

    Parameters
    ----------
    taken : FeatureTypes
    values : mapping
        By column of `undecided`.

    Returns
    -------
    FeatureTypes
        A text is a category if it has at most `FEW_VALUES` values, at least two rows for each on
        the average, and no value longer than `LONGEST_VALUE` characters. A text without any value
        is left out.

    Raises
    ------
    InputError
        Of columns that are declared to be categories and have too many values, or none.
    """
    kinds, left_out = dict(taken.kinds), dict(taken.left_out)
    notes = {name: _SEEN_OF_DATE for name, kind in kinds.items() if kind == "date"}
    kept, findings = {}, []
    for name, counted in values.items():
        found, is_declared = counted.found, taken.kinds[name] == "category"
        if found is None:
            if is_declared:
                findings.append(
                    f"predict.columns: column {name!r} has more than {MOST_VALUES:,} values, or "
                    f"one of more than {LONGEST_VALUE} characters; set it to text or number, or "
                    "leave it out"
                )
            notes[name] = (
                f"more than {FEW_VALUES} values, or longer than {LONGEST_VALUE} characters"
            )
        elif not found:
            if is_declared:
                findings.append(
                    f"predict.columns: column {name!r}: all rows are null; leave the column out"
                )
            del kinds[name]
            left_out[name] = "all rows are null"
        elif is_declared or 2 * len(found) <= counted.rows:
            kinds[name], kept[name] = "category", found
            notes[name] = f"{len(found):,} values" if len(found) > 1 else "1 value"
        else:
            notes[name] = f"{len(found):,} values in {counted.rows:,} rows"
    if findings:
        raise InputError(findings)
    if not kinds:
        raise InputError("predict.features: all: no column of the table can be a feature")
    return FeatureTypes(kinds, kept, notes, left_out)
