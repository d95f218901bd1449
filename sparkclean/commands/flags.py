"""Jobs in one line: flags for the most used settings, and guesses for what is left out."""

from __future__ import annotations

import argparse
import csv
import io
import logging
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkclean import registry
from sparkclean.errors import ConfigError, InputError, first_of
from sparkclean.names import FILE_ENDINGS, FORMATS
from sparkclean.schema import FILTERS
from sparkclean.texts import redact_config

if TYPE_CHECKING:
    from sparkclean.commands.guess import Guess
    from sparkclean.config.sections import Config

_log = logging.getLogger("sparkclean")

#: What a job must know of a table; other jobs take what is given.
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "audit": ("columns.id", "columns.label", "columns.pred_probs"),
    "conflicts": ("columns.id", "columns.label"),
    "predict": ("columns.id", "columns.label", "predict.features"),
    "run": ("columns.id", "columns.label", "predict.features"),
    "train": ("columns.id", "columns.label", "predict.features"),
}


def add_flags(parser: argparse.ArgumentParser, job: str) -> None:
    """Add the table and the flags of a job; ``dest`` is the key of the configuration.

    Parameters
    ----------
    parser : ArgumentParser
    job : str
    """
    parser.add_argument(
        "input.table",
        nargs="?",
        metavar="TABLE",
        help="Parquet file or folder, Delta table, or name in a catalog; overrides --config",
    )
    parser.add_argument(
        "--config", metavar="FILE", help="configuration file, YAML or JSON; - reads standard input"
    )
    group = parser.add_argument_group(
        "settings",
        "Settings override --config. Without --config the command guesses what you leave out;\n"
        "it stops where it is not sure.",
    )

    def add(flag: str, key: str, kind: Callable[[str], Any], metavar: str, text: str) -> None:
        group.add_argument(flag, dest=key, type=kind, metavar=metavar, help=text)

    add(
        "--id",
        "columns.id",
        read_columns,
        "COLUMN[,...]",
        "record id (default: guessed, or row numbers)",
    )
    add("--label", "columns.label", str, "COLUMN", "given label")
    text = "probabilities: a column, or one for each class"
    add("--pred-probs", "columns.pred_probs", read_columns, "COLUMN[,...]", text)
    text = "feature columns of the model: numbers, lists of numbers, texts; or all"
    add("--features", "predict.features", read_columns, "COLUMN[,...]", text)
    text = "labels in the order of the probabilities, or a file that lists them"
    add("--classes", "classes", _classes, "LABEL,...", text)
    add(
        "--estimator",
        "predict.estimator",
        str,
        "CLASS",
        "import path of a classifier, such as sklearn.svm.SVC",
    )
    group.add_argument(
        "--filter",
        dest="method.filter_by",
        choices=FILTERS,
        metavar="FILTER",
        help=f"which rows are suspects: {', '.join(FILTERS)}",
    )
    modes = "cleaned, weights, robust" if job == "train" else "drop, relabel, weight, none, ..."
    text = f"how the {'model is trained' if job == 'train' else 'table is cleaned'}: {modes}"
    add("--mode", "train.mode" if job == "train" else "clean.mode", str, "MODE", text)
    if job.startswith("review-"):
        _add_review_flags(add, group, job)
    group.add_argument("--out", metavar="FOLDER", help="folder of all outputs (default: out/TABLE)")
    group.add_argument(
        "--format",
        dest="output.format",
        choices=FORMATS,
        help="format of the outputs (default parquet)",
    )
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="any setting by its key; overrides everything else; may be repeated",
    )
    parser.add_argument(
        "--print-config",
        action="store_true",
        help="print these settings as a configuration for --config, and stop",
    )


def _add_review_flags(add: Callable[..., None], group: Any, job: str) -> None:
    """Add the flags of a review command."""
    if job == "review-plan":
        text = "names of the reviewers"
        add("--reviewers", "review.reviewers", _names, "NAME[,...]", text)
        add("--budget", "review.budget", int, "N", "examples to look at (default 200)")
    elif job == "review-import":
        text = "file or folder to import; may be repeated (default: the folder of the export)"
        group.add_argument(
            "--file", dest="review.files", action="append", metavar="PATH", help=text
        )
    else:
        add("--plan", "review.plan", str, "ID", "run id of the plan (default: the last one)")
    if job == "review-export":
        group.add_argument(
            "--to",
            dest="review.format",
            choices=("csv", "parquet"),
            help="format of the files (default csv)",
        )


