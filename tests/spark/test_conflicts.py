"""Conflicts and leaks through Spark: by brute force, in any order, and what is refused."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

import sparkclean
from sparkclean.errors import InputError
from sparkclean.examples.contents import fold_text

ROWS = 200


def examples() -> list[dict[str, Any]]:
    """Rows of few contents, most of them with one label; a few without label or content."""
    rng = np.random.default_rng(3)
    rows = []
    for i in range(ROWS):
        word = int(rng.integers(0, 90))
        text = f"{'  ' * (i % 2)}Text {word}" if i % 3 else f"text  {word} "
        label = "ab"[word % 2] if rng.random() < 0.9 else "c"
        split = str(rng.choice(["train", "test"], p=[0.8, 0.2]))
        rows.append({"id": i, "label": label, "text": text, "n": word % 7, "split": split})
    rows[5]["label"], rows[6]["text"], rows[7]["split"] = None, " ", None
    return rows


def write(folder: Path, rows: list[dict[str, Any]], files: int = 1, **types: Any) -> Path:
    folder.mkdir(parents=True)
    schema = pa.schema(
        {"id": pa.int64(), "label": pa.string(), "text": pa.string(), "n": pa.int64()}
        | {"split": pa.string()}
        | types
    )
    step = -(-len(rows) // files)
    for i in range(files):
        part = pa.Table.from_pylist(rows[i * step : (i + 1) * step], schema)
        pq.write_table(part, folder / f"part-{i}.parquet")
    return folder


def run(folder: Path, table: Path, *, run_id: str = "r1", **more: Any) -> Any:
    config: dict[str, Any] = {
        "input": {"table": str(table)},
        "conflicts": {"columns": ["text", "n"], "fold": True, "split": "split", "max_ids": 3},
        "output": {name: f"{folder}/out/{name}" for name in ("conflicts", "leaks", "runs")},
    }
    for section, values in more.items():
        config[section] = config.get(section, {}) | values
    return sparkclean.run_job("conflicts", config, run_id=run_id)


def groups_of(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Rows by content, found by comparing folded values."""
    found: dict[tuple, list] = defaultdict(list)
    for row in rows:
        found[(fold_text(row["text"]), row["n"])].append(row)
    return [group for group in found.values() if len(group) > 1]


