"""A shell that stays, so that `cd` and variables of one command hold for the next."""

from __future__ import annotations

import os
import selectors
import shlex
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_CHUNK = 1 << 16


@dataclass(frozen=True)
class Said:
    """What a command has printed, and how it ended.

    Attributes
    ----------
    code : int
        Exit code.
    both : str
        stdout and stderr, as they came.
    stdout, stderr : str
    """

    code: int
    both: str
    stdout: str
    stderr: str


class Shell:
    """A process of bash in a folder.

    Parameters
    ----------
    folder : Path
    environ : mapping
    scratch : Path
        For its own files.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], scratch: Path) -> None:
        self._script = scratch / "command.sh"
        self._answers, told = os.pipe()
        self._told = told
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder, env=dict(environ), pass_fds=[told],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        os.close(told)

    def run(self, command: str, *, seconds: float = 600) -> Said:
        """Run a command.

        Parameters
        ----------
        command : str
            One or more lines.
        seconds : float
            After which the shell is killed.

        Returns
        -------
        Said

        Raises
        ------
        TimeoutError
        """
        process = self._process
        assert process.stdin
        assert process.stdout
        assert process.stderr
        self._script.write_text(command + "\n")
        line = f". {shlex.quote(str(self._script))} </dev/null; echo $? >&{self._told}\n"
        process.stdin.write(line.encode())
        process.stdin.flush()
        streams = {"stderr": process.stderr.fileno(), "stdout": process.stdout.fileno()}
        parts: list[tuple[str, bytes]] = []
        answer, until = b"", time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            for name, number in (*streams.items(), ("answer", self._answers)):
                os.set_blocking(number, False)
                selector.register(number, selectors.EVENT_READ, name)
            while not answer:
                ready = {key.data for key, _ in selector.select(until - time.monotonic())}
                if not ready:
                    process.kill()
                    raise TimeoutError(f"after {seconds:.0f} s: {command}")
                if "answer" in ready:  # what was printed before it is in the pipes by now
                    answer = os.read(self._answers, 64) or b"ended"
                for name, number in streams.items():
                    while data := _read(number):
                        parts.append((name, data))
                    if data == b"" and name in ready:
                        with_end = selector.get_map()
                        if number in with_end:
                            selector.unregister(number)
        code = process.wait() if answer == b"ended" else int(answer)

        def text(*names: str) -> str:
            return b"".join(data for name, data in parts if name in names).decode(errors="replace")

        return Said(code, text("stdout", "stderr"), text("stdout"), text("stderr"))

    def close(self) -> None:
        """End the shell."""
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream
            stream.close()
        os.close(self._answers)


def _read(number: int) -> bytes | None:
    """Read what is there: None where nothing is, no bytes at the end."""
    try:
        return os.read(number, _CHUNK)
    except BlockingIOError:
        return None
