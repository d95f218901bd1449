"""Fault points: named places at which tests make a run die."""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sparkclean.faults import InjectedFault, fault_point, fault_points, watched

REPOSITORY = Path(__file__).resolve().parents[2]
NAME = "run.pinned"
OTHER = "run.audited"


def die_at(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.delenv("SPARKCLEAN_FAULT", raising=False)
    fault_point(NAME)  # forgets earlier passages
    monkeypatch.setenv("SPARKCLEAN_FAULT", wanted)


def test_fault_point_without_the_variable_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPARKCLEAN_FAULT", raising=False)
    for name in fault_points():
        fault_point(name)


def test_fault_point_raises_where_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    die_at(monkeypatch, f"{NAME}:raise")
    fault_point(OTHER)
    with pytest.raises(InjectedFault, match=f"^{NAME}$"):
        fault_point(NAME)


def test_fault_point_raises_once(monkeypatch: pytest.MonkeyPatch) -> None:
    die_at(monkeypatch, f"{NAME}#2:raise")
    fault_point(NAME)
    with pytest.raises(InjectedFault):
        fault_point(NAME)
    # a retry begins to count anew
    fault_point(NAME)
    with pytest.raises(InjectedFault):
        fault_point(NAME)


def test_fault_point_counts_its_own_passages_only(monkeypatch: pytest.MonkeyPatch) -> None:
    die_at(monkeypatch, f"{NAME}#2:raise")
    fault_point(NAME)
    fault_point(OTHER)
    with pytest.raises(InjectedFault):
        fault_point(NAME)


def test_fault_point_kills_as_kill_9_does() -> None:
    code = f"from sparkclean.faults import fault_point; fault_point({NAME!r}); print('alive')"
    environ = {**os.environ, "SPARKCLEAN_FAULT": f"{NAME}:kill"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")


@pytest.mark.parametrize(
    "wanted", ["nope:raise", f"{NAME}:explode", f"{NAME}", f"{NAME}:", ":raise", f"{NAME} :kill"]
)
def test_fault_point_wrong_variable_is_refused(
    monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    die_at(monkeypatch, wanted)
    with pytest.raises(ValueError, match="write <fault point>"):
        fault_point(OTHER)


def test_fault_point_unknown_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPARKCLEAN_FAULT", raising=False)
    with pytest.raises(ValueError, match="'nope' is no fault point"):
        fault_point("nope")


def test_fault_points_are_different() -> None:
    assert len(set(fault_points())) == len(fault_points())


def test_fault_points_are_all_somewhere_in_the_package() -> None:
    patterns: set[str] = set()
    for path in (REPOSITORY / "sparkclean").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "fault_point":
                patterns.add(_pattern(node.args[0]))
    literal = {re.sub(r"\\(.)", r"\1", pattern) for pattern in patterns if ".+" not in pattern}
    assert literal <= set(fault_points())
    missing = [name for name in fault_points() if not any(re.fullmatch(p, name) for p in patterns)]
    assert missing == []


def _pattern(node: ast.expr) -> str:
    """Regular expression of the names that an argument may have."""
    if isinstance(node, ast.Constant):
        return re.escape(str(node.value))
    if isinstance(node, ast.JoinedStr):
        return "".join(
            _pattern(part) if isinstance(part, ast.Constant) else ".+" for part in node.values
        )
    raise AssertionError(f"line {node.lineno}: a fault point is named by a literal")


def test_watched_sees_every_passage_and_only_its_own_time() -> None:
    passed: list[str] = []
    with watched(passed.append):
        fault_point(NAME)
        fault_point(OTHER)
    fault_point(NAME)
    assert passed == [NAME, OTHER]


def test_watched_what_the_function_raises_ends_the_run_there() -> None:
    def act(_: str) -> None:
        raise KeyError(NAME)

    with watched(act), pytest.raises(KeyError):
        fault_point(NAME)
    fault_point(NAME)
