"""The configuration: what is accepted, what is refused and in which words, the fingerprint."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import BaseModel

from sparkclean.config.classes import resolve_classes
from sparkclean.config.fingerprint import changed_settings, fingerprint_of_before
from sparkclean.config.fingerprint import fingerprint as fingerprint_of
from sparkclean.config.model import config_json_schema, config_model, parse_config
from sparkclean.config.sections import PredictSection
from sparkclean.errors import ConfigError
from sparkclean.jobs.audit.job import AuditJob
from sparkclean.jobs.audit.sections import resolve_layout
from sparkclean.schema import FILTERS, SCORES
from sparkclean.texts import redact_config

Config = config_model()
REPOSITORY = Path(__file__).resolve().parents[2]
INPUT = {"input": {"table": "in"}}
OUTPUTS = (
    "suspects",
    "cleaned",
    "rejected",
    "classes",
    "pairs",
    "flips",
    "ranking",
    "noisy",
    "truth",
    "diagnosis",
    "runs",
)
FOREIGN_WORDS = ("Input should be", "pydantic", "For further information", "validation error")
FOREIGN_WORDS += ("type=", "input_value", "Extra inputs", "Field required", "datetime.")


def merged(*mappings: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = copy.deepcopy(INPUT)
    for mapping in mappings:
        for key, value in mapping.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = {**result[key], **value} if both else value
    return result


def findings_of(*mappings: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        parse_config(merged(*mappings))
    return caught.value.findings


def finding_of(*mappings: dict[str, Any]) -> str:
    (finding,) = findings_of(*mappings)
    return finding


def keys_of_schema() -> Iterator[tuple[str, ...]]:
    """All keys of the model: a section's keys, or a key without section."""
    for name, field in Config.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            yield from ((name, key) for key in section.model_fields)
        else:
            yield (name,)


# -- what is right -------------------------------------------------------------------------------


def test_config_table_alone_takes_all_defaults() -> None:
    config = parse_config(INPUT)
    assert config.columns.id == "id"
    assert config.classes is None
    assert config.method.filter_by == "prune_by_noise_rate"
    assert config.admission.row_sum_tolerance == 1e-3
    assert config.clean.mode == "drop"
    assert config.gate.min_examples_left_per_class == 1
    assert config.output.suspects == "out/in/suspects"
    assert config.spark == {}


def test_config_fields_cannot_be_changed() -> None:
    config = parse_config(INPUT)
    with pytest.raises(ValueError, match="frozen"):
        config.method.frac_noise = 0.5


@pytest.mark.parametrize("name", FILTERS)
def test_config_every_filter_is_accepted(name: str) -> None:
    assert parse_config(merged({"method": {"filter_by": name}})).method.filter_by == name


@pytest.mark.parametrize("name", SCORES)
def test_config_every_score_is_accepted(name: str) -> None:
    assert parse_config(merged({"method": {"ranked_by": name}})).method.ranked_by == name


def test_config_choices_are_those_of_the_contract() -> None:
    method = Config.model_fields["method"].annotation.model_fields
    assert set(method["filter_by"].annotation.__args__) == set(FILTERS)
    assert set(method["ranked_by"].annotation.__args__) == set(SCORES)


@pytest.mark.parametrize("text", ["0.5", "5e-1", "1e-3"])
def test_config_number_as_text_is_read(text: str) -> None:
    # YAML 1.1 takes 1e-3 for text
    config = parse_config(merged({"method": {"frac_noise": text}}))
    assert config.method.frac_noise == float(text)


def test_config_integer_for_a_number_is_read() -> None:
    assert parse_config(merged({"method": {"frac_noise": 1}})).method.frac_noise == 1.0


def test_config_spark_settings_become_text() -> None:
    settings = {"spark.a": 3, "spark.b": True, "spark.c": 0.5, "spark.d": "2g"}
    config = parse_config(merged({"spark": settings}))
    assert config.spark == {"spark.a": "3", "spark.b": "true", "spark.c": "0.5", "spark.d": "2g"}


def test_config_output_null_is_not_written() -> None:
    config = parse_config(merged({"output": {"cleaned": None, "pairs": None}}))
    assert list(AuditJob.locations(config)) == ["suspects", "classes", "rejected"]


def test_config_id_list_names_several_columns() -> None:
    config = parse_config(merged({"columns": {"id": ["day", "row"]}}))
    assert config.columns.id_columns == ("day", "row")
    assert config.columns.pred_probs_columns == ("pred_probs",)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("min_examples_per_class", np.int64(2)),
        ("adjust_pred_probs", np.bool_(True)),
        ("frac_noise", np.float64(0.5)),
        ("frac_noise", np.float32(0.5)),
        ("thresholds", [np.float64(0.5), np.float32(0.5)]),
        ("thresholds", {np.int64(0): 0.5}),
    ],
    ids=str,
)
def test_config_numpy_values_of_notebooks_are_read(key: str, value: Any) -> None:
    read = getattr(parse_config(merged({"method": {key: value}})).method, key)
    assert read == value
    parts = read if isinstance(read, list) else list(read) if isinstance(read, dict) else [read]
    assert {type(part).__module__ for part in parts} == {"builtins"}


def test_config_numpy_labels_become_plain() -> None:
    for labels in (np.array([0, 1]), np.array(["a", "b"]), np.array([False, True])):
        classes = parse_config(merged({"classes": list(labels)})).classes
        assert classes == labels.tolist()
        assert [type(label) for label in classes] == [type(label) for label in labels.tolist()]


# -- unknown keys --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mapping", "path", "suggestion"),
    [
        ({"input": {"tabel": "x"}}, "input.tabel", "table"),
        ({"columns": {"pred_prob": "x"}}, "columns.pred_prob", "pred_probs"),
        ({"method": {"filterby": "both"}}, "method.filterby", "filter_by"),
        ({"gate": {"max_suspect": 1}}, "gate.max_suspect", "max_suspects"),
        ({"output": {"clean": "x"}}, "output.clean", "cleaned"),
        ({"methods": {"frac_noise": 0.5}}, "methods", "method"),
        ({"class": [1, 2]}, "class", "classes"),
    ],
)
def test_config_misspelt_key_gets_a_suggestion(
    mapping: dict[str, Any], path: str, suggestion: str
) -> None:
    finding = finding_of(mapping)
    assert finding.startswith(f"{path}: unknown key")
    assert f"did you mean {suggestion!r}?" in finding


