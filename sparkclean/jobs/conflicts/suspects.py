"""What an audit makes of each row: its suspects, as it has published them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkclean.errors import ConfigError, InputError, first_of
from sparkclean.examples.conflicts import Examples
from sparkclean.jobs.conflicts.sections import ConflictsSection
from sparkclean.lake import (
    TargetTable,
    open_target,
    original_run_id,
    runs_of_table,
    safe_run_id,
)
from sparkclean.locations import check_expanded
from sparkclean.rows.columns import quoted
from sparkclean.runs.context import Context
from sparkclean.schema import LABEL_QUALITY, RANK, RUN_ID, SUGGESTED_LABEL

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_KEY = "conflicts.suspects"


@dataclass(frozen=True)
class AuditView:
    """The suspects of one audit.

    Attributes
    ----------
    run_id : str
        The scheduler's.
    rows : DataFrame
    """

    run_id: str
    rows: DataFrame

    def frame(self, examples: Examples) -> DataFrame:
        """Select record ids by their internal names, and what the audit says. Lazy."""
        keys = zip(examples.ids, examples.id_types, examples.id_names, strict=True)
        return self.rows.select(
            *[quoted(name).cast(kind).alias(internal) for name, kind, internal in keys],
            F.col(SUGGESTED_LABEL).cast(examples.label_type).alias(SUGGESTED_LABEL),
            LABEL_QUALITY,
            RANK,
        )


def open_view(context: Context, examples: Examples) -> AuditView | None:
    """Open the suspects that the configuration names.

    Parameters
    ----------
    context : Context
    examples : Examples

    Returns
    -------
    AuditView or None
        None where it names none. A repetition takes the audit of the first attempt.

    Raises
    ------
    InputError
        If there are no such suspects, they are of another table or other record ids, or the run
        has none that count.
    """
    section = context.config.section(ConflictsSection)
    if section.suspects is None:
        return None
    try:
        check_expanded(section.suspects)
    except ConfigError as exc:
        raise ConfigError(f"{_KEY}: {exc}") from None
    target = open_target(section.suspects, spark=context.spark)
    if target.current() is None:
        raise InputError(
            f"{_KEY}: nothing was published at {section.suspects}; give the location of "
            "output.suspects of an audit that has run"
        )
    frame = target.frame(context.spark)
    needed = [*examples.ids, SUGGESTED_LABEL, LABEL_QUALITY, RANK, RUN_ID]
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise InputError(
            f"{_KEY}: {section.suspects} has no column {missing[0]!r}, so it does not hold the "
            "suspects of this table; give output.suspects of its audit"
        )
    run = _choose_run(context, target, frame)
    return AuditView(original_run_id(run), frame.where(F.col(RUN_ID) == run))


def _choose_run(context: Context, target: TargetTable, frame: DataFrame) -> str:
    """Choose the run whose suspects are read, as it stands in the rows."""
    section = context.config.section(ConflictsSection)
    wanted = context.note("audit") or section.audit
    if wanted is None:
        try:
            runs = runs_of_table(target, context.config.input.table)
        except ConfigError as exc:
            raise InputError(f"{_KEY}: {exc}") from None
        if runs:
            return runs[-1]
        raise InputError(f"{_KEY}: {target.location} has no run that counts; audit first")
    there = {row[0] for row in frame.select(RUN_ID).distinct().collect()}
    for name in (safe_run_id(wanted), wanted):
        if name in there:
            return name
    raise InputError(
        f"conflicts.audit: {target.location} has no suspects of run {wanted!r} that count; it has "
        f"those of {first_of(sorted(repr(original_run_id(name)) for name in there)) or 'none'}"
    )
