"""The content of a row as one hash: equal contents have equal hashes, wherever they are computed.

Runs on executors: numpy and pyarrow only.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from sparkclean.examples.batches import LABEL
from sparkclean.numbers.result_hash import split_hash_limbs, sum_hashes
from sparkclean.rows.emitted import (
    ID_PREFIX,
    KIND,
    STATE,
    Emitted,
    id_fields,
    state_fields,
    to_batch,
)
from sparkclean.rows.types import Fields

#: The hash of a content, 128 bits, in two columns that Spark compares fast.
HASH = ("__hash_high", "__hash_low")
#: Where a row is: its split or table.
PLACE = "__place"
#: Which table a row is of: `GIVEN`, or the table of trusted labels, `TRUSTED`.
PART = "__part"
GIVEN, TRUSTED = 0, 1
#: The content columns are called so in a frame that is hashed, and their position.
CONTENT_PREFIX = "__content_"
#: Columns that `conflicts.repeated_rows` adds.
POSITION, CONFLICT, LEAK = "__position", "__conflict", "__leak"

#: Kinds of emitted rows and of state.
ROWS, COUNTS = 0, 1
#: Second keys of the state.
_NUMBERS, _DIGEST = 0, 1
_WHAT = "__what"


def fold_text(text: str) -> str:
    r"""Write a text so that what people read as the same is the same.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        In Unicode's form NFKC, without upper case; any blanks between words are one space.

    Examples
    --------
    >>> fold_text("  The\tＣＡＦÉ ")
    'the café'

    References
    ----------
    Unicode Standard, section 3.13, and Annex 15 (normalization forms).
    """
    if text.isascii():
        return " ".join(text.lower().split())
    folded = text
    for _ in range(
        4
    ):  # a form that is folded may take another step; two are the most that is known
        before = folded
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", folded).casefold())
        if folded == before:
            break
    return " ".join(folded.split())


def content_hash(pieces: Sequence[bytes | None]) -> bytes:
    """Hash the values of a content, 128 bits.

    Parameters
    ----------
    pieces : sequence of bytes or None
        A value of each content column.

    Returns
    -------
    bytes, length 16
        The first half of the SHA-256 value of all pieces, each preceded by its length; null has
        none. Two different contents of 10 billion have the same hash with a chance of 2e-19.
    """
    return hashlib.sha256(_joined(pieces)).digest()[:16]


def _joined(pieces: Iterable[bytes | None]) -> bytes:
    """Join values so that no two different sequences look alike."""
    return b"".join([b"-:" if p is None else b"%d:%b" % (len(p), p) for p in pieces])


def values_as_bytes(array: pa.Array, *, fold: bool) -> list[bytes | None]:
    """Write the values of a column as bytes; equal values as equal bytes.

    Parameters
    ----------
    array : pyarrow.Array
        Of a type that `sparkclean.examples.conflicts.content_findings` admits.
    fold : bool
        Whether texts are folded (`fold_text`).

    Returns
    -------
    list of bytes or None
        None where the value is null. Both zeros are one number, and all NaN are one.
    """
    kind = array.type
    if pa.types.is_dictionary(kind):
        return values_as_bytes(array.dictionary_decode(), fold=fold)
    if _is_text(kind):
        write = (lambda text: fold_text(text).encode()) if fold else str.encode
        return [None if text is None else write(text) for text in array.to_pylist()]
    if pa.types.is_floating(kind):
        return _where_valid(array, _floats(array))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _lists(array, fold=fold)
    if pa.types.is_struct(kind):
        parts = [values_as_bytes(array.field(i), fold=fold) for i in range(kind.num_fields)]
        rows = zip(*parts, strict=True) if parts else iter([()] * len(array))
        return _where_valid(array, [_joined(row) for row in rows])
    if pa.types.is_timestamp(kind):
        array = array.cast(pa.timestamp("us", kind.tz)).cast(pa.int64())
    return [_plain(value) for value in array.to_pylist()]


def _plain(value: Any) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    return str(value).encode()


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view()
    )


def _floats(array: pa.Array) -> list[bytes]:
    values = array.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False) + 0.0
    values[np.isnan(values)] = np.nan
    data = values.astype("<f8").tobytes()
    return [data[i : i + 8] for i in range(0, len(data), 8)]


def _lists(array: pa.Array, *, fold: bool) -> list[bytes | None]:
    inner = values_as_bytes(array.flatten(), fold=fold)  # without what stands behind nulls
    lengths = [0 if n is None else n for n in array.value_lengths().to_pylist()]
    ends = np.cumsum(lengths)
    rows = [_joined(inner[end - n : end]) for n, end in zip(lengths, ends, strict=True)]
    return _where_valid(array, rows)


def _where_valid(array: pa.Array, rows: Sequence[bytes]) -> list[bytes | None]:
    valid = array.is_valid().to_pylist()
    return [row if there else None for row, there in zip(rows, valid, strict=True)]


def has_content(column: pa.Array, pieces: Sequence[bytes | None]) -> list[bool]:
    """Tell which values say anything: a null does not, nor a text of blanks."""
    if not _is_text(column.type):
        return [piece is not None for piece in pieces]
    return [piece is not None and bool(piece.decode().strip()) for piece in pieces]


@dataclass(frozen=True)
class HashContents:
    """Hashes the content of each row; emits what is needed further on, a few bytes a row.

    Attributes
    ----------
    id_types : tuple of str
        Spark types of the record id columns.
    label_type : str
    num_columns : int
        Content columns.
    fold : bool
        Whether texts are folded.

    Notes
    -----
    Its state is keyed by the table (`PART`): rows, rows with a label, rows with a content. Rows
    without a content are counted and not emitted.
    """

    id_types: tuple[str, ...]
    label_type: str
    num_columns: int
    fold: bool
    keys: ClassVar[tuple[str, str]] = (PART, _WHAT)
    kinds: ClassVar[tuple[int, ...]] = (ROWS,)
    state_kinds: ClassVar[tuple[int, ...]] = (COUNTS,)

    @property
    def fields(self) -> Fields:
        """Columns of the output."""
        hashes = tuple((name, "bigint") for name in HASH)
        own = (*id_fields(self.id_types), (LABEL, self.label_type), (PLACE, "string"))
        return (*state_fields(self.keys), *own, *hashes)

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield a batch for each batch, and the state last."""
        totals: dict[int, list[int]] = {}
        for batch in batches:
            there, hashes = self._hash(batch)
            parts = batch.column(PART).to_numpy(zero_copy_only=False)
            labelled = batch.column(LABEL).is_valid().to_numpy(zero_copy_only=False)
            for part in np.unique(parts).tolist():
                of = parts == part
                found = [int(of.sum()), int((of & labelled).sum()), int((of & there).sum())]
                before = totals.get(part, [0, 0, 0])
                totals[part] = [a + b for a, b in zip(before, found, strict=True)]
            kept = pa.array(np.flatnonzero(there))
            own = {name: batch.column(name).take(kept) for name in self._copied()}
            columns: Emitted = {KIND: ROWS, _WHAT: pa.array(np.zeros(len(kept), np.int32)), **own}
            halves = np.frombuffer(b"".join(hashes), ">i8").astype(np.int64).reshape(-1, 2)
            columns |= {name: halves[:, i] for i, name in enumerate(HASH)}
            if len(kept):
                yield to_batch(columns, self.fields)
        if totals:
            state = {
                KIND: COUNTS,
                PART: list(totals),
                _WHAT: [_NUMBERS] * len(totals),
                STATE: list(totals.values()),
            }
            yield to_batch(state, self.fields)

    def _hash(self, batch: pa.RecordBatch) -> tuple[Any, list[bytes]]:
        """Tell which rows have a content, and hash those."""
        names = [f"{CONTENT_PREFIX}{i}" for i in range(self.num_columns)]
        columns = [batch.column(name) for name in names]
        pieces = [values_as_bytes(column, fold=self.fold) for column in columns]
        said = [has_content(c, p) for c, p in zip(columns, pieces, strict=True)]
        there = np.any(np.array(said, np.bool_).reshape(len(said), -1), axis=0)
        rows = zip(*pieces, strict=True)
        said_rows = zip(rows, there, strict=True)
        return there, [content_hash(row) for row, is_there in said_rows if is_there]

    def _copied(self) -> list[str]:
        ids = [f"{ID_PREFIX}{i}" for i in range(len(self.id_types))]
        return [*ids, LABEL, PLACE, PART]


