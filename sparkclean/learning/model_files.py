"""Models as files, with a manifest that names each and its hash.

Runs on executors.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sparkclean.errors import InputError
from sparkclean.learning.models import FoldModel
from sparkclean.learning.pickles import loads, packages_of

MANIFEST = "manifest.json"


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
    """

    fold: int
    file: str
    sha256: str
    training_rows: int
    seconds: float


def write_model(
    folder: Path, model: FoldModel, *, name: str, training_rows: int, seconds: float
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

    Returns
    -------
    ModelEntry
    """
    content = pickle.dumps(model, protocol=5)
    digest = hashlib.sha256(content).hexdigest()
    # two attempts of a task write the same name with the same content, or two names
    path = folder / f"{name}-{digest[:16]}.pickle"
    path.write_bytes(content)
    return ModelEntry(model.fold, path.name, digest, training_rows, seconds)


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
        "params": dict(params),
        "versions": dict(versions),
        **(more or {}),
        "models": [asdict(entry) for entry in sorted(entries, key=lambda entry: entry.fold)],
    }
    (folder / MANIFEST).write_text(json.dumps(content, indent=1, default=str) + "\n")


def read_models(folder: Path) -> dict[int, FoldModel]:
    """Read the models of a folder that its manifest names.

    Parameters
    ----------
    folder : Path

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
    models: dict[int, FoldModel] = {}
    packages = packages_of(read_manifest(folder)["estimator"])
    for entry in read_entries(folder):
        path = folder / entry.file
        content = path.read_bytes()
        check_digest(folder, entry, hashlib.sha256(content).hexdigest())
        models[entry.fold] = loads(content, str(path), packages)
    return models


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a folder."""
    content: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    return content


def read_entries(folder: Path) -> list[ModelEntry]:
    """Read what the manifest of a folder says of its models."""
    return [ModelEntry(**entry) for entry in read_manifest(folder)["models"]]


def check_digest(folder: Path, entry: ModelEntry, found: str) -> None:
    """Raise an InputError if a model is not the one that was written."""
    if found != entry.sha256:
        raise InputError(
            f"{folder / entry.file} is not the model that its manifest names; it was changed, and "
            "is not loaded. Predict again under a new run id"
        )
