"""`:run_time` in conditions: where it is one, and where it is part of something else."""

from __future__ import annotations

import pytest

from sparkclean.rows.conditions import fill_run_time, needs_run_time

MOMENT = "2026-11-30T09:00:00.000001+02:00"
LITERAL = "TIMESTAMP_LTZ '2026-11-30T07:00:00.000001Z'"


@pytest.mark.parametrize(
    ("condition", "filled"),
    [
        ("updated <= :run_time", f"updated <= {LITERAL}"),
        ("t IN(:run_time,:run_time)", f"t IN({LITERAL},{LITERAL})"),
        ("a = ':run_time' AND t < :run_time", f"a = ':run_time' AND t < {LITERAL}"),
        (r"a = 'it\'s :run_time' AND t < :run_time", rf"a = 'it\'s :run_time' AND t < {LITERAL}"),
        (r"a = r'\' AND t < :run_time", rf"a = r'\' AND t < {LITERAL}"),
        ("a = 'it''s :run_time'||:run_time", f"a = 'it''s :run_time'||{LITERAL}"),
        ('a = ":run_time" AND t < :run_time', f'a = ":run_time" AND t < {LITERAL}'),
        ("`a:run_time``:run_time` < :run_time", f"`a:run_time``:run_time` < {LITERAL}"),
        ("t < -- not :run_time\n :run_time", f"t < -- not :run_time\n {LITERAL}"),
        ("t < /* a /* b */ :run_time */ :run_time", f"t < /* a /* b */ :run_time */ {LITERAL}"),
    ],
)
def test_fill_run_time_leaves_texts_names_and_comments(condition: str, filled: str) -> None:
    assert needs_run_time(condition)
    assert fill_run_time(condition, MOMENT) == filled


@pytest.mark.parametrize(
    "condition",
    [
        None,
        "id > 5",
        "a = ':run_time'",
        "a = 'unfinished :run_time",
        "/* unfinished :run_time",
        "raw:run_time = 'x'",  # a path into a document, on platforms that have such
        "x::run_time",
        "t < :run_times",
    ],
)
def test_needs_run_time_of_what_only_looks_like_it_is_false(condition: str | None) -> None:
    assert not needs_run_time(condition)
    assert condition is None or fill_run_time(condition, MOMENT) == condition


def test_fill_run_time_takes_no_text_that_is_no_moment() -> None:
    with pytest.raises(ValueError, match="isoformat"):
        fill_run_time("t < :run_time", "' OR true OR t < '")
