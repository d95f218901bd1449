"""Read features from the Parquet files of a pin, not through Spark's rows, where that can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkclean.config.sections import Config, PredictSection
from sparkclean.examples.batches import LABEL
from sparkclean.examples.file_scan import collect_rising_ids_of_files, find_groups
from sparkclean.lake import NoPlainFiles
from sparkclean.learning.columns import (
    OF_FOLD,
    OF_INNER,
    OF_PLACE,
    LearningColumns,
    row_hash,
)
from sparkclean.learning.feature_check import ROWS, CheckFeatures
from sparkclean.learning.feature_columns import FeatureColumns
from sparkclean.learning.feature_reader import FEATURE_PREFIX, FeatureReader
from sparkclean.learning.fold_notes import FoldNotes
from sparkclean.learning.sample_writer import SAMPLED, SampleRows
from sparkclean.learning.scored import FOLD
from sparkclean.rows.emitted import ID_PREFIX
from sparkclean.rows.file_stream import FileStream
from sparkclean.rows.row_groups import read_row_groups
from sparkclean.rows.stores import FolderStore

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: Numbers that a task reads at once: 8 MB of float64; at most so many rows.
_CHUNK_NUMBERS, _CHUNK_ROWS = 1 << 20, 1 << 14


@dataclass(frozen=True)
class FeatureFiles:
    """Features of a pin in files.

    Attributes
    ----------
    stream : FileStream
        Rows as `narrow` gives them, to the last bit, but for training positions and inner folds.
    reader : FeatureReader
    seeds : tuple of int
        What the hash of a row begins with, by its purpose.
    id_types : tuple of str
        Spark types of the record id columns.
    label_type : str
    """

    stream: FileStream
    reader: FeatureReader
    seeds: tuple[int, ...]
    id_types: tuple[str, ...]
    label_type: str

    @property
    def num_numbers(self) -> int:
        """D, the numbers of a row, if all are as the first."""
        return sum(self.reader.lengths)

    def collect_rising_ids(self) -> int | None:
        """Count the rows as `sparkclean.examples.file_scan.collect_rising_ids_of_files`."""
        stream = self.stream
        return collect_rising_ids_of_files(
            stream.spark, stream.groups, stream.columns, self.id_types
        )

    def count_examples(self, *, impute: bool) -> DataFrame:
        """Check the features, and count rows by fold and label, as `CheckFeatures` does.

        Parameters
        ----------
        impute : bool
            Whether numbers may be missing.

        Returns
        -------
        DataFrame
            Lazy; reads the features once, and leaves notes of the folds.
        """
        check = CheckFeatures(self.reader, impute)
        schema = f"`{FOLD}` int, `{LABEL}` {self.label_type}, `{ROWS}` bigint"
        return self.stream.map_tasks(check, schema)

    def write_sample(self, classes: Sequence[Any], last: Mapping[Any, int]) -> Path | None:
        """Write the training rows.

        Parameters
        ----------
        classes : sequence
            The K labels.
        last : mapping
            Last training position of each class that is sampled.

        Returns
        -------
        Path or None
            Folder of files, with the rows of `narrow` that `is_sampled` tells. None where only
            Spark can hash the record ids, or nothing is sampled.

        Notes
        -----
        One job that reads the features.
        """
        if "string" in self.id_types:
            return None
        sample = SampleRows(
            num_ids=len(self.id_types),
            place_seed=self.seeds[OF_PLACE],
            inner_seed=self.seeds[OF_INNER],
            classes=tuple(classes),
            last=np.array([last.get(label, 0) for label in classes], np.int64),
            sampled=np.array([label in last for label in classes]),
        )
        return self.stream.run("sample", sample).streams[SAMPLED].folder


def plan_feature_files(
    table: DataFrame,
    columns: LearningColumns,
    *,
    config: Config,
    predict: PredictSection,
    paths: Sequence[str] | NoPlainFiles,
    work: Path,
    first_rows: Mapping[str, int] | None = None,
) -> FeatureFiles | str:
    """Plan to read record ids, labels, features and folds from files.

    Parameters
    ----------
    table : DataFrame
        Of the pin.
    columns : LearningColumns
    config : Config
    predict : PredictSection
    paths : sequence of str or NoPlainFiles
        Of the pin.
    work : Path
        Folder that driver and executors share, for what is removed at the end of the run.
    first_rows : mapping, optional
        Number of the first row of each file, by path, where rows are numbered.

    Returns
    -------
    FeatureFiles or str
        Or why the files cannot be read so.

    Notes
    -----
    Reads the footers and a row on the driver.
    """
    features, kinds = columns.features, table.schema
    ids = [(f"{ID_PREFIX}{i}", name) for i, name in enumerate(columns.ids)]
    numbers = (*features.single, *features.lists)
    read = [(f"{FEATURE_PREFIX}{i}", name) for i, name in enumerate(numbers)]
    names = (*ids, (LABEL, columns.label), *read)
    if isinstance(paths, NoPlainFiles):
        return paths.reason
    groups = _reason(config, predict, features) or find_groups(
        table, [name for _, name in names], paths, first_rows
    )
    if isinstance(groups, str):
        return groups
    some = next((group for group in groups if group.rows), None)
    if some is None:
        return "there are no rows"
    (first,) = next(read_row_groups([some], read, 1)).to_pylist()
    lengths = [1] * len(features.single)
    for i, name in enumerate(features.lists, len(lengths)):
        if not first[f"{FEATURE_PREFIX}{i}"]:
            return f"the first list of column {name!r} is missing or empty"
        lengths.append(len(first[f"{FEATURE_PREFIX}{i}"]))
    spark = table.sparkSession
    purposes = (OF_FOLD, OF_INNER, OF_PLACE)
    (seeds,) = spark.range(1).select(*[row_hash(predict.seed, of) for of in purposes]).collect()
    folder = work / "folds"
    folder.mkdir(parents=True)
    notes = FoldNotes(str(folder))
    values = dict(enumerate(features.categories.values(), len(features.numbers)))
    reader = FeatureReader(len(ids), tuple(lengths), seeds[OF_FOLD], predict.n_folds, notes, values)
    rows = min(max(_CHUNK_NUMBERS // sum(lengths), 1), _CHUNK_ROWS)
    store = FolderStore(str(work))
    return FeatureFiles(
        stream=FileStream(spark, names, groups, store, chunk_rows=rows, prepare=reader),
        reader=reader,
        seeds=tuple(seeds),
        id_types=tuple(kinds[name].dataType.simpleString() for _, name in ids),
        label_type=kinds[columns.label].dataType.simpleString(),
    )


def _reason(
    config: Config,
    predict: PredictSection,
    features: FeatureColumns,
) -> str | None:
    """Say why files are out of the question, if they are."""
    if config.scan == "dataframe":
        return "scan is dataframe"
    if config.input.where is not None:
        return "input.where is set"
    if predict.group is not None:
        return "folds are by predict.group"
    if features.texts or features.vectors:
        return "features are texts or Spark ML vectors"
    if features.dates:
        return "features are dates"
    return None
