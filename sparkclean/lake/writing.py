"""What keeps us from writing, in our words."""

from __future__ import annotations

import contextlib
import errno
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from sparkclean.errors import InputError, SparkCleanError


@contextlib.contextmanager
def write_errors(location: Path | str) -> Iterator[None]:
    """Translate operating system errors of writing into ours."""
    try:
        yield
    except OSError as exc:
        raise translate_write_error(exc, str(location)) from exc


#: What is said of a location that cannot be written to, and what we say.
_WHILE_WRITING: tuple[tuple[set[int], re.Pattern[str], type[SparkCleanError], str], ...] = (
    (
        {errno.ENOSPC, errno.EDQUOT},
        re.compile(r"No space left on device|Disk quota exceeded"),
        SparkCleanError,
        "no space left on the device of {location}. Make room (sparkclean clean-up removes what "
        "dead runs left), then repeat the run with the same run id: it completes what is missing",
    ),
    (
        {errno.EACCES, errno.EPERM, errno.EROFS},
        re.compile(r"Permission denied|Read-only file system|AccessControlException"),
        InputError,
        "{location} is not writable; check its owner and permissions",
    ),
    (
        {errno.ENAMETOOLONG},
        re.compile("File name too long"),
        InputError,
        "{location}: its path has a name that is too long for the file system; shorten it",
    ),
    (
        {errno.ENOTDIR, errno.EEXIST},
        re.compile(r"Mkdirs failed|ParentNotDirectory|Not a directory"),
        InputError,
        "{location} is not a writable folder: a file is in its way, or permissions forbid it; "
        "check the path",
    ),
)


#: Bytes that are left on what we call full: what did not fit may be gone again.
_FULL = 64 << 20
_NAMED_FULL = re.compile(r"(/[^\s:'\"()]+)['\"]?:? *\(?(?:No space left|Disk quota exceeded)")


def _full_place(text: str, location: str, scratch: Sequence[str]) -> str:
    """Say which location is full: the one that is named, else those with next to no space."""
    named = _NAMED_FULL.search(text)
    if named:
        return named[1]
    left: dict[str, int] = {}
    for place in (location, *scratch):
        with contextlib.suppress(OSError):
            left[place] = shutil.disk_usage(_nearest(Path(place))).free
    full = [place for place in left if left[place] < _FULL] or list(left)
    if not scratch or not full:
        return location
    return ", or of ".join(f"{place} ({left[place] >> 20:,} MB left)" for place in full)


def _nearest(path: Path) -> Path:
    """Give a folder that is there: the path itself or one above it."""
    return next(above for above in (path, *path.absolute().parents) if above.exists())


def translate_write_error(
    exc: BaseException, location: str, scratch: Sequence[str] = ()
) -> BaseException:
    """Say what kept us from writing.

    Parameters
    ----------
    exc : BaseException
        Of the operating system or of Spark.
    location : str
    scratch : sequence of str
        Other locations to which was written, and which may be the full ones.

    Returns
    -------
    BaseException
        `InputError` where the location cannot be written to, `SparkCleanError` where space is short
        or the operating system says something else; otherwise ``exc`` itself: a failure of Spark
        may come from reading as well.
    """
    if isinstance(exc, SparkCleanError):
        return exc
    text = str(exc)
    number = exc.errno if isinstance(exc, OSError) else None
    for numbers, said, kind, message in _WHILE_WRITING:
        if number in numbers or said.search(text):
            full = errno.ENOSPC in numbers
            place = _full_place(text, location, scratch) if full else location
            return kind(message.format(location=place))
    if isinstance(exc, OSError):
        return SparkCleanError(f"writing to {location} failed: {exc}")
    return exc
