"""The house keeps its order: who may import whom, and what is never written in the package."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import sparkclean

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "sparkclean"

BASE = ("errors", "schema", "faults", "locations", "names")
CONFIG = ("config", "config_explain", "config_places", "config_file")
COMMANDS = ("cli", "cli_versions")
EXECUTORS = (
    "cluster.batches",
    "cluster.counts",
    "cluster.issue_kernels",
    "cluster.kernels",
    "cluster.rising_ids",
    "cluster.row_groups",
    "cluster.row_kernels",
    "cluster.row_writer",
    "cluster.suspect_writer",
    "cluster.tasks",
)

#: Rooms that a room may import besides itself. "" is the package: its version.
MAY_IMPORT = {
    "base": {"base"},
    "config": {"base"},
    "confident": {"base"},
    "lake": {"base"},
    "cluster": {"base", "config", "confident", "lake", ""},
    "predict": {"base", "config", "confident", "lake", "cluster"},
    "log": set(),
    "session": {"base", "cluster"},
    "terminal": {"lake"},
    "cli": {"base", "config", "lake", "cluster", "predict", "log", "session", "terminal", ""},
    "__main__": {"cli"},
    "demo": {"base", "lake", "session"},
    "": {"confident", "cluster", "lake"},
}
#: Packages that a room may import besides the standard library.
MAY_USE = {
    "base": set(),
    "config": {"pydantic", "yaml"},
    "confident": {"numpy"},
    "lake": {"pyarrow", "pyspark"},
    "cluster": {"numpy", "pyarrow", "pyspark", "scipy"},
    "predict": {
        "array_api_compat",
        "numpy",
        "pyarrow",
        "pyspark",
        "scipy",
        "sklearn",
        "threadpoolctl",
    },
    "log": set(),
    "session": {"pyspark"},
    "terminal": {"pyarrow"},
    "cli": set(),
    "__main__": set(),
    "demo": {"numpy", "pyarrow", "sklearn"},
    "": set(),
}


@dataclass(frozen=True)
class Import:
    """One import statement's name: of a module of ours, or of a package."""

    name: str
    line: int
    ours: bool
    for_types: bool
    inside_function: bool


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def room_of(module: str) -> str:
    if module in BASE:
        return "base"
    if module in CONFIG:
        return "config"
    if module in COMMANDS:
        return "cli"
    return module.split(".", maxsplit=1)[0]


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


@cache
def imports_of(module: str) -> tuple[Import, ...]:
    return tuple(_imports(tree_of(module), for_types=False, inside_function=False))


