"""Priors, noise matrices and class quality from the calibrated joint."""

from __future__ import annotations

import numpy as np
import pytest

from sparkclean.confident.noise import NoiseModel, class_quality, estimate_noise
from sparkclean.numbers.pair_counts import PairCounts

# rows given, columns true
CALIBRATED = [[8, 2], [1, 9]]
MISSING = [[6, 0, 2], [0, 0, 0], [1, 0, 3]]


def noise_of(calibrated: list[list[int]]) -> NoiseModel:
    counts = np.array(calibrated)
    return estimate_noise(np.eye(len(counts), dtype=np.int64), counts, counts.sum(axis=1))


def near(wanted: object) -> object:
    return pytest.approx(np.array(wanted), rel=1e-12, abs=1e-15)


def test_estimate_noise_joint_is_counts_over_examples() -> None:
    assert noise_of(CALIBRATED).joint == near([[0.4, 0.1], [0.05, 0.45]])


def test_estimate_noise_given_prior_is_the_share_of_each_given_class() -> None:
    assert noise_of([[1, 0], [1, 2]]).given_prior.tolist() == [0.25, 0.75]


def test_estimate_noise_matrix_is_given_by_true() -> None:
    assert noise_of(CALIBRATED).noise_matrix == near([[8 / 9, 2 / 11], [1 / 9, 9 / 11]])


def test_estimate_noise_inverse_matrix_rows_are_true_and_columns_given() -> None:
    assert noise_of(CALIBRATED).inverse_noise_matrix == near([[0.8, 0.1], [0.2, 0.9]])


def test_estimate_noise_true_prior_is_the_ratio_of_the_diagonals_times_the_given_prior() -> None:
    # 0.8 / (8 / 9) / 2 and 0.9 / (9 / 11) / 2 add up to 1 already
    assert noise_of(CALIBRATED).true_prior == near([0.45, 0.55])


def test_estimate_noise_rate_is_the_share_off_the_diagonal() -> None:
    assert noise_of(CALIBRATED).noise_rate == 3 / 20


def test_estimate_noise_clean_joint_has_no_noise() -> None:
    found = noise_of([[5, 0], [0, 3]])
    assert found.noise_rate == 0.0
    assert found.noise_matrix.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert found.inverse_noise_matrix.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert found.true_prior.tolist() == found.given_prior.tolist() == [0.625, 0.375]


def test_estimate_noise_missing_class_has_empty_rows_and_columns() -> None:
    found = noise_of(MISSING)
    for matrix in (found.joint, found.noise_matrix, found.inverse_noise_matrix):
        assert matrix[1].tolist() == [0.0, 0.0, 0.0]
        assert matrix[:, 1].tolist() == [0.0, 0.0, 0.0]


def test_estimate_noise_missing_class_has_the_least_true_prior() -> None:
    raw = np.array([0.75 / (6 / 7) * 8 / 12, 1e-6, 0.75 / (3 / 5) * 4 / 12])
    assert noise_of(MISSING).true_prior == near(raw / raw.sum())
    assert noise_of(MISSING).given_prior[1] == 0.0


def test_estimate_noise_class_that_is_never_given_but_true_keeps_its_column() -> None:
    # everybody truly of class 1 is given 0: the rate is clipped, then its column sums to 1 again
    found = noise_of([[5, 3], [0, 0]])
    assert found.noise_matrix == near([[1.0, 1.0], [0.0, 0.0]])


def test_estimate_noise_rate_near_one_is_clipped_and_renormalised() -> None:
    found = noise_of([[1, 99_999], [0, 1]])
    off, own = 0.9999, 1 / 100_000
    assert found.noise_matrix[:, 1] == near([off / (off + own), own / (off + own)])


def test_estimate_noise_inverse_rate_near_one_is_clipped_and_renormalised() -> None:
    found = noise_of([[1, 99_999], [0, 1]])
    off, own = 0.9999, 1 / 100_000
    assert found.inverse_noise_matrix[:, 0] == near([own / (off + own), off / (off + own)])


def test_estimate_noise_diagonal_near_one_is_not_clipped() -> None:
    found = noise_of([[99_999, 0], [1, 1]])
    assert found.noise_matrix[0, 0] == near(0.99999)


def test_estimate_noise_class_without_a_right_example_has_the_least_true_prior() -> None:
    # class 0: (1 / 1) / (1 / 5) * 1 / 5; class 1: 0, raised to 1e-6
    found = noise_of([[1, 0], [4, 0]])
    assert found.true_prior == near([1 / (1 + 1e-6), 1e-6 / (1 + 1e-6)])


def test_estimate_noise_true_prior_of_a_full_diagonal_is_the_share_of_each_column() -> None:
    assert noise_of([[2, 8], [9, 1]]).true_prior == near([11 / 20, 9 / 20])


def test_estimate_noise_keeps_the_joints_it_was_given() -> None:
    joint, counts = np.array([[4, 1], [1, 2]]), np.array([[8, 2], [1, 2]])
    found = estimate_noise(joint, counts, counts.sum(axis=1))
    assert found.confident_joint is joint
    assert found.calibrated_joint is counts


def test_estimate_noise_does_not_change_the_calibrated_joint() -> None:
    counts = np.array(CALIBRATED)
    estimate_noise(counts, counts, counts.sum(axis=1))
    assert counts.tolist() == CALIBRATED


def test_noise_rate_of_an_empty_joint_is_zero() -> None:
    empty = np.zeros((2, 2))
    none = np.zeros((2, 2), np.int64)
    model = NoiseModel(none, none, empty, empty[0], empty[0], empty, empty)
    assert model.noise_rate == 0.0


def test_class_weights_undo_the_loss_of_the_right_labels_of_a_class() -> None:
    assert noise_of(CALIBRATED).class_weights == near([9 / 8, 11 / 9])


def test_class_weights_of_a_missing_class_are_bounded() -> None:
    assert noise_of(MISSING).class_weights[1] == 1000.0


def test_class_quality_label_issues_are_given_the_class_and_of_another() -> None:
    assert class_quality(PairCounts(CALIBRATED)).label_issues.tolist() == [2, 1]


def test_class_quality_inverse_label_issues_are_of_the_class_and_given_another() -> None:
    assert class_quality(PairCounts(CALIBRATED)).inverse_label_issues.tolist() == [1, 2]


def test_class_quality_noise_is_per_given_and_inverse_noise_per_true() -> None:
    found = class_quality(PairCounts(CALIBRATED))
    assert found.label_noise == near([0.2, 0.1])
    assert found.inverse_label_noise == near([1 / 9, 2 / 11])


def test_class_quality_score_is_one_less_the_noise() -> None:
    assert class_quality(PairCounts(CALIBRATED)).label_quality_score == near([0.8, 0.9])


def test_class_quality_missing_class_has_no_issues() -> None:
    found = class_quality(PairCounts(MISSING))
    assert found.label_issues[1] == found.inverse_label_issues[1] == 0
    assert found.label_noise[1] == found.inverse_label_noise[1] == 0.0
    assert found.label_quality_score[1] == 1.0
