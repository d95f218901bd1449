"""Settings of a Spark that starts here, handed over in a file that nobody else can read.

On a command line they would be open to everybody on the machine.
"""

from __future__ import annotations

import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_ARGUMENTS = "PYSPARK_SUBMIT_ARGS"
_FILE_OPTION = "--properties-file"


@contextmanager
def settings_in_file(settings: Mapping[str, str]) -> Iterator[None]:
    """Let the Java that is started meanwhile read its settings from a file.

    Parameters
    ----------
    settings : mapping
        Of Spark. They win over those of ``conf/spark-defaults.conf``, and what
        ``PYSPARK_SUBMIT_ARGS`` says wins over them.

    Yields
    ------
    None
    """
    before = os.environ.get(_ARGUMENTS)
    with tempfile.TemporaryDirectory(prefix="sparkclean-") as folder:  # of mode 0700
        path = Path(folder) / "settings.properties"
        arguments = submit_arguments(path, settings, before or "pyspark-shell")
        os.environ[_ARGUMENTS] = shlex.join(arguments)
        try:
            yield
        finally:
            os.environ.pop(_ARGUMENTS)
            if before is not None:
                os.environ[_ARGUMENTS] = before


def submit_arguments(path: Path, settings: Mapping[str, str], arguments: str) -> list[str]:
    """Write settings to a file, and give the arguments by which spark-submit reads it.

    Parameters
    ----------
    path : Path
        Of the file, which is created with mode 0600.
    settings : mapping
    arguments : str
        Further ones, as ``PYSPARK_SUBMIT_ARGS`` has them. A file that they name is read into ours,
        else what spark-submit reads without one.

    Returns
    -------
    list of str
    """
    rest, _ = _without_file(shlex.split(arguments))
    before = read_before(arguments)
    lines = [f"{_escaped(key)}={_escaped(value)}" for key, value in settings.items()]
    # of a key that stands twice the last one counts
    content = "\n".join([before, "", *lines, ""])
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content.encode("utf-8", "surrogateescape"))
    return [_FILE_OPTION, str(path), *rest]


def read_before(arguments: str) -> str:
    """Read the settings that spark-submit would read without ours.

    Parameters
    ----------
    arguments : str
        As ``PYSPARK_SUBMIT_ARGS`` has them.

    Returns
    -------
    str
        The text of the file that they name, or of ``spark-defaults.conf``; empty without one.
    """
    _, given = _without_file(shlex.split(arguments))
    path = _defaults() if given is None else Path(given)
    return path.read_text("utf-8", "surrogateescape") if path.is_file() else ""


def _without_file(arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """Take the option of a file out of arguments, in both of its forms."""
    rest: list[str] = []
    given = None
    words = iter(arguments)
    for word in words:
        if word == _FILE_OPTION:
            given = next(words, None)
        elif word.startswith(f"{_FILE_OPTION}="):
            given = word.partition("=")[2]
        else:
            rest.append(word)
    return rest, given


def _defaults() -> Path:
    """Find the file of settings that spark-submit reads where it is given none."""
    folder = os.environ.get("SPARK_CONF_DIR")
    if folder is None:
        from pyspark.find_spark_home import _find_spark_home  # noqa: PLC0415

        home: str = _find_spark_home()  # type: ignore[no-untyped-call]
        folder = str(Path(home) / "conf")
    return Path(folder) / "spark-defaults.conf"


def _escaped(text: str) -> str:
    """Write a key or a value as Java's properties have it."""
    units = text.encode("utf-16-be", "surrogatepass")
    numbers = (int.from_bytes(units[i : i + 2], "big") for i in range(0, len(units), 2))
    return "".join(
        chr(n) if chr(n).isascii() and (chr(n).isalnum() or chr(n) in "._-/") else f"\\u{n:04x}"
        for n in numbers
    )
