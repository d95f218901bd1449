"""A full disk: the message names the place that is full, and says that it is about space."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from sparkclean.errors import SparkCleanError
from sparkclean.lake.writing import translate_write_error, write_errors

Usage = namedtuple("Usage", "total used free")
SAID = RuntimeError("java.io.IOException: No space left on device")


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder on a disk without space; all others have some."""
    folder = tmp_path / "full"
    folder.mkdir()

    def usage(path: Path) -> Usage:
        return Usage(1 << 40, 0, 0 if path == folder else 1 << 40)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    return folder


@pytest.mark.parametrize("below", ["", "data/deep"])
def test_full_scratch_is_named_and_the_output_is_not(
    full: Path, tmp_path: Path, below: str
) -> None:
    scratch = [str(full / below), str(tmp_path)]
    said = str(translate_write_error(SAID, str(tmp_path / "out"), scratch))
    assert f"no space left on the device of {full / below} (0 MB left)." in said
    assert str(tmp_path / "out") not in said


def test_full_output_is_named(full: Path, tmp_path: Path) -> None:
    said = str(translate_write_error(SAID, str(full / "out"), [str(tmp_path)]))
    assert f"of {full}/out (0 MB left)." in said


def test_full_disk_that_has_space_again_names_all_places(full: Path, tmp_path: Path) -> None:
    said = str(translate_write_error(SAID, str(tmp_path / "out"), [str(tmp_path / "tmp")]))
    assert f"{tmp_path}/out (" in said
    assert f", or of {tmp_path}/tmp (" in said


def test_full_place_that_java_names_is_taken(tmp_path: Path) -> None:
    exc = RuntimeError("java.io.FileNotFoundException: /d/blockmgr/0 (No space left on device)")
    assert "device of /d/blockmgr/0." in str(translate_write_error(exc, "/out", [str(tmp_path)]))


def test_full_output_that_we_write_ourselves_is_named(tmp_path: Path) -> None:
    said = f"no space left on the device of {tmp_path}"
    with pytest.raises(SparkCleanError, match=said), write_errors(tmp_path):
        raise OSError(28, "No space left on device")
