"""Read pickled models, and refuse what no model consists of.

A pickle names functions that are called when it is read. Here it may name only our own classes,
those of scikit-learn and of the estimator's package, and what arrays are made of. This stops a file
that runs commands; it is no sandbox for whoever can replace a model by one of their own. Runs on
executors.
"""

from __future__ import annotations

import importlib
import io
import pickle
import sys
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from sparkclean.errors import InputError
from sparkclean.learning.named_classes import is_known, known_packages, unknown_package

#: Our classes in models: where each is now below `sparkclean.learning`, and where it was below
#: `sparkclean.predict`, as older models have it.
_OURS = {
    "FoldModel": ("models", "models"),
    "FeatureMatrix": ("features", "features"),
    "Encoding": ("encoding", ""),
    "Uncalibrated": ("calibration", "calibration"),
    "Temperature": ("calibration", "calibration"),
    "Isotonic": ("calibration", "calibration"),
    "ChosenCalibration": ("chosen_calibration", ""),
    "FoldFacts": ("spark_ml.vectors", "vectors"),
    "RobustClassifier": ("robust_classifier", "robust_classifier"),
    "CrossEntropy": ("losses", "losses"),
    "SymmetricCrossEntropy": ("losses", "losses"),
    "GeneralizedCrossEntropy": ("losses", "losses"),
    "MeanAbsoluteError": ("losses", "losses"),
    "SoftBootstrapping": ("losses", "losses"),
    "HardBootstrapping": ("losses", "losses"),
    "ForwardCorrection": ("losses", "losses"),
}
#: Values of the standard library.
_STANDARD = {
    "builtins": {
        "bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list",
        "object", "range", "set", "slice", "str", "tuple",
    },
    "collections": {"Counter", "OrderedDict", "defaultdict", "deque"},
    "copyreg": {"_reconstructor"},
    "datetime": {"date", "datetime", "time", "timedelta", "timezone"},
    "decimal": {"Decimal"},
    "fractions": {"Fraction"},
    "functools": {"partial"},
}  # fmt: skip
#: What arrays and random numbers are made of; ``numpy.core`` is ``numpy._core`` since numpy 2.
_CORES = ("numpy._core", "numpy.core")
_CORE = _CORES[int(np.__version__.partition(".")[0]) < 2]
_NUMPY = {
    "numpy": {"dtype", "ndarray"},
    f"{_CORE}.multiarray": {"_reconstruct", "scalar"},
    f"{_CORE}.numeric": {"_frombuffer"},
    "numpy.ma": {"MaskedArray"},
    "numpy.ma.core": {"MaskedArray", "_mareconstruct"},
    "numpy.random._mt19937": {"MT19937"},
    "numpy.random._pcg64": {"PCG64", "PCG64DXSM"},
    "numpy.random._philox": {"Philox"},
    "numpy.random._sfc64": {"SFC64"},
    "numpy.random._pickle": {"__bit_generator_ctor", "__generator_ctor", "__randomstate_ctor"},
    "numpy.random.bit_generator": {"SeedSequence", "__pyx_unpickle_SeedSequence"},
}
#: Classes of these are in models of scikit-learn.
_SCIPY = ("scipy.interpolate", "scipy.sparse", "scipy.spatial")
#: Parts of scikit-learn that fetch, write or run something; no model consists of them.
_NO_MODELS = ("_build_utils", "_testing", "conftest", "datasets", "externals", "tests")
#: Functions of scikit-learn that a classifier may keep: scores.
_SCORES = ("sklearn.feature_selection", "sklearn.metrics")
#: Methods of itself that a classifier keeps: `HistGradientBoostingClassifier` does.
_METHODS = {"_raw_predict"}
#: Packages that have rules of their own.
_RULED = {"numpy", "scipy", "sklearn", "sparkclean"}
#: Attribute by which an estimator's class names more packages of which its models consist.
_MORE = "model_packages"


def packages_of(estimator: str | None, packages: Sequence[str] | None = None) -> frozenset[str]:
    """Find the packages that an estimator's class comes from.

    Parameters
    ----------
    estimator : str or None
        Import path. Its class may inherit from classes of other packages, and name more of them:
        ``model_packages = ("torch",)``.
    packages : sequence of str, optional
        That it may be of; `known_packages` by default.

    Returns
    -------
    frozenset of str
        Beside scikit-learn, numpy, scipy and ours; never one of the standard library.

    Raises
    ------
    InputError
        If there is no such class, or it is of another package, which is not imported then.
    """
    module, _, name = (estimator or "").rpartition(".")
    root = _root(module)
    if not root or root in _RULED or root in sys.stdlib_module_names:
        return frozenset()
    allowed = known_packages() if packages is None else packages
    if not is_known(module, allowed):
        raise InputError(f"the model is not loaded: {unknown_package(str(estimator), allowed)}")
    try:
        kind = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as exc:
        raise InputError(
            f"the model is one of {estimator}, which cannot be imported ({exc}); install its "
            "package, in the version of the training"
        ) from exc
    homes = [getattr(one, "__module__", "") for one in getattr(kind, "__mro__", (kind,))]
    found = {root, *map(_root, homes), *getattr(kind, _MORE, ())}
    return frozenset(found - _RULED - sys.stdlib_module_names)


