"""Contradictions in the configuration of `sparkclean rank-models`: each has its own message."""

from __future__ import annotations

from typing import Any

import pytest

from sparkclean.config.file import load_config
from sparkclean.config.fingerprint import fingerprint
from sparkclean.config.model import parse_config
from sparkclean.errors import ConfigError
from sparkclean.jobs.rank_models.sections import RankSection
from sparkclean.jobs.rank_models.tables import no_suspects

ANSWERS = {"table": "answers", "model": "model", "prediction": "answer"}
LABELS = {"table": "questions"}


def config_of(**rank: Any) -> Any:
    return parse_config({"rank": {"answers": ANSWERS, "labels": LABELS} | rank})


@pytest.mark.parametrize(
    ("rank", "path", "words"),
    [
        ({"metrics": []}, "rank.metrics", "[] names no metric; name one, or leave it out"),
        ({"metrics": ["accuracy"] * 2}, "rank.metrics", "'accuracy' is listed 2 times"),
        ({"metrics": ["log_loss"]}, "rank.metrics", "log_loss needs probabilities; name their"),
        (
            {"answers": ANSWERS | {"predictions": ["a", "b"]}},
            "rank.answers.predictions",
            "lists columns, but rank.answers.model names a column of models",
        ),
        (
            {"answers": {"table": "a", "model": "m"}},
            "rank.answers",
            "name either prediction, the column of predicted labels, or probabilities",
        ),
        (
            {"answers": {"table": "a", "prediction": "p"}},
            "rank.answers.model",
            "null, so list a column for each model in rank.answers.predictions",
        ),
        (
            {"answers": {"table": "a", "predictions": ["x"]}},
            "rank.answers.predictions",
            "['x'] lists 1 columns; a ranking needs at least 2 models",
        ),
        (
            {"answers": {"table": "a", "predictions": ["x", "y", "x"]}},
            "rank.answers.predictions",
            "'x' is listed 2 times; list it once",
        ),
        (
            {"answers": {"table": "a", "model": "m", "probabilities": "p"}},
            "classes",
            "null, but rank.answers.probabilities is 'p'; list the labels in the order",
        ),
        (
            {"labels": LABELS | {"cleaned": "c", "suspects": "s"}},
            "rank.labels",
            "cleaned and suspects both name an audit's output",
        ),
        (
            {"labels": LABELS | {"valid": "ok", "suspects": "s"}},
            "rank.labels.suspects",
            "an audit's output, but valid or corrected say which labels are right",
        ),
    ],
)
def test_rank_contradiction_is_one_finding_with_its_key(
    rank: dict[str, Any], path: str, words: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        config_of(**rank)
    (finding,) = raised.value.findings
    assert finding.startswith(f"{path}: ")
    assert words in finding


def test_rank_input_table_is_that_of_the_answers() -> None:
    config = config_of()
    assert config.input.table == "answers"
    assert config.output.location("flips") == "out/answers/flips"


def test_rank_labels_in_the_table_of_the_answers_are_no_second_table() -> None:
    for one, other in (("both", "both"), ("lake/both", "./lake/both"), ("lake/both", "lake/both/")):
        answers = {"table": one, "predictions": ["x", "y"]}
        config = config_of(answers=answers, labels={"table": other})
        assert config.section(RankSection).tables() == {}


def test_rank_run_id_without_suspects_is_named_with_those_that_are_there() -> None:
    assert no_suspects("out/suspects", "monday", ["sunday", "friday"]) == (
        "rank.labels.audit: out/suspects has no suspects of run 'monday'; it has those of "
        "'sunday', 'friday'; name one of them, and leave suspects out where the audit found none"
    )


def test_rank_metrics_by_default_are_those_that_the_answers_allow() -> None:
    assert config_of().section(RankSection).chosen_metrics == (
        "accuracy", "balanced_accuracy", "macro_f1",
    )  # fmt: skip
    answers = {"table": "answers", "model": "model", "probabilities": "p"}
    mapping = {"rank": {"answers": answers, "labels": LABELS}, "classes": [0, 1]}
    assert parse_config(mapping).section(RankSection).chosen_metrics[-1] == "log_loss"


def test_rank_fingerprint_knows_nested_settings_and_no_location_of_the_answers() -> None:
    def of(**rank: Any) -> str:
        return fingerprint(config_of(**rank), "rank-models", {"rank": RankSection}, ())

    assert of(answers=ANSWERS | {"table": "elsewhere"}) == of()
    assert of(answers=ANSWERS | {"item": "question"}) != of()
    assert of(labels=LABELS | {"valid": "ok"}) != of()
    assert of(missing="wrong") != of()


def test_set_reaches_keys_of_a_section_within_a_section() -> None:
    mapping = {"rank": {"answers": ANSWERS, "labels": LABELS}}
    overrides = ["rank.labels.valid=error_type = 'ok'", "rank.answers.item=question"]
    rank = load_config(mapping, overrides=overrides, environ={}).section(RankSection)
    assert (rank.labels.valid, rank.labels.table) == ("error_type = 'ok'", "questions")
    assert (rank.answers.item, rank.answers.model) == ("question", "model")
    assert mapping["rank"]["labels"] == LABELS  # what the caller holds is left alone
