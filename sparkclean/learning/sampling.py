"""Which rows are trained on: a sample by hash, of a bounded number of rows, with all classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import functions as F

from sparkclean.errors import InputError
from sparkclean.examples.batches import LABEL
from sparkclean.lake import spark_path
from sparkclean.learning.feature_files import FeatureFiles
from sparkclean.learning.profile import Profile
from sparkclean.learning.scored import PLACE

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import DataType

#: Bytes of the features that a model is trained on, by default.
_TRAIN_BYTES = 256 << 20
#: Of a text, roughly: its words, and their places in a matrix.
_TEXT_BYTES = 4096
#: Rows of each class that a sample keeps, if there are as many and so many fit.
_KEPT = 50
_SHOWN = 10


def row_bytes(num_numbers: int, num_texts: int) -> int:
    """Say how many bytes the features of a row have, roughly."""
    return 8 * num_numbers + _TEXT_BYTES * num_texts


def default_train_rows(num_numbers: int, num_texts: int) -> int:
    """Say how many rows a model is trained on by default: what 256 MiB hold."""
    return max(_TRAIN_BYTES // max(row_bytes(num_numbers, num_texts), 1), 1000)


def sample_shares(profile: Profile, most: int) -> NDArray[np.float64]:
    """Decide which share of each class is sampled.

    Parameters
    ----------
    profile : Profile
        With one fold, none is left out.
    most : int
        Rows of a training.

    Returns
    -------
    ndarray of float64, shape (K,)
        In (0, 1]: the same for all classes, but for small ones, which keep up to 50 rows, all small
        classes together about half of the training.
    """
    of_class = profile.examples.sum(axis=0)
    left_out = profile.examples.sum(axis=1) if len(profile.examples) > 1 else np.zeros(1, np.int64)
    largest = int((of_class.sum() - left_out).max())
    if largest <= most:
        return np.ones(len(of_class))
    # chance gives some more or fewer rows; what is beyond the bound all the same is cut off
    share = max(most - 4.0 * most**0.5, 0.5 * most) / largest
    kept = max(min(_KEPT, most / (2 * len(of_class))), 1.0)
    return np.minimum(1.0, np.maximum(share, kept / np.maximum(of_class, 1)))


def last_places(
    profile: Profile, shares: NDArray[np.float64], rare: Sequence[Any]
) -> dict[Any, int]:
    """Find the last place of each class that is sampled; rare ones are not."""
    return {
        label: min(round((share - 0.5) * 2.0**64), (1 << 63) - 1)
        for label, share in zip(profile.classes, shares.tolist(), strict=True)
        if label not in rare
    }


def is_sampled(
    profile: Profile, shares: NDArray[np.float64], rare: Sequence[Any], label_type: DataType
) -> Column:
    """Tell which rows are trained on: the first places of each class, up to its share.

    Parameters
    ----------
    profile : Profile
    shares : ndarray of float64, shape (K,)
    rare : sequence
        Classes that no model is trained on.
    label_type : DataType

    Returns
    -------
    Column
        Boolean, on a frame by `narrow`; null for strangers.
    """
    last = last_places(profile, shares, rare)
    by_label = F.create_map(
        *[
            part
            for label, place in last.items()
            for part in (F.lit(label).cast(label_type), F.lit(place).cast("bigint"))
        ]
    )
    return F.col(PLACE) <= F.try_element_at(by_label, F.col(LABEL))


@dataclass(frozen=True)
class TrainingRows:
    """Rows in files, on which models are trained.

    Attributes
    ----------
    folder : Path
        Of their Parquet files.
    shares : ndarray of float64, shape (K,)
        Of the rows of each class that were sampled.
    most : int
        Rows of a training.
    """

    folder: Path
    shares: NDArray[np.float64]
    most: int


def write_training_rows(
    frame: DataFrame,
    folder: Path,
    profile: Profile,
    *,
    num_texts: int,
    label_type: DataType,
    max_rows: int | None,
    rare: Sequence[Any] = (),
    files: FeatureFiles | None = None,
) -> TrainingRows:
    """Sample the rows that models are trained on, and write them.

    Parameters
    ----------
    frame : DataFrame
        By `narrow`.
    folder : Path
        To write to, unless the files know a place.
    profile : Profile
    num_texts : int
    label_type : DataType
    max_rows : int or None
        Of a training; None: what 256 MiB hold.
    rare : sequence
        Classes that no model is trained on.
    files : FeatureFiles, optional
        That hold the same rows, and are read where that can be.

    Returns
    -------
    TrainingRows

    Notes
    -----
    One job that reads the features.
    """
    most = max_rows or default_train_rows(profile.num_numbers, num_texts)
    shares = sample_shares(profile, most)
    if files is not None:
        written = files.write_sample(profile.classes, last_places(profile, shares, rare))
        if written is not None:
            return TrainingRows(written, shares, most)
    rows = frame.where(is_sampled(profile, shares, rare, label_type))
    rows.write.parquet(spark_path(folder))
    return TrainingRows(folder, shares, most)


def check_seen(profile: Profile, rare: Sequence[Any], found: Mapping[int, Sequence[int]]) -> None:
    """Check that each model sees all classes that are not rare.

    Parameters
    ----------
    profile : Profile
    rare : sequence
    found : mapping
        Training rows of each class, by fold.

    Raises
    ------
    InputError
        Names the classes.
    """
    unseen = [
        f"{label!r} ({int(profile.examples[:, k].sum())} examples)"
        for k, label in enumerate(profile.classes)
        if label not in rare
        and profile.examples[:, k].any()
        and not all(counts[k] for counts in found.values())
    ]
    if unseen:
        more = ", ..." if len(unseen) > _SHOWN else ""
        model, other = "some", "choose another predict.group, "
        if len(found) == 1:
            model, other = "the", ""
        raise InputError(
            f"{len(unseen)} classes are in no training row of {model} model: "
            f"{', '.join(unseen[:_SHOWN])}{more}; raise predict.max_train_rows, {other}or leave "
            "the classes out with input.where"
        )
