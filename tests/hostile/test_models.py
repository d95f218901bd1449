"""Models that somebody else has put in the place of those of a run are not loaded."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pyspark.sql import SparkSession

from sparkclean.errors import InputError, VersionExistsError
from sparkclean.jobs.predict.models import PIN_HASH, find_pins, hash_of_pin
from sparkclean.lake.run_state import RunMarks, forget_run
from sparkclean.learning.model_files import MANIFEST, load_models, read_models
from sparkclean.learning.model_folder import PIN, ModelFolder
from sparkclean.learning.spark_ml.files import digest_folder
from tests.spark.test_predict import manifest, run_predict
from tests.unit.test_fold_models import write_folder
from tests.unit.test_lake_run_state import PIN as A_PIN

IDENTITY = {"config_fingerprint": "f", "input": "v1"}


class Harmful:
    """Whose pickle leaves a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def marks(tmp_path: Path) -> RunMarks:
    return RunMarks(str(tmp_path / "home"), "predict", "r.1", is_needed=True)


@pytest.fixture
def folder(tmp_path: Path, marks: RunMarks) -> ModelFolder:
    """A folder as a first attempt of the run has left it."""
    found = ModelFolder(tmp_path / "models" / "r.1", IDENTITY, "r.1", marks)
    assert found.find() is None
    with found.new() as made:
        write_folder(made)
        change_manifest(made, lambda content: content.update(identity=IDENTITY))
    return found


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads((folder / MANIFEST).read_text())
    change(content)
    (folder / MANIFEST).write_text(json.dumps(content))


def test_models_of_an_attempt_are_found_by_the_next(folder: ModelFolder) -> None:
    (entry,) = folder.entries()
    assert load_models(folder.path, [entry], None).keys() == {1}
    assert [path.name for path in folder.path.parent.iterdir()] == ["r.1"]


def test_models_of_another_configuration_are_a_conflict(folder: ModelFolder) -> None:
    other = ModelFolder(folder.path, {**IDENTITY, "input": "v2"}, "r.1", folder.marks)
    with pytest.raises(VersionExistsError, match="with another configuration"):
        other.find()


def test_models_whose_manifest_was_replaced_are_refused(folder: ModelFolder) -> None:
    def replace(content: dict[str, Any]) -> None:
        harmful = pickle.dumps(Harmful(folder.path.parent / "touched"))
        (folder.path / "fold-0-harmful.pickle").write_bytes(harmful)
        content["models"][0]["file"] = "fold-0-harmful.pickle"

    change_manifest(folder.path, replace)
    with pytest.raises(InputError, match=r"were not made by any known attempt of run 'r\.1'"):
        folder.find()


def test_models_of_a_second_attempt_lose_against_the_first(folder: ModelFolder) -> None:
    before = folder.entries()
    with folder.new() as made:
        write_folder(made)
        change_manifest(made, lambda content: content.update(identity=IDENTITY, more=1))
    assert folder.entries() == before


def test_marks_are_those_of_one_run(tmp_path: Path, marks: RunMarks) -> None:
    digest = "0123456789abcdef" * 4
    others = [
        RunMarks(marks.home, *key, is_needed=True)
        for key in (("train", "r.1"), ("predict", "r"), ("predict", f"r.{digest}"))
    ]
    for one in (marks, *others):
        assert not one.has(digest)
        one.add(digest)
        one.add(digest)
        assert one.has(digest)
    forget_run(marks.home, "predict", "r")
    assert [one.has(digest) for one in (marks, *others)] == [True, True, False, True]
    for one in (marks, *others):
        forget_run(one.home, one.job, one.run_id)
    assert list((Path(marks.home) / "_pins").iterdir()) == []


def test_marks_of_a_run_of_before_are_not_asked_for(marks: RunMarks) -> None:
    assert RunMarks(marks.home, "predict", "r.1", is_needed=False).has("0" * 64)


