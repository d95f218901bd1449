"""Rows of a table with what each noise goes by: groups, ranks, neighbours. In Spark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import Window
from pyspark.sql import functions as F

from sparkclean.errors import InputError, first_of
from sparkclean.jobs.simulate.planting import BY, CODE, MAY, RANK, RUNNER_UP, SHIFTED, Plan
from sparkclean.jobs.simulate.sections import NoiseSection
from sparkclean.noise.simulate import Noise, noise_seed, shifted_groups
from sparkclean.numbers.hashes import row_hashes
from sparkclean.rows.columns import quoted
from sparkclean.rows.emitted import ID_PREFIX

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

#: Groups times classes that the driver holds.
MOST_CELLS = 1 << 20
#: Bits of a hash that divide the rows of a class, so that no task sorts a whole class.
_BUCKET_BITS = 8
_HASH, _BUCKET, _BEFORE, _PLACE, _ORDER = "__hash", "__bucket", "__before", "__place", "order_"
_LABEL, _GROUP = "__label", "__by"


@dataclass(frozen=True)
class Labelled:
    """The rows in which noise is planted.

    Attributes
    ----------
    frame : DataFrame
        Record ids by internal names, `CODE`, and for each noise what `planting` names. Lazy.
    ids : tuple of str
        Internal names.
    base : DataFrame or None
        The same without what `add_ranks` has added: what is counted is counted there.
    """

    frame: DataFrame
    ids: tuple[str, ...]
    base: DataFrame | None = None

    @property
    def counted(self) -> DataFrame:
        """Rows that are cheap to read again."""
        return self.frame if self.base is None else self.base

    def with_ranks(self, frame: DataFrame) -> Labelled:
        """Give the same rows with more columns."""
        return Labelled(frame, self.ids, self.counted)


def label_rows(
    table: DataFrame,
    ids: Sequence[str],
    label: str,
    classes: Sequence[Any],
    noises: Sequence[NoiseSection],
) -> Labelled:
    """Select what is needed of a table, with labels as class numbers. Lazy.

    Parameters
    ----------
    table : DataFrame
        The rows that may change.
    ids : sequence of str
    label : str
    classes : sequence
    noises : sequence of NoiseSection

    Returns
    -------
    Labelled
    """
    kind = table.schema[label].dataType
    names = tuple(f"{ID_PREFIX}{i}" for i in range(len(ids)))
    columns = [quoted(of).alias(name) for of, name in zip(ids, names, strict=True)]
    columns.append(quoted(label).alias(_LABEL))
    for i, noise in enumerate(noises):
        may: Column = F.lit(True)
        if noise.where is not None:
            may = may & F.coalesce(F.expr(noise.where), F.lit(False))
        if noise.by is not None:
            by = quoted(noise.by).cast("string")
            may = may & by.isNotNull()
            if noise.values is not None:
                may = may & by.isin([_text(value) for value in noise.values])
            columns.append(by.alias(f"{BY}{i}"))
        if noise.order is not None:
            may = may & quoted(noise.order).isNotNull()
            columns.append(quoted(noise.order).alias(f"{_ORDER}{i}"))
        if noise.runner_up is not None:
            columns.append(quoted(noise.runner_up).alias(f"{RUNNER_UP}{i}"))
        columns.append(F.coalesce(may, F.lit(False)).alias(f"{MAY}{i}"))
    frame = _coded(table.select(*columns), _LABEL, CODE, classes, kind).drop(_LABEL)
    for i, noise in enumerate(noises):
        if noise.runner_up is not None:
            name = f"{RUNNER_UP}{i}"
            frame = _coded(frame.withColumnRenamed(name, _LABEL), _LABEL, name, classes, kind)
            # a row that would get its own label, or none, cannot change
            other = F.coalesce(F.col(name) != F.col(CODE), F.lit(False))
            frame = frame.drop(_LABEL).withColumn(f"{MAY}{i}", F.col(f"{MAY}{i}") & other)
    return Labelled(frame, names)


def _coded(
    frame: DataFrame, column: str, name: str, classes: Sequence[Any], kind: Any
) -> DataFrame:
    """Add the class number of a label; null for strangers."""
    known = class_frame(frame.sparkSession, classes, kind, "__class", name)
    return frame.join(F.broadcast(known), frame[column] == known["__class"], "left").drop("__class")


def class_frame(spark: Any, classes: Sequence[Any], kind: Any, label: str, code: str) -> DataFrame:
    """Make a frame of labels and class numbers. K rows."""
    rows = [(name, k) for k, name in enumerate(classes)]
    return spark.createDataFrame(rows, f"`{label}` {kind.simpleString()}, `{code}` int")


def _text(value: Any) -> str:
    """Write a value as Spark casts it to text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def collect_plan(rows: Labelled, number: int, noise: Noise, num_classes: int) -> Plan:
    """Count the rows that a noise may change, by group and class.

    Parameters
    ----------
    rows : Labelled
    number : int
        Of the noise.
    noise : Noise
    num_classes : int
        K.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        If there are too many groups, or no row.

    Notes
    -----
    One job; the driver holds G x K numbers.
    """
    by = _by(rows, number)
    own = rows.counted.where(F.col(f"{MAY}{number}"))
    most = MOST_CELLS // num_classes * num_classes
    counts = own.groupBy(by.alias("by"), CODE).count().limit(most + 1).collect()
    path = f"simulate.noise.{number}"
    if len(counts) > most:
        raise InputError(
            f"{path}.by: more than {most:,} pairs of group and class; name a column of fewer "
            "groups, or choose rows with where"
        )
    if not counts:
        raise InputError(
            f"{path}: no row may change; check where, by, values and order of this noise"
        )
    groups = sorted({row["by"] for row in counts})
    refuse_unknown_groups(noise, groups, path)
    place = {name: k for k, name in enumerate(groups)}
    sizes = np.zeros((len(groups), num_classes), np.int64)
    for row in counts:
        sizes[place[row["by"]], row[CODE]] = row["count"]
    return Plan(noise, tuple(groups), sizes)


