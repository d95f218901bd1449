"""Removing models of old runs, and what trainings left that were killed; on request only."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sparkclean.errors import ConfigError, InputError
from sparkclean.lake import safe_run_id
from sparkclean.lake.base import CleanUp, without_newest
from sparkclean.lake.files import size_below
from sparkclean.lake.plain_folders import remove_tree
from sparkclean.lake.writing import write_errors
from sparkclean.learning.model_files import MANIFEST

_WEEK_SECONDS = 7 * 86400.0


@dataclass(frozen=True)
class ModelStore:
    """The folder ``output.models``: ``<job>/<run id>``, and ``<run id>`` of version 0.1.0.

    Attributes
    ----------
    root : Path
    jobs : tuple of str
        Names of the jobs that train.
    """

    root: Path
    jobs: tuple[str, ...]

    def is_one(self) -> bool:
        """Tell whether there are models, or what killed trainings left."""
        return any(self._models(folder) or self._left(folder) for folder in self._folders())

    def clean_up(
        self,
        *,
        run_id: str | None,
        older_than_seconds: float | None,
        keep: int | None,
        dry_run: bool,
    ) -> CleanUp:
        """Remove models if asked, and what killed trainings left.

        Parameters
        ----------
        run_id : str or None
            Of the run whose models go; None: of any.
        older_than_seconds : float or None
            Age from which models go, and from which a training counts as dead (a week by default).
        keep : int or None
            Number of newest runs of each job whose models stay.
        dry_run : bool

        Returns
        -------
        CleanUp

        Raises
        ------
        ConfigError
        InputError
            If there are no models of the run.
        """
        if keep is not None and keep < 0:
            raise ConfigError(f"--keep {keep} is not a number of runs; write 0 or more")
        name = None if run_id is None else safe_run_id(run_id)
        age = _WEEK_SECONDS if older_than_seconds is None else older_than_seconds
        models: list[Path] = []
        left: list[Path] = []
        for folder in self._folders():
            models += self._old(folder, name, older_than_seconds, keep)
            left += [path for path in self._left(folder, name) if _age(path) > age]
        if name is not None and not models and not left:
            raise InputError(f"{self.root} has no models of run {run_id!r}, or younger ones")
        paths = [*models, *left]
        result = CleanUp(tuple(map(str, paths)), (), sum(map(size_below, paths)))
        if not dry_run:
            with write_errors(self.root):
                for path in paths:
                    remove_tree(self.root, path)
        return result

    def _old(
        self, folder: Path, name: str | None, older_than_seconds: float | None, keep: int | None
    ) -> Sequence[Path]:
        if name is None and older_than_seconds is None and keep is None:
            return []
        models = without_newest(self._models(folder), keep or 0)
        return [
            path
            for path in models
            if (name is None or path.name == name)
            and (older_than_seconds is None or _age(path) > older_than_seconds)
        ]

    def _folders(self) -> list[Path]:
        """Folders in which models of runs lie."""
        return [self.root, *(self.root / job for job in self.jobs)]

    def _models(self, folder: Path) -> list[Path]:
        """Models of runs, oldest first."""
        found = _children(folder, lambda path: (path / MANIFEST).is_file())
        return sorted(found, key=lambda path: -_age(path))

    def _left(self, folder: Path, name: str | None = None) -> list[Path]:
        """List what trainings write, or have left: of one run, or of any."""
        run = ".+" if name is None else re.escape(name)
        pattern = re.compile(rf"\.{run}-[0-9a-f]{{8}}")  # as `ModelFolder.new` names them
        return _children(folder, lambda path: pattern.fullmatch(path.name) is not None)


def _children(folder: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    try:
        found = [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(path for path in found if wanted(path))


def _age(folder: Path) -> float:
    """Seconds since something was written to a folder of models."""
    newest = max(path.lstat().st_mtime for path in (folder, *folder.iterdir()))
    return time.time() - newest
