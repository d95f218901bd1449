"""The reference of exit codes, of the tree of errors."""

from __future__ import annotations

import re
from collections.abc import Iterator

from in_markdown import code, sentence, table

from sparkclean import errors
from sparkclean.errors import SparkCleanError
from sparkclean.rows.interrupts import Terminated, outcome_of

#: By code: what it means, what to do, whether a scheduler should try again.
CODES: dict[int, tuple[str, str, str]] = {
    0: (
        "The command has done its work, or this run id had finished before.",
        "Go on.",
        "no",
    ),
    1: (
        "Something else failed: Spark, Java, the file system, or sparkclean itself.",
        "Read the error; `--debug` shows the stack trace.",
        "yes, with the same run id",
    ),
    2: (
        "The configuration or the command line is wrong. All findings are shown at once.",
        "Correct what the findings name.",
        "no",
    ),
    3: (
        "The input, or the location of an output, cannot be used. Nothing but a run record was "
        "published.",
        "Correct the data or the location. If the input changed during the run, start a new run.",
        "no",
    ),
    4: (
        "A gate is closed: the result is outside the limits. Only a run record with the status "
        "`gate_failed` was published.",
        "Look at the suspects that the message names. Then correct the data, or change the limit.",
        "no",
    ),
    5: (
        "`PublishConflictError`: another run published first. `VersionExistsError`: the run id "
        "stands for another configuration or input; the message names the settings that changed, "
        "old -> new.",
        "`PublishConflictError`: try again. `VersionExistsError`: go back to that configuration, "
        "or choose another run id. `--log-format json` writes the class as `error`.",
        "`PublishConflictError`: yes; `VersionExistsError`: no",
    ),
    6: (
        "Whether a commit happened is unknown.",
        "Look at the history of the output before anything else runs.",
        "no: a person must look",
    ),
    130: (
        "Ctrl-C (SIGINT) interrupted the command before all outputs were published.",
        "Run it again with the same run id: it completes the run.",
        "yes, with the same run id",
    ),
    143: (
        "SIGTERM ended the command before all outputs were published.",
        "Run it again with the same run id: it completes the run.",
        "yes, with the same run id",
    ),
}


def generate() -> str:
    """Write the part of the page that follows from the code.

    Returns
    -------
    str
        Markdown: the codes, and the classes of errors.

    Raises
    ------
    KeyError
        If a code is not described in `CODES`.
    """
    lines = ["## Codes {#codes}", ""]
    lines += table(
        ("exit code", "meaning", "retry", "what to do"),
        [
            (f"`{number}`{{ #exit-code-{number} }}", meaning, retry, what_to_do)
            for number in all_codes()
            for meaning, what_to_do, retry in [CODES[number]]
        ],
    )
    lines += [
        "## Errors in Python {#errors}",
        "",
        "Calls from Python raise these. Each is a `sparkclean.SparkCleanError`, and its "
        "`exit_code` is the code that a command ends with.",
        "",
    ]
    lines += table(("class", "exit code", "meaning"), _classes())
    return "\n".join(lines)


def all_errors() -> dict[str, type[SparkCleanError]]:
    """Give the classes of errors, by name, in the order of the module."""
    return {
        name: kind
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, SparkCleanError)
    }


def all_codes() -> list[int]:
    """Give all codes that a command ends with, in order."""
    interrupts = {outcome_of(interrupt)[1] for interrupt in (KeyboardInterrupt(), Terminated())}
    return sorted({0, *(kind.exit_code for kind in all_errors().values()), *interrupts})


def _classes() -> Iterator[tuple[str, ...]]:
    for name, kind in all_errors().items():
        first = (kind.__doc__ or "").strip().split("\n\n")[0]
        # the code has a column of its own
        meaning = re.sub(r"; exit code \d+(, )?", lambda match: "; " if match[1] else "", first)
        yield code(name), code(str(kind.exit_code)), sentence(meaning)
