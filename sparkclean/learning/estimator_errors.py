"""What an estimator says of rows or parameters that it does not take, as one error of ours.

Runs on executors.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sparkclean.errors import InputError, SparkCleanError


class EstimatorError(InputError):
    """An estimator has refused what it was given; another attempt would end the same way.

    Parameters
    ----------
    name : str
        Of the estimator.
    doing : str
        What it could not do.
    words : str
        Its own.
    """

    def __init__(self, name: str, doing: str, words: str) -> None:
        self.name, self.words = name, words
        super().__init__(
            f"{name} cannot {doing}: {words}; choose another estimator, or other parameters"
        )


@contextmanager
def estimator_errors(name: str, doing: str) -> Iterator[None]:
    """Turn whatever an estimator raises into an `EstimatorError`.

    Parameters
    ----------
    name : str
        Of the estimator.
    doing : str
        What it does: ``be trained on these rows``, ``predict these rows``.

    Raises
    ------
    EstimatorError
        Of all errors but those that a repetition may cure: want of memory, and of files.
    """
    try:
        yield
    except (SparkCleanError, MemoryError, OSError):
        raise
    except Exception as exc:
        raise EstimatorError(name, doing, words_of(exc)) from exc


def words_of(exc: BaseException) -> str:
    """Give the first line of what an error says, with its kind where the line alone is a riddle."""
    line = next((line.strip() for line in str(exc).splitlines() if line.strip()), "")
    if line and not isinstance(exc, LookupError | AttributeError):
        return line.rstrip(".")
    return f"{type(exc).__name__}: {line}".rstrip(": ")


def name_of(estimator: object) -> str:
    """Name an estimator by its class; a pipeline by that of its last step."""
    steps = getattr(estimator, "steps", None)
    return type(steps[-1][1] if steps else estimator).__name__
