"""The house keeps its order: who may import whom, and what is never written in the package."""

from __future__ import annotations

import ast
import importlib
import json
import re
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

#: The ground: everybody may import these modules, and they import only those to their left.
GROUND = (
    "texts",
    "errors",
    "reading",
    "version",
    "registry",
    "names",
    "schema",
    "locations",
    "faults",
)
#: The rooms, from below: a room imports the ground, itself, and rooms that stand before it here.
ROOMS = (
    "numbers", "confident", "crowds", "noise", "lake", "config", "rows", "examples", "learning",
    "plots",
    "runs", "jobs", "commands",
)  # fmt: skip
#: What users import, and what runs as a command: nobody imports these.
DOORS = ("", "__main__", "functions")

#: Packages that a room may import besides the standard library.
MAY_USE = {
    "ground": set(),
    "numbers": {"numpy", "scipy"},
    "confident": {"numpy"},
    "noise": {"numpy", "scipy"},
    "crowds": {"numpy", "scipy"},
    "lake": {"pyarrow", "pyspark"},
    "config": {"pydantic", "pydantic_core", "yaml"},
    "rows": {"numpy", "pyarrow", "pyspark"},
    "examples": {"numpy", "pyarrow", "pyspark", "scipy"},
    "runs": {"numpy", "pyarrow", "pyspark"},
    "learning": {
        "array_api_compat",
        "numpy",
        "pyarrow",
        "pyspark",
        "scipy",
        "sklearn",
        "threadpoolctl",
    },
    "plots": {"PIL", "altair", "jinja2", "markupsafe", "numpy", "vl_convert"},
    "jobs": {"numpy", "pandas", "pyarrow", "pyspark"},
    "commands": {"numpy", "pyarrow", "pyspark", "rich", "sklearn"},
    "doors": set(),
}
#: What executors load for an audit: numpy and pyarrow alone.
EXECUTORS = (
    "examples.batches",
    "examples.contents",
    "examples.counts",
    "examples.decided_rows",
    "examples.kernels",
    "examples.ranks",
    "examples.rising_ids",
    "examples.row_functions",
    "examples.suspect_totals",
    "examples.suspect_writer",
    "jobs.audit.counts",
    "jobs.audit.emitted_rows",
    "jobs.audit.issue_kernels",
    "jobs.audit.histograms",
    "jobs.audit.row_types",
    "jobs.audit.rankings",
    "jobs.audit.row_kernels",
    "jobs.audit.sureness",
    "jobs.diagnose.rows",
    "jobs.rank_models.tally",
    "jobs.rank_models.totals",
    "jobs.consensus.batches",
    "jobs.consensus.decide",
    "jobs.consensus.group",
    "jobs.consensus.item_functions",
    "jobs.consensus.row_types",
    "jobs.review.row_function",
    "rows.emitted",
    "rows.local_rows",
    "rows.row_groups",
    "rows.row_writer",
    "rows.tasks",
    "rows.input_errors",
    "rows.types",
)


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
    if module in GROUND:
        return "ground"
    return "doors" if module in DOORS else module.split(".", maxsplit=1)[0]


def job_of(module: str) -> str:
    """The job in whose room a module stands; empty elsewhere."""
    first, _, rest = module.partition(".")
    return rest.partition(".")[0] if first == "jobs" else ""


def may_import(module: str, other: str) -> bool:
    """Tell whether a module may import another, by where both stand."""
    here, there = room_of(module), room_of(other)
    if there == "doors":
        return module == ""  # the package itself, for types
    if there == "ground":
        return here != "ground" or GROUND.index(other) < GROUND.index(module)
    if here in ("ground", "doors"):
        return here == "doors"
    if here == there == "jobs":
        return job_of(module) == job_of(other)
    return ROOMS.index(there) <= ROOMS.index(here)


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
    found = {(entry.name, entry.inside_function) for entry in imports_of("commands.main")}
    assert ("commands.log", False) in found
    assert ("argparse", False) in found
    assert any(inside and name.startswith("config.") for name, inside in found)
    checking = {entry.name for entry in imports_of("examples.scan") if entry.for_types}
    assert "pyspark" in checking


def test_every_module_has_a_room() -> None:
    assert {room_of(module) for module in MODULES} == set(MAY_USE)
    assert set(MAY_USE) == {"ground", "doors", *ROOMS}
    assert set(GROUND) <= set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_what_stands_below_it(module: str) -> None:
    # imports inside of functions and for types count: they tie rooms together as well
    wrong = [
        f"{module}:{entry.line} imports {entry.name}"
        for entry in imports_of(module)
        if entry.ours and not may_import(module, entry.name)
    ]
    assert wrong == []


@pytest.mark.parametrize("module", MODULES)
def test_module_uses_only_the_packages_of_its_room(module: str) -> None:
    allowed = MAY_USE[room_of(module)]
    if module in ("rows.console", "rows.live"):
        allowed = allowed | {"rich"}  # on a terminal alone, and only if it is installed
    if module in EXECUTORS:
        allowed = {"numpy", "pyarrow"}
    if module.endswith(".sections"):
        allowed = {"pydantic"}  # what a job brings to the configuration
    wrong = [
        f"{module}:{entry.line} imports {entry.name}"
        for entry in imports_of(module)
        if not (entry.ours or entry.for_types or entry.name in sys.stdlib_module_names)
        and entry.name not in allowed
    ]
    assert wrong == []


