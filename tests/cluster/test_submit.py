"""spark-submit: from a checkout, and against a master and two workers that share this disk."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import pyspark
import pytest
from pyspark.sql import SparkSession

from sparkclean.commands.main import main
from sparkclean.lake import open_target
from tests.data import noisy_data, write_table
from tests.spark.answers import hash_of_arrays

ROOT = Path(__file__).resolve().parents[2]
SPARK_HOME = Path(pyspark.__file__).parent
NAMES = ("suspects", "cleaned", "rejected", "classes", "pairs", "runs")
ROWS, K, FILES = 20_000, 4, 4  # more than the driver reads by itself
GIVEN, PROBS = noisy_data(ROWS, K, seed=6)
#: Seconds after which a command hangs.
PATIENCE = 300


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Interpreter with all packages but ours, which the environment of the tests has installed.

    A path file in an environment of its own names the folder of the packages. Path files in that
    folder do not count then, and one of these is all that there is of an editable installation.
    """
    home = tmp_path_factory.mktemp("python")
    venv.create(home, symlinks=True)
    (own,) = home.glob("lib/python3*/site-packages")
    (own / "packages.pth").write_text(str(Path(numpy.__file__).parents[1]))
    interpreter = home / "bin" / "python"
    look = "from importlib.util import find_spec as f; print(f('sparkclean'), f('numpy'))"
    shown = subprocess.run(
        [interpreter, "-c", look],
        cwd=home,
        env=environment(interpreter),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown.startswith("None ModuleSpec"), shown
    return interpreter


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("sparkclean", "jobs", "conf"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def environment(python: Path) -> dict[str, str]:
    """Environment of somebody who has Spark and this interpreter on the path, no more."""
    strange = ("PYTHON", "PYSPARK", "SPARK", "VIRTUAL_ENV", "COV_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(strange)}
    folders = [str(python.parent), str(Path(sys.executable).parent), kept["PATH"]]
    return kept | {"PATH": os.pathsep.join(folders), "SPARK_LOCAL_IP": "127.0.0.1"}


def submit(python: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run spark-submit, which gives what a Python driver says on stderr to stdout."""
    return subprocess.run(
        ["spark-submit", *words],
        cwd=cwd,
        env=environment(python),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def write_config(place: Path, table: Path) -> Path:
    outputs = {name: str(place / "out" / name) for name in NAMES}
    path = place / "config.json"
    path.write_text(json.dumps({"input": {"table": str(table)}, "output": outputs}))
    return path


def record_of(runs: Path) -> dict[str, Any]:
    (record,) = open_target(str(runs)).head(10).to_pylist()
    return dict(record)


# -- local mode --------------------------------------------------------------------------------


def test_submit_from_a_checkout_publishes_all_outputs(python: Path, checkout: Path) -> None:
    demo = checkout / "out" / "demo"
    prepare = [python, "-m", "sparkclean.commands.demo", "prepare", "out/demo"]
    subprocess.run(prepare, cwd=checkout, env=environment(python), check=True, capture_output=True)
    done = submit(python, checkout, "jobs/run.py", "--config", "conf/demo.yaml")
    assert done.returncode == 0, done.stdout
    assert "top 10 suspects" in done.stdout
    record = record_of(demo / "runs")
    assert (record["status"], record["rows"]) == ("published", 1797)
    versions = {name: open_target(str(demo / name)).current() for name in NAMES}
    assert all(versions.values()), versions
    kept, suspects = (versions[name].rows for name in ("cleaned", "suspects"))
    assert kept + suspects == 1797
    assert suspects == record["suspects"] > 0


def test_submit_from_elsewhere_passes_the_exit_code_on(
    python: Path, checkout: Path, tmp_path: Path
) -> None:
    # the workers have found the strange label: they, too, import from the checkout
    given = GIVEN.copy()
    given[:500] = K
    config = write_config(tmp_path, write_table(tmp_path / "in", given, PROBS))
    job = str(checkout / "jobs" / "audit.py")
    done = submit(python, tmp_path, job, "--config", str(config), "--set", "classes=[0, 1, 2, 3]")
    assert done.returncode == 3, done.stdout
    assert "500 rows label_not_in_classes" in done.stdout
    assert record_of(tmp_path / "out" / "runs")["status"] == "gate_failed"


# -- a standalone cluster ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a master and two workers of one core each on loopback; give the master's URL."""
    place = tmp_path_factory.mktemp("cluster")
    port, page = free_ports(2)
    url = f"spark://127.0.0.1:{port}"
    settings = {"SPARK_HOME": str(SPARK_HOME), "SPARK_DAEMON_MEMORY": "256m"}
    master = ["master.Master", "--host", "127.0.0.1", "--port", str(port)]
    commands = {"master": [*master, "--webui-port", str(page)]}
    for name in ("one", "two"):
        commands[name] = ["worker.Worker", "--host", "127.0.0.1", "--webui-port", "0"]
        commands[name] += ["--cores", "1", "--memory", "1g", "--work-dir", str(place / name), url]
    with ExitStack() as stack:
        daemons = {}
        for name, words in commands.items():
            log = stack.enter_context((place / f"{name}.log").open("w"))
            program = [SPARK_HOME / "bin" / "spark-class", f"org.apache.spark.deploy.{words[0]}"]
            daemons[name] = subprocess.Popen(
                [*program, *words[1:]],
                cwd=place,
                env=environment(python) | settings,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            stack.callback(stop, daemons[name])
        wait_for_workers(f"http://127.0.0.1:{page}/json/", 2, place, daemons)
        yield url


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_for_workers(
    page: str, count: int, place: Path, daemons: dict[str, subprocess.Popen[bytes]]
) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and all(d.poll() is None for d in daemons.values()):
        try:
            with urllib.request.urlopen(page, timeout=10) as answer:
                if json.load(answer)["aliveworkers"] == count:
                    return
        except urllib.error.URLError:  # the master does not listen yet
            pass
        time.sleep(0.2)
    logs = "\n".join(path.read_text() for path in place.glob("*.log"))
    raise AssertionError(f"no cluster of {count} workers:\n{logs}")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("table") / "in", GIVEN, PROBS, files=FILES)


@pytest.fixture(scope="module")
def local_hash(spark: SparkSession, table: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Result hash of the same audit in local mode."""
    place = tmp_path_factory.mktemp("local")
    assert main(["audit", "--config", str(write_config(place, table))]) == 0
    found = str(record_of(place / "out" / "runs")["result_hash"])
    assert found == hash_of_arrays(GIVEN, PROBS, "prune_by_noise_rate")
    return found


@dataclass
class Submitted:
    """What an audit on the cluster left."""

    record: dict[str, Any]
    scanning_executors: set[str]
    lost_executors: set[str]


def submit_to_cluster(
    place: Path, python: Path, checkout: Path, cluster: str, table: Path, *, patch: str = ""
) -> Submitted:
    """Submit a copy of the job, far from any checkout, with the package as a zip."""
    package = place / "package"
    shutil.copytree(checkout / "sparkclean", package / "sparkclean")
    with (package / "sparkclean" / "examples" / "batches.py").open("a") as file:
        file.write(patch)
    archive = shutil.make_archive(str(place / "sparkclean"), "zip", package, "sparkclean")
    shutil.rmtree(package)
    shutil.copy(checkout / "jobs" / "audit.py", place / "job.py")
    events = place / "events"
    events.mkdir()
    conf = {
        "spark.pyspark.python": str(python),
        "spark.executor.memory": "512m",
        # begin when both executors are there; a task for each file
        "spark.cores.max": "2",
        "spark.scheduler.minRegisteredResourcesRatio": "1.0",
        "spark.scheduler.maxRegisteredResourcesWaitingTime": "120s",
        "spark.sql.files.minPartitionNum": str(FILES),
        "spark.sql.files.openCostInBytes": "0",
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": events.as_uri(),
        "spark.eventLog.compress": "false",
        "spark.eventLog.rolling.enabled": "false",
    }
    words = ["--master", cluster, "--py-files", archive]
    words += [word for key, value in conf.items() for word in ("--conf", f"{key}={value}")]
    config = write_config(place, table)
    done = submit(python, place, *words, str(place / "job.py"), "--config", str(config))
    assert done.returncode == 0, done.stdout
    (log,) = events.iterdir()
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    return Submitted(
        record=record_of(place / "out" / "runs"),
        scanning_executors={
            entry["Task Info"]["Executor ID"]
            for entry in entries
            if entry["Event"] == "SparkListenerTaskEnd"
            for update in entry["Task Info"]["Accumulables"]
            if update.get("Name") == "data sent to Python workers"
        },
        lost_executors={
            entry["Executor ID"]
            for entry in entries
            if entry["Event"] == "SparkListenerExecutorRemoved"
        },
    )


# A task for each file, though they are small.
_SMALL_TASKS = """

import sparkclean.rows.row_groups as _groups
_groups._LEAST_TASK_BYTES = 1
"""


@pytest.mark.cluster
def test_submit_to_two_workers_has_the_hash_of_local_mode(
    tmp_path: Path, python: Path, checkout: Path, cluster: str, table: Path, local_hash: str
) -> None:
    # `python` does not know the package and the cluster was started with it: what the executors
    # import can only be the zip
    found = submit_to_cluster(tmp_path, python, checkout, cluster, table, patch=_SMALL_TASKS)
    assert found.record["status"] == "published"
    assert found.record["result_hash"] == local_hash
    assert found.scanning_executors == {"0", "1"}
    outputs = [tmp_path / "out" / name for name in ("cleaned", "suspects")]
    parts = [open_target(str(place)).head(ROWS).column("id") for place in outputs]
    ids = [record_id for part in parts for record_id in part.to_pylist()]
    assert sorted(ids) == list(range(ROWS))


# The second batch that a worker process sees kills the executor above it, once. The driver reads
# a sample in the same way.
_KILL_EXECUTOR = """

def _dying(read):
    import os, pathlib, signal

    if "pyspark.daemon" not in pathlib.Path("/proc/self/cmdline").read_text():
        return read
    seen = []

    def dying(self, batch):
        seen.append(batch.num_rows)
        if len(seen) == 2:
            try:
                os.close(os.open({marker!r}, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return read(self, batch)
            # a worker is forked by a daemon, and that by the executor
            daemon = pathlib.Path("/proc", str(os.getppid()), "stat").read_text()
            executor = daemon.rpartition(")")[2].split()[1]
            words = pathlib.Path("/proc", executor, "cmdline").read_text()
            assert "CoarseGrainedExecutorBackend" in words, words
            os.kill(int(executor), signal.SIGKILL)
        return read(self, batch)

    return dying


BatchReader.read = _dying(BatchReader.read)
"""


@pytest.mark.cluster
@pytest.mark.full
def test_submit_executor_killed_in_the_scan_has_the_same_hash(
    tmp_path: Path, python: Path, checkout: Path, cluster: str, table: Path, local_hash: str
) -> None:
    marker = tmp_path / "killed"
    patch = _KILL_EXECUTOR.format(marker=str(marker))
    found = submit_to_cluster(tmp_path, python, checkout, cluster, table, patch=patch)
    assert marker.exists()
    assert len(found.lost_executors) == 1
    assert found.record["result_hash"] == local_hash
    kept = open_target(str(tmp_path / "out" / "cleaned")).current()
    assert kept is not None
    assert kept.rows + found.record["suspects"] == ROWS
