"""The numbers that charts draw and tables below them show, from tables and run records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from sparkclean.errors import ConfigError
from sparkclean.plots.shown import shown
from sparkclean.plots.tables import metrics_of, parsed, rows_of
from sparkclean.schema import GIVEN_LABEL, LABEL_QUALITY

PairValue: TypeAlias = Literal["estimated", "suspects", "rate"]
RunValue: TypeAlias = Literal["suspects", "noise", "rows", "seconds"]

_VALUES = {"estimated": "calibrated_joint", "suspects": "suspects", "rate": "noise_rate"}
#: Characters of a label at an axis, and of a name of a phase.
_AXIS, _PHASE = 22, 42
#: Bins of a histogram that is made here, as many as an audit makes.
_BINS = 50


def axis_labels(labels: Iterable[object], most: int = _AXIS) -> dict[object, str]:
    """Write labels so that they fit an axis, each unlike the others.

    Parameters
    ----------
    labels : iterable of object
    most : int
        Characters.

    Returns
    -------
    dict
        Text by label; of labels that are cut to the same text the later ones get a number.
    """
    texts: dict[object, str] = {}
    taken: set[str] = set()
    for label in labels:
        if label in texts:
            continue
        text = base = shown(label, most) or "(empty)"
        number = 2
        while text in taken:
            text, number = f"{base} ({number})", number + 1
        taken.add(text)
        texts[label] = text
    return texts


# -- pairs of classes ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    """A (given, true) pair of different classes.

    Attributes
    ----------
    given, true : str
        As they are shown.
    estimated, suspects : int
    rate : float
        Share of the true class that is given the label.
    """

    given: str
    true: str
    estimated: int
    suspects: int
    rate: float

    @property
    def title(self) -> str:
        """Both labels."""
        return f"{self.given} → {self.true}"


@dataclass(frozen=True)
class Matrix:
    """Cells of a heat map.

    Attributes
    ----------
    labels : tuple of str
        Of rows and columns, in their order.
    rows : sequence of dict
        ``given``, ``true``, ``same``, ``value``, and ``share`` of the largest error.
    total : int
        Classes that there are.
    """

    labels: tuple[str, ...]
    rows: Sequence[dict[str, Any]]
    total: int


def _pairs(source: Any) -> list[dict[str, Any]]:
    return rows_of(source, "pairs", (GIVEN_LABEL, "true_label", *_VALUES.values()))


def confused(source: Any) -> list[Pair]:
    """List the pairs of different classes, those with the most estimated examples first.

    Parameters
    ----------
    source : table, or AuditResult

    Returns
    -------
    list of Pair
    """
    rows = [row for row in _pairs(source) if row[GIVEN_LABEL] != row["true_label"]]
    rows = [row for row in rows if row["calibrated_joint"] or row["suspects"]]
    rows.sort(key=lambda row: (-row["calibrated_joint"], -row["suspects"]))
    texts = axis_labels(x for row in rows for x in (row[GIVEN_LABEL], row["true_label"]))
    return [
        Pair(
            texts[row[GIVEN_LABEL]],
            texts[row["true_label"]],
            int(row["calibrated_joint"]),
            int(row["suspects"]),
            float(row["noise_rate"]),
        )
        for row in rows
    ]


def matrix(source: Any, value: PairValue, most: int) -> Matrix:
    """Build the cells of the noise matrix.

    Parameters
    ----------
    source : table, or AuditResult
    value : {"estimated", "suspects", "rate"}
    most : int
        Classes; of more, those with the largest errors are taken.

    Returns
    -------
    Matrix
    """
    rows, column = _pairs(source), _VALUES[value]
    labels = list(dict.fromkeys(x for row in rows for x in (row[GIVEN_LABEL], row["true_label"])))
    errors: dict[object, float] = dict.fromkeys(labels, 0.0)
    for row in rows:
        if row[GIVEN_LABEL] != row["true_label"]:
            errors[row[GIVEN_LABEL]] += row[column]
            errors[row["true_label"]] += row[column]
    kept = set(sorted(labels, key=lambda label: -errors[label])[:most])
    # pairs come ordered by class; a class without a diagonal pair may come late
    texts = axis_labels([label for label in _ordered(labels) if label in kept])
    cells = [row for row in rows if row[GIVEN_LABEL] in kept and row["true_label"] in kept]
    largest = max((r[column] for r in cells if r[GIVEN_LABEL] != r["true_label"]), default=0) or 1
    return Matrix(
        tuple(texts.values()),
        [
            {
                "given": texts[row[GIVEN_LABEL]],
                "true": texts[row["true_label"]],
                "same": row[GIVEN_LABEL] == row["true_label"],
                "value": row[column],
                "share": row[column] / largest,
            }
            for row in cells
        ],
        len(labels),
    )


def _ordered(labels: Sequence[Any]) -> list[Any]:
    try:
        return sorted(labels)
    except TypeError:
        return list(labels)


# -- classes -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ClassNoise:
    """A class and its estimated noise.

    Attributes
    ----------
    label : str
    examples, suspects : int
    noise, inverse : float
        Share of its given labels that are wrong; of what belongs to it, given another label.
    threshold, quality : float
    """

    label: str
    examples: int
    suspects: int
    noise: float
    inverse: float
    threshold: float
    quality: float


def classes(source: Any) -> list[ClassNoise]:
    """List the classes, those with the largest share of wrong labels first.

    Parameters
    ----------
    source : table, or AuditResult

    Returns
    -------
    list of ClassNoise
    """
    columns = (
        "class", "examples", "suspects", "label_noise", "inverse_label_noise", "threshold",
        "label_quality_score",
    )  # fmt: skip
    rows = rows_of(source, "classes", columns)
    texts = axis_labels((row["class"] for row in rows), 40)
    found = [
        ClassNoise(
            texts[row["class"]],
            int(row["examples"] or 0),
            int(row["suspects"] or 0),
            *(_number(row[name]) for name in columns[3:]),
        )
        for row in rows
    ]
    return sorted(found, key=lambda c: (-c.noise, -c.suspects))


def _number(value: Any) -> float:
    """Give a number; 0 for null and NaN, as of a class without examples."""
    return float(value) if value is not None and np.isfinite(value) else 0.0


# -- histograms ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Histogram:
    """Rows by equal ranges of a score from 0 to 1.

    Attributes
    ----------
    name : str
        Of the score.
    counts : sequence of int
    """

    name: str
    counts: Sequence[int]

    @property
    def total(self) -> int:
        """Rows in all bins."""
        return sum(self.counts)

    def below(self, score: float) -> int:
        """Count the rows of the bins that end at a score or below it."""
        return sum(self.counts[: round(score * len(self.counts))])

    def rows(self) -> list[dict[str, Any]]:
        """Give the bins as rows: ``name``, ``low``, ``high``, ``rows``."""
        bins = len(self.counts)
        return [
            {"name": self.name, "low": m / bins, "high": (m + 1) / bins, "rows": int(count)}
            for m, count in enumerate(self.counts)
        ]


def quality_histogram(source: Any) -> Histogram:
    """Find the histogram of the suspects' label quality, or count it.

    Parameters
    ----------
    source : run record, metrics, AuditResult, or table of suspects

    Returns
    -------
    Histogram
    """
    noted = _histograms(source).get("label_quality")
    if noted:
        both = zip(noted["agreed"], noted["disagreed"], strict=True)
        return Histogram(_words(noted["score"]), [int(a + b) for a, b in both])
    if isinstance(source, Mapping):
        raise ConfigError(_NO_HISTOGRAMS)
    scores = [row[LABEL_QUALITY] for row in rows_of(source, "suspects", (LABEL_QUALITY,))]
    values = np.array([s for s in scores if s is not None], dtype=np.float64)
    counts, _ = np.histogram(np.clip(values, 0.0, 1.0), bins=_BINS, range=(0.0, 1.0))
    return Histogram("label quality", counts.tolist())


def confidence_histograms(source: Any) -> tuple[Histogram, Histogram]:
    """Find the histograms of self-confidence, of rows that agree with their label and others.

    Parameters
    ----------
    source : run record, metrics, or AuditResult

    Returns
    -------
    tuple of Histogram
    """
    noted = _histograms(source).get("self_confidence")
    if not noted:
        raise ConfigError(_NO_HISTOGRAMS)
    agreed, disagreed = (Histogram("self-confidence", noted[k]) for k in ("agreed", "disagreed"))
    return agreed, disagreed


_NO_HISTOGRAMS = (
    "this run has noted no histograms of its scores, as runs of earlier releases: audit again, or "
    "hand over the table of suspects"
)


def _histograms(source: Any) -> Mapping[str, Any]:
    found = metrics_of(source).get("histograms")
    return found if isinstance(found, Mapping) else {}


def _words(name: str) -> str:
    return name.replace("_", " ").replace("self confidence", "self-confidence")


# -- predictions ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class CalibrationBin:
    """Predictions of about the same confidence.

    Attributes
    ----------
    rows : int
    confidence, accuracy : float
        Mean probability of the predicted class; share of rows whose label it is.
    """

    rows: int
    confidence: float
    accuracy: float


def calibration_bins(source: Any) -> list[CalibrationBin]:
    """Find the bins of the calibration curve that have rows.

    Parameters
    ----------
    source : run record, or metrics

    Returns
    -------
    list of CalibrationBin
    """
    noted = metrics_of(source).get("calibration")
    if not isinstance(noted, Mapping):
        raise ConfigError(
            "this run has noted no calibration bins, as audits and runs of earlier releases"
        )
    bins = zip(noted["rows"], noted["confidence"], noted["hits"], strict=True)
    return [CalibrationBin(int(rows), float(c), hits / rows) for rows, c, hits in bins if rows]


# -- runs ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """A run of the history.

    Attributes
    ----------
    number : int
        From 1, in the order in which they ended.
    run_id, job, status, finished : str
    published : bool
    values : mapping
        ``suspects``, ``noise``, ``rows`` and ``seconds``, None where it is not known.
    """

    number: int
    run_id: str
    job: str
    status: str
    finished: str
    published: bool
    values: Mapping[str, float | None]


def runs(source: Any) -> list[Run]:
    """List runs in the order in which they ended.

    Parameters
    ----------
    source : table
        By ``sparkclean.schema.RUNS``.

    Returns
    -------
    list of Run
    """
    columns = (
        "original_run_id", "job", "status", "finished_at", "suspects", "rows", "seconds", "metrics",
    )  # fmt: skip
    rows = rows_of(source, "runs", columns)
    rows.sort(key=lambda row: str(row["finished_at"]))
    return [
        Run(
            number,
            shown(row["original_run_id"]),
            shown(row["job"]),
            shown(row["status"]),
            shown(row["finished_at"])[:16],
            row["status"] == "published",
            {
                "suspects": _or_none(row["suspects"]),
                "noise": _or_none((parsed(row["metrics"]) or {}).get("noise_rate")),
                "rows": _or_none(row["rows"]),
                "seconds": _or_none(row["seconds"]),
            },
        )
        for number, row in enumerate(rows, 1)
    ]


def _or_none(value: Any) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None


@dataclass(frozen=True)
class RunPhase:
    """A phase of a run.

    Attributes
    ----------
    name : str
    rows : int or None
    seconds : float
    """

    name: str
    rows: int | None
    seconds: float


def phases(source: Any) -> list[RunPhase]:
    """List the phases of a run.

    Parameters
    ----------
    source : mapping, or sequence of mapping
        A run record, or its phases.

    Returns
    -------
    list of RunPhase
    """
    found = parsed(source["phases"] if isinstance(source, Mapping) else source) or []
    names: list[str] = []
    for phase in found:  # a phase that is repeated has a bar of its own
        name, number = shown(phase["name"], _PHASE), 2
        base = name
        while name in names:
            name, number = f"{base} ({number})", number + 1
        names.append(name)
    return [
        RunPhase(name, phase.get("rows"), float(phase["seconds"] or 0.0))
        for name, phase in zip(names, found, strict=True)
    ]
