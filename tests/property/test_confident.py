"""What must hold for any data."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn
from numpy.typing import NDArray

from sparkclean.confident.admission import OUT_OF_RANGE, ROW_SUM, VALID, admit
from sparkclean.confident.filters import agrees, prune_counts
from sparkclean.confident.issues import ArrayFindings, audit_arrays
from sparkclean.confident.joint import calibrate_joint, confident_joint, count_pairs
from sparkclean.confident.noise import estimate_noise
from sparkclean.confident.scores import (
    ScoreInputs,
    best_other,
    label_quality,
    prior_shift,
    self_confidence,
)
from sparkclean.confident.thresholds import confident_thresholds
from sparkclean.examples.suspect_totals import suspect_texts
from sparkclean.numbers.fixed_point import (
    join_limbs,
    portable_log,
    split_limbs,
    sum_by_class,
    sum_columns,
    sum_rows,
)
from sparkclean.numbers.result_hash import join_hash_limbs, sum_hashes, suspect_text
from sparkclean.schema import FILTERS, SCORES
from tests.data import noisy_data

PROPERTY = settings(deadline=None, derandomize=True, max_examples=150)

Data = tuple[NDArray[np.int64], NDArray[np.float64]]


@st.composite
def data(draw: st.DrawFn, *, ties: bool | None = None, max_classes: int = 12) -> Data:
    """Labels and probabilities; a class may be missing."""
    labels, probs = noisy_data(
        draw(st.integers(2, 80)),
        draw(st.integers(2, max_classes)),
        noise=draw(st.sampled_from([0.0, 0.2, 0.6])),
        seed=draw(st.integers(0, 2**32 - 1)),
        ties=draw(st.booleans()) if ties is None else ties,
    )
    return labels, probs


@st.composite
def joints(draw: st.DrawFn, largest: int = 60) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A confident joint and examples, not necessarily of the same order of magnitude."""
    size = draw(st.integers(1, 6))
    entries = st.one_of(st.integers(0, 3), st.integers(0, largest))
    flat = draw(st.lists(entries, min_size=size * size, max_size=size * size))
    joint = confident_joint(np.array(flat, np.int64).reshape(size, size))
    examples = draw(st.lists(st.integers(0, largest), min_size=size, max_size=size))
    return joint, np.array(examples, np.int64)


@st.composite
def rows_of_probabilities(draw: st.DrawFn) -> Data:
    """Rows that sum to 1 with exact zeros, tiny values and near certainty among them."""
    size = draw(st.integers(2, 12))
    weight = st.one_of(
        st.just(0.0), st.just(1.0), st.floats(0.0, 1.0), st.floats(-300.0, 0.0).map(lambda e: 10**e)
    )
    weights = draw(st.lists(weight, min_size=size, max_size=size))
    total = math.fsum(weights)
    assume(total > 1e-290)
    row = np.array(weights) / total
    # every class in turn is the given one
    return np.arange(size), np.tile(row, (size, 1))


# --- calibration ---


def check_calibrated(joint: NDArray[np.int64], examples: NDArray[np.int64]) -> None:
    found = calibrate_joint(joint, examples)
    assert found.sum(axis=1).tolist() == examples.tolist()
    assert (found >= 0).all()
    for row, counts, wanted in zip(found.tolist(), joint.tolist(), examples.tolist(), strict=True):
        for entry, count in zip(row, counts, strict=True):
            exact = Fraction(count * wanted, sum(counts))
            assert abs(exact - entry) < 1
            if count == 0 or exact == entry:
                assert entry == exact


@PROPERTY
@given(joints())
def test_calibrate_joint_any_rows_sum_to_their_examples(problem: Any) -> None:
    check_calibrated(*problem)


@PROPERTY
@given(joints(largest=10**11))
def test_calibrate_joint_any_huge_rows_sum_to_their_examples(problem: Any) -> None:
    check_calibrated(*problem)


def calibrate_by_fractions(counts: list[int], examples: int) -> list[int]:
    """Calibrate one row as the method words it."""
    exact = [Fraction(count * examples, sum(counts)) for count in counts]
    rounded = [round(value) for value in exact]  # half to even
    remainders = [value - entry for value, entry in zip(exact, rounded, strict=True)]
    while sum(rounded) < examples:  # largest remainder, then highest class
        place = max(range(len(counts)), key=lambda k: (remainders[k], k))
        rounded[place], remainders[place] = rounded[place] + 1, Fraction(-2)
    while sum(rounded) > examples:  # smallest remainder, then lowest class
        place = min(range(len(counts)), key=lambda k: (remainders[k], k))
        rounded[place], remainders[place] = rounded[place] - 1, Fraction(2)
    return rounded


