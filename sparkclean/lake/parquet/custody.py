"""Who holds a data folder that no manifest names yet, and how it changes hands.

The owner is written in the folder (``_owner.json``). Whoever takes a folder over replaces that
file; whoever takes it away renames it first and then looks at the owner again: so nothing is
removed that another process has just taken over.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from sparkclean.errors import CommitStateUnknownError, PublishConflictError, SparkCleanError
from sparkclean.faults import fault_point
from sparkclean.lake.base import version_name
from sparkclean.lake.parquet.manifest import Manifest, ManifestLog
from sparkclean.lake.parquet.owner import Owner
from sparkclean.lake.parquet.staging import DATA, OWNER, STAGING, Receipt, Staging
from sparkclean.lake.plain_folders import check_plain, move, remove_tree

_WITHDRAWN = ".withdrawn-"


def take_over(log: ManifestLog, staging: Staging, place: Path, receipt: Receipt) -> Receipt | None:
    """Adopt a complete folder of the same run; clear away that of a dead one; None: try again."""
    try:
        if (here := log.current()) and _names(here, place):  # it was first, just now
            return Receipt.read(place)
        owner, left = Owner.read(place / OWNER), Receipt.read(place)
    except SparkCleanError:
        if place.exists():
            raise
        return None
    same = left is not None and (
        (left.original_run_id, left.schema, left.identity)
        == (receipt.original_run_id, receipt.schema, receipt.identity)
    )
    if left and same and receipt.identity and left.is_complete(place):
        try:
            staging.owner.write(place / OWNER)
        except FileNotFoundError:
            return None
        return left
    if owner is not None and owner.is_publishing() is not False:
        if not place.exists():
            return None
        raise PublishConflictError(
            f"{place} belongs to another attempt of run {staging.run_id!r} (process {owner.pid} on "
            f"{owner.host}, since {owner.created_at}) that may still be publishing; wait for it. "
            "If it is dead, run sparkclean clean-up"
        )
    withdraw(log, place, owner)
    return None


def _names(manifest: Manifest, place: Path) -> bool:
    return any(Path(file.path).parts[1] == place.name for file in manifest.files)


def withdraw(log: ManifestLog, place: Path, owner: Owner | None) -> bool:
    """Remove a data folder that no manifest names, unless somebody takes it over meanwhile.

    Parameters
    ----------
    log : ManifestLog
    location : Path
    owner : Owner or None
        As last seen in it.

    Returns
    -------
    bool
        Whether it was removed.
    """
    check_plain(log.root / STAGING, place)
    aside = log.root / STAGING / f"{_WITHDRAWN}{place.name}-{time.time_ns()}"
    aside.parent.mkdir(parents=True, exist_ok=True)
    try:
        move(log.root, place, aside)
    except FileNotFoundError:
        return False
    fault_point("clean_up.withdrawn")
    if Owner.read(aside / OWNER) != owner or any(_names(m, place) for m in log.all()):
        move(log.root, aside, place)
        return False
    remove_tree(log.root, aside)
    return True


def put_back(log: ManifestLog) -> None:
    """Undo what a `withdraw` that was killed has left undone: data that a manifest names."""
    manifests = log.all()
    for aside in (log.root / STAGING).glob(f"{_WITHDRAWN}*"):
        place = log.root / DATA / aside.name.removeprefix(_WITHDRAWN).rpartition("-")[0]
        if not place.exists() and any(_names(manifest, place) for manifest in manifests):
            move(log.root, aside, place)


def move_back(staging: Staging, place: Path) -> None:
    """Take data out of its location again; nothing names it. Left to clean-up where that fails."""
    data = Path(staging.data_path)
    with suppress(OSError):
        if Owner.read(place / OWNER) == staging.owner and not data.exists():
            place.rename(data)
            if Owner.read(data / OWNER) != staging.owner:
                data.rename(place)


def check_there(log: ManifestLog, manifest: Manifest, place: Path) -> None:
    """Wait for a folder that `withdraw` has moved and puts back."""
    for _ in range(50):
        if place.is_dir():
            return
        time.sleep(0.1)
    raise CommitStateUnknownError(
        f"{log.root}: version {version_name(manifest.number)} was published, but its data in "
        f"{place} are gone; look for them in {log.root / STAGING} and move them back"
    )