# -- names and links -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["../../../x.pickle", "/etc/passwd", "..", ".", "", "a/b", ".hidden", "a\nb", 3, None]
)
def test_manifest_that_names_a_file_elsewhere_is_refused(name: Any, folder: ModelFolder) -> None:
    change_manifest(folder.path, lambda content: content["models"][0].update(file=name))
    with pytest.raises(InputError, match=r"no plain name in this folder|it lists no models"):
        read_models(folder.path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not JSON"),
        (b"[1]", "is not a JSON object"),
        (b"\xff\xfe", "is not JSON"),
        (b'{"models": [{"fold": 1}]}', "lists no models"),
        (b'{"models": 7}', "lists no models"),
        (b"{}", "lists no models"),
        (b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}", "is nested too deeply"),
        (b"[" * 100_000, "is not JSON"),
    ],
)
def test_manifest_that_is_damaged_is_an_input_error(
    content: bytes, said: str, tmp_path: Path
) -> None:
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_models(tmp_path)


def test_links_in_a_folder_of_models_are_not_followed(folder: ModelFolder, tmp_path: Path) -> None:
    (entry,) = folder.entries()
    path, elsewhere = folder.path / entry.file, tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    with pytest.raises(InputError, match="is a symbolic link, where a plain file is expected"):
        load_models(folder.path, [entry], None)
    with pytest.raises(InputError, match="is a symbolic link, which no model of ours holds"):
        digest_folder(folder.path)
    link = tmp_path / "link"
    link.symlink_to(folder.path)
    with pytest.raises(InputError, match="is a symbolic link, which no model of ours holds"):
        digest_folder(link)


def test_model_that_is_a_pipe_is_not_waited_for(folder: ModelFolder) -> None:
    (entry,) = folder.entries()
    (folder.path / entry.file).unlink()
    os.mkfifo(folder.path / entry.file)
    with pytest.raises(InputError, match="is a pipe or a device, and no plain file"):
        load_models(folder.path, [entry], None)


def test_pin_beside_models_that_was_changed_is_not_used(tmp_path: Path) -> None:
    text = A_PIN.to_json()
    (tmp_path / PIN).write_text(text)

    class Target:
        properties: ClassVar[dict[str, str]] = {}

        def find_run(self, _: str) -> Target:
            return self

        def version_selector(self, _: Any) -> int:
            return 1

    target: Any = Target()
    for known in ({}, {PIN_HASH: hash_of_pin(text)}):
        Target.properties = known
        assert find_pins(target, tmp_path, "r1") == (A_PIN, 1)
    (tmp_path / PIN).write_text(text.replace("/data/in", "/secret"))
    with pytest.raises(InputError, match="it was changed, and is not used"):
        find_pins(target, tmp_path, "r1")


# -- a run that goes on --------------------------------------------------------------------------


def test_predict_models_that_were_replaced_are_not_loaded_when_the_run_goes_on(
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    predict = partial(run_predict, tmp_path, n_folds=2)
    monkeypatch.setenv("SPARKCLEAN_FAULT", "predict.trained:raise")
    assert predict() == 1
    monkeypatch.delenv("SPARKCLEAN_FAULT")
    models, kept = tmp_path / "out" / "models" / "predict" / "r1", tmp_path / "kept"
    models.rename(kept)
    models.mkdir()
    right, content = (json.loads((kept / MANIFEST).read_text()) for _ in range(2))
    for entry in content["models"]:
        harmful = pickle.dumps(Harmful(tmp_path / "touched"))
        (models / entry["file"]).write_bytes(harmful)
        entry["sha256"] = hashlib.sha256(harmful).hexdigest()
    (models / MANIFEST).write_text(json.dumps(content))
    assert predict() == 3
    assert "they are not loaded. Remove the folder" in capsys.readouterr().err
    assert not (tmp_path / "touched").exists()
    shutil.rmtree(models)
    kept.rename(models)
    assert predict() == 0  # by the models that the first attempt has trained
    assert manifest(tmp_path)["models"] == right["models"]
    assert list((tmp_path / "out" / "runs" / "_pins").iterdir()) == []
