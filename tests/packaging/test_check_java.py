"""`.ci/check-java`: is there a Java that Spark can use, and if not, what is to be done?"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging.checkout import REPOSITORY

HOW = (
    "sudo apt-get install openjdk-17-jre-headless",
    "sudo dnf install java-17-openjdk-headless",
    'brew install openjdk@17 && export JAVA_HOME="$(brew --prefix openjdk@17)"',
)
TOOLS = ("sed", "head", "grep", "cat")


class Machine:
    """A machine that has nothing but the tools of the script and what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.log = folder / "apt-get.log"
        self.environ = {"PATH": str(self.bin)}
        for tool in TOOLS:
            path = shutil.which(tool)
            assert path, f"{tool} is missing on this machine"
            (self.bin / tool).symlink_to(path)
        self.be(0)

    def script(self, path: Path, text: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def be(self, user: int) -> None:
        """Run as a user; 0 is root."""
        self.script(self.bin / "id", f"echo {user}")

    def java(self, version: str, *, vector: bool = True, path: Path | None = None) -> Path:
        """Install a Java that says what a real one says."""
        modules = "java.base@17 jdk.incubator.vector@17" if vector else "java.base@17 java.desktop"
        text = f"""
if [ "$1" = -version ]; then
    echo 'Picked up JAVA_TOOL_OPTIONS: -Dversion=3' >&2
    echo 'openjdk version "{version}" 2025-04-15' >&2
    echo 'OpenJDK Runtime Environment (build {version}+6)' >&2
elif [ "$1" = --list-modules ]; then
    for module in {modules}; do echo $module; done
fi"""
        return self.script(path or self.bin / "java", text)

    def apt_get(self, *, refuses: str = "nothing", installs: str = "17.0.15") -> None:
        """Have an apt-get that writes down its arguments and puts a java on PATH."""
        prepared = self.java(installs, path=self.bin / "java-of-apt")
        java = self.bin / "java"
        text = f"""
echo "$@" >> {self.log}
case "$*" in *{refuses}*) exit 100;; esac
if [ "$1" = install ]; then {shutil.which("cp")} {prepared} {java}; fi"""
        self.script(self.bin / "apt-get", text)

    def called(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def check(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", str(REPOSITORY / ".ci" / "check-java")],
            env=self.environ, capture_output=True, text=True, check=False,
        )  # fmt: skip


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def says_how(done: subprocess.CompletedProcess[str]) -> bool:
    return done.returncode == 1 and all(command in done.stderr for command in HOW)


@pytest.mark.parametrize("version", ["17.0.15", "17", "17-ea", "21.0.1", "100.1"])
@pytest.mark.parametrize("user", [0, 1000])
def test_check_java_good_one_is_taken_silently(machine: Machine, version: str, user: int) -> None:
    machine.java(version)
    machine.apt_get()
    machine.be(user)
    done = machine.check()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert machine.called() == []


@pytest.mark.parametrize(
    ("version", "major"), [("1.8.0_372", 8), ("11.0.2", 11), ("16", 16), ("9.0.4", 9)]
)
def test_check_java_old_one_is_named_and_it_says_how(
    machine: Machine, version: str, major: int
) -> None:
    machine.java(version)
    machine.be(1000)
    done = machine.check()
    assert says_how(done)
    assert f"{machine.bin}/java is Java {major}; Spark needs 17 or newer." in done.stderr


def test_check_java_none_says_how(machine: Machine) -> None:
    machine.be(1000)
    done = machine.check()
    assert says_how(done)
    assert done.stderr.startswith("Spark needs Java 17 or newer, for example:\n  Debian, Ubuntu ")
    assert "JAVA_HOME" in done.stderr


def test_check_java_placeholder_of_macos_says_how(machine: Machine) -> None:
    machine.script(machine.bin / "java", "echo 'Unable to locate a Java Runtime.' >&2; exit 1")
    machine.be(1000)
    done = machine.check()
    assert says_how(done)
    assert "is Java" not in done.stderr


@pytest.mark.parametrize("user", [0, 1000])
def test_check_java_without_the_vector_module_has_its_own_message(
    machine: Machine, user: int
) -> None:
    machine.java("17.0.15", vector=False)
    machine.be(user)
    done = machine.check()
    assert says_how(done)
    assert f"{machine.bin}/java lacks the module jdk.incubator.vector" in done.stderr
    assert "stripped" in done.stderr
    assert "JAVA_HOME" in done.stderr


def test_check_java_of_java_home_comes_first(machine: Machine, tmp_path: Path) -> None:
    machine.java("11.0.2")
    machine.be(1000)
    machine.java("17.0.15", path=tmp_path / "home" / "bin" / "java")
    assert machine.check().returncode == 1
    machine.environ["JAVA_HOME"] = str(tmp_path / "home")
    assert machine.check().returncode == 0


def test_check_java_home_without_java_is_passed_over(machine: Machine, tmp_path: Path) -> None:
    machine.java("17.0.15")
    machine.environ["JAVA_HOME"] = str(tmp_path / "nowhere")
    assert machine.check().returncode == 0


def test_check_java_old_java_home_is_named_and_nothing_installed(
    machine: Machine, tmp_path: Path
) -> None:
    # what apt installs would not be used
    home = machine.java("11.0.2", path=tmp_path / "home" / "bin" / "java")
    machine.environ["JAVA_HOME"] = str(tmp_path / "home")
    machine.apt_get()
    done = machine.check()
    assert says_how(done)
    assert f"{home} is Java 11" in done.stderr
    assert machine.called() == []


@pytest.mark.parametrize("before", [None, "11.0.2"])
def test_check_java_as_root_installs_with_apt_and_says_so(
    machine: Machine, before: str | None
) -> None:
    if before:
        machine.java(before)
    machine.apt_get()
    done = machine.check()
    assert done.returncode == 0
    assert machine.called() == ["update -qq", "install -y -qq openjdk-17-jre-headless"]
    assert "installing openjdk-17-jre-headless with apt-get" in done.stderr


def test_check_java_as_root_takes_the_default_where_17_is_gone(machine: Machine) -> None:
    machine.apt_get(refuses="openjdk-17", installs="21.0.1")
    assert machine.check().returncode == 0
    assert machine.called()[-1] == "install -y -qq default-jre-headless"


@pytest.mark.parametrize("refuses", ["install", "-qq"])
def test_check_java_as_root_says_how_where_apt_fails(machine: Machine, refuses: str) -> None:
    machine.apt_get(refuses=refuses)
    done = machine.check()
    assert says_how(done)
    assert "apt-get could not install it." in done.stderr


def test_check_java_as_root_says_how_where_apt_brings_an_old_one(machine: Machine) -> None:
    machine.apt_get(installs="11.0.2")
    done = machine.check()
    assert says_how(done)
    assert "is Java 11" in done.stderr


def test_check_java_as_root_without_apt_says_how(machine: Machine) -> None:
    assert says_how(machine.check())


def test_check_java_as_another_user_installs_nothing(machine: Machine) -> None:
    machine.apt_get()
    machine.be(1000)
    assert says_how(machine.check())
    assert machine.called() == []
