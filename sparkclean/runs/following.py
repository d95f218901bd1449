"""A job that reads what another job of the same command makes, and is checked before that one."""

from __future__ import annotations

from abc import ABC, abstractmethod

from sparkclean.rows.report import Report
from sparkclean.runs.context import Context
from sparkclean.runs.job import Prepared


class Following(ABC):
    """What such a job offers beside `Job`."""

    @abstractmethod
    def prepare_ahead(self, context: Context) -> Prepared:
        """Check all but the table that the other job is yet to make. Writes nothing.

        Raises
        ------
        ConfigError, InputError
        """

    @abstractmethod
    def describe_ahead(self, prepared: Prepared, context: Context) -> Report:
        """Say what the run would do, as far as `prepare_ahead` knows. Writes nothing."""
