"""One answer on every processor: the same bits with the vector units of this one switched off.

numpy chooses its inner loops by what the processor can do, and some of them round otherwise
(exponentials, logarithms) or order ties otherwise (sorts). Nothing of that may reach an answer.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sparkclean.confident.issues import audit_arrays
from sparkclean.learning.quality import QualitySums
from sparkclean.numbers.result_hash import result_hash, sum_hashes, suspect_text
from sparkclean.schema import FILTERS, SUSPECT_REASONS
from tests.data import noisy_data

ROOT = Path(__file__).resolve().parents[2]
SIZES = (3, 10, 150)
SCORES = (
    ("self_confidence", False),
    ("normalized_margin", False),
    ("confidence_weighted_entropy", False),
    ("prior_shifted_self_confidence", False),
    ("self_confidence", True),
    ("normalized_margin", True),
)
#: Run in the child with the path of the tables as argument.
CHILD = (
    "import sys; from tests.unit import test_processor_features as t; t.print_answers(sys.argv[1])"
)


def enabled_features() -> list[str]:
    """Name the processor features that numpy chooses loops by, here and now."""
    try:
        from numpy._core import _multiarray_umath as core
    except ImportError:  # numpy 1
        from numpy.core import _multiarray_umath as core
    return [name for name in core.__cpu_dispatch__ if core.__cpu_features__[name]]


def sha256(array: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def answers_of(labels: NDArray[np.int64], probs: NDArray[np.float64]) -> dict[str, str]:
    """Hash all that an audit of arrays computes, and the quality of its probabilities."""
    answers = {}
    for filter_by in FILTERS:
        found = audit_arrays(labels, probs, filter_by=filter_by, frac_noise=0.9)
        issues, suggested = np.flatnonzero(found.is_label_issue), probs.argmax(axis=1)
        texts = [
            suspect_text([int(i)], int(labels[i]), int(suggested[i]), SUSPECT_REASONS[filter_by])
            for i in issues
        ]
        answers[f"result hash of {filter_by}"] = result_hash(
            classes=list(range(probs.shape[1])),
            thresholds=found.thresholds,
            confident_joint=found.noise.confident_joint,
            calibrated_joint=found.noise.calibrated_joint,
            suspects=len(issues),
            suspect_sum=sum_hashes(texts),
        )
    answers["thresholds"] = sha256(found.thresholds)
    answers["outcomes"] = sha256(found.outcomes)
    for name in ("joint", "given_prior", "true_prior", "noise_matrix", "inverse_noise_matrix"):
        answers[name] = sha256(getattr(found.noise, name))
    for method, adjusted in SCORES:
        found = audit_arrays(labels, probs, ranked_by=method, adjust_pred_probs=adjusted)
        answers[f"{method}, adjusted {adjusted}"] = sha256(found.label_quality)
    sums = QualitySums(3, probs.shape[1])
    sums.add(np.arange(len(labels)) % 3, labels, probs)
    answers["quality"] = sha256(sums.state())
    return answers


def read_answers(path: str) -> dict[str, dict[str, str]]:
    with np.load(path) as tables:
        names = sorted({name.partition("/")[0] for name in tables})
        return {n: answers_of(tables[f"{n}/labels"], tables[f"{n}/probs"]) for n in names}


def print_answers(path: str) -> None:
    """Report from the child."""
    json.dump({"features": enabled_features(), "answers": read_answers(path)}, sys.stdout)


def run_child(path: Path, disabled: list[str]) -> dict[str, Any]:
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(disabled)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHILD, str(path)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the tables once: exponentials, too, differ with the processor's features."""
    path = tmp_path_factory.mktemp("processor") / "tables.npz"
    arrays = {}
    for size in SIZES:
        for ties in (False, True):
            labels, probs = noisy_data(600, size, noise=0.3, seed=size, ties=ties and size < 150)
            if ties and size == 150:  # too many classes for a grid of twentieths: repeated rows
                probs = np.tile(probs[:60], (10, 1))
            arrays[f"K={size} ties={ties}/labels"] = labels
            arrays[f"K={size} ties={ties}/probs"] = probs
    np.savez(path, **arrays)
    return path


@pytest.fixture(scope="module")
def plain_child(tables: Path) -> dict[str, Any]:
    """Answers of a child in which every feature is off that can be."""
    if not enabled_features():
        pytest.skip("numpy knows no features of this processor that can be switched off")
    return run_child(tables, enabled_features())


def test_processor_features_of_the_child_are_switched_off(plain_child: dict[str, Any]) -> None:
    assert enabled_features()
    assert plain_child["features"] == []


def test_audit_without_processor_features_has_the_same_bits(
    tables: Path, plain_child: dict[str, Any]
) -> None:
    ours = read_answers(str(tables))
    assert len(ours) == 2 * len(SIZES)
    assert all(len(answers) == 21 for answers in ours.values())
    assert plain_child["answers"] == ours


def test_audit_answers_of_different_tables_differ(tables: Path) -> None:
    for name in ("thresholds", "self_confidence, adjusted True", "quality"):
        assert len({answers[name] for answers in read_answers(str(tables)).values()}) == 6
