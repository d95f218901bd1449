"""What must hold of planted noise for any table: rates are exact, and no row order matters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkclean.noise import matrices, simulate
from sparkclean.noise.simulate import KINDS, UNCHANGED, Given, Noise, plant
from sparkclean.numbers import hashes as hashing

PROPERTY = settings(deadline=None, derandomize=True, max_examples=60)

classes = st.integers(2, 6)
rates = st.floats(0.0, 1.0).map(lambda x: round(x, 3))
seeds = st.integers(0, 1000)


def labels_of(num_classes: int, seed: int, rows: int = 400) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, num_classes, rows)


def confusion(true: np.ndarray, noisy: np.ndarray, num_classes: int) -> np.ndarray:
    cells = np.bincount(true * num_classes + noisy, minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes)


@PROPERTY
@given(classes, rates, seeds)
def test_uniform_noise_has_its_rate_in_each_class_and_cell(k: int, rate: float, seed: int) -> None:
    true = labels_of(k, seed)
    found = confusion(
        true, plant(true, [Noise("uniform", rate)], num_classes=k, seed=seed).noisy, k
    )
    sizes = np.bincount(true, minlength=k)
    assert (np.abs(found - matrices.uniform_matrix(k, rate) * sizes[:, None]) <= 1.0).all()


@PROPERTY
@given(classes, seeds, st.floats(0.0, 1.0))
def test_noise_by_class_follows_its_matrix(k: int, seed: int, sparsity: float) -> None:
    matrix = matrices.trace_matrix(k, 0.8 * k, sparsity, seed)
    assert np.trace(matrix) == pytest.approx(0.8 * k)
    assert matrix.sum(axis=1) == pytest.approx(np.ones(k))
    assert (matrix >= 0).all()
    empty = min(round(sparsity * (k - 1)), k - 2)
    assert ((matrix == 0).sum(axis=1) == empty).all()
    true = labels_of(k, seed)
    found = confusion(true, plant(true, [Noise("class", matrix=matrix)], num_classes=k).noisy, k)
    assert (np.abs(found - matrix * np.bincount(true, minlength=k)[:, None]) <= 1.0).all()


@PROPERTY
@given(classes, rates, seeds)
def test_exchanged_labels_leave_every_class_as_large_as_it_was(
    k: int, rate: float, seed: int
) -> None:
    true = labels_of(k, seed)
    planted = plant(true, [Noise("exchange", rate)], num_classes=k, seed=seed)
    assert (
        np.bincount(planted.noisy, minlength=k).tolist() == np.bincount(true, minlength=k).tolist()
    )
    changed = confusion(true, planted.noisy, k)
    np.fill_diagonal(changed, 0)
    assert (changed == changed.T).all()  # partners exchange
    sizes = np.bincount(true, minlength=k)
    wanted = np.floor(sizes * rate + 0.5)
    lost = wanted - changed.sum(axis=1)
    largest = wanted.argmax()
    beyond = max(2 * wanted[largest] - wanted.sum(), 0)
    assert lost.sum() == beyond + (wanted.sum() - beyond) % 2
    assert (lost >= 0).all()


@PROPERTY
@given(seeds, st.integers(1, 9), rates)
def test_shifted_labels_are_those_of_a_row_before(seed: int, lag: int, rate: float) -> None:
    rng = np.random.default_rng(seed + 10**6)  # not those of the labels
    true, files = labels_of(3, seed), rng.integers(0, 8, 400)
    place = rng.permutation(400)
    about = Given(group=files, order=place)
    noisy = plant(true, [Noise("shift", rate, lag=lag)], num_classes=3, given=[about]).noisy
    shifted = 0
    for file in range(8):
        rows = np.flatnonzero(files == file)
        rows = rows[np.argsort(place[rows])]
        is_shifted = noisy[rows].tolist() == np.roll(true[rows], lag).tolist()
        assert is_shifted or noisy[rows].tolist() == true[rows].tolist()
        shifted += is_shifted
    assert abs(shifted - rate * len(np.unique(files))) <= 1


@PROPERTY
@given(seeds, st.integers(2, 4))
def test_noise_does_not_depend_on_the_order_of_rows(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed + 10**6)
    true, source = labels_of(k, seed, 200), rng.integers(0, 3, 200)
    score, place = rng.random(200), rng.permutation(200)
    noises = [
        Noise("uniform", 0.05), Noise("pairs", 0.1, pairs=((0, 1),)), Noise("exchange", 0.1),
        Noise("boundary", 0.1), Noise("shift", 0.4, lag=2),
        Noise("source", matrices={"1": matrices.uniform_matrix(k, 0.5)}),
    ]  # fmt: skip
    hashes = [hashing.row_hashes(200, i) for i in range(len(noises))]

    def planted(order: np.ndarray) -> list[int]:
        about = [
            Given(), Given(), Given(), Given(order=score[order]),
            Given(group=source[order], order=place[order]), Given(group=source[order]),
        ]  # fmt: skip
        found = plant(
            true[order], noises, num_classes=k, given=about, hashes=[h[order] for h in hashes]
        )
        back = np.argsort(order)
        return [*found.noisy[back].tolist(), *found.noise[back].tolist()]

    assert planted(np.arange(200)) == planted(rng.permutation(200))


@PROPERTY
@given(st.integers(0, 500), seeds, classes)
def test_cell_counts_are_exact_to_one_row(size: int, seed: int, k: int) -> None:
    shares = np.random.default_rng(seed).dirichlet(np.ones(k))
    counts = simulate.cell_counts(size, shares, seed)
    assert counts.sum() == size
    assert (np.abs(counts - shares * size) < 1.0).all()


# -- kinds by hand -------------------------------------------------------------------------------


def test_pairs_are_confused_in_both_directions() -> None:
    true = np.repeat([0, 1, 2], 100)
    noisy = plant(true, [Noise("pairs", 0.2, pairs=((0, 2),))], num_classes=3).noisy
    assert confusion(true, noisy, 3).tolist() == [[80, 0, 20], [0, 100, 0], [20, 0, 80]]


def test_swapped_classes_change_places_within_rows_that_may_change() -> None:
    true, in_source = np.repeat([0, 1, 2], 10), np.arange(30) % 2 == 0
    about = Given(may_change=in_source)
    noisy = plant(true, [Noise("swap", pairs=((0, 1),))], num_classes=3, given=[about]).noisy
    assert confusion(true, noisy, 3).tolist() == [[5, 5, 0], [5, 5, 0], [0, 0, 10]]
    assert (noisy[~in_source] == true[~in_source]).all()


def test_adversarial_noise_goes_one_way() -> None:
    true = np.repeat([0, 1, 2], 100)
    noisy = plant(true, [Noise("adversarial", 0.3, pairs=((2, 0),))], num_classes=3).noisy
    assert confusion(true, noisy, 3).tolist() == [[100, 0, 0], [0, 100, 0], [30, 0, 70]]


def test_boundary_noise_takes_the_lowest_scores_and_the_runner_up() -> None:
    true, score = np.repeat([0, 1], 50), np.tile(np.arange(50.0), 2)
    about = Given(order=score, runner_up=np.full(100, 2))
    planted = plant(true, [Noise("boundary", 0.1)], num_classes=3, given=[about])
    assert np.flatnonzero(planted.noise == 0).tolist() == [*range(5), *range(50, 55)]
    assert set(planted.noisy[planted.noise == 0]) == {2}


def test_boundary_noise_is_exact_where_the_runner_up_is_the_label_or_unknown() -> None:
    true, runner_up = np.repeat([0, 1], 1000), np.tile([0, 1, -1, 1], 500)
    about = Given(order=np.tile(np.arange(1000.0), 2), runner_up=runner_up)
    planted = plant(true, [Noise("boundary", 0.1)], num_classes=2, given=[about])
    # 500 rows of class 0 have another runner-up, 250 of class 1
    assert np.bincount(true[planted.noise == 0]).tolist() == [50, 25]


def test_sources_have_matrices_of_their_own() -> None:
    true, source = np.tile([0, 1], 100), np.repeat(["good", "bad"], 100)
    noise = Noise("source", matrices={"bad": np.array([[0.5, 0.5], [0.0, 1.0]])})
    noisy = plant(true, [noise], num_classes=2, given=[Given(group=source)]).noisy
    assert confusion(true[:100], noisy[:100], 2).tolist() == [[50, 0], [0, 50]]
    assert confusion(true[100:], noisy[100:], 2).tolist() == [[25, 25], [0, 50]]


def test_first_noise_wins_and_each_is_exact_before() -> None:
    true = np.repeat([0, 1], 500)
    noises = [Noise("uniform", 0.2), Noise("pairs", 0.5, pairs=((0, 1),))]
    planted = plant(true, noises, num_classes=2)
    alone = plant(true, noises[:1], num_classes=2)
    assert ((planted.noise == 0) == (alone.noise == 0)).all()
    assert (planted.noise == 0).sum() == 200
    assert (planted.noise == 1).sum() < 500  # rows of the first are taken
    assert 330 < (planted.noise == 1).sum() < 470


def test_seeds_choose_other_rows() -> None:
    true = np.repeat([0, 1], 500)
    one, other = (plant(true, [Noise("uniform", 0.1)], num_classes=2, seed=s) for s in (0, 1))
    assert one.noise.tolist() != other.noise.tolist()
    shared = ((one.noise == 0) & (other.noise == 0)).sum()
    assert shared < 30  # 10 by chance


def test_uniform_noise_of_small_classes_prefers_no_class() -> None:
    true = np.repeat(np.arange(100), 10)
    planted = plant(true, [Noise("uniform", 0.1)], num_classes=100)
    assert (planted.noise == 0).sum() == 100
    assert np.bincount(planted.noisy[planted.noise == 0], minlength=100).max() < 8


def test_every_kind_leaves_rows_that_may_not_change() -> None:
    rng = np.random.default_rng(0)
    true, may = rng.integers(0, 3, 300), rng.random(300) < 0.5
    matrix = matrices.uniform_matrix(3, 0.5)
    for kind in KINDS:
        noise = Noise(
            kind, 0.5, pairs=((0, 1),), matrices={"a": matrix},
            matrix=matrix if kind == "class" else None,
        )  # fmt: skip
        about = Given(group=np.full(300, "a"), may_change=may)
        planted = plant(true, [noise], num_classes=3, given=[about], seed=3)
        assert (planted.noise[~may] == UNCHANGED).all()
        if kind != "shift":
            assert (planted.noise[may] != UNCHANGED).any(), kind
