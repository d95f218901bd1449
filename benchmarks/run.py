"""Time `sparkclean audit`, the reference and bare scans on the same tables, each a whole process.

python benchmarks/run.py --tables 5000000x10 --repeats 3

Every program runs once in each round, several rounds; medians of wall seconds, peak memory of the
whole process tree (proportional set size of driver, JVM and Python workers together), bytes that it
read and wrote, passes over the probabilities and seconds per phase. Writes
benchmarks/results/<date>.json and .md. Ratios between programs hold on other machines, seconds do
not.

Programs: ``bare`` starts Spark and a Python worker; ``decode`` reads the column with pyarrow on two
threads; ``noop`` sends it through an empty mapInArrow, after ``bare``; ``reference`` is cleanlab;
``files`` and ``dataframe`` are ours, by scan, ``again`` is ours by DataFrame after a first run, by
whose findings it needs one pass, and ``one-core`` is ``files`` on one core.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from generate import SHAPES, generate

from sparkclean.lake import open_target

_REFERENCE = """
import sys, numpy as np, pyarrow.parquet as pq
from cleanlab.filter import find_label_issues
table = pq.read_table(sys.argv[1], columns=["label", "pred_probs"])
labels = table["label"].to_numpy()
probs = table["pred_probs"].combine_chunks().flatten().to_numpy().reshape(len(labels), -1)
del table
find_label_issues(labels, probs, return_indices_ranked_by="self_confidence", n_jobs=2)
"""


_DECODE = """
import sys, time, pyarrow.parquet as pq
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

def read(path):
    with pq.ParquetFile(path, buffer_size=1 << 20) as file:
        for batch in file.iter_batches(1 << 17, columns=["pred_probs"], use_threads=False):
            batch.column(0).flatten()

begun = time.monotonic()
with ThreadPoolExecutor(2) as pool:
    list(pool.map(read, sorted(Path(sys.argv[1]).glob("*.parquet"))))
print(time.monotonic() - begun)
"""
_BARE = """
import os, sys, time
os.environ["PYSPARK_PYTHON"] = sys.executable
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[*]").config("spark.ui.enabled", "false").getOrCreate()
spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "65536")

def nothing(batches):
    for batch in batches:
        pass
    return iter(())