@PROPERTY
@given(st.one_of(joints(), joints(largest=8), joints(largest=10**11)))
def test_calibrate_joint_any_is_the_method_in_fractions(problem: Any) -> None:
    joint, examples = problem
    wanted = [
        calibrate_by_fractions(counts, n)
        for counts, n in zip(joint.tolist(), examples.tolist(), strict=True)
    ]
    assert calibrate_joint(joint, examples).tolist() == wanted


@PROPERTY
@given(joints())
def test_calibrate_joint_large_integers_are_rounded_as_small_ones(problem: Any) -> None:
    # the same ratios, once in 64 bits and once in Python integers
    joint, examples = problem
    scaled = calibrate_joint(joint * (1 << 52), examples)
    assert scaled.tolist() == calibrate_joint(joint, examples).tolist()


@PROPERTY
@given(joints(), st.randoms(use_true_random=False))
def test_calibrate_joint_permuted_classes_permute_rows_without_tied_remainders(
    problem: Any, random: Any
) -> None:
    joint, examples = problem
    order = list(range(len(joint)))
    random.shuffle(order)
    found = calibrate_joint(joint, examples)
    permuted = calibrate_joint(joint[np.ix_(order, order)], examples[order])
    for place, row in enumerate(order):
        total = int(joint[row].sum())
        remainders = [(int(c) * int(examples[row])) % total for c in joint[row] if c]
        if len(set(remainders)) == len(remainders):
            assert permuted[place].tolist() == found[row][order].tolist()


# --- noise model and quotas ---


@PROPERTY
@given(joints())
def test_estimate_noise_any_columns_sum_to_one(problem: Any) -> None:
    joint, examples = problem
    assume(examples.sum() > 0)
    counts = calibrate_joint(joint, examples)
    noise = estimate_noise(joint, counts, examples)
    sums = noise.noise_matrix.sum(axis=0)
    np.testing.assert_allclose(sums, counts.sum(axis=0) > 0, rtol=0.0, atol=1e-12)
    sums = noise.inverse_noise_matrix.sum(axis=0)
    np.testing.assert_allclose(sums, examples > 0, rtol=0.0, atol=1e-12)


@PROPERTY
@given(joints())
def test_estimate_noise_any_priors_and_joint_are_distributions(problem: Any) -> None:
    joint, examples = problem
    assume(examples.sum() > 0)
    noise = estimate_noise(joint, calibrate_joint(joint, examples), examples)
    for distribution in (noise.joint, noise.given_prior, noise.true_prior):
        assert (distribution >= 0.0).all()
        assert distribution.sum() == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(noise.joint.sum(axis=1), noise.given_prior, atol=1e-12)
    assert 0.0 <= noise.noise_rate <= 1.0


@PROPERTY
@given(joints(), st.integers(0, 8), st.floats(0.0, 1.0))
def test_prune_counts_any_quotas_keep_the_minimum_and_do_not_grow(
    problem: Any, min_examples: int, frac_noise: float
) -> None:
    counts = calibrate_joint(*problem)
    quotas = prune_counts(counts, min_examples=min_examples, frac_noise=frac_noise)
    assert (quotas.diagonal() >= np.maximum(counts.diagonal(), min_examples)).all()
    off_diagonal = ~np.eye(len(counts), dtype=np.bool_)
    assert (quotas >= 0).all()
    assert (quotas <= counts)[off_diagonal].all()


# --- the audit under permutations ---


def audit_every_filter(labels: Any, probs: Any) -> dict[str, ArrayFindings]:
    return {f: audit_arrays(labels, probs, filter_by=f) for f in FILTERS}


