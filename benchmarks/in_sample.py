"""Show why probabilities must be out of sample: how well an audit finds wrong labels by either.

python benchmarks/in_sample.py

Digits with 10 % of the labels flipped to any other class. Each model predicts all rows twice: those
of each of 5 folds when trained on the others, and all when trained on all. Average precision of the
flipped labels in the order of label quality, by the mean over five seeds with its 95 % interval,
and how often the audit warns. Writes benchmarks/results/in_sample.json and .md.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
from mitigation import DATA, NUM_FOLDS, Floats, Labels, interval, noise_matrix, plant, predict_folds
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparkclean.confident.issues import audit_arrays
from sparkclean.confident.joint import count_pairs
from sparkclean.confident.scores import self_confidence
from sparkclean.examples.checks import in_sample_warning
from sparkclean.examples.kernels import SURE
from sparkclean.examples.statistics import ClassStatistics
from sparkclean.learning.estimators import make_estimator
from sparkclean.learning.robust_classifier import RobustClassifier
from sparkclean.numbers.pair_counts import PairCounts

RATE = 0.1
WAYS = ("out of sample", "in sample")

MODELS: dict[str, Callable[[int], Any]] = {
    "logistic regression": lambda seed: make_estimator(None, {}, scaled=False),  # noqa: ARG005
    "one hidden layer": lambda seed: make_pipeline(
        StandardScaler(),
        RobustClassifier("cross_entropy", hidden_units=32, tol=1e-3, random_state=seed),
    ),
    "random forest": lambda seed: RandomForestClassifier(random_state=seed),
}


def is_warned_of(given: Labels, probs: Floats) -> bool:
    """Whether an audit says that probabilities look in-sample."""
    statistics = ClassStatistics(
        rows=len(given),
        examples=np.bincount(given, minlength=probs.shape[1]),
        sums=[],
        column_sums=[],
        clipped=0,
        surely=int((self_confidence(given, probs) > SURE).sum()),
        percentages=0,
        lowest=None,
        highest=None,
        rejections={},
        rejected=cast(Any, None),
    )
    predictions = PairCounts(count_pairs(given, probs.argmax(axis=1), probs.shape[1]))
    return bool(in_sample_warning(statistics, predictions))


def measure(name: str, seed: int) -> list[dict[str, Any]]:
    """Predict by one model both ways, and audit."""
    X, true = DATA["digits"]()
    rng = np.random.default_rng(seed)
    given = plant(true, noise_matrix("uniform", RATE, true.max() + 1, rng), rng)
    folds = StratifiedKFold(NUM_FOLDS, shuffle=True, random_state=seed).split(X, given)
    model = MODELS[name](seed)
    found = {WAYS[0]: predict_folds(model, X, given, list(folds))}
    found[WAYS[1]] = model.fit(X, given).predict_proba(X)
    rows = []
    for way, probs in found.items():
        audit = audit_arrays(given, probs)
        flipped, suspect = given != true, audit.is_label_issue
        rows.append(
            {
                "model": name,
                "probabilities": way,
                "seed": seed,
                "average_precision": average_precision_score(flipped, -audit.label_quality),
                "found": (flipped & suspect).sum() / flipped.sum(),
                "agreement": (probs.argmax(axis=1) == given).mean(),
                "warned": is_warned_of(given, probs),
            }
        )
    return rows


def markdown(rows: list[dict[str, Any]]) -> str:
    """Table of the results."""
    keys = ("average_precision", "found", "agreement")
    heads = ("average precision", "flips among suspects", "labels agreed with", "warned")
    lines = [f"| model | probabilities | {' | '.join(heads)} |", "|---" * 6 + "|"]
    for name in MODELS:
        for way in WAYS:
            of = [row for row in rows if row["model"] == name and row["probabilities"] == way]
            cells = [name, way]
            for key in keys:
                mean, half = interval(np.array([row[key] for row in of]))
                cells.append(f"{mean:.3f} ± {half:.3f}")
            cells.append(f"{sum(row['warned'] for row in of)} of {len(of)}")
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    rows = []
    for name in MODELS:
        for seed in range(args.seeds):
            rows += measure(name, seed)
        print(name, flush=True)
    args.results.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(row) for row in rows)
    (args.results / "in_sample.json").write_text(f"[\n{lines}\n]\n")
    versions = [f"{p} {importlib.metadata.version(p)}" for p in ("numpy", "scipy", "scikit-learn")]
    text = (
        "# Why out of sample\n\nDigits, 10 % of the labels flipped; mean over five seeds with its "
        f"95 % interval.\n\n{markdown(rows)}\n\n{', '.join(versions)}\n"
    )
    (args.results / "in_sample.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
