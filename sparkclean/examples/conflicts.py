"""Rows whose content is the same: conflicts (their labels differ) and leaks (in several places).

One pass over the content writes a hash of 128 bits for each row. One shuffle brings equal hashes
together. No two contents are compared with each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    AtomicType,
    DataType,
    StringType,
    StructType,
)

from sparkclean.errors import InputError
from sparkclean.examples.batches import LABEL
from sparkclean.examples.contents import (
    CONFLICT,
    CONTENT_PREFIX,
    GIVEN,
    HASH,
    LEAK,
    PART,
    PLACE,
    POSITION,
    ROWS,
    TRUSTED,
    HashContents,
    KeepFindings,
)
from sparkclean.numbers.result_hash import join_hash_limbs
from sparkclean.rows.columns import quoted
from sparkclean.rows.emitted import ID_PREFIX
from sparkclean.rows.frame_stream import FrameStream

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from sparkclean.rows.streams import RowStore, Stream

#: Names of the two tables, where rows have no split.
TABLE_PLACE, TEST_PLACE = "input.table", "train.test"
#: Types of Spark that have no one form: intervals, variants.
_ATOMS = (
    "string", "boolean", "tinyint", "smallint", "int", "bigint", "float", "double", "binary",
    "date", "timestamp", "timestamp_ntz",
)  # fmt: skip


@dataclass(frozen=True)
class Examples:
    """Which columns of a table are compared, by which names.

    Attributes
    ----------
    ids : tuple of str
        Record id columns.
    id_types : tuple of str
        Spark types.
    label : str
    label_type : str
    content : tuple of str
        Content columns.
    split : str or None
    fold : bool
        Whether texts are folded.
    """

    ids: tuple[str, ...]
    id_types: tuple[str, ...]
    label: str
    label_type: str
    content: tuple[str, ...]
    split: str | None
    fold: bool

    @property
    def id_names(self) -> list[str]:
        """Record id columns of all frames in between."""
        return [f"{ID_PREFIX}{i}" for i in range(len(self.ids))]

    def narrow(self, frame: DataFrame, part: int) -> DataFrame:
        """Select what is hashed and kept of a table, by internal names. Lazy.

        Parameters
        ----------
        frame : DataFrame
        part : int
            `GIVEN` or `TRUSTED`.
        """
        keys = zip(self.ids, self.id_types, self.id_names, strict=True)
        place: Column = F.lit(TABLE_PLACE if part == GIVEN else TEST_PLACE)
        if part == GIVEN and self.split is not None:
            place = quoted(self.split).cast("string")
        return frame.select(
            *[quoted(name).cast(kind).alias(internal) for name, kind, internal in keys],
            quoted(self.label).cast(self.label_type).alias(LABEL),
            place.alias(PLACE),
            F.lit(part).alias(PART),
            *[quoted(name).alias(f"{CONTENT_PREFIX}{i}") for i, name in enumerate(self.content)],
        )


def content_findings(schema: StructType, content: Sequence[str]) -> list[str]:
    """Find content columns that cannot be compared, by their type.

    Parameters
    ----------
    schema : StructType
    content : sequence of str
        Columns that are there.

    Returns
    -------
    list of str
    """
    return [
        f"conflicts.columns: column {name!r} is {schema[name].dataType.simpleString()}, whose "
        "equal values have no one form; compare texts, numbers, booleans, times, or arrays and "
        "structs of them"
        for name in content
        if not _has_one_form(schema[name].dataType)
    ]


def _has_one_form(kind: DataType) -> bool:
    if isinstance(kind, ArrayType):
        return _has_one_form(kind.elementType)
    if isinstance(kind, StructType):
        return all(_has_one_form(field.dataType) for field in kind)
    name = kind.simpleString()
    is_plain = name in _ATOMS or name.startswith("decimal") or isinstance(kind, StringType)
    return isinstance(kind, AtomicType) and is_plain


def has_text(kind: DataType) -> bool:
    """Tell whether a type holds texts, itself or inside."""
    if isinstance(kind, ArrayType):
        return has_text(kind.elementType)
    if isinstance(kind, StructType):
        return any(has_text(field.dataType) for field in kind)
    return isinstance(kind, StringType)


@dataclass(frozen=True)
class Part:
    """What was counted of a table.

    Attributes
    ----------
    rows, labelled, with_content : int
    """

    rows: int = 0
    labelled: int = 0
    with_content: int = 0


@dataclass(frozen=True)
class Found:
    """Rows of the same content.

    Attributes
    ----------
    stream : Stream
        The rows of contents that conflict or leak, by `KeepFindings`.
    given, trusted : Part
        The tables.
    duplicate_rows, duplicate_contents : int
        Rows, and contents, that stand in several rows of either table.
    conflict_rows, conflicts : int
        Those of them whose labels differ within the table.
    leak_rows, leaks : int
        Those of them in several places.
    digest : int
        Sum of the hashes of the kept rows, modulo 2**256.
    """

    stream: Stream
    given: Part
    trusted: Part
    duplicate_rows: int = 0
    duplicate_contents: int = 0
    conflict_rows: int = 0
    conflicts: int = 0
    leak_rows: int = 0
    leaks: int = 0
    digest: int = 0


#: What `KeepFindings` counts, in its order.
_COUNTED = (
    "duplicate_rows", "duplicate_contents", "conflict_rows", "conflicts", "leak_rows", "leaks",
)  # fmt: skip


def find_repeated(
    examples: Examples, given: DataFrame, trusted: DataFrame | None, store: RowStore
) -> Found:
    """Find rows of the same content whose labels differ, or that are in several places.

    Parameters
    ----------
    examples : Examples
    given : DataFrame
        The table.
    trusted : DataFrame or None
        The table of trusted labels.
    store : RowStore
        Of what is kept in between: 16 bytes a row beside record id, label and split; then the rows
        that are found.

    Returns
    -------
    Found

    Notes
    -----
    One job that reads the content columns, and one that shuffles and sorts the hashes. The driver
    holds a few numbers.
    """
    rows = examples.narrow(given, GIVEN)
    if trusted is not None:
        rows = rows.unionByName(examples.narrow(trusted, TRUSTED))
    types = (examples.id_types, examples.label_type)
    hashing = HashContents(*types, len(examples.content), examples.fold)
    hashed = FrameStream(rows, store).run("contents", hashing)
    parts = {state.first: Part(*state.values) for state in hashed.states}
    repeated = repeated_rows(hashed.streams[ROWS].frame, examples)
    kept = FrameStream(repeated, store).run("repeated", KeepFindings(*types))
    states = {state.second: state.values for state in kept.states}
    counts: list[int] = states.get(0, [0] * 6)
    return Found(
        kept.streams[ROWS],
        parts.get(GIVEN, Part()),
        parts.get(TRUSTED, Part()),
        **dict(zip(_COUNTED, counts, strict=True)),
        digest=join_hash_limbs(states.get(1, [0] * 8)),
    )


def repeated_rows(hashed: DataFrame, examples: Examples) -> DataFrame:
    """Select the rows whose hash stands in several rows, and mark conflicts and leaks.

    Parameters
    ----------
    hashed : DataFrame
        By `HashContents`.
    examples : Examples

    Returns
    -------
    DataFrame
        Lazy. Rows of a content are numbered from 1, by table and record id (`POSITION`).

    Notes
    -----
    One shuffle, by the hash.
    """
    same = Window.partitionBy(*HASH)
    own = F.when(F.col(PART) == GIVEN, F.col(LABEL))
    columns = [*examples.id_names, LABEL, PLACE, PART, *HASH]
    marked = hashed.select(
        *columns,
        F.count("*").over(same).alias("__rows"),
        F.row_number().over(same.orderBy(PART, *examples.id_names, LABEL)).alias(POSITION),
        (F.min(own).over(same) != F.max(own).over(same)).alias(CONFLICT),
        (F.min(PLACE).over(same) != F.max(PLACE).over(same)).alias(LEAK),
    )
    return marked.where(F.col("__rows") > 1).select(*columns, POSITION, CONFLICT, LEAK)


def conflicts_frame(
    found: Found, examples: Examples, max_ids: int, suspects: DataFrame | None
) -> DataFrame:
    """Build the table of conflicts: a row for each content.

    Parameters
    ----------
    found : Found
    examples : Examples
    max_ids : int
        Record ids of a content that are listed.
    suspects : DataFrame or None
        What an audit found: record ids by their internal names, ``suggested_label``,
        ``label_quality`` and ``rank``.

    Returns
    -------
    DataFrame
        By ``schema.CONFLICTS``, without provenance. Lazy.

    Notes
    -----
    Shuffles the rows of conflicts, not those of the table; with suspects twice.
    """
    rows = found.stream.frame.where(F.col(CONFLICT) & (F.col(PART) == GIVEN))
    counted = rows.where(F.col(LABEL).isNotNull()).groupBy(*HASH, LABEL)
    # the most frequent first, then by label
    pairs = F.array_sort(F.collect_list(F.struct((-F.col("__n")).alias("n"), F.col(LABEL))))
    labels = counted.agg(F.count("*").alias("__n")).groupBy(*HASH).agg(pairs.alias("__pairs"))
    first, second = (F.get("__pairs", F.lit(i)) for i in range(2))
    labels = labels.select(
        *HASH,
        F.transform(
            "__pairs", lambda p: F.struct(p[LABEL].alias("label"), (-p["n"]).alias("rows"))
        ).alias("labels"),
        F.when(first["n"] < second["n"], first[LABEL]).alias("majority"),
    )
    views = _with_views(rows, examples, suspects)
    is_listed = F.col(POSITION) <= max_ids
    listed = F.when(is_listed, F.struct(POSITION, shown_id(examples).alias("id")))
    view = F.when(is_listed & F.col("__flagged"), F.struct(POSITION, *_VIEW))
    groups = views.groupBy(*HASH).agg(
        F.count("*").alias("rows"),
        F.array_sort(F.collect_list(listed)).alias("__listed"),
        F.sum(F.col("__flagged").cast("bigint")).alias("suspects"),
        F.array_sort(F.collect_list(view)).alias("__views"),
    )
    views_shown = F.transform("__views", lambda v: F.struct(*[v[n].alias(n) for n in _VIEW]))
    return groups.join(labels, list(HASH)).select(
        hash_text().alias("content_hash"),
        "rows",
        F.transform("__listed", lambda entry: entry["id"]).alias("record_ids"),
        "labels",
        "majority",
        "suspects",
        (views_shown if suspects is not None else F.lit(None).cast(_view_type(examples))).alias(
            "audit"
        ),
    )


#: What an audit says of a row that it suspects.
_VIEW = ("record_id", "given_label", "suggested_label", "label_quality", "rank")


def _view_type(examples: Examples) -> str:
    label = examples.label_type
    return (
        f"array<struct<record_id:string,given_label:{label},suggested_label:{label},"
        "label_quality:double,rank:bigint>>"
    )


def _with_views(rows: DataFrame, examples: Examples, suspects: DataFrame | None) -> DataFrame:
    """Put beside each row what the audit says of it."""
    own = rows.select("*", shown_id(examples).alias("record_id"), F.col(LABEL).alias("given_label"))
    if suspects is None:
        empty = {"suggested_label": examples.label_type, "label_quality": "double"}
        empty |= {"rank": "bigint", "__flagged": "boolean"}
        nulls = {
            name: F.lit(None).cast(kind) for name, kind in (empty | {"rank": "bigint"}).items()
        }
        return own.withColumns(nulls | {"__flagged": F.lit(None).cast("boolean")})
    joined = own.join(suspects, examples.id_names, "left")
    return joined.withColumn("__flagged", F.col("rank").isNotNull())


def leaks_frame(found: Found, examples: Examples, max_ids: int) -> DataFrame:
    """Build the table of leaks: a row for each content that is in several places.

    Parameters
    ----------
    found : Found
    examples : Examples
    max_ids : int
        Rows of a content that are listed, in each place.

    Returns
    -------
    DataFrame
        By ``schema.LEAKS``, without provenance. Lazy.
    """
    rows = found.stream.frame.where(F.col(LEAK) & F.col(PLACE).isNotNull())
    order = Window.partitionBy(*HASH, PLACE).orderBy(POSITION)
    rows = rows.withColumn("__in_place", F.row_number().over(order))
    entry = F.struct(
        PLACE,
        "__in_place",
        shown_id(examples).alias("record_id"),
        F.col(LABEL).alias("given_label"),
    )
    by_place = rows.groupBy(*HASH, PLACE).agg(
        F.count("*").alias("rows"),
        F.collect_list(F.when(F.col("__in_place") <= max_ids, entry)).alias("__listed"),
        F.min(LABEL).alias("__low"),
        F.max(LABEL).alias("__high"),
    )
    places = F.array_sort(F.collect_list(F.struct(F.col(PLACE).alias("place"), "rows")))
    groups = by_place.groupBy(*HASH).agg(
        F.sum("rows").alias("rows"),
        places.alias("places"),
        F.array_sort(F.flatten(F.collect_list("__listed"))).alias("__listed"),
        F.coalesce(F.min("__low") != F.max("__high"), F.lit(False)).alias("labels_differ"),
    )
    shown = F.transform(
        "__listed",
        lambda e: F.struct(
            e[PLACE].alias("place"), e["record_id"].alias("record_id"), e["given_label"]
        ),
    )
    label = examples.label_type
    listed = f"array<struct<place:string,record_id:string,given_label:{label}>>"
    return groups.select(
        hash_text().alias("content_hash"),
        "rows",
        "places",
        shown.cast(listed).alias("examples"),
        "labels_differ",
    )


def hash_text() -> Column:
    """Write the hash of a content as 32 hexadecimal digits."""
    return F.concat(*[F.lower(F.lpad(F.hex(name), 16, "0")) for name in HASH])


def shown_id(examples: Examples) -> Column:
    """Write a record id as text; one of several columns as a JSON array of texts."""
    texts = [F.col(name).cast("string") for name in examples.id_names]
    return texts[0] if len(texts) == 1 else F.to_json(F.array(*texts))


def refuse_nothing_compared(part: Part, table: str, content: Sequence[str]) -> None:
    """Refuse a table of which nothing can be compared.

    Parameters
    ----------
    part : Part
    table : str
        As the configuration names it.
    content : sequence of str

    Raises
    ------
    InputError
    """
    if not part.rows:
        raise InputError(
            f"{table}: the table is empty (0 rows to compare); check the table, its version and "
            "input.where"
        )
    if not part.with_content:
        raise InputError(
            f"conflicts.columns: all {part.rows:,} rows of {table} are null or blank in "
            f"{', '.join(map(repr, content))}; name columns that hold the content"
        )
    if not part.labelled:
        raise InputError(
            f"columns.label: all {part.rows:,} rows of {table} have no label; name the label column"
        )
