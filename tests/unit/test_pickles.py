"""Pickled models: what is read, old names among it, and what is refused."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer

from sparkclean.errors import InputError
from sparkclean.learning import calibration, features, losses, models, robust_classifier
from sparkclean.learning.calibration import Isotonic, Temperature, Uncalibrated, fit_calibration
from sparkclean.learning.features import Block, FeatureMatrix
from sparkclean.learning.final_model import load_model
from sparkclean.learning.model_files import read_models, write_manifest, write_model
from sparkclean.learning.models import FoldModel
from sparkclean.learning.pickles import _OURS, loads, packages_of
from sparkclean.learning.robust_classifier import RobustClassifier
from sparkclean.learning.spark_ml import vectors
from sparkclean.learning.spark_ml.vectors import FoldFacts

ROWS = 60
NUMBERS = np.abs(np.random.default_rng(0).standard_normal((ROWS, 3)))
WORDS = ["cat meows" if i % 2 else "dog barks" for i in range(ROWS)]
GIVEN = np.arange(ROWS) % 2


class Malicious:
    """Whose pickle calls a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def fold_model(estimator: Any, *, texts: bool = False) -> FoldModel:
    block = Block(NUMBERS, (WORDS,) if texts else ())
    matrix = FeatureMatrix().fit(block)
    fitted = estimator.fit(matrix.transform(block), GIVEN)
    return FoldModel(0, matrix, fitted, Uncalibrated(), np.ones(2))


def saved(folder: Path, model: Any, *, estimator: str | None = None) -> Path:
    """A folder with a model, and a manifest by which its hash is right."""
    entry = write_model(folder, model, name="model", training_rows=ROWS, seconds=0.1)
    about = {"classes": ["even", "odd"], "num_numbers": 3}
    about["features"] = {"numbers": ["a", "b", "c"], "lists": [], "vectors": [], "texts": []}
    write_manifest(folder, [entry], estimator, {}, {}, engine="sklearn", versions={}, more=about)
    return folder


@pytest.mark.parametrize(
    ("function", "argument", "name"),
    [
        (os.system, "touch {}", f"{os.system.__module__}.system"),
        (eval, "__import__('pathlib').Path('{}').touch()", "builtins.eval"),
        (subprocess.check_call, "touch {}", "subprocess.check_call"),
        (np.load, "{}", "numpy.load"),
        (getattr, "{}", "builtins.getattr"),
    ],
)
def test_read_models_of_malicious_pickle_refuses_it_though_its_hash_is_right(
    function: Any, argument: str, name: str, tmp_path: Path
) -> None:
    touched = tmp_path / "touched"
    arguments = [argument.format(touched)]
    if function is getattr:
        arguments = [NUMBERS, "tofile"]
    model = fold_model(LogisticRegression())
    object.__setattr__(model, "estimator", Malicious(function, *arguments))
    folder = saved(tmp_path, model)
    for read in (read_models, load_model):
        with pytest.raises(InputError) as caught:
            read(folder)
        (message,) = caught.value.findings
        assert f"names {name}, which no model of sparkclean, scikit-learn, numpy" in message
        assert str(folder / "model-") in message
        assert "Make the models again under a new run id" in message
    assert not touched.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("sparkclean.learning.pickles", "loads"),
        ("sparkclean.learning.models", "FoldModel.predict"),
        ("sparkclean.learning.folds", "TrainFolds"),
        ("sparkclean.predict.models", "RobustClassifier"),
        ("sparkclean.lake", "open_target"),
        ("sklearn.datasets", "fetch_openml"),
        ("sklearn.utils._testing", "assert_run_python_script_without_output"),
        ("sklearn.base", "clone"),
        ("sklearn.base", "warnings"),
        ("sklearn.pipeline", "Pipeline.fit"),
        ("scipy.stats", "rv_continuous"),
        ("numpy", "fromfile"),
        ("numpy.testing._private.utils", "runstring"),
        ("operator", "attrgetter"),
        ("builtins", "__import__"),
        ("pandas", "read_pickle"),
    ],
)
def test_loads_refuses_what_no_model_consists_of(module: str, name: str) -> None:
    content = b"\x80\x04\x8c" + bytes([len(module)]) + module.encode()
    content += b"\x8c" + bytes([len(name)]) + name.encode() + b"\x93."
    with pytest.raises(InputError, match=rf"x\.pickle names {module}\.{name}, which no model"):
        loads(content, "x.pickle")


