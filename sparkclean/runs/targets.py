"""Check that the rows of a run fit what its outputs hold of earlier runs."""

from __future__ import annotations

from collections.abc import Mapping

from sparkclean.errors import InputError
from sparkclean.lake import SchemaMismatchError, TargetTable, unite_schemas
from sparkclean.rows.driver_rows import typed_columns
from sparkclean.rows.types import schema_json
from sparkclean.schema import Columns, OutputSpec


def check_columns(
    targets: Mapping[str, TargetTable],
    specs: Mapping[str, OutputSpec],
    ids: Columns,
    label_type: str,
) -> None:
    """Check that the rows of this run fit those that the outputs hold of earlier runs.

    Parameters
    ----------
    targets, specs : mapping
        By name.
    ids : tuple of (str, str)
        Name and Spark type of the record id columns.
    label_type : str
        Spark type of the label column.

    Raises
    ------
    InputError
        Names every output that does not fit.

    Notes
    -----
    Reads metadata; no job.
    """
    findings = []
    for name, target in targets.items():
        spec = specs[name]
        before = target.schema() if spec.accumulates else None
        if before is None:
            continue
        own = typed_columns(spec.columns, label_type)
        try:
            unite_schemas(before, schema_json([*ids, *own] if spec.keyed else own))
        except SchemaMismatchError as exc:
            findings.append(
                f"output.{name}: {target.location}: column {exc.column!r} is {exc.one} in "
                f"the rows of earlier runs and {exc.other} in those of this one; name another "
                "place for it"
            )
    if findings:
        raise InputError(findings)
