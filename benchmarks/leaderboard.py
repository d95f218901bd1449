"""What bad keys do to the ranking of 14 language models on MMLU-Redux.

``python benchmarks/leaderboard.py`` runs ``sparkclean rank-models`` on the golden data and writes
``results/leaderboard.md``.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sparkclean

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.conftest import GOLDEN

RESULTS = Path(__file__).parent / "results" / "leaderboard.md"
MMLU = GOLDEN / "mmlu_redux"


def configuration(folder: Path) -> dict[str, Any]:
    """Give the configuration of the run, with outputs in a folder."""
    return {
        "rank": {
            "answers": {
                "table": str(MMLU / "answers.parquet"),
                "item": "question_id",
                "model": "model",
                "prediction": "answer",
            },
            "labels": {
                "table": str(MMLU / "questions.parquet"),
                "item": "question_id",
                "label": "key",
                "corrected": "corrected",
                "valid": "error_type = 'ok'",
            },
        },
        "output": {name: str(folder / name) for name in ("flips", "ranking", "runs")},
    }


def table_of(ranking: Sequence[Mapping[str, Any]]) -> str:
    """Write the rows of accuracy as a table, best model on the published keys first."""
    lines = [
        "| model | published keys | right keys | corrected keys | ranks by these | may be |",
        "|---|---|---|---|---|---|",
    ]
    rows = [row for row in ranking if row["metric"] == "accuracy"]
    for row in sorted(rows, key=lambda row: (row["rank_original"], row["model"])):
        shares = [f"{100 * row[name]:.2f} %" for name in ("value", "clean", "corrected")]
        ranks = ", ".join(str(row[f"rank_{name}"]) for name in ("original", "clean", "corrected"))
        may_be = f"{row['rank_low']} to {row['rank_high']}"
        lines.append(f"| {row['model']} | {' | '.join(shares)} | {ranks} | {may_be} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the ranking and write its table."""
    with tempfile.TemporaryDirectory() as folder:
        config = configuration(Path(folder))
        result = sparkclean.run_job("rank-models", config)
        from pyspark.sql import SparkSession  # noqa: PLC0415

        spark = SparkSession.builder.getOrCreate()
        rows = sparkclean.read(spark, str(Path(folder) / "ranking")).collect()
        text = table_of([row.asDict() for row in rows])
    RESULTS.write_text(f"# MMLU-Redux\n\n`python benchmarks/leaderboard.py`\n\n{text}\n")
    print(result.summary)


if __name__ == "__main__":
    main()
