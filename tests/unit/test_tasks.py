"""Tasks begin fast: what a worker is spared, and what not."""

from __future__ import annotations

import gc
import importlib
import sys
import zipfile
import zipimport
from collections.abc import Iterator
from pathlib import Path
from zipimport import zipimporter

import pytest

from sparkclean.rows.tasks import settle

NAMES = ("pyspark.zip", "py4j-0.10-src.zip", "spark-core_2.13-4.1.4.jar", "users.zip")


@pytest.fixture
def finders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, zipimporter]]:
    """Give finders of zip files by name, as an import from each leaves them."""
    found = {}
    for name in NAMES:
        with zipfile.ZipFile(tmp_path / name, "w") as file:
            file.writestr("package/__init__.py", "")
            file.writestr("package/module.py", "")
        for place in (tmp_path / name, tmp_path / name / "package"):
            finder = found[str(place.relative_to(tmp_path))] = zipimporter(str(place))
            monkeypatch.setitem(sys.path_importer_cache, str(place), finder)
    yield found
    gc.unfreeze()


def test_settle_zip_files_of_spark_are_not_read_again(
    finders: dict[str, zipimporter], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    real = zipimport._read_directory
    monkeypatch.setattr(
        zipimport, "_read_directory", lambda path: read.append(Path(path).name) or real(path)
    )
    settle()
    importlib.invalidate_caches()
    for finder in finders.values():  # from Python 3.13 on they read when they are asked
        assert finder.find_spec("package" if not finder.prefix else "module") is not None
    assert set(read) & set(NAMES) == {"users.zip"}


def test_settle_what_is_there_is_not_looked_at_again() -> None:
    settle()
    try:
        assert gc.get_freeze_count() > 1000
        settle()
        assert gc.collect() == 0
    finally:
        gc.unfreeze()
