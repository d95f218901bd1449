"""``clean-up`` of models: by run id, age and number, and what killed trainings left."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from sparkclean.commands.main import main

DAY = 86400.0


def _made(folder: Path, days: float, name: str = "manifest.json") -> Path:
    folder.mkdir(parents=True)
    (folder / name).write_text("{}")
    for path in (folder / name, folder):
        os.utime(path, (time.time() - days * DAY,) * 2)
    return folder


@pytest.fixture
def models(tmp_path: Path) -> Path:
    root = tmp_path / "models"
    for number, days in enumerate((40, 20, 1)):
        _made(root / "predict" / f"run-{number}", days)
    _made(root / "train" / "run-0", 40)
    _made(root / "of-before", 50)
    _made(root / "predict" / ".run-3-0123abcd", 10, "m.pickle")  # killed
    _made(root / "predict" / ".run-4-0123abcd", 0, "m.pickle")  # at work
    _made(root / "train" / ".run-0-0123abcd", 10, "m.pickle")
    return root


def _left(models: Path) -> set[str]:
    folders = (path.parent for path in models.rglob("*") if path.is_file())
    return {str(path.relative_to(models)) for path in folders}


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        ([], {"predict/.run-3-0123abcd", "train/.run-0-0123abcd"}),
        (["--run-id", "run-0"], {"predict/run-0", "train/run-0", "train/.run-0-0123abcd"}),
        (["--run-id", "run-3"], {"predict/.run-3-0123abcd"}),
        (["--run-id", "of-before"], {"of-before"}),
        (
            ["--older-than", "30d"],
            {"predict/run-0", "train/run-0", "of-before"},
        ),
        (
            ["--keep", "1"],
            {"predict/run-0", "predict/run-1", "predict/.run-3-0123abcd", "train/.run-0-0123abcd"},
        ),
        (["--keep", "1", "--older-than", "30d"], {"predict/run-0"}),
    ],
    ids=lambda value: " ".join(sorted(value)),
)
def test_clean_up_of_models_removes_what_was_asked_for(
    models: Path, words: list[str], gone: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = _left(models)
    assert main(["clean-up", str(models), *words, "--yes"]) == 0
    assert before - _left(models) == gone
    assert {
        line for line in capsys.readouterr().out.splitlines() if line.startswith("remove ")
    } == {f"remove {models}/{name}" for name in gone}


def test_clean_up_of_models_of_no_run_exits_3(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _left(models)
    assert main(["clean-up", str(models), "--run-id", "nobody", "--yes"]) == 3
    assert "no models of run 'nobody'" in capsys.readouterr().err
    assert _left(models) == before


def test_clean_up_of_models_follows_no_link(models: Path, tmp_path: Path) -> None:
    other = _made(tmp_path / "other", 90)
    (models / "predict" / "linked").symlink_to(other)
    assert main(["clean-up", str(models), "--older-than", "1s", "--yes"]) == 0
    assert (other / "manifest.json").exists()


def test_clean_up_by_run_id_of_another_output_exits_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["clean-up", str(tmp_path), "--run-id", "x", "--yes"]) == 2
    assert "holds no models" in capsys.readouterr().err
