"""What tasks of any detector say of the suspects that they have found: counts, qualities, hashes.

Runs on executors: numpy and pyarrow only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sparkclean.examples.counts import count_codes, state_of
from sparkclean.examples.ranks import quality_bucket
from sparkclean.numbers.result_hash import split_hash_limbs, sum_hashes, suspect_text
from sparkclean.rows.emitted import KIND, STATE, Emitted, id_fields, state_fields
from sparkclean.rows.types import Fields
from sparkclean.schema import LABEL_QUALITY

#: Kinds of what a detector emits. State: suspects by pair of classes, by bucket of their quality
#: (the first key), the sum of their hashes. Rows: suspects.
PAIRS, QUALITY, HASHES, SUSPECT = range(4)


def suspect_fields(id_types: tuple[str, ...], numbers: Sequence[str]) -> Fields:
    """Name the columns of suspects as tasks emit them, with those of the state of `SuspectTotals`.

    Parameters
    ----------
    id_types : tuple of str
        Spark types of the record id columns.
    numbers : sequence of str
        The detector's own columns.

    Returns
    -------
    tuple of (str, str)
        Names and Spark types.
    """
    # given and suggested class key the state, and are columns of each suspect
    kind, *state = state_fields(SuspectTotals.keys)
    own = ((name, "double") for name in (*numbers, LABEL_QUALITY))
    return (kind, *id_fields(id_types), *state, *own)


class SuspectTotals:
    """Counts the suspects of a task by pair of classes and by quality, and hashes them.

    Parameters
    ----------
    num_classes : int
        K.
    reason : str
    """

    keys: ClassVar[tuple[str, str]] = ("given", "suggested")
    state_kinds: ClassVar[tuple[int, ...]] = (PAIRS, QUALITY, HASHES)

    def __init__(self, num_classes: int, reason: str) -> None:
        self._size, self._reason = num_classes, reason
        self._counts: Counter[int] = Counter()
        self._qualities: Counter[int] = Counter()
        self._hashes = 0

    def add(
        self,
        ids: Sequence[pa.Array],
        given: NDArray[np.int64],
        suggested: NDArray[np.int64],
        quality: NDArray[np.float64],
    ) -> None:
        """Add suspects; arrays of one length."""
        count_codes(self._counts, given * self._size + suggested)
        count_codes(self._qualities, quality_bucket(quality))
        self._hashes += sum_hashes(suspect_texts(ids, given, suggested, self._reason))

    def state(self) -> Iterator[Emitted]:
        """Yield columns of state, as `suspects.read_suspects` reads them."""
        if self._counts:
            yield state_of(PAIRS, self._counts, self._size, self.keys)
            yield state_of(QUALITY, self._qualities, 1, self.keys)
        given, suggested = self.keys
        limbs = split_hash_limbs(self._hashes)
        yield {KIND: HASHES, given: [0], suggested: [0], STATE: [limbs]}


def suspect_texts(
    ids: Sequence[pa.Array], given: NDArray[np.int64], suggested: NDArray[np.int64], reason: str
) -> list[str]:
    """Write suspects as `suspect_text` does each of them.

    Parameters
    ----------
    ids : sequence of pyarrow.Array, each of length N
        Columns of the record id: integers or text.
    given, suggested : ndarray of int64, shape (N,)
        Class indices.
    reason : str

    Returns
    -------
    list of str
    """
    size = int(suggested.max(initial=0)) + 1
    pairs = pa.array(given * size + suggested).dictionary_encode()
    ends = [
        suspect_text((), pair // size, pair % size, reason) for pair in pairs.dictionary.to_pylist()
    ]
    parts: list[Any] = []
    for column in ids:
        kind, texts = "i" if pa.types.is_integer(column.type) else "s", column.cast(pa.string())
        lengths = pc.add(pc.binary_length(texts), 1).cast(pa.string())
        parts += [lengths, f":{kind}", texts]
    parts.append(pa.array(ends, pa.string()).take(pairs.indices))
    texts = pc.binary_join_element_wise(*parts, "")
    return list(texts.to_pylist())
