"""`.ci/check-chromium`: is there a Chromium, and if not, what is to be done?"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging.checkout import REPOSITORY


class Machine:
    """A machine that has nothing but ``cat``, ``id`` and what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.log = folder / "bin", folder / "apt-get.log"
        self.bin.mkdir()
        self.environ = {"PATH": str(self.bin)}
        cat = shutil.which("cat")
        assert cat
        (self.bin / "cat").symlink_to(cat)
        self.script("id", "echo 0")

    def script(self, name: str, text: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def apt_get(self, *, refuses: str = "nothing") -> None:
        self.script("browser-of-apt", "exit 0")
        text = f'echo "$@" >> {self.log}\ncase "$*" in *{refuses}*) exit 100;; esac\n'
        copy = f"{shutil.which('cp')} {self.bin}/browser-of-apt {self.bin}/chromium"
        self.script("apt-get", f'{text}if [ "$1" = install ]; then {copy}; fi')

    def called(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def check(self, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", str(REPOSITORY / ".ci" / "check-chromium")],
            env=self.environ | environ, capture_output=True, text=True, check=False,
        )  # fmt: skip


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("name", ["chromium", "google-chrome"])
def test_check_chromium_that_is_there_is_taken_silently(machine: Machine, name: str) -> None:
    machine.script(name, "exit 0")
    machine.apt_get()
    done = machine.check()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert machine.called() == ""


def test_check_chromium_missing_is_installed_by_root(machine: Machine) -> None:
    machine.apt_get()
    done = machine.check()
    assert done.returncode == 0
    assert "install -y -qq --no-install-recommends chromium" in machine.called()
    assert "installing it with apt-get" in done.stderr


@pytest.mark.parametrize("case", ["no root", "no apt-get", "apt-get refuses"])
def test_check_chromium_missing_says_how(machine: Machine, case: str) -> None:
    if case == "no root":
        machine.script("id", "echo 1000")
    if case != "no apt-get":
        machine.apt_get(refuses="install")
    done = machine.check()
    assert done.returncode == 1
    assert "sudo apt-get install chromium" in done.stderr


def test_check_chromium_named_one_that_is_missing_is_not_replaced(machine: Machine) -> None:
    machine.script("chromium", "exit 0")
    machine.apt_get()
    assert machine.check(CHROMIUM="/nowhere/chrome").returncode == 1
    assert machine.called() == ""
    assert machine.check(CHROMIUM=str(machine.bin / "chromium")).returncode == 0