def test_config_unknown_key_shows_its_value_and_the_known_ones() -> None:
    finding = finding_of({"clean": {"zzz": 42}})
    assert (
        finding == "clean.zzz: unknown key (value 42); known: mode, rejected, keep_original, "
        "layout, publish, publish_branch, retain_days, set_table_properties"
    )


def test_config_unknown_section_shows_the_known_ones() -> None:
    finding = finding_of({"zzz": 1})
    assert "known: input, columns, classes, scan, method" in finding


def test_config_key_that_is_no_text_is_named() -> None:
    # YAML 1.1 reads the word on as true
    assert finding_of({"clean": {True: 1}}) == (
        "clean: key true is not text; known: mode, rejected, keep_original, "
        "layout, publish, publish_branch, retain_days, set_table_properties"
    )


# -- wrong values --------------------------------------------------------------------------------

ANSWERS = {"table": "answers", "model": "model", "prediction": "answer"}
LABELS = {"table": "questions"}
NOISE = [{"kind": "uniform", "rate": 0.05}]
WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"input": None}, "input", "is not a section"),
    (
        {"input": "data"},
        "input",
        "write its keys below it (table, format, version, where, predictions)",
    ),
    ({"input": {"table": 5}}, "input.table", "5 is wrong; wanted: text"),
    ({"input": {"table": None}}, "input.table", "null is wrong"),
    ({"input": {"table": date(2026, 1, 31)}}, "input.table", "2026-01-31 is wrong"),
    ({"input": {"table": ""}}, "input.table", "is empty"),
    ({"input": {"table": "\0"}}, "input.table", "control character, which no"),
    ({"input": {"table": "//[x"}}, "input.table", "is not a path"),
    ({"input": {"format": "csv"}}, "input.format", "choose one of auto, parquet"),
    ({"input": {"format": 5}}, "input.format", "choose one of auto, parquet"),
    ({"input": {"version": 1.5}}, "input.version", "an integer or text or null"),
    ({"input": {"version": True}}, "input.version", "true is wrong"),
    ({"input": {"where": 1}}, "input.where", "wanted: text or null"),
    ({"input": {"predictions": 1}}, "input.predictions", "wanted: text or null"),
    ({"columns": 7}, "columns", "is not a section"),
    ({"columns": {"id": 5}}, "columns.id", "text or a list of texts"),
    ({"columns": {"id": ["a", 5]}}, "columns.id", "['a', 5] is wrong"),
    ({"columns": {"id": []}}, "columns.id", "names no column"),
    ({"columns": {"label": ["y"]}}, "columns.label", "wanted: text"),
    ({"columns": {"pred_probs": None}}, "columns.pred_probs", "text or a list of texts"),
    ({"columns": {"pred_probs": ["p"]}}, "columns.pred_probs", "one for each class"),
    ({"classes": 5}, "classes", "a list of labels"),
    ({"classes": {"a": 1}}, "classes", "a list of labels"),
    ({"classes": ["a", None]}, "classes", "null is wrong"),
    ({"classes": [1.5, 2.5]}, "classes", "1.5 is wrong"),
    ({"classes": ["a"]}, "classes", "K = 1; label issues need at least two classes"),
    ({"classes": []}, "classes", "K = 0"),
    (
        {"classes": ["a", "b", "a"]},
        "classes",
        "number 1 stands in the list more than once, as number 3",
    ),
    ({"classes": ["a", 1]}, "classes", "types int, str"),
    (
        {"classes": ["a", False]},
        "classes",
        "put quotes around those that YAML reads as another type",
    ),
    ({"method": []}, "method", "is not a section"),
    ({"method": {"filter_by": "boht"}}, "method.filter_by", "did you mean 'both'?"),
    ({"method": {"filter_by": 3}}, "method.filter_by", "choose one of prune_by_noise_rate"),
    ({"method": {"ranked_by": "margin"}}, "method.ranked_by", "choose one of self_confidence"),
    ({"method": {"collision": "cleanlab"}}, "method.collision", "did you mean 'cleanlab-2.9'?"),
    ({"method": {"frac_noise": 1.5}}, "method.frac_noise", "a number from 0 to 1"),
    ({"method": {"frac_noise": -0.1}}, "method.frac_noise", "a number from 0 to 1"),
    ({"method": {"frac_noise": True}}, "method.frac_noise", "true is wrong"),
    ({"method": {"frac_noise": "half"}}, "method.frac_noise", "'half' is wrong"),
    ({"method": {"frac_noise": float("nan")}}, "method.frac_noise", "nan is wrong"),
    ({"method": {"min_examples_per_class": -1}}, "method.min_examples_per_class", "at least 0"),
    ({"method": {"min_examples_per_class": 1.5}}, "method.min_examples_per_class", "an integer"),
    ({"method": {"min_examples_per_class": True}}, "method.min_examples_per_class", "true is"),
    ({"method": {"adjust_pred_probs": "yes"}}, "method.adjust_pred_probs", "true or false"),
    ({"method": {"adjust_pred_probs": 1}}, "method.adjust_pred_probs", "true or false"),
    ({"method": {"thresholds": 0.5}}, "method.thresholds", "a mapping or a list of numbers or"),
    ({"method": {"thresholds": {"a": "x"}}}, "method.thresholds", "'x' is wrong"),
    ({"method": {"thresholds": [0.5, True]}}, "method.thresholds", "a list of numbers"),
    ({"method": {"thresholds": [0.5, 3.0]}}, "method.thresholds", "3.0 is outside (0, 2]"),
    ({"method": {"thresholds": {"a": 0.0}}}, "method.thresholds", "0.0 is outside (0, 2]"),
    ({"scan": "fast"}, "scan", "choose one of auto, files, dataframe"),
    ({"admission": "strict"}, "admission", "is not a section"),
    ({"admission": {"row_sum_tolerance": 0.7}}, "admission.row_sum_tolerance", "from 0 to 0.5"),
    ({"admission": {"row_sum_tolerance": None}}, "admission.row_sum_tolerance", "null is wrong"),
    ({"admission": {"max_rejected_fraction": 5}}, "admission.max_rejected_fraction", "0 to 1"),
    (
        {"predict": 5},
        "predict",
        "is not a section; write its keys below it (features, columns",
    ),
    ({"predict": {}}, "predict.features", "is missing; it has no default"),
    *[
        ({"predict": {"features": ["x"]} | wrong}, f"predict.{key}", words)
        for key, wrong, words in (
            ("features", {"features": 5}, "5 is wrong; wanted: text or a list of texts"),
            ("features", {"features": []}, "names no column"),
            ("columns", {"columns": {"y": "text"}}, "'y' is not among predict.features"),
            ("columns", {"columns": {"x": "ignore"}}, "leave it out of predict.features"),
            ("columns", {"columns": "text"}, "wanted: a mapping"),
            ("columns", {"columns": {"x": "words"}}, "number, category, date, text, ignore"),
            ("group", {"group": 5}, "wanted: text or null"),
            ("n_folds", {"n_folds": 1}, "an integer of at least 2"),
            ("estimator", {"estimator": 5}, "wanted: text or null"),
            ("params", {"params": 5}, "wanted: a mapping"),
            ("max_train_rows", {"max_train_rows": 0}, "an integer of at least 1 or null"),
            ("calibrate", {"calibrate": "platt"}, "choose one of none, temperature, isotonic"),
            ("missing", {"missing": "drop"}, "choose one of reject, impute"),
            ("rare_classes", {"rare_classes": "drop"}, "choose one of reject, exclude"),
            ("seed", {"seed": -1}, "an integer from 0 to 4.29497e+09"),
        )
    ],
    *[
        ({"diagnose": {key: value}}, f"diagnose.{key}", words)
        for key, value, words in (
            ("source", 5, "wanted: text or null"),
            ("annotator", 5, "wanted: text or null"),
            ("time", 5, "wanted: text or null"),
            ("window_hours", "a day", "wanted: a number"),
            ("file", 5, "wanted: text or null"),
            ("position", 5, "wanted: text or null"),
            ("values", "site", "wanted: a list of texts"),
            ("examples", -1, "an integer of at least 0"),
            ("row_sum_tolerance", -1, "is wrong"),
            ("max_rejected_fraction", 2, "a number from 0 to 1"),
        )
    ],
    ({"diagnose": 5}, "diagnose", "is not a section"),
    ({"output": {"diagnosis": 5}}, "output.diagnosis", "wanted: text or null"),
    ({"conflicts": 5}, "conflicts", "is not a section"),
    *[
        ({"conflicts": {"columns": "text"} | section}, f"conflicts.{key}", words)
        for key, section, words in (
            ("columns", {"columns": 5}, "wanted"),
            ("fold", {"fold": "yes"}, "true or false"),
            ("split", {"split": 5}, "wanted: text or null"),
            ("max_ids", {"max_ids": 0}, "an integer of at least 1"),
            ("suspects", {"suspects": 5}, "wanted: text or null"),
            ("audit", {"audit": 5}, "wanted: text or null"),
        )
    ],
    ({"compare": 5}, "compare", "is not a section"),
    ({"compare": {"run_a": 5, "run_b": "b"}}, "compare.run_a", "wanted"),
    ({"compare": {"run_a": "a", "run_b": "a"}}, "compare.run_b", "name two different audits"),
    ({"train": 5}, "train", "is not a section; write its keys below it (mode, audit"),
    ({"train": {"mode": "clean"}}, "train.mode", "did you mean 'cleaned'?"),
    ({"train": {"audit": 5}}, "train.audit", "wanted: text or null"),
    ({"train": {"test": 5}}, "train.test", "wanted: text or null"),
    (
        {"train": {"test": "in"}},
        "train.test",
        "input.table is the same location as it; name a table of other rows",
    ),
    ({"train": {"estimator": 5}}, "train.estimator", "wanted: text or null"),
    ({"train": {"params": 5}}, "train.params", "wanted: a mapping or null"),
    (
        {"train": {"mode": "robust", "estimator": "sklearn.svm.SVC"}},
        "train.estimator",
        "has no effect with train.mode: 'robust'",
    ),
    ({"simulate": 5}, "simulate", "is not a section; write its keys below it (noise, seed"),
    ({"simulate": {"noise": 5}}, "simulate.noise", "is not a list of sections"),
    ({"simulate": {"noise": NOISE, "seed": -1}}, "simulate.seed", "an integer from 0 to"),
    ({"rank": 5}, "rank", "is not a section; write its keys below it (answers, labels"),
    ({"rank": {"labels": LABELS}}, "rank.answers", "is missing; it has no default"),
    ({"rank": {"answers": ANSWERS}}, "rank.labels", "is missing; it has no default"),
    *[
        ({"rank": {"answers": ANSWERS, "labels": LABELS} | wrong}, f"rank.{key}", words)
        for key, wrong, words in (
            ("answers", {"answers": 5}, "is not a section; write its keys below it (table, item"),
            ("answers.table", {"answers": {}}, "is missing; it has no default"),
            ("answers.models", {"answers": ANSWERS | {"models": "m"}}, "did you mean 'model'?"),
            ("answers.item", {"answers": ANSWERS | {"item": 5}}, "5 is wrong; wanted: text"),
            ("labels.table", {"labels": {}}, "is missing; it has no default"),
            ("labels.valid", {"labels": LABELS | {"valid": True}}, "wanted: text or null"),
            ("metrics", {"metrics": ["auc"]}, "choose one of accuracy, balanced_accuracy"),
            ("missing", {"missing": "drop"}, "choose one of reject, wrong"),
        )
    ],
    ({"annotations": 5}, "annotations", "is not a section; write its keys below it (table, item"),
    ({"annotations": {}}, "annotations.table", "is missing; it has no default"),
    *[
        ({"annotations": {"table": "in"} | wrong}, f"annotations.{key}", words)
        for key, wrong, words in (
            ("table", {"table": 5}, "5 is wrong; wanted: text"),
            ("item", {"item": 5}, "wanted: text or a list of texts"),
            ("item", {"item": []}, "names no column"),
            ("annotator", {"annotator": None}, "null is wrong"),
            ("label", {"label": ["a"]}, "wanted: text"),
            ("time", {"time": 5}, "wanted: text or null"),
            ("duplicates", {"duplicates": "first"}, "choose one of latest, error"),
        )
    ],
    (
        {"annotations": {"table": "in", "item": "a", "label": "a"}},
        "annotations",
        "'a' is named 2 times; each column has one meaning",
    ),
    *[
        ({"consensus": wrong}, f"consensus.{key}", words)
        for key, wrong, words in (
            ("method", {"method": "dawid-skene"}, "did you mean 'dawid_skene'?"),
            ("method", {"method": "crowdlab"}, "needs a model; name its table"),
            ("predictions", {"predictions": "p"}, "wanted: a list of texts"),
            ("smoothing", {"smoothing": 0}, "0 is not above 0"),
            ("max_iterations", {"max_iterations": 0}, "an integer of at least 1"),
            ("tolerance", {"tolerance": -1e-7}, "-1e-07 is wrong; wanted: a number of at least 0"),
            ("adjudicate_below", {"adjudicate_below": 70}, "a number from 0 to 1"),
        )
    ],
    ({"consensus": 5}, "consensus", "is not a section"),
    (
        {"consensus": {"predictions": ["p", "p"]}},
        "consensus.predictions[1]",
        "consensus.predictions[0] is the same location as it",
    ),
    *[
        ({"review": {key: value}}, f"review.{key}", message)
        for key, value, message in (
            ("ledger", 5, "wanted: text or null"),
            ("content", "text", "wanted: a list"),
            ("audit", 5, "wanted: text or null"),
            ("reviewers", "ann", "wanted: a list"),
            ("annotator", 5, "wanted: text or null"),
            ("reviews_per_item", 0, "an integer of at least 1"),
            ("budget", -1, "an integer of at least 0"),
            ("measure", 1.5, "0 to 1"),
            ("gold", -0.1, "0 to 1"),
            ("suspects_per_class", -1, "an integer of at least 0"),
            ("seed", -1, "an integer from 0 to"),
            ("blind", "yes", "true or false"),
            ("plan", 5, "wanted: text or null"),
            ("format", "xlsx", "choose one of csv, parquet"),
            ("files", 5, "wanted: text"),
        )
    ],
    ({"review": 5}, "review", "is not a section; write its keys below it (ledger, content"),
    ({"output": {"review": 5}}, "output.review", "wanted: text or null"),
    *[
        ({"output": {name: 5}}, f"output.{name}", "wanted: text or null")
        for name in ("queue", "strata", "ledger", "rejected_decisions", "estimates")
    ],
    ({"clean": {"mode": "Drop"}}, "clean.mode", "did you mean 'drop'?"),
    ({"clean": {"mode": None}}, "clean.mode", "did you mean 'none'?"),
    ({"clean": {"rejected": "delete"}}, "clean.rejected", "choose one of keep, remove"),
    ({"clean": {"keep_original": 1}}, "clean.keep_original", "true or false"),
    ({"output": {"adopt": "yes"}}, "output.adopt", "true or false"),
    ({"clean": {"layout": "tag"}}, "clean.layout", "choose one of auto, copy, clone, branch"),
    ({"clean": {"publish": "branch"}}, "clean.publish", "choose one of tag, fast_forward"),
    ({"clean": {"publish_branch": 5}}, "clean.publish_branch", "wanted: text or null"),
    ({"clean": {"retain_days": 0}}, "clean.retain_days", "an integer of at least 1 or null"),
    ({"clean": {"set_table_properties": 1}}, "clean.set_table_properties", "true or false"),
    ({"gate": {"max_suspect_fraction": 10}}, "gate.max_suspect_fraction", "0 to 1 or null"),
    ({"gate": {"max_suspect_fraction": "10%"}}, "gate.max_suspect_fraction", "'10%' is wrong"),
    ({"gate": {"max_class_loss_fraction": -1}}, "gate.max_class_loss_fraction", "0 to 1 or null"),
    ({"gate": {"min_examples_left_per_class": None}}, "gate.min_examples_left_per_class", "null"),
    ({"gate": {"max_suspects": 1.5}}, "gate.max_suspects", "an integer of at least 0 or null"),
    ({"gate": {"max_suspects": -5}}, "gate.max_suspects", "-5 is wrong"),
    ({"gate": {"allow_permuted": "yes"}}, "gate.allow_permuted", "true or false"),
    ({"gate": {"allow_weak_model": 1}}, "gate.allow_weak_model", "true or false"),
    ({"gate": {"allow_many_suspects": None}}, "gate.allow_many_suspects", "null"),
    *[({"output": {name: 5}}, f"output.{name}", "wanted: text or null") for name in OUTPUTS],
    ({"output": {"predictions": 5}}, "output.predictions", "wanted: text or null"),
    *[
        ({"output": {name: 5}}, f"output.{name}", "wanted: text or null")
        for name in ("consensus", "annotators", "confusions", "agreement")
    ],
    ({"output": {"conflicts": 5}}, "output.conflicts", "wanted: text or null"),
    ({"output": {"leaks": 5}}, "output.leaks", "wanted: text or null"),
    ({"output": {"changes": 5}}, "output.changes", "wanted: text or null"),
    ({"output": {"moves": 5}}, "output.moves", "wanted: text or null"),
    ({"output": {"models": 5}}, "output.models", "wanted: text or null"),
    ({"output": {"runs": ""}}, "output.runs", "is empty"),
    ({"output": {"format": "orc"}}, "output.format", "choose one of parquet, delta, iceberg"),
    ({"output": {"work": 5}}, "output.work", "wanted: text or null"),
    ({"report": {"path": 5}}, "report.path", "wanted: text or null"),
    ({"report": {"columns": "text"}}, "report.columns", "wanted: a list of texts or null"),
    ({"report": {"columns": [5]}}, "report.columns", "a list of texts"),
    ({"spark": "local"}, "spark", "a mapping"),
    ({"spark": {"spark.a": [1]}}, "spark.spark.a", "text, a number, or true or false"),
    ({"spark": {"spark.a": None}}, "spark.spark.a", "null is wrong"),
]
WRONG_IDS = [f"{path}={yaml.safe_dump(case, default_flow_style=True)}" for case, path, _ in WRONG]


