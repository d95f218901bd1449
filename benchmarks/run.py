"""Time `sparkclean audit` and cleanlab on the same generated tables, in the same run.

python benchmarks/run.py --tables 1000000x10 20000000x10 500000x1000 --repeats 3

Prints wall seconds (median), peak memory of the whole process tree (proportional set size of
driver, JVM and Python workers together) and the share of each phase. Ratios between the two hold
on other machines, seconds do not.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from generate import generate

from sparkclean.lake import open_target

_REFERENCE = """
import sys, numpy as np, pyarrow.parquet as pq
from cleanlab.filter import find_label_issues
table = pq.read_table(sys.argv[1], columns=["label", "pred_probs"])
labels = table["label"].to_numpy()
probs = table["pred_probs"].combine_chunks().flatten().to_numpy().reshape(len(labels), -1)
del table
issues = find_label_issues(labels, probs, return_indices_ranked_by="self_confidence", n_jobs=2)
print(len(issues))
"""


@dataclass(frozen=True)
class Measured:
    """One command: seconds, peak bytes of its process tree, what it printed."""

    seconds: float
    peak_bytes: int
    failed: str


def measure(command: Sequence[str]) -> Measured:
    """Run a command to its end."""
    begun = time.monotonic()
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        peak = [0]
        watcher = threading.Thread(target=_watch, args=(process, peak), daemon=True)
        watcher.start()
        code = process.wait()
        seconds = time.monotonic() - begun
        watcher.join()
        errors.seek(0)
        text = errors.read().strip().splitlines()
    return Measured(seconds, peak[0], (text[-1] if text else str(code)) if code else "")


def _watch(process: subprocess.Popen[bytes], peak: list[int]) -> None:
    while process.poll() is None:
        peak[0] = max(peak[0], sum(_proportional_bytes(pid) for pid in _tree(process.pid)))
        time.sleep(0.3)


def _tree(root: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [root]
    for pid in found:
        found.extend(parents.get(pid, []))
    return found


def _proportional_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:")), 0)


def audit(table: Path, work: Path) -> tuple[Measured, str]:
    """Audit a table with the defaults; also the share of each phase."""
    names = ("suspects", "cleaned", "rejected", "classes", "pairs", "runs")
    shutil.rmtree(work, ignore_errors=True)
    config = {
        "input": {"table": str(table)},
        "output": {name: str(work / "out" / name) for name in names},
        "spark": {"spark.driver.memory": "4g"},
    }
    work.mkdir(parents=True)
    path = work / "config.json"
    path.write_text(json.dumps(config))
    done = measure([sys.executable, "-m", "sparkclean", "audit", "--config", str(path)])
    if done.failed:
        return done, ""
    row = open_target(config["output"]["runs"]).head(1).to_pylist()[0]
    phases = json.loads(row["phases"])
    shares = [f"{phase['name']} {phase['seconds'] / done.seconds:.0%}" for phase in phases]
    rest = 1 - sum(phase["seconds"] for phase in phases) / done.seconds
    return done, ", ".join([*shares, f"start and stop {rest:.0%}"])


def main() -> None:
    """Generate what is missing, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", nargs="+", default=["1000000x10"], metavar="ROWSxCLASSES")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--work", type=Path, default=Path("out/bench"), help="tables and outputs")
    parser.add_argument("--only", choices=("sparkclean", "cleanlab"))
    args = parser.parse_args()
    print("table | program | seconds | peak GiB | suspects | phases")
    for name in args.tables:
        rows, classes = (int(part) for part in name.split("x"))
        table = args.work / name
        if not table.exists():
            generate(table, rows, classes)
        runs: dict[str, list[Measured]] = {"sparkclean": [], "cleanlab": []}
        phases = suspects = ""
        for _ in range(args.repeats):
            if args.only != "cleanlab":
                done, phases = audit(table.resolve(), args.work / "audit")
                runs["sparkclean"].append(done)
                version = open_target(str(args.work / "audit/out/suspects")).current()
                suspects = f"{version.rows:,}" if version else "-"
            if args.only != "sparkclean":
                runs["cleanlab"].append(measure([sys.executable, "-c", _REFERENCE, str(table)]))
        for program, measured in runs.items():
            if not measured:
                continue
            seconds = statistics.median(run.seconds for run in measured)
            peak = max(run.peak_bytes for run in measured) / 2**30
            failed = next((run.failed for run in measured if run.failed), "")
            told = failed or (f"{suspects} | {phases}" if program == "sparkclean" else "|")
            print(f"{name} | {program} | {seconds:.1f} | {peak:.1f} | {told}", flush=True)


if __name__ == "__main__":
    main()
