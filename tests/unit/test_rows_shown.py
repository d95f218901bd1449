"""Rows for people, and as CSV, JSON and Markdown."""

from __future__ import annotations

import csv
import datetime
import io
import json
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from sparkclean.commands.demo import next_commands
from sparkclean.commands.rows_shown import (
    FORMATS,
    as_csv,
    as_json,
    as_markdown,
    leave_out_constants,
    leave_out_repeats,
    rank_first,
    shown_numbers,
)
from sparkclean.commands.show import _for_people, chosen_rows
from sparkclean.errors import ConfigError

SUSPECTS = pa.table(
    {
        "id": [7, 8],
        "given_label": ["cat", "cat"],
        "suggested_label": ["dog", "cow"],
        "label_quality": [1.2e-07, 0.25],
        "rank": [1, 2],
        "reason": ["pruned_from_pair"] * 2,
        "dataset_version": ["files-1"] * 2,
        "config_fingerprint": ["f"] * 2,
        "run_id": ["nightly"] * 2,
    }
)
HOSTILE = 'a,"b"\n\x1b[31m|<script>'


def test_rank_stands_first() -> None:
    assert rank_first(SUSPECTS).column_names[:2] == ["rank", "id"]


def test_table_without_ranks_stays() -> None:
    table = pa.table({"id": [1]})
    assert rank_first(table) is table


def test_what_all_rows_share_is_said_once_and_labels_stay() -> None:
    table, said = leave_out_constants(SUSPECTS)
    assert table.column_names == ["id", "given_label", "suggested_label", "label_quality", "rank"]
    assert said == (
        "in all rows shown: reason pruned_from_pair; dataset_version files-1; "
        "config_fingerprint f; run_id nightly"
    )


def test_of_a_single_row_only_where_it_comes_from_is_left_out() -> None:
    table, _ = leave_out_constants(SUSPECTS.slice(0, 1))
    assert table.column_names == SUSPECTS.column_names[:6]


def test_measured_numbers_stay_though_they_are_the_same() -> None:
    table = SUSPECTS.append_column("self_confidence", pa.array([0.0, 0.0]))
    assert "self_confidence" in leave_out_constants(table)[0].column_names


def test_columns_that_were_asked_for_stay() -> None:
    table = SUSPECTS.append_column("split", pa.array(["train"] * 2))
    assert "split" in leave_out_constants(table, ["split"])[0].column_names
    assert "split" not in leave_out_constants(table)[0].column_names


def test_number_that_another_column_repeats_is_said_once() -> None:
    table = SUSPECTS.append_column("self_confidence", pa.array([1.2e-07, 0.25]))
    table = table.append_column("split", pa.array([7, 8]))
    shown, said = leave_out_repeats(table)
    assert shown.column_names == [n for n in table.column_names if n != "self_confidence"]
    assert said == "equal columns: self_confidence = label_quality"
    assert leave_out_repeats(table, ["self_confidence"]) == (table, "")


@pytest.mark.parametrize("rows", [1, 2])
def test_column_without_a_value_goes_silently(rows: int) -> None:
    table = SUSPECTS.slice(0, rows).append_column("reviewed", pa.nulls(rows, pa.bool_()))
    shown, said = leave_out_constants(table)
    assert "reviewed" not in shown.column_names
    assert "reviewed" not in said


def test_numbers_that_differ_somewhere_stay_and_so_do_those_of_one_row() -> None:
    table = SUSPECTS.append_column("self_confidence", pa.array([1.2e-07, 0.5]))
    assert leave_out_repeats(table) == (table, "")
    assert leave_out_repeats(table.slice(0, 1)) == (table.slice(0, 1), "")


def test_index_of_a_class_that_is_its_number_is_said_once() -> None:
    table = pa.table({"class": [0, 1], "class_index": [0, 1], "run_id": ["r"] * 2})
    shown, said = leave_out_repeats(table)
    assert shown.column_names == ["class", "run_id"]
    assert said == "equal columns: class_index = class"


def test_people_see_neither_constants_nor_repeats() -> None:
    table = SUSPECTS.append_column("self_confidence", pa.array([1.2e-07, 0.25]))
    shown, constants, repeats = _for_people(table, ())
    assert shown.column_names == ["id", "given_label", "suggested_label", "label_quality", "rank"]
    assert constants.startswith("in all rows shown: reason pruned_from_pair; ")
    assert repeats == "equal columns: self_confidence = label_quality"


def test_rows_of_a_dataset_are_whole() -> None:
    table = pa.table({"id": [1, 2], "split": ["train", "train"]})
    assert leave_out_constants(table) == (table, "")


def test_no_rows_share_nothing() -> None:
    assert leave_out_constants(SUSPECTS.slice(0, 0))[1] == ""


