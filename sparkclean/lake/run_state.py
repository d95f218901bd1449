"""What an unfinished run must remember, so that a repetition resumes on the same input."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from sparkclean.errors import VersionExistsError
from sparkclean.lake.base import Pin
from sparkclean.lake.files import put_if_absent, read_json, write_errors
from sparkclean.lake.run_ids import safe_run_id

_FOLDER = "_pins"


@dataclass(frozen=True)
class RunState:
    """The state of an unfinished run.

    Attributes
    ----------
    run_id, config_fingerprint, table : str
    pin : Pin
    version : str or None
        ``input.version``, which the pin is of.
    predictions : Pin or None
        Of ``input.predictions``.
    audit : str or None
        Run id of the audit by which a model is trained.
    test : Pin or None
        Of the table on which it is measured.
    """

    run_id: str
    config_fingerprint: str
    table: str
    pin: Pin
    version: str | None = None
    predictions: Pin | None = None
    audit: str | None = None
    test: Pin | None = None

    @classmethod
    def load(cls, home: str, run_id: str) -> RunState | None:
        """Read the state; None where the run is new or finished.

        Parameters
        ----------
        home : str
            Location of the target that keeps the states.
        run_id : str

        Returns
        -------
        RunState or None
        """
        content = read_json(_path(home, run_id))
        if content is None:
            return None
        return cls(
            run_id=content["run_id"],
            config_fingerprint=content["config_fingerprint"],
            table=content["table"],
            pin=Pin.from_json(json.dumps(content["pin"])),
            version=content.get("version"),
            predictions=_pin(content.get("predictions")),
            audit=content.get("audit"),
            test=_pin(content.get("test")),
        )

    def read(self) -> tuple[object, ...]:
        """Give what is read, and by which configuration."""
        return self.pin, self.predictions, self.audit, self.test, self.config_fingerprint

    def check_same(self, config_fingerprint: str, table: str, version: str | None) -> None:
        """Refuse to resume the run with another configuration or input.

        Parameters
        ----------
        config_fingerprint, table : str
        version : str or None
            As of now.

        Raises
        ------
        VersionExistsError
        """
        then = self.config_fingerprint, self.table, self.version
        if then != (config_fingerprint, table, version):
            raise VersionExistsError(
                f"run id {self.run_id!r} was begun with another configuration or input "
                f"(fingerprint {self.config_fingerprint} on {_at(self.table, self.version)}, now "
                f"{config_fingerprint} on {_at(table, version)}); use a new run id, or go back to "
                "that configuration to complete it"
            )


def _pin(content: object) -> Pin | None:
    return None if content is None else Pin.from_json(json.dumps(content))


def _at(table: str, version: str | None) -> str:
    return table if version is None else f"{table} at {version}"


def _path(home: str, run_id: str) -> Path:
    return Path(home) / _FOLDER / f"{safe_run_id(run_id)}.json"


def remember_run(home: str, state: RunState) -> None:
    """Keep the state of a run that begins.

    Parameters
    ----------
    home : str
    state : RunState

    Raises
    ------
    VersionExistsError
        If the same run id has begun on another input or configuration in the meantime.
    """
    path = _path(home, state.run_id)
    with write_errors(home):
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "run_id": state.run_id,
            "config_fingerprint": state.config_fingerprint,
            "table": state.table,
            "pin": json.loads(state.pin.to_json()),
            "version": state.version,
        }
        for name, pin in (("predictions", state.predictions), ("test", state.test)):
            if pin is not None:
                content[name] = json.loads(pin.to_json())
        if state.audit is not None:
            content["audit"] = state.audit
        if put_if_absent(path, json.dumps(content)):
            return
    other = RunState.load(home, state.run_id)
    if other is not None and other.read() != state.read():
        raise VersionExistsError(
            f"run id {state.run_id!r} has begun on another input or configuration meanwhile; use a "
            "run id of its own for each run"
        )


def forget_run(home: str, run_id: str) -> None:
    """Drop the state of a run that has finished."""
    _path(home, run_id).unlink(missing_ok=True)
