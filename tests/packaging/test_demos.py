"""The demos of the Makefile find the labels that they have flipped."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.packaging.checkout import copy_checkout, make_command, run


@pytest.mark.parametrize("demo", ["demo", "demo-delta", "demo-iceberg"])
def test_demo_finds_the_flipped_labels(tmp_path: Path, demo: str) -> None:
    done = run([*make_command(), demo], copy_checkout(tmp_path), timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    found = dict(re.findall(r"^(precision|recall) +([\d.]+)%$", done.stdout, re.MULTILINE))
    assert float(found["precision"]) > 60
    assert float(found["recall"]) > 60
    head, *top, nothing, title, shown, listed, page = done.stdout.rstrip().splitlines()[-16:]
    assert head.split() == ["rank", "id", "given", "suggested", "true", "self_confidence"]
    assert [line.split()[0] for line in top] == [str(rank) for rank in range(1, 11)]
    assert (nothing, title) == ("", "go on:")
    assert "sparkclean show " in shown
    assert "sparkclean versions " in listed
    assert page.startswith("look at the digits: file:///")
