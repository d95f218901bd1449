"""Links that somebody has put in the place of folders and files of ours lead nowhere."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sparkclean.errors import InputError, SparkCleanError
from sparkclean.lake import ParquetTarget
from sparkclean.lake.files import replace_durably, write_durably
from sparkclean.lake.parquet.manifest import ManifestLog
from sparkclean.lake.plain_folders import check_plain, move, remove_tree
from tests.lake.helpers import new_target, publish, rows_of, stage


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """The published data of another table, in the form of ours."""
    other = ParquetTarget(str(tmp_path / "theirs"))
    publish(other, "theirs", accumulate=False)
    old = 1_000_000_000
    for path in other.root.rglob("*"):
        os.utime(path, (old, old))
    return other.root


def all_below(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["_staging", "data", "_manifests"])
def test_clean_up_where_a_folder_is_a_link_refuses_and_removes_nothing(
    name: str, tmp_path: Path, theirs: Path
) -> None:
    target = new_target(tmp_path)
    publish(target, "a", accumulate=False)
    place, kept = target.root / name, all_below(theirs)
    if place.exists():
        place.rename(tmp_path / "aside")
    place.symlink_to(theirs / "data" if name == "_staging" else theirs / name)
    for dry_run in (True, False):
        with pytest.raises(InputError, match=f"{place} is a link or a file, where we have made"):
            target.clean_up(older_than_seconds=0, dry_run=dry_run)
    with pytest.raises(InputError, match="is a link or a file"):
        stage(target, "b")
    assert all_below(theirs) == kept


def test_clean_up_of_links_within_staging_leaves_what_they_lead_to(
    tmp_path: Path, theirs: Path
) -> None:
    target = new_target(tmp_path)
    publish(target, "a", accumulate=False)
    kept = all_below(theirs)
    dead = target.root / "_staging" / "dead-1"
    dead.mkdir()
    (dead / "folder").symlink_to(theirs)
    (dead / "deep" / "er").mkdir(parents=True)
    (dead / "deep" / "er" / "file").symlink_to(next(iter(kept)))
    (target.root / "_staging" / "linked-1").symlink_to(theirs / "data")
    os.utime(dead, (1_000_000_000, 1_000_000_000))
    assert [Path(path).name for path in target.clean_up(older_than_seconds=0).paths] == ["dead-1"]
    assert not dead.exists()
    assert all_below(theirs) == kept


def test_clean_up_writes_through_no_link_of_a_name_that_can_be_guessed(
    tmp_path: Path, theirs: Path
) -> None:
    target = new_target(tmp_path)
    for number, run_id in enumerate("ab"):
        publish(target, run_id, accumulate=False, parent=number or None)
    kept, victim = all_below(theirs), next(iter(all_below(theirs)))
    for name in (".v00000001.json.0", ".v00000001.json.tmp"):
        (target.root / "_manifests" / name).symlink_to(victim)
    assert target.clean_up(keep=1).versions == ("v00000001",)
    (target.root / "_manifests" / ".lock").unlink()
    (target.root / "_manifests" / ".lock").symlink_to(victim)
    with pytest.raises(InputError, match="lock is a link"):
        target.clean_up(keep=1)
    assert all_below(theirs) == kept
    assert rows_of(target) == {"b": 2}


@pytest.mark.parametrize("write", [write_durably, replace_durably])
def test_files_are_written_beside_a_link_and_not_through_it(
    write: Callable[[Path, str], None], tmp_path: Path
) -> None:
    victim, link = tmp_path / "victim", tmp_path / "link"
    victim.write_text("kept")
    link.symlink_to(victim)
    if write is write_durably:
        with pytest.raises(FileExistsError):
            write(link, "x")
    else:
        write(link, "x")
        assert not link.is_symlink()
    assert victim.read_text() == "kept"
    assert {path.name for path in tmp_path.iterdir()} == {"victim", "link"}


def test_remove_tree_where_a_folder_above_became_a_link_removes_nothing(
    tmp_path: Path, theirs: Path
) -> None:
    root, kept = tmp_path / "root", all_below(theirs)
    (root / "_staging" / "x").mkdir(parents=True)
    path = root / "_staging" / "theirs"  # as it was looked up before the swap
    shutil.rmtree(root / "_staging")
    (root / "_staging").symlink_to(theirs / "data")
    for act in (
        lambda: remove_tree(root, path),
        lambda: move(root, path, root / "gone"),
        lambda: move(root, root / "gone", path),
    ):
        with pytest.raises(InputError, match="_staging is a link or a file"):
            act()
    assert all_below(theirs) == kept


def test_remove_tree_takes_files_folders_and_links(tmp_path: Path) -> None:
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").touch()
    os.mkfifo(tmp_path / "a" / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    remove_tree(tmp_path, tmp_path / "link")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    remove_tree(tmp_path, tmp_path / "a")
    remove_tree(tmp_path, tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_check_plain_takes_folders_and_what_is_not_there(tmp_path: Path) -> None:
    check_plain(tmp_path, tmp_path / "gone")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file is a link or a file"):
        check_plain(tmp_path, tmp_path / "file")


@pytest.mark.parametrize("path", ["../theirs/x.parquet", "/etc/passwd", "data/../../x", "x", "a/b"])
def test_manifest_that_names_files_elsewhere_is_refused(path: str, tmp_path: Path) -> None:
    target = new_target(tmp_path)
    publish(target, "a", accumulate=False)
    log = ManifestLog(target.root)
    content = json.loads(log.path(1).read_text())
    content["files"][0]["path"] = path
    log.path(1).write_text(json.dumps(content))
    with pytest.raises(SparkCleanError, match=r"is damaged: it is not a manifest"):
        target.current()
