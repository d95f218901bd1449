"""Which labels the numbers of a prediction are of."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DoubleType,
    IntegerType,
    LongType,
    MapType,
    StringType,
    StructType,
)

from sparkclean.errors import InputError
from sparkclean.jobs.consensus.predictions import Model, _key_findings, check_positions

PAIRS = ArrayType(StructType().add("label", StringType()).add("probability", DoubleType()))


def model(layout: str = "array", labels: tuple[Any, ...] | None = None) -> Model:
    return Model("p", SimpleNamespace(), ("id",), "pred_probs", layout, labels, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "label", "is_wrong"),
    [
        (MapType(StringType(), DoubleType()), IntegerType(), True),
        (MapType(StringType(), DoubleType()), BooleanType(), True),
        (MapType(IntegerType(), DoubleType()), StringType(), True),
        (MapType(IntegerType(), DoubleType()), BooleanType(), True),
        (PAIRS, LongType(), True),
        (PAIRS, StringType(), False),
        (MapType(IntegerType(), DoubleType()), LongType(), False),
        (MapType(BooleanType(), DoubleType()), BooleanType(), False),
        (ArrayType(DoubleType()), StringType(), False),
    ],
)
def test_labels_beside_probabilities_have_the_type_of_labels(
    kind: DataType, label: DataType, is_wrong: bool
) -> None:
    columns = SimpleNamespace(label="label", label_type=label)
    findings = _key_findings("p", "pred_probs", kind, columns)  # type: ignore[arg-type]
    assert bool(findings) == is_wrong
    assert all(text.endswith("give both one type") for text in findings)


def test_numbers_without_labels_are_of_labels_from_0() -> None:
    check_positions([model()], [(0, 1, 2)], [0, 2])
    check_positions([model(labels=(1, 2, 3))], [(1, 2, 3)], [1, 2, 3, 4])
    check_positions([model("map")], [(1, 2)], [3])
    with pytest.raises(InputError, match="labels 0 to 2, but annotators gave 3; set classes"):
        check_positions([model()], [(0, 1, 2)], [1, 2, 3])
