"""What unit tests share."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _fresh_log() -> Iterator[None]:
    """Begin with the log as a library has it, and give it back: the command takes it for itself."""
    log = logging.getLogger("sparkclean")
    before = (log.handlers, log.filters, log.level, log.propagate, list(logging.root.handlers))
    log.handlers, log.filters, log.propagate = [logging.NullHandler()], [], True
    log.setLevel(logging.NOTSET)
    yield
    log.handlers, log.filters, level, log.propagate, logging.root.handlers[:] = before
    log.setLevel(level)
