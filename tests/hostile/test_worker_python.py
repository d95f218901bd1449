"""Tasks that run another Python than ours, for real: an error names both and the remedy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.data import noisy_data, write_table

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"


def other_python() -> str | None:
    """Find a Python of another minor version that Spark knows."""
    names = [f"python3.{minor}" for minor in (10, 12, 13, 11)]
    found = [shutil.which(name) for name in names]
    found += [str(p) for p in sorted(Path.home().glob(".pyenv/versions/3.1*/bin/python3"))]
    for path in filter(None, found):
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        done = subprocess.run([path, "-c", code], capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip() != MINOR:
            return path
    return None


def make_python(folder: Path, *packages: str, base: str = sys.executable) -> Path:
    """Make an environment with no packages but some of ours."""
    subprocess.run([base, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in packages:
        for path in Path(sysconfig.get_path("purelib")).glob(f"{name}*"):
            (site / path.name).symlink_to(path)
    return folder / "bin" / "python3"


def audit(folder: Path, python: Path | str, *, variable: bool = False) -> tuple[int, str]:
    """Audit in a process of its own whose tasks are to run a Python; its exit code and stderr."""
    table = write_table(folder / "in", *noisy_data(60, 3, seed=2))
    config = {
        "input": {"table": str(table)},
        "output": {"suspects": str(folder / "out"), "cleaned": None, "rejected": None}
        | dict.fromkeys(("classes", "pairs", "runs")),
        "clean": {"mode": "none"},
        "scan": "dataframe",  # few rows of files need no Python of tasks
        "spark": {"spark.master": "local[1]", "spark.sql.shuffle.partitions": "1"},
    }
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYSPARK_")}
    if variable:
        environment["PYSPARK_PYTHON"] = str(python)
    else:
        config["spark"]["spark.pyspark.python"] = str(python)  # type: ignore[index]
    (folder / "config.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "sparkclean", "audit", "--config", "config.json"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


def check(said: str, python: Path | str, *words: str) -> None:
    # Spark logs what it says itself
    (line,) = (line for line in said.splitlines() if line.startswith("error: "))
    assert line.startswith("error: Spark's tasks run the Python")
    for text in (str(python), f"{sys.executable} (Python {MINOR})", "PYSPARK_PYTHON", *words):
        assert text in line
    assert "Traceback" not in line


@pytest.mark.full
@pytest.mark.parametrize("packages", [(), ("numpy", "pyarrow")])
def test_tasks_without_our_packages_name_both_pythons(
    tmp_path: Path, packages: tuple[str, ...]
) -> None:
    python = make_python(tmp_path / "bare", *packages)
    code, said = audit(tmp_path, python)
    assert code == 1, said
    check(said, python, "sparkclean" if packages else "")


@pytest.mark.full
def test_tasks_of_another_version_name_both_pythons(tmp_path: Path) -> None:
    base = other_python()
    if base is None:
        pytest.skip("no Python of another minor version on this machine")
    python = make_python(tmp_path / "other", base=base)
    code, said = audit(tmp_path, python)
    assert code == 1, said
    check(said, python, MINOR)


@pytest.mark.full
def test_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    code, said = audit(tmp_path, "/nowhere/python3")
    assert code == 1, said
    check(said, "/nowhere/python3")


def test_python_of_a_shell_profile_is_passed_over_in_local_mode(tmp_path: Path) -> None:
    code, said = audit(tmp_path, make_python(tmp_path / "bare"), variable=True)
    assert code == 0, said
    assert f"tasks run the Python {sys.executable}" in said