spark.range(2).mapInArrow(nothing, "x int").collect()
"""
_NOOP = f"""{_BARE}
begun = time.monotonic()
frame = spark.read.parquet(sys.argv[1]).select("pred_probs")
frame.mapInArrow(nothing, "x int").write.format("noop").mode("overwrite").save()
print(time.monotonic() - begun)
"""
PROGRAMS = ("bare", "decode", "noop", "reference", "files", "dataframe", "again", "one-core")


@dataclass(frozen=True)
class Measured:
    """One command.

    Attributes
    ----------
    seconds : float
    peak_bytes : int
        Of the process tree.
    workers_bytes : int
        Of the largest Python worker, at its peak.
    read_bytes, written_bytes : int
        Through the file system, cached or not.
    failed : str
        The last line of stderr where it failed.
    """

    seconds: float
    peak_bytes: int
    workers_bytes: int
    read_bytes: int
    written_bytes: int
    failed: str
    suspects: int | None = None
    phases: tuple[tuple[str, float], ...] = ()
    passes: int | None = None


def measure(command: Sequence[str]) -> Measured:
    """Run a command to its end."""
    begun = time.monotonic()
    with tempfile.TemporaryFile("w+") as errors, tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, stderr=errors)
        seen = Watched()
        watcher = threading.Thread(target=seen.watch, args=(process,), daemon=True)
        watcher.start()
        code = process.wait()
        seconds = time.monotonic() - begun
        watcher.join()
        errors.seek(0)
        text = errors.read().strip().splitlines()
        out.seek(0)
        said = out.read().strip()
    failed = (text[-1] if text else str(code)) if code else ""
    read, written = (sum(pair[i] for pair in seen.bytes.values()) for i in (0, 1))
    phases = (("scan", float(said)),) if re.fullmatch(r"[0-9.]+", said) else ()
    return Measured(seconds, seen.peak, seen.worker, read, written, failed, phases=phases)


class Watched:
    """What a process tree has used at most, sampled."""

    def __init__(self) -> None:
        self.peak = self.worker = 0
        self.bytes: dict[int, tuple[int, int]] = {}

    def watch(self, process: subprocess.Popen[bytes]) -> None:
        """Look three times a second until the process ends."""
        while process.poll() is None:
            sizes = {}
            for pid in _tree(process.pid):
                sizes[pid] = _proportional_bytes(pid)
                self.bytes[pid] = max(self.bytes.get(pid, (0, 0)), _moved_bytes(pid))
                if _is_worker(pid):
                    self.worker = max(self.worker, sizes[pid])
            self.peak = max(self.peak, sum(sizes.values()))
            time.sleep(0.3)


def _is_worker(pid: int) -> bool:
    try:
        return b"pyspark.daemon" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _moved_bytes(pid: int) -> tuple[int, int]:
    """Bytes that a process has read and written."""
    try:
        lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    except OSError:
        return 0, 0
    found = dict(line.split(": ") for line in lines)
    return int(found["rchar"]), int(found["wchar"])


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


def audit(table: Path, work: Path, program: str) -> Measured:
    """Audit a table with the default method: suspects and run record, no cleaned version."""
    one_core, again = program == "one-core", program == "again"
    if not again:  # into the outputs of the run before
        shutil.rmtree(work, ignore_errors=True)
    config = {
        "input": {"table": str(table)},
        "scan": "files" if program in ("files", "one-core") else "dataframe",
        "spark": {"spark.master": "local[1]"} if one_core else {},
        "output": {
            "suspects": str(work / "suspects"),
            "runs": str(work / "runs"),
            **dict.fromkeys(("cleaned", "rejected", "classes", "pairs")),
        },
    }
    work.mkdir(parents=True, exist_ok=True)
    path = work / "config.json"
    path.write_text(json.dumps(config))
    pinned = ["taskset", "-c", "0"] if one_core else []
    done = measure([*pinned, sys.executable, "-m", "sparkclean", "audit", "--config", str(path)])
    if done.failed:
        return done
    row = open_target(str(work / "runs")).head(1).to_pylist()[0]
    phases = tuple((phase["name"], phase["seconds"]) for phase in json.loads(row["phases"]))
    return replace(
        done,
        suspects=row["suspects"],
        phases=phases,
        passes=sum(name.startswith("pass") for name, _ in phases),
    )


def run(program: str, table: Path, work: Path) -> Measured:
    """Run one program on a table."""
    scripts = {"bare": _BARE, "decode": _DECODE, "noop": _NOOP, "reference": _REFERENCE}
    if program in scripts:
        return measure([sys.executable, "-c", scripts[program], str(table)])
    return audit(table, work, program)


def summary(name: str, program: str, runs: list[Measured]) -> dict[str, object]:
    """Medians and peaks of the rounds of one program."""
    failed = next((run.failed for run in runs if run.failed), "")
    middle = sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]
    return {
        "table": name,
        "program": program,
        "seconds": round(statistics.median(run.seconds for run in runs), 2),
        "all_seconds": [round(run.seconds, 2) for run in runs],
        "peak_gib": round(max(run.peak_bytes for run in runs) / 2**30, 2),
        "worker_gib": round(max(run.workers_bytes for run in runs) / 2**30, 2),
        "read_gib": round(middle.read_bytes / 2**30, 2),
        "written_gib": round(middle.written_bytes / 2**30, 2),
        "passes": middle.passes,
        "suspects": middle.suspects,
        "phases": {phase: round(seconds, 2) for phase, seconds in middle.phases},
        "failed": failed,
    }


def machine() -> dict[str, str]:
    """Where it ran, and with what."""
    names = ("pyspark", "numpy", "pyarrow", "cleanlab")
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(": ")[1] for line in lines if line.startswith("model name")), "")
    return {
        "processor": f"{os.cpu_count()} x {model}",
        **{name: importlib.metadata.version(name) for name in names},
    }


def markdown(rows: Sequence[dict[str, object]]) -> str:
    """Table of the results."""
    keys = ("table", "program", "seconds", "peak_gib", "worker_gib", "read_gib", "written_gib")
    keys += ("passes", "suspects")
    lines = ["| " + " | ".join(keys) + " |", "|" + "---|" * len(keys)]
    for row in rows:
        cells = [str("" if row[key] is None else row[key]) for key in keys]
        if row["failed"]:
            cells[2] = "failed"
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write_results(folder: Path, rows: Sequence[dict[str, object]]) -> None:
    """Write what was measured so far, for machines and for people; keep the rest of the day's."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / time.strftime("%Y-%m-%d")
    if stem.with_suffix(".json").exists():
        now = {(row["table"], row["program"]) for row in rows}
        before = json.loads(stem.with_suffix(".json").read_text())["results"]
        rows = [row for row in before if (row["table"], row["program"]) not in now] + list(rows)
    content = {"machine": machine(), "results": rows}
    stem.with_suffix(".json").write_text(json.dumps(content, indent=1) + "\n")
    about = ", ".join(f"{key} {value}" for key, value in machine().items())
    stem.with_suffix(".md").write_text(f"{markdown(rows)}\n\n{about}\n")


def parse_table(name: str) -> tuple[int, int, str]:
    """Read the name of a table: ``<rows>x<classes>``, with ``-<shape>`` of `generate`."""
    found = re.fullmatch(rf"(\d+)x(\d+)(?:-({'|'.join(SHAPES)}))?", name)
    if found is None:
        raise SystemExit(f"{name}: write 5000000x10, or with -{', -'.join(SHAPES)} behind it")
    return int(found[1]), int(found[2]), found[3] or ""


def main() -> None:
    """Generate what is missing, run, write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", nargs="+", default=["5000000x10"], metavar="TABLE")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--work", type=Path, default=Path("out/bench"), help="tables and outputs")
    parser.add_argument("--programs", nargs="+", choices=PROGRAMS, default=PROGRAMS)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    rows = []
    for name in args.tables:
        count, classes, shape = parse_table(name)
        table = (args.work / name).resolve()
        if not table.exists():
            generate(table, count, classes, shape)
        rounds: dict[str, list[Measured]] = {program: [] for program in args.programs}
        for _ in range(args.repeats):
            for program, measured in rounds.items():
                measured.append(run(program, table, (args.work / "audit").resolve()))
        rows += [summary(name, program, measured) for program, measured in rounds.items()]
        write_results(args.results, rows)
    print(markdown(rows))


if __name__ == "__main__":
    main()
