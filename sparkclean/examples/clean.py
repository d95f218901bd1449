"""The cleaned dataset: the input with its suspects dropped, relabelled, weighted or set apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkclean import schema
from sparkclean.errors import InputError
from sparkclean.examples.columns import Columns
from sparkclean.examples.suspects import Suspects
from sparkclean.lake.edits import GOES, KEY, VALUE, Edit
from sparkclean.names import quote_name
from sparkclean.rows.columns import quoted, unused_name
from sparkclean.rows.emitted import ID_PREFIX

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

# A broadcast of more record ids than this would cost the driver more than K x K numbers do.
_BROADCAST_ROWS = 1_000_000
_SUSPECT, _REJECTED = 1, 2


@dataclass(frozen=True)
class RejectedRows:
    """Rows that were not admitted.

    Attributes
    ----------
    frame : DataFrame
        Record ids under their internal names, among others.
    rows : int
        Their number.
    remove : bool
        Whether the cleaned version loses them.
    """

    frame: DataFrame
    rows: int
    remove: bool = False

    @property
    def removed(self) -> int:
        """Rows that the cleaned version loses."""
        return self.rows if self.remove else 0


@dataclass(frozen=True)
class Cleaned:
    """The versions to publish.

    Attributes
    ----------
    clean : DataFrame
    clean_rows : int
        Rows it must have.
    quarantine : DataFrame or None
    quarantine_rows : int
    """

    clean: DataFrame
    clean_rows: int
    quarantine: DataFrame | None = None
    quarantine_rows: int = 0


def check_free_names(
    names: list[str], label: str, mode: str, *, keep_original: bool = True
) -> None:
    """Check that the columns that a mode adds do not exist.

    Parameters
    ----------
    names : list of str
        Columns of the input.
    label : str
    mode : str
        ``clean.mode``.
    keep_original : bool
        Whether ``relabel`` adds columns.

    Raises
    ------
    InputError
    """
    if mode == "relabel" and not keep_original:
        return
    added = {
        "relabel": [label + schema.ORIGINAL_SUFFIX, schema.LABEL_WAS_CHANGED],
        "weight": [schema.SAMPLE_WEIGHT],
    }.get(mode, [])
    taken = [name for name in added if name.lower() in {n.lower() for n in names}]
    if taken:
        raise InputError(
            f"clean.mode: {mode!r} adds column {taken[0]!r}, which the table already has; "
            "rename it or choose another mode"
        )


def clean_dataset(
    table: DataFrame,
    suspects: Suspects,
    rejected: RejectedRows,
    columns: Columns,
    *,
    mode: str,
    where: str | None,
    rows: int,
    keep_original: bool = True,
    class_weights: Sequence[float] = (),
    is_numbered: bool = False,
) -> Cleaned:
    """Build the cleaned versions of the input.

    Parameters
    ----------
    table : DataFrame
        The whole pinned input, all columns; rows outside ``input.where`` stay as they are.
    suspects : Suspects
    rejected : RejectedRows
    columns : Columns
    mode : {"drop", "relabel", "weight", "quarantine"}
    where : str or None
        ``input.where``: rows outside it were not audited.
    rows : int
        Rows of the table.
    keep_original : bool
        Whether ``relabel`` adds the given label and a mark.
    class_weights : sequence of float, length K
        For ``weight``: of rows of each given class that are no suspects.
    is_numbered : bool
        Whether the record id is the number of the row, which is not among the columns to keep.

    Returns
    -------
    Cleaned
        Lazy frames and the number of rows that each must have.

    Notes
    -----
    One join by record id. The table is not shuffled while at most a million rows are suspects or
    rejected; beyond, Spark decides.
    """
    names = [name for name in table.columns if not (is_numbered and name == schema.ROW_NUMBER)]
    fate, suggested = unused_name("__fate", names), unused_name("__suggested", names)
    keys = [unused_name(f"{ID_PREFIX}{i}", names) for i in range(len(columns.ids))]
    ids = [F.col(f"{ID_PREFIX}{i}").alias(key) for i, key in enumerate(keys)]
    fates = suspects.frame.select(
        *ids,
        F.lit(_SUSPECT).alias(fate),
        columns.label_of(F.col("suggested")).alias(suggested),
    )
    touched = suspects.num_suspects
    if rejected.removed or (rejected.rows and mode == "weight"):
        touched += rejected.rows
        fates = fates.unionByName(
            rejected.frame.select(
                *ids,
                F.lit(_REJECTED).alias(fate),
                F.lit(None).cast(columns.label_type).alias(suggested),
            )
        )
    if touched <= _BROADCAST_ROWS:
        fates = F.broadcast(fates)
    on = None
    for name, key in zip(columns.ids, keys, strict=True):
        same = table[quote_name((name,))] == fates[key]
        on = same if on is None else on & same
    marked = table.join(fates, on, "left")
    if rejected.removed:
        marked = marked.where(~F.col(fate).eqNullSafe(_REJECTED))
    suspect = F.col(fate).eqNullSafe(_SUSPECT)
    every = [table[quote_name((name,))] for name in names]
    kept = rows - rejected.removed
    if mode == "relabel":
        new = _relabelled(table, names, columns, suspect, F.col(suggested))
        new = new if keep_original else new[: len(names)]
        return Cleaned(marked.select(*new), kept)
    if mode == "weight":
        audited = F.lit(True) if where is None else F.coalesce(F.expr(where), F.lit(False))
        valid = audited & ~F.col(fate).eqNullSafe(_REJECTED)
        weight = _weights(class_weights, columns, valid, suspect)
        return Cleaned(marked.select(*every, weight.alias(schema.SAMPLE_WEIGHT)), kept)
    clean = marked.where(~suspect).select(*every)
    if mode == "drop":
        return Cleaned(clean, kept - suspects.num_suspects)
    quarantine = marked.where(suspect).select(*every)
    return Cleaned(clean, kept - suspects.num_suspects, quarantine, suspects.num_suspects)


def edit_dataset(
    suspects: Suspects, rejected: RejectedRows, columns: Columns, *, mode: str, rows: int
) -> dict[str, tuple[Edit, DataFrame]]:
    """List what the cleaned versions change in the pinned table.

    Parameters
    ----------
    suspects : Suspects
    rejected : RejectedRows
    columns : Columns
    mode : {"drop", "relabel", "quarantine"}
    rows : int
        Rows of the table.

    Returns
    -------
    dict
        By output, ``quarantine`` and ``cleaned``: the change, and a lazy frame of the rows that it
        is about, as `EditedTarget.stage_edit` wants it.
    """
    keys = [F.col(f"{ID_PREFIX}{i}").alias(f"{KEY}{i}") for i in range(len(columns.ids))]
    value = columns.label_of(F.col("suggested")).alias(VALUE)
    suspected = suspects.frame.select(*keys, F.lit(False).alias(GOES), value)
    changes = suspected
    if rejected.removed:
        gone = F.lit(None).cast(columns.label_type).alias(VALUE)
        changes = suspected.unionByName(rejected.frame.select(*keys, F.lit(True).alias(GOES), gone))
    ids, kept = tuple(columns.ids), rows - rejected.removed
    if mode == "relabel":
        return {"cleaned": (Edit("update", ids, kept, columns.label), changes)}
    edits = {"cleaned": (Edit("delete", ids, kept - suspects.num_suspects), changes)}
    if mode == "quarantine":
        edits = {"quarantine": (Edit("keep", ids, suspects.num_suspects), suspected), **edits}
    return edits


def _relabelled(
    table: DataFrame, names: Sequence[str], columns: Columns, suspect: Column, suggested: Column
) -> list[Column]:
    label = table[quote_name((columns.label,))]
    # low_* may suggest the label that is given: nothing changes then
    new = F.when(suspect, suggested).otherwise(label)
    selected = [
        new.alias(name) if name == columns.label else table[quote_name((name,))] for name in names
    ]
    changed = suspect & ~suggested.eqNullSafe(label)
    return [
        *selected,
        label.alias(columns.label + schema.ORIGINAL_SUFFIX),
        changed.alias(schema.LABEL_WAS_CHANGED),
    ]


def _weights(weights: Sequence[float], columns: Columns, valid: Column, suspect: Column) -> Column:
    """Give the weight of its class, 0 to suspects, 1 to rows that were not audited."""
    by_label = F.create_map(
        *[
            part
            for name, weight in zip(columns.classes, weights, strict=True)
            for part in (F.lit(name).cast(columns.label_type), F.lit(weight))
        ]
    )
    known = F.coalesce(F.try_element_at(by_label, quoted(columns.label)), F.lit(1.0))
    return F.when(suspect, 0.0).when(valid, known).otherwise(1.0)
