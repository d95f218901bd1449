"""Rows of pandas and Arrow, without Spark: what is sent, and how results find their rows."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkclean.errors import InputError
from sparkclean.examples import given_rows
from sparkclean.examples.class_order import (
    names_in_data,
    note_of,
    noted_classes,
    noted_columns,
    notes_of_data,
)
from sparkclean.examples.given import check_given, default_id, open_given
from sparkclean.examples.given_rows import GivenRows, is_pandas
from sparkclean.examples.predictions import notes_of_version, properties_of_prediction
from sparkclean.rows import local_rows
from sparkclean.rows.columns import find_names
from sparkclean.rows.local_rows import sendable, unpack

KEYS = "columns.id and columns.label"


class Rows:
    """What a job would give, for `toPandas`."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self.rows = rows

    def toPandas(self) -> pd.DataFrame:
        return self.rows


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[pa.Table]:
    """Tables that would go to Spark."""
    tables: list[pa.Table] = []
    monkeypatch.setattr(given_rows, "find_or_start_session", lambda _: (None, False))
    monkeypatch.setattr(given_rows, "local_frame", lambda _, table: tables.append(table))
    return tables


def frame(**columns: Any) -> pd.DataFrame:
    base = {"text": ["a", "b", "c"], "label": ["x", "y", "x"]}
    return pd.DataFrame(base | columns, index=["r0", "r1", "r2"])


def send(data: Any, *needed: str, ids: Any = None, every: bool = False) -> GivenRows:
    given, _ = open_given(data, id=ids, needed=None if every else needed, keys=KEYS)
    return cast(GivenRows, given)


# -- what is sent --------------------------------------------------------------------------------


def test_send_without_id_sends_row_numbers_and_what_is_needed(sent: list[pa.Table]) -> None:
    given = send(frame(), "label")
    assert given.ids == ("row",)
    assert sent[0].to_pydict() == {"label": ["x", "y", "x"], "row": [0, 1, 2]}
    assert given.columns == ["text", "label"]


def test_send_row_number_gets_another_name_where_there_is_one(sent: list[pa.Table]) -> None:
    assert send(frame(row=[3, 4, 5]), "label").ids == ("row_",)


def test_send_takes_levels_of_an_index_as_ids(sent: list[pa.Table]) -> None:
    data = frame().rename_axis("uid")
    given = send(data, "label", ids="uid")
    assert sent[0].to_pydict() == {"uid": ["r0", "r1", "r2"], "label": ["x", "y", "x"]}
    assert given.places({"uid": ["r2", "r0"]}).tolist() == [2, 0]


def test_send_finds_rows_by_several_ids(sent: list[pa.Table]) -> None:
    given = send(frame(shard=[1, 1, 2], n=[1, 2, 1]), "label", ids=["shard", "n"])
    assert given.places({"shard": [2, 1], "n": [1, 2]}).tolist() == [2, 1]


def test_send_arrow_table_and_categories(sent: list[pa.Table]) -> None:
    send(pa.table({"label": pa.array(["x", "y"]).dictionary_encode()}), "label")
    send(frame(label=pd.Categorical(["x", "y", "x"])), "label")
    assert [table.schema.field("label").type for table in sent] == [pa.string()] * 2


def test_send_lists_of_numpy(sent: list[pa.Table]) -> None:
    send(frame(probs=[np.array([0.25, 0.75], np.float32)] * 3), "probs")
    assert sent[0].schema.field("probs").type == pa.list_(pa.float32())


def test_send_missing_column_names_it_and_a_near_one(sent: list[pa.Table]) -> None:
    with pytest.raises(InputError, match="'lable' is not in the table; did you mean 'label'"):
        send(frame(), "lable")


def test_send_column_that_spark_does_not_take_names_it(sent: list[pa.Table]) -> None:
    with pytest.raises(InputError, match="column 'odd' cannot be sent to Spark"):
        send(frame(odd=[1, "a", 2.5]), "odd")
    # of all columns those are sent that can be
    send(frame(odd=[1, "a", 2.5]), every=True)
    assert sent[0].column_names == ["text", "label", "row"]


