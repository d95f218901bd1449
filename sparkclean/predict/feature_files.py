"""Read features from the Parquet files of a pin, not through Spark's rows, where that can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sparkclean.cluster.batches import ID_PREFIX, LABEL
from sparkclean.cluster.file_scan import find_groups
from sparkclean.cluster.streams import FileStream
from sparkclean.cluster.workspace import Workspace
from sparkclean.config import Config, PredictSection
from sparkclean.lake import NoPlainFiles
from sparkclean.predict.columns import FeatureColumns, fold_hash
from sparkclean.predict.feature_reader import FEATURE_PREFIX, FeatureReader

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: Numbers that a task reads at once: 8 MB of float64; at most so many rows.
_CHUNK_NUMBERS, _CHUNK_ROWS = 1 << 20, 1 << 14


def plan_feature_files(
    table: DataFrame,
    features: FeatureColumns,
    *,
    config: Config,
    predict: PredictSection,
    paths: Sequence[str] | NoPlainFiles,
    num_numbers: int,
    workspace: Workspace,
) -> FileStream | str:
    """Plan to read record ids, labels, features and folds from files.

    Parameters
    ----------
    table : DataFrame
        Of the pin.
    features : FeatureColumns
        Checked.
    config : Config
    predict : PredictSection
    paths : sequence of str or NoPlainFiles
        Of the pin.
    num_numbers : int
        D, the numbers of a row.
    workspace : Workspace

    Returns
    -------
    FileStream or str
        Rows as `narrow` gives them, to the last bit, but for places and inner folds; or why the
        files cannot be read so.

    Notes
    -----
    Reads the footers on the driver.
    """
    columns = config.columns
    ids = [(f"{ID_PREFIX}{i}", name) for i, name in enumerate(columns.id_columns)]
    numbers = (*features.numbers, *features.lists)
    read = [(f"{FEATURE_PREFIX}{i}", name) for i, name in enumerate(numbers)]
    names = (*ids, (LABEL, columns.label), *read)
    if isinstance(paths, NoPlainFiles):
        return paths.reason
    groups = _reason(config, predict, features) or find_groups(
        table, [name for _, name in names], paths
    )
    if isinstance(groups, str):
        return groups
    spark = table.sparkSession
    (row,) = spark.range(1).select(fold_hash(predict.seed)).collect()
    reader = FeatureReader(len(ids), len(read), row[0], predict.n_folds)
    rows = min(max(_CHUNK_NUMBERS // num_numbers, 1), _CHUNK_ROWS)
    return FileStream(spark, names, groups, workspace, chunk_rows=rows, prepare=reader)


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
    return None
