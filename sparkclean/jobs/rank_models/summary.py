"""What a ranking says to people."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from sparkclean.jobs.rank_models.results import Compared
from sparkclean.jobs.rank_models.sections import RankSection
from sparkclean.rows.report import Grid, Line, Report, cell

_MODELS_SHOWN, _FLIPS_SHOWN = 20, 10
#: What the run record keeps.
_MODELS_KEPT, _FLIPS_KEPT = 100, 20
_KEPT = (
    "model_a", "model_b", "clean_a", "clean_b", "level_prevalence", "level_set", "holm_p",
    "certain",
)  # fmt: skip


def summarise(found: Compared, rank: RankSection) -> Report:
    """Sum a ranking up: counts, the first models, and the pairs whose order bad labels change.

    Parameters
    ----------
    found : Compared
    rank : RankSection

    Returns
    -------
    Report
    """
    numbers = found.metrics
    first = f"{numbers['models']:,} models on {numbers['items']:,} items"
    if "prevalence" in numbers:
        first += f", {numbers['bad_items']:,} with bad labels ({100 * numbers['prevalence']:.2f} %)"
    parts: list[Line | Grid] = [Line(first), Line(""), _models(found)]
    parts += [Line(""), *_flips(found)] if "flips" in numbers else []
    parts += [Line(text, tone="warning") for text in _warnings(rank)]
    return Report(parts)


def counts_of(found: Compared) -> dict[str, Any]:
    """Give what the run record holds for a report: the first models, and the first flips.

    Parameters
    ----------
    found : Compared

    Returns
    -------
    dict
        At most 100 models and 20 pairs.
    """
    prevalence = found.metrics.get("prevalence", 0.0)
    models = []
    for row in [row for row in found.ranking if row["metric"] == "accuracy"][:_MODELS_KEPT]:
        own = {"model": row["model"], "accuracy": row["value"]}
        own |= {name: row[name] for name in ("clean", "corrected") if row[name] is not None}
        models.append(own | {name: row[name] for name in ("rank_low", "rank_high")})
    flips = []
    for row in _flipped(found).slice(0, _FLIPS_KEPT).to_pylist():
        own = {name: row[name] for name in _KEPT}
        for side in ("a", "b"):  # accuracy on the items with bad labels
            rest = row[f"original_{side}"] - (1.0 - prevalence) * row[f"clean_{side}"]
            own[f"bad_{side}"] = min(max(rest / prevalence, 0.0), 1.0)
        flips.append(own)
    return {"models": models, "flips": flips}


def _flipped(found: Compared) -> pa.Table:
    """Choose the pairs whose accuracies change their order."""
    import pyarrow.compute as pc  # noqa: PLC0415

    flips = pc.fill_null(found.flips.column("flips"), False)
    of_accuracy = pc.equal(found.flips.column("metric"), "accuracy")
    return found.flips.filter(pc.and_(flips, of_accuracy))


def _models(found: Compared) -> Grid:
    metric = found.ranking[0]["metric"]
    rows = [row for row in found.ranking if row["metric"] == metric][:_MODELS_SHOWN]
    titles = ["rank", "model", metric, "95 % interval"]
    wanted = [name for name in ("clean", "corrected") if rows[0][name] is not None]
    titles += [title for name in wanted for title in (name, "rank")]
    has_interval = rows[0]["rank_low"] is not None
    titles += ["ranks"] if has_interval else []
    lines = []
    for row in rows:
        line = [str(row["rank_original"]), cell(row["model"]), f"{row['value']:.4f}"]
        line.append(f"{row['low']:.4f} to {row['high']:.4f}")
        for name in wanted:
            line += [f"{row[name]:.4f}", str(row[f"rank_{name}"])]
        line += [f"{row['rank_low']} to {row['rank_high']}"] if has_interval else []
        lines.append(line)
    return Grid(lines, titles=titles, right=[0])


def _flips(found: Compared) -> list[Line | Grid]:
    chosen = _flipped(found)
    numbers = found.metrics
    text = (
        f"{numbers['flips']:,} of {numbers['pairs']:,} pairs change their order on clean labels, "
        f"{numbers['certain_flips']:,} of them certainly"
    )
    rows = chosen.slice(0, _FLIPS_SHOWN).to_pylist()
    if not rows:
        return [Line(text)]
    titles = ("model_a", "model_b", "level at", "or within", "holm_p", "certain")
    return [Line(text), Grid([_flip(row) for row in rows], titles=titles)]


def _flip(row: dict[str, Any]) -> list[str]:
    level, within = row["level_prevalence"], row["level_set"]
    intervals = " and ".join(f"{low:.3f} to {high:.3f}" for low, high in within or ())
    return [
        cell(row["model_a"]),
        cell(row["model_b"]),
        "" if level is None else f"{level:.4f}",
        intervals or "nowhere",
        f"{row['holm_p']:.3g}",
        "yes" if row["certain"] else "no",
    ]


def _warnings(rank: RankSection) -> list[str]:
    labels = rank.labels
    if labels.audited is not None:
        return [
            "labels from an audit favour models like the auditor, so no order is called certain; "
            "have people check the labels (rank.labels.valid or corrected)"
        ]
    if not labels.is_known:
        return [
            "nothing is known of wrong labels, so no order is called certain; name what is known "
            "in rank.labels (valid, corrected, cleaned or suspects)"
        ]
    return []