@pytest.mark.parametrize("module", EXECUTORS)
def test_executor_module_imports_what_executors_may_load(module: str) -> None:
    ours = {entry.name for entry in imports_of(module) if entry.ours and not entry.for_types}
    on_numbers = ("confident.", "crowds.", "noise.", "numbers.")
    assert {name for name in ours if not name.startswith(on_numbers)} <= {
        *EXECUTORS, "schema", "errors",
    }  # fmt: skip


@pytest.mark.parametrize(("package", "home"), [("pydantic", "config."), ("yaml", "config.text")])
def test_driver_package_is_imported_by_the_configuration_alone(package: str, home: str) -> None:
    users = {
        module
        for module in MODULES
        for entry in imports_of(module)
        if entry.name == package and not entry.ours
    }
    assert users
    sections = {module for module in users if module.endswith(".sections")}
    assert all(module.startswith(home) for module in users - sections)


def test_imports_of_modules_run_in_no_circle() -> None:
    graph = {m: {e.name for e in imports_of(m) if e.ours and e.name != m} for m in MODULES}
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
    loaded = loaded_by(*(f"sparkclean.learning.{name}" for name in names))
    assert beyond(loaded, "numpy", "pyarrow.compute") == set()


def test_method_loads_numpy_only() -> None:
    names = [
        f"sparkclean.{name}"
        for name in MODULES
        if name.startswith(("confident", "noise", "numbers"))
    ]
    assert len(names) > 5
    assert beyond(loaded_by(*names), "numpy") == set()


def test_losses_load_numpy_and_the_array_api_only() -> None:
    # where a model is trained by torch there need be nothing else of ours
    assert beyond(loaded_by("sparkclean.learning.losses"), "array_api_compat", "numpy") == set()


@pytest.mark.parametrize("module", ["", *GROUND, "commands.log", "rows.session", "commands.main"])
def test_light_module_loads_no_package(module: str) -> None:
    assert loaded_by(f"sparkclean.{module}".rstrip(".")) == set()


def test_lake_loads_no_spark() -> None:
    assert beyond(loaded_by("sparkclean.lake"), "pyarrow.parquet") == set()


def test_audit_of_a_frame_loads_no_more_than_it_needs() -> None:
    loaded = loaded_by("sparkclean.jobs.audit.api")
    assert {"pyspark", "pydantic"} <= loaded
    assert loaded.isdisjoint({"sklearn", "scipy", "yaml"})


# -- the public names ----------------------------------------------------------------------------


def test_package_exports_its_names() -> None:
    assert sparkclean.__all__ == [
        "AuditResult", "ConfigError", "InputError", "RobustClassifier", "SparkCleanError",
        "__version__", "audit", "find_label_issues", "find_label_issues_from_features",
        "functions", "load_model", "losses", "plots", "predict", "read", "run_job",
    ]  # fmt: skip
    assert dir(sparkclean) == sparkclean.__all__


def test_package_exports_are_what_they_are_at_home() -> None:
    from sparkclean.confident.issues import find_label_issues
    from sparkclean.jobs.audit.api import audit
    from sparkclean.jobs.audit.result import AuditResult
    from sparkclean.jobs.predict.api import predict
    from sparkclean.lake import read
    from sparkclean.learning import losses
    from sparkclean.learning.array_issues import find_label_issues_from_features
    from sparkclean.learning.final_model import load_model
    from sparkclean.learning.robust_classifier import RobustClassifier

    assert sparkclean.RobustClassifier is RobustClassifier
    assert sparkclean.audit is audit
    assert sparkclean.functions is importlib.import_module("sparkclean.functions")
    assert sparkclean.load_model is load_model
    assert sparkclean.losses is losses
    assert sparkclean.AuditResult is AuditResult
    assert issubclass(sparkclean.InputError, sparkclean.SparkCleanError)
    assert sparkclean.find_label_issues is find_label_issues
    assert sparkclean.find_label_issues_from_features is find_label_issues_from_features
    assert sparkclean.predict is predict
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
    # one starts Java, one looks at the tasks of a classic session: Connect does neither; and rows
    # are collected for who has handed over as many
    may = {
        "_jvm": "rows.java",
        "sparkContext": "rows.task_status",
        "_jsc": "rows.task_status",
        "toPandas": "examples.given_rows",
    }
    assert [line for line in lines if line.split(":")[0] != may.get(words)] == []


def calls(module: str) -> Iterator[str]:
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def test_package_sets_a_session_up_in_one_place() -> None:
    setting = {m for m in MODULES if any(c.endswith(".conf.set") for c in calls(m))}
    creating = {m for m in MODULES if any(c.endswith(".getOrCreate") for c in calls(m))}
    stopping = {m for m in MODULES if "spark.stop" in calls(m)}
    assert creating == stopping == {"rows.session"}
    # what commits and files take from settings alone: on sessions of their own
    edits = {"lake.delta.clone", "lake.iceberg.branch"}
    assert setting == {"rows.session", "lake.delta.target", "lake.staged", *edits}


def test_package_prints_in_the_command_and_the_demo_alone() -> None:
    printing = {module for module in MODULES if "print" in calls(module)}
    assert {room_of(module) for module in printing} == {"commands"}


def test_package_asks_no_stream_scan_or_store_what_kind_it_is() -> None:
    kinds = {
        node.name
        for module in MODULES
        if module.startswith(("rows.", "examples."))
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.ClassDef) and node.name.endswith(("Stream", "Scan", "Store"))
    }
    assert {"FileStream", "FrameStream", "FileScan", "FrameScan", "FolderStore"} <= kinds
    asked = [
        f"{module}:{node.lineno}"
        for module in MODULES
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "isinstance"
        and kinds & set(re.findall(r"\w+", ast.unparse(node.args[1])))
    ]
    assert asked == []


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