def test_loads_of_missing_class_names_the_remedy() -> None:
    with pytest.raises(InputError, match=r"needs sklearn\.gone\.Gone, which is not installed .*; "):
        loads(b"csklearn.gone\nGone\n.", "x.pickle")


@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        HistGradientBoostingClassifier(max_iter=2, early_stopping=True, scoring="accuracy"),
        RandomForestClassifier(2, random_state=np.random.RandomState(1)),
        KNeighborsClassifier(algorithm="ball_tree"),
        GridSearchCV(LogisticRegression(), {"C": [1.0, 2.0]}, scoring="accuracy"),
        make_pipeline(SelectKBest(k=2), SplineTransformer(), LogisticRegression()),
        RobustClassifier(losses.ForwardCorrection(np.eye(2)), random_state=0),
    ],
)
def test_read_models_reads_what_classifiers_consist_of(estimator: Any, tmp_path: Path) -> None:
    model = fold_model(estimator)
    (found,) = read_models(saved(tmp_path, model)).values()
    assert (found.predict(Block(NUMBERS, ())) == model.predict(Block(NUMBERS, ()))).all()


def test_read_models_reads_weights_of_texts(tmp_path: Path) -> None:
    model, block = fold_model(LogisticRegression(), texts=True), Block(NUMBERS, (WORDS,))
    (found,) = read_models(saved(tmp_path, model)).values()
    assert (found.predict(block) == model.predict(block)).all()


# -- names of before -----------------------------------------------------------------------------


def pickled_before(kept: Any) -> bytes:
    """Pickle by the names that our classes had in `sparkclean.predict`."""
    homes = [models, features, calibration, vectors, robust_classifier, losses]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "sparkclean.predict", types.ModuleType("sparkclean.predict"))
        for name, (_, old) in _OURS.items():
            (kind,) = {getattr(home, name) for home in homes if hasattr(home, name)}
            full = f"sparkclean.predict.{old}"
            if full not in sys.modules:
                patch.setitem(sys.modules, full, types.ModuleType(full))
            setattr(sys.modules[full], name, kind)
            patch.setattr(kind, "__module__", full)
        return pickle.dumps(kept, protocol=5)


CURVES = Isotonic((None, (np.array([0.0, 1.0]), np.array([0.2, 0.8]))))


@pytest.mark.parametrize(
    "kept",
    [
        Uncalibrated(),
        Temperature(2.0),
        CURVES,
        FoldFacts((0, 1), np.zeros(3), Temperature(2.0), np.ones(2)),
        fold_model(RobustClassifier("generalized_cross_entropy")),
        fold_model(RobustClassifier(losses.ForwardCorrection(np.eye(2)))),
        *[losses.make_loss(name) for name in losses.LOSSES if name != "forward_correction"],
    ],
)
def test_loads_maps_names_of_before(kept: Any) -> None:
    content = pickled_before(kept)
    assert b"sparkclean.predict." in content
    assert b"sparkclean.learning" not in content
    found = loads(content, "x.pickle")
    assert type(found) is type(kept)


@pytest.mark.parametrize("core", [b"numpy.core", b"numpy._core"])
def test_loads_reads_arrays_of_numpy_1_and_2(core: bytes) -> None:
    kept = [np.arange(3.0), np.float64(2.0), np.array(["a", None], object)]
    content = pickle.dumps(kept, protocol=3)  # in which names have no length
    for there in (b"numpy._core", b"numpy.core"):
        content = content.replace(b"c" + there + b".", b"c" + core + b".")
    assert core in content
    found = loads(content, "x.pickle")
    assert (found[0] == kept[0]).all()
    assert found[1] == kept[1]
    assert found[2].tolist() == ["a", None]


