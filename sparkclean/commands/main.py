"""The command line: arguments, logging, session, exit codes. It alone knows all rooms."""

from __future__ import annotations

import argparse
import difflib
import importlib
import json
import logging
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from sparkclean import registry
from sparkclean.commands.card import add_card_arguments, card
from sparkclean.commands.compare import add_compare_arguments, compare
from sparkclean.commands.completion import SHELLS, completion_script
from sparkclean.commands.flags import add_flags, config_text, load_flagged
from sparkclean.commands.init import add_init_flags, init
from sparkclean.commands.jobs import new_run_id, open_jobs
from sparkclean.commands.log import configure_logging, name_run
from sparkclean.commands.output import unfailing_output
from sparkclean.commands.report import add_arguments as add_report_arguments
from sparkclean.commands.report import report
from sparkclean.commands.show import add_arguments as add_show_arguments
from sparkclean.commands.show import show
from sparkclean.commands.terminal import print_report, say
from sparkclean.commands.versions import (
    check_version,
    clean_up,
    revert,
    versions,
    void,
)
from sparkclean.errors import ConfigError, InputError, SparkCleanError
from sparkclean.rows.interrupts import interrupt_behind, outcome_of, raising_interrupts
from sparkclean.rows.live import phase_listener
from sparkclean.rows.session import read_properties
from sparkclean.texts import cause_of, printable
from sparkclean.version import __version__

_log = logging.getLogger("sparkclean")

_ABORTED = "nothing of this run counts until it is repeated with --run-id {}"

_EXAMPLES = {
    "run": "sparkclean run data/reviews.parquet --label label --features text,stars",
    "init": "sparkclean init data/examples --to audit.yaml",
    "versions": "sparkclean versions out/examples/cleaned",
    "show": "sparkclean show out/examples/suspects -n 20",
    "card": "sparkclean card out/examples/cleaned -o out/examples/card",
    "report": "sparkclean report out/examples/runs --run-id nightly-2026-11-24 -o report.html",
    "revert": "sparkclean revert out/examples/cleaned --to 3",
    "void": 'sparkclean void out/examples/runs nightly-2026-11-24 --why "labels of another day"',
    "check-version": "sparkclean check-version out/examples/cleaned --version nightly-2026-11-24",
    "clean-up": "sparkclean clean-up out/examples/cleaned --keep 5 --older-than 30d --yes",
    "schema": "sparkclean schema > audit.schema.json",
    "completion": 'eval "$(sparkclean completion bash)"',
}

