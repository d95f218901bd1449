"""Classes that a configuration or a manifest names by their import path, of known packages only.

Importing a module runs its code, and calling what it holds runs more. So the package is looked up
in a list before anything is imported, and what was found must be a class of such a package before
anybody calls it. Runs on executors, which are told the packages by the driver.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence

from sparkclean.errors import ConfigError

#: Packages whose classes may be named.
_PACKAGES = ("catboost", "lightgbm", "pyspark.ml", "sklearn", "sparkclean", "xgboost")
#: Environment variable by which whoever starts a command adds packages: comma-separated names.
MORE_PACKAGES = "SPARKCLEAN_ESTIMATOR_PACKAGES"


def known_packages() -> tuple[str, ...]:
    """List the packages whose classes may be named in this process.

    Returns
    -------
    tuple of str
        Names of packages, dotted where only a part of one is meant. The environment can add some;
        no configuration can.
    """
    more = (name.strip() for name in os.environ.get(MORE_PACKAGES, "").split(","))
    return (*_PACKAGES, *(name for name in more if name))


def is_known(module: str, packages: Sequence[str]) -> bool:
    """Tell whether a module is one of the packages, or lies in one."""
    return any(module == name or module.startswith(f"{name}.") for name in packages)


def unknown_package(path: str, packages: Sequence[str]) -> str:
    """Say that a class is of no known package, and who can change that."""
    return (
        f"{path!r} is in no allowed package, so it was not imported; choose a class of "
        f"{', '.join(packages)}. To allow another package set "
        f"{MORE_PACKAGES}={path.partition('.')[0] or 'PACKAGE'} in its environment"
    )


def import_class(
    path: str,
    *,
    example: str,
    section: str = "predict",
    packages: Sequence[str] | None = None,
) -> type:
    """Import a class that an import path names. Does not call it.

    Parameters
    ----------
    path : str
    example : str
        Of such a path, for the message.
    section : str
        Of the configuration.
    packages : sequence of str, optional
        That it may be of; `known_packages` by default.

    Returns
    -------
    type

    Raises
    ------
    ConfigError
        If it is of another package, which is not imported then, or no class.
    """
    packages = known_packages() if packages is None else packages
    module, _, name = path.rpartition(".")
    if not is_known(module, packages):
        raise ConfigError(f"{section}.estimator: {unknown_package(path, packages)}")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as exc:
        raise ConfigError(
            f"{section}.estimator: {path!r} cannot be imported ({exc}); write the path of a class, "
            f"such as {example}"
        ) from exc
    if not isinstance(found, type):
        raise ConfigError(
            f"{section}.estimator: {path!r} is no class; write the path of one, such as {example}"
        )
    if not is_known(found.__module__, packages):  # a module may have imported anything
        home = f"{found.__module__}.{found.__qualname__}"
        raise ConfigError(f"{section}.estimator: {unknown_package(home, packages)}")
    return found
