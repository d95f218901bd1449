"""The data of ``make demo``: real digits with some labels flipped, and how many were found."""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sparkclean.commands.terminal import print_report, say
from sparkclean.rows.report import Grid, Line, Report

_FLIPPED_SHARE = 0.05


def flip_labels(labels: NDArray[np.int64], num_classes: int) -> NDArray[np.int64]:
    """Flip 5 % of the labels, chosen by a hash of the record id (the position).

    Parameters
    ----------
    labels : ndarray of int, shape (N,)
    num_classes : int

    Returns
    -------
    ndarray of int, shape (N,)
    """
    flipped = labels.copy()
    for record_id, label in enumerate(labels):
        digest = hashlib.sha256(f"digit {record_id}".encode()).digest()
        if int.from_bytes(digest[:8], "big") < _FLIPPED_SHARE * 2**64:
            flipped[record_id] = (label + 1 + digest[8] % (num_classes - 1)) % num_classes
    return flipped


def prepare(folder: Path) -> None:
    """Write ``examples`` and ``truth`` below a folder.

    Parameters
    ----------
    folder : Path
    """
    from sklearn.datasets import load_digits  # noqa: PLC0415 (only the demo needs it)

    digits = load_digits()
    true = digits.target.astype(np.int64)
    given = flip_labels(true, 10)
    ids = pa.array(np.arange(len(true)))
    examples = {
        "id": ids,
        "label": pa.array(given, pa.int32()),
        "image": pa.array(list(digits.data.astype(np.float32)), pa.list_(pa.float32())),
    }
    truth = {"id": ids, "true_label": pa.array(true, pa.int32()), "was_flipped": given != true}
    for name, columns in (("examples", examples), ("truth", truth)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), folder / name / "part-00000.parquet")
    say(f"{len(true):,} digits, {int((given != true).sum())} labels flipped, in {folder}")


def load(folder: Path, table: str, kind: str, properties: str | None) -> None:
    """Write ``examples`` into a table of Delta or Iceberg.

    Parameters
    ----------
    folder : Path
        Of `prepare`.
    table : str
        Path, or name in a catalog.
    kind : {"delta", "iceberg"}
    properties : str or None
        File of settings of the Spark session.
    """
    from sparkclean.names import parse_table_name  # noqa: PLC0415
    from sparkclean.rows.session import open_session, read_properties  # noqa: PLC0415 (imports pyspark)

    name = parse_table_name(table)
    with open_session(read_properties(properties)) as (spark, _):
        frame = spark.read.parquet((folder / "examples").resolve().as_uri())
        if name.path is not None:
            frame.write.format(kind).mode("overwrite").save(str(Path(name.path).resolve()))
        else:
            namespace = ".".join(name.parts[:-1])
            spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {namespace}")
            frame.writeTo(str(name)).using(kind).createOrReplace()
    say(f"table {table} ({kind})")


def score(folder: Path, suspects_table: str, properties: str | None) -> None:
    """Print how many of the flipped labels the audit found.

    Parameters
    ----------
    folder : Path
        Of `prepare`.
    suspects_table : str
    properties : str or None
        File of settings of the Spark session, where one is needed.
    """
    truth = pq.read_table(folder / "truth").to_pandas().set_index("id")
    suspects = _first_rows(suspects_table, len(truth), properties).to_pandas()
    flipped = truth.loc[suspects["id"], "was_flipped"].to_numpy()
    found, wanted = int(flipped.sum()), int(truth["was_flipped"].sum())
    counts = [
        ("flipped labels", f"{wanted}"),
        ("suspects", f"{len(suspects)}"),
        ("found", f"{found}"),
        ("precision", f"{found / max(len(suspects), 1):.1%}"),
        ("recall", f"{found / max(wanted, 1):.1%}"),
    ]
    titles = ("rank", "id", "given", "suggested", "true", "self_confidence")
    rows = [
        (
            *map(str, (row.rank, row.id, row.given_label, row.suggested_label)),
            str(truth.loc[row.id, "true_label"]),
            f"{row.self_confidence:.4f}",
        )
        for row in suspects.head(10).itertuples()
    ]
    print_report(
        Report(
            [
                Line(""),
                Grid(counts, right=(1,)),
                Line(""),
                Grid(rows, titles, right=range(len(titles))),
                Line(""),
                Line("go on:", "heading"),
                *map(Line, next_commands(suspects_table, properties)),
            ]
        )
    )


def next_commands(suspects_table: str, properties: str | None) -> list[str]:
    """Write commands to go on with, which can be pasted as they are.

    Parameters
    ----------
    suspects_table : str
    properties : str or None
        File of settings of the Spark session.

    Returns
    -------
    list of str
    """
    # beside the Python that runs, which need not be on the path of the shell
    command = Path(sys.executable).parent / "sparkclean"
    name = "sparkclean" if shutil.which("sparkclean") == str(command) else os.path.relpath(command)
    more = [] if properties is None else ["--properties-file", properties]
    cleaned = f"{suspects_table.removesuffix('suspects')}cleaned"
    return [
        shlex.join([name, "show", suspects_table, "-n", "20", "--with", "image", *more]),
        shlex.join([name, "versions", cleaned, *more]),
    ]


def _first_rows(table: str, rows: int, properties: str | None) -> pa.Table:
    from sparkclean.lake import needs_spark, open_target  # noqa: PLC0415 (not needed to prepare)

    if not needs_spark(table):
        return open_target(table).head(rows)
    from sparkclean.rows.session import open_session, read_properties  # noqa: PLC0415

    with open_session(read_properties(properties)) as (spark, _):
        return open_target(table, spark=spark).head(rows)


def main() -> None:
    """Run ``prepare``, ``load`` or ``score``."""
    parser = argparse.ArgumentParser(prog="python -m sparkclean.commands.demo")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("prepare", "load", "score"):
        command = commands.add_parser(name)
        command.add_argument("folder", type=Path)
        if name == "prepare":
            continue
        command.add_argument("table")
        command.add_argument("--properties-file")
        if name == "score":
            command.add_argument("--report", type=Path)
        if name == "load":
            command.add_argument("--format", choices=("delta", "iceberg"), required=True)
    args = parser.parse_args()
    if args.command == "prepare":
        prepare(args.folder)
    elif args.command == "load":
        load(args.folder, args.table, args.format, args.properties_file)
    else:
        score(args.folder, args.table, args.properties_file)
        if args.report is not None and args.report.exists():
            say(f"look at the digits: {args.report.absolute().as_uri()}")


if __name__ == "__main__":
    main()
