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
#: Of a text, roughly: its words, and their positions in a matrix.
_TEXT_BYTES = 4096
#: Rows of each class that a sample keeps, if there are as many and so many fit.
_KEPT = 50
_SHOWN = 10


def row_bytes(width: int, num_texts: int) -> int:
    """Say how many bytes the features of a row have, roughly; texts beside the other columns."""
    return 8 * width + _TEXT_BYTES * num_texts


def default_train_rows(width: int, num_texts: int) -> int:
    """Say how many rows a model is trained on by default: what 256 MiB hold."""
    return max(_TRAIN_BYTES // max(row_bytes(width, num_texts), 1), 1000)


def count_elsewhere(profile: Profile) -> NDArray[np.int64]:
    """Count the rows of each class that a model may be trained on, by the fold that it leaves out.

    Parameters
    ----------
    profile : Profile
        With one fold, none is left out.

    Returns
    -------
    ndarray of int64, shape (F, K)
    """
    of_class = profile.examples.sum(axis=0, keepdims=True)
    return of_class if len(profile.examples) == 1 else of_class - profile.examples


def sample_quotas(profile: Profile, most: int) -> NDArray[np.int64]:
    """Decide how many rows of each class each model is trained on.

    Parameters
    ----------
    profile : Profile
        With one fold, none is left out.
    most : int
        Rows of a training.

    Returns
    -------
    ndarray of int64, shape (F, K)
        By the fold that is left out; together at most ``most``. The same share of all classes, but
        of small ones up to 50 rows, all small classes together about half of the training; at
        least one row of each class, if there are not more classes than rows.
    """
    return np.stack([_quotas(counts, most) for counts in count_elsewhere(profile)])


def _quotas(counts: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    total = int(counts.sum())
    if total <= most:
        return counts
    kept = max(min(_KEPT, most / (2 * len(counts))), 1.0)
    wanted = np.maximum(counts * (most / total), np.minimum(counts, kept))
    wanted *= most / wanted.sum()
    there = (counts > 0).astype(np.int64)
    quotas = np.floor(wanted).astype(np.int64)
    if there.sum() <= most:
        quotas = np.maximum(quotas, there)
    while quotas.sum() > most:
        quotas[quotas.argmax()] -= 1
    # the largest remainders first, lower classes on a tie
    order = np.argsort(quotas - wanted, kind="stable")
    order = order[quotas[order] < counts[order]][: most - int(quotas.sum())]
    quotas[order] += 1
    return quotas


def sample_shares(profile: Profile, quotas: NDArray[np.int64]) -> NDArray[np.float64]:
    """Decide which share of each class is sampled, so that each model finds its quota.

    Parameters
    ----------
    profile : Profile
    quotas : ndarray of int64, shape (F, K)

    Returns
    -------
    ndarray of float64, shape (K,)
        In [0, 1]. Chance gives some more or fewer rows: four standard deviations and ten rows more
        than the quota are sampled; a model takes the first ones.
    """
    enough = quotas + 4.0 * np.sqrt(quotas) + 10.0
    counts = count_elsewhere(profile)
    shares = np.where(quotas < counts, enough / np.maximum(counts, 1), 1.0)
    return np.minimum(shares.max(axis=0), 1.0)


def last_places(
    profile: Profile, shares: NDArray[np.float64], rare: Sequence[Any]
) -> dict[Any, int]:
    """Find the last training position of each class that is sampled; rare ones are not."""
    return {
        label: min(round((share - 0.5) * 2.0**64), (1 << 63) - 1)
        for label, share in zip(profile.classes, shares.tolist(), strict=True)
        if label not in rare
    }


def is_sampled(
    profile: Profile, shares: NDArray[np.float64], rare: Sequence[Any], label_type: DataType
) -> Column:
    """Tell which rows are trained on: the first ones of each class, in training order.

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
    quotas : ndarray of int64, shape (F, K)
        By `sample_quotas`.
    most : int
        Rows of a training.
    """

    folder: Path
    quotas: NDArray[np.int64]
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
        To write to, unless the files have a folder.
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
    most = max_rows or default_train_rows(profile.width, num_texts)
    quotas = sample_quotas(profile, most)
    shares = sample_shares(profile, quotas)
    if files is not None:
        written = files.write_sample(profile.classes, last_places(profile, shares, rare))
        if written is not None:
            return TrainingRows(written, quotas, most)
    rows = frame.where(is_sampled(profile, shares, rare, label_type))
    rows.write.parquet(spark_path(folder))
    return TrainingRows(folder, quotas, most)


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
