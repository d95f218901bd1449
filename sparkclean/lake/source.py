"""A Parquet source: a folder, a file, or an output of ours, pinned to its list of files."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from sparkclean.errors import InputError
from sparkclean.lake.base import DataFile, Pin
from sparkclean.lake.files import list_data_files, without_globs
from sparkclean.lake.manifest import FOLDER
from sparkclean.lake.target import ParquetTarget
from sparkclean.locations import local_path

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import DataType, StructType

_THREADS = 16
_SHOWN = 5
_INTEGERS = ("tinyint", "smallint", "int", "bigint")
_FLOATS = ("float", "double")
_T = TypeVar("_T")
_R = TypeVar("_R")


class ParquetSource:
    """Parquet files on a local or shared file system.

    Parameters
    ----------
    location : str
    """

    format = "parquet"

    def __init__(self, location: str) -> None:
        self.location = location
        self.path = local_path(location)

    def pin(self, version: str | int | None = None) -> Pin:
        """List the files that are read: path, size, modification time, rows.

        Parameters
        ----------
        version : str or int, optional
            Of an output of ours; the current one by default.

        Returns
        -------
        Pin

        Raises
        ------
        InputError
            If there is nothing to read, or a file is not Parquet, corrupt or of float16.

        Notes
        -----
        Reads the footer of every file, 16 at a time; no Spark job.
        """
        self._check_exists()
        name = None
        if (self.path / FOLDER).is_dir():
            manifest = ParquetTarget(str(self.path)).manifest(version)
            name = manifest.version().name
            paths = [self.path / file.path for file in manifest.files]
        elif version is not None:
            raise InputError(
                f"input.version: {version!r}, but {self.location} has no versions: it is a plain "
                "folder of files; set input.version to null"
            )
        else:
            paths = [self.path] if self.path.is_file() else list_data_files(self.path)
        if not paths:
            raise InputError(f"{self.location} holds no files{self._listing()}; check input.table")
        footers = self._read_footers(paths)
        files = tuple(
            DataFile(str(path), status.st_size, status.st_mtime_ns, rows)
            for path, (status, rows, _) in zip(paths, footers, strict=True)
        )
        groups: dict[pa.Schema, list[int]] = {}
        # a file without rows often has types that nobody chose
        for index, (_, rows, schema) in enumerate(footers):
            if rows:
                groups.setdefault(schema.remove_metadata(), []).append(index)
        if not groups:
            raise InputError(
                f"input.table: {self.location} is empty (0 rows in {len(files)} files); check "
                "input.table and input.version"
            )
        return Pin(
            format=self.format,
            table=str(self.path),
            version=name,
            dataset_version=name or _digest(files, self.path),
            # the data of one run is no partition of the table
            root=str(self.path if self.path.is_dir() else self.path.parent),
            rows=sum(file.rows for file in files),
            size_bytes=sum(file.size_bytes for file in files),
            files=files,
            schema_groups=tuple(tuple(group) for group in groups.values()),
        )

    def _check_exists(self) -> None:
        if self.path.exists():
            return
        parent = self.path.parent
        names = sorted(path.name for path in parent.iterdir()) if parent.is_dir() else []
        near = difflib.get_close_matches(self.path.name, names, 1)
        hint = f"; did you mean {str(parent / near[0])!r}?" if near else ""
        raise InputError(f"input.table: {self.location} does not exist{hint}")

    def _listing(self) -> str:
        names = sorted(path.name for path in self.path.iterdir())[:_SHOWN]
        return f" to read (there are {', '.join(names)})" if names else ""

    def _read_footers(self, paths: Sequence[Path]) -> list[tuple[os.stat_result, int, pa.Schema]]:
        broken: list[str] = []

        def footer(path: Path) -> tuple[os.stat_result, int, pa.Schema] | None:
            try:
                status = path.stat()
                with pq.ParquetFile(path) as file:
                    return status, file.metadata.num_rows, file.schema_arrow
            except (OSError, pa.ArrowException) as exc:
                broken.append(f"{path} ({str(exc).splitlines()[0]})")
                return None

        footers = _in_threads(footer, paths)
        if broken:
            shown = "; ".join(sorted(broken)[:_SHOWN]) + ("; ..." if len(broken) > _SHOWN else "")
            raise InputError(
                f"input.table: {len(broken)} of {len(paths)} files are not readable Parquet: "
                f"{shown}. Write them again, or move them out of {self.location}"
            )
        read = [footer for footer in footers if footer is not None]
        for path, (_, _, schema) in zip(paths, read, strict=True):
            half = [field.name for field in schema if _has_float16(field.type)]
            if half:
                raise InputError(
                    f"column {half[0]!r} of {path} is float16, which Spark cannot read; write it "
                    "as float32"
                )
        return read

    def read(self, spark: SparkSession, pin: Pin) -> DataFrame:
        """Return the rows of exactly the pinned files.

        Parameters
        ----------
        spark : SparkSession
        pin : Pin

        Returns
        -------
        DataFrame
            Lazy. Files of different schemas are united by column name: numbers are widened, what
            a file lacks is null.

        Raises
        ------
        InputError
            If columns of one name differ otherwise.
        """
        partitions = self._partition_fields(spark, pin)
        frames = []
        for group in pin.schema_groups:
            paths = [without_globs(pin.files[i].path) for i in group]
            reader = spark.read.option("basePath", without_globs(pin.root))
            reader = reader.option("mergeSchema", "false")
            if partitions is not None:
                own = self._spark_schema(spark, pin, group)
                for field in partitions:
                    own = own.add(field)
                reader = reader.schema(own)
            frames.append(reader.parquet(*paths))
        if len(frames) == 1:
            return frames[0]
        schema = _united([frame.schema for frame in frames], pin)
        return reduce(
            lambda left, right: left.unionByName(right, allowMissingColumns=True),
            [_cast(frame, schema) for frame in frames],
        )

    def _partition_fields(self, spark: SparkSession, pin: Pin) -> StructType | None:
        """Partition columns with the one type that fits all files; None where there are none."""
        from pyspark.sql.types import StructType  # noqa: PLC0415 (pins need no Spark)

        root = Path(pin.root)
        partitioned = any(
            "=" in part
            for file in pin.files
            for part in Path(file.path).relative_to(root).parts[:-1]
        )
        if not partitioned or len(pin.schema_groups) == 1:
            return None
        paths = [without_globs(file.path) for file in pin.files]
        whole = spark.read.option("basePath", without_globs(pin.root)).parquet(*paths).schema
        names = {
            part.split("=", 1)[0]
            for file in pin.files
            for part in Path(file.path).relative_to(root).parts[:-1]
            if "=" in part
        }
        return StructType([field for field in whole if field.name in names])

    def _spark_schema(self, spark: SparkSession, pin: Pin, group: tuple[int, ...]) -> StructType:
        path = without_globs(pin.files[group[0]].path)
        return spark.read.parquet(path).schema

    def verify(self, pin: Pin) -> None:
        """Check that the pinned files are still what they were.

        Parameters
        ----------
        pin : Pin

        Raises
        ------
        InputError
            Names up to five files that changed or vanished.
        """

        def changed(file: DataFile) -> str | None:
            try:
                status = Path(file.path).stat()
            except OSError:
                return f"{file.path} (vanished)"
            if (status.st_size, status.st_mtime_ns) != (file.size_bytes, file.modified_ns):
                return f"{file.path} (changed)"
            return None

        found = [text for text in _in_threads(changed, pin.files) if text]
        if found:
            shown = ", ".join(found[:_SHOWN]) + (", ..." if len(found) > _SHOWN else "")
            raise InputError(
                f"input.table: {len(found)} of {len(pin.files)} files are not as they were "
                f"when the run began: {shown}. Nothing was published; start again "
                "with a new run id, and write new files instead of replacing old ones"
            )


def _in_threads(function: Callable[[_T], _R], items: Iterable[_T]) -> list[_R]:
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(function, items))


def _digest(files: Sequence[DataFile], root: Path) -> str:
    entries = [
        [os.path.relpath(file.path, root), file.size_bytes, file.rows, file.modified_ns]
        for file in files
    ]
    return "files-" + hashlib.sha256(json.dumps(entries).encode()).hexdigest()[:12]


def _has_float16(kind: pa.DataType) -> bool:
    if pa.types.is_float16(kind):
        return True
    return any(_has_float16(kind.field(i).type) for i in range(kind.num_fields))


def _united(schemas: Sequence[StructType], pin: Pin) -> dict[str, DataType]:
    """Find for every column the type that holds the values of all groups of files."""
    united: dict[str, tuple[DataType, int]] = {}
    for group, schema in enumerate(schemas):
        for field in schema:
            if field.name not in united:
                united[field.name] = (field.dataType, group)
                continue
            before, where = united[field.name]
            wider = _wider(before, field.dataType)
            if wider is None:
                one = pin.files[pin.schema_groups[where][0]].path
                other = pin.files[pin.schema_groups[group][0]].path
                raise InputError(
                    f"column {field.name!r} is {before.simpleString()} in {one} and "
                    f"{field.dataType.simpleString()} in {other}; write it with one type"
                )
            united[field.name] = (wider, where)
    return {name: kind for name, (kind, _) in united.items()}


def _wider(one: DataType, other: DataType) -> DataType | None:
    from pyspark.sql.types import ArrayType  # noqa: PLC0415 (pins need no Spark)

    if one == other:
        return one
    for order in (_INTEGERS, _FLOATS):
        names = (one.simpleString(), other.simpleString())
        if all(name in order for name in names):
            return one if order.index(names[0]) >= order.index(names[1]) else other
    if isinstance(one, ArrayType) and isinstance(other, ArrayType):
        entry = _wider(one.elementType, other.elementType)
        nullable = one.containsNull or other.containsNull
        return None if entry is None else ArrayType(entry, nullable)
    return None


def _cast(frame: DataFrame, schema: dict[str, DataType]) -> DataFrame:
    from pyspark.sql import functions as F  # noqa: PLC0415 (pins need no Spark)

    columns = []
    for field in frame.schema:
        column = F.col("`" + field.name.replace("`", "``") + "`")
        wanted = schema[field.name]
        if field.dataType != wanted:
            column = column.cast(wanted).alias(field.name)
        columns.append(column)
    return frame.select(*columns)


def translate_read_error(exc: BaseException, table: str) -> InputError | None:
    """Say which file kept Spark from reading.

    Parameters
    ----------
    exc : BaseException
        Of Spark, on classic or on Connect.
    table : str

    Returns
    -------
    InputError or None
        None where the cause is something else.
    """
    text = str(exc)
    conditions = (
        "FAILED_READ_FILE",
        "CANNOT_READ_FILE_FOOTER",
        "PATH_NOT_FOUND",
        "FileNotFoundException",
        "is not a Parquet file",
    )
    if not any(condition in text for condition in conditions):
        return None
    names = [word.strip(".,;'\"()") for word in text.split() if ".parquet" in word]
    which = names[0] if names else table
    return InputError(
        f"input.table: {which} could not be read: it is corrupt, or was changed or removed in the "
        "middle of the run. Nothing was published; write it again and repeat the run"
    )
