"""The Java process of a Spark that starts here: ours from the first moment, it ends with us."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sparkclean.errors import SparkCleanError
from sparkclean.rows.java_noise import forward
from sparkclean.rows.settings_file import settings_in_file
from sparkclean.rows.worker_python import set_python_of_tasks

#: Seconds that Spark has to stop after an interrupt.
_PATIENCE = 20.0
#: Seconds in which what a dead Java has said is passed on.
_LAST_WORDS = 2.0


class Java:
    """The Java process of a session that we start.

    Parameters
    ----------
    quiet : bool
        Whether to leave out what Java says at each start.

    Attributes
    ----------
    process : subprocess.Popen or None
        None where there is no Java of ours: none has been started yet, pyspark has one from
        before, or spark-submit started us.
    is_starting : bool
        Whether the session is not there yet.

    Notes
    -----
    pyspark starts Java, too. But after an interrupt it removes the folder in which Java is to say
    where it listens, and does not know the process. Java then fails at that folder before it looks
    whether we live, and stays for ever (seen on 3.5 and 4.1).
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self.process: subprocess.Popen[bytes] | None = None
        self.is_starting = True
        self._timer: threading.Timer | None = None
        self._words: threading.Thread | None = None

    def start_context(self, settings: Mapping[str, str]) -> None:
        """Start Spark, and Java for it where there is none.

        Parameters
        ----------
        settings : mapping
            Of Spark.

        Raises
        ------
        SparkCleanError
            If Java ends before it listens.
        """
        from pyspark import SparkConf, SparkContext  # noqa: PLC0415

        if SparkContext._active_spark_context is not None:
            return
        handler = signal.getsignal(signal.SIGINT)
        try:
            if SparkContext._gateway is None and "PYSPARK_GATEWAY_PORT" not in os.environ:
                with settings_in_file(settings):
                    gateway = self._launch()
                # whatever said so: our settings, a file of Spark's, PYSPARK_SUBMIT_ARGS
                set_python_of_tasks(SparkConf(_jvm=gateway.jvm).get)
                SparkContext(gateway=gateway)
            else:
                SparkContext(conf=SparkConf().setAll(list(settings.items())))
        except BaseException:
            if self.process is not None:
                self.kill()
                self.process.wait()
                SparkContext._gateway = SparkContext._jvm = None
            raise
        if threading.current_thread() is threading.main_thread():
            # the handler that pyspark has put there asks Java to cancel all jobs, and fails where
            # the main thread waits for an answer of Java; stopping the session cancels them too
            signal.signal(signal.SIGINT, handler)

    def _launch(self) -> Any:
        from pyspark.find_spark_home import _find_spark_home  # noqa: PLC0415
        from pyspark.java_gateway import launch_gateway  # noqa: PLC0415

        home: str = _find_spark_home()  # type: ignore[no-untyped-call]
        command = [str(Path(home, "bin", "spark-submit"))]
        command += shlex.split(os.environ.get("PYSPARK_SUBMIT_ARGS", "pyspark-shell"))
        folder = Path(tempfile.mkdtemp(prefix="sparkclean-"))
        place = folder / "connection"
        told = {"SPARK_CONNECT_MODE": "0", "_PYSPARK_DRIVER_CONN_INFO_PATH": str(place)}
        # until Java is heard of, or dead, it needs the folder
        try:
            said = _wait_for(place, self._start_process(command, told))
            # a port and a length of four bytes each, and a secret of that length
            port, secret = int.from_bytes(said[:4], "big"), said[8:].decode()
            listens = {"PYSPARK_GATEWAY_PORT": str(port), "PYSPARK_GATEWAY_SECRET": secret}
            with _environment(listens):
                return launch_gateway()  # type: ignore[no-untyped-call]
        except BaseException:
            self.kill()
            if self._words is not None:  # what it has said of the reason stands before our words
                self._words.join(_LAST_WORDS)
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _start_process(
        self, command: Sequence[str], variables: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Start the process in a thread: there no interrupt comes between it and its number."""
        started = None
        try:
            with ThreadPoolExecutor(1) as pool:
                started = pool.submit(
                    subprocess.Popen,
                    command,
                    stdin=subprocess.PIPE,  # Java ends when this does
                    # not our own streams: Java may live longer than we do, and who reads our
                    # output would wait for it
                    stdout=subprocess.PIPE if self._quiet else None,
                    stderr=subprocess.STDOUT if self._quiet else None,
                    env=os.environ | variables,
                    start_new_session=True,  # Ctrl-C on a terminal is for us alone
                )
        finally:
            if started is not None:
                self.process = started.result()
        if self.process.stdout is not None:
            self._words = forward(self.process.stdout)
        return self.process

    def interrupted(self) -> None:
        """End with us: at once while the session starts, else when Spark does not stop in time."""
        if self.is_starting:
            self.kill()
        elif self._timer is None:
            self._timer = threading.Timer(_PATIENCE, self.kill)
            self._timer.daemon = True
            self._timer.start()

    def stopped(self) -> None:
        """Take note that Spark has stopped: the next session may use this Java."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def kill(self) -> None:
        """Kill the process, if it is ours: of a Java that starts, nobody is answered any more."""
        if self.process is not None and self.process.poll() is None:
            # with what spark-submit has started to find out how to start Java
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


def _wait_for(place: Path, process: subprocess.Popen[bytes]) -> bytes:
    """Wait until Java has said where it listens."""
    while not place.exists():
        if process.poll() is not None:
            raise SparkCleanError("Java ended before it listened")
        time.sleep(0.05)
    return place.read_bytes()


@contextmanager
def _environment(more: Mapping[str, str]) -> Iterator[None]:
    """Add variables for a while; they must not reach processes that we start later."""
    os.environ.update(more)
    try:
        yield
    finally:
        for name in more:
            del os.environ[name]
