"""The log on stderr: text for people, JSON for machines. Used by the command line alone."""

from __future__ import annotations

import json
import logging
import os
import sys
import textwrap
from datetime import datetime, timezone
from typing import Any, TextIO

from sparkclean.rows.console import is_terminal
from sparkclean.texts import printable, printable_lines

#: What records say besides their message.
_FIELDS = (
    "phase",
    "event",
    "error",
    "exit_code",
    "rows",
    "seconds",
    "done",
    "total",
    "unit",
    "left",
    "run_id",
)
_COLOURS = {logging.WARNING: "\033[33m", logging.ERROR: "\033[31m"}


class _TextFormatter(logging.Formatter):
    """Messages for people; colours on a terminal alone."""

    def format(self, record: logging.LogRecord) -> str:
        text = printable(record.getMessage())
        if record.levelno >= logging.WARNING:
            text = f"{'error' if record.levelno >= logging.ERROR else 'warning'}: {text}"
        if record.exc_info:
            trace = printable_lines(self.formatException(record.exc_info))
            text += "\n" + textwrap.indent(trace, "  ")  # so that none of it reads like a record
        colour = _COLOURS.get(record.levelno, "")
        if not colour or not is_terminal(sys.stderr) or "NO_COLOR" in os.environ:
            return text
        return f"{colour}{text}\033[0m"


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to whatever stderr is now: a live line puts another one in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        # not by setStream, which flushes the one before: that may be closed
        self.stream = sys.stderr
        super().emit(record)


class _JsonFormatter(logging.Formatter):
    """One object a line; field names as in Spark's own structured logs."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, timezone.utc).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "msg": printable_lines(record.getMessage()),
        }
        for key in _FIELDS:
            if getattr(record, key, None) is not None:
                value = getattr(record, key)
                entry[key] = printable(value) if isinstance(value, str) else value
        if record.exc_info:
            entry["exception"] = printable_lines(self.formatException(record.exc_info))
        return json.dumps(entry, ensure_ascii=False)


def configure_logging(log_format: str, *, debug: bool = False) -> None:
    """Send the log of this package, and of nothing else, to stderr.

    Parameters
    ----------
    log_format : {"text", "json"}
    debug : bool
        Whether other packages (py4j, which logs stack traces to the root) may speak too.
    """
    if not debug and not logging.root.handlers:
        logging.root.addHandler(logging.NullHandler())
    # pyspark 4.1 logs each failed query as JSON, also those by which a format is found out
    logging.getLogger("SQLQueryContextLogger").disabled = not debug
    handler = _Handler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if log_format == "json" else _TextFormatter())
    log = logging.getLogger("sparkclean")
    log.handlers = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False


def name_run(run_id: str) -> None:
    """Put the run id into every further record of the log.

    Parameters
    ----------
    run_id : str
    """

    def add(record: logging.LogRecord) -> bool:
        record.run_id = run_id
        return True

    for handler in logging.getLogger("sparkclean").handlers:
        handler.addFilter(add)
