"""The final model for its users: loaded from its folder, given examples by the names of columns.

Needs no Spark: numpy, pyarrow and scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sparkclean.errors import InputError
from sparkclean.learning.encoding import read_codes, read_days
from sparkclean.learning.features import Block
from sparkclean.learning.model_files import MANIFEST, read_manifest, read_models
from sparkclean.learning.models import FoldModel

_SHOWN = 5


@dataclass(frozen=True)
class FinalModel:
    """A model that `sparkclean train` has made.

    Attributes
    ----------
    classes : tuple
        The K labels, in the order of the probabilities.
    features : mapping
        Names of the columns by kind, in the order in which the model takes them: ``numbers``,
        ``categories`` with their values, ``dates``, ``lists``, ``vectors``, ``texts``.
    num_numbers : int
        D, over all columns of numbers.
    about : mapping
        The manifest: how it was trained, by which audit, with which versions.
    model : FoldModel
    """

    classes: tuple[Any, ...]
    features: Mapping[str, Sequence[str]]
    num_numbers: int
    about: Mapping[str, Any]
    model: FoldModel

    def predict_proba(self, examples: Any) -> NDArray[np.float64]:
        """Predict the probability of each class.

        Parameters
        ----------
        examples : pandas.DataFrame, pyarrow.Table, or ndarray of float, shape (N, D)
            With the columns of `features`: numbers, categories, dates, lists of numbers, texts. An
            array holds all numbers in their order; it is enough where there is nothing else. NaN
            and null are missing: the mean of the training rows, no words, no value of a category.
            So is a value that was not in the training table.

        Returns
        -------
        ndarray of float64, shape (N, K)
            Rows sum to 1. The same bits as `sparkclean train` has measured on its test table, but
            for its rounding to float32.

        Raises
        ------
        InputError
            If a column is missing, or holds another type than in training.
        """
        return np.asarray(self.model.predict(self._block(examples)), np.float64)

    def predict(self, examples: Any) -> list[Any]:
        """Predict the most probable label, the first on a tie.

        Parameters
        ----------
        examples
            As for `predict_proba`.

        Returns
        -------
        list, length N
        """
        return [self.classes[k] for k in self.predict_proba(examples).argmax(axis=1).tolist()]

    def _block(self, examples: Any) -> Block:
        texts = self.features["texts"]
        categories = cast("Mapping[str, Sequence[str]]", self.features.get("categories", {}))
        dates = self.features.get("dates", ())  # older models have neither
        coded = [*categories, *dates]
        if isinstance(examples, np.ndarray):
            if texts or coded or examples.ndim != 2 or examples.shape[1] != self.num_numbers:
                what = "columns" if coded else "texts"
                others = f" and the {what} {[*coded, *texts]}" if coded or texts else ""
                wanted = f"(N, {self.num_numbers}){others}"
                raise InputError(
                    f"an array of shape {examples.shape}, and the model takes {wanted}; "
                    "give a table with the columns of its features"
                )
            return Block(examples.astype(np.float64), ())
        if not isinstance(examples, pa.Table) and not hasattr(examples, "columns"):
            raise InputError(
                f"examples are a {type(examples).__name__}; give a pandas or Arrow table, or an "
                "array of numbers"
            )
        names = [name for kind in self.features.values() for name in kind]
        there = examples.column_names if isinstance(examples, pa.Table) else list(examples.columns)
        missing = [name for name in names if name not in there]
        if missing:
            raise InputError(
                f"the table has no columns {missing[:_SHOWN]}, which the model was trained on; it "
                f"has {list(there)[:20]}"
            )
        if not isinstance(examples, pa.Table):
            examples = pa.Table.from_pandas(examples[names], preserve_index=False)
        if not examples.num_rows:  # whose columns have no type
            return Block(np.empty((0, self.num_numbers)), tuple([] for _ in texts))
        parts = [_numbers(examples, name) for name in self.features["numbers"]]
        for name, values in categories.items():
            parts.append(_coded(examples, name, partial(read_codes, values=values)))
        parts += [_coded(examples, name, read_days) for name in dates]
        lists = (*self.features["lists"], *self.features["vectors"])
        # of a column that is all null, which can only be told if there is no other
        length = self.num_numbers - len(parts)
        parts += [_lists(examples, name, length) for name in lists]
        numbers = np.concatenate([np.empty((examples.num_rows, 0)), *parts], axis=1)
        if numbers.shape[1] != self.num_numbers:
            raise InputError(
                f"the table has {numbers.shape[1]} numbers a row in its features, and the model "
                f"was trained on {self.num_numbers}; embed with the same model"
            )
        columns = tuple(examples.column(name).to_pylist() for name in texts)
        return Block(numbers, tuple([text or "" for text in column] for column in columns))


def load_model(folder: str | Path) -> FinalModel:
    """Load the final model of a run of `sparkclean train`.

    Parameters
    ----------
    folder : str or Path
        ``<output.models>/<run id>``.

    Returns
    -------
    FinalModel

    Raises
    ------
    InputError
        If there is no such folder, it holds models of folds, its file is not the one that the
        manifest names, or names what no model consists of: nothing of it is loaded then.

    Notes
    -----
    It is a pickle. Only classes of sparkclean, scikit-learn, numpy and the estimator's own package
    are loaded from it; a class of yours names more of them: ``model_packages = ("torch",)``. Who
    can change the file can change its manifest, too: load from a place that you trust, with the
    versions in ``about["versions"]``.
    """
    place = Path(folder)
    try:
        about = read_manifest(place)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            f"{place} holds no model: it has no {MANIFEST}; name <output.models>/<run id> of a run "
            "of sparkclean train"
        ) from None
    if "features" not in about:
        raise InputError(
            f"{place} holds the models of folds, which predict each its own; name the run id of "
            "sparkclean train"
        )
    (model,) = read_models(place).values()
    return FinalModel(
        tuple(about["classes"]), about["features"], about["num_numbers"], about, model
    )


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    column = table.column(name)
    try:
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.int8())
        if pa.types.is_decimal(column.type):  # by its digits, as Spark rounds
            column = column.cast(pa.string())
        values = column.cast(pa.float64(), safe=False).to_numpy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as exc:
        raise InputError(f"column {name!r} is {column.type}; give numbers") from exc
    return values.reshape(-1, 1)


def _coded(
    table: pa.Table, name: str, read: Callable[[pa.Array], NDArray[np.float64]]
) -> NDArray[np.float64]:
    column = table.column(name).combine_chunks()
    if column.null_count == len(column):  # which has no type
        return np.full((len(column), 1), np.nan)
    try:
        return read(column).reshape(-1, 1)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as exc:
        raise InputError(
            f"column {name!r} is {column.type}; give what the model was trained on"
        ) from exc


def _lists(table: pa.Table, name: str, length: int) -> NDArray[np.float64]:
    column = table.column(name)
    if column.null_count == len(column):
        return np.full((table.num_rows, length), np.nan)
    try:
        known = column.is_valid().to_numpy()
        sizes = pc.list_value_length(column.drop_null()).unique().to_pylist()
        values = pc.list_flatten(column).cast(pa.float64(), safe=False).to_numpy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as exc:
        raise InputError(f"column {name!r} is {column.type}; give lists of numbers") from exc
    if len(sizes) > 1:
        raise InputError(
            f"column {name!r} holds lists of {sizes[:_SHOWN]} numbers; give each row as many"
        )
    numbers = np.full((table.num_rows, sizes[0]), np.nan)
    numbers[known] = values.reshape(-1, sizes[0])
    return numbers
