"""How often the gates of doubtful answers close rightly and wrongly.

``python benchmarks/doubts.py`` writes ``results/doubts.md``.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sparkclean

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.conftest import GOLDEN
from tests.unit.test_doubts import doubts_of, golden

RESULTS = Path(__file__).parent / "results" / "doubts.md"
MODELS: dict[str, Callable[[], Any]] = {
    "logistic regression": lambda: make_pipeline(
        StandardScaler(), LogisticRegression(max_iter=300)
    ),
    "naive Bayes": GaussianNB,
    "random forest": lambda: RandomForestClassifier(50, random_state=0),
}
RATES = (0.0, 0.05, 0.1, 0.2, 0.4)


def data_sets() -> Iterator[tuple[str, NDArray[Any], NDArray[np.int64]]]:
    """Yield real and generated examples with right labels."""
    for name, load in (
        ("digits", load_digits),
        ("wine", load_wine),
        ("breast cancer", load_breast_cancer),
    ):
        yield name, *load(return_X_y=True)
    for apart in (0.5, 1.0, 1.5, 2.0):
        yield (
            f"generated, {apart:g} apart",
            *make_classification(
                3000, 12, n_informative=8, n_classes=4, class_sep=apart, flip_y=0, random_state=1
            ),
        )


def flip(labels: NDArray[np.int64], rate: float, kind: str, seed: int) -> NDArray[np.int64]:
    """Flip labels, to any other class or to the next one."""
    random, size = np.random.default_rng(seed), labels.max() + 1
    rows = random.permutation(len(labels))[: round(rate * len(labels))]
    step = 1 if kind == "pair" else random.integers(1, size, len(rows))
    flipped = labels.copy()
    flipped[rows] = (flipped[rows] + step) % size
    return flipped


def judged(
    name: str, given: NDArray[np.int64], probs: NDArray[np.float64], true: NDArray[np.int64]
) -> dict[str, Any]:
    """Audit, and say what the gates would do."""
    found = sparkclean.find_label_issues(labels=given, pred_probs=probs)
    right = float((given != true)[found].mean()) if found.any() else 1.0
    doubts = [doubt.allowed_by for doubt in doubts_of(given, probs, int(found.sum()))]
    return {"set": name, "suspects": float(found.mean()), "right": right, "doubts": doubts}


def measure() -> list[dict[str, Any]]:
    """Judge every set, model and noise."""
    rows = []
    for name, features, labels in data_sets():
        for rate in RATES:
            for kind in ("uniform", "pair") if rate else ("uniform",):
                given = flip(labels, rate, kind, seed=int(100 * rate))
                for model, make in MODELS.items():
                    probs = cross_val_predict(make(), features, given, cv=5, method="predict_proba")
                    rows.append(judged(f"{name}, {kind} {rate:.0%}, {model}", given, probs, labels))
    given, probs = golden("clpaper_cifar10_n20_s40")
    truth = pq.read_table(GOLDEN / "clpaper_cifar10_n20_s40" / "truth.parquet")
    rows.append(judged("CIFAR-10, 20 %", given, probs, truth["true_label"].to_numpy()))
    return rows


def write(rows: list[dict[str, Any]]) -> None:
    """Write the table of counts, and every answer of many suspects."""
    many = [row for row in rows if row["suspects"] >= 0.1]
    lines = [
        "# How often the gates of doubtful answers close",
        "",
        f"{len(rows)} audits with known truth; {len(many)} have suspects on a tenth of the rows or "
        "more. Closed by `gate.allow_many_suspects` or `gate.allow_weak_model`:",
        "",
        "| suspects with wrong labels | audits | closed |",
        "|---|---|---|",
    ]
    for low, high in ((0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.01)):
        those = [row for row in many if low <= row["right"] < high]
        closed = sum(bool(row["doubts"]) for row in those)
        lines.append(f"| {low:.0%} to {min(high, 1):.0%} | {len(those)} | {closed} |")
    few = [row for row in rows if row["suspects"] < 0.1]
    closed = sum(bool(row["doubts"]) for row in few)
    lines += ["", f"Of the {len(few)} audits with fewer suspects {closed} were closed.", ""]
    lines += ["| audit | suspects | of these wrong | closed by |", "|---|---|---|---|"]
    lines += [
        f"| {row['set']} | {row['suspects']:.1%} | {row['right']:.0%} | "
        f"{', '.join(row['doubts']) or '-'} |"
        for row in many
    ]
    RESULTS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    write(measure())
