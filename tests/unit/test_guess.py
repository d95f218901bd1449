"""What `sparkclean init` makes of a table's columns."""

from __future__ import annotations

import decimal
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkclean.commands.guess import Given, Guess, guess_columns
from sparkclean.commands.table_preview import preview_table
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
    said = "CHECK: embedding may hold probabilities; only its type says so"
    assert found.comments["columns"] == said


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
    assert found.reasons["pred_probs"] == "`sparkclean run` predicts them of the features"


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
    assert found.reasons["pred_probs"] == "`sparkclean run` predicts them of the features"


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


# -- record ids, labels of few values, features ---------------------------------------------------


@pytest.mark.parametrize("name", ["id", "review_id", "PassengerId", "uid", "doc", "Doc-ID"])
def test_guess_record_id_that_stands_twice_is_none(tmp_path: Path, name: str) -> None:
    found = guess(tmp_path, **{name: [1, 1]}, label=[0, 1], pred_probs=PROBS)
    assert found.id is None
    assert found.reasons["id"].startswith(f"{name}: has values twice, or none; row numbers are")


@pytest.mark.parametrize("name", ["run_id", "paid", "grid", "rank", "valid"])
def test_guess_columns_that_are_no_ids_are_none(tmp_path: Path, name: str) -> None:
    found = guess(tmp_path, **{name: [1, 2]}, label=[0, 1], pred_probs=PROBS)
    assert found.id is None


def test_guess_record_id_is_compared_over_all_files(tmp_path: Path) -> None:
    for name, ids in (("a", [1, 2]), ("b", [3, 1])):
        table = pa.table({"id": ids, "label": [0, 1], "pred_probs": PROBS})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    assert guess_columns(str(tmp_path)).id is None


def test_guess_index_of_pandas_is_an_id_and_no_feature(tmp_path: Path) -> None:
    frame = pd.DataFrame({"text": ["a", "b"], "label": [0, 1]}, index=[7, 9])
    frame.rename_axis("passenger").to_parquet(tmp_path / "part.parquet")
    found = guess_columns(str(tmp_path))
    assert (found.id, found.features) == ("passenger", ["text"])
    frame.to_parquet(tmp_path / "part.parquet")
    assert guess_columns(str(tmp_path)).id == "__index_level_0__"


def test_guess_label_of_few_values_is_to_be_checked(tmp_path: Path) -> None:
    columns = {"text": [f"t{i}" for i in range(40)], "mood": ["good", "bad"] * 20}
    found = guess(tmp_path, **columns)
    assert found.label == "mood"
    assert found.open["label"] == ["mood"]
    assert found.comments["columns"].startswith("CHECK: the label may be mood")
    assert (found.job, found.features) == ("run", ["text"])


def test_guess_one_of_two_labels_by_name_is_not_sure(tmp_path: Path) -> None:
    found = guess(tmp_path, id=[1, 2], true_label=[0, 1], noisy_label=[0, 1], pred_probs=PROBS)
    assert found.open["label"] == ["true_label", "noisy_label"]


def test_guess_features_are_numbers_texts_and_lists_but_no_ids(tmp_path: Path) -> None:
    found = guess(
        tmp_path,
        customer_id=[1, 1],
        label=["a", "b"],
        text=["x", "y"],
        price=[decimal.Decimal("1.5"), None],
        new=[True, False],
        vector=[[1.0, 5.0]] * 2,
        day=[date(2026, 1, 1)] * 2,
        run_id=["r", "r"],
        sample_weight=[1.0, 0.5],
    )
    assert found.features == ["text", "price", "new", "vector"]


def test_guess_columns_of_one_prefix_that_sum_to_1_are_probabilities(tmp_path: Path) -> None:
    scores = {"score_cat": [0.1, 0.6], "score_dog": [0.9, 0.4]}
    found = guess(
        tmp_path, id=[1, 2], width_a=[3.0, 4.0], width_b=[1.0, 2.0], **scores, label=["dog", "cat"]
    )
    assert found.pred_probs == ["score_cat", "score_dog"]
    assert found.classes == ["cat", "dog"]
    assert "classes" in found.reasons
    assert "classes" not in found.open


def test_guess_numbers_behind_probabilities_are_classes(tmp_path: Path) -> None:
    columns = {f"p_{k}": [1 / 3, 1 / 3] for k in (3, 1, 2)}
    found = guess(tmp_path, id=[1, 2], stars_label=[3, 1], **columns)
    assert (found.pred_probs, found.classes) == (["p_1", "p_2", "p_3"], [1, 2, 3])


def test_guess_goes_by_what_is_given(tmp_path: Path) -> None:
    columns = {"id": [1, 2], "no": [3, 4], "label": [0, 1], "y": [1, 0], "p": PROBS}
    pq.write_table(pa.table(columns), tmp_path / "part.parquet")
    found = guess_columns(str(tmp_path), given=Given(id="no", label="Y", features=["p"]))
    assert (found.id, found.label, found.job, found.features) == ("no", "y", "run", ["p"])
    with pytest.raises(InputError, match=r"'nope' is .*; did you mean 'no'\? it has: id, no"):
        guess_columns(str(tmp_path), given=Given(label="nope"))


def test_guess_id_of_a_table_without_order_is_to_be_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = {"name": ["a", "a"], "no": [1, 2], "label": [0, 1], "pred_probs": PROBS}
    pq.write_table(pa.table(columns), tmp_path / "part.parquet")
    look = preview_table(str(tmp_path))
    monkeypatch.setattr(look, "keeps_order", False, raising=False)
    monkeypatch.setattr("sparkclean.commands.guess.preview_table", lambda *_: look)
    found = guess_columns("lake.db.table")
    assert found.open["id"] == ["no", "name"]
    assert "could not guess id; the table has name" in found.comments["columns"]