def test_numbers_have_the_digits_that_tell_them_apart() -> None:
    assert shown_numbers([1.2e-07, 0.0, None, 0.25]) == ["1.2e-07", "0", None, "0.25"]
    assert shown_numbers([0.12345678, 0.12345679]) == ["0.12345678", "0.12345679"]
    assert shown_numbers([0.5, 0.5]) == ["0.5", "0.5"]
    assert shown_numbers([]) == []


def test_number_just_below_one_is_not_shown_as_one() -> None:
    assert shown_numbers([0.99999999]) == ["0.99999999"]
    assert shown_numbers([1.0]) == ["1"]


def test_number_that_is_none_is_shown() -> None:
    assert shown_numbers([float("nan"), float("inf"), 0.5]) == ["nan", "inf", "0.5"]


def test_csv_is_read_back_with_all_digits() -> None:
    table = pa.table({"text": ["a,b", None], "p": [0.1 + 0.2, 1.0], "list": [[1, 2], None]})
    head, *rows = csv.reader(io.StringIO(as_csv(table)))
    assert head == ["text", "p", "list"]
    assert rows == [["a,b", "0.30000000000000004", "[1, 2]"], ["", "1.0", ""]]


def test_json_is_read_back_with_all_digits() -> None:
    moment = datetime.datetime(2026, 11, 30, tzinfo=datetime.timezone.utc)
    table = pa.table(
        {"p": [0.1 + 0.2, None], "at": [moment, None], "n": [float("nan"), 1.0], "b": [b"x", b""]}
    )
    assert json.loads(as_json(table)) == [
        {"p": 0.1 + 0.2, "at": "2026-11-30T00:00:00+00:00", "n": "nan", "b": "eA=="},
        {"p": None, "at": None, "n": 1.0, "b": ""},
    ]
    assert json.loads(as_json(table.slice(0, 0))) == []


def test_markdown_has_a_line_a_row() -> None:
    lines = as_markdown(pa.table({"id": [1, 2], "text": ["x", "a|b"]})).splitlines()
    assert lines == ["| id | text |", "| ---: | --- |", "| 1 | x |", "| 2 | a\\|b |"]


@pytest.mark.parametrize("name", list(FORMATS))
def test_hostile_texts_neither_move_the_cursor_nor_add_lines(name: str) -> None:
    text = FORMATS[name](pa.table({HOSTILE: [HOSTILE, HOSTILE]}))
    assert "\x1b" not in text
    assert len(text.splitlines()) == {"csv": 3, "json": 2, "markdown": 4}[name]
    assert name != "markdown" or "<script>" not in text


COLUMNS = ("id", "given_label", "suggested_label")


def test_class_and_pair_choose_rows() -> None:
    assert chosen_rows(None, None, COLUMNS) is None
    assert chosen_rows("cat", None, COLUMNS) == {"given_label": "cat"}
    pair = {"given_label": "cat", "suggested_label": "dog"}
    assert chosen_rows(None, "cat,dog", COLUMNS) == pair
    assert chosen_rows("cat", "cat, dog", COLUMNS) == pair


def test_class_and_pair_of_other_outputs_are_their_own_columns() -> None:
    assert chosen_rows("cat", None, ("class", "threshold")) == {"class": "cat"}
    names = ("given_label", "true_label")
    assert chosen_rows(None, "a,b", names) == {"given_label": "a", "true_label": "b"}


def test_pair_of_labels_with_commas_is_quoted() -> None:
    chosen = chosen_rows(None, '"cat, wild",dog', COLUMNS)
    assert chosen == {"given_label": "cat, wild", "suggested_label": "dog"}


@pytest.mark.parametrize(
    ("given", "pair", "columns", "words"),
    [
        (None, "cat", COLUMNS, "--pair: 'cat' is not two labels; write them with a comma"),
        (None, "", COLUMNS, "--pair: '' is not two labels"),
        ("x", None, ("a", "b"), "--class: this output has no column given_label or class"),
        ("x", "a,b", COLUMNS, "--class x: rows of --pair a,b have another given label"),
    ],
)
def test_class_or_pair_that_cannot_be_is_an_error(
    given: str | None, pair: str | None, columns: tuple[str, ...], words: str
) -> None:
    with pytest.raises(ConfigError, match=words.replace("(", r"\(")):
        chosen_rows(given, pair, columns)


# -- the demo ------------------------------------------------------------------------------------


def test_demo_ends_with_commands_that_run_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(sys.executable).parents[2])
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    shown, listed = next_commands("out/demo/suspects", None)
    command = f"{Path(sys.executable).parents[1].name}/bin/sparkclean"
    assert shown == f"{command} show out/demo/suspects -n 20 --with image"
    assert listed == f"{command} versions out/demo/cleaned"


def test_demo_in_an_activated_environment_names_the_command_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sparkclean").touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    shown, _ = next_commands("lake.demo.suspects", "conf/x.conf")
    assert shown == (
        "sparkclean show lake.demo.suspects -n 20 --with image --properties-file conf/x.conf"
    )
