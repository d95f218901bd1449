"""Files of ours that somebody has damaged: an error of ours, which names the file."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkclean.commands.main import main
from sparkclean.errors import InputError
from sparkclean.lake.parquet.target import ParquetTarget
from sparkclean.learning.model_files import entries_of
from tests.lake.helpers import new_target, publish

STRANGE: list[Any] = [None, 5, -1.5, True, "x", [], {}, [5], {"a": 5}, [[]], [None]]


@pytest.fixture
def target(tmp_path: Path) -> ParquetTarget:
    target = new_target(tmp_path)
    publish(target, "first", accumulate=False)
    return target


def _file(target: ParquetTarget) -> Path:
    return Path(target.data_files("v00000001")[0])


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _other_rows(path: Path) -> None:
    """Put other rows there, of as many bytes."""
    size = path.stat().st_size
    pq.write_table(pa.table({"id": list(range(7))}), path)
    content = path.read_bytes()
    assert len(content) < size
    path.write_bytes(b"PAR1" + bytes(size - len(content)) + content[4:])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (Path.unlink, "(gone)"),
        (_cut, "cannot be read"),
        (lambda path: pq.write_table(pa.table({"id": [1] * 99}), path), "were published"),
        (_other_rows, "(7 rows, and 2 were published)"),
        (lambda path: path.write_bytes(b""), "empty file"),
    ],
    ids=["gone", "cut", "replaced", "as_large", "empty"],
)
def test_check_version_of_damaged_files_names_them(
    target: ParquetTarget,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[Path], None],
    words: str,
) -> None:
    assert main(["check-version", target.location]) == 0
    assert "all 1 files are there" in capsys.readouterr().out
    damage(_file(target))
    assert main(["check-version", target.location]) == 3
    error = capsys.readouterr().err
    assert words in error
    assert str(_file(target)) in error


def _commands(location: str) -> list[list[str]]:
    return [["versions", location], ["check-version", location], ["show", location]]


def test_damaged_manifest_is_an_error_of_ours(
    target: ParquetTarget, capsys: pytest.CaptureFixture[str]
) -> None:
    path = target.root / "_manifests" / "v00000001.json"
    whole = json.loads(path.read_text())
    for key in whole:
        for strange in STRANGE:
            path.write_text(json.dumps(whole | {key: strange}))
            code = main(["check-version", target.location])
            assert code in (0, 1, 2, 3), (key, strange)
            assert "(--debug shows more)" not in capsys.readouterr().err, (key, strange)
    for entry in whole["files"][0]:
        for strange in STRANGE:
            file = whole["files"][0] | {entry: strange}
            path.write_text(json.dumps(whole | {"files": [file]}))
            main(["check-version", target.location])
            error = capsys.readouterr().err
            assert "(--debug shows more)" not in error, (entry, strange)
    for content in ("", "{", "[]", "5", "\xff", "[" * 100_000):
        path.write_text(content, encoding="latin-1")
        for words in _commands(target.location):
            assert main(words) == 1
            assert f"{path} (" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"token": 5}', '{"token": "x", "pid": "y"}'])
def test_damaged_owner_is_an_error_of_ours_or_left_alone(
    target: ParquetTarget, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    dead = target.root / "_staging" / "dead"
    dead.mkdir(parents=True)
    for name in ("owner.json", ".lock", "_owner.json"):
        (dead / name).write_text(content)
    main(["clean-up", target.location, "--older-than", "0s", "--yes"])
    assert "(--debug shows more)" not in capsys.readouterr().err


@pytest.mark.parametrize("strange", STRANGE)
def test_damaged_manifest_of_models_is_an_error_of_ours(tmp_path: Path, strange: Any) -> None:
    entry = {"fold": 0, "file": "m", "sha256": "x", "training_rows": 3, "seconds": 1}
    assert len(entries_of(tmp_path, {"models": [entry]})) == 1
    with pytest.raises(InputError, match="damaged"):
        entries_of(tmp_path, {"models": strange or [5]})
    for key, value in entry.items():
        fits = type(strange) is type(value) or (key, strange) == ("seconds", -1.5)
        if not fits:
            with pytest.raises(InputError, match="damaged"):
                entries_of(tmp_path, {"models": [entry | {key: strange}]})


def test_folders_a_thousand_deep_are_no_recursion(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    before = Path.cwd()
    os.chdir(folder)
    try:
        for _ in range(1500):
            Path("d").mkdir()
            os.chdir("d")
    finally:
        os.chdir(before)
    try:
        for words in (
            ["init", str(folder), "--to", str(tmp_path / "x")],
            ["versions", str(folder)],
        ):
            assert main(words) in (0, 2, 3)
            assert "Recursion" not in capsys.readouterr().err
    finally:  # which pytest does by recursion
        subprocess.run(["rm", "-rf", str(folder)], check=True)


def test_name_that_is_not_utf8_is_said_to_be_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    strange = os.fsdecode(b"caf\xe9.parquet")
    pq.write_table(pa.table({"id": [1]}), folder / "a.parquet")
    (folder / "a.parquet").rename(folder / strange)
    for words in (
        ["init", str(folder), "--to", str(tmp_path / "x")],
        ["versions", str(folder / strange)],
        ["clean-up", os.fsdecode(b"caf\xe9"), "--yes"],
    ):
        main(words)
        error = capsys.readouterr().err
        assert "(--debug shows more)" not in error, words
        assert "caf\\udce9" in error
