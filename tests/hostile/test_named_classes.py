"""A configuration, or a manifest, names code: only classes of known packages are ever called."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

from sparkclean.commands import jobs
from sparkclean.commands.main import main
from sparkclean.config.sections import PredictSection
from sparkclean.errors import ConfigError, InputError, SparkCleanError
from sparkclean.learning import named_classes
from sparkclean.learning.estimators import make_estimator
from sparkclean.learning.folds import TrainFolds
from sparkclean.learning.named_classes import MORE_PACKAGES
from sparkclean.learning.pickles import packages_of
from sparkclean.learning.spark_ml.estimators import make_spark_estimator


def make_of_sklearn(path: str) -> Any:
    return make_estimator(path, {}, scaled=False)


def make_of_spark(path: str) -> Any:
    predict = PredictSection(features=["x"], engine="spark-ml", estimator=path)
    return make_spark_estimator(predict, rows=1, classes=2, sparse=False)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package whose import leaves a file, and so does every call of what is in it."""
    touched = tmp_path / "touched"
    (tmp_path / "hostile_of_test.py").write_text(
        "import os, pathlib\n"
        f"touched = pathlib.Path({str(touched)!r})\n"
        "touched.touch()\n"
        "from sklearn.linear_model import LogisticRegression\n"
        "class NoClassifier:\n"
        "    def __init__(self, **_): touched.with_name('called').touch()\n"
        "def classifier(**_):\n"
        "    touched.with_name('called').touch()\n"
        "    return LogisticRegression()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield touched
    sys.modules.pop("hostile_of_test", None)


@pytest.mark.parametrize("make", [make_of_sklearn, make_of_spark])
@pytest.mark.parametrize(
    "path",
    ["os.system", "subprocess.Popen", "builtins.exec", "sys.exit", "sklearnx.Forest", "system", "",
     "sklearn", "pyspark.sql.SparkSession", "numpy.load", "joblib.Parallel"],
)  # fmt: skip
def test_estimator_of_no_known_package_is_refused(path: str, make: Callable[[str], Any]) -> None:
    with pytest.raises(
        ConfigError, match=r"predict\.estimator: .*(is in no allowed package|the path of a)"
    ):
        make(path)


@pytest.mark.parametrize("make", [make_of_sklearn, make_of_spark])
def test_estimator_of_no_known_package_is_not_even_imported(
    make: Callable[[str], Any], package: Path
) -> None:
    with pytest.raises(ConfigError, match=f"set {MORE_PACKAGES}=hostile_of_test in the env"):
        make("hostile_of_test.NoClassifier")
    with pytest.raises(InputError, match=r"the model is not loaded: .* was not imported"):
        packages_of("hostile_of_test.NoClassifier")
    assert "hostile_of_test" not in sys.modules
    assert not package.exists()


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("hostile_of_test.NoClassifier", "no fit and predict_proba|no estimator of Spark ML"),
        ("hostile_of_test.classifier", "is no class"),
        ("hostile_of_test.os", "is no class"),
    ],
)
@pytest.mark.parametrize("make", [make_of_sklearn, make_of_spark])
def test_estimator_that_is_no_classifier_is_never_called(
    path: str, said: str, make: Callable[[str], Any], package: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv(MORE_PACKAGES, "another, hostile_of_test")
    with pytest.raises(ConfigError, match=said):
        make(path)
    assert package.exists()  # imported it was
    assert not package.with_name("called").exists()


def test_estimator_that_a_module_has_only_imported_is_one_of_its_own_package(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MORE_PACKAGES, "hostile_of_test")
    made = make_of_sklearn("hostile_of_test.LogisticRegression")
    assert type(made).__module__.startswith("sklearn.")
    monkeypatch.setattr(named_classes, "_PACKAGES", ("pyspark.ml",))
    with pytest.raises(ConfigError, match="is in no allowed package"):
        make_of_sklearn("hostile_of_test.LogisticRegression")


def test_configuration_cannot_add_a_package(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Neither a setting of Spark nor one that reads like the variable's name."""
    path = tmp_path / "config.yaml"
    path.write_text(
        "input: {table: in}\n"
        "predict: {features: x, estimator: os.system, params: {command: touch called}}\n"
        f"spark: {{spark.executorEnv.{MORE_PACKAGES}: os}}\n"
    )
    assert main(["predict", "--config", str(path), "--set", f"{MORE_PACKAGES}=os"]) == 2
    assert "unknown key" in capsys.readouterr().err


def test_tasks_take_the_packages_of_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MORE_PACKAGES, "mine")
    given = [one.name for one in fields(TrainFolds) if one.default_factory is MISSING]
    train = TrainFolds(**dict.fromkeys(given))  # type: ignore[arg-type]
    monkeypatch.delenv(MORE_PACKAGES)
    assert "mine" in train.packages
    assert "mine" not in named_classes.known_packages()


# -- a library that ends the process -------------------------------------------------------------


@pytest.mark.parametrize("code", [0, None, 3, "text"])
def test_main_library_that_ends_the_process_exits_1(
    code: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    def end(*_: Any, **__: Any) -> None:
        raise SystemExit(code)

    monkeypatch.setattr("sparkclean.commands.main.show", end)
    assert main(["show", "out"]) == 1
    assert "error: SystemExit" in capsys.readouterr().err


@pytest.mark.parametrize("where", ["_check_early", "open_session"])
def test_open_jobs_library_that_ends_the_process_is_an_error(
    monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def end(*_: Any, **__: Any) -> None:
        sys.exit(0)

    monkeypatch.setattr(jobs, "find_session", lambda: None)
    monkeypatch.setattr(jobs, "_check_early", lambda *_: None)
    monkeypatch.setattr(jobs, where, end)
    with pytest.raises(SparkCleanError, match=r"ended the process \(SystemExit: 0\)") as caught:
        jobs.run_job("audit", {"input": {"table": "data/in"}})
    assert caught.value.exit_code == 1


@pytest.mark.full
def test_predict_of_a_command_by_name_runs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "input: {table: in}\n"
        f"predict: {{features: x, estimator: os.system, params: {{command: touch {tmp_path}/a}}}}\n"
    )
    command = [sys.executable, "-m", "sparkclean", "predict", "--config", str(path), "--dry-run"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert "'os.system' is in no allowed package" in done.stderr
    assert not (tmp_path / "a").exists()
