"""Texts that are shown or kept: what moves a cursor is escaped, and secrets are left out.

Imports nothing of the project. Every message, table and line of the log goes through `printable`
or `printable_lines`; what is kept of a configuration goes through `redact_config`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

#: What stands for a secret: Spark's own words.
REDACTED = "*********(redacted)"
#: Setting by which Spark is told what a secret is.
_SETTING = "spark.redaction.regex"
#: What a secret is by Spark's default, and by us: Spark's list lacks the keys of Azure and others.
_SECRET = re.compile(
    r"(?i)secret|passw|pwd|passphrase|token|credential|private|signature|[./]sas[./]"
    r"|(?:access|account|api|encryption|shared)[._-]?key"
)
#: Names of parameters that are secrets; ``token_pattern`` is none.
_SECRET_NAME = re.compile(
    r"(?i)(?:.*[._-])?(?:secret|password|passwd|passphrase|token|credentials?|(?:access|api)_?key)"
)
#: Name and password before a host.
_USER = re.compile(r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)")
#: A shorter value would be found in words that have nothing to do with it.
_SHORTEST = 4

_known: set[str] = set()


def printable(value: object) -> str:
    """Write a value so that nothing in it moves the cursor, or forges a line.

    Parameters
    ----------
    value : object
        None is the empty text.

    Returns
    -------
    str
        One line; characters that are not printable are escaped as in Python, those that turn the
        direction of writing among them. Secrets that are known are left out.
    """
    text = "" if value is None else hide_secrets(str(value))
    return text if text.isprintable() else "".join(map(_escaped, text))


def printable_lines(value: object) -> str:
    """Write a value of several lines, each as `printable` does."""
    return "\n".join(map(printable, hide_secrets(str(value)).split("\n")))


def _escaped(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]


# -- errors --------------------------------------------------------------------------------------

#: The last exception of a Python worker: what stands below the lines of its traceback.
_PYTHON = re.compile(
    r"Traceback \(most recent call last\):\n(?:[ \t]+.*\n|\n)*"
    r"(?P<said>\S.*(?:\n(?!\s*at |\s*\n|Caused by|Traceback).+)*)"
)
#: A cause in a stack trace of Java, up to the lines that say where.
_CAUSED_BY = re.compile(r"^Caused by: (?P<said>.+(?:\n(?!\s*at |\s*\.\.\. |Caused by).*)*)", re.M)
_TRACE = re.compile(r"\n\s+at [\w.$<>/]+\(|\n+JVM stacktrace:|\n+Driver stacktrace:")
_CALLING = re.compile(r"^An error occurred while calling \S+\.\n: ")
_PACKAGES = re.compile(r"^(?:[a-z_][\w$]*\.)+(?=[A-Z])")
#: Characters of a cause that are shown.
_LONGEST_CAUSE = 1000


def cause_of(exc: BaseException) -> str:
    """Say what an error comes of, in the words of its innermost cause.

    Parameters
    ----------
    exc : BaseException
        Of Python, Java or Spark. What Spark raises wraps errors of its tasks and of Java, with
        their stack traces, into its text.

    Returns
    -------
    str
        One line: the kind of the error and its message.
    """
    text = str(exc)
    inner = [*_PYTHON.finditer(text)] or [*_CAUSED_BY.finditer(text)]
    if inner:
        said = inner[-1]["said"]
    else:
        said = _CALLING.sub("", text)
        if said == text:
            said = f"{type(exc).__name__}: {text.strip() or 'no message'}"
    said = " ".join(_TRACE.split(said, maxsplit=1)[0].split())
    said = _PACKAGES.sub("", said)
    return said if len(said) <= _LONGEST_CAUSE else f"{said[:_LONGEST_CAUSE]}..."


# -- secrets -------------------------------------------------------------------------------------


def is_secret(key: str, value: object = "", pattern: str | None = None) -> bool:
    """Tell whether a setting of Spark is a secret, by its key or by what its value says.

    Parameters
    ----------
    key : str
    value : object
        Spark looks at it, too: options of Java may set a password.
    pattern : str, optional
        ``spark.redaction.regex``, which is looked for besides our own list.

    Returns
    -------
    bool
    """
    texts = (key, str(value))
    if any(_SECRET.search(text) for text in texts) or _USER.search(texts[1]):
        return True
    try:
        return pattern is not None and any(re.search(pattern, text) for text in texts)
    except re.error:  # Java knows more than Python
        return True


def remember_secrets(settings: Any) -> None:
    """Remember the values that are secrets in settings of Spark, so that no message shows one.

    Parameters
    ----------
    settings : mapping
        Of Spark, as far as they are known; anything else is ignored.
    """
    if not isinstance(settings, Mapping):
        return
    for value in _secrets(settings):
        if len(value) >= _SHORTEST:
            _known.update((value, repr(value)[1:-1]))


def _secrets(settings: Mapping[Any, Any]) -> Iterable[str]:
    pattern = settings.get(_SETTING)
    for key, value in settings.items():
        if isinstance(value, str | int) and is_secret(str(key), value, pattern):
            yield str(value)


def hide_secrets(text: str) -> str:
    """Leave out the secrets that are known, and passwords before a host."""
    for value in sorted(_known, key=len, reverse=True):
        text = text.replace(value, REDACTED)
    return _USER.sub(REDACTED, text) if "://" in text else text


def redact_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Leave the secrets out of a configuration that is kept or shown.

    Parameters
    ----------
    config : mapping
        Sections by name, as JSON has them.

    Returns
    -------
    dict
    """
    kept = {key: _redact(value) for key, value in config.items()}
    settings = config.get("spark")
    if isinstance(settings, Mapping):
        pattern = settings.get(_SETTING)
        kept["spark"] = {
            key: REDACTED if is_secret(key, value, pattern) else value
            for key, value in settings.items()
        }
    return kept


def redact_config_text(text: str | None) -> str | None:
    """Leave the secrets out of a configuration in JSON, as a run record of before may hold them."""
    try:
        config = json.loads(text or "")
    except ValueError:
        return text
    if not isinstance(config, dict):
        return text
    return json.dumps(redact_config(config), ensure_ascii=False)


def redact_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Leave the secrets out of the parameters of a classifier."""
    return {
        key: REDACTED if _SECRET_NAME.fullmatch(str(key)) else _redact(value)
        for key, value in params.items()
    }


def _redact(value: Any) -> Any:
    if isinstance(value, Mapping):
        return redact_params(value)
    if isinstance(value, list | tuple):
        return [_redact(inner) for inner in value]
    return hide_secrets(value) if isinstance(value, str) else value
