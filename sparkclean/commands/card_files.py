"""The texts of a dataset card: Markdown with a YAML head, and Croissant metadata (JSON-LD).

Labels, names and places are texts of others: escaped so that nothing in them is markup.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from sparkclean.plots.shown import MOST_VALUE, shown
from sparkclean.version import __version__

if TYPE_CHECKING:
    from sparkclean.lake import Version

#: Classes that the card lists.
_MOST_CLASSES = 50
#: What each mode has done with the suspects: in one sentence, and a title of their number.
_MODES = {
    "drop": ("Suspects were left out.", "left out"),
    "quarantine": ("Suspects were moved to a version of their own.", "moved"),
    "relabel": ("Suspects were given the label that they look like.", "label changed"),
    "weight": ("Nothing was left out: suspects have sample_weight 0.", "weight 0"),
}
#: Bounds of Hugging Face's size categories.
_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"),
    (1_000_000_000, "100M<n<1B"),
)
#: Croissant's types by Spark's; anything else is text.
_TYPES = {
    "byte": "sc:Integer",
    "short": "sc:Integer",
    "integer": "sc:Integer",
    "long": "sc:Integer",
    "float": "sc:Float",
    "double": "sc:Float",
    "boolean": "sc:Boolean",
    "date": "sc:Date",
    "timestamp": "sc:DateTime",
    "timestamp_ntz": "sc:DateTime",
}
_MARKUP = re.compile(r"([\\`*_{}\[\]#!|~$^])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"}


@dataclass(frozen=True)
class CardFacts:
    """What a card says.

    Attributes
    ----------
    location, format : str
        Of the cleaned version.
    version : Version
    fields : sequence of mapping
        Its columns, as Spark's JSON has them.
    folders : sequence of str
        Parquet: where its files lie, from ``location``.
    record, config, input : mapping
        Of the run that made it.
    classes, pairs : sequence of mapping
        Rows of these outputs; empty where they are gone.
    noise_rate : float or None
        Estimated, before.
    interval : (float, float) or None
    warnings : tuple of str
    reviewed : mapping or None
        Row of the output estimates: the error rate in a random sample that people reviewed.
    """

    location: str
    format: str
    version: Version
    fields: Sequence[Mapping[str, Any]]
    folders: Sequence[str]
    record: Mapping[str, Any]
    config: Mapping[str, Any]
    input: Mapping[str, Any]
    classes: Sequence[Mapping[str, Any]]
    pairs: Sequence[Mapping[str, Any]]
    noise_rate: float | None
    interval: tuple[float, float] | None
    warnings: tuple[str, ...]
    reviewed: Mapping[str, Any] | None = None

    @property
    def mode(self) -> str:
        """What was done with suspects."""
        return str(self.config["clean"]["mode"])

    @property
    def name(self) -> str:
        """Name of the table that was cleaned."""
        return shown(PurePath(self.input["table"]).name or self.input["table"])

    @property
    def description(self) -> str:
        """One sentence."""
        return (
            f"{self.name} with its label noise reduced: {_MODES[self.mode][0]} Made by sparkclean "
            f"{__version__} with confident learning."
        )


def inert(text: object, most: int = MOST_VALUE) -> str:
    """Write a text so that Markdown and HTML show it as it is.

    Parameters
    ----------
    text : object
    most : int
        Characters.

    Returns
    -------
    str
        One line.
    """
    found = _MARKUP.sub(r"\\\1", shown(text, most))
    found = "".join(_ENTITIES.get(character, character) for character in found)
    # what some readers would make links of by themselves
    return found.replace("://", "&#58;//").replace("www.", "www&#46;")


# -- the dataset card ----------------------------------------------------------------------------


def dataset_card(facts: CardFacts) -> str:
    """Write the dataset card.

    Parameters
    ----------
    facts : CardFacts

    Returns
    -------
    str
        Markdown, behind a head of YAML.
    """
    parts = [
        _head(facts),
        f"# {inert(facts.name)}, cleaned",
        inert(facts.description, 400),
        _source(facts),
        _changes(facts),
        _noise(facts),
        _method(facts),
        _limits(facts),
        _reading(facts),
    ]
    return "\n\n".join(parts) + "\n"


def _head(facts: CardFacts) -> str:
    rows = facts.version.rows or 0
    size = next((name for most, name in _SIZES if rows < most), "n>1B")
    head: dict[str, Any] = {
        "pretty_name": f"{facts.name}, cleaned",
        "license": "unknown",
        "size_categories": [size],
        "tags": ["label-noise", "confident-learning", "sparkclean"],
    }
    if facts.folders:
        files = [f"{shown(folder, 500)}/*.parquet" for folder in facts.folders]
        head["configs"] = [
            {"config_name": "default", "data_files": [{"split": "train", "path": files}]}
        ]
    # values in JSON are YAML, too, and nothing in a text ends them
    lines = [f"{key}: {json.dumps(value)}" for key, value in head.items()]
    return "\n".join(["---", *lines, "---"])


def _list(rows: Sequence[tuple[str, object]]) -> str:
    return "\n".join(f"- {name}: {inert(value)}" for name, value in rows if value is not None)


def _source(facts: CardFacts) -> str:
    then = facts.input
    return "## Source\n\n" + _list(
        [
            ("Table", then["table"]),
            ("Format", then["format"]),
            ("Version", then["dataset_version"]),
            ("Rows", f"{facts.record['rows']:,}" if facts.record["rows"] is not None else None),
            ("Label column", facts.config["columns"]["label"]),
            ("License", "that of the source, which sparkclean does not know"),
        ]
    )


def _changes(facts: CardFacts) -> str:
    record, (said, title) = facts.record, _MODES[facts.mode]
    suspects, audited = record["suspects"] or 0, record["audited"] or 0
    rejected = record["rejected"] or 0
    share = f" ({suspects / audited:.2%} of the audited rows)" if audited else ""
    kept = facts.config["clean"].get("rejected", "keep") != "remove"
    words = [
        f"{said} Of {audited:,} audited rows {suspects:,} are suspects{share}.",
        f"{rejected:,} rows could not be audited and were "
        f"{'kept as they are' if kept else 'left out'}."
        if rejected
        else "",
        f"This version has {facts.version.rows:,} rows." if facts.version.rows is not None else "",
    ]
    text = "## What was changed\n\n" + " ".join(filter(None, words))
    rows = sorted(facts.classes, key=lambda row: -(row["suspects"] or 0))
    if not rows:
        return text + "\n\nThe numbers by class are no longer published."
    lines = [f"| given label | examples | {title} |", "| --- | ---: | ---: |"]
    lines += [
        f"| {inert(row['class'], 60)} | {row['examples']:,} | {row['suspects']:,} |"
        for row in rows[:_MOST_CLASSES]
    ]
    if len(rows) > _MOST_CLASSES:
        lines.append(f"\nThe first {_MOST_CLASSES} of {len(rows):,} classes.")
    return text + "\n\n" + "\n".join(lines)


def _noise(facts: CardFacts) -> str:
    text = "## Estimated label noise before\n\n"
    row = facts.reviewed
    if row is not None and row["value"] is not None:
        text += (
            f"People reviewed a random sample: {row['value']:.2%} of the labels are wrong (95 % "
            f"interval {row['low']:.2%} to {row['high']:.2%}, {row['errors']:,} errors in "
            f"{row['reviewed']:,} examples). The audit's own estimate:\n\n"
        )
    if facts.noise_rate is None:
        return text + "The run record does not tell."
    text += f"{facts.noise_rate:.2%} of the labels"
    if facts.interval:
        low, high = facts.interval
        text += f" (95 % interval at least {low:.2%} to {high:.2%})"
    text += ". A weak model or overlapping classes bias the estimate."
    found = [row for row in facts.pairs if row["given_label"] != row["true_label"]]
    found = sorted(found, key=lambda row: -row["calibrated_joint"])[:10]
    if not found:
        return text
    lines = ["| given label | probably | estimated examples |", "| --- | --- | ---: |"]
    lines += [
        f"| {inert(row['given_label'], 60)} | {inert(row['true_label'], 60)} | "
        f"{row['calibrated_joint']:,} |"
        for row in found
    ]
    return text + "\n\n" + "\n".join(lines)


def _method(facts: CardFacts) -> str:
    method, record = facts.config.get("method", {}), facts.record
    versions = json.loads(record["versions"] or "{}")
    return "## Method\n\n" + _list(
        [
            ("Method", "confident learning (Northcutt, Jiang and Chuang, 2021)"),
            ("Filter", method.get("filter_by")),
            ("Label quality", method.get("ranked_by")),
            ("Cleaned by", facts.mode),
            ("Run", record["original_run_id"]),
            ("Configuration", record["config_fingerprint"]),
            ("Result hash", record["result_hash"]),
            ("sparkclean", versions.get("sparkclean")),
            ("Spark", versions.get("spark")),
        ]
    )


def _limits(facts: CardFacts) -> str:
    limits = [
        "Suspects were found by a model. Some of them are right, and some wrong labels were not "
        "found.",
        "Rare and hard examples look like wrong labels: check whether a class or a group has lost "
        "more than others before you train on this version.",
        "An evaluation on a cleaned test set is easier than one on the source.",
    ]
    lines = [*limits, *(inert(text, 500) for text in facts.warnings)]
    return "## Known limits\n\n" + "\n".join(f"- {line}" for line in lines)


def _reading(facts: CardFacts) -> str:
    then = facts.input
    what = f"table {inert(then['table'])}, {inert(then['dataset_version'])}"
    how = {
        "delta": "Delta Lake reads it by `VERSION AS OF`.",
        "iceberg": "Apache Iceberg reads it by its snapshot id.",
    }.get(then["format"], "Its files are those of that version, as the run record lists them.")
    return (
        f"## Reading the original\n\nNothing of the source was changed: {what}. {how} "
        f"This version is {inert(facts.version.name)} of {inert(facts.location)}."
    )


# -- Croissant -----------------------------------------------------------------------------------

_CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def croissant(facts: CardFacts) -> dict[str, Any]:
    """Describe the version as Croissant 1.0 has it.

    Parameters
    ----------
    facts : CardFacts

    Returns
    -------
    dict
        JSON-LD.
    """
    record = facts.record
    folders = [shown(folder, 500) for folder in facts.folders] or ["."]
    sets = [f"files-{number}" if number else "files" for number in range(len(folders))]
    label = str(facts.config["columns"]["label"])
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": f"{facts.name}-cleaned",
        "description": f"{facts.description} Version {shown(facts.version.name)}.",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "version": f"{facts.version.number}.0.0",
        "datePublished": facts.version.created_at[:10],
        "license": "unknown",
        "url": shown(facts.location, 500),
        "isBasedOn": shown(f"{facts.input['table']} {facts.input['dataset_version']}", 500),
        "identifier": record["result_hash"],
        "distribution": [
            {
                "@type": "cr:FileSet",
                "@id": name,
                "name": name,
                "description": f"Files of the version, in {folder}",
                "encodingFormat": "application/x-parquet",
                "includes": f"{folder}/*.parquet" if folder != "." else "*.parquet",
            }
            for name, folder in zip(sets, folders, strict=True)
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "examples",
                "name": "examples",
                "description": "One record per example.",
                "field": [
                    _field(number, field, sets[0], is_label=field["name"] == label)
                    for number, field in enumerate(facts.fields)
                ],
            }
        ],
    }


def _field(number: int, field: Mapping[str, Any], files: str, *, is_label: bool) -> dict[str, Any]:
    kind, repeated = field["type"], False
    if isinstance(kind, Mapping) and kind.get("type") == "array":
        kind, repeated = kind["elementType"], True
    found = "sc:Text"
    if isinstance(kind, str):
        found = "sc:Float" if kind.startswith("decimal") else _TYPES.get(kind, "sc:Text")
    return {
        "@type": "cr:Field",
        # names of columns may hold anything, and ids may not
        "@id": f"examples/column-{number}",
        "name": shown(field["name"]),
        "description": "The label." if is_label else f"Column {shown(field['name'])}.",
        "dataType": found,
        **({"repeated": True} if repeated else {}),
        "source": {"fileSet": {"@id": files}, "extract": {"column": shown(field["name"], 500)}},
    }
