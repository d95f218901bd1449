"""The models of a prediction: trained into their folder, and what was read beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sparkclean.config.sections import PredictSection
from sparkclean.errors import InputError
from sparkclean.lake import Pin, TargetTable
from sparkclean.learning.boosting import Comparison
from sparkclean.learning.engine import Engine
from sparkclean.learning.model_files import read_manifest, write_manifest
from sparkclean.learning.model_folder import PIN, ModelFolder
from sparkclean.reading import MOST_JSON, read_plain

#: Property of the predictions: hash of the pin that lies beside the models.
PIN_HASH = "pin_sha256"
#: Of the manifest: how the models compare with gradient boosting.
COMPARISON = "gradient_boosting"


def hash_of_pin(text: str) -> str:
    """Hash a pin as it is written down."""
    return hashlib.sha256(text.encode()).hexdigest()


def train_models(
    engine: Engine,
    folder: ModelFolder,
    *,
    rare: Sequence[Any],
    predict: PredictSection,
    pin: Pin | None = None,
) -> None:
    """Train a model without each fold, and write a manifest beside them.

    Parameters
    ----------
    engine : Engine
    folder : ModelFolder
        Which another attempt may make first.
    rare : sequence
        Classes that no model is trained on.
    predict : PredictSection
    pin : Pin, optional
        What is read, for who looks for it later.

    Raises
    ------
    InputError
        If the rows do not do for a training.
    """
    with folder.new() as made:
        entries = engine.train(made, rare)
        comparison = engine.weigh(made, entries)
        if pin is not None:
            (made / PIN).write_text(pin.to_json())
        write_manifest(
            made,
            entries,
            predict.estimator,
            predict.params,
            folder.identity,
            engine=predict.engine,
            versions=engine.versions(),
            more=None if comparison is None else {COMPARISON: comparison.to_json()},
        )


def read_comparison(folder: Path) -> Comparison | None:
    """Read how models that were trained compare with gradient boosting, if that was looked at."""
    found = read_manifest(folder).get(COMPARISON)
    return None if found is None else Comparison(**found)


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
        If the predictions or the models of the run were removed, or the pin is not the one that the
        predictions were made by.
    """
    version = predictions.find_run(run_id)
    try:
        text = read_plain(folder / PIN, most=MOST_JSON, follow_links=False).decode()
    except FileNotFoundError:
        version = None
    if version is None:
        raise InputError(f"what run {run_id!r} has predicted was removed; use a new run id")
    wanted = version.properties.get(PIN_HASH)  # version 0.1.0 has left none
    if wanted is not None and wanted != hash_of_pin(text):
        raise InputError(
            f"{folder / PIN} is not what run {run_id!r} has written: it was changed, and is not "
            "used. Audit the predictions by input.predictions, or use a new run id"
        )
    return Pin.from_json(text), predictions.version_selector(version)
