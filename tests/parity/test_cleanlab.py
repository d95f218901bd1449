"""Against cleanlab 2.9.0 itself, on thousands of random small problems.

What must be equal, and where ties leave the reference's answer to its unstable sort, is what the
contract says: thresholds within 1e-12, the confident joint exactly, `confident_learning` and
`predicted_neq_given` row for row; the other filters by their quotas exactly, and row for row but
for the rows that share the score at which a cut falls. The `prune_*` filters get our calibrated
joint, because the reference rounds its own in floating point.
"""

from __future__ import annotations

import inspect
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cleanlab.count
import cleanlab.dataset
import cleanlab.filter
import cleanlab.rank
import numpy as np
import pytest
from hypothesis import given as for_all
from hypothesis import seed, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import sparkclean
from sparkclean.confident.filters import prune_counts
from sparkclean.confident.issues import ArrayFindings, audit_arrays, find_label_issues
from sparkclean.confident.joint import calibrate_joint
from sparkclean.confident.noise import class_quality
from sparkclean.numbers.pair_counts import PairCounts
from sparkclean.schema import FILTERS

PRUNING = ("prune_by_noise_rate", "prune_by_class", "both")

#: Problems for each test below; all of them are different.
PROBLEMS = {
    "thresholds": 400,
    "calibrated": 300,
    "quotas": 300,
    "noise": 200,
    "scores": 400,
    "ranked": 150,
    **dict.fromkeys(FILTERS, 400),
}
SEEDS = {name: number for number, name in enumerate(PROBLEMS)}


@dataclass(frozen=True)
class Problem:
    """A small table, and options of the filters."""

    labels: NDArray[np.int64]
    pred_probs: NDArray[np.float64]
    frac_noise: float
    min_examples: int

    @property
    def num_classes(self) -> int:
        return self.pred_probs.shape[1]

    @property
    def examples(self) -> NDArray[np.int64]:
        return np.bincount(self.labels, minlength=self.num_classes)

    @property
    def own(self) -> NDArray[np.float64]:
        return self.pred_probs[np.arange(len(self.labels)), self.labels]

    @property
    def audit(self) -> ArrayFindings:
        return audit_arrays(self.labels, self.pred_probs)


