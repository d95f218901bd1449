"""The contract: names and types of what we write."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from sparkclean import schema
from sparkclean.jobs.audit.sections import FilterBy, Score
from sparkclean.rows.types import has_arrow_type

TABLES = {
    "SUSPECTS": schema.SUSPECTS,
    "CLASSES": schema.CLASSES,
    "PAIRS": schema.PAIRS,
    "REJECTED": schema.REJECTED,
    "CONFLICTS": schema.CONFLICTS,
    "LEAKS": schema.LEAKS,
    "CHANGES": schema.CHANGES,
    "MOVES": schema.MOVES,
    "RUNS": schema.RUNS,
}
TYPES = {"string", "double", "bigint", "int", "timestamp", "boolean", "<label>"}


@pytest.mark.parametrize("table", TABLES)
def test_schema_names_are_different_and_plain(table: str) -> None:
    names = [name for name, _ in TABLES[table]]
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch(r"[a-z][a-z_]*", name)] == []


@pytest.mark.parametrize("table", TABLES)
def test_schema_types_are_known(table: str) -> None:
    kinds = {kind for _, kind in TABLES[table] if not kind.startswith("array")}
    assert kinds <= TYPES
    inside = [kind.replace("<label>", "string") for _, kind in TABLES[table] if "array" in kind]
    assert all(has_arrow_type(kind) for kind in inside)


@pytest.mark.parametrize("table", TABLES)
def test_schema_rows_carry_run_fingerprint_and_dataset_version(table: str) -> None:
    columns = dict(TABLES[table])
    for name in ("run_id", "config_fingerprint", "dataset_version"):
        assert columns[name] == "string"


def test_schema_suspects_are_what_readers_rely_on() -> None:
    assert schema.SUSPECTS == (
        ("given_label", "<label>"),
        ("suggested_label", "<label>"),
        ("self_confidence", "double"),
        ("suggested_probability", "double"),
        ("label_quality", "double"),
        ("rank", "bigint"),
        ("reason", "string"),
        ("dataset_version", "string"),
        ("config_fingerprint", "string"),
        ("run_id", "string"),
        ("reviewed", "boolean"),
    )


def test_schema_filters_and_scores_are_those_of_the_configuration() -> None:
    assert set(schema.FILTERS) == set(get_args(FilterBy))
    assert get_args(Score) == schema.SCORES


def test_schema_every_filter_has_a_short_stable_reason() -> None:
    assert schema.SUSPECT_REASONS == {
        "confident_learning": "confident_in_another_class",
        "prune_by_class": "pruned_from_class",
        "prune_by_noise_rate": "pruned_from_pair",
        "both": "pruned_from_class_and_pair",
        "predicted_neq_given": "prediction_differs",
        "low_self_confidence": "low_score",
        "low_normalized_margin": "low_score",
    }


def test_schema_rejection_reasons_are_different() -> None:
    assert len(set(schema.REJECTION_REASONS)) == len(schema.REJECTION_REASONS) == 8


def test_schema_run_record_counts_and_explains() -> None:
    columns = dict(schema.RUNS)
    assert {columns[name] for name in ("rows", "audited", "rejected", "suspects")} == {"bigint"}
    assert {columns[name] for name in ("started_at", "finished_at")} == {"timestamp"}
    # nested content is JSON text, so that the schema outlives changes of it
    nested = ("phases", "versions", "config", "input", "counts", "gates", "outputs")
    assert {columns[name] for name in nested} == {"string"}


def test_every_reason_is_described() -> None:
    assert set(schema.SUSPECT_REASONS.values()) == set(schema.REASON_DESCRIPTIONS)