@pytest.mark.parametrize(("mapping", "path", "words"), WRONG, ids=WRONG_IDS)
def test_config_wrong_value_is_one_finding_with_path_and_remedy(
    mapping: dict[str, Any], path: str, words: str
) -> None:
    finding = finding_of(mapping)
    assert finding.startswith(f"{path}: ")
    assert words in finding
    assert not [word for word in FOREIGN_WORDS if word in finding]


def test_config_wrong_values_above_cover_every_key() -> None:
    covered = {path for _, path, _ in WRONG}
    for key in keys_of_schema():
        assert ".".join(key) in covered


def test_config_input_missing_is_said() -> None:
    with pytest.raises(ConfigError, match=r"^input: is missing; it has no default$"):
        parse_config({})
    with pytest.raises(ConfigError, match=r"^input\.table: is missing; it has no default$"):
        parse_config({"input": {}})


def test_config_long_value_is_cut() -> None:
    finding = finding_of({"columns": {"label": ["column"] * 1000}})
    assert len(finding) < 120
    assert "..." in finding


@pytest.mark.parametrize("location", ["s3://b/x", "hdfs://h/x", "abfss://c@a/x", "dbfs:/x"])
@pytest.mark.parametrize("path", ["input.table", *(f"output.{name}" for name in OUTPUTS)])
def test_config_parquet_on_other_storage_is_not_yet_supported(path: str, location: str) -> None:
    section, key = path.split(".")
    finding = finding_of({section: {key: location, "format": "parquet"}})
    assert finding.startswith(f"{path}: {location!r}")
    assert "is not supported yet" in finding


