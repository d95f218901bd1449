"""Measure what each mitigation of wrong labels is worth, by accuracy on right ones.

python benchmarks/mitigation.py

Half of each data set is for training, with wrong labels planted, half for the test, with right
labels. The model is softmax regression throughout (`RobustClassifier`, standardised features); only
loss and weights of the rows differ. Its ``alpha`` is the default one, and once more chosen: by each
mitigation for itself, in the same way, as that of `ALPHAS` by which most labels *as given* are
predicted in 5 folds; the largest on a tie. The audit sees the probabilities that plain training
predicts in these folds. Seeds change split, noise and folds. Writes
benchmarks/results/mitigation.json and .md: on one machine the same twice.

Noise: ``uniform`` to any other class; ``class`` has a rate of each class, from half to 1.5 times
the mean, and random shares of the other classes, drawn again until the right label is the most
frequent one of each class; ``pair`` from k to k + 1. With two classes ``pair`` is ``uniform``, and
left out.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t
from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.preprocessing import StandardScaler

from sparkclean.confident.issues import audit_arrays
from sparkclean.learning.losses import ForwardCorrection, Loss
from sparkclean.learning.robust_classifier import RobustClassifier

Floats: TypeAlias = NDArray[np.float64]
Labels: TypeAlias = NDArray[np.int64]
Folds: TypeAlias = Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]]

NUM_FOLDS = 5
ALPHAS = (1e0, 1e-1, 1e-2)
DEFAULT_ALPHA = RobustClassifier().alpha
#: Alphas to choose from.
GRIDS = {"chosen": ALPHAS, "default": (DEFAULT_ALPHA,)}
NOISES = ("uniform", "class", "pair")
RATES = (0.1, 0.2, 0.4)


def generated() -> tuple[Floats, Labels]:
    """20 classes, which no line divides wholly."""
    return make_classification(
        n_samples=2000,
        n_features=40,
        n_informative=20,
        n_redundant=0,
        n_classes=20,
        n_clusters_per_class=1,
        class_sep=2.0,
        flip_y=0.0,
        random_state=0,
    )


DATA: dict[str, Callable[[], tuple[Floats, Labels]]] = {
    "digits": lambda: load_digits(return_X_y=True),
    "wine": lambda: load_wine(return_X_y=True),
    "breast cancer": lambda: load_breast_cancer(return_X_y=True),
    "generated": generated,
}


def noise_matrix(kind: str, rate: float, classes: int, rng: np.random.Generator) -> Floats:
    """Make P(given | true), rows given, columns true."""
    right = np.eye(classes)
    if kind == "uniform":
        return (1.0 - rate) * right + rate * (1.0 - right) / (classes - 1)
    if kind == "pair":
        return (1.0 - rate) * right + rate * np.roll(right, 1, axis=0)
    while True:
        rates = rng.uniform(0.5, 1.5, classes)
        rates *= rate / rates.mean()
        matrix = np.diag(1.0 - rates)
        for k in range(classes):
            matrix[np.arange(classes) != k, k] = rates[k] * rng.dirichlet(np.ones(classes - 1))
        if (matrix.argmax(axis=0) == np.arange(classes)).all() and rates.max() <= 1.5 * rate:
            return matrix


def plant(true: Labels, matrix: Floats, rng: np.random.Generator) -> Labels:
    """Draw a given label for each true one."""
    cumulated = matrix.cumsum(axis=0)[:, true]
    return (rng.random(len(true)) * cumulated[-1] >= cumulated).sum(axis=0)


def predict_folds(model: Any, X: Floats, given: Labels, folds: Folds, **fit: Any) -> Floats:
    """Predict each fold by a model that was trained without it; of `fit` arrays, too."""
    probs = np.zeros((len(given), given.max() + 1))
    for rest, held in folds:
        model.fit(X[rest], given[rest], **{name: value[rest] for name, value in fit.items()})
        probs[np.ix_(held, model.classes_)] = model.predict_proba(X[held])
    return probs


def choose_alpha(
    loss: str | Loss,
    X: Floats,
    given: Labels,
    weights: Floats,
    *,
    folds: Folds,
    grid: Sequence[float],
) -> tuple[float, Floats]:
    """Choose how much to regularise, and give what was predicted in folds by it."""
    with warnings.catch_warnings():
        # with a large alpha a loss that is not convex may creep; what it then predicts decides
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = {
            alpha: predict_folds(
                RobustClassifier(loss, alpha=alpha), X, given, folds, sample_weight=weights
            )
            for alpha in grid
        }
    best = max(grid, key=lambda alpha: (found[alpha].argmax(axis=1) == given).mean())
    return best, found[best]


def measure(
    name: str, kind: str, rate: float, seed: int
) -> Iterator[tuple[str, str, float, float]]:
    """Yield how alpha came about, mitigation, alpha and accuracy, for one seed."""
    X, true = DATA[name]()
    X, X_test, true, true_test = train_test_split(
        X, true, test_size=0.5, stratify=true, random_state=seed
    )
    scaler = StandardScaler().fit(X)
    X, X_test = scaler.transform(X), scaler.transform(X_test)
    rng = np.random.default_rng([seed, NOISES.index(kind), round(100 * rate)])
    matrix = noise_matrix(kind, rate, true.max() + 1, rng)
    given = plant(true, matrix, rng)
    folds = list(StratifiedKFold(NUM_FOLDS, shuffle=True, random_state=seed).split(X, given))
    every = np.ones(len(given))
    for way, grid in GRIDS.items():
        plain, probs = choose_alpha("cross_entropy", X, given, every, folds=folds, grid=grid)
        audit = audit_arrays(given, probs)
        kept = np.where(audit.is_label_issue, 0.0, 1.0)
        # loss, labels, weights
        mitigations: dict[str, tuple[str | Loss, Labels, Floats]] = {
            "right labels": ("cross_entropy", true, every),
            "plain": ("cross_entropy", given, every),
            "drop": ("cross_entropy", given, kept),
            "weight": ("cross_entropy", given, kept * audit.noise.class_weights[given]),
            "symmetric": ("symmetric_cross_entropy", given, every),
            "generalised": ("generalized_cross_entropy", given, every),
            "forward": (ForwardCorrection(audit.noise.noise_matrix), given, every),
            "forward, true matrix": (ForwardCorrection(matrix), given, every),
        }
        for mitigation, (loss, labels, weights) in mitigations.items():
            alpha = plain
            if len(grid) > 1 and mitigation != "plain":
                alpha, _ = choose_alpha(loss, X, labels, weights, folds=folds, grid=grid)
            model = RobustClassifier(loss, alpha=alpha).fit(X, labels, weights)
            yield way, mitigation, alpha, model.score(X_test, true_test)


def run(names: Sequence[str], seeds: int) -> list[dict[str, Any]]:
    """Measure all that makes sense: a row for each mitigation, with a number for each seed."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for name, kind, rate in product(names, NOISES, RATES):
        if kind == "pair" and DATA[name]()[1].max() == 1:
            continue
        for seed in range(seeds):
            for way, mitigation, alpha, accuracy in measure(name, kind, rate, seed):
                key = {"alpha": way, "data": name, "noise": kind, "rate": rate}
                key["mitigation"] = mitigation
                row = rows.setdefault(tuple(key.values()), key | {"alphas": [], "accuracy": []})
                row["alphas"].append(alpha)
                row["accuracy"].append(round(accuracy, 6))
        print(name, kind, rate, flush=True)
    return list(rows.values())


