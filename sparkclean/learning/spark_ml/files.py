"""The folder of one fold's model of Spark ML: what Spark saves, and our facts beside it."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

from pyspark.ml import PipelineModel

from sparkclean.errors import InputError
from sparkclean.lake import spark_path, spark_paths
from sparkclean.learning.pickles import loads
from sparkclean.learning.spark_ml.vectors import FoldFacts
from sparkclean.reading import read_plain

_PIPELINE, _FACTS = "pipeline", "facts.pickle"


def write_fold(folder: Path, model: PipelineModel, facts: FoldFacts) -> str:
    """Write a model and its facts; the hash of the folder. A small job."""
    model.write().overwrite().save(spark_path(folder / _PIPELINE))
    (folder / _FACTS).write_bytes(pickle.dumps(facts, protocol=5))
    return digest_folder(folder)


def read_fold(folder: Path) -> tuple[PipelineModel, FoldFacts]:
    """Read a model and its facts, of a folder whose hash was checked. A small job.

    Raises
    ------
    InputError
        If the facts name what no facts consist of.
    """
    path = folder / _FACTS
    facts: FoldFacts = loads(read_plain(path, follow_links=False), str(path))
    (escaped,) = spark_paths([folder / _PIPELINE])
    return PipelineModel.load(escaped), facts


def digest_folder(folder: Path) -> str:
    """Hash the names and contents of all files below a folder.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    str
        Of SHA-256.

    Raises
    ------
    InputError
        If there is a link in it: what it leads to could be another thing when it is loaded.
    """
    digest = hashlib.sha256()
    found = [folder, *folder.rglob("*")]
    for path in found:
        if path.is_symlink():
            raise InputError(
                f"{path} is a symbolic link, which no model of ours holds; nothing of it is "
                "loaded. Predict again under a new run id"
            )
    for path in sorted(path for path in found if not path.is_dir()):
        content = read_plain(path, follow_links=False)
        name = str(path.relative_to(folder)).encode()
        digest.update(b"%d %s %d " % (len(name), name, len(content)))
        digest.update(content)
    return digest.hexdigest()
