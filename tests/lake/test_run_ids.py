from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkclean.errors import ConfigError
from sparkclean.lake import original_run_id, safe_run_id, shared_run_id

# letters that make escapes likely
_TRICKY = st.text("_x-0123456789abfr5~/: é\x03.", min_size=1, max_size=12)
_ANY = st.text(min_size=1, max_size=30)


def _usable(run_id: str) -> bool:
    return bool(run_id.strip())


@given(st.one_of(_TRICKY, _ANY).filter(_usable))
def test_safe_run_id_any_text_fits_pattern_and_maps_back(run_id: str) -> None:
    try:
        name = safe_run_id(run_id)
    except ConfigError:
        assert len(run_id.encode("utf-8", "surrogatepass")) * 4 + 4 > 128
        return
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]*", name)
    assert len(re.sub(r"_x40[a-z][a-z0-9_-]*$", "", name)) <= 128
    assert original_run_id(name) == run_id


@given(_TRICKY.filter(_usable), _TRICKY.filter(_usable))
def test_safe_run_id_two_texts_two_names(one: str, other: str) -> None:
    assert (safe_run_id(one) == safe_run_id(other)) == (one == other)


@given(st.from_regex(r"\A[A-Za-z][A-Za-z0-9.-]{0,30}\Z"))
def test_safe_run_id_safe_text_is_its_own_name(run_id: str) -> None:
    assert safe_run_id(run_id) == run_id


def test_safe_run_id_neighbours_of_escapes_stay_apart() -> None:
    # an escape whose end is not marked can be completed by what follows it
    texts = ["a_x3/", "a\x03x2f_", "a_x3_x2f_", "a_x2f", "a/", "_x-", "r_x-", "9", "r_x-9", "\x5f9"]
    assert len({safe_run_id(text) for text in texts}) == len(texts)


def test_safe_run_id_airflow_is_readable() -> None:
    name = safe_run_id("scheduled__2026-11-01T00:00:00+00:00")
    assert name == "scheduled__2026-11-01T00_x3a00_x3a00_x2b00_x3a00"


@pytest.mark.parametrize("run_id", ["", "  ", "a" * 129, ":" * 33])
def test_safe_run_id_empty_or_too_long_is_refused(run_id: str) -> None:
    with pytest.raises(ConfigError):
        safe_run_id(run_id)


def test_shared_run_id_is_another_for_each_job_and_may_be_of_the_longest_run_id() -> None:
    run_id = "a" * 128
    names = {safe_run_id(run_id), *(safe_run_id(shared_run_id(j, run_id)) for j in ("x", "y-2"))}
    assert names == {run_id, f"{run_id}_x40x", f"{run_id}_x40y-2"}
    assert original_run_id(f"{run_id}_x40y-2") == shared_run_id("y-2", run_id) == f"{run_id}@y-2"
    with pytest.raises(ConfigError):
        safe_run_id(shared_run_id("audit", run_id + "a"))
