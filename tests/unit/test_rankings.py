"""Comparisons of pairs of models on numbers: McNemar, Holm, ranks, levels, metrics."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score, recall_score

from sparkclean.jobs.rank_models import results
from sparkclean.jobs.rank_models.sums import Sums
from sparkclean.jobs.rank_models.totals import Totals
from sparkclean.noise import metrics, pairs
from sparkclean.noise.levels import level_prevalence, level_set
from sparkclean.noise.pair_sums import LossSums
from sparkclean.noise.pairs import Discordant


def discordant(first: int, second: int, items: int = 100) -> Discordant:
    return Discordant(np.array([first]), np.array([second]), items)


@pytest.mark.parametrize(
    ("first", "second"), [(0, 0), (1, 0), (5, 5), (3, 14), (250, 258), (0, 40)]
)
def test_mcnemar_is_the_exact_binomial_test(first: int, second: int) -> None:
    expected = 1.0
    if first + second:
        expected = stats.binomtest(first, first + second, 0.5).pvalue
    assert pairs.mcnemar(discordant(first, second, 1000))[0] == pytest.approx(expected, rel=1e-9)


def test_holm_by_hand() -> None:
    found = pairs.holm(np.array([0.01, 0.04, 0.03, 0.005]))
    assert found == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert pairs.holm(np.array([])).shape == (0,)


def test_difference_of_discordant_items_and_its_variance() -> None:
    counts = discordant(30, 10)
    assert counts.difference[0] == pytest.approx(0.2)
    # items are +1, -1 and 0
    values = np.repeat([1, -1, 0], [30, 10, 60])
    assert counts.variance[0] == pytest.approx(values.var() / 100)
    low, high = pairs.difference_interval(counts)
    assert low[0] < 0.2 < high[0]
    assert np.isnan(discordant(0, 0, 0).difference[0])
    assert pairs.difference_interval(discordant(0, 0, 0)) == (-1.0, 1.0)


def test_difference_interval_covers() -> None:
    rng = np.random.default_rng(5)
    truth = np.array([0.08, 0.05, 0.87])
    drawn = rng.multinomial(200, truth, size=2000)
    low, high = pairs.difference_interval(Discordant(drawn[:, 0], drawn[:, 1], 200))
    assert np.mean((low <= 0.03) & (high >= 0.03)) > 0.94


def test_ranks_are_shared_by_equal_values() -> None:
    assert pairs.ranks(np.array([0.5, 0.9, 0.5, 0.1])).tolist() == [2, 1, 2, 4]
    assert pairs.ranks(np.array([0.5, 0.9, 0.1]), low_is_best=True).tolist() == [2, 3, 1]


def test_rank_intervals_count_models_that_are_surely_better_and_worse() -> None:
    # 0 beats 2 and 3; 1 beats 3
    low, high = pairs.rank_intervals(4, np.array([0, 0, 1]), np.array([2, 3, 3]))
    assert low.tolist() == [1, 1, 2, 3]
    assert high.tolist() == [2, 3, 4, 4]


def test_kendall_tau_is_that_of_scipy() -> None:
    rng = np.random.default_rng(3)
    one, other = rng.integers(0, 6, 20) / 6.0, rng.integers(0, 6, 20) / 6.0
    assert pairs.kendall_tau(one, other) == pytest.approx(stats.kendalltau(one, other).statistic)
    assert pairs.kendall_tau(one, np.zeros(20)) is None


def test_normal_p_is_two_sided() -> None:
    found = pairs.normal_p(np.array([1.96, -1.96, 0.0, 0.3]), np.array([1.0, 1.0, 0.0, 0.0]))
    assert found[:2] == pytest.approx([0.05, 0.05], abs=1e-4)
    assert found[2:].tolist() == [1.0, 0.0]


def test_level_prevalence_is_where_the_lines_cross() -> None:
    clean = np.array([0.02, -0.02, 0.02, 0.0, 0.02])
    bad = np.array([-0.06, 0.06, 0.06, 0.06, 0.0])
    found = level_prevalence(clean, bad)
    assert found[:2] == pytest.approx([0.25, 0.25])
    assert np.isnan(found[2:]).all()


@pytest.mark.parametrize(
    ("clean", "bad", "clean_variance", "bad_variance", "expected"),
    [
        (0.1, -0.1, 0.0, 0.0, [[0.5, 0.5]]),  # known exactly: a point
        (0.0, 0.0, 1e-4, 1e-4, [[0.0, 1.0]]),  # level everywhere
        (0.5, 0.5, 1e-4, 1e-4, []),  # nowhere
        (0.0, 0.0, 0.0, 0.0, [[0.0, 1.0]]),  # the same model twice
        (0.0, 0.5, 0.0, 1e-6, [[0.0, 0.0]]),  # level on clean labels alone
    ],
)
def test_level_set_of_special_cases(
    clean: float, bad: float, clean_variance: float, bad_variance: float, expected: list
) -> None:
    found = level_set(clean, bad, clean_variance, bad_variance)
    assert len(found) == len(expected)
    for ends, wanted in zip(found, expected, strict=True):
        assert ends == pytest.approx(wanted, abs=1e-2)


def test_level_set_may_be_two_pieces() -> None:
    # both ends are uncertain, and of the same sign; between them the difference is sure
    found = level_set(0.018, 0.018, 1e-4, 1e-4)
    assert len(found) == 2
    assert found[0][0] == 0.0
    assert found[1][1] == 1.0


def test_accuracy_is_that_of_wilson() -> None:
    hits = np.array([0, 3, 10])
    found = metrics.accuracy(hits, 10)
    for k, hit in enumerate(hits):
        wilson = stats.binomtest(int(hit), 10).proportion_ci(0.95, method="wilson")
        assert (found.low[k], found.high[k]) == pytest.approx((wilson.low, wilson.high), abs=1e-12)
    assert np.isnan(metrics.accuracy(hits, 0).value).all()


def class_counts(given: np.ndarray, predicted: np.ndarray, num_classes: int) -> metrics.ClassCounts:
    classes = range(num_classes)
    return metrics.ClassCounts(
        np.array([[int(((p == k) & (given == k)).sum()) for k in classes] for p in predicted]),
        np.array([[int((p == k).sum()) for k in classes] for p in predicted]),
        np.bincount(given, minlength=num_classes),
    )


def test_metrics_by_class_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(11)
    given = rng.choice(4, 300, p=[0.6, 0.3, 0.1, 0.0])
    predicted = np.where(rng.random((3, 300)) < 0.7, given, rng.integers(0, 4, (3, 300)))
    counts = class_counts(given, predicted, 4)
    balanced, f1 = metrics.balanced_accuracy(counts), metrics.macro_f1(counts)
    for k, row in enumerate(predicted):
        assert balanced.value[k] == pytest.approx(
            recall_score(given, row, average="macro", labels=[0, 1, 2])
        )
        score = f1_score(given, row, average="macro", labels=[0, 1, 2])
        assert f1.value[k] == pytest.approx(score)
    for found in (balanced, f1):
        assert (found.low < found.value).all()
        assert (found.value < found.high).all()


def test_macro_f1_interval_covers() -> None:
    rng = np.random.default_rng(2)
    confusion = np.array([[0.4, 0.1, 0.0], [0.05, 0.2, 0.05], [0.02, 0.03, 0.15]])
    truth = 2 * confusion.diagonal() / (confusion.sum(0) + confusion.sum(1))
    drawn = rng.multinomial(500, confusion.ravel(), size=1000).reshape(-1, 3, 3)
    covered = 0
    for table in drawn:
        right = table.diagonal()[None]
        found = metrics.macro_f1(metrics.ClassCounts(right, table.sum(0)[None], table.sum(1)))
        covered += found.low[0] <= truth.mean() <= found.high[0]
    assert covered >= 945


def test_balanced_accuracy_of_no_items_is_unknown() -> None:
    nothing = metrics.ClassCounts(np.zeros((2, 3), int), np.zeros((2, 3), int), np.zeros(3, int))
    for found in (metrics.balanced_accuracy(nothing), metrics.macro_f1(nothing)):
        assert np.isnan(found.value).all()
        assert (found.low[0], found.high[0]) == (0.0, 1.0)


def test_log_loss_has_the_interval_of_a_mean() -> None:
    losses = np.array([[0.1, 2.0], [0.3, 0.5], [0.2, 0.1]])
    sums = np.rint(losses * metrics.LOSS_UNIT).astype(np.int64).sum(axis=0)
    found = metrics.log_loss(sums, (losses**2).sum(axis=0), 3)
    assert found.value == pytest.approx(losses.mean(axis=0), abs=1e-9)
    half = 1.959963984540054 * losses.std(axis=0) / np.sqrt(3)
    assert found.high - found.value == pytest.approx(half, abs=1e-8)


def loss_pair(losses: np.ndarray) -> results._Difference:
    products = LossSums(2)
    products.add(losses)
    units = np.rint(losses * metrics.LOSS_UNIT).astype(np.int64).sum(axis=0)
    counts = {("items", 0, 0): np.array([len(losses)]), ("losses", 0, 0): units}
    for model, row in enumerate(products.sums()):
        counts["loss pairs", 0, model] = row[model:]
    sums = Sums(Totals(counts), ("one", "other"), 0)
    return results._loss_difference(sums, (0,), np.array([0]), np.array([1]))


@pytest.mark.parametrize("seed", range(5))
def test_one_model_in_float32_and_float64_is_not_certainly_another(seed: int) -> None:
    probs = np.random.default_rng(seed).uniform(0.05, 1.0, 500)
    losses = -np.log(np.stack([probs, probs.astype(np.float32)], axis=1))
    found = loss_pair(losses)
    assert found.p_values[0] > 0.05
    assert found.low[0] < 0.0 < found.high[0]


def test_loss_pair_has_the_variance_of_the_differences() -> None:
    losses = np.random.default_rng(1).exponential(1.0, (400, 2))
    found, differences = loss_pair(losses), losses[:, 0] - losses[:, 1]
    assert found.variance[0] == pytest.approx(differences.var() / 400, rel=1e-3)
    assert found.p_values[0] == pytest.approx(
        2 * stats.norm.sf(abs(differences.mean()) / (differences.std() / 20)), rel=1e-2
    )


def test_one_item_makes_no_order_of_losses_certain() -> None:
    found = loss_pair(np.array([[0.1, 2.0]]))
    assert found.p_values[0] == 1.0
    assert np.isnan(found.low[0])