def test_conflicts_are_those_of_brute_force_whatever_the_order_and_the_files(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = examples()
    result = run(tmp_path, write(tmp_path / "in", rows))
    groups = groups_of(rows)
    conflicts = [g for g in groups if len({r["label"] for r in g} - {None}) > 1]
    leaks = [g for g in groups if len({r["split"] for r in g} - {None}) > 1]
    assert len(conflicts) > 5
    assert len(leaks) > 5
    wanted = {
        "rows": ROWS,
        "rows_without_label": 1,
        "rows_without_content": 0,  # a number is a content
        "duplicate_rows": sum(map(len, groups)),
        "duplicate_contents": len(groups),
        "conflict_rows": sum(map(len, conflicts)),
        "conflicts": len(conflicts),
        "leaks": len(leaks),
    }
    assert {name: result.metrics[name] for name in wanted} == wanted

    found = sparkclean.read(spark, f"{tmp_path}/out/conflicts").collect()
    by_ids = {tuple(row.record_ids): row for row in found}
    assert set(by_ids) == {tuple(str(r["id"]) for r in g)[:3] for g in conflicts}
    for group in conflicts:
        row = by_ids[tuple(str(r["id"]) for r in group)[:3]]
        counts = Counter(r["label"] for r in group if r["label"] is not None)
        ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        assert [tuple(label) for label in row.labels] == ordered
        first, second = (n for _, n in ordered[:2])
        assert row.majority == (ordered[0][0] if first > second else None)
        assert (row.rows, row.suspects, row.audit) == (len(group), None, None)

    found = sparkclean.read(spark, f"{tmp_path}/out/leaks").collect()
    places = {tuple(map(tuple, row.places)): row for row in found}
    assert len(found) == len(leaks)
    for group in leaks:
        counts = Counter(r["split"] for r in group if r["split"] is not None)
        assert tuple(sorted(counts.items())) in places

    shuffled = [rows[i] for i in np.random.default_rng(1).permutation(ROWS)]
    again = run(tmp_path / "b", write(tmp_path / "shuffled", shuffled, files=3))
    hashes = {
        row.result_hash
        for place in (tmp_path, tmp_path / "b")
        for row in sparkclean.read(spark, f"{place}/out/runs").collect()
    }
    assert len(hashes) == 1
    assert again.metrics == result.metrics


def test_conflicts_with_a_test_table_and_an_audit(spark: SparkSession, tmp_path: Path) -> None:
    texts = ["a", "A", "b", "b", "c"]
    rows = [
        {"id": i, "label": "xy"[i % 2], "text": text, "n": 0, "split": None}
        for i, text in enumerate(texts)
    ]
    table = write(tmp_path / "in", rows)
    trusted = write(tmp_path / "trusted", [rows[4] | {"id": 9, "label": "y"}])
    suspects = write_suspects(spark, tmp_path, table)
    given = {"columns": "text", "split": None, "suspects": suspects}
    result = run(tmp_path, table, conflicts=given, train={"test": str(trusted)})
    assert [result.metrics[n] for n in ("conflicts", "leaks", "test_rows")] == [2, 1, 1]
    found = sparkclean.read(spark, f"{tmp_path}/out/conflicts").orderBy("record_ids").collect()
    assert [row.record_ids for row in found] == [["0", "1"], ["2", "3"]]
    assert [row.suspects for row in found] == [1, 0]
    assert [row.asDict() for row in found[0].audit] == [
        {"record_id": "1", "given_label": "y", "suggested_label": "x"}
        | {"label_quality": 0.1, "rank": 1}
    ]
    (leak,) = sparkclean.read(spark, f"{tmp_path}/out/leaks").collect()
    assert [tuple(place) for place in leak.places] == [("input.table", 1), ("train.test", 1)]
    assert [example.record_id for example in leak.examples] == ["4", "9"]
    assert leak.labels_differ is True


def write_suspects(spark: SparkSession, folder: Path, table: Path) -> str:
    """Publish one suspect, the row 1, as an audit does."""
    from sparkclean.lake import open_target

    place = f"{folder}/suspects"
    row = (1, "x", 0.1, 1, "a1")
    frame = spark.createDataFrame(
        [row], "id bigint, suggested_label string, label_quality double, rank bigint, run_id string"
    )
    target = open_target(place)
    staging = target.stage("a1", accumulate=True)
    staging.write_frame(frame)
    properties = {"input_table": str(table), "config_fingerprint": "f", "input": "v"}
    target.publish(
        staging,
        expected_parent=None,
        accumulate=True,
        properties=properties,
        schema=frame.schema.json(),
    )
    return place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("conflicts")
    rows = [
        {"id": i, "label": "x", "text": t, "n": 0, "split": "s"} for i, t in enumerate(("a", "b"))
    ]
    write(folder / "in", rows)
    write(folder / "twice", [rows[0], rows[0]])
    write(folder / "no-id", [rows[0] | {"id": None}])
    write(folder / "blank", [row | {"text": " "} for row in rows])
    write(folder / "unlabelled", [row | {"label": None} for row in rows])
    write(folder / "other-type", [row | {"text": 1} for row in rows], text=pa.int64())
    write(folder / "empty", [])
    return folder


@pytest.mark.parametrize(
    ("table", "more", "says"),
    [
        ("twice", {}, "record id"),
        ("no-id", {}, "1 rows have no record id in 'id'"),
        ("empty", {}, "is empty (0 rows in 1 files)"),
        ("blank", {"columns": "text"}, "all 2 rows of input.table are null or blank in 'text'"),
        ("unlabelled", {}, "all 2 rows of input.table have no label"),
        ("in", {"test": "other-type"}, "train.test: column 'text' is bigint, and string"),
        ("in", {"test": "empty"}, "is empty (0 rows in 1 files)"),
        ("in", {"suspects": "nothing"}, "conflicts.suspects: nothing was published at"),
    ],
)
def test_conflicts_refuses_tables(
    spark: SparkSession, place: Path, tmp_path: Path, table: str, more: dict, says: str
) -> None:
    sections: dict[str, Any] = {"conflicts": {"split": None} | more}
    trusted = sections["conflicts"].pop("test", None)
    if trusted:
        sections["train"] = {"test": str(place / trusted)}
    if "suspects" in more:
        sections["conflicts"]["suspects"] = str(place / more["suspects"])
    with pytest.raises(InputError) as error:
        run(tmp_path, place / table, **sections)
    assert says in str(error.value)
    assert ("train.test" in str(error.value)) == bool(trusted)
    assert not (tmp_path / "out" / "conflicts" / "data").exists()
