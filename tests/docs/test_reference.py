"""What users can name has its place in the documents, and what documents name is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import sparkclean
from sparkclean import registry, schema
from sparkclean.confident import filters
from sparkclean.config.model import config_model
from tests.docs.pages import CHECKED, RUN, SHOWN, all_pages

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
sys.path.append(str(DOCS / "hooks"))

import commands_page  # noqa: E402 (the hook of MkDocs finds them in the same way)
import configuration_page  # noqa: E402
import exit_codes_page  # noqa: E402
import outputs_page  # noqa: E402
import pages  # noqa: E402
import python_page  # noqa: E402

REFERENCE = {name: generate() for name, generate in pages.GENERATORS.items()}


def rows_of(text: str, heading: str) -> dict[str, list[str]]:
    """Rows of all tables below a heading, by the code in their first cell."""
    body = f"\n{text}".split(f"\n{heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `([^`]+)`[^|]*\|(.*)\|$", body, re.MULTILINE)
    return {
        name: [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", rest)]
        for name, rest in rows
    }


# -- configuration -------------------------------------------------------------------------------


@pytest.mark.parametrize("section", config_model().model_fields)
def test_configuration_has_every_key_with_default_and_description(section: str) -> None:
    rows = rows_of(REFERENCE["configuration"], f"## `{section}` {{#{section}}}")
    field = config_model().model_fields[section]
    kind = configuration_page.section_of(field)
    fields = {section: field} if kind is None else kind.model_fields
    assert set(rows) == set(fields)
    for key, (kind_, default, in_result, description) in rows.items():
        assert kind_, key
        assert default, key
        assert in_result in ("yes", "no"), key
        assert len(description) > 10, key


def test_configuration_names_every_choice() -> None:
    text = REFERENCE["configuration"]
    for name in (*schema.FILTERS, *schema.SCORES, *schema.CALIBRATIONS):
        assert f"`{name}`" in text
    method = rows_of(text, "## `method` {#method}")
    assert method["filter_by"][0].count("`") == 2 * len(schema.FILTERS)
    assert filters.__doc__


def test_configuration_says_what_belongs_to_the_result() -> None:
    text = REFERENCE["configuration"]
    assert rows_of(text, "## `method` {#method}")["filter_by"][2] == "yes"
    assert rows_of(text, "## `classes` {#classes}")["classes"][2] == "yes"
    assert rows_of(text, "## `gate` {#gate}")["max_suspects"][2] == "no"


def test_configuration_examples_are_valid() -> None:
    from tests.docs.runner import check_part

    examples = re.findall(r"```yaml\n(.*?)```", REFERENCE["configuration"], re.DOTALL)
    assert len(examples) == len(config_model().model_fields)
    for example in examples:
        check_part(example)


# -- outputs -------------------------------------------------------------------------------------

OUTPUTS = {spec.name: spec for spec, _ in outputs_page.all_outputs()}


def test_outputs_are_those_of_all_jobs() -> None:
    assert set(OUTPUTS) == set(registry.output_names())


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs_have_every_column_with_its_meaning(name: str) -> None:
    rows = rows_of(REFERENCE["outputs"], f"## `{name}` {{#{name}}}")
    for column, kind in OUTPUTS[name].columns:
        shown, meaning = rows[column]
        of_the_user = {"<label>": "as the label", "<annotator>": "as the annotator"}
        plain = f"`{kind.replace('<label>', 'label')}`"  # within a struct or an array
        assert shown == of_the_user.get(kind, plain)
        assert meaning == schema.describe_column(name, column)
        assert meaning.endswith(".")


def test_outputs_have_what_cleaning_adds_and_every_reason() -> None:
    text = REFERENCE["outputs"]
    added = {column for columns in schema.ADDED_BY_CLEANING.values() for column, _ in columns}
    assert added == {"<label>_original", "label_was_changed", "sample_weight"}
    named = (*added, *schema.REJECTION_REASONS, *schema.SUSPECT_REASONS.values())
    assert [name for name in named if f"`{name}`" not in text] == []


def test_describe_column_fails_for_a_column_that_nobody_has_described() -> None:
    with pytest.raises(KeyError):
        schema.describe_column("suspects", "shoe_size")


def test_described_columns_are_there() -> None:
    known = {column for spec in OUTPUTS.values() for column, _ in spec.columns}
    known |= {column for columns in schema.ADDED_BY_CLEANING.values() for column, _ in columns}
    described = {name.rpartition(".")[2] for name in schema.COLUMN_DESCRIPTIONS}
    assert described == known


# -- commands ------------------------------------------------------------------------------------

COMMANDS = commands_page.all_commands()


def test_commands_are_those_of_all_jobs_and_more() -> None:
    jobs = {entry.command or name for name, entry in registry.JOBS.items()}
    assert {*jobs, "run", "init", "show"} < set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_have_every_flag_with_its_meaning(name: str) -> None:
    text = REFERENCE["commands"]
    anchor = name.replace(" ", "-")
    rows = rows_of(text, f"## `sparkclean {name}` {{#{anchor}}}")
    for action, shown in commands_page.flags_of(COMMANDS[name]):
        assert len(rows[shown][0]) > 5, shown
        for flag in action.option_strings:
            assert flag in shown


# -- exit codes, names of Python -----------------------------------------------------------------


def test_exit_codes_are_those_of_errors_and_signals() -> None:
    rows = rows_of(REFERENCE["exit-codes"], "## Codes {#codes}")
    assert list(rows) == ["0", "1", "2", "3", "4", "5", "6", "130", "143"]
    assert set(map(int, rows)) == set(exit_codes_page.CODES) == set(exit_codes_page.all_codes())


def test_exit_codes_name_every_error() -> None:
    rows = rows_of(REFERENCE["exit-codes"], "## Errors in Python {#errors}")
    errors = exit_codes_page.all_errors()
    assert set(rows) == set(errors)
    for name, (code, meaning) in rows.items():
        assert code == f"`{errors[name].exit_code}`"
        assert "exit code" not in meaning


def test_python_has_every_public_name() -> None:
    shown = set(re.findall(r"^::: ([\w.]+)$", REFERENCE["python"], re.MULTILINE))
    names = {f"sparkclean.{name}" for name in sparkclean.__all__} - {"sparkclean.__version__"}
    modules = {f"sparkclean.{name}" for name in ("functions", "losses", "plots")}
    inside = {
        f"{module}.{name}"
        for module in modules
        for name in getattr(sparkclean, module.rpartition(".")[2]).__all__
    }
    assert modules <= names
    assert shown >= (names - modules) | inside
    assert {name for name in shown if name.count(".") == 1} == names - modules
    assert list(python_page.all_names()) == ["sparkclean", *sorted(modules)]


@pytest.mark.parametrize("name", REFERENCE)
def test_reference_page_has_a_place_for_what_is_generated(name: str) -> None:
    page = (DOCS / "reference" / f"{name}.md").read_text(encoding="utf-8")
    assert page.startswith("# ")
    assert page.count(f"<!-- generated: {name} -->") == 1
    assert REFERENCE[name] in pages.fill_in(page)


def test_unlink_keeps_the_words_of_links_out_of_the_pages() -> None:
    page = DOCS / "how-to" / "audit.md"
    text = "[a](../../conf/audit.yaml), [b](../index.md#x), [c](https://x.y), [d](../../none.md)"
    done = "a, [b](../index.md#x), [c](https://x.y), [d](../../none.md)"
    assert pages.unlink(text, page) == done
    fenced = "```text\n[a](../../conf/audit.yaml)\n```"
    assert pages.unlink(fenced, page) == fenced


# -- what documents and code name ----------------------------------------------------------------


def tracked(*folders: str) -> list[Path]:
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", *folders]
    done = subprocess.run(listing, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    files = [REPOSITORY / name for name in done.stdout.split("\0") if name]
    texts = (".py", ".md", ".yaml", ".yml", ".conf", ".toml", ".sh", ".cff", "")
    return [file for file in files if file.is_file() and file.suffix in texts]


def test_every_page_that_is_named_exists() -> None:
    folders = ("sparkclean", "tests", "conf", "jobs", "benchmarks", "*.md", "Makefile", ".github")
    named = {
        (path, file.relative_to(REPOSITORY))
        for file in tracked(*folders)
        if file.name not in ("CHANGELOG.md", "test_runner.py")
        for path in re.findall(r"(?<![\w/.])docs/[\w/.-]*\w", file.read_text(encoding="utf-8"))
    }
    assert len(named) > 5
    assert [pair for pair in sorted(named) if not (REPOSITORY / pair[0]).exists()] == []


def test_every_page_is_in_the_navigation() -> None:
    nav = set(re.findall(r"[\w/-]+\.md", (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8")))
    there = {str(file.relative_to(DOCS)) for file in DOCS.rglob("*.md")}
    assert there == nav


@pytest.mark.parametrize("page", all_pages(), ids=lambda page: page.name)
def test_every_fence_has_a_language_that_is_known(page: pages.Page) -> None:  # type: ignore[name-defined]
    known = (*RUN, *CHECKED, *SHOWN)
    assert [block.line for block in page.blocks if block.language not in known] == []


# -- benchmarks ----------------------------------------------------------------------------------

#: Where the tables of `benchmarks/results` stand.
MEASURED = {
    "predict": "benchmarks.md",
    "in_sample": "method/in-sample.md",
    "mitigation": "method/robust-training.md",
    "leaderboard": "how-to/leaderboard.md",
    "review_coverage": "method/error-rate.md",
}


@pytest.mark.parametrize("name", MEASURED)
def test_tables_are_what_was_measured(name: str) -> None:
    measured = (REPOSITORY / "benchmarks" / "results" / f"{name}.md").read_text(encoding="utf-8")
    (table, *_) = re.findall(r"^\| .*?\n(?=\n)", measured, re.MULTILINE | re.DOTALL)
    assert table in (DOCS / MEASURED[name]).read_text(encoding="utf-8")


# -- beside the documents ------------------------------------------------------------------------


def test_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == sparkclean.__version__
    assert citation["cff-version"] == "1.2.0"
    assert citation["license"] == "Apache-2.0"


@pytest.mark.parametrize("name", ["bug", "question"])
def test_issue_forms_are_forms(name: str) -> None:
    form = yaml.safe_load((REPOSITORY / f".github/ISSUE_TEMPLATE/{name}.yml").read_text())
    assert {"name", "description", "body"} <= set(form)
    ids = [entry["id"] for entry in form["body"] if entry["type"] != "markdown"]
    assert len(ids) == len(set(ids)) >= 3
