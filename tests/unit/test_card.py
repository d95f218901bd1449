"""`sparkclean card`: a dataset card and Croissant metadata, of published tables alone."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from sparkclean.commands.card_files import CardFacts, croissant, dataset_card, inert
from sparkclean.commands.main import main
from sparkclean.lake import ParquetTarget, Version, open_target, shared_run_id
from tests.browser.samples import SCRIPT, TURNED, pairs_and_classes

HOSTILE = [SCRIPT, TURNED, "a | b\n---\n# c", "[x](javascript:y) www.z.org @all", "`x` *y* & <z>"]


def record(mode: str = "drop", **content: Any) -> dict[str, Any]:
    config = {
        "clean": {"mode": mode, "rejected": "keep"},
        "columns": {"label": "label"},
        "method": {"filter_by": "prune_by_noise_rate", "ranked_by": "self_confidence"},
    }
    then = {"table": "/lake/pets", "format": "delta", "dataset_version": "42", "version": "42"}
    return {
        "run_id": "first",
        "original_run_id": "first",
        "job": "audit",
        "status": "published",
        "config_fingerprint": "f1",
        "result_hash": "abc",
        "versions": json.dumps({"sparkclean": "0.1.0", "spark": "4.1.4"}),
        "config": json.dumps(config),
        "input": json.dumps(then),
        "outputs": "{}",
        "metrics": json.dumps({"noise_rate": 0.05}),
        "counts": json.dumps({"warnings": ["a doubt"]}),
        "rows": 500,
        "audited": 500,
        "rejected": 0,
        "suspects": 20,
        **content,
    }


def facts(labels: list[str], mode: str = "drop") -> CardFacts:
    found = record(mode)
    pairs, classes = pairs_and_classes(labels, 100, 0.1, 1)
    columns = [
        {"name": "id", "type": "long"},
        {"name": "label", "type": "string"},
        {"name": SCRIPT, "type": {"type": "array", "elementType": "float"}},
    ]
    return CardFacts(
        location="/lake/cleaned",
        format="parquet",
        version=Version(3, "v00000003", 2, "first", (), "2026-11-30T04:00:00+00:00", 480, 1, 9, ""),
        fields=columns,
        folders=["data/first"],
        record=found,
        config=json.loads(found["config"]),
        input=json.loads(found["input"]),
        classes=classes,
        pairs=pairs,
        noise_rate=0.05,
        interval=(0.04, 0.06),
        warnings=("a doubt",),
    )


def test_card_says_what_people_found_in_a_random_sample() -> None:
    row = {"value": 0.0427, "low": 0.0323, "high": 0.1044, "errors": 22, "reviewed": 114}
    text = dataset_card(replace(facts(["cat", "dog"]), reviewed=row))
    assert "4.27% of the labels are wrong (95 % interval 3.23% to 10.44%, 22 errors in 114" in text
    assert text.index("4.27%") < text.index("5.00% of the labels")
    assert "random sample" not in dataset_card(facts(["cat", "dog"]))


def test_card_says_what_was_done() -> None:
    text = dataset_card(facts(["cat", "dog"]))
    for words in (
        "Suspects were left out. Of 500 audited rows 20 are suspects (4.00% of the audited rows).",
        "This version has 480 rows.",
        "5.00% of the labels (95 % interval at least 4.00% to 6.00%)",
        "- Result hash: abc",
        "- Version: 42",
        "`VERSION AS OF`",
        "- a doubt",
    ):
        assert words in text
    head = yaml.safe_load(text.split("---")[1])
    assert head["pretty_name"] == "pets, cleaned"
    assert head["size_categories"] == ["n<1K"]
    assert head["configs"][0]["data_files"][0]["path"] == ["data/first/*.parquet"]


@pytest.mark.parametrize(
    ("mode", "title"),
    [("relabel", "label changed"), ("weight", "weight 0"), ("quarantine", "moved")],
)
def test_card_names_what_happened_to_suspects(mode: str, title: str) -> None:
    assert f"| given label | examples | {title} |" in dataset_card(facts(["cat", "dog"], mode))


def test_card_shows_hostile_labels_inert() -> None:
    text = dataset_card(facts(HOSTILE))
    assert "<script" not in text
    assert "\u202e" not in text
    assert "\\u202e" in text
    assert "\n# c" not in text
    assert not re.search(r"(?<!\\)\]\(", text)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 4 for line in rows)


def test_inert_escapes_markup_and_addresses() -> None:
    assert inert("a_b [x](y) <i> &") == "a\\_b \\[x\\](y) &lt;i&gt; &amp;"
    assert inert("https://x.org www.x.org @y") == "https&#58;//x.org www&#46;x.org &#64;y"


@pytest.mark.filterwarnings("ignore")
def test_croissant_is_valid() -> None:
    import mlcroissant

    found = croissant(facts(HOSTILE))
    dataset = mlcroissant.Dataset(jsonld=json.loads(json.dumps(found)))
    assert not dataset.metadata.ctx.issues.errors
    fields = found["recordSet"][0]["field"]
    assert [field["dataType"] for field in fields] == ["sc:Integer", "sc:Text", "sc:Float"]
    assert [field.get("repeated", False) for field in fields] == [False, False, True]


# -- the command ---------------------------------------------------------------------------------


def published(target: ParquetTarget, run_id: str, rows: list[dict[str, Any]], *, of: str) -> None:
    table = pa.Table.from_pylist(rows)
    staging = target.stage(of)
    staging.write_arrow(table)
    kinds = {"int64": "long", "double": "double"}
    columns = [
        {"name": f.name, "type": kinds.get(str(f.type), "string"), "nullable": True, "metadata": {}}
        for f in table.schema
    ]
    target.publish(
        staging,
        expected_parent=None,
        accumulate="status" in table.column_names,
        properties={"config_fingerprint": "f1", "input": "42", "job": "audit"},
        schema=json.dumps({"type": "struct", "fields": columns}),
    )


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    examples = [{"id": n, "label": "cat"} for n in range(4)]
    published(open_target(str(tmp_path / "cleaned")), "first", examples, of="first")
    of = shared_run_id("audit", "first")
    published(open_target(str(tmp_path / "runs")), "first", [record()], of=of)
    return tmp_path


def test_command_writes_both_files(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["card", str(lake / "cleaned"), "-o", str(lake / "card")]) == 0
    assert "written: " in capsys.readouterr().out
    assert "no longer published" in (lake / "card" / "README.md").read_text()
    assert json.loads((lake / "card" / "croissant.json").read_text())["version"] == "1.0.0"


def test_command_takes_run_records_from_elsewhere(lake: Path) -> None:
    (lake / "runs").rename(lake / "elsewhere")
    target = str(lake / "cleaned")
    assert main(["card", target, "-o", str(lake / "card")]) == 3
    runs = str(lake / "elsewhere")
    assert main(["card", target, "--runs", runs, "-o", str(lake / "card")]) == 0


def test_command_refuses_what_is_no_cleaned_version(lake: Path) -> None:
    assert main(["card", str(lake / "runs"), "-o", str(lake / "card")]) == 2
    assert not (lake / "card").exists()
