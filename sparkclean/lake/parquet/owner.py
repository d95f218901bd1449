"""Who works in a folder, and whether that process still lives."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from sparkclean.errors import SparkCleanError
from sparkclean.lake.files import read_json, replace_durably
from sparkclean.reading import check_fields

#: Tokens of publications that run in this process right now.
_publishing: set[str] = set()


@dataclass(frozen=True)
class Owner:
    """A process, so described that others can tell whether it still lives.

    Attributes
    ----------
    token : str
        Of the attempt, as one process may make several.
    host, boot, pid_namespace : str
        A pid means something within these only.
    pid : int
    process_started : str or None
        In ticks since the boot; a pid alone is given again.
    created_at : str
    """

    token: str
    host: str = field(default_factory=socket.gethostname)
    boot: str = field(default_factory=lambda: _read(Path("/proc/sys/kernel/random/boot_id")))
    pid_namespace: str = field(default_factory=lambda: _link(Path("/proc/self/ns/pid")))
    pid: int = field(default_factory=os.getpid)
    process_started: str | None = field(default_factory=lambda: _started(os.getpid()))
    created_at: str = field(
        default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds")
    )

    def write(self, path: Path) -> None:
        """Write the owner down, whole or not at all."""
        replace_durably(path, json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> Owner | None:
        """Read an owner; None where nobody is named."""
        content = read_json(path)
        try:
            if content is None:
                return None
            owner = cls(**content)
            check_fields(owner)
        except TypeError as exc:
            raise SparkCleanError(f"{path} is damaged: it names no process") from exc
        return owner

    def is_alive(self) -> bool | None:
        """Tell whether the process still runs; None where it cannot be told from here."""
        here = Owner(self.token)
        if self.host == here.host and self.boot != here.boot:
            return False
        if (self.host, self.pid_namespace) != (here.host, here.pid_namespace):
            return None
        if Path("/proc/self/stat").exists():
            return self.process_started is not None and _started(self.pid) == self.process_started
        return _has_pid(self.pid)

    def is_publishing(self) -> bool | None:
        """Tell whether the attempt itself still goes on, as `is_alive`; exact in this process."""
        alive = self.is_alive()
        if alive and self.pid == os.getpid():
            return self.token in _publishing
        return alive

    def __enter__(self) -> Owner:
        _publishing.add(self.token)
        return self

    def __exit__(self, *_: object) -> None:
        _publishing.discard(self.token)


def _started(pid: int) -> str | None:
    """When a process of this host began; None if there is none, or a dead one not yet reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def _has_pid(pid: int) -> bool:
    """Tell whether there is a process of this number, where there is no /proc (macOS)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""
