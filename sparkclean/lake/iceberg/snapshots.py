"""Snapshots as versions, and the procedures of a catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparkclean.lake.base import Version
from sparkclean.lake.sql import sql_text
from sparkclean.lake.timestamps import utc_text
from sparkclean.names import TableName, quote_name

if TYPE_CHECKING:
    from pyspark.sql import Row, SparkSession

#: Of our keys in the summary of a snapshot.
PREFIX = "sparkclean."


def properties_of(snapshot: Row) -> dict[str, str]:
    """Read what a run has written on its commit."""
    summary = snapshot["summary"] or {}
    return {k.removeprefix(PREFIX): v for k, v in summary.items() if k.startswith(PREFIX)}


def version_of(snapshot: Row) -> Version:
    """Describe a snapshot.

    Parameters
    ----------
    snapshot : Row
        Of the metadata table ``snapshots``.

    Returns
    -------
    Version
        ``rows`` is None where rows were deleted by their values: nobody has counted them.
    """
    summary, properties = snapshot["summary"] or {}, properties_of(snapshot)
    run = properties.get("run_id", "")
    total, deleted = (_integer(summary.get(f"total-{k}")) for k in ("records", "position-deletes"))
    by_value = _integer(summary.get("total-equality-deletes")) or 0
    return Version(
        number=snapshot["snapshot_id"],
        name=str(snapshot["snapshot_id"]),
        parent=snapshot["parent_id"],
        run_id=run,
        run_ids=(run,) if run else (),
        created_at=utc_text(snapshot["committed_at"]),
        rows=None if total is None or by_value else total - (deleted or 0),
        files=_integer(summary.get("total-data-files")),
        size_bytes=_integer(summary.get("total-files-size")),
        operation=properties.get("operation", "publish" if run else snapshot["operation"]),
        properties=properties,
        bytes_written=_integer(summary.get("added-files-size")) or 0,
    )


def _integer(text: str | None) -> int | None:
    return int(text) if text is not None else None


def call_procedure(spark: SparkSession, name: TableName, procedure: str, **arguments: str) -> None:
    """Call a procedure of the catalog on a table.

    Parameters
    ----------
    spark : SparkSession
    name : TableName
    procedure : str
    **arguments : str
        As SQL writes them.
    """
    catalog, rest = quote_name(name.parts[:1]), quote_name(name.parts[1:])
    given = {"table": sql_text(rest)} | arguments
    listed = ", ".join(f"{key} => {value}" for key, value in given.items())
    spark.sql(f"CALL {catalog}.system.{procedure}({listed})")
