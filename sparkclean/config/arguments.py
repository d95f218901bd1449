"""Errors of a call in Python: they name its arguments, not keys of a configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sparkclean.errors import ConfigError, InputError

#: Sections whose keys are arguments.
_SECTIONS = "columns|method|admission|predict|clean"
#: What only a configuration can do, and what to do instead.
_PHRASES = {
    "the table is empty (0 rows to audit); check input.table, input.version and input.where": (
        "the DataFrame is empty (0 rows to audit)"
    ),
    "set classes to the list of labels, in the order of the probabilities, or to a file with that "
    "list": (
        "pass classes=[...], the labels in the order of the probabilities. sparkclean.predict puts "
        "them in sorted order, and a DataFrame of it carries them beside pred_probs"
    ),
    "out with input.where": "out of the DataFrame",
    "(cast it to one of them, or give a list of columns)": "(cast it, or give a list of columns)",
    "choose a folder that driver and executors share": (
        "pass work=, a folder that driver and executors share"
    ),
    "unknown key": "unknown argument",
}
_NUMBER = r"-?\d+(?:\.\d+)?(?:e-?\d+)?(?![\w,.%])(?! (?:\w|of\b))"
_VALUE = rf"null|true|false|\[\]|'[^'\n]*'|\"[^\"\n]*\"|{_NUMBER}"
_WORDS = {"null": "None", "true": "True", "false": "False"}
#: At the start of a finding comes a key, then a value or what is wrong with it.
_START = re.compile(rf"^(?:(?:{_SECTIONS})\.(\w+)|(classes)): (?:({_VALUE})(?=[\s,;:]|$))?")
#: Further on comes a key with its value, or a key alone.
_SETTING = re.compile(rf"\b(?:{_SECTIONS})\.([a-z]\w*): ({_VALUE}|[a-z][\w-]*)")
_KEY = re.compile(rf"\b(?:{_SECTIONS})\.(?=[a-z])(\w+)")


def words_of_arguments(text: str) -> str:
    """Name the arguments of a call in a text that names keys of a configuration.

    Parameters
    ----------
    text : str
        A finding of a `ConfigError` or `InputError`, or a warning.

    Returns
    -------
    str

    Examples
    --------
    >>> words_of_arguments("columns.label: column 'x' is double")
    "label=: column 'x' is double"
    >>> words_of_arguments("2 classes are too small; set predict.rare_classes: exclude")
    "2 classes are too small; set rare_classes='exclude'"
    """
    for phrase, instead in _PHRASES.items():
        text = text.replace(phrase, instead)
    start, end = "", 0
    if (found := _START.match(text)) is not None:
        name, end = found[1] or found[2], found.end()
        start = f"{name}=: " if found[3] is None else f"{name}={_in_python(found[3])}"
    elif text.startswith("columns: "):  # columns that are named twice: the text says which
        end = len("columns: ")
    rest = _SETTING.sub(lambda m: f"{m[1]}={_in_python(m[2])}", text[end:])
    return start + _KEY.sub(r"\1=", rest)


def _in_python(value: str) -> str:
    """Write a value of YAML as Python has it."""
    if value in _WORDS:
        return _WORDS[value]
    return repr(value) if value[0].isalpha() else value


@contextmanager
def in_words_of_arguments() -> Iterator[None]:
    """Name arguments of the call in errors that come of it.

    Raises
    ------
    ConfigError, InputError
        As they were raised, in the words of `words_of_arguments`.
    """
    try:
        yield
    except (ConfigError, InputError) as exc:
        raise type(exc)([words_of_arguments(text) for text in exc.findings]) from exc.__cause__
