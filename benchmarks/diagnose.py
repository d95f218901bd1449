"""Does `sparkclean diagnose` name the kind of noise? Simulated audits on numbers, without Spark.

    python benchmarks/diagnose.py --seeds 1:20:2

An audit is a table of 20,000 rows (60,000 where few rows can be affected), K classes that a
Gaussian mixture makes overlap, and the probabilities of a model that has learned the noise, as far
as it can see it. Limits were chosen on even seeds. The report counts odd seeds alone.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from sparkclean.noise.diagnosis.arrays import count_arrays
from sparkclean.noise.diagnosis.counts import Counts
from sparkclean.noise.diagnosis.decide import find_signs, judge_stability
from sparkclean.noise.diagnosis.limits import Limits
from sparkclean.noise.matrices import uniform_matrix
from sparkclean.noise.simulate import Given, Noise, plant

RATES = (0.01, 0.05, 0.2)
#: Distance of the means of two classes from their centre, in standard deviations: by K, good and
#: weak model. The good ones err on 1 to 3 % of the rows, the weak ones on 20 to 45 %.
DISTANCES = {2: (3.3, 1.2), 10: (4.2, 2.0), 100: (5.2, 3.0)}
KINDS = (
    "none", "uniform", "class", "pairs", "exchange", "shift", "swap", "source", "annotator", "time",
    "adversarial", "boundary",
)  # fmt: skip
#: Kinds of which the rate is that of one subject.
OF_SUBJECT = ("source", "annotator", "time", "adversarial", "swap")
#: Planted errors from which on a kind can be told.
NEEDED, NEEDED_OF_SUBJECT = 200, 30


@dataclass(frozen=True)
class Cell:
    """What an audit simulates."""

    kind: str
    rate: float
    num_classes: int
    model: str


def cells() -> Iterator[Cell]:
    """Give every kind, rate, K and model."""
    for kind, size, model in itertools.product(KINDS, DISTANCES, ("good", "weak")):
        for rate in (0.0,) if kind == "none" else (1.0,) if kind == "swap" else RATES:
            yield Cell(kind, rate, size, model)


def simulate(cell: Cell, seed: int) -> tuple[Counts, int]:
    """Make an audit; give its counts, and how many labels are wrong."""
    size = cell.num_classes
    rng = np.random.default_rng([seed, KINDS.index(cell.kind), int(cell.rate * 1000), size])
    count, sources = 20_000, 20
    if cell.kind == "adversarial":
        count, sources = 60_000, 4
    if cell.kind == "swap" and size == 100:
        sources = 4
    true = rng.integers(size, size=count)
    distance = DISTANCES[size][cell.model == "weak"]
    logits = rng.standard_normal((count, size))
    logits[np.arange(count), true] += distance
    probs = _softmax(distance * logits)
    columns = {
        "source": rng.integers(sources, size=count),
        "annotator": rng.integers(10, size=count),
        "file": np.arange(count) // (count // 100),
        "time": np.arange(count) // (count // 20),
    }
    given = _plant(cell, true, probs, columns, seed)
    if cell.kind != "boundary":
        seen = np.zeros((size, size))
        np.add.at(seen, (true, given), 1.0)
        probs = probs @ (seen / np.maximum(seen.sum(axis=1, keepdims=True), 1.0))
    probs = _softmax(np.log(probs + 1e-9) + 0.2 * rng.standard_normal(probs.shape))
    counts = count_arrays(given, probs, subjects=columns, file=columns["file"])
    return counts, int(np.count_nonzero(given != true))


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _plant(
    cell: Cell, true: np.ndarray, probs: np.ndarray, columns: dict[str, np.ndarray], seed: int
) -> np.ndarray:
    size, rate = cell.num_classes, cell.rate
    noise, about = Noise("uniform", rate), Given()
    if cell.kind == "none":
        return true
    if cell.kind == "exchange":  # neighbours
        first = np.flatnonzero(np.random.default_rng(seed).random(len(true) // 2) < rate) * 2
        given = true.copy()
        given[first], given[first + 1] = true[first + 1], true[first]
        return given
    if cell.kind == "class":
        rates = 2.0 * rate * (np.arange(size) % 2)  # half of the classes
        rows = [uniform_matrix(size, r)[k] for k, r in enumerate(rates)]
        noise = Noise("class", matrix=np.array(rows))
    elif cell.kind == "pairs":
        noise = Noise("pairs", rate, pairs=tuple((k, k + 1) for k in range(0, size, 2)))
    elif cell.kind == "shift":
        noise, about = Noise("shift", rate), Given(group=columns["file"])
    elif cell.kind in ("source", "annotator", "time"):
        about = Given(may_change=columns[cell.kind] == 1)
    elif cell.kind == "adversarial":
        noise = Noise("adversarial", rate, pairs=((0, 1),))
        about = Given(may_change=columns["source"] == 1)
    elif cell.kind == "swap":
        noise, about = Noise("swap", pairs=((0, 1),)), Given(may_change=columns["source"] == 1)
    elif cell.kind == "boundary":
        two = np.sort(probs, axis=1)[:, -2:]
        ranked = np.argsort(probs, axis=1)
        other = np.where(ranked[:, -1] == true, ranked[:, -2], ranked[:, -1])
        noise = Noise("boundary", rate)
        about = Given(order=two[:, 1] - two[:, 0], runner_up=other)
    if cell.kind in ("uniform", "class", "pairs"):
        # rows one by one: rates that are exact to one row a class would make it too easy
        chances = np.cumsum(noise.matrix_of(size), axis=1)[true]
        unit = np.random.default_rng([seed, 1]).random(len(true))[:, None]
        return np.minimum((unit > chances).sum(axis=1), size - 1)
    return plant(true, [noise], num_classes=size, given=[about], seed=seed).noisy


def is_identifiable(cell: Cell, errors: int) -> bool:
    """Tell whether the kind can be told at all, by enough errors."""
    if cell.kind == "boundary" or (cell.kind == "pairs" and cell.num_classes == 2):
        return False
    needed = NEEDED_OF_SUBJECT if cell.kind in OF_SUBJECT else NEEDED
    return cell.kind == "none" or errors >= needed


def is_right(cell: Cell, answer: str) -> bool:
    """Compare an answer with what was planted."""
    return answer == cell.kind or (cell.model == "weak" and answer == "undetermined")


def run(
    seeds: range, kind: str | None, model: str | None, replicates: int
) -> Iterator[dict[str, object]]:
    """Simulate audits and diagnose them."""
    every = list(cells())
    shuffled = [
        (s, every[k]) for s in seeds for k in np.random.default_rng(s).permutation(len(every))
    ]
    for seed, cell in shuffled:  # what has run so far is a sample of all
        if kind not in (None, cell.kind) or model not in (None, cell.model):
            continue
        counts, errors = simulate(cell, seed)
        signs = find_signs(counts, Limits())
        found = judge_stability(counts, signs, Limits(), replicates=replicates)
        yield asdict(cell) | {
            "seed": seed,
            "errors": errors,
            "first": signs.kind,
            "answer": found.kind,
            "stability": found.stability,
            "reason": found.reason,
            "identifiable": is_identifiable(cell, errors),
            "right": is_right(cell, found.kind),
        }


def table(rows: list[dict[str, object]]) -> str:
    """Write the confusion of planted and diagnosed kinds, in Markdown."""
    lines = []
    for model in ("good", "weak"):
        own = [row for row in rows if row["model"] == model and row["identifiable"]]
        answers = sorted({str(row["answer"]) for row in own})
        lines += [
            f"{model.capitalize()} model:", "",
            "| planted | audits | right | " + " | ".join(answers) + " |",
            "|---|--:|--:|" + "--:|" * len(answers),
        ]  # fmt: skip
        for kind in KINDS:
            mine = [row for row in own if row["kind"] == kind]
            if not mine:
                continue
            found = Counter(str(row["answer"]) for row in mine)
            right = sum(bool(row["right"]) for row in mine)
            numbers = [str(found[answer] or "") for answer in answers]
            lines.append(
                f"| {kind} | {len(mine)} | {100 * right / len(mine):.0f} % | "
                + " | ".join(numbers) + " |"
            )  # fmt: skip
        total = sum(bool(row["right"]) for row in own)
        lines += ["", f"Right: {total} of {len(own)} ({100 * total / max(len(own), 1):.1f} %).", ""]
    return "\n".join(lines)


def main() -> None:
    """Run, keep the rows, and print the confusion of odd seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0:4", help="first, one past the last, and step")
    parser.add_argument("--kind", help="one kind alone")
    parser.add_argument("--model", choices=("good", "weak"), help="one model alone")
    parser.add_argument("--replicates", type=int, default=200, help="of the counts of an audit")
    parser.add_argument("--half", choices=("odd", "even"), default="odd", help="seeds to count")
    parser.add_argument(
        "--out", type=Path, help="file of JSON lines; what it holds is counted, too"
    )
    options = parser.parse_args()
    seeds = range(*map(int, options.seeds.split(":")))
    rows = []
    if options.out and options.out.exists():
        rows = [json.loads(line) for line in options.out.read_text().splitlines()]
    for row in run(seeds, options.kind, options.model, options.replicates):
        rows.append(row)
        if options.out:
            with options.out.open("a") as file:
                file.write(json.dumps(row) + "\n")
        if row["identifiable"] and not row["right"]:
            print(row, file=sys.stderr)
    counted = [row for row in rows if int(str(row["seed"])) % 2 == (options.half == "odd")]
    print(table(counted))


if __name__ == "__main__":
    main()
