"""The audit of a frame against cleanlab's answers on real data."""

from __future__ import annotations

import hashlib
import json

import pytest
from pyspark.sql import SparkSession

import sparkclean
from tests.conftest import GOLDEN


@pytest.mark.skipif(not GOLDEN.is_dir(), reason=f"no golden data in {GOLDEN}")
@pytest.mark.parametrize("name", ["20news", "mnist"])
@pytest.mark.parametrize("filter_by", ["prune_by_noise_rate", "prune_by_class"])
def test_audit_golden_table_flags_the_reference_ids(
    spark: SparkSession, name: str, filter_by: str
) -> None:
    reference = json.loads((GOLDEN / name / "reference.json").read_text())
    wanted = reference["filters"][filter_by]
    # where a tie stands at a cut, the reference carries the set cut by record id, too
    wanted = wanted.get("tie_break_by_id", wanted)
    frame = spark.read.parquet(str(GOLDEN / name / "examples.parquet")).repartition(3)
    with sparkclean.audit(frame, filter_by=filter_by) as result:
        ids = sorted(row["id"] for row in result.suspects.select("id").collect())
    assert len(ids) == wanted["count"]
    digest = hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()
    assert digest == wanted["sha256_sorted_ids"]
