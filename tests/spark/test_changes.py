"""Changes between two audits, by a table that is decided by hand."""

from __future__ import annotations

import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkclean.jobs.compare.changes import (
    Keys,
    changes_frame,
    count_changes,
    labels_of,
    suspects_of,
)

KEYS = Keys((("id", "bigint"),), "label", "string")
SUSPECTS = (
    "id bigint, given_label string, suggested_label string, label_quality double, run_id string"
)
#: Suspects of an earlier audit, of the first one and of the second one.
FOUND = [
    (5, "x", "y", 0.1, "r0"),
    (1, "x", "y", 0.2, "a"),
    (2, "x", "y", 0.3, "a"),
    (3, "x", "y", 0.3, "a"),
    (2, "x", "y", 0.1, "b"),
    (4, "x", "y", 0.1, "b"),
    (5, "x", "y", 0.1, "b"),
    (6, "x", "y", 0.1, "b"),
]
OLD = [(1, "x"), (2, "x"), (3, "x"), (4, "z"), (5, "x"), (7, "x"), (8, "x")]
NEW = [(1, "y"), (2, "x"), (4, "x"), (5, "x"), (6, "x"), (7, "y"), (8, "x")]


def build(spark: SparkSession, *, with_old: bool, parts: int) -> DataFrame:
    frame = spark.createDataFrame(FOUND[::-1] if parts > 1 else FOUND, SUSPECTS).repartition(parts)
    old, new = (spark.createDataFrame(rows, "id bigint, label string") for rows in (OLD, NEW))
    earlier = KEYS.select(frame.where("run_id = 'r0'"))
    return changes_frame(
        KEYS,
        (suspects_of(frame, KEYS, "a", "a"), suspects_of(frame, KEYS, "b", "b")),
        earlier,
        (
            labels_of(old, KEYS, "a") if with_old else None,
            labels_of(new, KEYS, "b", with_file=True),
        ),
        is_b=True,
    )


@pytest.mark.parametrize("with_old", [True, False])
def test_changes_are_those_decided_by_hand(spark: SparkSession, *, with_old: bool) -> None:
    rows = build(spark, with_old=with_old, parts=1).collect()
    found = {row.id: (row.change, row.given_label_a, row.given_label_b, row.cause) for row in rows}
    wanted = {
        1: ("fixed", "x", "y", "label_changed"),
        2: ("open", "x", "x", "row_unchanged"),
        3: ("fixed", "x", None, "row_removed"),
        4: ("new", "z", "x", "label_changed"),
        5: ("returned", "x", "x", "row_unchanged"),
        6: ("new", None, "x", "row_added"),
        7: ("relabelled", "x", "y", "label_changed"),
    }
    if not with_old:  # what only the older version tells is not known
        del wanted[7]
        wanted |= {
            4: ("new", None, "x", None),
            5: ("returned", None, "x", None),
            6: ("new", None, "x", None),
        }
    assert found == wanted
    assert len(rows) == len(found)
    if with_old:
        counted = count_changes(build(spark, with_old=True, parts=1), ["id"])
        assert counted == count_changes(build(spark, with_old=True, parts=3), ["id"])
        assert counted[0] == {
            "new": 2, "fixed": 2, "open": 1, "returned": 1, "relabelled": 1, "labels_changed": 3,
        }  # fmt: skip
