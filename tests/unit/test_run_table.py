"""A job whose section names the table that it reads: `input.table` need not be given."""

from __future__ import annotations

from typing import ClassVar

import pytest

from sparkclean import registry
from sparkclean.config.model import for_job, parse_config
from sparkclean.config.sections import Section, setting
from sparkclean.errors import ConfigError
from tests.toy.job import ToyJob

ANSWERS = {"votes": {"answers": {"table": "lake/votes"}}}


class VotesSection(Section):
    """Who said what."""

    answers: dict[str, str] = setting({}, description="The table.")
    run_table: ClassVar[tuple[str, ...]] = ("answers", "table")
    may_be_null: ClassVar[bool] = True


class VotesJob(ToyJob):
    """A toy that reads the table of its own section."""

    name = "votes"
    outputs = ()
    sections: ClassVar = {"votes": VotesSection}


@pytest.fixture(autouse=True)
def votes(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = registry.JobEntry("tests.unit.test_run_table:VotesJob", "count votes", "")
    monkeypatch.setitem(registry.JOBS, "votes", entry)


def test_input_table_not_given_is_the_one_of_the_section() -> None:
    config = parse_config({**ANSWERS, "input": {"version": 3}})
    assert (config.input.table, config.input.version) == ("lake/votes", 3)
    assert config.output.runs == "out/votes/runs"
    assert for_job(config, "votes") is config


def test_input_table_given_stays_for_other_jobs_and_its_version_is_not_of_votes() -> None:
    config = parse_config({**ANSWERS, "input": {"table": "lake/examples", "version": 3}})
    assert for_job(config, "audit") is config
    own = for_job(config, "votes").input
    assert (own.table, own.version) == ("lake/votes", None)


def test_no_table_anywhere_is_missing() -> None:
    with pytest.raises(ConfigError, match="input: is missing"):
        parse_config({"votes": {"answers": {}}})
