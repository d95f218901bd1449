"""14 language models on keys that people checked: the one flip, and that it is not certain."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from benchmarks import leaderboard
from sparkclean.jobs.rank_models import tally
from sparkclean.jobs.rank_models.results import Compared, compare
from sparkclean.jobs.rank_models.sums import Sums, hash_sums
from sparkclean.jobs.rank_models.totals import Totals, add_up

MMLU = leaderboard.MMLU
REFERENCE = json.loads((MMLU / "reference.json").read_text())
MODELS = tuple(sorted(REFERENCE["original"]))


def sums_of(batch_rows: int) -> Sums:
    """Count the golden answers as tasks do, in batches of a size."""
    answers = pd.read_parquet(MMLU / "answers.parquet")
    questions = pd.read_parquet(MMLU / "questions.parquet")

    def text(values: pd.Series) -> list[str | None]:
        return [None if pd.isna(value) else str(int(value)) for value in values]

    unknown = [None] * len(answers)
    columns = {
        "item": [*questions["question_id"], *answers["question_id"]],
        "model": [*[-1] * len(questions), *answers["model"].map(MODELS.index)],
        "text": [*text(questions["key"]), *text(answers["answer"])],
        "corrected": [*text(questions["corrected"]), *unknown],
        "is_valid": [*(questions["error_type"] == "ok").tolist(), *unknown],
    }
    schema = pa.schema(
        [
            ("item", pa.int64()),
            ("model", pa.int32()),
            ("text", pa.string()),
            ("corrected", pa.string()),
            ("is_valid", pa.bool_()),
        ]
    )
    table = pa.table(columns, schema=schema).sort_by(
        [("item", "ascending"), ("model", "ascending")]
    )
    count = tally.CountAnswers(
        num_models=len(MODELS), classes=("0", "1", "2", "3"), by_class=True, has_probs=False,
        missing_is_wrong=False,
    )  # fmt: skip
    totals = Totals()
    for batch in add_up(count(table.to_batches(max_chunksize=batch_rows))):
        totals.add_batch(batch)
    assert not totals.ids
    return Sums(totals, MODELS, 4)


@pytest.fixture(scope="module")
def found() -> Compared:
    metrics = ("accuracy", "balanced_accuracy", "macro_f1")
    return compare(sums_of(10_000), metrics, is_known=True, is_checked=True)


def flips_of(found: Compared) -> list[dict[str, Any]]:
    return [row for row in found.flips.to_pylist() if row["flips"]]


def test_accuracies_are_those_of_the_reference(found: Compared) -> None:
    rows = {row["model"]: row for row in found.ranking if row["metric"] == "accuracy"}
    assert set(rows) == set(MODELS)
    for name, row in rows.items():
        assert row["value"] == pytest.approx(REFERENCE["original"][name], abs=1e-9)
        assert row["clean"] == pytest.approx(REFERENCE["clean"][name], abs=1e-9)
        assert row["rank_low"] <= row["rank_clean"] <= row["rank_high"]
    assert found.metrics["prevalence"] == pytest.approx(REFERENCE["prevalence"], abs=1e-12)
    assert (found.metrics["items"], found.metrics["bad_items"]) == (4701, 320)
    assert found.metrics["corrected_items"] == 85


def test_level_prevalence_of_every_pair_follows_from_the_reference(found: Compared) -> None:
    clean, bad = REFERENCE["clean"], REFERENCE["on_bad"]
    rows = found.flips.to_pylist()
    assert len(rows) == 14 * 13 // 2
    for row in rows:
        a, b = row["model_a"], row["model_b"]
        of_clean, of_bad = clean[a] - clean[b], bad[a] - bad[b]
        if of_clean * of_bad < -1e-18:
            x = of_clean / (of_clean - of_bad)
            assert row["level_prevalence"] == pytest.approx(x, abs=1e-9)
        else:
            assert row["level_prevalence"] is None


def test_the_one_flip_is_that_of_the_reference_and_is_not_certain(found: Compared) -> None:
    (flip,), (expected,) = flips_of(found), REFERENCE["flips"]
    assert (flip["model_a"], flip["model_b"]) == (expected["a"], expected["b"])
    assert flip["level_prevalence"] == pytest.approx(expected["x"], abs=1e-9)
    assert [flip["original_a"], flip["original_b"]] == pytest.approx(expected["original"], abs=1e-9)
    assert [flip["clean_a"], flip["clean_b"]] == pytest.approx(expected["clean"], abs=1e-9)
    assert (flip["only_a"], flip["only_b"]) == (250, 258)
    assert flip["level_set"] == [[0.0, 1.0]]
    assert flip["mcnemar_p"] == pytest.approx(0.756159, abs=1e-6)
    assert flip["holm_p"] == 1.0
    assert flip["certain"] is False
    assert found.metrics["certain_flips"] == 0


def test_answer_does_not_depend_on_batches() -> None:
    assert hash_sums(sums_of(997)) == hash_sums(sums_of(10_000))


def test_table_of_the_documents_is_this_one(found: Compared) -> None:
    assert leaderboard.table_of(found.ranking) in leaderboard.RESULTS.read_text()


def test_without_checked_labels_no_order_is_certain() -> None:
    sums = sums_of(10_000)
    checked = compare(sums, ("accuracy",), is_known=True, is_checked=True)
    assert checked.metrics["certain_pairs"] == 54
    audited = compare(sums, ("accuracy",), is_known=True, is_checked=False)
    assert audited.metrics["certain_pairs"] == 0
    assert len(flips_of(audited)) == 1
    unknown = compare(sums, ("accuracy",), is_known=False, is_checked=False)
    for row in unknown.flips.to_pylist():
        assert (row["clean_a"], row["level_prevalence"], row["flips"]) == (None, None, None)
        assert row["certain"] is False
    assert "prevalence" not in unknown.metrics
