"""Time `sparkclean consensus` on simulated crowds, and crowd-kit's Dawid-Skene on the same votes.

python benchmarks/consensus.py --annotations 1000000
python benchmarks/consensus.py --annotations 5000000 20000000 --crowd-kit /path/to/its/bin/python

Annotators have skills from .5 to .95; each item has four votes. Seconds of the whole process and of
an iteration of EM, iterations, peak memory of all processes together and of the largest Python
worker, accuracy. crowd-kit runs in an environment of its own, for ten iterations, as long as its
table fits into memory. Writes benchmarks/results/consensus.json and .md, which keep what was not
measured again. Ratios hold on other machines, seconds do not.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from run import Measured, machine, measure

from sparkclean.lake import open_target

VOTES = 4
_FILE_ITEMS = 250_000
#: Of crowd-kit: its default ends early, and an iteration is an iteration.
_ITERATIONS = 10
_CROWD_KIT = """
import sys, time
import pandas as pd
from crowdkit.aggregation import DawidSkene
table = pd.read_parquet(sys.argv[1])
table = table.rename(columns={"item_id": "task"})[["task", "worker", "label"]]
begun = time.monotonic()
found = DawidSkene(n_iter=int(sys.argv[2]), tol=-1e300).fit_predict(table)
seconds = time.monotonic() - begun
truth = pd.read_parquet(sys.argv[3]).set_index("item_id")["truth"]
accuracy = (found == truth[found.index]).mean()
open(sys.argv[4], "w").write(f"{seconds} {accuracy}")
"""


def generate(folder: Path, annotations: int, annotators: int, classes: int) -> None:
    """Write annotations and the truth of their items."""
    (folder / "votes").mkdir(parents=True)
    items = annotations // VOTES
    skills = np.random.default_rng(0).uniform(0.5, 0.95, annotators)
    truths = []
    for number, first in enumerate(range(0, items, _FILE_ITEMS)):
        count = min(_FILE_ITEMS, items - first)
        rng = np.random.default_rng([first, annotations])
        truth = rng.integers(0, classes, count)
        # different annotators of an item: steps of at least 1 around a circle
        steps = rng.integers(1, max(2, annotators // VOTES), (count, VOTES)).cumsum(axis=1)
        who = (rng.integers(0, annotators, count)[:, None] + steps) % annotators
        right = rng.random((count, VOTES)) < skills[who]
        label = np.where(right, truth[:, None], rng.integers(0, classes, (count, VOTES)))
        order = rng.permutation(count * VOTES)
        columns = {
            "item_id": np.repeat(np.arange(first, first + count), VOTES)[order],
            "worker": who.ravel()[order].astype(np.int32),
            "label": label.ravel()[order].astype(np.int32),
        }
        pq.write_table(pa.table(columns), folder / "votes" / f"part-{number:05}.parquet")
        truths.append(truth)
    truth = np.concatenate(truths)
    pq.write_table(
        pa.table({"item_id": np.arange(items), "truth": truth}), folder / "truth.parquet"
    )


def run(folder: Path, work: Path) -> tuple[Measured, dict[str, Any]]:
    """Find the consensus; what it cost, and what it found."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    names = ("consensus", "annotators", "confusions", "agreement", "runs")
    config = {
        "annotations": {"table": str(folder / "votes"), "annotator": "worker"},
        "output": {name: str(work / name) for name in names},
    }
    path = work / "config.json"
    path.write_text(json.dumps(config))
    words = ["consensus", "--config", str(path), "--run-id", "one"]
    done = measure([sys.executable, "-m", "sparkclean", *words])
    if done.failed:
        raise SystemExit(done.failed)
    runs = open_target(str(work / "runs"))
    (file,) = runs.data_files(runs.versions()[-1].name)
    (record,) = pq.read_table(file).to_pylist()
    phases = {phase["name"]: phase["seconds"] for phase in json.loads(record["phases"])}
    iterations = json.loads(record["counts"])["iterations"]
    consensus = open_target(str(work / "consensus"))
    files = consensus.data_files(consensus.versions()[-1].name)
    found = pa.concat_tables(
        pq.read_table(file, columns=["item_id", "consensus_label"]) for file in files
    )
    truth = pq.read_table(folder / "truth.parquet")["truth"].to_numpy()
    labels = found["consensus_label"].to_numpy()
    accuracy = (labels == truth[found["item_id"].to_numpy()]).mean()
    return done, {
        "seconds_an_iteration": round(phases["fit confusion matrices"] / (iterations + 1), 2),
        "iterations": iterations,
        "accuracy": round(float(accuracy), 5),
        "phases": {name: round(seconds, 1) for name, seconds in phases.items()},
    }


