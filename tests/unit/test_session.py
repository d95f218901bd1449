"""The Spark session of a command: what Java is told."""

import os
import sys
import time
from pathlib import Path

import pytest

from sparkclean.rows.session import _ARCHIVE_MAGIC, _class_archive_options, _with_settings
from sparkclean.rows.worker_python import choose_python, set_python_of_tasks


@pytest.fixture
def java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a Java that only looks like one, and an empty cache."""
    home = tmp_path / "java"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "java").touch(mode=0o755)
    (home / "release").write_text('JAVA_VERSION="17.0.1"\n')
    monkeypatch.setenv("JAVA_HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return home


def _archive(kind: str) -> Path:
    (found,) = [o for o in _class_archive_options() if o.startswith(f"-XX:{kind}=")]
    return Path(found.partition("=")[2])


def test_class_archive_first_run_is_written_then_read(java: Path) -> None:
    made = _archive("ArchiveClassesAtExit")
    made.write_bytes(_ARCHIVE_MAGIC + b"classes")
    found = _archive("SharedArchiveFile")
    assert found.read_bytes() == _ARCHIVE_MAGIC + b"classes"
    assert found == _archive("SharedArchiveFile")


@pytest.mark.parametrize("content", [b"", bytes(100)])
def test_class_archive_that_was_not_finished_is_made_again(java: Path, content: bytes) -> None:
    made = _archive("ArchiveClassesAtExit")
    made.write_bytes(content)
    assert _archive("ArchiveClassesAtExit") == made
    assert not made.exists()


def test_class_archive_that_was_cut_off_is_made_again(java: Path) -> None:
    _archive("ArchiveClassesAtExit").write_bytes(_ARCHIVE_MAGIC + b"classes")
    found = _archive("SharedArchiveFile")
    found.write_bytes(_ARCHIVE_MAGIC)
    _archive("ArchiveClassesAtExit")
    assert not found.exists()


@pytest.mark.parametrize("folder", ["o'neil", "a:b", "two words"])
def test_class_archive_in_a_folder_that_java_misreads_is_none(
    java: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(java / folder))
    assert _class_archive_options() == []


def test_class_archive_without_home_is_none(java: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", nowhere)
    assert _class_archive_options() == []


def test_class_archive_other_java_has_one_of_its_own(java: Path) -> None:
    archive = _archive("ArchiveClassesAtExit")
    (java / "release").write_text('JAVA_VERSION="21.0.1"\n')
    assert _archive("ArchiveClassesAtExit") != archive


def test_class_archive_without_java_is_none(java: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(java / "nowhere"))
    assert _class_archive_options() == []


def test_class_archive_that_nobody_used_for_a_month_is_removed(java: Path) -> None:
    made = _archive("ArchiveClassesAtExit")
    old, young = (made.parent / f"spark-classes-{name}-3.jsa" for name in ("0" * 16, "1" * 16))
    for path, days in ((old, 31), (young, 29)):
        path.write_text("abc")
        os.utime(path, (0, time.time() - days * 86400))
    _archive("ArchiveClassesAtExit")
    assert [old.exists(), young.exists()] == [False, True]


def test_class_archive_without_cache_is_none(java: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(java / "release"))
    assert _class_archive_options() == []


def test_settings_of_the_user_win_and_add_to_the_options_of_java() -> None:
    options = "spark.driver.extraJavaOptions"
    ours = {"spark.master": "local[*,4]", options: "-Da=ours -Db=1"}
    assert _with_settings(ours, {"spark.master": "local[2]", options: "-Da=theirs"}) == {
        "spark.master": "local[2]",
        options: "-Da=ours -Db=1 -Da=theirs",
    }
    assert _with_settings(ours, {}) == ours
    assert _with_settings({}, {"spark.x": "1"}) == {"spark.x": "1"}


# -- the Python of tasks ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "master", "wanted"),
    [
        ("named", "local[2]", "named"),
        ("named", "spark://a:7077", "named"),
        (None, "local[*,4]", sys.executable),
        ("", "local", sys.executable),
        (None, "local-cluster[2,1,1024]", "variable"),
        (None, "yarn", "variable"),
        (None, None, "variable"),
    ],
)
def test_python_of_tasks_is_chosen(setting: str | None, master: str | None, wanted: str) -> None:
    assert choose_python(setting, master, "variable") == wanted


def test_python_of_tasks_is_set_and_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "sparkclean")
    settings = {"spark.master": "local[2]"}
    monkeypatch.setenv("PYSPARK_PYTHON", "/nowhere/python3")
    set_python_of_tasks(settings.get)
    assert os.environ["PYSPARK_PYTHON"] == sys.executable
    assert "PYSPARK_PYTHON=/nowhere/python3 is ignored" in caplog.text
    caplog.clear()
    set_python_of_tasks((settings | {"spark.pyspark.python": "/other/python"}).get)
    assert os.environ["PYSPARK_PYTHON"] == "/other/python"
    assert caplog.text == ""
