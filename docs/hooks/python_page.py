"""The reference of Python: which public names there are. mkdocstrings reads what they are.

Both read the sources. Nothing is imported but the package itself, which loads none of its modules.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import sparkclean

_SOURCES = Path(sparkclean.__file__).parent
#: Modules whose names users take, and where these are written.
_MODULES = {
    "sparkclean.functions": "functions.py",
    "sparkclean.losses": "learning/losses.py",
    "sparkclean.plots": "plots/__init__.py",
}
#: Classes whose objects calls give, and nobody makes: how they are made is left out.
_GIVEN = {"sparkclean.AuditResult": "jobs/audit/result.py"}


def generate() -> str:
    """Write the part of the page that follows from the code.

    Returns
    -------
    str
        Markdown: a directive of mkdocstrings for each public name.
    """
    lines: list[str] = []
    for title, names in all_names().items():
        lines += [f"## `{title}` {{#{title.replace('.', '-')}}}", ""]
        for name in names:
            lines += _given(name) if name in _GIVEN else [f"::: {name}", ""]
    return "\n".join(lines)


def all_names() -> dict[str, list[str]]:
    """Give the public names, by the module that users import them from.

    Returns
    -------
    dict
        Full names, as users write them, by module.
    """
    own = [f"sparkclean.{name}" for name in sparkclean.__all__ if not name.startswith("__")]
    found = {"sparkclean": [name for name in own if name not in _MODULES]}
    for module, source in _MODULES.items():
        found[module] = [f"{module}.{name}" for name in _names_in(source)]
    return found


def _names_in(source: str) -> list[str]:
    """Read ``__all__`` of a module."""
    for node in ast.parse((_SOURCES / source).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return names
    raise KeyError(f"{source}: has no __all__")


def _given(name: str) -> Iterator[str]:
    """Write a class without its constructor, and its public methods."""
    options = ["    options:", "      show_signature: false", "      members: false", ""]
    yield from (f"::: {name}", *options)
    for method in _methods(_GIVEN[name], name.rpartition(".")[2]):
        yield from (f"::: {name}.{method}", "    options:", "      heading_level: 4", "")


def _methods(source: str, name: str) -> list[str]:
    tree = ast.parse((_SOURCES / source).read_text(encoding="utf-8"))
    (kind,) = (
        node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == name
    )
    return [
        node.name
        for node in kind.body
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and not any("classmethod" in ast.unparse(one) for one in node.decorator_list)
    ]
