"""The files in conf/ name the packages that the messages and the tests name."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparkclean.lake.formats import package_of

CONF = Path(__file__).resolve().parents[2] / "conf"
KINDS = {"delta": ["delta"], "iceberg": ["iceberg"], "both": ["delta", "iceberg"]}


@pytest.mark.parametrize("file", KINDS)
@pytest.mark.parametrize(
    ("version", "start"),
    [("4.1.4", "spark.jars.packages"), ("4.0.5", "#   4.0  "), ("3.5.9", "#   3.5  ")],
)
def test_spark_defaults_name_the_packages_of_each_version(
    file: str, version: str, start: str
) -> None:
    lines = (CONF / f"spark-defaults-{file}.conf").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(start)]
    wanted = ",".join(package_of(kind, version) for kind in KINDS[file])
    assert line.removeprefix(start).strip() == wanted
