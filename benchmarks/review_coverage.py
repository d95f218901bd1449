"""Does the interval of `sparkclean review estimate` hold the true rate? On numbers, without Spark.

    python benchmarks/review_coverage.py          # under a minute on one core
    python benchmarks/review_coverage.py --quick  # 200 draws a cell, populations of 4,000

Each cell of the grid is a population with known errors, which a model audits out of sample. The
benchmark draws 4,000 stratified samples of it, and counts how often the interval holds the truth.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import sparkclean
from sparkclean.noise.rates import allocate, recall, stratified_rate
from sparkclean.noise.strata import (
    BUCKETS,
    SUSPECTS,
    bucket_edges,
    decile_of_rank,
    stratum_of_decile,
)

KINDS = ("uniform", "pairs", "by class")
RATES = (0.002, 0.01, 0.05, 0.2)
SIZES = (2, 10, 100)
MODELS = ("good", "weak")
BUDGETS = (200, 2000)
EXAMPLES, DRAWS, SEED = 20_000, 4_000, 0
RESULTS = Path(__file__).parent / "results" / "review_coverage.md"


@dataclass(frozen=True)
class Population:
    """Examples by stratum, and by whether they are of one class, and wrong.

    Attributes
    ----------
    counts : ndarray of int64, shape (H, 4)
        Wrong and right ones of the class, wrong and right ones of the others.
    """

    counts: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Examples of each stratum."""
        return self.counts.sum(axis=1)


def population(kind: str, rate: float, K: int, model: str, examples: int) -> Population:
    """Make labels, a model's probabilities and an audit, and count what is in each stratum."""
    rng = np.random.default_rng([SEED, KINDS.index(kind), int(rate * 1000), K, len(model[:2])])
    true = rng.integers(0, K, examples)
    chance = np.full(K, rate)
    if kind == "by class":  # a fifth of the classes has all errors
        noisy = max(K // 5, 1)
        chance = np.where(np.arange(K) < noisy, min(rate * K / noisy, 0.6), 0.0)
    is_wrong = rng.random(examples) < chance[true]
    step = 1 if kind == "pairs" else rng.integers(1, K, examples)
    given = np.where(is_wrong, (true + step) % K, true)
    signal = {"good": 3.0, "weak": 1.0}[model] + np.log(K) / 2
    logits = rng.normal(size=(examples, K))
    logits[np.arange(examples), true] += signal
    probs = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    ranked = sparkclean.find_label_issues(given, probs, return_indices_ranked_by="self_confidence")
    own = probs[np.arange(examples), given]
    stratum = np.zeros(examples, np.int64)
    bucket = np.minimum((own * BUCKETS).astype(np.int64), BUCKETS - 1)
    others = np.ones(examples, bool)
    others[ranked] = False
    values, rows = np.unique(bucket[others], return_counts=True)
    edges = bucket_edges(dict(zip(values.tolist(), rows.tolist(), strict=True)))
    stratum[:] = SUSPECTS + np.searchsorted(edges, bucket, side="right")
    for rank, place in enumerate(ranked, 1):
        stratum[place] = stratum_of_decile(decile_of_rank(rank, len(ranked)))
    chosen = given == given[is_wrong][0] if is_wrong.any() else given == 0
    column = np.where(chosen, 0, 2) + ~is_wrong
    counts = np.zeros((SUSPECTS + len(edges) + 1, 4), np.int64)
    np.add.at(counts, (stratum, column), 1)
    return Population(counts)


def coverage(found: Population, budget: int, draws: int) -> dict[str, tuple[float, float]]:
    """Draw samples; for each number share of intervals that hold the truth, and mean width."""
    rng = np.random.default_rng([SEED, budget])
    drawn = allocate(budget, found.sizes)
    sample = np.stack(
        [
            rng.multivariate_hypergeometric(row, n, size=draws, method="marginals")
            for row, n in zip(found.counts, drawn, strict=True)
        ],
        axis=1,
    )
    counts, S = found.counts, SUSPECTS
    wrong, errors = counts[:, 0] + counts[:, 2], sample[..., 0] + sample[..., 2]
    of_class, class_drawn = counts[:, :2].sum(axis=1), sample[..., :2].sum(axis=-1)
    sizes = found.sizes
    truth = {
        "rate": wrong.sum() / sizes.sum(),
        "precision": wrong[:S].sum() / max(sizes[:S].sum(), 1),
        "recall": wrong[:S].sum() / max(wrong.sum(), 1),
        "class": counts[:, 0].sum() / of_class.sum(),
    }
    estimates = {
        "rate": stratified_rate(sizes, errors, drawn),
        "precision": stratified_rate(sizes[:S], errors[:, :S], drawn[:S]),
        "recall": recall(
            (sizes[:S], errors[:, :S], drawn[:S]), (sizes[S:], errors[:, S:], drawn[S:])
        ),
        "class": stratified_rate(of_class, sample[..., 0], class_drawn),
    }
    tiny = 1e-12
    return {
        name: (
            float(((low <= truth[name] + tiny) & (truth[name] <= high + tiny)).mean()),
            float((high - low).mean()),
        )
        for name, (_, low, high) in estimates.items()
    }


def run(draws: int, examples: int) -> dict[tuple, dict[str, tuple[float, float]]]:
    """Cover the grid."""
    cells = {}
    for kind, rate, K, model in itertools.product(KINDS, RATES, SIZES, MODELS):
        made = population(kind, rate, K, model, examples)
        for budget in BUDGETS:
            budget_here = min(budget, examples // 2)
            cells[kind, rate, K, model, budget] = coverage(made, budget_here, draws)
    return cells


def table(cells: dict[tuple, dict[str, tuple[float, float]]], name: str) -> list[str]:
    """Write one number: a row for each kind, rate and model; coverage and mean width."""
    columns = list(itertools.product(SIZES, BUDGETS))
    heads = [f"K = {K}, {budget:,} reviews" for K, budget in columns]
    lines = [
        "| noise | rate | model | " + " | ".join(heads) + " |",
        "|---|---|---|" + "---|" * len(heads),
    ]
    for kind, rate, model in itertools.product(KINDS, RATES, MODELS):
        found = [cells[kind, rate, K, model, budget][name] for K, budget in columns]
        shown = [f"{held:.3f} ({100 * width:.1f})" for held, width in found]
        lines.append(f"| {kind} | {100 * rate:g} % | {model} | " + " | ".join(shown) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    cells = run(200, 4_000) if quick else run(DRAWS, EXAMPLES)
    names = ("rate", "precision", "recall", "class")
    lowest = {name: min(cell[name][0] for cell in cells.values()) for name in names}
    lines = [
        "# Coverage of the intervals of a review",
        "",
        f"`python benchmarks/review_coverage.py`: {DRAWS:,} draws in each of {len(cells)} cells, "
        f"{EXAMPLES:,} examples each.",
        "",
        "Error rate: coverage of the 95 % interval, and its mean width in points in parentheses.",
        "",
        *table(cells, "rate"),
        "",
        "| number | lowest coverage of all cells |",
        "|---|---|",
        *(f"| {name} | {held:.3f} |" for name, held in lowest.items()),
    ]
    for name in names[1:]:
        lines += ["", f"## {name.capitalize()}", "", *table(cells, name)]
    text = "\n".join(lines) + "\n"
    if quick:
        print(text)
    else:
        RESULTS.write_text(text, encoding="utf-8")
        print(lowest)


if __name__ == "__main__":
    main()
