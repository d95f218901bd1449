"""The folder of the models of a run: made once, whole, and known again. Driver only."""

from __future__ import annotations

import logging
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sparkclean.errors import VersionExistsError
from sparkclean.lake import safe_run_id
from sparkclean.lake.files import write_errors
from sparkclean.learning.model_files import MANIFEST, read_manifest
from sparkclean.locations import local_path

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


def has_models(folder: Path, identity: Mapping[str, str], run_id: str) -> bool:
    """Tell whether an attempt of a run has trained; refuse another run of its name.

    Parameters
    ----------
    folder : Path
    identity : mapping
        Of the run, as its manifest has it.
    run_id : str
        The scheduler's.

    Returns
    -------
    bool

    Raises
    ------
    VersionExistsError
        If the models are of another configuration or input.
    """
    if not (folder / MANIFEST).exists():
        return False
    if read_manifest(folder)["identity"] != dict(identity):
        raise VersionExistsError(
            f"run id {run_id!r} has trained the models in {folder} with another configuration or "
            "input; use a new run id"
        )
    _log.info("the models in %s are those of this run; none is trained again", folder)
    return True


@contextmanager
def new_models(folder: Path, identity: Mapping[str, str], run_id: str) -> Iterator[Path]:
    """Make the folder of the models of a run, unless another attempt of it was first.

    Parameters
    ----------
    folder : Path
    identity : mapping
    run_id : str

    Yields
    ------
    Path
        Folder to write to, beside the wanted one: that may be on another disk than intermediate
        files. It is put in its place by one rename.
    """
    made = folder.parent / f".{folder.name}-{uuid.uuid4().hex[:8]}"
    with write_errors(folder.parent):
        made.mkdir(parents=True)
    try:
        yield made
        made.replace(folder)
    except OSError:
        # another attempt of this run was first: its models serve as well
        if not has_models(folder, identity, run_id):
            raise
    finally:
        shutil.rmtree(made, ignore_errors=True)
