"""Conditions in SQL that must choose the same rows whenever they are read.

`:run_time` is the one moment that a condition may know: it is fixed once for a run. What Spark
evaluates anew for each query is found here, in Spark's own plan.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from pyspark.errors import AnalysisException, PySparkException

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

#: Stands for the time at which the run began.
RUN_TIME = ":run_time"

_TOKEN = re.compile(
    r"""
      (?P<remark>--(?:\\\r?\n|[^\r\n])*)
    | (?P<opens>/\*)
    | (?P<text>[rR](?:'[^']*'?|"[^"]*"?) | '(?:[^'\\]|\\.)*'? | "(?:[^"\\]|\\.)*"?)
    | (?P<name>`[^`]*`?)
    | (?P<run_time>(?<![\w:.\])`]):run_time\b)
    | (?P<code>\w+|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_MARK = re.compile(r"/\*|\*/")
#: Functions of the current time, or of the session's zone, that Spark counts as deterministic.
_TIME = "curdate|current_(?:date|time|timestamp|timezone)|getdate|localtimestamp|now"
_CALLED = re.compile(rf"\b({_TIME})\s*\(", re.IGNORECASE)
#: The same in SQL, where some need no parentheses.
_WRITTEN = re.compile(
    rf"\b(?:({_TIME})\s*\(|(current_(?:date|time|timestamp)|localtimestamp)\b)",
    re.IGNORECASE,
)
#: Texts that are read as a moment, as a plan has them; names of columns carry a number.
_SPECIAL = "now|today|tomorrow|yesterday"
_CAST = re.compile(rf"\bcast\( *({_SPECIAL})\b[^()#]* as (?:date|timestamp)", re.IGNORECASE)
_TYPED = re.compile(
    rf"\b(?:date|timestamp(?:_ltz|_ntz)?)\s*r?['\"]\s*({_SPECIAL})\b", re.IGNORECASE
)
_FUNCTION = re.compile(r"([\w.]+)\(")
_SAMPLE = re.compile(r"^\W*Sample ", re.MULTILINE)


def utc_now() -> str:
    """Write the present moment as `fill_run_time` takes it."""
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")


def needs_run_time(condition: str | None) -> bool:
    """Tell whether a condition names the time of the run.

    Parameters
    ----------
    condition : str or None
        Predicate in SQL.

    Returns
    -------
    bool
    """
    return any(kind == "run_time" for kind, _ in _tokens(condition or ""))


def fill_run_time(condition: str, moment: str) -> str:
    """Write a timestamp in place of ``:run_time``, but for texts, names and comments.

    Parameters
    ----------
    condition : str
        Predicate in SQL.
    moment : str
        ISO 8601, with a time zone.

    Returns
    -------
    str

    Notes
    -----
    Spark's own parameters do not do: they are bound in whole queries, and a query by the name of a
    view hides the columns of ``_metadata``.
    """
    utc = datetime.fromisoformat(moment).astimezone(timezone.utc)
    literal = f"TIMESTAMP_LTZ '{utc:%Y-%m-%dT%H:%M:%S.%fZ}'"
    return "".join(literal if kind == "run_time" else text for kind, text in _tokens(condition))


def find_unstable(frame: DataFrame, condition: str = "") -> str | None:
    """Find what may give other rows when a frame is computed again.

    Parameters
    ----------
    frame : DataFrame
    condition : str
        Predicate in SQL by which its rows were chosen, if there was one.

    Returns
    -------
    str or None
        What it is, for a message. None where nothing was found.

    Notes
    -----
    No job. Spark itself tells what is not deterministic, subqueries and functions included: it
    refuses a join on a subquery of such a plan. Functions of the current time count as
    deterministic there; they are found by name in the analysed plan, and in the bodies of SQL
    functions that it calls. Not found: rows that depend on their order (``first``, ``LIMIT``), a
    text that is computed and then read as ``'now'``, and what a Python, Java or Hive function does
    in spite of being called deterministic.
    """
    spark = frame.sparkSession
    with _as_view(frame) as view:
        try:
            _ = spark.sql(_JOIN.format(view)).schema
        except AnalysisException as exc:
            if "INVALID_NON_DETERMINISTIC_EXPRESSIONS" not in str(exc):
                raise
            return "what Spark calls not deterministic, such as rand and uuid"
        # with no rows wanted, nothing but the analysed plan is made
        explained = spark.sql(f"EXPLAIN EXTENDED SELECT * FROM {view} WHERE false")  # noqa: S608
        plan = str(explained.collect()[0][0])
    plan = plan[plan.find("== Analyzed") : plan.rfind("== Optimized")]
    tokens = list(_tokens(condition))
    for kind, text in tokens:  # the plan has texts without their quotes
        if kind == "text" and _CALLED.search(text):
            plan = plan.replace(text[1:-1], "")
    if _SAMPLE.search(plan):
        return "a sample (TABLESAMPLE)"
    written = "".join(" " if kind == "remark" else text for kind, text in tokens)
    code = "".join(" " if kind in ("remark", "text", "name") else text for kind, text in tokens)
    found = _CALLED.search(plan) or _CALLED.search(code) or _CAST.search(plan)
    found = found or _TYPED.search(written)
    name = found[1] if found else _time_in_functions(spark, f"{plan}\n{code}")
    return None if name is None else f"the current time or time zone ({name.lower()})"


_JOIN = "SELECT 1 FROM range(1) AS a JOIN range(1) AS b ON EXISTS (SELECT * FROM {})"


def _time_in_functions(spark: SparkSession, text: str) -> str | None:
    """Find a function of the current time in the SQL functions that are called somewhere."""
    looked_at: set[str] = set()
    ahead = set(_FUNCTION.findall(text))
    while ahead:
        name = ahead.pop()
        looked_at.add(name)
        quoted = ".".join(f"`{part}`" for part in name.split("."))
        try:
            rows = spark.sql(f"DESCRIBE FUNCTION EXTENDED {quoted}").collect()
        except PySparkException:  # an operator, or part of a text
            continue
        about = "\n".join(str(row[0]) for row in rows)
        if "sqlFunction" not in about and "Body:" not in about:
            continue
        if (found := _WRITTEN.search(about)) is not None:
            return f"{found[1] or found[2]} in {name}"
        ahead |= set(_FUNCTION.findall(about)) - looked_at
    return None


@contextmanager
def _as_view(frame: DataFrame) -> Iterator[str]:
    """Give a frame a name in SQL, for a moment."""
    view = f"sparkclean_{uuid.uuid4().hex}"
    frame.createOrReplaceTempView(view)
    try:
        yield view
    finally:
        frame.sparkSession.catalog.dropTempView(view)


def _tokens(sql: str) -> Iterator[tuple[str, str]]:
    """Cut SQL into pieces by kind: ``remark``, ``text``, ``name``, ``run_time``, ``code``."""
    place = 0
    while (match := _TOKEN.match(sql, place)) is not None:
        kind, end = match.lastgroup or "code", match.end()
        if kind == "opens":  # comments stand in comments
            kind, end = "remark", _end_of_comment(sql, end)
        yield kind, sql[place:end]
        place = end


def _end_of_comment(sql: str, place: int) -> int:
    depth = 1
    while depth:
        mark = _MARK.search(sql, place)
        if mark is None:
            return len(sql)
        depth += 1 if mark[0] == "/*" else -1
        place = mark.end()
    return place