def time_crowd_kit(python: str, folder: Path) -> tuple[Measured, dict[str, Any]] | None:
    """Time crowd-kit; None where it does not end well, as without enough memory."""
    words = [str(folder / "votes"), str(_ITERATIONS), str(folder / "truth.parquet")]
    said, script = folder / "crowd-kit.txt", folder / "crowd_kit.py"
    script.write_text(_CROWD_KIT)
    done = measure([python, str(script), *words, str(said)])
    if done.failed:
        return None
    seconds, accuracy = map(float, said.read_text().split())
    return done, {
        "seconds_an_iteration": round(seconds / _ITERATIONS, 2),
        "iterations": _ITERATIONS,
        "accuracy": round(accuracy, 5),
    }


def row_of(program: str, size: Sequence[int], done: Measured, found: dict[str, Any]) -> dict:
    """Arrange one measurement."""
    annotations, annotators, classes = size
    return {
        "annotations": annotations,
        "annotators": annotators,
        "classes": classes,
        "program": program,
        "seconds": round(done.seconds, 1),
        "peak_gib": round(done.peak_bytes / 2**30, 2),
        **found,
    }


def main() -> None:
    """Measure what is asked for, and write it down."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", 1)[0])
    parser.add_argument("--annotations", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--annotators", type=int, default=5000)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--crowd-kit", metavar="PYTHON", help="Python that has crowd-kit")
    parser.add_argument("--work", type=Path, default=Path("out/benchmark-consensus"))
    parser.add_argument("--results", type=Path, default=Path(__file__).resolve().parent / "results")
    args = parser.parse_args()
    place = args.results / "consensus.json"
    known = json.loads(place.read_text())["rows"] if place.exists() else []
    for count in args.annotations:
        size = (count, args.annotators, args.classes)
        folder = args.work / "-".join(map(str, size))
        if not folder.exists():
            generate(folder, *size)
        rows = [row_of("sparkclean", size, *run(folder, args.work / "run"))]
        other = time_crowd_kit(args.crowd_kit, folder) if args.crowd_kit else None
        if other is not None:
            rows.append(row_of("crowd-kit", size, *other))
        keys = ("annotations", "annotators", "classes", "program")
        new = {tuple(row[key] for key in keys) for row in rows}
        known = [row for row in known if tuple(row[key] for key in keys) not in new] + rows
        args.results.mkdir(exist_ok=True)
        place.write_text(json.dumps({"machine": machine(), "rows": known}, indent=1) + "\n")
        (args.results / "consensus.md").write_text(_markdown(known))
        for row in rows:
            print(row)


def _markdown(rows: Sequence[dict[str, Any]]) -> str:
    names = [name for name in rows[0] if name != "phases"]
    lines = [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
    for row in rows:
        cells = [f"{row[n]:,}" if isinstance(row[n], int) else str(row[n]) for n in names]
        lines.append(f"| {' | '.join(cells)} |")
    told = ", ".join(f"{name} {value}" for name, value in machine().items())
    return "\n".join([*lines, "", told, ""])


if __name__ == "__main__":
    main()
