"""The folder of the models of a run: made once, whole, and known again. Driver only."""

from __future__ import annotations

import hashlib
import logging
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sparkclean.errors import InputError, VersionExistsError
from sparkclean.lake import safe_run_id
from sparkclean.lake.run_state import RunMarks
from sparkclean.lake.writing import write_errors
from sparkclean.learning.model_files import MANIFEST, ModelEntry, entries_of, read_manifest
from sparkclean.locations import local_path
from sparkclean.reading import MOST_JSON, parse_object, read_plain

_log = logging.getLogger("sparkclean")

#: Beside the manifest of the models: what they were trained on.
PIN = "pin.json"


def model_folder(models: str, job: str, run_id: str) -> Path:
    """Find the folder of the models of a run, or name it: ``<output.models>/<job>/<run id>``.

    Parameters
    ----------
    models : str
        ``output.models``.
    job : str
    run_id : str
        The scheduler's.

    Returns
    -------
    Path
        That of version 0.1.0, ``<output.models>/<run id>``, where the models of the job lie there.
    """
    name = safe_run_id(run_id)
    folder, before = local_path(models) / job / name, local_path(models) / name
    if not (before / MANIFEST).exists() or (folder / MANIFEST).exists():
        return folder
    is_final = "train_mode" in read_manifest(before)
    return before if is_final == (job == "train") else folder


@dataclass(frozen=True)
class ModelFolder:
    """The folder of the models of a run: made by one of its attempts, known again by the others.

    Attributes
    ----------
    path : Path
        By `model_folder`.
    identity : mapping
        Of the run, as the manifest has it.
    run_id : str
        The scheduler's.
    marks : RunMarks
        Where the hash of the manifest is kept: beside the pin, not beside the models.
    """

    path: Path
    identity: Mapping[str, str]
    run_id: str
    marks: RunMarks

    def find(self) -> list[ModelEntry] | None:
        """Find the models that an attempt of the run has trained.

        Returns
        -------
        list of ModelEntry or None
            None: there are none yet.

        Raises
        ------
        VersionExistsError
            If the models are of another configuration, input or rule of folds.
        InputError
            If no attempt of this run has written the manifest: nothing of it is loaded.
        """
        try:
            content = read_plain(self.path / MANIFEST, most=MOST_JSON, follow_links=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        manifest = parse_object(self.path / MANIFEST, content)
        if manifest.get("identity") != dict(self.identity):
            raise VersionExistsError(
                f"run id {self.run_id!r} has trained the models in {self.path} with another "
                "configuration, input or version of sparkclean; use a new run id"
            )
        if not self.marks.has(hashlib.sha256(content).hexdigest()):
            raise InputError(
                f"the models in {self.path} were not made by any known attempt of run "
                f"{self.run_id!r} is "
                "known to have made; they are not loaded. Remove the folder, and the run trains "
                "them again, or use a new run id"
            )
        return entries_of(self.path, manifest)

    def is_made(self, say: Callable[[], None]) -> bool:
        """Tell whether an attempt of the run has trained.

        Parameters
        ----------
        say : callable
            Called where there are models, before these are looked at: whoever has put others in
            their place must not make the run forget its input.

        Returns
        -------
        bool

        Raises
        ------
        VersionExistsError, InputError
            As `find`.
        """
        if (self.path / MANIFEST).exists():
            say()
        if self.find() is None:
            return False
        _log.info("the models in %s belong to this run; it trains none again", self.path)
        return True

    def entries(self) -> list[ModelEntry]:
        """Give what is known of the models, which are there.

        Raises
        ------
        InputError
            As `find`, or if they are gone.
        """
        found = self.find()
        if found is None:
            raise InputError(f"the models in {self.path} are gone; use a new run id")
        return found

    @contextmanager
    def new(self) -> Iterator[Path]:
        """Make the folder, unless another attempt of the run was first.

        Yields
        ------
        Path
            Folder to write to, beside the wanted one: that may be on another disk than
            intermediate files. It is put in its place by one rename.
        """
        made = self.path.parent / f".{self.path.name}-{uuid.uuid4().hex[:8]}"
        with write_errors(self.path.parent):
            made.mkdir(parents=True)
        try:
            yield made
            content = (made / MANIFEST).read_bytes()
            self.marks.add(hashlib.sha256(content).hexdigest())  # before anybody can find it
            made.replace(self.path)
        except OSError:
            # another attempt of this run was first: its models serve as well
            if self.find() is None:
                raise
        finally:
            shutil.rmtree(made, ignore_errors=True)