def test_config_delta_on_other_storage_is_accepted() -> None:
    output = {name: f"s3://b/{name}" for name in OUTPUTS}
    delta = {"format": "delta", "work": "/shared/work"}
    parse_config(merged({"input": {"table": "s3://b/in"}, "output": output | delta}))


def test_config_outputs_in_a_catalog_need_a_folder_for_work() -> None:
    output = {name: f"lake.db.{name}" for name in OUTPUTS} | {"format": "iceberg"}
    finding = finding_of({"output": output})
    assert finding.startswith("output.work: null, but no output is on Parquet")
    parse_config(merged({"output": output | {"work": "work"}}))


def test_config_same_name_in_a_catalog_is_the_same_place() -> None:
    output = {"format": "iceberg", "work": "work", "pairs": "lake.db.`In`"}
    finding = finding_of({"input": {"table": "lake.db.in", "format": "iceberg"}, "output": output})
    assert "is the same location as" in finding


@pytest.mark.parametrize("table", ["", "a..b", "`a"])
def test_config_name_that_is_none_is_refused(table: str) -> None:
    assert finding_of({"input": {"table": table}}).startswith("input.table: ")


# -- contradictions ------------------------------------------------------------------------------


def test_config_adjusted_entropy_is_a_contradiction() -> None:
    method = {"adjust_pred_probs": True, "ranked_by": "confidence_weighted_entropy"}
    finding = finding_of({"method": method})
    assert "contradicts method.ranked_by: 'confidence_weighted_entropy'" in finding
    assert "self_confidence and normalized_margin" in finding