@PROPERTY
@given(data(ties=False), st.randoms(use_true_random=False))
def test_audit_permuted_rows_change_nothing_but_positions(problem: Data, random: Any) -> None:
    labels, probs = problem
    order = list(range(len(labels)))
    random.shuffle(order)
    there, back = audit_every_filter(labels, probs), audit_every_filter(labels[order], probs[order])
    for filter_by in FILTERS:
        one, other = there[filter_by], back[filter_by]
        assert other.thresholds.tobytes() == one.thresholds.tobytes()
        assert other.noise.true_prior.tobytes() == one.noise.true_prior.tobytes()
        assert other.noise.confident_joint.tolist() == one.noise.confident_joint.tolist()
        assert other.noise.calibrated_joint.tolist() == one.noise.calibrated_joint.tolist()
        assert other.outcomes.tolist() == one.outcomes[order].tolist()
        assert other.label_quality.tobytes() == one.label_quality[order].tobytes()
        assert other.is_label_issue.tolist() == one.is_label_issue[order].tolist()


@PROPERTY
@given(data(ties=True), st.randoms(use_true_random=False))
def test_audit_permuted_rows_with_ties_keep_all_but_the_cuts(problem: Data, random: Any) -> None:
    labels, probs = problem
    order = list(range(len(labels)))
    random.shuffle(order)
    there, back = audit_every_filter(labels, probs), audit_every_filter(labels[order], probs[order])
    for filter_by in FILTERS:
        one, other = there[filter_by], back[filter_by]
        assert other.thresholds.tobytes() == one.thresholds.tobytes()
        assert other.noise.calibrated_joint.tolist() == one.noise.calibrated_joint.tolist()
        assert other.outcomes.tolist() == one.outcomes[order].tolist()
        if filter_by in ("confident_learning", "predicted_neq_given"):
            assert other.is_label_issue.tolist() == one.is_label_issue[order].tolist()
        if filter_by.startswith("low_"):
            assert other.is_label_issue.sum() == one.is_label_issue.sum()


@PROPERTY
@given(data(ties=False), st.randoms(use_true_random=False))
def test_audit_permuted_classes_permute_thresholds_and_joint(problem: Data, random: Any) -> None:
    labels, probs = problem
    order = list(range(probs.shape[1]))
    random.shuffle(order)
    place = np.argsort(order)
    one = audit_arrays(labels, probs, filter_by="confident_learning")
    other = audit_arrays(place[labels], probs[:, order], filter_by="confident_learning")
    assert other.thresholds.tobytes() == one.thresholds[order].tobytes()
    assert other.examples.tolist() == one.examples[order].tolist()
    joint = one.noise.confident_joint[np.ix_(order, order)]
    assert other.noise.confident_joint.tolist() == joint.tolist()
    outcomes = np.where(one.outcomes >= 0, place[one.outcomes], -1)
    assert other.outcomes.tolist() == outcomes.tolist()
    assert other.is_label_issue.tolist() == one.is_label_issue.tolist()
    assert other.label_quality.tobytes() == one.label_quality.tobytes()


# --- the audit's own consistency ---


@PROPERTY
@given(data())
def test_audit_any_flagged_row_is_one_the_model_disagrees_with(problem: Data) -> None:
    labels, probs = problem
    agreed = agrees(labels, self_confidence(labels, probs), *best_other(labels, probs))
    for filter_by in FILTERS:
        if not filter_by.startswith("low_"):
            assert not (
                audit_arrays(labels, probs, filter_by=filter_by).is_label_issue & agreed
            ).any()


@PROPERTY
@given(data())
def test_audit_any_both_is_the_intersection(problem: Data) -> None:
    found = {f: r.is_label_issue for f, r in audit_every_filter(*problem).items()}
    wanted = found["prune_by_class"] & found["prune_by_noise_rate"]
    assert found["both"].tolist() == wanted.tolist()


@PROPERTY
@given(data())
def test_audit_any_low_score_filters_take_as_many_as_confident_learning(problem: Data) -> None:
    found = {f: int(r.is_label_issue.sum()) for f, r in audit_every_filter(*problem).items()}
    assert found["low_self_confidence"] == found["confident_learning"]
    assert found["low_normalized_margin"] == found["confident_learning"]


@PROPERTY
@given(data())
def test_audit_any_low_self_confidence_takes_the_lowest(problem: Data) -> None:
    found = audit_arrays(*problem, filter_by="low_self_confidence")
    flagged, scores = found.is_label_issue, found.label_quality
    if flagged.any() and not flagged.all():
        assert scores[flagged].max() <= scores[~flagged].min()


