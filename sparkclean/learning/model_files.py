"""Models as files, with a manifest that names each and its hash.

Runs on executors.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sparkclean.errors import InputError
from sparkclean.learning.models import FoldModel
from sparkclean.learning.pickles import loads, packages_of
from sparkclean.reading import check_fields, read_object, read_plain
from sparkclean.texts import redact_params

MANIFEST = "manifest.json"
#: What a manifest may name: a file or folder beside it.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class ModelEntry:
    """What the manifest says of a model.

    Attributes
    ----------
    fold : int
    file : str
    sha256 : str
    training_rows : int
    seconds : float
    calibration : mapping or None
        How it was calibrated, as `ChosenCalibration` tells; None: not at all, or by an older
        version.
    """

    fold: int
    file: str
    sha256: str
    training_rows: int
    seconds: float
    #: Not hashed: a mapping cannot be, and the sha256 stands for the model.
    calibration: Mapping[str, Any] | None = field(default=None, hash=False)


def write_model(
    folder: Path,
    model: FoldModel,
    *,
    name: str,
    training_rows: int,
    seconds: float,
    calibration: Mapping[str, Any] | None = None,
) -> ModelEntry:
    """Write a model to a folder.

    Parameters
    ----------
    folder : Path
    model : FoldModel
    name : str
        That its file begins with.
    training_rows : int
    seconds : float
        That the training took.
    calibration : mapping, optional
        As `ModelEntry` has it.

    Returns
    -------
    ModelEntry
    """
    content = pickle.dumps(model, protocol=5)
    digest = hashlib.sha256(content).hexdigest()
    # two attempts of a task write the same name with the same content, or two names
    path = folder / f"{name}-{digest[:16]}.pickle"
    path.write_bytes(content)
    return ModelEntry(model.fold, path.name, digest, training_rows, seconds, calibration)


def write_manifest(
    folder: Path,
    entries: list[ModelEntry],
    estimator: str | None,
    params: Mapping[str, Any],
    identity: Mapping[str, str],
    *,
    engine: str,
    versions: Mapping[str, str],
    more: Mapping[str, Any] | None = None,
) -> None:
    """Write down which models a folder holds, of which run, with what they were made; and more."""
    content = {
        "identity": dict(identity),
        "engine": engine,
        "estimator": estimator,
        "params": redact_params(params),
        "versions": dict(versions),
        **(more or {}),
        "models": [asdict(entry) for entry in sorted(entries, key=lambda entry: entry.fold)],
    }
    (folder / MANIFEST).write_text(json.dumps(content, indent=1, default=str) + "\n")


def read_models(folder: Path) -> dict[int, FoldModel]:
    """Read the models of a folder as its own manifest has them.

    Parameters
    ----------
    folder : Path
        From a place that is trusted: who can change a model there can change the manifest, too.

    Returns
    -------
    dict
        By fold.

    Raises
    ------
    InputError
        If a model is not the one that was written, or names what no model consists of: nothing of
        it is loaded then.
    """
    manifest = read_manifest(folder)
    return load_models(folder, entries_of(folder, manifest), manifest.get("estimator"))


def load_models(
    folder: Path,
    entries: Sequence[ModelEntry],
    estimator: str | None,
    packages: Sequence[str] | None = None,
) -> dict[int, FoldModel]:
    """Read models whose hashes are known.

    Parameters
    ----------
    folder : Path
    entries : sequence of ModelEntry
        What is read, and its hashes.
    estimator : str or None
        Import path of their class.
    packages : sequence of str, optional
        That the class may be of; `known_packages` of this process by default.

    Returns
    -------
    dict
        By fold.

    Raises
    ------
    InputError
        As `read_models`.
    """
    models: dict[int, FoldModel] = {}
    own = packages_of(estimator, packages)
    for entry in entries:
        path = folder / entry.file
        try:
            content = read_plain(path, follow_links=False)
        except OSError as exc:
            raise InputError(f"{path} cannot be read: {exc.strerror}; use a new run id") from exc
        check_digest(folder, entry, hashlib.sha256(content).hexdigest())
        models[entry.fold] = loads(content, str(path), own)
    return models


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a folder.

    Raises
    ------
    InputError
        If it is damaged.
    """
    return read_object(folder / MANIFEST, follow_links=False)


def entries_of(folder: Path, manifest: Mapping[str, Any]) -> list[ModelEntry]:
    """Give what a manifest says of its models.

    Parameters
    ----------
    folder : Path
        For the message.
    manifest : mapping

    Returns
    -------
    list of ModelEntry

    Raises
    ------
    InputError
        If it is damaged, or names a file elsewhere.
    """
    try:
        entries = [ModelEntry(**entry) for entry in manifest["models"]]
        for entry in entries:
            check_fields(entry)
    except (KeyError, TypeError) as exc:
        raise InputError(f"{folder / MANIFEST} is damaged: it lists no models") from exc
    for entry in entries:
        if not _PLAIN_NAME.fullmatch(entry.file):
            raise InputError(
                f"{folder / MANIFEST} names a model that is no plain name in this folder; it was "
                "changed, and nothing of it is loaded. Predict again under a new run id"
            )
    return entries


def check_digest(folder: Path, entry: ModelEntry, found: str) -> None:
    """Raise an InputError if a model is not the one that was written."""
    if found != entry.sha256:
        raise InputError(
            f"{folder / entry.file} is not the model that its manifest names; it was changed, and "
            "is not loaded. Predict again under a new run id"
        )