def refuse_unknown_groups(noise: Noise, groups: Sequence[str], path: str) -> None:
    """Refuse rates and matrices of groups that no row is of; raise `InputError`."""
    strange = sorted({*noise.matrices} - {*groups})
    if strange:
        raise InputError(
            f"{path}: rates or matrices name {first_of(list(map(repr, strange)))}, which no row "
            f"that may change has in the column of by; it holds {first_of(list(map(repr, groups)))}"
        )


def _by(rows: Labelled, number: int) -> Column:
    name = f"{BY}{number}"
    return F.col(name) if name in rows.frame.columns else F.lit("")


def add_ranks(rows: Labelled, number: int, plan: Plan, seed: int) -> Labelled:
    """Add what one noise chooses by: ranks within group and class, or labels of neighbours. Lazy.

    Parameters
    ----------
    rows : Labelled
    number : int
    plan : Plan
    seed : int

    Returns
    -------
    Labelled
    """
    if plan.noise.kind == "shift":
        return rows.with_ranks(_shifted(rows, number, plan, seed))
    own = noise_seed(seed, number)
    hashed = F.xxhash64(F.lit(own).cast("bigint"), *map(F.col, rows.ids))
    frame = rows.frame.withColumn(_HASH, hashed)
    by, may = _by(rows, number), F.col(f"{MAY}{number}")
    rank = f"{RANK}{number}"
    if plan.noise.kind == "boundary":  # by score: hashes divide nothing
        window = Window.partitionBy(may, by, CODE).orderBy(f"{_ORDER}{number}", _HASH, *rows.ids)
        place = F.row_number().over(window).cast("bigint") - 1
        return rows.with_ranks(frame.withColumn(rank, place).drop(_HASH))
    bucket = F.shiftright(F.col(_HASH), 64 - _BUCKET_BITS).cast("int")
    keys = [_GROUP, CODE, _BUCKET]

    def keyed(of: DataFrame) -> DataFrame:
        hashes = of.withColumn(_HASH, hashed)
        return hashes.withColumn(_BUCKET, bucket).withColumn(_GROUP, by)

    counts = keyed(rows.counted.where(may)).groupBy(*keys).count()
    earlier = Window.partitionBy(_GROUP, CODE).orderBy(_BUCKET)
    earlier = earlier.rowsBetween(Window.unboundedPreceding, -1)
    before = F.coalesce(F.sum("count").over(earlier), F.lit(0))
    offsets = counts.select(*keys, before.cast("bigint").alias(_BEFORE))
    within = Window.partitionBy(may, *keys).orderBy(_HASH, *rows.ids)
    placed = keyed(rows.frame).withColumn(_PLACE, F.row_number().over(within).cast("bigint") - 1)
    ranked = placed.join(offsets, keys, "left")
    ranked = ranked.withColumn(rank, F.col(_BEFORE) + F.col(_PLACE))
    return rows.with_ranks(ranked.drop(_HASH, _BUCKET, _BEFORE, _PLACE, _GROUP))


def _shifted(rows: Labelled, number: int, plan: Plan, seed: int) -> DataFrame:
    """Add the class of the row that stands some rows before, in the groups that are shifted."""
    chosen = np.ones(len(plan.groups), bool)
    if plan.noise.rate < 1.0:
        hashes = row_hashes(len(plan.groups), noise_seed(seed, number))
        chosen = shifted_groups(plan.noise, hashes)
    sizes = plan.sizes.sum(axis=1)
    names = [(n, int(s)) for n, s, c in zip(plan.groups, sizes, chosen, strict=True) if c]
    name, order = f"{BY}{number}", f"{_ORDER}{number}"
    spark = rows.frame.sparkSession
    groups = F.broadcast(spark.createDataFrame(names, f"`{name}` string, __size bigint"))
    first = [order] if order in rows.frame.columns else []
    window = Window.partitionBy(name).orderBy(*first, *rows.ids)
    placed = (
        rows.counted.where(F.col(f"{MAY}{number}"))
        .select(*rows.ids, CODE, name, *first)
        .join(groups, name)
        .withColumn(_PLACE, F.row_number().over(window).cast("bigint") - 1)
    )
    after = (F.col(_PLACE) + plan.noise.lag) % F.col("__size")
    given = placed.select(name, after.alias(_PLACE), F.col(CODE).alias(f"{SHIFTED}{number}"))
    found = placed.select(*rows.ids, name, _PLACE).join(given, [name, _PLACE])
    return rows.frame.join(found.select(*rows.ids, f"{SHIFTED}{number}"), list(rows.ids), "left")
