"""The reference of commands, of the parser of arguments."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

from in_markdown import code, fence, sentence, table

from sparkclean.commands.main import _parser

#: Characters of a line of a usage.
_WIDTH = 86


def generate() -> str:
    """Write the part of the page that follows from the code.

    Returns
    -------
    str
        Markdown: every command, with its usage and flags.
    """
    commands = all_commands()
    described = [
        (f"[`{name}`](#{_anchor(name)})", sentence(parser.description or ""))
        for name, parser in commands.items()
    ]
    lines = table(("command", "what it does"), described)
    for name, parser in commands.items():
        lines += _command(name, parser)
    return "\n".join(lines)


def all_commands() -> dict[str, argparse.ArgumentParser]:
    """Give the parser of every command, by name."""
    return dict(_commands(_parser(), ""))


def _commands(
    parser: argparse.ArgumentParser, before: str
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Give the commands behind a parser; of a group those that stand behind it."""
    groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    for group in groups:
        for name, command in group.choices.items():
            yield from _commands(command, f"{before}{name} ")
    if not groups:
        yield before.strip(), parser


def _anchor(name: str) -> str:
    return name.replace(" ", "-")


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
    yield from (f"## `sparkclean {name}` {{#{_anchor(name)}}}", "")
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
    kind = parser.formatter_class
    parser.formatter_class = lambda prog: kind(prog, width=_WIDTH)
    return re.sub(r"^usage: ", "", parser.format_usage()).replace("\n" + " " * 7, "\n")


def _help(action: argparse.Action) -> str:
    text = action.help
    if text is None:
        raise KeyError(f"{action.option_strings or action.dest}: has no help")
    if action.default is not None:
        text = text.replace("%(default)s", str(action.default))
    return sentence(text.replace("%%", "%"))
