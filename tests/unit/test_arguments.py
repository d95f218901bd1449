"""Errors of calls in Python name arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkclean.config.arguments import in_words_of_arguments, words_of_arguments
from sparkclean.config.model import parse_sections
from sparkclean.errors import ConfigError, InputChangedError, InputError
from sparkclean.examples.checks import REMEDIES
from sparkclean.examples.columns import EMPTY
from sparkclean.rows.row_writer import check_shared


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("columns.label: column 'x' is double; cast it", "label=: column 'x' is double; cast it"),
        (
            "Set columns.id, columns.label and columns.pred_probs",
            "Set id=, label= and pred_probs=",
        ),
        ("classes: 3 labels, columns.pred_probs has", "classes=: 3 labels, pred_probs= has"),
        ("classes: null, but column 'y' holds", "classes=None, but column 'y' holds"),
        (
            "method.adjust_pred_probs: true contradicts method.ranked_by: 'entropy'; scores are a",
            "adjust_pred_probs=True contradicts ranked_by='entropy'; scores are a",
        ),
        (
            "method.thresholds: 3 values for 4 classes; give one for each",
            "thresholds=: 3 values for 4 classes; give one for each",
        ),
        ("method.frac_noise: 0.5 has no effect", "frac_noise=: 0.5 has no effect"),
        ("set predict.missing: impute", "set missing='impute'"),
        ("or set predict.group: null", "or set group=None"),
        ("fewer predict.n_folds or another predict.group", "fewer n_folds= or another group="),
        (
            "predict.features: [] names no column",
            "features=[] names no column",
        ),
        ("admission.max_rejected_fraction allows 1%", "max_rejected_fraction= allows 1%"),
        ("columns: 'a' is named 2 times; each", "'a' is named 2 times; each"),
        ("column 'input.label' is not there", "column 'input.label' is not there"),
        (EMPTY, "the DataFrame is empty (0 rows to audit)"),
    ],
)  # fmt: skip
def test_words_of_arguments(said: str, wanted: str) -> None:
    assert words_of_arguments(said) == wanted


def test_folder_that_workers_do_not_see_names_the_argument(tmp_path: Path) -> None:
    said = "pass work=, a folder that driver and executors share"
    with pytest.raises(InputError, match=said), in_words_of_arguments():
        check_shared(str(tmp_path / "elsewhere"))


@pytest.mark.parametrize("remedy", REMEDIES.values())
def test_remedy_for_rows_names_no_configuration(remedy: str) -> None:
    said = words_of_arguments(remedy)
    assert "input." not in said
    assert "admission." not in said


@pytest.mark.parametrize("kind", [ConfigError, InputError, InputChangedError])
def test_error_keeps_its_kind_and_all_findings(kind: type[ConfigError | InputError]) -> None:
    with pytest.raises(kind) as caught, in_words_of_arguments():
        raise kind(["columns.id: is null", "method.ranked_by: 'x' is unknown"])
    assert caught.value.findings == ("id=: is null", "ranked_by='x' is unknown")


def test_options_that_are_wrong_are_named_as_arguments() -> None:
    with pytest.raises(ConfigError) as caught, in_words_of_arguments():
        parse_sections({"method": {"filterby": "both", "frac_noise": 3}, "classes": [1]})
    wanted = "filterby=: unknown argument (value 'both'); did you mean 'filter_by'?"
    assert wanted in caught.value.findings
    assert not any("method." in text for text in caught.value.findings)
