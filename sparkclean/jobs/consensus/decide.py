"""Decide on items, and say which ones a person should look at.

Runs on executors: numpy and pyarrow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sparkclean.crowds.agreement import AgreementCounts
from sparkclean.crowds.annotators import CellSums
from sparkclean.crowds.majority import mean_probs
from sparkclean.crowds.votes import Decision, Votes
from sparkclean.jobs.consensus.batches import matrix_batches, state_batch
from sparkclean.jobs.consensus.item_functions import Decider, read_items
from sparkclean.jobs.consensus.row_types import (
    AGREEMENT,
    CELL,
    HASH,
    ITEM_HASH,
    RESULT,
    RESULT_TOTALS,
)
from sparkclean.numbers.fixed_point import to_fixed
from sparkclean.numbers.hashes import mix_bits
from sparkclean.rows.emitted import ANY_KEYS, ID_PREFIX, KIND, id_fields, state_fields, to_batch
from sparkclean.rows.types import Fields, arrow_type

#: Why a person should look at an item, in the order in which reasons are listed.
TIE, LOW_QUALITY, MODEL_DIFFERS, SINGLE = "tie", "low_quality", "model_differs", "single_label"
REASONS = (TIE, LOW_QUALITY, MODEL_DIFFERS, SINGLE)
#: Classes beyond which only the most probable ones are listed, and how many these are.
_ALL_CLASSES, TOP_CLASSES = 10, 5
#: Columns of a result, besides record ids.
RESULT_COLUMNS = (
    "consensus_label",
    "consensus_quality",
    "probabilities",
    "annotations",
    "distinct_labels",
    "agreement",
    "needs_adjudication",
    "adjudication_reasons",
)


def result_fields(id_types: tuple[str, ...], label_type: str) -> Fields:
    """Name the columns that decisions emit."""
    types = (
        label_type,
        "double",
        f"array<struct<label:{label_type},probability:double>>",
        "bigint",
        "bigint",
        "double",
        "boolean",
        "array<string>",
    )
    return (
        *state_fields(ANY_KEYS),
        *id_fields(id_types),
        *zip(RESULT_COLUMNS, types, strict=True),
    )


@dataclass(frozen=True)
class Decide:
    """Decides on items by a fitted method.

    Attributes
    ----------
    decider : Decider
    num_models : int
        P.
    classes : tuple
        The K labels.
    id_types : tuple of str
    label_type : str
        Spark's names.
    adjudicate_below : float
    """

    decider: Decider
    num_models: int
    classes: tuple[Any, ...]
    id_types: tuple[str, ...]
    label_type: str
    adjudicate_below: float
    keys: ClassVar[tuple[str, str]] = ANY_KEYS
    kinds: ClassVar[tuple[int, ...]] = (RESULT, CELL, AGREEMENT)
    state_kinds: ClassVar[tuple[int, ...]] = (RESULT_TOTALS, HASH)

    @property
    def fields(self) -> Fields:
        """Columns of the output."""
        return result_fields(self.id_types, self.label_type)

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield decisions; then confusions and sums of agreement.

        Memory: tables of a batch, the cells of confusions that occur, and for each number of votes
        400 K numbers.
        """
        num_classes = len(self.classes)
        cells, agreement = CellSums(num_classes), AgreementCounts()
        for batch in batches:
            votes, probs = read_items(batch, self.num_models, num_classes)
            hashes = batch.column(ITEM_HASH).to_numpy(False).view(np.uint64)
            for rows, part in votes.parts(num_classes):
                some = None if probs is None else probs[:, rows]
                decision = self.decider.decide(part, some)
                cells.add(part, decision)
                agreement.add(part, num_classes, hashes[rows])
                length = rows.stop - rows.start
                ids = [
                    batch.column(f"{ID_PREFIX}{i}").slice(rows.start, length)
                    for i in range(len(self.id_types))
                ]
                yield from self._results(ids, part, some, decision, hashes[rows])
        cells.compress()
        pairs = cells.keys % (num_classes * num_classes)
        yield from matrix_batches(CELL, cells.annotators, pairs, cells.values, self.fields)
        for size, sums in agreement.sums.items():
            replicates = np.arange(len(sums))
            flat = sums.reshape(len(sums), -1)
            sizes = np.full(len(sums), size)
            yield from matrix_batches(AGREEMENT, sizes, replicates, flat, self.fields)

    def _results(
        self,
        ids: list[pa.Array],
        votes: Votes,
        probs: NDArray[np.float64] | None,
        decision: Decision,
        hashes: NDArray[np.uint64],
    ) -> Iterator[pa.RecordBatch]:
        tally = votes.tally(len(self.classes))
        labels = pa.array(self.classes, arrow_type(self.label_type))
        agreeing = tally[np.arange(len(tally)), decision.labels]
        why = self._reasons(votes, tally, probs, decision)
        needs = why.any(axis=1)
        columns = {
            KIND: RESULT,
            "ids": ids,
            "consensus_label": labels.take(pa.array(decision.labels)),
            "consensus_quality": decision.quality,
            "probabilities": _probabilities(decision.posterior, labels),
            "annotations": votes.sizes,
            "distinct_labels": (tally > 0).sum(axis=1),
            "agreement": agreeing / votes.sizes,
            "needs_adjudication": needs,
            "adjudication_reasons": _texts(why),
        }
        yield to_batch(columns, self.fields)
        totals = [len(tally), int(needs.sum()), *why.sum(axis=0).tolist()]
        yield state_batch(RESULT_TOTALS, [0], [0], [totals], self.fields)
        # counts enter by themselves: of an item its label and its quality
        own = mix_bits(hashes + decision.labels.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
        own = mix_bits(own ^ to_fixed(decision.quality).astype(np.int64).view(np.uint64))
        lanes = []
        for value in (own, mix_bits(own + np.uint64(1))):
            lanes += [
                int((value >> np.uint64(32)).sum()),
                int((value & np.uint64(0xFFFFFFFF)).sum()),
            ]
        yield state_batch(HASH, [0], [0], [lanes], self.fields)

    def _reasons(
        self,
        votes: Votes,
        tally: NDArray[np.int64],
        probs: NDArray[np.float64] | None,
        decision: Decision,
    ) -> NDArray[np.bool_]:
        """Tell which reasons an item has, by column of `REASONS`."""
        highest = tally == tally.max(axis=1, keepdims=True)
        mean = mean_probs(probs)
        differs = np.zeros(len(tally), bool)
        if mean is not None:
            model = mean.argmax(axis=1)
            differs = ~highest[np.arange(len(tally)), model]
        return np.stack(
            [
                highest.sum(axis=1) > 1,
                decision.quality < self.adjudicate_below,
                differs,
                votes.sizes == 1,
            ],
            axis=1,
        )


def _texts(why: NDArray[np.bool_]) -> pa.Array:
    """List the reasons of each item."""
    counts = why.sum(axis=1)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    places = np.nonzero(why)[1]
    texts = pa.array(REASONS).take(pa.array(places))
    return pa.ListArray.from_arrays(pa.array(offsets), texts)


def _probabilities(posterior: NDArray[np.float64], labels: pa.Array) -> pa.Array:
    """List classes with their probabilities, the most probable first; of many classes the top 5."""
    rows, num_classes = posterior.shape
    width = num_classes if num_classes <= _ALL_CLASSES else TOP_CLASSES
    order = np.argsort(-posterior, axis=1, kind="stable")[:, :width]
    values = np.take_along_axis(posterior, order, axis=1)
    entries = pa.StructArray.from_arrays(
        [labels.take(pa.array(order.ravel())), pa.array(values.ravel())], ["label", "probability"]
    )
    offsets = np.arange(rows + 1, dtype=np.int32) * width
    return pa.ListArray.from_arrays(pa.array(offsets), entries)
