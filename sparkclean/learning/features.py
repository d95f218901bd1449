"""Features of examples as numbers and texts, and the matrix that a model is given.

Runs on executors: numpy, scipy and scikit-learn.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sparkclean.errors import InputError
from sparkclean.learning.encoding import NO_ENCODING, Encoding

#: Column of all numbers of an example, and of each text behind its position.
NUMBERS = "__numbers"
TEXT_PREFIX = "__text_"
#: Columns of the hashed vocabulary of one text column.
HASHED = 1 << 18
#: Of a text in a dense matrix: columns at most, and at least; numbers of all of it (256 MiB).
_DENSE_COLUMNS, _LEAST_COLUMNS, _DENSE_NUMBERS = 1000, 100, 1 << 25
#: A word of a text, in lower case: two letters, digits or underscores at least.
WORD = r"(?u)\b\w\w+\b"


@dataclass(frozen=True)
class Block:
    """Features of some examples.

    Attributes
    ----------
    numbers : ndarray of float64, shape (N, D)
        NaN where missing.
    texts : tuple of list of str
        A list of N texts for each text column; empty where missing.
    """

    numbers: NDArray[np.float64]
    texts: tuple[list[str], ...]

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: NDArray[np.intp]) -> Block:
        """Select examples."""
        texts = tuple([column[i] for i in rows.tolist()] for column in self.texts)
        return Block(self.numbers[rows], texts)


def read_block(batch: pa.RecordBatch | pa.Table, num_numbers: int, num_texts: int) -> Block:
    """Read the features of a batch.

    Parameters
    ----------
    batch : pyarrow.RecordBatch
        With `NUMBERS`, a list of D numbers a row (left out where D is 0), and the texts.
    num_numbers : int
        D.
    num_texts : int

    Returns
    -------
    Block
    """
    numbers = np.empty((batch.num_rows, 0))
    if num_numbers:
        column = batch.column(NUMBERS)
        values = pc.list_flatten(column).to_numpy(zero_copy_only=False)
        numbers = values.astype(np.float64, copy=False).reshape(batch.num_rows, num_numbers)
    texts = [batch.column(f"{TEXT_PREFIX}{i}").to_pylist() for i in range(num_texts)]
    return Block(numbers, tuple([text or "" for text in column] for column in texts))


class FeatureMatrix:
    """Turns features into the matrix of a model: learned from training rows.

    Missing numbers become the mean of their column; texts become hashed n-grams of words with
    tf-idf weights; of categories and dates `Encoding` makes columns. The matrix is sparse where
    there are texts. Numbers beside any of these are centred and divided by their standard
    deviation, as the weights of a text are of length 1, and so is the mark of a category.

    Parameters
    ----------
    encoding : Encoding, optional
        Which numbers stand for categories and dates; none by default.
    is_centred : bool
        Whether numbers beside others are centred: far from 0 an optimiser takes its steps along
        them alone. Not for a model that takes no negative numbers.
    is_dense : bool
        Whether the model takes no sparse matrix: of each text it then sees the n-grams that are in
        most training rows, at most 1,000, and as few as 256 MiB hold.
    """

    #: What numbers beside others are lowered by; older models have nothing of the kind.
    centres: Any = 0.0
    #: Hashed columns that a dense matrix has of each text; None: all of them, in a sparse one.
    kept: Any = None
    #: Older models know neither categories nor dates.
    encoding: Encoding = NO_ENCODING

    def __init__(
        self, encoding: Encoding = NO_ENCODING, *, is_centred: bool = True, is_dense: bool = False
    ) -> None:
        self._is_centred = is_centred
        if is_dense:
            self.kept = ()
        if encoding:
            self.encoding = encoding

    def fit(self, block: Block) -> FeatureMatrix:
        """Learn means, and how frequent the n-grams are.

        Parameters
        ----------
        block : Block
            Training rows, in an order that does not change: sums depend on it.

        Returns
        -------
        FeatureMatrix
            Itself.
        """
        numbers, _ = self.encoding.split(block.numbers)
        known = ~np.isnan(numbers)
        sums = np.where(known, numbers, 0.0).sum(axis=0)
        self.means = sums / np.maximum(known.sum(axis=0), 1)
        self.weights: list[Any] = []
        self.scales = np.ones(len(self.means))
        if block.texts or self.encoding:
            squares = np.where(known, numbers - self.means, 0.0) ** 2
            count = np.maximum(known.sum(axis=0), 1)
            variances = squares.sum(axis=0) / count
            # nothing but rounding is left of a number that is always the same (as StandardScaler)
            rounding = np.finfo(np.float64).eps * count
            varies = variances > rounding * variances + (rounding * self.means) ** 2
            self.scales = np.where(varies, np.sqrt(variances), 1.0)
            self.centres = self.means if self._is_centred else 0.0
        if block.texts:
            from sklearn.feature_extraction.text import TfidfTransformer  # noqa: PLC0415 (slow)

            if self.kept is not None:
                most = min(_DENSE_NUMBERS // (len(block) * len(block.texts)), _DENSE_COLUMNS)
                self.kept = [_most_frequent(hash_texts(text), most) for text in block.texts]
            self.weights = [TfidfTransformer().fit(counts) for counts in self._counts(block)]
        return self

    def transform(self, block: Block) -> Any:
        """Build the matrix.

        Parameters
        ----------
        block : Block

        Returns
        -------
        ndarray or scipy.sparse.csr_matrix, shape (N, F)
        """
        numbers, marks = self.encoding.split(block.numbers)
        numbers = np.where(np.isnan(numbers), self.means, numbers)
        if block.texts or self.encoding:
            numbers = (numbers - self.centres) / self.scales
        if self.encoding:
            numbers = np.hstack([numbers, marks])
        if not block.texts:
            return numbers
        from scipy.sparse import csr_matrix, hstack  # noqa: PLC0415

        texts = [w.transform(c) for w, c in zip(self.weights, self._counts(block), strict=True)]
        if self.kept is not None:
            return np.hstack([numbers, *(text.toarray() for text in texts)])
        return hstack([csr_matrix(numbers), *texts], format="csr")

    def _counts(self, block: Block) -> Iterator[Any]:
        """Count the n-grams of each text, those that the model sees."""
        for i, text in enumerate(block.texts):
            yield hash_texts(text) if self.kept is None else hash_texts(text)[:, self.kept[i]]


def _most_frequent(counts: Any, most: int) -> NDArray[np.intp]:
    """Choose the columns that are in most rows, the first ones on a tie; ascending."""
    if most < _LEAST_COLUMNS:
        raise InputError(
            "predict.max_train_rows: the estimator takes no sparse matrix, and of "
            f"{counts.shape[0]:,} rows the {_LEAST_COLUMNS} most frequent words do not fit in "
            "256 MiB; lower it, or choose an estimator that takes sparse matrices"
        )
    rows = np.bincount(counts.indices, minlength=counts.shape[1])
    order = np.argsort(-rows, kind="stable")[:most]
    return np.sort(order[rows[order] > 0])


def words_of(text: str) -> str:
    """Give the words of a text, as a model sees it: neither case nor punctuation.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        Texts of the same words in the same order have the same features, by `hash_texts`.
    """
    return " ".join(re.findall(WORD, text.lower()))


def hash_texts(texts: list[str]) -> Any:
    """Count n-grams of words in the columns that their hashes name.

    Parameters
    ----------
    texts : list of str, length N

    Returns
    -------
    scipy.sparse.csr_matrix, shape (N, HASHED)
        Counts, not weighted.
    """
    from sklearn.feature_extraction.text import HashingVectorizer  # noqa: PLC0415

    vectorizer = HashingVectorizer(
        n_features=HASHED,
        token_pattern=WORD,
        ngram_range=(1, 2),
        alternate_sign=False,
        norm=None,
    )
    return vectorizer.transform(texts)
