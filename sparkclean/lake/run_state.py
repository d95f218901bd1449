"""What an unfinished run must remember, so that a repetition resumes on the same input."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sparkclean.errors import VersionExistsError
from sparkclean.lake.base import Pin
from sparkclean.lake.files import put_if_absent, read_json
from sparkclean.lake.run_ids import safe_run_id, shared_run_id
from sparkclean.lake.writing import write_errors

_FOLDER = "_pins"
#: A mark: a file whose name holds a hash, and which is empty.
_MARK = re.compile(r"[0-9a-f]{64}\.made")
#: Pins in a state of before, by the names that they have now; and the note in it.
_PINS_OF_BEFORE = {"pin": "input", "predictions": "predictions", "test": "test"}
_NOTE_OF_BEFORE = "audit"


@dataclass(frozen=True)
class RunState:
    """The state of an unfinished run.

    Attributes
    ----------
    job, run_id, config_fingerprint, table : str
    version : str or None
        ``input.version``, which the pin of the input is of.
    pins : mapping
        `Pin` by name; ``input`` is the table that the run is about.
    notes : mapping
        What else was decided when the run began, such as the run whose outputs it reads.
    is_of_before : bool
        Whether it was read from a file of before runs were keyed by their job. Its fingerprint is
        by the rule of then, and it may be that of another job; see `load`.
    has_adopted : bool
        Whether it goes on with a state of before, which it stands for from then on.
    has_marks : bool
        Whether the attempts of the run leave marks (`RunMarks`); those of before did not.
    config : mapping
        The configuration, without secrets, to say what has changed; empty in states of before.
    """

    job: str
    run_id: str
    config_fingerprint: str
    table: str
    version: str | None
    pins: Mapping[str, Pin]
    notes: Mapping[str, str] = field(default_factory=dict)
    is_of_before: bool = False
    has_adopted: bool = False
    has_marks: bool = True
    config: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, home: str, job: str, run_id: str) -> RunState | None:
        """Read the state; None where the run is new or finished.

        Parameters
        ----------
        home : str
            Location of the target that keeps the states.
        job : str
        run_id : str
            The scheduler's.

        Returns
        -------
        RunState or None
            A state of before names no job. One with an ``audit`` is a training's, one with
            ``predictions`` an audit's; another may be an audit's or a prediction's, and is returned
            to both as a candidate: the caller compares table, version and fingerprint.
        """
        content = read_json(_path(home, job, run_id))
        if content is not None and "job" in content:
            return cls(
                job=content["job"],
                run_id=content["run_id"],
                config_fingerprint=content["config_fingerprint"],
                table=content["table"],
                version=content["version"],
                pins={name: _pin(pin) for name, pin in content["pins"].items()},
                notes=content["notes"],
                has_adopted=content["has_adopted"],
                has_marks=content.get("has_marks", False),
                config=content.get("config", {}),
            )
        before = read_json(_path_of_before(home, run_id))
        if before is None or job not in _jobs_of_before(before):
            return None
        return cls(
            job=job,
            run_id=before["run_id"],
            config_fingerprint=before["config_fingerprint"],
            table=before["table"],
            version=before.get("version"),
            pins={
                now: _pin(before[then])
                for then, now in _PINS_OF_BEFORE.items()
                if before.get(then) is not None
            },
            notes={k: before[k] for k in (_NOTE_OF_BEFORE,) if before.get(k) is not None},
            is_of_before=True,
            has_marks=False,
        )

    def read(self) -> tuple[object, ...]:
        """Give what is read, and by which configuration."""
        return dict(self.pins), dict(self.notes), self.config_fingerprint

    def check_same(
        self, config_fingerprint: str, table: str, version: str | None, changed: str = ""
    ) -> None:
        """Refuse to resume the run with another configuration or input.

        Parameters
        ----------
        config_fingerprint, table : str
        version : str or None
            As of now.
        changed : str
            The settings that have changed, for the message.

        Raises
        ------
        VersionExistsError
        """
        then = self.config_fingerprint, self.table, self.version
        if then != (config_fingerprint, table, version):
            raise VersionExistsError(
                f"run id {self.run_id!r} was begun with another configuration or input"
                f"{changed and f': {changed}'} "
                f"(fingerprint {self.config_fingerprint} on {_at(self.table, self.version)}, now "
                f"{config_fingerprint} on {_at(table, version)}); use a new run id, or go back to "
                "that configuration to complete it"
            )


def _pin(content: Mapping[str, Any]) -> Pin:
    return Pin.from_json(json.dumps(content))


def _at(table: str, version: str | None) -> str:
    return table if version is None else f"{table} at {version}"


def _path(home: str, job: str, run_id: str) -> Path:
    return _path_of_before(home, shared_run_id(job, run_id))


def _path_of_before(home: str, run_id: str) -> Path:
    return Path(home) / _FOLDER / f"{safe_run_id(run_id)}.json"


def _jobs_of_before(content: Mapping[str, Any]) -> tuple[str, ...]:
    """List the jobs of which a state of before may be."""
    if "job" in content:  # of now: the run id reads like a shared one
        return ()
    if content.get(_NOTE_OF_BEFORE) is not None:
        return ("train",)
    return ("audit", "predict") if content.get("predictions") is None else ("audit",)


def remember_run(home: str, state: RunState) -> None:
    """Keep the state of a run that begins.

    Parameters
    ----------
    home : str
    state : RunState

    Raises
    ------
    VersionExistsError
        If the same run has begun on another input or configuration in the meantime.
    """
    path = _path(home, state.job, state.run_id)
    content = {
        "job": state.job,
        "run_id": state.run_id,
        "config_fingerprint": state.config_fingerprint,
        "table": state.table,
        "version": state.version,
        "pins": {name: json.loads(pin.to_json()) for name, pin in state.pins.items()},
        "notes": dict(state.notes),
        "has_adopted": state.has_adopted,
        "has_marks": state.has_marks,
        "config": dict(state.config),
    }
    with write_errors(home):
        path.parent.mkdir(parents=True, exist_ok=True)
        if put_if_absent(path, json.dumps(content)):
            return
    other = RunState.load(home, state.job, state.run_id)
    if other is not None and other.read() != state.read():
        raise VersionExistsError(
            f"run id {state.run_id!r} has begun on another input or configuration meanwhile; use a "
            "run id of its own for each run"
        )


def forget_run(home: str, job: str, run_id: str, *, adopted: bool = False) -> None:
    """Drop the state of a run that has finished.

    Parameters
    ----------
    home : str
    job : str
    run_id : str
        The scheduler's.
    adopted : bool
        Whether the run has gone on with a state of before (`RunState.has_adopted`): it is dropped,
        too. Otherwise it may be that of another job, and stays.
    """
    if adopted:
        _path_of_before(home, run_id).unlink(missing_ok=True)
    for mark in _marks(home, job, run_id):
        mark.unlink(missing_ok=True)
    _path(home, job, run_id).unlink(missing_ok=True)


# -- marks ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunMarks:
    """Hashes of what the attempts of an unfinished run have made, so that it is known again.

    They lie beside the state of the run. Who can replace what was made, such as models, and cannot
    write there, cannot make the run take the replacement.

    Attributes
    ----------
    home, job, run_id : str
        Of the state.
    is_needed : bool
        Whether what has no mark is refused: `RunState.has_marks`.
    """

    home: str
    job: str
    run_id: str
    is_needed: bool

    def add(self, digest: str) -> None:
        """Mark what is to be known again. Another attempt may add a mark at the same time.

        Parameters
        ----------
        digest : str
            SHA-256, in hexadecimal digits.
        """
        path = self._path(digest)
        with write_errors(self.home):
            path.parent.mkdir(parents=True, exist_ok=True)
            put_if_absent(path, "")

    def has(self, digest: str) -> bool:
        """Tell whether an attempt of this run has marked it."""
        return not self.is_needed or self._path(digest).exists()

    def _path(self, digest: str) -> Path:
        return Path(f"{_path(self.home, self.job, self.run_id).with_suffix('')}.{digest}.made")


def _marks(home: str, job: str, run_id: str) -> list[Path]:
    """List the marks of a run, and none of a run whose name goes on behind a dot."""
    state = _path(home, job, run_id)
    prefix = f"{state.stem}."
    found = state.parent.glob(f"{prefix}*.made")
    return [path for path in found if _MARK.fullmatch(path.name.removeprefix(prefix))]