@PROPERTY
@given(data(), st.sampled_from(FILTERS))
def test_audit_any_table_twice_has_the_same_bits(problem: Data, filter_by: str) -> None:
    labels, probs = problem
    one = audit_arrays(labels, probs, filter_by=filter_by)
    other = audit_arrays(labels.tolist(), np.asfortranarray(probs), filter_by=filter_by)
    assert one.thresholds.tobytes() == other.thresholds.tobytes()
    assert one.noise.noise_matrix.tobytes() == other.noise.noise_matrix.tobytes()
    assert one.is_label_issue.tolist() == other.is_label_issue.tolist()


# --- batches ---


@PROPERTY
@given(data(), st.floats(0.0, 1.0))
def test_sums_any_split_of_a_batch_adds_up(problem: Data, where: float) -> None:
    labels, probs = problem
    size, cut = probs.shape[1], round(where * len(labels))
    own = self_confidence(labels, probs)
    parts = [slice(0, cut), slice(cut, None)]
    whole = sum_by_class(labels, own, size)
    assert sum(sum_by_class(labels[p], own[p], size) for p in parts).tolist() == whole.tolist()
    whole = sum_columns(probs)
    assert sum(sum_columns(probs[p]) for p in parts).tolist() == whole.tolist()
    whole = count_pairs(labels, probs.argmax(axis=1), size)
    counted = sum(count_pairs(labels[p], probs[p].argmax(axis=1), size) for p in parts)
    assert counted.tolist() == whole.tolist()


@PROPERTY
@given(data(), st.integers(0, 2**32 - 1))
def test_admit_any_row_has_the_verdict_it_has_alone(problem: Data, seed: int) -> None:
    rng = np.random.default_rng(seed)
    _, probs = problem
    probs = probs * (1.0 + rng.choice([0.0, 9e-4, 1.1e-3, -1.1e-3], (len(probs), 1)))
    together = admit(probs, row_sum_tolerance=1e-3)
    alone = [admit(probs[i : i + 1], row_sum_tolerance=1e-3) for i in range(len(probs))]
    assert together.verdicts.tolist() == [int(a.verdicts[0]) for a in alone]
    assert together.clipped == sum(a.clipped for a in alone)
    assert set(together.verdicts.tolist()) <= {VALID, OUT_OF_RANGE, ROW_SUM}


@PROPERTY
@given(st.lists(st.integers(0, 1 << 80), max_size=20))
def test_limbs_any_totals_added_apart_are_their_sum(totals: list[int]) -> None:
    limbs = [split_limbs(total) for total in totals]
    assert join_limbs(sum(h for h, _ in limbs), sum(low for _, low in limbs)) == sum(totals)


@PROPERTY
@given(
    st.lists(st.integers(0, 1 << 62), min_size=1, max_size=6),
    st.lists(st.integers(1, 1 << 33), min_size=6, max_size=6),
)
def test_thresholds_any_sums_are_correctly_rounded_ratios(
    sums: list[int], examples: list[int]
) -> None:
    examples = examples[: len(sums)]
    wanted = [max(float(Fraction(s, n << 40)), 2e-6) for s, n in zip(sums, examples, strict=True)]
    assert confident_thresholds(sums, examples).tolist() == wanted


# --- logarithms, sums of rows, scores ---


@PROPERTY
@given(st.floats(5e-324, 1.7e308))
def test_portable_log_any_value_is_within_two_to_the_minus_40(value: float) -> None:
    assert abs(portable_log(np.array([value]))[0] - math.log(value)) < 2.0**-40


@PROPERTY
@given(st.one_of(st.floats(5e-324, 1.7e308), st.floats(0.5, 2.0), st.floats(0.999999, 1.000001)))
def test_portable_log_any_value_keeps_its_digits(value: float) -> None:
    wanted = math.log(value)
    assert abs(portable_log(np.array([value]))[0] - wanted) <= 1e-15 * abs(wanted)


@PROPERTY
@given(
    stn.arrays(
        np.float64,
        st.tuples(st.integers(1, 4), st.integers(1, 300)),
        elements=st.floats(-1.0, 1.0, allow_subnormal=False),
        fill=st.floats(-1.0, 1.0, allow_subnormal=False),
    )
)
def test_sum_rows_any_matrix_is_numpys_sum_within_rounding(matrix: NDArray[np.float64]) -> None:
    bound = matrix.shape[1] * np.finfo(float).eps * np.abs(matrix).sum(axis=1)
    assert (np.abs(sum_rows(matrix) - matrix.sum(axis=1)) <= bound).all()
    exact = [math.fsum(row) for row in matrix]
    assert (np.abs(sum_rows(matrix) - exact) <= bound).all()