def _names(text: str) -> list[str]:
    """Read names with commas between them."""
    names = read_columns(text)
    return [names] if isinstance(names, str) else names


def read_columns(text: str) -> str | list[str]:
    """Read names of columns.

    Parameters
    ----------
    text : str
        With commas between them; one that holds a comma stands in double quotes.

    Returns
    -------
    str or list of str
        One name, or several.

    Raises
    ------
    ArgumentTypeError
        If one is empty.
    """
    names = [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]
    if not names or not all(names):
        raise argparse.ArgumentTypeError(f"{text!r} has an empty column name")
    return names[0] if len(names) == 1 else names


def _classes(text: str) -> str | list[Any]:
    """Read labels with commas between them, or the name of a file."""
    labels = read_columns(text)
    if isinstance(labels, str):
        return labels
    if all(label.removeprefix("-").isdecimal() for label in labels):
        return [int(label) for label in labels]
    return labels


def load_flagged(args: argparse.Namespace) -> tuple[Config, dict[str, Any]]:
    """Load the configuration of a job: of its file, or of its flags and what is guessed.

    Parameters
    ----------
    args : Namespace
        Of `add_flags`.

    Returns
    -------
    config : Config
    settings : dict
        The same, without settings that have their default.

    Raises
    ------
    ConfigError, InputError

    Notes
    -----
    Without a file: reads what `guess_columns` reads. A session is begun for that only where the
    table is not Parquet, and something that the job must know is left out.
    """
    from sparkclean.config.file import check_settings, load_settings  # noqa: PLC0415 (pydantic)

    given = {key: value for key, value in vars(args).items() if value is not None}
    flags = {key: value for key, value in given.items() if "." in key or key == "classes"}
    if "input.table" in flags:
        flags["input.table"] = _as_path(flags["input.table"])
    if args.out is not None:
        flags = _places(args.out) | flags
    settings = load_settings(args.config, flags=flags, overrides=args.set)
    if args.config is None:
        try:
            _complete(settings, args)
        except (ConfigError, InputError) as exc:
            raise type(exc)([*exc.findings, *_more_findings(settings, args)]) from exc
    return check_settings(settings, args.config), settings


def _more_findings(settings: Mapping[str, Any], args: argparse.Namespace) -> list[str]:
    """Find what is wrong with the settings that are there, beside what is left out."""
    from sparkclean.config.file import check_settings  # noqa: PLC0415 (pydantic)

    left_out = ("input.table", "classes", *_NEEDS.get(args.job, ()))
    try:
        check_settings(settings, None)
    except ConfigError as exc:
        return [
            text for text in exc.findings if not text.startswith(tuple(f"{k}:" for k in left_out))
        ]
    return []


def _as_path(table: str) -> str:
    """Write a name of a file that is not there as a path: it is looked for in no catalog."""
    is_file = "/" not in table and table.lower().endswith(FILE_ENDINGS)
    return f"./{table}" if is_file and not Path(table).exists() else table


def _places(folder: str) -> dict[str, str]:
    """Give the places of all outputs in a folder."""
    from sparkclean.config.model import config_model  # noqa: PLC0415
    from sparkclean.config.output_locations import TABLE  # noqa: PLC0415

    section: Any = config_model().model_fields["output"].annotation
    fields = section.model_fields.items()
    return {
        f"output.{key}": str(field.default).replace(f"out/{TABLE}", folder.rstrip("/") or "/")
        for key, field in fields
        if TABLE in str(field.default)
    }


def config_text(settings: Mapping[str, Any]) -> str:
    """Write settings as a configuration; secrets of Spark are left out.

    Parameters
    ----------
    settings : mapping

    Returns
    -------
    str
        YAML.
    """
    from sparkclean.config.text import write_yaml  # noqa: PLC0415

    order = ("input", "columns", "classes")
    known = {key: settings[key] for key in order if key in settings}
    return write_yaml(redact_config(known | dict(settings)))


# -- what is left out ----------------------------------------------------------------------------


