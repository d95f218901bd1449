"""The models of a prediction: trained into their folder, and what was read beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sparkclean.config.sections import PredictSection
from sparkclean.errors import InputError
from sparkclean.lake import Pin, TargetTable
from sparkclean.learning.engine import Engine
from sparkclean.learning.model_files import write_manifest
from sparkclean.learning.model_folder import PIN, new_models


def train_models(
    engine: Engine,
    folder: Path,
    *,
    rare: Sequence[Any],
    predict: PredictSection,
    pin: Pin,
    identity: Mapping[str, str],
    run_id: str,
) -> None:
    """Train a model without each fold, and write manifest and pin beside them.

    Parameters
    ----------
    engine : Engine
    folder : Path
        Of the models, which another attempt may make first.
    rare : sequence
        Classes that no model is trained on.
    predict : PredictSection
    pin : Pin
        What is read.
    identity : mapping
        Of the run, for the manifest.
    run_id : str
        The scheduler's.

    Raises
    ------
    InputError
        If the rows do not do for a training.
    """
    with new_models(folder, identity, run_id) as made:
        entries = engine.train(made, rare)
        (made / PIN).write_text(pin.to_json())
        write_manifest(
            made,
            entries,
            predict.estimator,
            predict.params,
            identity,
            engine=predict.engine,
            versions=engine.versions(),
        )


def find_pins(predictions: TargetTable, folder: Path, run_id: str) -> tuple[Pin, str | int | None]:
    """Find what a run that has ended has read, and the version of its predictions.

    Parameters
    ----------
    predictions : TargetTable
    folder : Path
        Of the models of the run.
    run_id : str
        The scheduler's.

    Returns
    -------
    pin : Pin
    version : str or int
        As ``input.version`` has it.

    Raises
    ------
    InputError
        If the predictions or the models of the run were removed.
    """
    version = predictions.find_run(run_id)
    try:
        pin = Pin.from_json((folder / PIN).read_text())
    except FileNotFoundError:
        version = None
    if version is None:
        raise InputError(f"what run {run_id!r} has predicted was removed; use a new run id")
    return pin, predictions.version_selector(version)