@PROPERTY
@given(rows_of_probabilities(), st.sampled_from(SCORES))
def test_label_quality_any_score_is_between_zero_and_one(problem: Data, method: str) -> None:
    labels, probs = problem
    size = probs.shape[1]
    shift = prior_shift(
        np.eye(size, dtype=np.int64), [int(s) for s in sum_columns(probs)], len(probs)
    )
    found = label_quality(labels, probs, method=method, inputs=ScoreInputs(prior_shift=shift))
    assert np.isfinite(found).all()
    assert ((found >= 0.0) & (found <= 1.0)).all()


@PROPERTY
@given(
    rows_of_probabilities(),
    st.sampled_from(["self_confidence", "normalized_margin"]),
    st.lists(st.one_of(st.just(2.0), st.floats(2e-6, 1.0)), min_size=12, max_size=12),
)
def test_label_quality_any_adjusted_score_is_between_zero_and_one(
    problem: Data, method: str, thresholds: list[float]
) -> None:
    labels, probs = problem
    inputs = ScoreInputs(thresholds=np.array(thresholds[: probs.shape[1]]))
    found = label_quality(labels, probs, method=method, adjusted=True, inputs=inputs)
    assert ((found >= 0.0) & (found <= 1.0)).all()


@PROPERTY
@given(rows_of_probabilities())
def test_label_quality_any_row_orders_its_classes_by_probability(problem: Data) -> None:
    labels, probs = problem
    order = np.argsort(probs[0], kind="stable")
    for method in ("self_confidence", "normalized_margin"):
        found = label_quality(labels, probs, method=method)
        assert (np.diff(found[order]) >= 0.0).all()


# --- the result hash ---

ROW_CLASSES = st.tuples(st.integers(0, 5000), st.integers(0, 5000))
ID = st.one_of(st.integers(-120, 120), st.text(alphabet="01:is9é", max_size=4))
SUSPECT = st.tuples(
    st.lists(ID, min_size=1, max_size=3),
    st.integers(0, 120),
    st.integers(0, 120),
    st.sampled_from(["low_score", "1", "11", ""]),
)


@PROPERTY
@given(st.lists(SUSPECT, min_size=2, max_size=30))
def test_suspect_text_any_two_suspects_have_different_texts(suspects: list[Any]) -> None:
    different = {repr(suspect) for suspect in suspects}
    assert len({suspect_text(*suspect) for suspect in suspects}) == len(different)


@PROPERTY
@given(SUSPECT)
def test_suspect_text_any_suspect_can_be_read_back(suspect: Any) -> None:
    data, fields = suspect_text(*suspect).encode(), []
    while data:
        length, _, rest = data.partition(b":")
        fields.append(rest[: int(length)].decode())
        data = rest[int(length) :]
    *ids, labelled, suggested, reason = fields
    read = [int(i[1:]) if i[0] == "i" else i[1:] for i in ids]
    assert (read, int(labelled), int(suggested), reason) == suspect


@PROPERTY
@given(st.lists(st.tuples(st.integers(-(1 << 63), (1 << 63) - 1), st.text(), ROW_CLASSES)))
def test_suspect_texts_are_those_of_each_suspect(rows: list[Any]) -> None:
    numbers, words, classes = zip(*rows, strict=True) if rows else ((), (), ())
    labels, suggested = np.array(classes, np.int64).reshape(-1, 2).T
    for text in (pa.string(), pa.large_string()):
        ids = [pa.array(numbers, pa.int64()), pa.array(words, text)]
        assert suspect_texts(ids, labels, suggested, "x") == [
            suspect_text([number, word], *pair, "x") for number, word, pair in rows
        ]


@PROPERTY
@given(st.lists(st.text(max_size=5), max_size=20), st.randoms(use_true_random=False))
def test_sum_hashes_any_order_is_the_same_by_limbs(texts: list[str], random: Any) -> None:
    shuffled = list(texts)
    random.shuffle(shuffled)
    assert sum_hashes(shuffled) == sum_hashes(texts)
    limbs = [0] * 8
    for text in texts:
        number = sum_hashes([text])
        limbs = [a + (number >> 32 * (7 - i) & 0xFFFFFFFF) for i, a in enumerate(limbs)]
    assert join_hash_limbs(limbs) == sum_hashes(texts)