@pytest.mark.parametrize("score", ["self_confidence", "normalized_margin"])
def test_config_adjusted_score_is_accepted(score: str) -> None:
    parse_config(merged({"method": {"adjust_pred_probs": True, "ranked_by": score}}))


def test_config_frac_noise_without_quota_is_a_contradiction() -> None:
    method = {"frac_noise": 0.5, "filter_by": "confident_learning"}
    assert "method.frac_noise: 0.5 has no effect" in finding_of({"method": method})


def test_config_column_with_two_meanings_is_a_contradiction() -> None:
    finding = finding_of({"columns": {"id": ["a", "label"]}})
    assert finding == "columns: 'label' is named 2 times; each column has one meaning"


def test_config_probability_column_named_twice_is_a_contradiction() -> None:
    assert "'p' is named 2 times" in finding_of({"columns": {"pred_probs": ["p", "p"]}})


def test_config_classes_and_probability_columns_differ_in_number() -> None:
    mapping = {"classes": ["a", "b", "c"], "columns": {"pred_probs": ["p", "q"]}}
    finding = finding_of(mapping)
    assert "3 labels, but columns.pred_probs lists 2 columns" in finding


def test_config_thresholds_list_of_another_length_is_a_contradiction() -> None:
    mapping = {"classes": ["a", "b"], "method": {"thresholds": [0.5, 0.5, 0.5]}}
    assert "method.thresholds: 3 values for 2 classes" in finding_of(mapping)


def test_config_threshold_of_unknown_label_is_a_contradiction() -> None:
    mapping = {"classes": ["a", "b"], "method": {"thresholds": {"c": 0.5}}}
    assert finding_of(mapping) == "method.thresholds: 'c' is not among the classes"


@pytest.mark.parametrize(
    ("classes", "thresholds"),
    [
        (["a", "b"], {"a": 0.5}),
        (["a", "b"], [0.5, 2.0]),
        ([1, 2], {"1": 0.5}),
        ([1, 2], {1: 0.5, 2: "1e-3"}),
        (None, [0.5]),
    ],
)
def test_config_thresholds_by_label_or_list_are_accepted(classes: Any, thresholds: Any) -> None:
    config = parse_config(merged({"classes": classes, "method": {"thresholds": thresholds}}))
    values = config.method.thresholds
    assert values is not None
    listed = values if isinstance(values, list) else list(values.values())
    assert all(isinstance(value, float) for value in listed)


@pytest.mark.parametrize(
    ("table", "cleaned", "relation"),
    [
        ("d/in", "d/in", "input.table is the same location as it"),
        ("d/in", "d/x/../in/", "input.table is the same location as it"),
        ("d/in", "d/in/cleaned", "input.table contains it"),
        ("d/in/day", "d/in", "input.table is inside it"),
    ],
)
def test_config_output_and_input_in_one_place_is_refused(
    table: str, cleaned: str, relation: str
) -> None:
    finding = finding_of({"input": {"table": table}, "output": {"cleaned": cleaned}})
    assert finding.startswith("output.cleaned: ")
    assert relation in finding