def _imports(node: ast.AST, *, for_types: bool, inside_function: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        types, inside = for_types, inside_function
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            types = True
        if isinstance(child, ast.FunctionDef):
            inside = True
        for name in _names(child):
            top, _, rest = name.partition(".")
            ours = top == "sparkclean"
            yield Import(rest if ours else top, child.lineno, ours, types, inside)
        yield from _imports(child, for_types=types, inside_function=inside)


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"line {node.lineno}: imports are absolute here"
        full = [f"{node.module}.{alias.name}" for alias in node.names]
        # `from sparkclean import schema` imports a module, `from numpy import ndarray` a name
        known = {f"sparkclean.{name}" for name in MODULES}
        return [name if name in known else str(node.module) for name in full]
    return []


def test_imports_are_found_in_every_place() -> None:
    # of this test itself: it would be of no use if it overlooked any
    found = {(entry.name, entry.inside_function) for entry in imports_of("cli")}
    assert ("session", False) in found
    assert ("cluster.run", True) in found
    assert ("argparse", False) in found
    checking = {entry.name for entry in imports_of("cluster.gate") if entry.for_types}
    assert checking == {"collections", "config"}


def test_every_module_has_a_room() -> None:
    assert {room_of(module) for module in MODULES} == set(MAY_IMPORT) == set(MAY_USE)


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_rooms_below_its_own(module: str) -> None:
    room = room_of(module)
    allowed = MAY_IMPORT[room] | {room}
    wrong = [
        f"{module}:{entry.line} imports {entry.name}"
        for entry in imports_of(module)
        if entry.ours and room_of(entry.name) not in allowed
    ]
    assert wrong == []


@pytest.mark.parametrize("module", MODULES)
def test_module_uses_only_the_packages_of_its_room(module: str) -> None:
    allowed = MAY_USE[room_of(module)]
    if module in EXECUTORS:
        allowed = {"numpy", "pyarrow"}
    wrong = [
        f"{module}:{entry.line} imports {entry.name}"
        for entry in imports_of(module)
        if not (entry.ours or entry.for_types or entry.name in sys.stdlib_module_names)
        and entry.name not in allowed
    ]
    assert wrong == []


@pytest.mark.parametrize("module", BASE)
def test_base_module_imports_nothing_of_ours_but_errors(module: str) -> None:
    assert {entry.name for entry in imports_of(module) if entry.ours} <= {"errors"}


@pytest.mark.parametrize("module", EXECUTORS)
def test_executor_module_imports_what_executors_may_load(module: str) -> None:
    ours = {entry.name for entry in imports_of(module) if entry.ours and not entry.for_types}
    assert {name for name in ours if not name.startswith("confident.")} <= {
        *EXECUTORS, "schema", "errors",
    }  # fmt: skip


@pytest.mark.parametrize(("package", "home"), [("pydantic", CONFIG), ("yaml", ("config_file",))])
def test_driver_package_is_imported_by_the_configuration_alone(
    package: str, home: tuple[str, ...]
) -> None:
    users = {
        module
        for module in MODULES
        for entry in imports_of(module)
        if entry.name == package and not entry.ours
    }
    assert users
    assert users <= set(home)


def test_imports_of_modules_run_in_no_circle() -> None:
    graph = {
        module: {
            entry.name
            for entry in imports_of(module)
            if entry.ours and not entry.for_types and not entry.inside_function
        }
        for module in MODULES
    }
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path, module])
        if module in done:
            return
        for name in sorted(graph[module]):
            visit(name, (*path, module))
        done.add(module)

    for module in graph:
        visit(module, ())
    assert done == set(MODULES)


# -- what an import loads ------------------------------------------------------------------------


