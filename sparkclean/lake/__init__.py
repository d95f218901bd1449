"""Tables: pins, staged writes, atomic publishing. Knows nothing of labels."""

from __future__ import annotations

from sparkclean.lake.base import (
    ANY,
    AnyParent,
    CleanUp,
    DataFile,
    NoPlainFiles,
    Pin,
    Version,
    find_version,
    version_selector,
)
from sparkclean.lake.edits import Edit
from sparkclean.lake.engine_errors import is_file_gone, translate_read_error
from sparkclean.lake.files import missing_files, spark_path, spark_paths
from sparkclean.lake.formats import needs_spark
from sparkclean.lake.opening import (
    open_edited_target,
    open_records,
    open_source,
    open_target,
    open_version,
    read,
    runs_of_table,
    tables_within,
)
from sparkclean.lake.parquet.physical import CopiedTypes, find_changed_values, plan_copy
from sparkclean.lake.parquet.source import ParquetSource
from sparkclean.lake.parquet.staging import Staging
from sparkclean.lake.parquet.target import ParquetTarget
from sparkclean.lake.protocols import SourceTable, StagingFolder, TargetTable
from sparkclean.lake.run_ids import original_run_id, safe_run_id, shared_run_id
from sparkclean.lake.schemas import SchemaMismatchError, unite_schemas
from sparkclean.lake.version_check import find_wrong_files
from sparkclean.lake.writing import translate_write_error

__all__ = [
    "ANY",
    "AnyParent",
    "CleanUp",
    "CopiedTypes",
    "DataFile",
    "Edit",
    "NoPlainFiles",
    "ParquetSource",
    "ParquetTarget",
    "Pin",
    "SchemaMismatchError",
    "SourceTable",
    "Staging",
    "StagingFolder",
    "TargetTable",
    "Version",
    "find_changed_values",
    "find_version",
    "find_wrong_files",
    "is_file_gone",
    "missing_files",
    "needs_spark",
    "open_edited_target",
    "open_records",
    "open_source",
    "open_target",
    "open_version",
    "original_run_id",
    "plan_copy",
    "read",
    "runs_of_table",
    "safe_run_id",
    "shared_run_id",
    "spark_path",
    "spark_paths",
    "tables_within",
    "translate_read_error",
    "translate_write_error",
    "unite_schemas",
    "version_selector",
]