#: Commands that only have further ones behind them.
_GROUPS = {"review": "ask people, keep what they decide, and count wrong labels"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process by default.

    Returns
    -------
    int
        Exit code: 0 done; 1 error; 2 configuration or usage; 3 input; 4 gate; 5 conflict, retry is
        safe; 6 commit state unknown; 130 interrupted, 143 terminated, before all was published.
    """
    with unfailing_output():
        args = _parse(argv)
        configure_logging(args.log_format, debug=args.debug)
        try:
            with raising_interrupts():
                _check_driver_packages()
                _check_arguments(sys.argv[1:] if argv is None else argv)
                command: Callable[[argparse.Namespace], None] = args.command
                command(args)
        except (Exception, KeyboardInterrupt, SystemExit) as exc:  # noqa: BLE001 (one line, no stack trace)
            interrupt = interrupt_behind(exc)
            if interrupt is not None:
                word, code = outcome_of(interrupt)
                said = _ABORTED.format(shlex.quote(args.run_id)) if _is_job(args) else ""
                _log.error("%s%s", word, said and f"; {said}")
                return code
            return _fail(args, exc, exc.exit_code if isinstance(exc, SparkCleanError) else 1)
    return 0


def _is_job(args: argparse.Namespace) -> bool:
    """Tell whether a run was going, whose id is known by now."""
    return hasattr(args, "job") and args.run_id is not None


def _fail(args: argparse.Namespace, exc: BaseException, code: int) -> int:
    if args.debug:
        _log.exception("failed", exc_info=exc)
    texts: Sequence[str] = (f"{cause_of(exc)} (--debug shows more)",)
    if isinstance(exc, ConfigError | InputError):
        texts = exc.findings
    elif isinstance(exc, SparkCleanError):
        texts = (str(exc),)
    # by the class a scheduler tells the two meanings of code 5
    fields = {"event": "error", "error": type(exc).__name__, "exit_code": code}
    for text in texts:  # a line each, whatever a name in it holds
        _log.error("%s", text, extra=fields)
    return code


def _check_arguments(argv: Sequence[str]) -> None:
    for word in argv:
        try:
            word.encode()
        except UnicodeEncodeError as exc:  # as the system has handed it over
            raise ConfigError(
                f"{word}: is not UTF-8; Spark needs UTF-8 names and paths; rename it"
            ) from exc


def _check_driver_packages() -> None:
    missing = []
    for module, package in (("pydantic", "pydantic"), ("yaml", "PyYAML")):
        try:
            importlib.import_module(module)
        except ImportError:
            missing.append(package)
    if missing:
        raise ConfigError(
            f"the driver lacks {' and '.join(missing)}: a bare --py-files zip brings sparkclean "
            "alone. Install them where the driver runs (pip install "
            f"{' '.join(missing)}), or ship an environment: --archives env.tar.gz#environment "
            "with PYSPARK_PYTHON=./environment/bin/python (docs/platforms/cluster.md)"
        )


# -- commands ----------------------------------------------------------------------------------


def _job(args: argparse.Namespace) -> None:
    """Run a job, or a sequence of jobs."""
    config, settings_given = load_flagged(args)
    if args.print_config:
        print(config_text(settings_given), end="")
        return
    run_id = args.run_id = args.run_id or new_run_id()
    name_run(run_id)
    settings = read_properties(args.properties_file)
    listener = phase_listener(args.log_format)
    opened = open_jobs(
        config,
        run_id,
        settings=settings,
        debug=args.debug,
        listener=listener,
        job=args.job,
        dry_run=args.dry_run,
        beside=None if args.config is None else Path(args.config).parent,
    )
    with opened as jobs:
        for number, result in enumerate(jobs.run(args.job, dry_run=args.dry_run)):
            if number and args.dry_run:  # plans stand apart
                say("")
            print_report(result.report)


def _schema(_: argparse.Namespace) -> None:
    from sparkclean.config.model import config_json_schema  # noqa: PLC0415

    print(json.dumps(config_json_schema(), indent=2))


def _completion(args: argparse.Namespace) -> None:
    print(completion_script(args.shell, _parser()))


# -- arguments ---------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the arguments; of one that is unknown, say which was perhaps meant."""
    args, unknown = _parser().parse_known_args(argv)
    if unknown:
        parser: argparse.ArgumentParser = args.parser
        flags = [flag for action in parser._actions for flag in action.option_strings]
        near = difflib.get_close_matches(unknown[0].partition("=")[0], flags, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
    return args


def _add_jobs(commands: Any) -> None:
    """Add a command for each job, and for sequences of jobs."""
    helps = {name: entry.help for name, entry in registry.JOBS.items()}
    helps["run"] = "predict a table out of sample, then audit it with these predictions"
    groups: dict[str, Any] = {}
    compared = helps.pop("compare")
    for name, text in helps.items():
        words = registry.JOBS[name].command.split() if name in registry.JOBS else []
        if words:  # commands of one group stand behind its name
            group, word = words
            if group not in groups:
                groups[group] = _group(commands, group)
            job = _command(groups[group], word, _job, text, name)
        else:
            job = _command(commands, name, _job, text)
        job.set_defaults(job=name)
        add_flags(job, name)
        job.add_argument(
            "--run-id", help="id of the run; repeat a run with the same id (default: a new one)"
        )
        job.add_argument(
            "--dry-run", action="store_true", help="check, show the plan, write nothing"
        )

    job = _command(commands, "compare", compare, compared)
    job.set_defaults(job="compare")
    add_compare_arguments(job)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="sparkclean",
        description="Find, measure and remove wrong labels in data lakes.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"sparkclean {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    _add_jobs(commands)

    add_init_flags(_command(commands, "init", init, "write a commented configuration for a table"))

    listed = _command(commands, "versions", versions, "list the versions of an output")
    listed.add_argument("target", help="path or name of an output")
    listed.add_argument(
        "-n", type=_rows, default=20, help="number of versions, newest first (default 20)"
    )

    shown = _command(commands, "show", show, "print the first rows of an output")
    add_show_arguments(shown)
    shown.add_argument("-n", type=_rows, default=20, help="number of rows (default 20)")

    add_card_arguments(
        _command(commands, "card", card, "write a dataset card and Croissant metadata of a version")
    )
    reported = _command(commands, "report", report, "write a page about a run, or about all runs")
    add_report_arguments(reported)

    reverted = _command(commands, "revert", revert, "make an older version current again")
    reverted.add_argument("target", help="path or name of an output")
    reverted.add_argument(
        "--to", required=True, metavar="V", help="version to make current: name, number or run id"
    )

    voided = _command(commands, "void", void, "mark a run void, so that it counts for nothing")
    voided.add_argument("target", metavar="runs", help="path or name of the run records")
    voided.add_argument("run_id", metavar="run_id", help="run id, as it was given")
    voided.add_argument("--why", required=True, metavar="TEXT", help="why it is void")
    voided.add_argument(
        "--job", metavar="JOB", help="job of the run (default: all jobs of this run id)"
    )

    check = _command(
        commands,
        "check-version",
        check_version,
        "check that the files of a version are those that were published",
    )
    check.add_argument("target", help="path or name of an output")
    check.add_argument(
        "--version", metavar="V", help="name, number or run id (default: the current version)"
    )

    cleaned = _command(
        commands, "clean-up", clean_up, "remove files that dead runs left; retire old versions"
    )
    cleaned.add_argument("target", help="path or name of an output, or the folder of models")
    cleaned.add_argument("--run-id", help="remove the models of this run")
    cleaned.add_argument(
        "--keep",
        type=int,
        metavar="N",
        help="keep the N newest versions, or models; retire the others",
    )
    cleaned.add_argument(
        "--older-than",
        type=_age,
        metavar="AGE",
        help="only files and versions older than this: 12h, 30d",
    )
    cleaned.add_argument("--yes", action="store_true", help="do not ask before removing")

    _command(commands, "schema", _schema, "print the JSON schema of the configuration")

    completed = _command(
        commands, "completion", _completion, "print the completion script of a shell"
    )
    completed.add_argument("shell", choices=tuple(SHELLS), help="shell that you use")
    return parser


def _group(commands: Any, name: str) -> Any:
    """Add a command that only has further ones behind it."""
    text = _GROUPS[name]
    parser = commands.add_parser(
        name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False
    )
    return parser.add_subparsers(required=True, metavar="COMMAND")


def _command(
    commands: Any,
    name: str,
    run: Callable[[argparse.Namespace], None],
    text: str,
    job: str | None = None,
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=f"example:\n  {_example(job or name)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # else the --conf of spark-submit would be taken for --config
    )
    parser.set_defaults(command=run, parser=parser)
    if name not in ("schema", "completion"):
        parser.add_argument(
            "--properties-file",
            metavar="FILE",
            help="Spark settings of the session that the command creates, as for spark-submit",
        )
    parser.add_argument(
        "--log-format",
        choices=("text", "json"),
        default="text",
        help="format of the log on standard error (default text)",
    )
    parser.add_argument("--debug", action="store_true", help="show stack traces")
    return parser


def _example(name: str) -> str:
    """Show how a command is called."""
    if name in _EXAMPLES:
        return _EXAMPLES[name]
    entry = registry.JOBS[name]
    return f'sparkclean {entry.command or name} {entry.example} --run-id "{{{{ run_id }}}}"'


def _rows(text: str) -> int:
    """Read a number of rows."""
    if not (text.isascii() and text.isdigit()) or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of rows; write 1 or more")
    return int(text)


def _age(text: str) -> float:
    """Read an age: 90s, 30m, 12h, 30d."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
    if not text or text[-1] not in units or not text[:-1].replace(".", "", 1).isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not an age; write 12h or 30d")
    return float(text[:-1]) * units[text[-1]]
