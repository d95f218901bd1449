"""The README does what it says: commands run, links lead somewhere, tables are whole."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from sparkclean import __version__, errors, schema
from sparkclean.config.model import config_model
from sparkclean.learning.final_model import load_model
from sparkclean.schema import FILTERS, SCORES
from tests.packaging.checkout import REPOSITORY, copy_checkout, make_command, run

CONFIG = config_model()
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
#: These tests are what `make test` runs, and a cluster has its own tests.
ELSEWHERE = ("make test", "spark-submit --py-files")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


SHELL_LINES = [line for block in blocks("sh") for line in block.splitlines() if line.strip()]
COMMANDS = [line for line in SHELL_LINES if not line.startswith(ELSEWHERE)]


def table_after(heading: str) -> dict[str, list[str]]:
    """Rows of the first table below a heading, by their first cell."""
    text = README.split(f"\n{heading}\n", 1)[1]
    (table,) = re.findall(r"^(\|.*?\n)(?!\|)", text, re.MULTILINE | re.DOTALL)[:1]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return {row[0].strip("`"): row[1:] for row in rows[2:]}


# -- commands ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Run all commands, in order, in a copy of the checkout; their output by command."""
    checkout = copy_checkout(tmp_path_factory.mktemp("readme"))
    outputs = {"checkout": str(checkout)}
    for line in COMMANDS:
        # the shell strips what follows the #
        command = " ".join(make_command()) + line.removeprefix("make")
        done = run(command if line.startswith("make ") else line, checkout, timeout=600)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        outputs[line.split("#")[0].strip()] = done.stdout
    return outputs


def test_readme_commands_are_those_that_are_known() -> None:
    assert [line.split("#")[0].strip() for line in SHELL_LINES] == [
        "make demo",
        "make test",
        "sparkclean run out/demo/examples --label label --features image --out out/mine",
        "sparkclean show out/mine/suspects -n 10",
        "sparkclean init out/demo/predictions --to out/audit.yaml --force",
        "sparkclean audit --config out/audit.yaml --dry-run",
        "sparkclean run --config conf/demo.yaml --run-id nightly-1",
        "sparkclean versions out/demo/cleaned",
        "sparkclean show out/demo/suspects -n 10",
        "sparkclean train --config conf/demo.yaml --run-id model-1",
        f"spark-submit --py-files dist/sparkclean-{__version__}.zip jobs/audit.py "
        "--config conf/audit.yaml",
        "make demo-delta",
        "make demo-iceberg",
    ]


def test_readme_commands_all_run(ran: dict[str, str]) -> None:
    assert len(ran) == len(COMMANDS) + 1 == 12


@pytest.mark.parametrize("demo", ["make demo", "make demo-delta", "make demo-iceberg"])
def test_readme_demo_finds_the_flipped_labels(ran: dict[str, str], demo: str) -> None:
    found = dict(re.findall(r"^(precision|recall) +([\d.]+)%$", ran[demo], re.MULTILINE))
    assert float(found["precision"]) > 60
    assert float(found["recall"]) > 60
    head, *top, nothing, title, shown, listed = ran[demo].rstrip().splitlines()[-15:]
    assert head.split() == ["rank", "id", "given", "suggested", "true", "self_confidence"]
    assert [line.split()[0] for line in top] == [str(rank) for rank in range(1, 11)]
    assert (nothing, title) == ("", "go on:")
    assert "sparkclean show " in shown
    assert "sparkclean versions " in listed


def test_readme_dry_run_of_the_written_configuration_plans(ran: dict[str, str]) -> None:
    (plan,) = (output for command, output in ran.items() if command.endswith("--dry-run"))
    assert re.search(r"^rows +1,797 in \d+ files", plan, re.MULTILINE)
    assert re.search(r"^classes +10: 0, 1, 2", plan, re.MULTILINE)
    assert "nothing was written" in plan


def test_readme_second_run_is_the_second_version(ran: dict[str, str]) -> None:
    lines = ran["sparkclean versions out/demo/cleaned"].splitlines()
    names = [line.lstrip("* ").split()[0] for line in lines]
    assert names == ["version", "v00000001", "v00000002"]
    assert lines[2].startswith("*")
    assert lines[2].split()[-1] == "nightly-1"


def test_readme_show_prints_the_most_suspicious_rows(ran: dict[str, str]) -> None:
    said, head, *rows = ran["sparkclean show out/demo/suspects -n 10"].splitlines()
    assert said.startswith("in all rows shown: ")
    assert len(rows) == 10
    assert head.split()[0] == "rank"
    assert [line.split()[0] for line in rows] == [str(n) for n in range(1, 11)]


def test_readme_model_is_loaded_as_it_says(ran: dict[str, str]) -> None:
    model = load_model(Path(ran["checkout"]) / "out" / "demo" / "models" / "train" / "model-1")
    assert model.predict_proba(np.zeros((3, 64))).shape == (3, 10)
    (output,) = (text for command, text in ran.items() if command.startswith("sparkclean train"))
    assert "by mode cleaned after audit nightly-1" in output


def test_readme_outputs_are_where_it_says(ran: dict[str, str]) -> None:
    for name in table_after("## What it writes"):
        folder = Path(ran["checkout"]) / "out" / "demo" / name
        assert list(folder.glob("_manifests/v*.json"))
        assert list(folder.glob("data/*/"))


