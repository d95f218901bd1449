"""``sparkclean init``: a commented configuration for a table, of what its columns seem to mean."""

from __future__ import annotations

import argparse
import logging
import shlex
from pathlib import Path

from sparkclean.commands.flags import read_columns
from sparkclean.commands.terminal import say
from sparkclean.commands.versions import session_for
from sparkclean.errors import ConfigError

_log = logging.getLogger("sparkclean")


def add_init_flags(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``init``.

    Parameters
    ----------
    parser : ArgumentParser
    """
    parser.add_argument(
        "table", help="Parquet file or folder, Delta or Iceberg table, or name in a catalog"
    )
    parser.add_argument("--id", type=read_columns, metavar="COLUMN[,...]", help="record id")
    parser.add_argument("--label", metavar="COLUMN", help="given label")
    text = "probabilities: a column, or one for each class"
    parser.add_argument("--pred-probs", type=read_columns, metavar="COLUMN[,...]", help=text)
    text = "feature columns of the model, where the table has no probabilities"
    parser.add_argument("--features", type=read_columns, metavar="COLUMN[,...]", help=text)
    parser.add_argument(
        "--to", default="audit.yaml", metavar="FILE", help="file to write (default audit.yaml)"
    )
    parser.add_argument("--force", action="store_true", help="replace the file if it exists")


def init(args: argparse.Namespace) -> None:
    """Write the configuration; say what was guessed, what is open, and what to type next.

    Parameters
    ----------
    args : Namespace
        Of `add_init_flags`.

    Raises
    ------
    ConfigError
        If the file exists or cannot be written.
    InputError
        If the table cannot be read, or lacks a column that is given.
    """
    from sparkclean.commands.guess import Given, guess_columns  # noqa: PLC0415 (imports pyarrow)
    from sparkclean.config.template import config_template  # noqa: PLC0415 (pydantic)

    path = Path(args.to)
    if path.exists() and not args.force:
        raise ConfigError(f"{path} exists; choose another --to, or --force to replace it")
    features = [args.features] if isinstance(args.features, str) else args.features
    given = Given(args.id, args.label, args.pred_probs, features=features)
    with session_for(args, args.table) as spark:
        guess = guess_columns(args.table, spark, given)
    options = guess.options()
    if args.id is not None:
        options["id"] = args.id
    text = config_template(table=args.table, **options, comments=guess.comments, command=guess.job)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"--to {path}: cannot be written: {exc.strerror}") from exc
    for key, reason in guess.reasons.items():
        _log.info("%s: %s (%s)", key, guess.shown(key, "none"), reason)
    if guess.job == "run" and guess.features and features is None:
        _log.info("features: %s (all numbers and texts)", ", ".join(guess.features))
    for key, remark in guess.comments.items():
        _log.warning("%s: %s", key, remark)
    settings = (
        f" --properties-file {shlex.quote(args.properties_file)}" if args.properties_file else ""
    )
    say(
        f"wrote {path}; check it, then: sparkclean {guess.job} --config "
        f"{shlex.quote(str(path))} --dry-run{settings}"
    )