def loads(content: bytes, subject: str, packages: Collection[str] = ()) -> Any:
    """Read a pickle of ours.

    Parameters
    ----------
    content : bytes
    subject : str
        What it is, for the message.
    packages : collection of str
        By `packages_of`.

    Returns
    -------
    object

    Raises
    ------
    InputError
        If it names something that is no part of a model, or that is not installed.
    """
    return _Unpickler(content, subject, packages).load()


class _Unpickler(pickle.Unpickler):
    def __init__(self, content: bytes, subject: str, packages: Collection[str]) -> None:
        super().__init__(io.BytesIO(content))
        self._subject = subject
        self._packages = packages

    def find_class(self, module: str, name: str) -> Any:
        for core in _CORES:
            if module.startswith(f"{core}."):
                module = _CORE + module.removeprefix(core)
        try:
            found = self._find(module, name)
        except (ImportError, AttributeError) as exc:
            raise InputError(
                f"{self._subject} needs {module}.{name}, which is not installed ({exc}); install "
                "the versions of packages that the manifest beside it names"
            ) from exc
        if found is None:
            raise InputError(self._refusal(module, name))
        return found

    def _find(self, module: str, name: str) -> Any:
        """Find what a pickle names; None for what is no part of a model."""
        root = _root(module)
        if root in self._packages:
            return _defined(module, name, self._packages)
        if (module, name) == ("builtins", "getattr"):
            return self._method
        if name in _STANDARD.get(module, ()) or name in _NUMPY.get(module, ()):
            return getattr(importlib.import_module(module), name)
        finders = {
            "numpy": _of_numpy, "scipy": _of_scipy, "sklearn": _of_sklearn, "sparkclean": _ours,
        }  # fmt: skip
        return finders[root](module, name) if root in finders else None

    def _method(self, owner: Any, name: str) -> Any:
        """Bind a method as `getattr` does, of classifiers only."""
        home = type(owner).__module__
        if name not in _METHODS or _root(home) not in {"sklearn", *self._packages}:
            raise InputError(self._refusal("builtins", "getattr"))
        return getattr(owner, name)

    def _refusal(self, module: str, name: str) -> str:
        own = ", ".join(["sparkclean", "scikit-learn", "numpy", *sorted(self._packages)])
        words = (
            f"{self._subject} names {module}.{name}, which no model of {own} consists of; it may "
            "have been tampered with, and is not loaded. Make the models again under a new run id"
        )
        root = _root(module)
        if root in sys.stdlib_module_names or root in _RULED or root in self._packages:
            return words
        return f"{words}, or name {root!r} in {_MORE} of the estimator's class if it needs that"


def _root(module: str) -> str:
    return module.partition(".")[0]


def _ours(module: str, name: str) -> Any:
    now, before = _OURS.get(name, ("", ""))
    if module not in (f"sparkclean.learning.{now}", f"sparkclean.predict.{before}"):
        return None
    return getattr(importlib.import_module(f"sparkclean.learning.{now}"), name)


def _of_numpy(module: str, name: str) -> Any:
    """Find types of numbers, and functions of elements."""
    if module not in ("numpy", "numpy.dtypes", f"{_CORE}._multiarray_umath"):
        return None
    found = getattr(importlib.import_module(module), name)
    is_type = isinstance(found, type) and issubclass(found, np.generic | np.dtype)
    return found if is_type or isinstance(found, np.ufunc) else None


def _of_scipy(module: str, name: str) -> Any:
    # splines keep the function by which they make arrays
    if module.endswith(".array_api_compat.numpy._aliases") and name == "asarray":
        return getattr(importlib.import_module(module), name)
    found = _defined(module, name, ("scipy",)) if _is_below(module, _SCIPY) else None
    return found if isinstance(found, type) else None


def _of_sklearn(module: str, name: str) -> Any:
    if not set(module.split(".")).isdisjoint(_NO_MODELS):
        return None
    found = _defined(module, name, ("sklearn",))
    # Cython's classes are made again by functions of theirs
    of_cython = name == "newObj" or name.startswith("__pyx_unpickle_")
    if isinstance(found, type) or of_cython or _is_below(module, _SCORES):
        return found
    return None


def _is_below(module: str, parents: Collection[str]) -> bool:
    return any(module == parent or module.startswith(f"{parent}.") for parent in parents)


def _defined(module: str, name: str, packages: Collection[str]) -> Any:
    """Find a class or function that one of the packages defines, not one that it has imported."""
    first, *inner = name.split(".")
    found = getattr(importlib.import_module(module), first)
    for part in inner:
        if not isinstance(found, type):
            return None
        found = getattr(found, part)
    home = getattr(found, "__module__", None)
    if not callable(found) or not isinstance(home, str) or _root(home) not in packages:
        return None
    return found
