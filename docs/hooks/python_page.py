"""The reference of Python: which public names there are. mkdocstrings reads what they are."""

from __future__ import annotations

import sparkclean


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
            lines += [f"::: {name}", ""]
    return "\n".join(lines)


def all_names() -> dict[str, list[str]]:
    """Give the public names, by the module that users import them from.

    Returns
    -------
    dict
        Full names, as users write them, by module.
    """
    modules = {"sparkclean.functions": sparkclean.functions, "sparkclean.losses": sparkclean.losses}
    own = [f"sparkclean.{name}" for name in sparkclean.__all__ if not name.startswith("__")]
    found = {"sparkclean": [name for name in own if name not in modules]}
    for title, module in modules.items():
        found[title] = [f"{title}.{name}" for name in module.__all__]
    return found
