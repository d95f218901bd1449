"""What `sparkclean init` makes of a table's columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkclean.commands.guess import Guess, guess_columns
from sparkclean.errors import InputError

PROBS = pa.array([[0.5, 0.5], [0.1, 0.9]])
VECTOR = pa.struct(
    [
        ("type", pa.int8()),
        ("size", pa.int32()),
        ("indices", pa.list_(pa.int32())),
        ("values", pa.list_(pa.float64())),
    ]
)
PAIR = pa.struct([("label", pa.string()), ("probability", pa.float64())])


def guess(folder: Path, **columns: Any) -> Guess:
    pq.write_table(pa.table(columns), folder / "part.parquet")
    return guess_columns(str(folder))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("id", [1, 2]),
        ("ID", [1, 2]),
        ("record_id", ["a", "b"]),
        ("user_id", [1, 2]),
        ("uuid", ["a", "b"]),
    ],
)
def test_guess_record_id_by_name_and_type(tmp_path: Path, name: str, values: list[Any]) -> None:
    found = guess(tmp_path, other=[7, 8], **{name: values}, label=[0, 1], pred_probs=PROBS)
    assert found.id == name
    assert found.comments == {}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("label", [0, 1]),
        ("given_label", [0, 1]),
        ("target", [True, False]),
        ("Class", [0, 1]),
        ("y", [0, 1]),
        ("noisy_label", [0, 1]),
    ],
)
def test_guess_label_by_name_and_type(tmp_path: Path, name: str, values: list[Any]) -> None:
    found = guess(tmp_path, id=[1, 2], label_score=[0.5, 0.5], **{name: values}, pred_probs=PROBS)
    assert found.label == name
    assert found.classes is None


@pytest.mark.parametrize(
    "values",
    [
        PROBS,
        pa.array(PROBS, pa.list_(pa.float32())),
        pa.array(PROBS, pa.large_list(pa.float64())),
        pa.array(PROBS, pa.list_(pa.float64(), 2)),
        pa.array(PROBS.to_pylist(), pa.list_view(pa.float64())),
        pa.FixedShapeTensorArray.from_numpy_ndarray(np.array(PROBS.to_pylist())),
        pa.array([[("a", 0.5)], [("b", 0.5)]], pa.map_(pa.string(), pa.float64())),
        pa.array([[{"label": "a", "probability": 0.5}], []], pa.list_(PAIR)),
        pa.array([{"type": 1, "size": None, "indices": None, "values": [0.5]}] * 2, VECTOR),
    ],
    ids=["float64", "float32", "large", "fixed_size", "view", "tensor", "map", "top_k", "vector"],
)
def test_guess_probabilities_in_every_layout(tmp_path: Path, values: pa.Array) -> None:
    found = guess(tmp_path, id=[1, 2], label=[0, 1], p=values)
    assert found.pred_probs == "p"
    found = guess(tmp_path, id=[1, 2], label=[0, 1], embedding=PROBS, probabilities=values)
    assert found.pred_probs == "probabilities"
    assert found.comments == {}


def test_guess_probabilities_by_type_alone_says_so(tmp_path: Path) -> None:
    found = guess(tmp_path, id=[1, 2], label=[0, 1], embedding=PROBS)
    assert found.pred_probs == "embedding"
    assert found.comments["columns"] == "CHECK: embedding may hold probabilities, by its type alone"


def test_guess_probability_columns_keep_their_order(tmp_path: Path) -> None:
    columns = {f"prob_{k}": [0.5, 0.5] for k in ("z", "a", "m")}
    found = guess(tmp_path, id=[1, 2], label=[0, 1], features=PROBS, **columns)
    assert found.pred_probs == ["prob_z", "prob_a", "prob_m"]
    assert found.comments == {}


def test_guess_numbered_probability_columns_are_counted(tmp_path: Path) -> None:
    columns = {f"p_{k}": [0.1, 0.1] for k in (10, 9, 0, 1)}
    assert guess(tmp_path, id=[1, 2], label=[0, 1], **columns).pred_probs == [
        "p_0",
        "p_1",
        "p_9",
        "p_10",
    ]


def test_guess_classes_are_in_the_order_of_the_columns_named_for_them(tmp_path: Path) -> None:
    columns = {f"prob_{k}": [0.5, 0.5] for k in ("Äpfel", "Zürich", "日本")}
    found = guess(tmp_path, id=[1, 2], label=["Zürich", "日本"], **columns)
    assert found.classes == ["Äpfel", "Zürich", "日本"]
    assert found.comments["classes"].startswith("CHECK: taken from the names")


def test_guess_one_probability_column_is_none(tmp_path: Path) -> None:
    found = guess(tmp_path, id=[1, 2], label=[0, 1], p_value=[0.5, 0.5])
    assert found.pred_probs is None
    assert found.job == "run"
    assert "could not guess pred_probs" in found.comments["columns"]


def test_guess_text_labels_are_listed_and_to_be_checked(tmp_path: Path) -> None:
    labels = ["b", None, "a", "b"]
    found = guess(tmp_path, id=[1, 2, 3, 4], label=labels, pred_probs=pa.array([[0.5, 0.5]] * 4))
    assert found.classes == ["a", "b"]
    assert found.comments["classes"].startswith("CHECK: seen in 4 rows")


def test_guess_categories_and_views_are_text(tmp_path: Path) -> None:
    text = pa.array(["b", "a"])
    for labels in (text.dictionary_encode(), text.cast(pa.string_view())):
        found = guess(tmp_path, id=["x", "y"], label=labels, pred_probs=PROBS)
        assert (found.label, found.classes) == ("label", ["a", "b"])


@pytest.mark.parametrize(
    ("labels", "words"), [(["a", "a"], "only 'a' was seen"), ([None, None], "no label was seen")]
)
def test_guess_too_few_labels_are_left_open(tmp_path: Path, labels: list[Any], words: str) -> None:
    found = guess(tmp_path, id=[1, 2], label=pa.array(labels, pa.string()), pred_probs=PROBS)
    assert found.classes is None
    assert found.comments["classes"].startswith("SET THIS: " + words)


def test_guess_labels_that_are_not_as_many_as_probabilities_are_left_open(tmp_path: Path) -> None:
    probs = pa.array([None, [], [0.2, 0.3, 0.5]])
    found = guess(tmp_path, id=[1, 2, 3], label=["b", "a", "a"], pred_probs=probs)
    assert found.classes is None
    assert found.comments["classes"] == (
        "SET THIS: 2 labels were seen in 3 rows ('a', 'b'), and 3 probabilities a row; list all "
        "labels, in the order of the probabilities"
    )


@pytest.mark.parametrize("row", [[0.5, 0.2], [-0.5, 1.5], [3.0, 4.0], [float("nan"), 0.5]])
def test_guess_numbers_that_are_no_probabilities_are_none(tmp_path: Path, row: list[float]) -> None:
    found = guess(tmp_path, id=[1, 2], label=[0, 1], embedding=pa.array([[0.5, 0.5], row]))
    assert found.pred_probs is None
    assert found.job == "run"
    assert "could not guess pred_probs" in found.comments["columns"]


def test_guess_looks_at_a_file_that_has_rows(tmp_path: Path) -> None:
    table = pa.table({"id": [1], "label": [0], "pred_probs": [[0.5]]})
    nulls = pa.table({"id": pa.nulls(0), "label": pa.nulls(0), "pred_probs": pa.nulls(0)})
    pq.write_table(nulls, tmp_path / "a.parquet")
    pq.write_table(table, tmp_path / "b.parquet")
    assert guess_columns(str(tmp_path)).comments == {}


def test_guess_one_file_is_a_table(tmp_path: Path) -> None:
    guess(tmp_path, id=[1, 2], label=[0, 1], pred_probs=PROBS)
    assert guess_columns(str(tmp_path / "part.parquet")).id == "id"


def test_guess_one_column_has_one_meaning(tmp_path: Path) -> None:
    found = guess(tmp_path, target_id=[1, 2], pred_probs=PROBS)
    assert (found.label, found.id) == ("target_id", None)


def test_guess_table_without_rows_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": pa.array([], pa.int64())}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="empty"):
        guess_columns(str(tmp_path))
