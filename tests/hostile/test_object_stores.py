"""Delta by path and Iceberg in a catalog at an object store: a real protocol, by moto."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyspark
import pytest

ROOT = Path(__file__).resolve().parents[2]
#: Seconds after which a child hangs.
PATIENCE = 1200


@pytest.fixture(scope="module")
def store() -> Iterator[int]:
    """Start a store with the bucket ``bucket``; give its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    make = urllib.request.Request(f"http://127.0.0.1:{port}/bucket", method="PUT")
    try:
        for _ in range(120):
            assert server.poll() is None, "moto has ended"
            try:
                urllib.request.urlopen(make, timeout=10).close()
                break
            except urllib.error.URLError:
                time.sleep(0.5)
        yield port
    finally:
        server.kill()
        server.wait()


@pytest.fixture(scope="module")
def found(store: int, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("store")
    command = [sys.executable, "-m", "tests.hostile.object_store", str(store), str(folder)]
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    return json.loads((folder / "found.json").read_text())


pytestmark = [
    pytest.mark.full,  # five audits, each of some hundred requests
    pytest.mark.skipif(
        not pyspark.__version__.startswith("4.1"),
        reason="the package is that of Spark 4.1's Hadoop",
    ),
]


@pytest.mark.parametrize("kind", ["delta", "iceberg"])
def test_audit_at_an_object_store_makes_outputs_that_are_not_there(
    found: dict[str, Any], kind: str
) -> None:
    planned, *statuses = found[kind]["statuses"]
    assert planned == "planned"
    assert set(statuses) == {"published"}
    counts = found[kind]["counts"]
    number, *others = set(counts["suspects"].values())
    assert number > 0
    assert not others
    assert counts["cleaned"] == 300 - number
    assert set(counts["runs"].values()) == {1}
    assert (
        set(counts["suspects"])
        == set(counts["runs"])
        == ({"r1", "r2"} if kind == "delta" else {"r1"})
    )


def test_audit_at_an_object_store_says_what_is_wrong(found: dict[str, Any]) -> None:
    wrong = found["wrong"]
    assert wrong["no table"].startswith("3: s3a://bucket/nothing: there is no such table")
    assert wrong["parquet"].startswith("2: output.")
    assert "'s3a://bucket/files/" in wrong["parquet"]
    for name in ("no bucket", "no file system", "no file system of outputs"):
        assert wrong[name].startswith("2: "), wrong[name]
        assert "this session cannot look there" in wrong[name]
