"""What a configuration may not do where ``SPARKCLEAN_SAFE=1`` is set: have code of its own run.

A predicate is SQL, and SQL can call Java (``reflect``), functions that somebody has registered, and
read other tables. In the safe mode it is columns, literals, operators, and functions of the list
below. The text is looked at, before Spark sees it; what is not understood is refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

SAFE_MODE = "SPARKCLEAN_SAFE"

#: Spark's functions that depend on their arguments alone, do nothing else, and make no large value
#: of a small one.
SAFE_FUNCTIONS = frozenset({
    "abs", "acos", "acosh", "add_months", "array", "array_contains", "array_distinct",
    "array_except", "array_intersect", "array_join", "array_max", "array_min", "array_position",
    "array_remove", "array_size", "array_sort", "array_union", "arrays_overlap", "ascii",
    "asin", "asinh", "atan", "atan2", "atanh", "base64", "between", "bigint", "bin", "binary",
    "bit_count", "bit_length", "boolean", "bround", "btrim", "cardinality", "cast", "cbrt",
    "ceil", "ceiling", "char", "char_length", "character_length", "chr", "coalesce", "concat",
    "concat_ws", "contains", "conv", "cos", "cosh", "cot", "crc32", "csc", "date", "date_add",
    "date_diff", "date_format", "date_part", "date_sub", "date_trunc", "datediff", "day",
    "dayofmonth", "dayofweek", "dayofyear", "decimal", "degrees", "double", "element_at", "elt",
    "endswith", "equal_null", "exists", "exp", "expm1", "extract", "factorial", "filter",
    "find_in_set", "flatten", "float", "floor", "forall", "format_number", "from_unixtime",
    "from_utc_timestamp", "get", "get_json_object", "getbit", "greatest", "hash", "hex", "hour",
    "hypot", "if", "ifnull", "ilike", "initcap", "instr", "int", "isnan", "isnotnull", "isnull",
    "json_array_length", "last_day", "lcase", "least", "left", "length", "levenshtein", "like",
    "ln", "locate", "log", "log10", "log1p", "log2", "lower", "ltrim", "luhn_check",
    "make_date", "make_timestamp", "map", "map_contains_key", "map_keys", "map_values", "mask",
    "md5", "minute", "mod", "month", "months_between", "named_struct", "nanvl", "negative",
    "next_day", "nullif", "nvl", "nvl2", "octet_length", "overlay", "parse_url", "pmod",
    "position", "positive", "pow", "power", "quarter", "radians", "regexp", "regexp_count",
    "regexp_extract", "regexp_instr", "regexp_like", "regexp_replace", "regexp_substr",
    "replace", "reverse", "right", "rint", "rlike", "round", "rtrim", "sec", "second", "sha",
    "sha1", "sha2", "shiftleft", "shiftright", "sign", "signum", "sin", "sinh", "size", "slice",
    "smallint", "sort_array", "soundex", "split", "split_part", "sqrt", "startswith", "string",
    "struct", "substr", "substring", "substring_index", "tan", "tanh", "timestamp",
    "timestamp_micros", "timestamp_millis", "timestamp_seconds", "tinyint", "to_date",
    "to_timestamp", "to_unix_timestamp", "to_utc_timestamp", "transform", "translate", "trim",
    "trunc", "try_add", "try_divide", "try_element_at", "try_multiply", "try_subtract",
    "try_to_number", "try_to_timestamp", "typeof", "ucase", "unbase64", "unhex", "unix_date",
    "unix_micros", "unix_millis", "unix_seconds", "upper", "url_decode", "url_encode",
    "weekday", "weekofyear", "width_bucket", "xxhash64", "year",
})  # fmt: skip
#: Words that a parenthesis may follow, and that call nothing.
_WORDS = frozenset({
    "all", "and", "any", "by", "case", "char", "character", "dec", "decimal", "distinct", "div",
    "else", "end", "escape", "from", "in", "is", "like", "ilike", "not", "numeric", "on", "or",
    "regexp", "rlike", "some", "then", "timestamp", "varchar", "when", "xor",
})  # fmt: skip
#: Words that stand for a query, for a program (``USING``), for the time, or for who asks.
_REFUSED = frozenset({
    "select", "values", "table", "with", "lateral", "using", "reduce", "over", "current_date",
    "current_time", "current_timestamp", "current_user", "current_catalog", "current_database",
    "current_schema", "localtimestamp", "localtime", "user", "session_user",
})  # fmt: skip
_CALLED = SAFE_FUNCTIONS | _WORDS
#: Characters of a part that a message shows.
_SHOWN = 20
_TOKEN = re.compile(
    r"""(?:
        (?P<text>[rR](?:'[^']*'|"[^"]*")|'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")
      | (?P<quoted>`(?:[^`]|``)*`)
      | (?P<word>[^\W\d]\w*)
      | (?P<number>\d[\w.]*|\.\d\w*)
      | (?P<sign><=>|->|=>|::|\|\||<>|!=|<=|>=|==|[-+*/%&|^~!<>=(),.:\[\]])
    )""",
    re.VERBOSE | re.DOTALL,
)


def is_safe_mode() -> bool:
    """Tell whether whoever started the process trusts no configuration."""
    return os.environ.get(SAFE_MODE, "") not in ("", "0")


def unsafe_findings(predicate: str | None, settings: Mapping[str, str]) -> list[str]:
    """Find what a configuration may not hold in the safe mode.

    Parameters
    ----------
    predicate : str or None
        ``input.where``.
    settings : mapping
        Section ``spark``: jars, options of Java and plugins among them.

    Returns
    -------
    list of str
    """
    findings = []
    part = None if predicate is None else unsafe_part(predicate)
    if part is not None:
        findings.append(
            f"input.where: {part!r} is not allowed where {SAFE_MODE} is set: columns, literals, "
            "operators and Spark's deterministic functions are; put backquotes around a column of "
            "such a name"
        )
    if settings:
        findings.append(
            f"spark: {next(iter(settings))} is not allowed where {SAFE_MODE} is set; settings of "
            "Spark come by --properties-file then"
        )
    return findings


def unsafe_part(predicate: str) -> str | None:
    """Find what a predicate may not hold in the safe mode.

    Parameters
    ----------
    predicate : str
        Of ``input.where``.

    Returns
    -------
    str or None
        The first such part, as it stands there.
    """
    kinds, texts, place = [""], [""], 0
    while rest := predicate[place:].lstrip():
        place = len(predicate) - len(rest)
        match = _TOKEN.match(predicate, place)
        # a comment could hide where a text begins, and a pipe leads into a query
        if match is None or rest.startswith(("--", "/*", "|>")):
            return rest[:_SHOWN]
        place = match.end()
        kinds.append(match.lastgroup or "")
        texts.append(match[0])
        # Spark before 3.4 knows no raw texts, and takes the last quote of this one as part of it
        if match["text"] and match[0][0] in "rR" and match[0].endswith(("\\'", '\\"')):
            return match[0][-_SHOWN:]
    kinds.append("")
    texts.append("")
    for i in range(1, len(texts) - 1):
        before, text, follows = texts[i - 1 : i + 2]
        # Spark reads letter by letter in capitals, and that of the long s is S
        word, is_word = text.upper().lower(), kinds[i] == "word"
        if is_word and "." not in (before, follows) and word in _REFUSED:
            return text
        if is_word and word == "from" and before == "(":
            return f"({text}"
        if follows != "(" or kinds[i] == "sign":
            continue
        if not is_word or before == "." or word not in _CALLED:
            return f"{text}("
    return None
