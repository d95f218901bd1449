"""Which source or target a table gets: each format by its name, and none by default."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from sparkclean.errors import UnsupportedFeatureError
from sparkclean.lake import formats, opening


@pytest.fixture
def hudi(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the names of formats hold one more, which nothing opens yet."""
    monkeypatch.setattr(opening, "FORMATS", (*opening.FORMATS, "hudi"))
    monkeypatch.setattr(opening, "checked_session", lambda *_: cast(Any, object()))


def test_format_that_nothing_opens_is_no_iceberg(hudi: None, tmp_path: Path) -> None:
    place, spark = str(tmp_path / "t"), cast(Any, object())
    for call in (
        lambda: opening.open_source(place, "hudi", spark=spark),
        lambda: opening.open_target(place, "hudi", spark=spark),
        lambda: opening.open_edited_target(place, "hudi", spark=spark),
    ):
        with pytest.raises(UnsupportedFeatureError, match="nothing opens tables of format hudi"):
            call()


def test_session_of_a_format_that_nothing_opens_is_not_looked_at(tmp_path: Path) -> None:
    name = formats.parse_table_name(str(tmp_path))
    with pytest.raises(UnsupportedFeatureError, match="nothing opens tables of format hudi"):
        formats.checked_session(cast(Any, object()), "hudi", name)
