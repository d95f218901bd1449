"""The configuration of `sparkclean simulate`: contradictions, labels that are none, matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sparkclean.config.model import parse_config
from sparkclean.errors import ConfigError, InputError
from sparkclean.jobs.simulate.frames import refuse_unknown_groups
from sparkclean.jobs.simulate.noises import noises_of
from sparkclean.jobs.simulate.sections import KINDS, NoiseSection
from sparkclean.noise import simulate


def findings_of(*noise: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        parse_config({"input": {"table": "in"}, "simulate": {"noise": list(noise)}})
    return list(raised.value.findings)


def test_kinds_are_those_of_the_room_of_noise() -> None:
    assert KINDS == simulate.KINDS


@pytest.mark.parametrize(
    ("noise", "path", "words"),
    [
        ({"kind": "uniform"}, "simulate.noise.0.rate", "kind uniform needs a rate, such as 0.05"),
        ({"kind": "uniforms", "rate": 0.1}, "simulate.noise.0.kind", "did you mean 'uniform'?"),
        ({"kind": "uniform", "rate": 1.5}, "simulate.noise.0.rate", "a number from 0 to 1"),
        ({"kind": "uniform", "rat": 0.1}, "simulate.noise.0.rat", "did you mean 'rate'?"),
        ({"rate": 0.1}, "simulate.noise.0.kind", "is missing; it has no default"),
        (
            {"kind": "pairs", "rate": 0.1},
            "simulate.noise.0.pairs",
            "needs labels, such as [[cat, dog]]",
        ),
        (
            {"kind": "swap", "pairs": [["a", "a"]]},
            "simulate.noise.0.pairs",
            "['a', 'a'] is no pair of different labels",
        ),
        ({"kind": "class"}, "simulate.noise.0", "needs either matrix, or trace"),
        (
            {"kind": "class", "trace": 2.0, "matrix": [[1.0]]},
            "simulate.noise.0",
            "needs either matrix, or trace",
        ),
        ({"kind": "shift", "rate": 0.1}, "simulate.noise.0.by", "needs the column of its groups"),
        ({"kind": "source", "by": "s"}, "simulate.noise.0.rates", "needs rates or matrices"),
        (
            {"kind": "source", "by": "s", "rates": {"a": 0.1}, "matrices": {"a": [[1.0]]}},
            "simulate.noise.0.rates",
            "'a' has a matrix, too; leave one of the two out",
        ),
        (
            {"kind": "boundary", "rate": 0.1},
            "simulate.noise.0.order",
            "needs the column of the score",
        ),
        (
            {"kind": "uniform", "rate": 0.1, "values": ["a"]},
            "simulate.noise.0.values",
            "set, but by is null",
        ),
        ({"kind": "shift", "by": "f", "rate": 0.1, "lag": 0}, "simulate.noise.0.lag", "at least 1"),
    ],
)
def test_noise_that_is_none_is_one_finding_with_its_key(
    noise: dict[str, Any], path: str, words: str
) -> None:
    (finding,) = findings_of(noise)
    assert finding.startswith(f"{path}: ")
    assert words in finding


def test_all_noise_is_looked_at_and_none_is_refused() -> None:
    found = findings_of({"kind": "uniform"}, {"kind": "uniform", "rate": 0.1}, {"kind": "class"})
    assert [text.split(": ")[0] for text in found] == ["simulate.noise.0.rate", "simulate.noise.2"]
    assert findings_of() == ["simulate.noise: [] lists no noise; list at least one kind"]
    with pytest.raises(ConfigError, match="is not a list of sections; begin each with - "):
        parse_config({"input": {"table": "in"}, "simulate": {"noise": 5}})


def noise_of(classes: tuple[Any, ...] = ("a", "b"), **noise: Any) -> simulate.Noise:
    (found,) = noises_of([NoiseSection.model_validate(noise)], classes, 0)
    return found


def test_labels_become_class_numbers() -> None:
    assert noise_of(kind="pairs", rate=0.1, pairs=[["b", "a"]]).pairs == ((1, 0),)
    assert noise_of((False, True), kind="swap", pairs=[[True, False]]).pairs == ((1, 0),)
    found = noise_of(kind="source", by="s", rates={"x": 0.2})
    assert found.matrix_of(2, "x")[0].tolist() == [0.8, 0.2]
    assert (found.matrix_of(2, "y") == np.eye(2)).all()


def test_rows_of_a_matrix_have_the_sum_1_after_rounding() -> None:
    found = noise_of(kind="class", matrix=[[0.9, 0.1000009], [0.0999991, 0.9]])
    assert found.matrix is not None
    assert found.matrix.sum(axis=1) == pytest.approx([1.0, 1.0], abs=1e-15)
    counts = simulate.cell_counts(10**8, found.matrix[0])
    assert counts.tolist() == [89999919, 10000081]  # sum 10**8


def test_rates_of_groups_that_no_row_is_of_are_refused() -> None:
    noise = noise_of(kind="annotator", by="who", rates={"ann": 0.1, "bbo": 0.2})
    refuse_unknown_groups(noise, ["ann", "bbo", "cat"], "simulate.noise.0")
    with pytest.raises(InputError) as raised:
        refuse_unknown_groups(noise, ["ann", "bob"], "simulate.noise.0")
    assert str(raised.value) == (
        "simulate.noise.0: rates or matrices name 'bbo', which no row that may change has in the "
        "column of by; it holds 'ann', 'bob'"
    )


@pytest.mark.parametrize(
    ("noise", "words"),
    [
        ({"kind": "pairs", "rate": 0.1, "pairs": [["a", "c"]]}, "'c' is not among the 2 classes"),
        ({"kind": "pairs", "rate": 0.1, "pairs": [[1, 0]]}, "1 is not among the 2 classes"),
        ({"kind": "class", "matrix": [[1.0]]}, "a matrix of 2 rows of 2 numbers is needed"),
        (
            {"kind": "class", "matrix": [[0.5, 0.4], [0.0, 1.0]]},
            "rows 1 are no probabilities: from 0 to 1, with sum 1",
        ),
        ({"kind": "class", "trace": 2.5}, "2.5 is not between 0 and K = 2"),
        (
            {"kind": "source", "by": "s", "matrices": {"x": [[1.0, 0.0], [0.5, 0.4]]}},
            "simulate.noise.0.matrices.x: rows 2 are no probabilities",
        ),
    ],
)
def test_noise_that_does_not_fit_the_classes_is_refused(noise: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        noise_of(**noise)
    assert words in str(raised.value)
