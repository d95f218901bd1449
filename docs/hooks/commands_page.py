"""The reference of commands, of the parser of arguments."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator

from in_markdown import code, fence, sentence, table

from sparkclean.commands.main import _parser


def generate() -> str:
    """Write the part of the page that follows from the code.

    Returns
    -------
    str
        Markdown: every command, with its usage and flags.
    """
    commands = all_commands()
    described = [
        (f"[`{name}`](#{name})", sentence(parser.description or ""))
        for name, parser in commands.items()
    ]
    lines = table(("command", "what it does"), described)
    for name, parser in commands.items():
        lines += _command(name, parser)
    return "\n".join(lines)


def all_commands() -> dict[str, argparse.ArgumentParser]:
    """Give the parser of every command, by name."""
    (commands,) = (
        action for action in _parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    return dict(commands.choices)


def flags_of(parser: argparse.ArgumentParser) -> Iterator[tuple[argparse.Action, str]]:
    """Give the arguments of a command and how each is written, in the order of its help."""
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        value = _value_of(action)
        if not action.option_strings:
            yield action, value
        else:
            yield action, f"{', '.join(action.option_strings)} {value}".strip()


def _value_of(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if action.choices is not None and action.metavar is None:
        return "{" + ",".join(map(str, action.choices)) + "}"
    default = action.dest if not action.option_strings else action.dest.upper()
    return str(action.metavar or default).replace("_", "-")


def _command(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    yield from (f"## `sparkclean {name}` {{#{name}}}", "")
    yield from (sentence(parser.description or ""), "")
    yield from fence("console", _usage(parser))
    arguments = list(flags_of(parser))
    positional = [(a, text) for a, text in arguments if not a.option_strings]
    if positional:
        yield from table(("argument", "meaning"), [(code(t), _help(a)) for a, t in positional])
    flags = [(a, text) for a, text in arguments if a.option_strings]
    if flags:
        yield from table(("flag", "meaning"), [(code(t), _help(a)) for a, t in flags])
    _, _, example = (parser.epilog or "").partition("example:")
    if example:
        yield from ("Example:", "", *fence("console", example.strip()))


def _usage(parser: argparse.ArgumentParser) -> str:
    width = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "88"  # argparse wraps by it
    try:
        usage = parser.format_usage()
    finally:
        if width is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = width
    return re.sub(r"^usage: ", "", usage).replace("\n" + " " * 7, "\n")


#: Of arguments whose help says nothing, as the usage says it already.
_PLAIN = {
    "log_format": "`text`: a log for people, the default; `json`: for machines",
    "target": "location of an output: path, URI, or name in a catalog",
    "shell": "shell that the script is for",
    "to": "file to write; the default is `audit.yaml`",
    "table": "table to look at",
}


def _help(action: argparse.Action) -> str:
    text = action.help or _PLAIN.get(action.dest)
    if text is None:
        raise KeyError(f"{action.option_strings or action.dest}: has no help")
    if action.default is not None:
        text = text.replace("%(default)s", str(action.default))
    return sentence(text.replace("%%", "%"))