def random_probabilities(
    rng: np.random.Generator, rows: int, size: int, kind: str, sharpness: float
) -> NDArray[np.float64]:
    logits = rng.standard_normal((rows, size)) * sharpness
    logits -= logits.max(axis=1, keepdims=True)
    probs = np.exp(logits)
    probs /= probs.sum(axis=1, keepdims=True)
    if kind == "grid":  # multiples of a fraction: ties within and between rows, and exact zeros
        grid = rng.choice([2, 4, 5, 8, 10, 20])
        return rng.multinomial(grid, probs) / grid
    if kind == "copies":  # few different rows
        return probs[rng.integers(0, max(1, rows // 8), rows)]
    if kind == "near":  # ties but for differences about as large as the margins of 1e-6
        probs = rng.multinomial(8, probs) / 8 + rng.uniform(0.0, 3e-6, (rows, size))
        return probs / probs.sum(axis=1, keepdims=True)
    return probs


def random_labels(
    rng: np.random.Generator,
    probs: NDArray[np.float64],
    noise: float,
    missing: int,
    singletons: int,
) -> NDArray[np.int64]:
    """Labels near the argmax; some classes have no examples, some to one row."""
    rows, size = probs.shape
    present = rng.permutation(size)[: max(2, size - missing)]
    labels = np.where(rng.random(rows) < noise, rng.integers(0, size, rows), probs.argmax(axis=1))
    absent = ~np.isin(labels, present)
    labels[absent] = rng.choice(present, absent.sum())
    common = present[min(singletons, len(present) - 1) :]
    for single in np.setdiff1d(present, common):
        rows_of = np.flatnonzero(labels == single)
        labels[rows_of[1:]] = rng.choice(common, max(len(rows_of) - 1, 0))
    # the reference wants two classes
    labels[:2] = present[:2]
    return labels


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.one_of(st.integers(2, 5), st.integers(2, 40)))
    rows = draw(st.one_of(st.integers(3, 30), st.integers(3, 120)))
    kind = draw(st.sampled_from(["smooth", "grid", "copies", "near"]))
    sharpness = draw(st.sampled_from([0.5, 2.0, 5.0, 30.0]))
    probs = random_probabilities(rng, rows, size, kind, sharpness)
    if draw(st.booleans()):
        probs = probs.astype(np.float32).astype(np.float64)
    labels = random_labels(
        rng,
        probs,
        draw(st.sampled_from([0.1, 0.3, 0.7])),
        draw(st.integers(0, size // 2)),
        draw(st.integers(0, 2)),
    )
    frac_noise = draw(st.sampled_from([1.0, 1.0, 0.9, 0.5, 0.3, 0.1]))
    return Problem(labels, probs, frac_noise, draw(st.sampled_from([1, 1, 0, 2, 5])))


def check_problems(name: str, check: Callable[[Problem, Counter[str]], None]) -> Counter[str]:
    """Check problems, and count what there was in them; the same ones in every run."""
    seen: Counter[str] = Counter()

    @seed(SEEDS[name])
    @settings(max_examples=PROBLEMS[name], deadline=None, derandomize=True)
    @for_all(problems())
    def run(problem: Problem) -> None:
        seen["problems"] += 1
        seen["missing"] += bool((problem.examples == 0).any())
        seen["singleton"] += bool((problem.examples == 1).any())
        seen["two classes"] += problem.num_classes == 2
        seen["many classes"] += problem.num_classes >= 20
        with warnings.catch_warnings():
            # the reference's; ours would be errors
            warnings.filterwarnings("ignore", message="May not flag all label issues")
            check(problem, seen)

    run()
    assert seen["problems"] >= PROBLEMS[name]
    kinds = ("missing", "singleton", "two classes", "many classes")
    assert all(seen[kind] > seen["problems"] / 30 for kind in kinds), seen
    return seen


def reference_mask(problem: Problem, filter_by: str, **options: Any) -> NDArray[np.bool_]:
    return cleanlab.filter.find_label_issues(
        problem.labels, problem.pred_probs, filter_by=filter_by, n_jobs=1, **options
    )


def test_parity_problems_are_at_least_two_thousand() -> None:
    assert sum(PROBLEMS.values()) >= 2000
    assert cleanlab.__version__ == "2.9.0"


# --- signature ---


def test_find_label_issues_signature_has_every_parameter_of_the_reference() -> None:
    wanted = inspect.signature(cleanlab.filter.find_label_issues).parameters
    ours = inspect.signature(sparkclean.find_label_issues).parameters
    assert list(ours)[: len(wanted)] == list(wanted)
    for name, parameter in wanted.items():
        assert ours[name].kind == parameter.kind, name
        assert ours[name].default == parameter.default, name


def test_find_label_issues_signature_adds_keywords_with_defaults_only() -> None:
    wanted = inspect.signature(cleanlab.filter.find_label_issues).parameters
    ours = inspect.signature(sparkclean.find_label_issues).parameters
    for name in set(ours) - set(wanted):
        assert ours[name].kind == inspect.Parameter.KEYWORD_ONLY
        assert ours[name].default is not inspect.Parameter.empty


# --- thresholds, joints, noise model ---


def test_thresholds_and_joint_random_problems_are_the_reference() -> None:
    def check(problem: Problem, seen: Counter[str]) -> None:
        ours = problem.audit
        thresholds = cleanlab.count.get_confident_thresholds(problem.labels, problem.pred_probs)
        np.testing.assert_allclose(ours.thresholds, thresholds, rtol=0.0, atol=1e-12)
        joint, confident = cleanlab.count.compute_confident_joint(
            problem.labels,
            problem.pred_probs,
            calibrate=False,
            return_indices_of_off_diagonals=True,
        )
        assert ours.noise.confident_joint.tolist() == joint.tolist()
        others = (ours.outcomes >= 0) & (ours.outcomes != problem.labels)
        assert np.flatnonzero(others).tolist() == confident.tolist()
        seen["off the diagonal"] += bool(others.any())
        seen["not confident"] += bool((ours.outcomes < 0).any())
        seen["floor"] += bool((thresholds < 3e-6).any())

    seen = check_problems("thresholds", check)
    assert min(seen[k] for k in ("off the diagonal", "not confident", "floor")) > 20, seen


def tied_row(counts: list[int], examples: int) -> bool:
    """Whether an exact half, or equal remainders where the total is restored, decide the row."""
    total = sum(counts)
    products = [c * examples for c in counts]
    if any(2 * (p % total) == total for p in products):
        return True
    rounded = [(2 * p + total) // (2 * total) for p in products]
    left = sorted((p - r * total for p, r in zip(products, rounded, strict=True)), reverse=True)
    short = examples - sum(rounded)
    if short < 0:
        left, short = left[::-1], -short
    return short > 0 and left[short - 1] == left[short]


def test_calibrated_joint_random_problems_differ_from_the_reference_at_exact_ties_only() -> None:
    def check(problem: Problem, seen: Counter[str]) -> None:
        noise = problem.audit.noise
        theirs = cleanlab.count.calibrate_confident_joint(noise.confident_joint, problem.labels)
        assert theirs.sum(axis=1).tolist() == noise.calibrated_joint.sum(axis=1).tolist()
        rows = zip(noise.confident_joint.tolist(), problem.examples.tolist(), strict=True)
        for k, (counts, examples) in enumerate(rows):
            seen["rows"] += 1
            if tied_row(counts, examples):
                seen["tied"] += 1
            else:
                seen["scaled"] += examples not in (0, sum(counts))
                assert noise.calibrated_joint[k].tolist() == theirs[k].tolist()

    seen = check_problems("calibrated", check)
    assert seen["scaled"] > 150, seen
    assert 20 < seen["tied"] < seen["rows"] / 3, seen


def test_calibrated_joint_of_the_reference_is_a_fixed_point_of_ours() -> None:
    def check(problem: Problem, seen: Counter[str]) -> None:
        joint = cleanlab.count.compute_confident_joint(problem.labels, problem.pred_probs)
        assert calibrate_joint(joint, problem.examples).tolist() == joint.tolist()

    check_problems("calibrated", check)


def test_noise_model_random_problems_are_the_reference() -> None:
    def check(problem: Problem, seen: Counter[str]) -> None:
        noise = problem.audit.noise
        joint = noise.calibrated_joint
        true_prior, matrix, inverse = cleanlab.count.estimate_latent(
            joint, problem.labels, py_method="cnt"
        )
        np.testing.assert_allclose(noise.true_prior, true_prior, rtol=0.0, atol=1e-12)
        np.testing.assert_allclose(noise.noise_matrix, matrix, rtol=0.0, atol=1e-12)
        np.testing.assert_allclose(noise.inverse_noise_matrix, inverse, rtol=0.0, atol=1e-12)
        theirs = cleanlab.count.estimate_joint(
            problem.labels, problem.pred_probs, confident_joint=joint
        )
        np.testing.assert_allclose(noise.joint, theirs, rtol=0.0, atol=1e-12)
        seen["noisy"] += noise.noise_rate > 0.05

    assert check_problems("noise", check)["noisy"] > 50


def test_class_quality_random_problems_are_the_reference() -> None:
    def check(problem: Problem, seen: Counter[str]) -> None:
        noise = problem.audit.noise
        table = cleanlab.dataset.rank_classes_by_label_quality(
            problem.labels, joint=noise.joint
        ).sort_values("Class Index")
        ours = class_quality(PairCounts(noise.calibrated_joint))
        assert ours.label_issues.tolist() == table["Label Issues"].tolist()
        assert ours.inverse_label_issues.tolist() == table["Inverse Label Issues"].tolist()
        for found, column in (
            (ours.label_noise, "Label Noise"),
            (ours.inverse_label_noise, "Inverse Label Noise"),
            (ours.label_quality_score, "Label Quality Score"),
        ):
            np.testing.assert_allclose(found, table[column], rtol=0.0, atol=1e-12)
        seen["noisy"] += noise.noise_rate > 0.05

    assert check_problems("noise", check)["noisy"] > 50


# --- filters ---


def test_quotas_random_problems_are_the_reference() -> None:
    def check(problem: Problem, seen: Counter[str]) -> None:
        joint = problem.audit.noise.calibrated_joint
        theirs = cleanlab.filter._keep_at_least_n_per_class(
            joint.T, problem.min_examples, frac_noise=problem.frac_noise
        ).T
        ours = prune_counts(joint, min_examples=problem.min_examples, frac_noise=problem.frac_noise)
        assert ours.tolist() == theirs.tolist()
        seen["reduced"] += ours.tolist() != joint.tolist()

    assert check_problems("quotas", check)["reduced"] > 100


@seed(len(PROBLEMS))
@settings(max_examples=600, deadline=None, derandomize=True)
@for_all(
    st.integers(0, 2**32 - 1),
    st.integers(2, 40),
    st.sampled_from([1, 2, 5, 20]),
    st.sampled_from([0.9, 0.7, 0.3, 0.1, 0.05]),
)
def test_quotas_of_any_joint_are_the_reference(
    number: int, size: int, min_examples: int, frac_noise: float
) -> None:
    # the last bit of a sum decides about a row where whole numbers are taken away
    joint = np.random.default_rng(number).integers(0, 9, (size, size))
    theirs = cleanlab.filter._keep_at_least_n_per_class(
        joint.T, min_examples, frac_noise=frac_noise
    ).T
    ours = prune_counts(joint, min_examples=min_examples, frac_noise=frac_noise)
    assert ours.tolist() == theirs.tolist()


@dataclass(frozen=True)
class Cut:
    """One ranking that a quota cuts: among ``tied`` rows the reference's sort decides."""

    rows: NDArray[np.intp]
    tied: NDArray[np.intp]


def cut_lowest(scores: NDArray[np.float64], rows: NDArray[np.intp], quota: int) -> Cut:
    nothing = rows[:0]
    if not 0 < quota < len(rows):
        return Cut(rows, nothing)
    ordered = np.sort(scores[rows])
    if ordered[quota - 1] != ordered[quota]:
        return Cut(rows, nothing)
    return Cut(rows, rows[scores[rows] == ordered[quota]])


def cuts_of(problem: Problem, filter_by: str, quotas: NDArray[np.int64], flagged: int) -> list[Cut]:
    """List the cuts that a filter makes, each with the rows on which its tie falls."""
    own, every = problem.own, np.arange(len(problem.labels))
    if filter_by == "low_self_confidence":
        return [cut_lowest(own, every, flagged)]
    if filter_by == "low_normalized_margin":
        margin = cleanlab.rank.get_normalized_margin_for_each_label(
            problem.labels, problem.pred_probs
        )
        return [cut_lowest(margin, every, flagged)]
    cuts = []
    for k in np.flatnonzero(problem.examples > problem.min_examples):
        rows = np.flatnonzero(problem.labels == k)
        if filter_by in ("prune_by_class", "both"):
            cuts.append(cut_lowest(own, rows, len(rows) - int(quotas[k, k])))
        if filter_by in ("prune_by_noise_rate", "both"):
            for j in range(problem.num_classes):
                if j != k:
                    less = own - problem.pred_probs[:, j]
                    cuts.append(cut_lowest(less, rows, int(quotas[k, j])))
    return cuts


@pytest.mark.parametrize("filter_by", FILTERS)
def test_filter_random_problems_are_the_reference(filter_by: str) -> None:
    def check(problem: Problem, seen: Counter[str]) -> None:
        options: dict[str, Any] = {}
        joint = problem.audit.noise.calibrated_joint
        if filter_by in PRUNING:
            options = {
                "frac_noise": problem.frac_noise,
                "min_examples_per_class": problem.min_examples,
            }
            theirs = reference_mask(problem, filter_by, confident_joint=joint, **options)
        else:
            theirs = reference_mask(problem, filter_by)
        ours = find_label_issues(problem.labels, problem.pred_probs, filter_by=filter_by, **options)
        quotas = prune_counts(
            joint, min_examples=problem.min_examples, frac_noise=problem.frac_noise
        )
        undecided = np.zeros(len(ours), np.bool_)
        if filter_by not in ("confident_learning", "predicted_neq_given"):
            for cut in cuts_of(problem, filter_by, quotas, int(theirs.sum())):
                undecided[cut.tied] = True
        assert ours[~undecided].tolist() == theirs[~undecided].tolist()
        # rows that tie are as many, but for those that the model's agreement drops afterwards,
        # and but for rows that other cuts take, too
        if filter_by.startswith("low_"):
            assert ours.sum() == theirs.sum()
        if filter_by == "prune_by_class":
            for cut in cuts_of(problem, filter_by, quotas, 0):
                agreed = cleanlab.count._reduce_issues(
                    problem.pred_probs[cut.tied], problem.labels[cut.tied]
                )
                if not agreed.any():
                    assert ours[cut.rows].sum() == theirs[cut.rows].sum()
                    seen["tied alike"] += len(cut.tied) > 0
        seen["tied"] += bool(undecided.any())
        seen["flagged"] += bool(ours.any())
        seen["not flagged"] += bool(not ours.any())

    seen = check_problems(filter_by, check)
    assert min(seen["flagged"], seen["not flagged"]) > 10, seen
    if filter_by not in ("confident_learning", "predicted_neq_given"):
        assert 10 < seen["tied"] < seen["problems"] / 2, seen
    if filter_by == "prune_by_class":
        assert seen["tied alike"] > 10, seen


# --- scores ---


@pytest.mark.parametrize(
    ("method", "bound"),
    [
        ("self_confidence", 0.0),
        ("normalized_margin", 0.0),
        # log(s + 1) / 1e-6 at tiny s: one bit of s + 1 is 2e-10 of the score
        ("confidence_weighted_entropy", 1e-9),
    ],
)
def test_score_random_problems_are_the_reference(method: str, bound: float) -> None:
    def check(problem: Problem, seen: Counter[str]) -> None:
        theirs = cleanlab.rank.get_label_quality_scores(
            problem.labels, problem.pred_probs, method=method
        )
        ours = audit_arrays(problem.labels, problem.pred_probs, ranked_by=method).label_quality
        np.testing.assert_allclose(ours, theirs, rtol=0.0, atol=bound)
        seen["nearly certain"] += bool(((theirs > 0.0) & (theirs < 0.1)).any())

    assert check_problems("scores", check)["nearly certain"] > 50


@pytest.mark.parametrize("method", ["self_confidence", "normalized_margin"])
def test_adjusted_score_without_a_missing_class_is_the_reference(method: str) -> None:
    def check(problem: Problem, seen: Counter[str]) -> None:
        if (problem.examples == 0).any():
            return
        seen["complete"] += 1
        theirs = cleanlab.rank.get_label_quality_scores(
            problem.labels, problem.pred_probs, method=method, adjust_pred_probs=True
        )
        ours = audit_arrays(
            problem.labels, problem.pred_probs, ranked_by=method, adjust_pred_probs=True
        )
        np.testing.assert_allclose(ours.label_quality, theirs, rtol=0.0, atol=1e-12)

    assert check_problems("scores", check)["complete"] > 50


@pytest.mark.parametrize("method", ["self_confidence", "normalized_margin"])
def test_adjusted_score_with_a_missing_class_is_the_reference_without_its_threshold(
    method: str,
) -> None:
    """The documented difference, exactly: a missing class has no threshold, and no say in the
    maximum; what the reference's formula gives then is ours."""

    def check(problem: Problem, seen: Counter[str]) -> None:
        thresholds = problem.audit.thresholds
        present = thresholds < 2.0
        if present.all():
            return
        seen["incomplete"] += 1
        # a threshold equal to the largest leaves the probability as it is
        without = np.where(present, thresholds, thresholds[present].max())
        theirs = cleanlab.rank._compute_label_quality_scores(
            problem.labels,
            problem.pred_probs,
            method=method,
            adjust_pred_probs=True,
            confident_thresholds=without,
        )
        ours = audit_arrays(
            problem.labels, problem.pred_probs, ranked_by=method, adjust_pred_probs=True
        )
        np.testing.assert_allclose(ours.label_quality, theirs, rtol=0.0, atol=1e-12)

    assert check_problems("scores", check)["incomplete"] > 50


@pytest.mark.parametrize(
    "score", ["self_confidence", "normalized_margin", "confidence_weighted_entropy"]
)
def test_ranked_indices_without_ties_are_the_reference(score: str) -> None:
    def check(problem: Problem, seen: Counter[str]) -> None:
        options: dict[str, Any] = {
            "filter_by": "predicted_neq_given",
            "return_indices_ranked_by": score,
        }
        theirs = cleanlab.filter.find_label_issues(
            problem.labels, problem.pred_probs, n_jobs=1, **options
        )
        ours = find_label_issues(problem.labels, problem.pred_probs, **options)
        assert sorted(ours.tolist()) == sorted(theirs.tolist())
        scores = cleanlab.rank.get_label_quality_scores(
            problem.labels, problem.pred_probs, method=score
        )
        if (np.diff(np.sort(scores[theirs])) > 1e-9).all():
            assert ours.tolist() == theirs.tolist()
            seen["ranked"] += len(ours) > 1
        assert (np.diff(scores[ours]) >= -1e-9).all()

    assert check_problems("ranked", check)["ranked"] > 40