def interval(values: Floats) -> tuple[float, float]:
    """Compute the mean, and half the width of its 95 % interval over seeds, by Student's t."""
    count = len(values)
    half = t.ppf(0.975, count - 1) * values.std(ddof=1) / np.sqrt(count) if count > 1 else np.nan
    return float(values.mean()), float(half)


def markdown(rows: Sequence[dict[str, Any]], way: str, names: Sequence[str]) -> str:
    """Table of the mean over data sets: plain accuracy, and what others have more, in points."""
    found: dict[tuple[str, float], dict[str, list[Any]]] = {}
    for row in rows:
        if row["alpha"] == way and row["data"] in names:
            of_noise = found.setdefault((row["noise"], row["rate"]), {})
            of_noise.setdefault(row["mitigation"], []).append(row["accuracy"])
    columns = [name for name in next(iter(found.values())) if name != "plain"]
    lines = [f"| noise | plain, % | {' | '.join(columns)} |", "|---" * (len(columns) + 2) + "|"]
    for (kind, rate), of_noise in found.items():
        by_seed = {name: 100.0 * np.mean(values, axis=0) for name, values in of_noise.items()}
        mean, half = interval(by_seed["plain"])
        cells = [f"{kind} {rate:.0%}", f"{mean:.1f} ± {half:.1f}"]
        for name in columns:
            mean, half = interval(by_seed[name] - by_seed["plain"])
            cells.append(f"{mean:+.1f} ± {half:.1f}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def report(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> str:
    """All tables, with what they hold."""
    parts = [
        "# What each mitigation is worth\n\nTest accuracy on right labels, by the mean over five "
        "seeds with its 95 % interval: of plain training in %, and what others have more, paired "
        "by seed, in points. `right labels` is plain training without wrong ones. Two classes "
        "have no `pair`. How it was measured is said in benchmarks/mitigation.py."
    ]
    for way in GRIDS:
        how = f"{DEFAULT_ALPHA}, the default" if way == "default" else "chosen by 5 folds"
        parts.append(f"## alpha {how}: mean over data sets\n\n{markdown(rows, way, names)}")
        parts += [
            f"### alpha {how}: {name}\n\n{markdown(rows, way, [name])}"
            for name in (names if len(names) > 1 else ())
        ]
    versions = [f"{p} {importlib.metadata.version(p)}" for p in ("numpy", "scipy", "scikit-learn")]
    return "\n\n".join([*parts, ", ".join(versions)]) + "\n"


def main() -> None:
    """Measure, write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    rows = run(args.data, args.seeds)
    args.results.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(row) for row in rows)
    (args.results / "mitigation.json").write_text(f"[\n{lines}\n]\n")
    text = report(rows, args.data)
    (args.results / "mitigation.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