def test_readme_python_runs_in_a_session(ran: dict[str, str]) -> None:
    audit, job = blocks("python")
    assert len(audit.strip().splitlines()) == 4  # import, and three lines
    session = (
        "from pyspark.sql import SparkSession\n"
        "builder = SparkSession.builder.master('local[2]').config('spark.ui.enabled', 'false')\n"
        "spark = builder.config('spark.sql.shuffle.partitions', '2').getOrCreate()\n"
    )
    noise = (
        "print('noise', result.noise.noise_rate, result.classes.count(), result.pairs.count())\n"
    )
    script = Path(ran["checkout"]) / "notebook.py"
    script.write_text(session + audit + noise + job)
    done = run(["python", script.name], script.parent, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "suggested_label" in done.stdout
    assert re.search(r"^noise 0\.0\d+ 10 \d+$", done.stdout, re.MULTILINE)
    assert re.search(r"^published v\d+ \{.*'suspects': \d+", done.stdout, re.MULTILINE)


def test_readme_cluster_command_names_what_make_build_makes() -> None:
    (line,) = (line for line in SHELL_LINES if line.startswith("spark-submit"))
    words = line.split()
    assert f"dist/sparkclean-{__version__}.zip" in words
    assert [word for word in words if word.endswith((".py", ".yaml"))] == [
        "jobs/audit.py", "conf/audit.yaml",
    ]  # fmt: skip
    assert (REPOSITORY / "jobs" / "audit.py").is_file()


# -- links ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_document_links_lead_to_files(name: str) -> None:
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)]+)\)", text)
    local = [target.split("#")[0] for target in targets if "://" not in target]
    assert [target for target in local if not (REPOSITORY / target).exists()] == []


def test_document_links_are_found() -> None:
    assert "](conf/audit.yaml)" in README
    assert "](CONTRIBUTING.md)" in README


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_document_paths_of_the_repository_are_there(name: str) -> None:
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    named = set(re.findall(r"\b(?:conf|jobs|tests|benchmarks|sparkclean)/[\w/.-]*\w", text))
    assert named
    rooms = [REPOSITORY, REPOSITORY / "sparkclean"]
    missing = [
        path
        for path in named
        if not any((room / path).exists() or (room / f"{path}.py").exists() for room in rooms)
    ]
    assert missing == []


# -- tables --------------------------------------------------------------------------------------


def keys() -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    for section, field in CONFIG.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += [(section, key) for key in kind.model_fields]
        else:
            found.append((section, None))
    return found


def test_readme_configuration_table_names_every_key_and_no_other_section() -> None:
    table = table_after("## Configuration")
    assert set(table) == set(CONFIG.model_fields)
    missing = [(s, key) for s, key in keys() if key and f"`{key}`" not in table[s][0]]
    assert missing == []


def test_readme_configuration_table_states_defaults_that_are_true() -> None:
    table = table_after("## Configuration")
    stated = 0
    for section, key in keys():
        match = re.search(rf"`{key}` \(([\w.]+)\)", table[section][0])
        if match:
            default = CONFIG.model_fields[section].annotation.model_fields[key].default
            assert str(default) == match[1]
            stated += 1
    assert stated >= 4


def test_readme_configuration_table_counts_filters_and_scores() -> None:
    words = dict(enumerate("three four five six seven eight nine ten".split(), start=3))  # noqa: SIM905
    (cell,) = table_after("## Configuration")["method"]
    assert f"`filter_by` ({words[len(FILTERS)]} filters)" in cell
    assert f"`ranked_by` ({words[len(SCORES)]} scores)" in cell


@pytest.mark.parametrize("key", ["mode", "rejected"])
def test_readme_configuration_table_names_every_choice_of_clean(key: str) -> None:
    (cell,) = table_after("## Configuration")["clean"]
    choices = CONFIG.model_fields["clean"].annotation.model_fields[key].annotation.__args__
    assert f"`{key}` ({', '.join(f'`{choice}`' for choice in choices)})" in cell


def test_readme_outputs_table_names_every_output() -> None:
    outputs = set(CONFIG.model_fields["output"].annotation.model_fields) - {
        "adopt",
        "format",
        "work",
        "models",
    }
    assert set(table_after("## What it writes")) == outputs


def test_readme_outputs_table_names_the_columns_of_suspects() -> None:
    (cell,) = table_after("## What it writes")["suspects"]
    provenance = {name for name, _ in schema.PROVENANCE}
    columns = [name for name, _ in schema.SUSPECTS if name not in provenance]
    assert [name for name in columns if f"`{name}`" not in cell] == []
    assert [name for name in provenance if f"`{name}`" not in README] == []


def test_readme_outputs_table_names_what_cleaning_adds() -> None:
    (cell,) = table_after("## What it writes")["cleaned"]
    added = (schema.SAMPLE_WEIGHT, schema.LABEL_WAS_CHANGED, f"<label>{schema.ORIGINAL_SUFFIX}")
    assert [name for name in added if f"`{name}`" not in cell] == []


@pytest.mark.parametrize("name", ["mitigation", "in_sample", "predict"])
def test_readme_tables_are_what_was_measured(name: str) -> None:
    measured = (REPOSITORY / "benchmarks" / "results" / f"{name}.md").read_text()
    (table, *_) = re.findall(r"^\| .*?\n(?=\n)", measured, re.MULTILINE | re.DOTALL)
    assert table in README


def test_readme_exit_codes_are_those_of_the_errors() -> None:
    table = table_after("### On a cluster")
    codes = {kind.exit_code for kind in vars(errors).values() if hasattr(kind, "exit_code")}
    assert set(table) == {"0", *map(str, codes), "130, 143"}


def test_readme_names_the_versions_that_are_needed() -> None:
    project = (REPOSITORY / "pyproject.toml").read_text()
    assert 'requires-python = ">=3.10"' in project
    assert "Python 3.10 or newer and Java 17 or newer are needed" in README
    assert "WANTED=17\n" in (REPOSITORY / ".ci" / "check-java").read_text()
