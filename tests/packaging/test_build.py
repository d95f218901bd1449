"""`make build`: the wheel, and the zip for executors."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from sparkclean import __version__
from tests.packaging.checkout import VENV, copy_checkout, make_command, run

WHEEL = f"sparkclean-{__version__}-py3-none-any.whl"
ZIP = f"sparkclean-{__version__}.zip"
INFO = f"sparkclean-{__version__}.dist-info"
#: What executors have, and no more.
EXECUTOR_PACKAGES = ("numpy", "numpy.libs", "pyarrow", "pyarrow.libs", "pyspark", "py4j")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    checkout = copy_checkout(tmp_path_factory.mktemp("build"))
    (checkout / "dist").mkdir()
    (checkout / "dist" / "sparkclean-0.0.1.zip").touch()
    done = run([*make_command(), "build"], checkout, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return checkout


@pytest.fixture(scope="module")
def names(checkout: Path) -> set[str]:
    with zipfile.ZipFile(checkout / "dist" / ZIP) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with what executors have."""
    folder = tmp_path_factory.mktemp("executor")
    (site,) = VENV.glob("lib/python*/site-packages")
    for name in EXECUTOR_PACKAGES:
        if (site / name).exists():  # some wheels bring no folder of libraries
            (folder / name).symlink_to(site / name)
    assert (folder / "pyarrow").exists()
    return folder


def on_executor(code: str, checkout: Path, executor: Path) -> subprocess.CompletedProcess[str]:
    path = f"{checkout / 'dist' / ZIP}:{executor}"
    return subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=executor, env={"PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_build_makes_wheel_and_zip_and_nothing_else(checkout: Path) -> None:
    assert sorted(path.name for path in (checkout / "dist").iterdir()) == [WHEEL, ZIP]
    assert (checkout / "dist" / WHEEL).read_bytes() == (checkout / "dist" / ZIP).read_bytes()


def test_build_holds_every_file_of_the_package(checkout: Path, names: set[str]) -> None:
    package = {
        str(path.relative_to(checkout))
        for path in (checkout / "sparkclean").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert len(package) > 50
    assert {"sparkclean/py.typed", "sparkclean/log4j2.properties"} <= package
    assert {name for name in names if not name.startswith(INFO)} == package


def test_build_holds_the_license_and_nothing_for_developers(names: set[str]) -> None:
    assert f"{INFO}/licenses/LICENSE" in names
    assert {name.split("/")[0] for name in names} == {"sparkclean", INFO}


def test_build_metadata_is_that_of_the_project(checkout: Path) -> None:
    with zipfile.ZipFile(checkout / "dist" / WHEEL) as archive:
        metadata = Parser().parsestr(archive.read(f"{INFO}/METADATA").decode())
        scripts = archive.read(f"{INFO}/entry_points.txt").decode()
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.10"
    assert "sparkclean = sparkclean.__main__:run" in scripts
    required = metadata.get_all("Requires-Dist")
    # a platform brings its own Spark
    assert [text for text in required if "pyspark" in text] == [
        "pyspark<4.2,>=3.5; extra == 'spark'"
    ]
    assert metadata.get_payload().startswith("# sparkclean")


def test_zip_is_imported_by_executors(checkout: Path, executor: Path) -> None:
    code = """
import sparkclean, sparkclean.schema, sparkclean.faults, sparkclean.lake
import sparkclean.examples.scan, sparkclean.examples.kernels, sparkclean.examples.batches
import sparkclean.lake.parquet.frames
print(sparkclean.__file__, sparkclean.__version__, len(sparkclean.schema.SUSPECTS))
print(sparkclean.find_label_issues.__module__)
"""
    done = on_executor(code, checkout, executor)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == f"{checkout / 'dist' / ZIP}/sparkclean/__init__.py {__version__} 11"
    assert second == "sparkclean.confident.issues"


def test_zip_alone_on_the_driver_says_what_is_missing(checkout: Path, executor: Path) -> None:
    code = "import sys; from sparkclean.commands.main import main; sys.exit(main(['schema']))"
    done = on_executor(code, checkout, executor)
    assert done.returncode == 2
    assert done.stderr.startswith("error: the driver lacks pydantic and PyYAML")
