"""A Spark Connect server of its own for one run of the tests, from the pip package of Spark."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyspark

_SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
#: Seconds; the first start on a machine fetches jars.
_PATIENCE = 300


@contextmanager
def connect_server(settings: Mapping[str, str], folder: Path) -> Iterator[str]:
    """Start a server on loopback, yield its address, and stop it.

    Parameters
    ----------
    settings : mapping
        Of Spark.
    folder : Path
        For its settings and its log.

    Yields
    ------
    str
        As ``sc://127.0.0.1:15002``.
    """
    port = _free_port()
    binding = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
    }
    properties, log = folder / "server.conf", folder / "server.log"
    lines = (f"{key} {value}\n" for key, value in (*settings.items(), *binding.items()))
    properties.write_text("".join(lines))
    home = Path(pyspark.__file__).parent
    # the pip package has no start script for it
    command = [str(home / "bin" / "spark-submit"), "--class", _SERVER]
    command += ["--properties-file", str(properties), "spark-internal"]
    environment = os.environ | {"SPARK_HOME": str(home), "PYSPARK_PYTHON": sys.executable}
    with log.open("w") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        _wait(server, port, log)
        yield f"sc://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(60)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"no Connect server: {log.read_text()[-3000:]}")