def test_send_too_much_says_how_much_and_what_to_do(
    sent: list[pa.Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given_rows, "MOST_BYTES", 1 << 20)
    with pytest.raises(InputError, match=r"big hold 15 MiB; at most 1 MiB.*to_parquet"):
        send(pa.table({"big": np.zeros(1_000_000)}), "big")
    assert not sent


def test_check_given_of_something_else_names_what_is_taken() -> None:
    with pytest.raises(InputError, match=r"numpy\.ndarray.*find_label_issues"):
        check_given(np.zeros(3))


def test_default_id_is_the_row_number_of_local_rows_alone() -> None:
    assert default_id(frame()) == default_id(pa.table({})) == "row number"
    assert default_id("data/reviews") == "id"
    assert not is_pandas(pa.table({}))


@pytest.mark.parametrize(
    ("values", "kind", "name"),
    [
        (pa.array([1], pa.timestamp("ns")), pa.timestamp("us"), "timestamp_ntz"),
        (pa.array([1], pa.timestamp("s", "CET")), pa.timestamp("us", "UTC"), "timestamp"),
        (pa.array([1], pa.date32()), pa.date32(), "date"),
        (pa.array([1], pa.uint8()), pa.int16(), "smallint"),
        (pa.array([1]).cast(pa.decimal128(21, 2)), pa.decimal128(21, 2), "decimal(21,2)"),
    ],
)
def test_sendable_types_have_a_name_in_spark(
    values: pa.Array, kind: pa.DataType, name: str
) -> None:
    assert sendable(values).type == kind
    assert local_rows._type_name(kind) == name


def test_pieces_hold_all_rows_in_their_order() -> None:
    table = pa.table({"a": range(10)})
    pieces = [local_rows._pack(table.slice(i, 4)) for i in range(0, 10, 4)]
    batches = [pa.record_batch([pa.array(pieces[:2])], ["piece"])]
    batches.append(pa.record_batch([pa.array(pieces[2:])], ["piece"]))
    assert pa.Table.from_batches(unpack(batches)).equals(table)


# -- what is given back --------------------------------------------------------------------------


def test_give_puts_the_index_of_the_examples(sent: list[pa.Table]) -> None:
    given = send(frame(), "label")
    found = given.give(cast(Any, Rows(pd.DataFrame({"row": [2, 0], "rank": [1, 2]}))))
    assert found.index.tolist() == ["r2", "r0"]
    classes = given.give(cast(Any, Rows(pd.DataFrame({"class": ["x"]}))))
    assert classes.index.tolist() == [0]


def test_give_top_adds_own_columns_and_renames_those_of_the_same_name(
    sent: list[pa.Table],
) -> None:
    given = send(frame(rank=[7, 8, 9]), "label")
    kind = cast(Any, SimpleNamespace(names=["rank", "row"]))
    rows = cast(Any, [(1, 2), (2, 0)])
    top = given.give_top(rows, kind, ["text", "rank"])
    assert top.to_dict("list") == {
        "rank": [1, 2], "row": [2, 0], "text": ["c", "a"], "rank_of_example": [9, 7],
    }  # fmt: skip
    assert top.index.tolist() == ["r2", "r0"]
    with pytest.raises(InputError, match="'txt' is not in the table; did you mean 'text'"):
        given.give_top(rows, kind, ["txt"])


def test_give_changed_keeps_order_index_types_and_what_was_given(sent: list[pa.Table]) -> None:
    data = frame(label=pd.Categorical(["x", "y", "x"]))
    given = send(data, "label")
    changed = Rows(pd.DataFrame({"row": [2, 0], "label": ["y", "x"], "label_original": ["x", "x"]}))
    result = given.give_changed(cast(Any, changed), ["label"])
    assert result.to_dict("list") == {
        "text": ["a", "c"], "label": ["x", "y"], "label_original": ["x", "x"],
    }  # fmt: skip
    assert result.index.tolist() == ["r0", "r2"]
    assert result["label"].dtype == data["label"].dtype
    assert data["label"].tolist() == ["x", "y", "x"]


def test_give_changed_with_a_label_that_is_no_category_keeps_the_label(
    sent: list[pa.Table],
) -> None:
    given = send(frame(label=pd.Categorical(["x", "y", "x"])), "label")
    changed = Rows(pd.DataFrame({"row": [0, 1, 2], "label": ["x", "new", "x"]}))
    result = given.give_changed(cast(Any, changed), ["label"])
    assert result["label"].tolist() == ["x", "new", "x"]


def test_join_puts_predictions_beside_their_rows(sent: list[pa.Table], tmp_path: Path) -> None:
    table = pa.table(
        {"id0": [2, 0, 1], "p": [[0.0, 1.0], [0.25, 0.75], [0.5, 0.5]], "f": [1, 0, 1]}
    )
    pq.write_table(table, tmp_path / "a.parquet")
    data = frame()
    given = send(data, "label")
    rows = cast(Any, SimpleNamespace(folder=tmp_path))
    notes = note_of(["x", "y"], "label")
    result = given.join(rows, ["id0"], [("p", "pred_probs"), ("f", "fold")], notes)
    assert np.stack(result["pred_probs"]).tolist() == [[0.25, 0.75], [0.5, 0.5], [0.0, 1.0]]
    assert result["fold"].tolist() == [0, 1, 1]
    assert result.index.tolist() == ["r0", "r1", "r2"]
    assert noted_classes(result.attrs) == ["x", "y"]
    assert noted_columns(result.attrs) == ("label", None)
    assert list(data.columns) == ["text", "label"]
    assert data.attrs == {}


# -- the order of the classes --------------------------------------------------------------------


@pytest.mark.parametrize("classes", [["b", "a"], [3, 1], [False, True], ["ü", 'q"']])
def test_class_order_comes_back_from_attributes_and_arrow(
    sent: list[pa.Table], classes: list[Any]
) -> None:
    data = frame()
    data.attrs = note_of(classes)
    assert noted_classes(send(data, "label").notes_of("label")) == classes
    field = pa.field("probs", pa.float64(), metadata=note_of(classes))
    table = pa.table({"probs": [0.5]}, schema=pa.schema([field]))
    assert noted_classes(send(table, "probs").notes_of("probs")) == classes
    assert send(table, "probs").notes_of("other") == {}


@pytest.mark.parametrize("note", ["{", '{"a": 1}', 5, None])
def test_class_order_of_somebody_else_is_none(note: Any) -> None:
    assert noted_classes({"sparkclean.classes": note}) is None


def test_label_and_ids_come_back_from_attributes_and_arrow() -> None:
    note = note_of(["a", "b"], "species", ["site", "n"])
    data = frame()
    data.attrs = dict(note)
    field = pa.field("Probs", pa.float64(), metadata=note)
    table = pa.table({"Probs": [0.5]}, schema=pa.schema([field]))
    for given in (data, table):
        assert noted_columns(notes_of_data(given, "probs")) == ("species", ("site", "n"))
    assert notes_of_data(table, "other") == {}
    assert notes_of_data("a path", "probs") == {}


@pytest.mark.parametrize("note", ["{", "5", "[]", "[1]", None])
def test_columns_that_somebody_else_notes_are_none(note: Any) -> None:
    assert noted_columns({"sparkclean.label": note, "sparkclean.id": note}) == (None, None)


def test_names_in_data_are_those_that_an_id_may_have() -> None:
    assert names_in_data(frame().rename_axis("uid")) == ["text", "label", "uid"]
    assert names_in_data(pa.table({"a": [1]})) == ["a"]
    assert names_in_data(pd.DataFrame({0: [1], "b": [2]})) == ["b"]


def test_notes_of_a_version_are_those_beside_a_column() -> None:
    said = properties_of_prediction(["a", "b"], "species", ["id"])
    notes = notes_of_version(cast(Any, SimpleNamespace(properties=said)))
    assert notes == note_of(["a", "b"], "species", ["id"])
    before = notes_of_version(cast(Any, SimpleNamespace(properties={"classes": "[0, 1]"})))
    assert (noted_classes(before), noted_columns(before)) == ([0, 1], (None, None))
    assert notes_of_version(None) == {}


@pytest.mark.parametrize(
    ("keys", "listed", "key"),
    [
        ({"lable": "columns.label"}, "of a fitting type: text, label, uid", "columns.label"),
        ({"lable": "columns.id"}, "of a fitting type: uid, text, label", "columns.id"),
        ({"lable": "columns.pred_probs"}, "of a fitting type: p", "columns.pred_probs"),
        ({"lable": "predict.features"}, "it has: text, label, uid, p, t", "predict.features"),
        ("input.where", "it has: text, label, uid, p, t", "input.where"),
    ],
)
def test_missing_column_lists_those_that_may_be_meant(keys: Any, listed: str, key: str) -> None:
    types = {"text": "string", "label": "int", "uid": "bigint", "p": "array<float>", "t": "date"}
    with pytest.raises(InputError) as refused:
        find_names(list(types), ["lable"], keys, exact=True, types=types)
    (text,) = refused.value.findings
    assert text.startswith("column 'lable' is not in the table; did you mean 'label'? ")
    assert text.endswith(f"{listed}. Set {key}")