def test_config_output_behind_a_link_to_the_input_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "in")
    mapping = {
        "input": {"table": str(tmp_path / "in")},
        "output": {"pairs": str(tmp_path / "link")},
    }
    assert "input.table is the same location as it" in finding_of(mapping)


def test_config_two_outputs_in_one_place_are_refused() -> None:
    finding = finding_of({"output": {"suspects": "o/x", "runs": "o/x/runs"}})
    assert "output.suspects contains it" in finding


def test_config_neighbours_with_a_common_beginning_are_accepted() -> None:
    mapping = {"input": {"table": "d/in"}, "output": {"cleaned": "d/in-cleaned"}}
    parse_config(merged(mapping))


def test_config_quarantine_in_the_place_of_the_input_is_refused() -> None:
    mapping = {"input": {"table": "o/c-quarantine"}, "output": {"cleaned": "o/c/"}}
    parse_config(merged(mapping))
    finding = finding_of(mapping, {"clean": {"mode": "quarantine"}})
    assert "output.cleaned (quarantine)" in finding
    assert "input.table is the same location as it" in finding


def test_config_quarantine_in_the_place_of_an_output_is_refused() -> None:
    mapping = {"output": {"cleaned": "o/c", "pairs": "o/c-quarantine"}}
    finding = finding_of(mapping, {"clean": {"mode": "quarantine"}})
    assert "output.pairs is the same location as it" in finding


def test_config_all_outputs_null_is_refused() -> None:
    finding = finding_of({"output": dict.fromkeys(OUTPUTS)})
    assert finding == "output: all outputs are null; there is nothing to write"


def test_config_cleaned_alone_with_mode_none_is_refused() -> None:
    others = {name: None for name in OUTPUTS if name != "cleaned"}
    finding = finding_of({"output": others, "clean": {"mode": "none"}})
    assert "clean.mode is none; there is nothing to write" in finding
    parse_config(merged({"output": others}))


# -- all at once ---------------------------------------------------------------------------------


def test_config_several_findings_are_raised_at_once() -> None:
    findings = findings_of(
        {"input": {"format": "csv"}, "method": {"frac_noise": 2}, "clean": {"mode": "x"}},
        {"gate": {"max_suspects": -1}, "unknown": 1},
    )
    paths = [finding.split(":")[0] for finding in findings]
    assert paths == [
        "input.format", "method.frac_noise", "clean.mode", "gate.max_suspects", "unknown",
    ]  # fmt: skip


def test_config_contradictions_are_shown_with_wrong_values() -> None:
    method = {"adjust_pred_probs": True, "ranked_by": "confidence_weighted_entropy"}
    mapping = {"method": method, "clean": {"mode": "x"}, "columns": {"id": "label"}}
    paths = [finding.split(":")[0] for finding in findings_of(mapping)]
    assert paths == ["clean.mode", "method.adjust_pred_probs", "columns"]


def test_config_wrong_value_causes_no_contradiction_of_its_default() -> None:
    method = {"adjust_pred_probs": True, "ranked_by": "x"}
    assert len(findings_of({"method": method})) == 1


def test_config_error_prints_one_finding_a_line() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(merged({"a": 1, "b": 2}))
    assert len(caught.value.findings) == 2
    assert str(caught.value).splitlines() == list(caught.value.findings)
    assert caught.value.__cause__ is None


def test_config_parsing_leaves_the_mapping_as_it_was() -> None:
    mapping = merged({"method": {"frac_noise": 2, "x": 1}, "y": 1})
    before = copy.deepcopy(mapping)
    with pytest.raises(ConfigError):
        parse_config(mapping)
    assert mapping == before


# -- classes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [["b", "a"], [3, 1], [False, True], ["", " a,\n'\"ü"]])
def test_classes_list_keeps_order_and_types(classes: list[Any]) -> None:
    resolved = resolve_classes(parse_config(merged({"classes": classes})))
    assert resolved == tuple(classes)
    assert [type(label) for label in resolved] == [type(label) for label in classes]


def test_classes_null_stay_open() -> None:
    assert resolve_classes(parse_config(INPUT)) is None


# -- the fingerprint -----------------------------------------------------------------------------

LABELS = ("a", "b")


def fingerprint(*mappings: dict[str, Any], classes: tuple[Any, ...] = LABELS) -> str:
    return fingerprint_of(parse_config(merged(*mappings)), "audit", AuditJob.sections, classes)


@pytest.mark.parametrize(
    "change",
    [
        {"columns": {"id": "other"}},
        {"columns": {"label": "other"}},
        {"columns": {"pred_probs": "other"}},
        {"columns": {"pred_probs": ["p", "q"]}},
        {"method": {"filter_by": "both"}},
        {"method": {"ranked_by": "normalized_margin"}},
        {"method": {"collision": "paper"}},
        {"method": {"frac_noise": 0.5}},
        {"method": {"min_examples_per_class": 2}},
        {"method": {"adjust_pred_probs": True}},
        {"method": {"thresholds": [0.5, 0.5]}},
        {"admission": {"row_sum_tolerance": 0.01}},
        {"input": {"where": "split = 'train'"}},
        {"clean": {"mode": "relabel"}},
        {"clean": {"rejected": "remove"}},
    ],
    ids=str,
)
def test_fingerprint_changes_with_what_determines_the_result(change: dict[str, Any]) -> None:
    assert fingerprint(change) != fingerprint()