def _complete(settings: dict[str, Any], args: argparse.Namespace) -> None:
    """Guess what a job must know and nobody has said; say what was guessed."""
    table = _value(settings, "input.table")
    own = registry.load_job(args.job).sections.items() if args.job in registry.JOBS else ()
    named = [".".join((name, *kind.run_table)) for name, kind in own if kind.run_table]
    if table is None and any(isinstance(_value(settings, key), str) for key in named):
        return
    if not isinstance(table, str):
        raise ConfigError(
            f"name a table (sparkclean {args.job} data/reviews.parquet --label label), or a "
            "configuration (--config FILE)"
        )
    needs = _NEEDS.get(args.job, ())
    if _value(settings, "input.predictions") is not None:  # it has them, and knows their classes
        needs = tuple(key for key in needs if key != "columns.pred_probs")
    missing = [key for key in needs if not _is_given(settings, key)]
    has_probs = "columns.pred_probs" in needs
    if not missing and not has_probs:
        return
    from sparkclean.commands.versions import session_for  # noqa: PLC0415 (imports Spark)
    from sparkclean.lake import needs_spark  # noqa: PLC0415

    if not missing and needs_spark(table):
        return  # classes: what is wrong with them is found when the table is read
    from sparkclean.commands.guess import Given, guess_columns  # noqa: PLC0415

    given = Given(
        id=_value(settings, "columns.id"),
        label=_value(settings, "columns.label"),
        pred_probs=_value(settings, "columns.pred_probs") if has_probs else None,
        classes=settings.get("classes"),
        features=None if has_probs else _features(settings) or [],
        numbered=_is_given(settings, "columns.id") and _value(settings, "columns.id") is None,
    )
    with session_for(args, table) as spark:
        guess = guess_columns(table, spark, given)
    if findings := _unsure(guess, missing, args):
        raise ConfigError(findings)
    for key in missing:
        name = key.partition(".")[2]
        _put(settings, key, getattr(guess, name))
        shown, why = guess.shown(name, "null"), guess.reasons.get(name, "")
        _log.info("guessed %s: %s (%s)", key, shown, why)
    if has_probs and settings.get("classes") is None and guess.classes:
        settings["classes"] = guess.classes
        shown, why = guess.shown("classes", "null"), guess.reasons["classes"]
        _log.info("guessed classes: %s (%s)", shown, why)


def _unsure(guess: Guess, missing: Sequence[str], args: argparse.Namespace) -> list[str]:
    """Say which flags to give for what could not be guessed surely, and what they may be."""
    findings = []
    if "columns.id" in missing and "id" in guess.open:
        findings.append(
            "--id: the table needs a record id, and no column is named like one; give a column "
            f"whose values are unique, or a list: {_shown(guess.open['id'])}"
        )
    if "columns.label" in missing and ("label" in guess.open or guess.label is None):
        findings.append(
            "--label: the command is not sure; give the column of the given label: "
            f"{_shown(guess.open.get('label', []))}"
        )
    if "columns.pred_probs" in missing and (guess.pred_probs is None or "pred_probs" in guess.open):
        some = guess.open["pred_probs"]
        may = f"possible columns: {_shown(some)}" if some else "no column has a type that fits"
        features = _as_flag(guess.features) or "..."
        table = shlex.quote(vars(args)["input.table"] or "TABLE")
        findings.append(
            f"--pred-probs: the command is not sure; {may}. Without probabilities: "
            f"sparkclean run {table} --features {features}"
        )
    if "predict.features" in missing:
        names = _as_flag(guess.features)
        findings.append(
            "--features: name the columns that the model may see. Leave out columns from which the "
            f"label was made. Possible columns: --features {names or '(none fits)'}"
        )
    is_open = args.job == "audit" and "classes" in guess.open and "label" not in guess.open
    if is_open and guess.pred_probs is not None:
        labels = _as_flag(guess.open["classes"])
        findings.append(
            f"--classes: labels of column {guess.label!r} are texts; list them in the order of "
            f"the probabilities. Those seen, in alphabetical order: --classes {labels}"
        )
    return findings


def _as_flag(names: Sequence[Any]) -> str:
    """Write names as `read_columns` reads them, for a shell."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(names)
    return shlex.quote(text.getvalue()) if names else ""


def _shown(names: Sequence[str]) -> str:
    return first_of(list(names), 10) if names else "no column fits"


def _features(settings: Mapping[str, Any]) -> list[str] | None:
    value = _value(settings, "predict.features")
    return [value] if isinstance(value, str) else value


def _is_given(settings: Mapping[str, Any], key: str) -> bool:
    section, name = key.split(".")
    values = settings.get(section)
    return isinstance(values, Mapping) and name in values


def _value(settings: Mapping[str, Any], key: str) -> Any:
    section, name = key.split(".")
    values = settings.get(section)
    return values.get(name) if isinstance(values, Mapping) else None


def _put(settings: dict[str, Any], key: str, value: Any) -> None:
    section, name = key.split(".")
    settings[section] = {**(settings.get(section) or {}), name: value}
