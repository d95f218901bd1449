"""Audits in processes of their own: some of them die, some meet another on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def command(config: Path, *words: str, verb: str = "audit") -> list[str]:
    return [sys.executable, "-m", "sparkclean", verb, "--config", str(config), *words]


def kill_at(step: str, words: list[str]) -> None:
    """Run a command that dies at a fault point as by kill -9."""
    environment = os.environ | {"SPARKCLEAN_FAULT": f"{step}:kill"}
    killed = subprocess.run(words, env=environment, check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr


class Meeting:
    """A fault point at which two audits wait for each other, so that they do overlap.

    Parameters
    ----------
    folder : Path
        Of the meeting alone.
    who : str
        The one who waits here.
    steps : tuple of str
        Names of the fault points.
    """

    def __init__(self, folder: Path, who: str, steps: tuple[str, ...]) -> None:
        self.folder, self.who, self.steps = folder, who, steps
        folder.mkdir(exist_ok=True)

    def __call__(self, name: str) -> None:
        if name not in self.steps:
            return
        (self.folder / f"{name}@{self.who}").touch()
        until = time.monotonic() + 120
        while len(list(self.folder.glob(f"{name}@*"))) < 2:
            assert time.monotonic() < until, f"nobody came to {name}"
            time.sleep(0.005)

    def invite(self, words: list[str]) -> subprocess.Popen[str]:
        """Start a command that comes to the meeting."""
        (self.folder / "sitecustomize.py").write_text(
            "import sys\n"
            "if 'sparkclean' in sys.orig_argv:\n"
            "    from pathlib import Path\n"
            "    from sparkclean import faults\n"
            "    from tests.cluster.commands import Meeting\n"
            f"    guest = Meeting(Path({str(self.folder)!r}), 'guest', {self.steps})\n"
            "    watching = faults.watched(guest)\n"  # kept: it ends when it is collected
            "    watching.__enter__()\n"
        )
        path = os.pathsep.join([str(self.folder), str(REPOSITORY)])
        return subprocess.Popen(
            words, env=os.environ | {"PYTHONPATH": path}, stderr=subprocess.PIPE, text=True
        )