def changed(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    kept = json.loads(json.dumps(redact_config(parse_config(before).model_dump(mode="json"))))
    return changed_settings(kept, parse_config(now), AuditJob.sections)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"method": {"filter_by": "both"}}, ["method.filter_by: {was} -> both"]),
        ({"columns": {"pred_probs": ["p", "q"]}}, ['columns.pred_probs: {was} -> ["p", "q"]']),
        ({"method": {"frac_noise": 0.5}}, ["method.frac_noise: {was} -> 0.5"]),
        ({"input": {"where": "a = 1"}}, ["input.where: null -> a = 1"]),
        ({"classes": ["a", "b"]}, ['classes: null -> ["a", "b"]']),
        ({"gate": {"max_suspects": 5}}, []),
        ({"output": {"pairs": None}}, []),
        (
            {"clean": {"mode": "relabel"}, "columns": {"label": "l"}},
            ["columns.label: {was} -> l", "clean.mode: {was} -> relabel"],
        ),
    ],
    ids=str,
)
def test_settings_that_change_the_fingerprint_are_named(
    change: dict[str, Any], said: list[str]
) -> None:
    written = parse_config(INPUT).model_dump(mode="json")
    wanted = []
    for text in said:
        section, _, key = text.partition(":")[0].partition(".")
        wanted.append(text.format(was=written[section][key] if key else None))
    assert sorted(changed(INPUT, merged(change))) == sorted(wanted)
    assert changed(merged(change), merged(change)) == []


def test_settings_that_have_changed_show_no_secret() -> None:
    predict = {"features": "x", "params": {"api_key": "hunter2-then", "depth": 3}}
    other = {"features": "x", "params": {"api_key": "hunter2-now", "depth": 4}}
    kept = redact_config(parse_config(merged({"predict": predict})).model_dump(mode="json"))
    sections = {"predict": PredictSection}
    (text,) = changed_settings(kept, parse_config(merged({"predict": other})), sections)
    assert text.startswith("predict.params: ")
    assert '"depth": 3' in text
    assert "hunter2" not in text


def test_a_record_of_before_a_setting_has_its_default() -> None:
    config = parse_config(INPUT)
    kept = config.model_dump(mode="json")
    del kept["method"]["adjust_pred_probs"], kept["admission"]
    assert changed_settings(kept, config, AuditJob.sections) == []


@pytest.mark.parametrize("classes", [("b", "a"), ("a", "c"), ("a", "b", "c"), (0, 1)])
def test_fingerprint_changes_with_the_labels(classes: tuple[Any, ...]) -> None:
    assert fingerprint(classes=classes) != fingerprint()


def test_fingerprint_changes_with_what_columns_are_taken_as() -> None:
    config = parse_config(INPUT)
    pairs = [(), (("x", "text"),), (("x", "category"),), (("x", "text"), ("y", "text"))]
    prints = [fingerprint_of(config, "predict", {}, LABELS, taken=taken) for taken in pairs]
    assert len(set(prints)) == len(pairs)
    assert prints[0] == fingerprint_of(config, "predict", {}, LABELS)


def test_fingerprint_tells_labels_of_different_types_apart() -> None:
    prints = {fingerprint(classes=labels) for labels in ((0, 1), ("0", "1"), (False, True))}
    assert len(prints) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"input": {"table": "elsewhere"}},
        {"input": {"version": 3}},
        {"input": {"format": "parquet"}},
        *[{"output": {name: "elsewhere/x"}} for name in OUTPUTS],
        {"output": {"pairs": None}},
        {"gate": {"max_suspect_fraction": 0.5}},
        {"gate": {"max_class_loss_fraction": 0.5}},
        {"gate": {"min_examples_left_per_class": 5}},
        {"gate": {"max_suspects": 5}},
        {"admission": {"max_rejected_fraction": 0.5}},
        {"spark": {"spark.executor.memory": "2g"}},
        {"classes": ["a", "b"]},
        {"classes": "labels.txt"},
    ],
    ids=str,
)
def test_fingerprint_stays_with_what_does_not(change: dict[str, Any]) -> None:
    assert fingerprint(change) == fingerprint()


def test_fingerprint_stays_with_the_writing_of_a_number() -> None:
    written = [{"admission": {"row_sum_tolerance": value}} for value in (0.001, 1e-3, "1e-3")]
    assert len({fingerprint(mapping) for mapping in written}) == 1


def test_fingerprint_is_the_same_everywhere() -> None:
    # of a release: a new one would make all retries under way fail
    assert fingerprint_of_before(parse_config(INPUT), "audit", LABELS) == "3694a7558731545e"
    assert fingerprint() == "6c9b23db3ad146be"


def test_fingerprint_leaves_out_what_has_its_default() -> None:
    # so that a setting that is added later changes no fingerprint
    written = {"method": {"frac_noise": 1.0}, "clean": {"mode": "drop"}, "columns": {"id": "id"}}
    assert fingerprint(written) == fingerprint()


def test_fingerprint_tells_jobs_apart() -> None:
    config = parse_config(INPUT)
    prints = {fingerprint_of(config, job, {}, LABELS) for job in ("audit", "review")}
    assert len(prints) == 2


def test_fingerprint_leaves_out_what_a_job_does_not_depend_on() -> None:
    one, other = (parse_config(merged({"columns": {"pred_probs": p}})) for p in ("p", "q"))
    without = frozenset({"columns.pred_probs"})
    prints = {fingerprint_of(c, "predict", {}, LABELS, without=without) for c in (one, other)}
    assert len(prints) == 1


# -- the JSON schema -----------------------------------------------------------------------------

ANNOTATIONS = {"title", "description", "default", "$schema", "$defs"}
TYPES = {
    "string": str,
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}


def is_type(value: Any, name: str) -> bool:
    if isinstance(value, bool) and name in ("integer", "number"):
        return False
    return isinstance(value, TYPES[name])


