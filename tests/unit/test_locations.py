"""Where tables lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkclean.errors import ConfigError, UnsupportedFeatureError
from sparkclean.locations import check_expanded, local_path


@pytest.mark.parametrize("location", ["data/in", "./data/in", "data/x/../in", "data/in/"])
def test_local_path_relative_becomes_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert local_path(location) == tmp_path.resolve() / "data" / "in"


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/a/b", "/a/b"),
        ("file:///a/b", "/a/b"),
        ("file:/a/b", "/a/b"),
        ("FILE:///a/b", "/a/b"),
        ("file:///a%20b/%C3%BC", "/a b/ü"),
        ("/a b/ü", "/a b/ü"),
        ("/a/day=2026-01-01T00:00", "/a/day=2026-01-01T00:00"),
        ("/a/100%", "/a/100%"),
        ("/a/b#c?d", "/a/b#c?d"),
        ("/a/*", "/a/*"),
    ],
)
def test_local_path_path_or_uri_is_read(location: str, path: str) -> None:
    assert local_path(location) == Path(path)


def test_local_path_home_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert local_path("~/in") == tmp_path.resolve() / "in"


def test_local_path_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    assert local_path(f"{tmp_path}/link/in") == tmp_path.resolve() / "there" / "in"


@pytest.mark.parametrize(
    ("location", "scheme"),
    [
        ("s3://bucket/x", "s3"),
        ("S3A://bucket/x", "s3a"),
        ("gs://bucket/x", "gs"),
        ("hdfs://namenode:8020/x", "hdfs"),
        ("abfss://c@account.dfs.core.windows.net/x", "abfss"),
        ("dbfs:/x", "dbfs"),
        ("https://host/x", "https"),
    ],
)
def test_local_path_elsewhere_is_not_yet_supported(location: str, scheme: str) -> None:
    with pytest.raises(UnsupportedFeatureError) as caught:
        local_path(location)
    assert str(caught.value) == (
        f"{location!r}: {scheme}: is not supported yet, local or shared file systems are"
    )


@pytest.mark.parametrize("location", ["", " ", "\n"])
def test_local_path_empty_is_refused(location: str) -> None:
    with pytest.raises(ConfigError, match="the path is empty"):
        local_path(location)


@pytest.mark.parametrize("location", ["a\0b", "//[x", "s3://[x]/y", "~nobody-of-this-name/x"])
def test_local_path_that_is_none_is_refused(location: str) -> None:
    with pytest.raises(ConfigError, match="is not a path") as caught:
        local_path(location)
    assert repr(location) in str(caught.value)


@pytest.mark.parametrize("location", ["$HOME/in", "/a/${DAY}", "/a/$_x", "${", "delta.`/a/$DAY`"])
def test_check_expanded_of_a_variable_is_refused(location: str) -> None:
    with pytest.raises(ConfigError, match=r"variables are not expanded here; .* %24 for the \$"):
        check_expanded(location)


@pytest.mark.parametrize("location", ["/a/b", "~/in", "/a/$", "/a/100$", "/a/$1", "cat.db.t"])
def test_check_expanded_of_no_variable_is_taken(location: str) -> None:
    check_expanded(location)


def test_local_path_of_a_uri_names_a_folder_with_a_dollar() -> None:
    check_expanded("file:///a/%24HOME")
    assert local_path("file:///a/%24HOME") == Path("/a/$HOME")