# -- estimators of other packages ----------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with a classifier that keeps an object of another one."""
    folder = tmp_path / "packages"
    (folder / "ours_of_test").mkdir(parents=True)
    (folder / "theirs_of_test.py").write_text("class Part:\n    pass\n")
    (folder / "ours_of_test" / "__init__.py").write_text("")
    (folder / "ours_of_test" / "models.py").write_text(
        "from os import system\n"
        "from sklearn.linear_model import LogisticRegression\n"
        "from theirs_of_test import Part\n"
        "class Alone(LogisticRegression):\n"
        "    class Note:\n"
        "        pass\n"
        "    def fit(self, X, y):\n"
        "        self.note_ = self.Note()\n"
        "        return super().fit(X, y)\n"
        "class Mixed(Alone):\n"
        "    def fit(self, X, y):\n"
        "        self.part_ = Part()\n"
        "        return super().fit(X, y)\n"
        "class Named(Mixed):\n"
        "    model_packages = ('theirs_of_test',)\n"
        "class Inherits(Part, LogisticRegression):\n"
        "    pass\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("SPARKCLEAN_ESTIMATOR_PACKAGES", "ours_of_test")
    yield folder
    for name in [name for name in sys.modules if name.startswith(("ours_of_", "theirs_of_"))]:
        del sys.modules[name]


def made(name: str) -> FoldModel:
    from ours_of_test import models  # type: ignore[import-not-found]

    return fold_model(getattr(models, name)())


@pytest.mark.parametrize("name", ["Alone", "Named", "Inherits"])
def test_read_models_reads_estimator_of_own_package(
    name: str, package: Path, tmp_path: Path
) -> None:
    model = made(name)
    folder = saved(tmp_path, model, estimator=f"ours_of_test.models.{name}")
    (found,) = read_models(folder).values()
    assert (found.predict(Block(NUMBERS, ())) == model.predict(Block(NUMBERS, ()))).all()


def test_read_models_of_part_of_third_package_says_how_to_name_it(
    package: Path, tmp_path: Path
) -> None:
    folder = saved(tmp_path, made("Mixed"), estimator="ours_of_test.models.Mixed")
    words = (
        r"names theirs_of_test\.Part, which no model of sparkclean, scikit-learn, numpy, "
        r"ours_of_test consists of; .* name 'theirs_of_test' in model_packages of the estimator's"
    )
    with pytest.raises(InputError, match=words):
        read_models(folder)


def test_read_models_of_package_that_the_manifest_does_not_name_refuses_it(
    package: Path, tmp_path: Path
) -> None:
    folder = saved(tmp_path, made("Alone"))
    with pytest.raises(InputError, match=r"names ours_of_test\.models\.Alone, which no model"):
        read_models(folder)


def test_loads_refuses_what_own_package_has_only_imported(package: Path) -> None:
    content = b"cours_of_test.models\nsystem\n."
    with pytest.raises(InputError, match=r"names ours_of_test\.models\.system, which no model"):
        loads(content, "x.pickle", packages_of("ours_of_test.models.Alone"))


def test_packages_of_estimators(package: Path) -> None:
    assert packages_of(None) == frozenset()
    assert packages_of("os.system") == frozenset()
    assert packages_of("builtins.eval") == frozenset()
    assert packages_of("sparkclean.RobustClassifier") == frozenset()
    assert packages_of("sklearn.svm.SVC") == frozenset()
    assert packages_of("ours_of_test.models.Alone") == {"ours_of_test"}
    assert packages_of("ours_of_test.models.Inherits") == {"ours_of_test", "theirs_of_test"}
    with pytest.raises(InputError, match=r"one of ours_of_test\.models\.Gone, which cannot be"):
        packages_of("ours_of_test.models.Gone")


def test_loads_reads_calibrations_as_tasks_pickle_them() -> None:
    probs, given = np.full((4, 2), 0.5), np.array([0, 1, 1, 0])
    for method in ("none", "temperature", "isotonic"):
        kept = fit_calibration(method, probs, given)
        assert type(loads(pickle.dumps(kept), "x.pickle")) is type(kept)