def loaded_by(*modules: str) -> set[str]:
    """Top-level packages that a fresh process loads for modules."""
    code = f"""
import importlib, json, sys
before = set(sys.modules)
for name in {modules!r}:
    importlib.import_module(name)
print(json.dumps(sorted({{name.split(".")[0] for name in set(sys.modules) - before}})))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout)) - sys.stdlib_module_names - {"sparkclean"}


def beyond(loaded: set[str], *packages: str) -> set[str]:
    """Leave out packages and what they load themselves."""
    return loaded - loaded_by(*packages)


def test_executors_load_numpy_and_pyarrow_only() -> None:
    loaded = loaded_by(*(f"sparkclean.{name}" for name in EXECUTORS))
    assert {"numpy", "pyarrow"} <= loaded
    assert loaded.isdisjoint({"pandas", "pydantic", "yaml", "sklearn", "scipy", "pyspark"})
    assert beyond(loaded, "numpy", "pyarrow.compute") == set()


def test_readers_of_features_load_numpy_and_pyarrow_only() -> None:
    names = ("feature_check", "feature_reader", "fold_notes", "hashing", "sample_writer", "scored")
    loaded = loaded_by(*(f"sparkclean.predict.{name}" for name in names))
    assert beyond(loaded, "numpy", "pyarrow.compute") == set()


def test_method_loads_numpy_only() -> None:
    names = [f"sparkclean.{name}" for name in MODULES if name.startswith("confident")]
    assert len(names) > 5
    assert beyond(loaded_by(*names), "numpy") == set()


def test_losses_load_numpy_and_the_array_api_only() -> None:
    # where a model is trained by torch there need be nothing else of ours
    assert beyond(loaded_by("sparkclean.predict.losses"), "array_api_compat", "numpy") == set()


@pytest.mark.parametrize("module", ["", *BASE, "log", "session", "cli"])
def test_light_module_loads_no_package(module: str) -> None:
    assert loaded_by(f"sparkclean.{module}".rstrip(".")) == set()


def test_lake_loads_no_spark() -> None:
    assert beyond(loaded_by("sparkclean.lake"), "pyarrow.parquet") == set()


def test_cluster_loads_no_package_of_the_driver_on_import_of_the_api() -> None:
    loaded = loaded_by("sparkclean.cluster.api")
    assert {"pyspark", "pydantic"} <= loaded
    assert loaded.isdisjoint({"sklearn", "scipy", "yaml"})


# -- the public names ----------------------------------------------------------------------------


def test_package_exports_its_names() -> None:
    assert sparkclean.__all__ == [
        "AuditResult", "__version__", "audit", "find_label_issues", "read",
    ]  # fmt: skip


def test_package_exports_are_what_they_are_at_home() -> None:
    from sparkclean.cluster.api import AuditResult, audit
    from sparkclean.confident.issues import find_label_issues
    from sparkclean.lake import read

    assert sparkclean.audit is audit
    assert sparkclean.AuditResult is AuditResult
    assert sparkclean.find_label_issues is find_label_issues
    assert sparkclean.read is read
    assert sparkclean.__version__ == "0.1.0"


def test_package_knows_no_other_names() -> None:
    with pytest.raises(AttributeError, match="module 'sparkclean' has no attribute 'nope'"):
        _ = sparkclean.nope


# -- what is never written -----------------------------------------------------------------------

NEVER = (
    ".rdd",
    "sparkContext",
    "_jvm",
    "_jsc",
    "rand(",
    "monotonically_increasing_id",
    "toPandas",
)


@pytest.mark.parametrize("words", NEVER)
def test_package_never_says(words: str) -> None:
    lines = [
        f"{module}:{number}"
        for module, path in MODULES.items()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if words in line
    ]
    assert lines == []


def calls(module: str) -> Iterator[str]:
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def test_package_sets_a_session_up_in_one_place() -> None:
    setting = {m for m in MODULES if any(c.endswith(".conf.set") for c in calls(m))}
    creating = {m for m in MODULES if any(c.endswith(".getOrCreate") for c in calls(m))}
    stopping = {m for m in MODULES if "spark.stop" in calls(m)}
    assert creating == stopping == {"session"}
    # Delta takes the metadata of a RESTORE from settings alone: on a session of its own
    edits = {"lake.delta.clone", "lake.iceberg.branch"}
    assert setting == {"session", "lake.delta.target", *edits}


def test_package_prints_in_the_command_and_the_demo_alone() -> None:
    assert {module for module in MODULES if "print" in calls(module)} == {*COMMANDS, "demo"}


def test_package_asserts_nothing() -> None:
    # python -O takes asserts away
    found = {m for m in MODULES for node in ast.walk(tree_of(m)) if isinstance(node, ast.Assert)}
    assert found == set()


def public_nodes(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.AST]]:
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        if any(ast.unparse(decorator) == "overload" for decorator in node.decorator_list):
            continue
        yield f"{prefix}.{node.name}", node
        if isinstance(node, ast.ClassDef):
            yield from public_nodes(node.body, f"{prefix}.{node.name}")


@pytest.mark.parametrize("module", MODULES)
def test_module_and_all_that_is_public_in_it_have_docstrings(module: str) -> None:
    tree = tree_of(module)
    assert ast.get_docstring(tree)
    bare = [name for name, node in public_nodes(tree.body, module) if not ast.get_docstring(node)]
    assert bare == []


def test_public_names_are_found_for_the_docstring_test() -> None:
    names = {
        name for name, _ in public_nodes(tree_of("lake.parquet.target").body, "lake.parquet.target")
    }
    assert {
        "lake.parquet.target.ParquetTarget",
        "lake.parquet.target.ParquetTarget.revert",
    } <= names
