"""Completion of the command line by a shell, made of the parser: commands, flags, choices."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

#: What people are shown in the place of a value that is a path.
_PATHS: Final = ("FILE", "FOLDER", "TABLE", "TARGET")


@dataclass(frozen=True)
class Flag:
    """A flag of a command.

    Attributes
    ----------
    names : tuple of str
    help : str
    takes_value, takes_path : bool
    choices : tuple of str
    """

    names: tuple[str, ...]
    help: str
    takes_value: bool
    takes_path: bool
    choices: tuple[str, ...]


@dataclass(frozen=True)
class Words:
    """What can stand behind the name of a command.

    Attributes
    ----------
    help : str
    flags : tuple of Flag
    places : tuple of Flag
        What stands there without a flag, without names.
    """

    help: str
    flags: tuple[Flag, ...]
    places: tuple[Flag, ...]


def words_of(parser: argparse.ArgumentParser) -> dict[str, Words]:
    """Read the commands and their flags from a parser.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        With subcommands.

    Returns
    -------
    dict
        By command.
    """
    (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    helps = {action.dest: action.help or "" for action in commands._choices_actions}
    found = {}
    for name, command in commands.choices.items():
        actions = list(command._actions)
        for group in actions:
            if isinstance(group, argparse._SubParsersAction):  # the flags of all behind it
                actions += [a for inner in group.choices.values() for a in inner._actions]
        flags = list(dict.fromkeys(_flag_of(action) for action in actions))
        found[name] = Words(
            helps.get(name, ""),
            tuple(flag for flag in flags if flag.names),
            tuple(flag for flag in flags if not flag.names),
        )
    return found


def _flag_of(action: argparse.Action) -> Flag:
    shown = str(action.metavar or action.dest).upper()
    takes_value = action.nargs != 0
    choices = tuple(map(str, action.choices or ()))
    return Flag(
        tuple(action.option_strings),
        (action.help or "").replace("%%", "%"),
        takes_value,
        takes_value and not choices and shown in _PATHS,
        choices,
    )


def completion_script(shell: str, parser: argparse.ArgumentParser) -> str:
    """Write what a shell is to read so that it completes the command.

    Parameters
    ----------
    shell : {"bash", "zsh", "fish"}
    parser : argparse.ArgumentParser

    Returns
    -------
    str
    """
    return "\n".join(SHELLS[shell](words_of(parser), parser.prog))


# -- bash ----------------------------------------------------------------------------------------


def _bash(commands: Mapping[str, Words], prog: str) -> Iterator[str]:
    name = f"_{prog}"
    yield f'# bash: eval "$({prog} completion bash)", in ~/.bashrc'
    yield f"{name}() {{"
    yield '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" words=""'
    yield "  COMPREPLY=()"
    yield '  if [ "$COMP_CWORD" -eq 1 ]; then'
    yield f"    words={shlex.quote(' '.join(commands))}"
    yield "  else"
    # where nothing is found bash completes the names of files
    yield '    case "${COMP_WORDS[1]} $before" in'
    for command, words in commands.items():
        for flag in words.flags:
            if flag.takes_value:
                cases = " | ".join(shlex.quote(f"{command} {n}") for n in flag.names)
                yield f"      {cases}) words={shlex.quote(' '.join(flag.choices))} ;;"
    yield '      *) case "${COMP_WORDS[1]}$word" in'
    for command, words in commands.items():
        names = " ".join(n for flag in words.flags for n in flag.names)
        yield f"        {shlex.quote(command)}-*) words={shlex.quote(names)} ;;"
        places = " ".join(choice for place in words.places for choice in place.choices)
        if places:
            yield f"        {shlex.quote(command)}*) words={shlex.quote(places)} ;;"
    yield "      esac ;;"
    yield "    esac"
    yield "  fi"
    yield '  COMPREPLY=($(compgen -W "$words" -- "$word"))'
    yield "}"
    yield f"complete -o default -F {name} {prog}"


# -- zsh -----------------------------------------------------------------------------------------


def _zsh(commands: Mapping[str, Words], prog: str) -> Iterator[str]:
    name = f"_{prog}"
    yield f"#compdef {prog}"
    yield f'# zsh: eval "$({prog} completion zsh)", in ~/.zshrc behind compinit'
    yield f"{name}() {{"
    yield "  local -a commands"
    yield "  commands=("
    for command, words in commands.items():
        yield f"    {shlex.quote(f'{command}:{words.help}')}"
    yield "  )"
    yield "  if (( CURRENT == 2 )); then _describe command commands; return; fi"
    yield "  local command=$words[2]"
    yield "  shift words; (( CURRENT-- ))"
    yield "  case $command in"
    for command, words in commands.items():
        specs = [f"{n}[{_for_zsh(f.help)}]{_zsh_value(f)}" for f in words.flags for n in f.names]
        specs += [f"{number}{_zsh_value(place)}" for number, place in enumerate(words.places, 1)]
        yield f"    {command}) _arguments {' '.join(map(shlex.quote, specs))} ;;"
    yield "  esac"
    yield "}"
    yield f"compdef {name} {prog}"


def _for_zsh(text: str) -> str:
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")


def _zsh_value(flag: Flag) -> str:
    if not flag.takes_value:
        return ""
    return f":value:({' '.join(flag.choices)})" if flag.choices else ":value:_files"


# -- fish ----------------------------------------------------------------------------------------


def _fish(commands: Mapping[str, Words], prog: str) -> Iterator[str]:
    yield f"# fish: {prog} completion fish > ~/.config/fish/completions/{prog}.fish"
    for command, words in commands.items():
        yield (
            f"complete -c {prog} -f -n __fish_use_subcommand -a {command} "
            f"-d {_for_fish(words.help)}"
        )
        seen = f"-n '__fish_seen_subcommand_from {command}'"
        for flag in words.flags:
            names = " ".join(
                f"-l {n[2:]}" if n.startswith("--") else f"-s {n[1:]}" for n in flag.names
            )
            value = ""
            if flag.choices:
                value = f" -x -a {_for_fish(' '.join(flag.choices))}"
            elif flag.takes_value:
                value = " -r -F" if flag.takes_path else " -x"
            yield f"complete -c {prog} {seen} {names}{value} -d {_for_fish(flag.help)}"
        for place in words.places:
            if place.choices:
                yield f"complete -c {prog} -f {seen} -a {_for_fish(' '.join(place.choices))}"


def _for_fish(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


#: What writes the script of each shell.
SHELLS: Final[Mapping[str, Callable[[Mapping[str, Words], str], Iterator[str]]]] = {
    "bash": _bash,
    "zsh": _zsh,
    "fish": _fish,
}
