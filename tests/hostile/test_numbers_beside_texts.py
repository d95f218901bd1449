"""A number beside texts is learnt from, wherever it lies."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB, MultinomialNB

from sparkclean.learning.estimators import make_estimator, make_robust, takes_negative
from sparkclean.learning.features import Block, FeatureMatrix

ROWS = 400


def block(rng: np.random.Generator, given: np.ndarray, *numbers: np.ndarray) -> Block:
    words = rng.integers(0, 60, (ROWS, 5))
    texts = [
        f"w{' w'.join(map(str, row))} of{k}x{row[0] % 9}"
        for k, row in zip(given, words, strict=True)
    ]
    return Block(np.column_stack(numbers), (texts,))


@pytest.mark.parametrize("far", [2020.0, -1e9])
def test_number_far_from_zero_is_as_good_as_near_it(far: float, rng: np.random.Generator) -> None:
    given = rng.integers(0, 3, ROWS)
    near = np.round(given + rng.normal(size=ROWS))
    steps, found = [], []
    for shift in (0.0, far):
        examples = block(np.random.default_rng(1), given, near + shift)
        matrix = FeatureMatrix().fit(examples)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = make_estimator(None, {}, scaled=True).fit(matrix.transform(examples), given)
        steps.append(int(model.n_iter_.max()))
        found.append(model.predict_proba(matrix.transform(examples)))
    assert steps[1] < 2 * steps[0]
    np.testing.assert_allclose(found[1], found[0], atol=1e-3)


def test_number_that_is_always_the_same_or_missing_says_nothing(rng: np.random.Generator) -> None:
    given = rng.integers(0, 3, ROWS)
    gaps = np.where(rng.random(ROWS) < 0.5, np.nan, 2020.0 + given)
    examples = block(rng, given, np.full(ROWS, 0.1), gaps, np.full(ROWS, np.nan))
    matrix = FeatureMatrix().fit(examples)
    found = matrix.transform(examples)[:, :3].toarray()
    np.testing.assert_allclose(found[:, 0], 0.0, atol=1e-12)
    assert (found[np.isnan(gaps), 1] == 0.0).all()
    assert np.nanstd(found[~np.isnan(gaps), 1]) == pytest.approx(1.0)
    assert (found[:, 2] == 0.0).all()


def test_numbers_of_a_model_that_takes_no_negative_ones_are_scaled_only(
    rng: np.random.Generator,
) -> None:
    given = rng.integers(0, 3, ROWS)
    examples = block(rng, given, given + 5.0)
    model = MultinomialNB()
    assert not takes_negative(model)
    matrix = FeatureMatrix(is_centred=takes_negative(model)).fit(examples)
    found = matrix.transform(examples)
    assert found.min() >= 0.0
    model.fit(found, given)
    assert takes_negative(GaussianNB())
    assert takes_negative(LogisticRegression())
    assert takes_negative(make_robust({}, np.eye(3), scaled=True))
    assert takes_negative(object())


def test_matrix_of_an_older_model_is_not_centred(rng: np.random.Generator) -> None:
    given = rng.integers(0, 3, ROWS)
    examples = block(rng, given, given + 2020.0)
    matrix = FeatureMatrix().fit(examples)
    older = FeatureMatrix.__new__(FeatureMatrix)
    names = ("means", "scales", "weights")  # all that its pickle holds
    older.__dict__ |= {name: getattr(matrix, name) for name in names}
    found = older.transform(examples)[:, 0].toarray()[:, 0]
    np.testing.assert_allclose(found, (given + 2020.0) / matrix.scales[0])