def schema_accepts(schema: dict[str, Any], value: Any, root: dict[str, Any]) -> bool:
    """Validate with the keywords of draft 2020-12 that our schema uses; refuse any other."""
    for keyword, wanted in schema.items():
        if keyword in ANNOTATIONS:
            continue
        if keyword == "$ref":
            fits = schema_accepts(root["$defs"][wanted.removeprefix("#/$defs/")], value, root)
        elif keyword == "type":
            names = wanted if isinstance(wanted, list) else [wanted]
            fits = any(is_type(value, name) for name in names)
        elif keyword == "enum":
            fits = value in wanted
        elif keyword == "const":
            fits = value == wanted
        elif keyword == "anyOf":
            fits = any(schema_accepts(option, value, root) for option in wanted)
        elif keyword == "minimum":
            fits = not is_type(value, "number") or value >= wanted
        elif keyword == "maximum":
            fits = not is_type(value, "number") or value <= wanted
        elif keyword == "items":
            fits = not isinstance(value, list) or all(
                schema_accepts(wanted, entry, root) for entry in value
            )
        elif keyword == "required":
            fits = not isinstance(value, dict) or set(wanted) <= set(value)
        elif keyword == "properties":
            fits = not isinstance(value, dict) or all(
                schema_accepts(wanted[key], entry, root)
                for key, entry in value.items()
                if key in wanted
            )
        elif keyword == "additionalProperties":
            more = {} if not isinstance(value, dict) else value
            more = {key: v for key, v in more.items() if key not in schema.get("properties", {})}
            fits = (
                not more or wanted
                if isinstance(wanted, bool)
                else all(schema_accepts(wanted, entry, root) for entry in more.values())
            )
        else:
            raise AssertionError(f"not a keyword of draft 2020-12 that we know: {keyword}")
        if not fits:
            return False
    return True


def accepts(value: Any) -> bool:
    schema = config_json_schema()
    return schema_accepts(schema, value, schema)


def test_json_schema_names_its_draft() -> None:
    assert config_json_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("name", ["audit.yaml", "demo.yaml"])
def test_json_schema_accepts_our_configurations(name: str) -> None:
    assert accepts(yaml.safe_load((REPOSITORY / "conf" / name).read_text()))


def test_json_schema_accepts_its_own_defaults() -> None:
    assert accepts(parse_config(INPUT).model_dump(mode="json"))


def test_json_schema_accepts_spark_numbers() -> None:
    assert accepts(merged({"spark": {"a": 3, "b": True, "c": "2g"}}))


# what is wrong with a value that has the right type
BEYOND_TYPES = (
    "is empty",
    "is not a path",
    "control character",
    "names no column",
    "one for each class",
    "K = ",
    "more than once",
    "labels of types",
    "outside (0, 2]",
    "is the same location as it",
    "has no effect with",
    "among predict.features",
    "out of predict.features",
    "each column has one meaning",
    "needs a model",
    "is not above 0",
    "name two different audits",
)


@pytest.mark.parametrize("mapping", [case for case, _, _ in WRONG], ids=WRONG_IDS)
def test_json_schema_refuses_what_the_loader_refuses_by_type(mapping: dict[str, Any]) -> None:
    finding = finding_of(mapping)
    seen = accepts(merged(mapping))
    assert seen == any(words in finding for words in BEYOND_TYPES)


def test_json_schema_refuses_unknown_keys() -> None:
    assert not accepts(merged({"methods": {}}))
    assert not accepts(merged({"method": {"filterby": "both"}}))
    assert not accepts({})


@pytest.mark.parametrize("key", list(keys_of_schema()), ids=".".join)
def test_json_schema_describes_every_key(key: tuple[str, ...]) -> None:
    schema = config_json_schema()
    entry: dict[str, Any] = schema
    for name in key:
        entry = entry["properties"][name]
        entry = schema["$defs"][entry["$ref"].split("/")[-1]] if "$ref" in entry else entry
        assert entry["description"].endswith(".")


ICEBERG = {"format": "iceberg", "work": "w", "cleaned": "lake.db.t"}


@pytest.mark.parametrize(
    ("clean", "output", "words"),
    [
        ({"layout": "clone"}, {}, "clone needs output.format: delta, not parquet"),
        ({"publish": "fast_forward"}, {}, "publish_branch: NAME go together"),
        ({"publish_branch": "b"}, ICEBERG, "publish_branch: NAME go together"),
        ({"retain_days": 5}, {}, "clean.retain_days: has no effect with layout copy"),
        ({"keep_original": False}, {}, "no effect with clean.mode: 'drop'"),
        ({"mode": "weight"}, ICEBERG, "which layout branch cannot"),
        ({"mode": "relabel"}, ICEBERG, "set clean.keep_original: false, or use layout copy"),
        ({"layout": "branch"}, ICEBERG | {"cleaned": "lake.db.other"}, "the name 'lake.db.t'"),
        ({"layout": "copy"}, ICEBERG, "is the same location as it"),
        ({}, ICEBERG | {"work": None}, "stages a list of changes"),
    ],
)
def test_config_layouts_that_cannot_be_are_refused(
    clean: dict[str, Any], output: dict[str, Any], words: str
) -> None:
    names = {name: f"lake.db.{name}" for name in OUTPUTS if output}
    mapping = {"input": {"table": "lake.db.t"}, "clean": clean, "output": names | output}
    with pytest.raises(ConfigError) as caught:
        parse_config(mapping)
    assert words in str(caught.value)


def test_config_cleaned_inside_the_input_table_of_iceberg_is_no_clash() -> None:
    names = {name: f"lake.db.{name}" for name in OUTPUTS}
    config = parse_config({"input": {"table": "lake.db.t"}, "output": names | ICEBERG})
    assert resolve_layout(config) == "branch"


def test_config_places_with_variables_are_all_named() -> None:
    output = {"suspects": "$OUT/suspects", "work": "${WORK}", "runs": "out/runs"}
    with pytest.raises(ConfigError) as caught:
        parse_config({"input": {"table": "$IN"}, "classes": "$HOME/labels.txt", "output": output})
    keys = {finding.partition(":")[0] for finding in caught.value.findings}
    assert keys == {"input.table", "classes", "output.suspects", "output.work"}


def test_rows_without_a_record_id_are_numbered_by_another_fingerprint() -> None:
    def of(columns: dict[str, Any]) -> str:
        config = parse_config(merged({"columns": columns}))
        return fingerprint_of(config, "audit", AuditJob.sections, ())

    numbered = parse_config(merged({"columns": {"id": None}})).columns
    assert (numbered.is_numbered, numbered.id_columns) == (True, ("row_number",))
    assert of({}) == of({"id": "id"})
    assert len({of({}), of({"id": None}), of({"id": "row_number"})}) == 3
    finding = finding_of({"columns": {"id": None, "label": "row_number"}})
    assert "'row_number' is named 2 times" in finding