@dataclass(frozen=True)
class KeepFindings:
    """Keeps rows whose content conflicts or leaks, and counts; all rows that come are duplicates.

    Attributes
    ----------
    id_types : tuple of str
    label_type : str

    Notes
    -----
    Its state: rows and contents that stand several times, then those that conflict, then those that
    leak; beside it the sum of the hashes of all rows that are kept, in limbs of 32 bits.
    """

    id_types: tuple[str, ...]
    label_type: str
    keys: ClassVar[tuple[str, str]] = (PART, _WHAT)
    kinds: ClassVar[tuple[int, ...]] = (ROWS,)
    state_kinds: ClassVar[tuple[int, ...]] = (COUNTS,)

    @property
    def fields(self) -> Fields:
        """Columns of the output."""
        hashes = tuple((name, "bigint") for name in HASH)
        own = (*id_fields(self.id_types), (LABEL, self.label_type), (PLACE, "string"))
        marks = ((POSITION, "int"), (CONFLICT, "boolean"), (LEAK, "boolean"))
        return (*state_fields(self.keys), *own, *hashes, *marks)

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the rows to keep, and the state last."""
        numbers, digest = np.zeros(6, np.int64), np.zeros(8, np.int64)
        for batch in batches:
            first = batch.column(POSITION).to_numpy(zero_copy_only=False) == 1
            marks = [
                batch.column(name).fill_null(False).to_numpy(zero_copy_only=False)
                for name in (CONFLICT, LEAK)
            ]
            given = batch.column(PART).to_numpy(zero_copy_only=False) == GIVEN
            every = np.ones(len(first), np.bool_)
            # a row without a split is in no place; its content may leak all the same
            placed = batch.column(PLACE).is_valid().to_numpy(zero_copy_only=False)
            found = ((every, every), (marks[0] & given,) * 2, (marks[1] & placed, marks[1]))
            for i, (rows, contents) in enumerate(found):
                numbers[2 * i : 2 * i + 2] += rows.sum(), (contents & first).sum()
            kept = batch.filter(pa.array(marks[0] | marks[1]))
            if kept.num_rows:
                digest += split_hash_limbs(sum_hashes(_texts(kept, len(self.id_types))))
                names = [name for name, _ in self.fields if name in kept.schema.names]
                what = pa.array(np.zeros(kept.num_rows, np.int32))
                columns = {name: kept.column(name) for name in names if name not in (KIND, _WHAT)}
                yield to_batch({KIND: ROWS, _WHAT: what, **columns}, self.fields)
        if numbers.any():
            state = {
                KIND: COUNTS,
                PART: [0, 0],
                _WHAT: [_NUMBERS, _DIGEST],
                STATE: [numbers.tolist(), digest.tolist()],
            }
            yield to_batch(state, self.fields)


def _texts(rows: pa.RecordBatch, num_ids: int) -> list[str]:
    """Write kept rows so that no two different ones look alike."""
    names = [*HASH, *(f"{ID_PREFIX}{i}" for i in range(num_ids)), LABEL, PLACE, PART]
    columns = [rows.column(name).to_pylist() for name in names]
    return ["".join(_marked(value) for value in row) for row in zip(*columns, strict=True)]


def _marked(value: object) -> str:
    """Write a value behind its type and length."""
    text = f"{type(value).__name__[0]}{value}"
    return f"{len(text)}:{text}"
