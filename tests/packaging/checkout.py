"""A copy of the checkout, to run `make` and the README's commands in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
VENV = Path(sys.prefix)


def copy_checkout(folder: Path) -> Path:
    """Copy what git tracks, and what it would on `git add`."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(listing, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for name in done.stdout.split("\0"):
        source = REPOSITORY / name
        if name and source.is_file():  # it may be deleted and not yet committed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)
    assert (folder / "Makefile").is_file()
    return folder


def make_command() -> list[str]:
    """Call make with the environment of these tests, without installing into it."""
    stamps = (".installed", ".tested", ".documented")
    installed = [word for name in stamps for word in ("-o", f"{VENV}/{name}")]
    return ["make", f"VENV={VENV}", *installed]


def environment_of(checkout: Path) -> dict[str, str]:
    """Environment in which the commands are those of this venv, and the code that of the copy."""
    hidden = ("SPARKCLEAN_", "SPARK_", "PYSPARK_", "MAKE", "MFLAGS", "COV_")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
    environ["PATH"] = f"{VENV / 'bin'}{os.pathsep}{environ['PATH']}"
    environ["PYTHONPATH"] = str(checkout)
    return environ


def run(
    command: list[str] | str, checkout: Path, *, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a command, or a line of shell, in a copy."""
    return subprocess.run(
        command, cwd=checkout, env=environment_of(checkout), shell=isinstance(command, str),
        capture_output=True, text=True, check=False, timeout=timeout,
    )  # fmt: skip
