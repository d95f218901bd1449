"""Files of others: what is no plain file, what is too much, and what is none of our business."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql.types import IntegerType, StringType

from sparkclean.commands.main import main
from sparkclean.config.classes import read_classes, resolve_classes
from sparkclean.config.file import load_config
from sparkclean.config.text import read_yaml
from sparkclean.errors import ConfigError, InputError, SparkCleanError
from sparkclean.examples.columns import check_classes
from sparkclean.lake.files import list_data_files, read_json
from sparkclean.lake.parquet.manifest import ManifestLog
from sparkclean.lake.parquet.owner import Owner
from sparkclean.lake.parquet.staging import Receipt
from sparkclean.reading import is_deeper, read_plain
from sparkclean.rows.session import read_properties

SECRET = "root:$y$j9T$hash"

#: How a file is read, by what reads it.
READERS: dict[str, Callable[[Path], Any]] = {
    "configuration": lambda path: load_config(path, environ={}),
    "classes": lambda path: read_classes(str(path)),
    "manifest": read_json,
    "properties": lambda path: read_properties(str(path)),
}


@pytest.fixture(autouse=True)
def _in_time() -> Any:
    """Write to a pipe that is waited for after all, so that a failure is none of waiting."""
    ended = threading.Event()
    waited = threading.Timer(20, lambda: None if ended.is_set() else os._exit(9))
    waited.daemon = True
    waited.start()
    yield
    ended.set()
    waited.cancel()


@pytest.mark.parametrize("name", READERS)
def test_pipe_is_not_waited_for(name: str, tmp_path: Path) -> None:
    path = tmp_path / "pipe.yaml"
    os.mkfifo(path)
    with pytest.raises(SparkCleanError, match="is a pipe or a device, and no plain file"):
        READERS[name](path)


@pytest.mark.parametrize("name", READERS)
def test_device_without_an_end_is_not_read(name: str) -> None:
    with pytest.raises(SparkCleanError, match="is a pipe or a device, and no plain file"):
        READERS[name](Path("/dev/zero"))


@pytest.mark.parametrize("name", READERS)
def test_file_beyond_the_limit_is_refused_by_its_size(name: str, tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # takes no room
    with pytest.raises(SparkCleanError, match="has 1,099,511,627,776 bytes; at most "):
        READERS[name](path)


def test_read_plain_of_a_file_that_grows_reads_no_more_than_the_limit(tmp_path: Path) -> None:
    # of files in /proc the size is said to be 0
    with pytest.raises(InputError, match="bytes; at most 3 are read"):
        read_plain(Path("/proc/self/status"), most=3)
    (tmp_path / "f").write_bytes(b"abc")
    assert read_plain(tmp_path / "f", most=3) == b"abc"


@pytest.mark.parametrize("name", ["a socket", "a link"])
def test_read_plain_of_something_else_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "other"
    if name == "a link":
        path.symlink_to("/etc/hostname")
    else:
        import socket

        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
    with pytest.raises(InputError, match=r"is a (symbolic link|socket or a device)"):
        read_plain(path, follow_links=False)


def test_pipe_among_the_files_of_a_table_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "gone.parquet").symlink_to(tmp_path / "nowhere")  # said later, by its reader
    (tmp_path / "part.parquet").touch()
    assert len(list_data_files(tmp_path)) == 2
    os.mkfifo(tmp_path / "pipe.parquet")
    with pytest.raises(InputError, match=r"pipe\.parquet is a pipe or a device; remove it"):
        list_data_files(tmp_path)


# -- YAML and JSON that grow ---------------------------------------------------------------------

BOMB = "\n".join(
    [f"a0: &a0 [{', '.join('x' * 9)}]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
)
CHAIN = "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 400))])
MERGES = "\n".join(
    ["a0: &a0 {x: 1}"]
    + [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 9)]
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "its aliases repeat more than 10,000 values; write them out"),
        (MERGES, "its aliases repeat more than 10,000 values; write them out"),
        (CHAIN, "is nested too deeply"),
        ("a: &a [1, *a]", "an alias refers to a value that contains it"),
        ("&a {b: *a}", "an alias refers to a value that contains it"),
        ("[" * 60 + "]" * 60, "is nested too deeply"),
        ("[" * 100_000, "is nested too deeply"),
        ("{a: " * 60 + "1" + "}" * 60, "is nested too deeply"),
    ],
)
def test_read_yaml_that_grows_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_yaml(text)


def test_read_yaml_aliases_that_people_write_are_read() -> None:
    text = "a: &a {x: 1, y: [2, 3]}\nb: {<<: *a, z: 4}\nc: [*a, *a]"
    shared = {"x": 1, "y": [2, 3]}
    assert read_yaml(text) == {"a": shared, "b": {**shared, "z": 4}, "c": [shared, shared]}
    assert read_yaml("[" * 50 + "]" * 50)


@pytest.mark.parametrize(
    "text", ["[" * 60 + "]" * 60, "[" * 100_000, '{"a":' * 60 + "1" + "}" * 60]
)
def test_json_configuration_that_is_nested_too_deeply_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="nested too deeply"):
        load_config(path, environ={})


def test_is_deeper_counts_levels() -> None:
    assert [is_deeper([{"a": [1]}], most) for most in (1, 2, 3)] == [True, True, False]
    assert not is_deeper("a", 1)


def test_command_with_a_bomb_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"{BOMB}\ninput: {{table: *a9}}\n")
    assert main(["audit", "--config", str(path)]) == 2
    assert "its aliases repeat more than" in capsys.readouterr().err


# -- what is in a file ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("shadow", f"{SECRET}\n{SECRET}\n"),
        ("one", SECRET),
        ("a.yaml", f"{SECRET}: [\n"),
        ("b.yaml", f"- {{{SECRET}: 1, {SECRET}: 2}}\n"),
        ("c.yaml", f"- !{SECRET}\n- *{SECRET}\n"),
        ("d.yaml", f"{SECRET}\n"),
        ("a.json", f'["{SECRET}"'),
        ("b.json", f'{{"{SECRET}": 1, "{SECRET}": 1}}'),
    ],
)
def test_classes_of_a_file_that_is_no_list_show_nothing_of_it(
    name: str, content: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(content)
    config = load_config({"input": {"table": "in"}, "classes": str(path)}, environ={})
    with pytest.raises(ConfigError) as caught:
        resolve_classes(config)
    assert f"classes: {path}: " in str(caught.value)
    assert "hash" not in str(caught.value)


@pytest.mark.parametrize("kind", [IntegerType(), StringType()])
def test_check_classes_that_are_no_labels_shows_none(kind: Any) -> None:
    wrong: list[Any] = [SECRET, "b"] if isinstance(kind, IntegerType) else [1 << 70, 5]
    with pytest.raises(ConfigError, match="classes: number 1 of 2 is") as caught:
        check_classes(wrong, "label", kind)
    assert "hash" not in str(caught.value)
    assert str(1 << 70) not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        SECRET,
        f'"{SECRET}"',
        f'{{"{SECRET}": 1}}',
        f'["{SECRET}"]',
        "{",
        "[]",
        "[" * 100_000,
        "\xff",
    ],
)
def test_files_of_ours_that_are_damaged_show_nothing_of_what_is_in_them(
    content: str, tmp_path: Path
) -> None:
    log = ManifestLog(tmp_path)
    log.folder.mkdir()
    for path, read in (
        (log.path(1), lambda: log.find(1)),
        (tmp_path / "_owner.json", lambda: Owner.read(tmp_path / "_owner.json")),
        (tmp_path / "_receipt.json", lambda: Receipt.read(tmp_path)),
    ):
        path.write_text(content, encoding="latin-1")
        with pytest.raises(SparkCleanError, match=str(path)) as caught:
            read()
        assert "hash" not in str(caught.value)


def test_manifest_with_keys_that_nobody_knows_shows_none(tmp_path: Path) -> None:
    log = ManifestLog(tmp_path)
    log.folder.mkdir()
    whole = {key: [] for key in ("files", "run_ids")} | {"manifest_format": 1}
    for files in ([{SECRET: 1}], [7], 7):
        log.path(1).write_text(json.dumps(whole | {"files": files}))
        with pytest.raises(SparkCleanError) as caught:
            log.find(1)
        assert "hash" not in str(caught.value)
