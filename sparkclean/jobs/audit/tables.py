"""The output tables of an audit, as frames and as rows, by the contract in ``schema``."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyspark.sql import functions as F

from sparkclean import schema
from sparkclean.confident.noise import class_quality
from sparkclean.examples.columns import Columns
from sparkclean.examples.suspect_writer import Piece, WriteSuspects
from sparkclean.jobs.audit.findings import Findings
from sparkclean.jobs.audit.selection import divide
from sparkclean.rows import streams
from sparkclean.rows.emitted import ID_PREFIX
from sparkclean.rows.row_groups import RowGroups
from sparkclean.rows.streams import WriteFiles
from sparkclean.rows.types import arrow_type, has_arrow_type
from sparkclean.runs.provenance import Provenance

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


#: Suspects that a task sorts, at most about twice; that tasks rank by themselves.
_PIECE_ROWS, _MOST_SUSPECTS = 300_000, 16_000_000


def original_ids(columns: Columns) -> list[Column]:
    """Record id columns under the user's names."""
    return [F.col(f"{ID_PREFIX}{i}").alias(name) for i, name in enumerate(columns.ids)]


def suspects_frame(findings: Findings, columns: Columns, provenance: Provenance) -> DataFrame:
    """Build the suspect table.

    Parameters
    ----------
    findings : Findings
    columns : Columns
    provenance : Provenance

    Returns
    -------
    DataFrame
        By ``schema.SUSPECTS``, after the record id columns. Lazy.
    """
    return findings.suspects.select(
        *original_ids(columns),
        columns.label_of(F.col("given")).alias(schema.GIVEN_LABEL),
        columns.label_of(F.col("suggested")).alias(schema.SUGGESTED_LABEL),
        schema.SELF_CONFIDENCE,
        schema.SUGGESTED_PROBABILITY,
        schema.LABEL_QUALITY,
        schema.RANK,
        F.lit(findings.reason).alias(schema.REASON),
        *provenance.columns(),
    )


def plan_suspect_files(
    findings: Findings, columns: Columns, provenance: Provenance
) -> WriteFiles | None:
    """Plan to write the suspect table by tasks that rank it themselves.

    Parameters
    ----------
    findings : Findings
    columns : Columns
    provenance : Provenance

    Returns
    -------
    callable or None
        Writes the rows of `suspects_frame` into a folder, as Parquet; the names of the files, most
        suspicious rows first. None where Spark does better: issues that are not in files, far too
        many of them, or of one quality.

    Notes
    -----
    One job, or none for few rows. Each task reads all issues, of which it keeps some 300,000:
    several times faster than through Spark's rows, up to some tens of them.
    """
    stream, total = findings.stream, findings.num_suspects
    label_type = columns.label_type.simpleString()
    if not has_arrow_type(label_type) or not 0 < total <= _MOST_SUSPECTS:
        return None
    kind = arrow_type(label_type)
    edges, before = divide(findings.qualities, _piece_rows(total))
    if max(end - start for start, end in itertools.pairwise([*before, total])) > 2 * _PIECE_ROWS:
        return None
    ends = itertools.pairwise([0.0, *edges, np.inf])
    pieces = [Piece(*ends, rows) for ends, rows in zip(ends, before, strict=True) if rows < total]
    # Arrow refuses integers that a float does not hold, where Spark rounds
    classes = [float(c) for c in columns.classes] if pa.types.is_floating(kind) else columns.classes
    labels = pa.array(classes, kind)
    constants = {schema.REASON: findings.reason} | provenance.values()

    def write(groups: tuple[RowGroups, ...], folder: str) -> WriteSuspects:
        return WriteSuspects(
            groups=groups,
            pieces=tuple(pieces),
            ids=tuple((f"{ID_PREFIX}{i}", name) for i, name in enumerate(columns.ids)),
            labels=labels,
            constants=tuple(constants.items()),
            folder=folder,
        )

    return stream.plan_files(len(pieces), write)


def _piece_rows(total: int) -> int:
    """Decide how many suspects a task writes: an eighth of them, within bounds."""
    return min(max(total // 8, streams.SHORT_ROWS), _PIECE_ROWS)


def rejected_frame(
    findings_rejected: DataFrame, columns: Columns, provenance: Provenance
) -> DataFrame:
    """Build the table of rejected rows.

    Parameters
    ----------
    findings_rejected : DataFrame
        `ClassStatistics.rejected`.
    columns : Columns
    provenance : Provenance

    Returns
    -------
    DataFrame
        By ``schema.REJECTED``, after the record id columns. Lazy.
    """
    return findings_rejected.select(
        *original_ids(columns),
        schema.GIVEN_LABEL,
        schema.REASON,
        schema.DETAIL,
        *provenance.columns(),
    )


def class_rows(
    findings: Findings, columns: Columns, provenance: Provenance
) -> list[dict[str, Any]]:
    """Build the table of classes.

    Parameters
    ----------
    findings : Findings
    columns : Columns
    provenance : Provenance

    Returns
    -------
    list of dict
        By ``schema.CLASSES``; one row per class, in the order of the probabilities.
    """
    quality = class_quality(findings.noise.calibrated_joint)
    suspects = findings.suspect_counts.sum(axis=1)
    return [
        {
            "class": label,
            "class_index": k,
            "examples": int(findings.statistics.examples[k]),
            "threshold": float(findings.thresholds[k]),
            "suspects": int(suspects[k]),
            "label_issues": int(quality.label_issues[k]),
            "inverse_label_issues": int(quality.inverse_label_issues[k]),
            "label_noise": float(quality.label_noise[k]),
            "inverse_label_noise": float(quality.inverse_label_noise[k]),
            "label_quality_score": float(quality.label_quality_score[k]),
            **provenance.values(),
        }
        for k, label in enumerate(columns.classes)
    ]


def pair_rows(findings: Findings, columns: Columns, provenance: Provenance) -> list[dict[str, Any]]:
    """Build the table of class pairs.

    Parameters
    ----------
    findings : Findings
    columns : Columns
    provenance : Provenance

    Returns
    -------
    list of dict
        By ``schema.PAIRS``; a row for each (given, true) with a count or a suspect.
    """
    noise = findings.noise
    counted = noise.confident_joint + noise.calibrated_joint + findings.suspect_counts
    return [
        {
            schema.GIVEN_LABEL: columns.classes[i],
            "true_label": columns.classes[j],
            "confident_joint": int(noise.confident_joint[i, j]),
            "calibrated_joint": int(noise.calibrated_joint[i, j]),
            "noise_rate": float(noise.noise_matrix[i, j]),
            "suspects": int(findings.suspect_counts[i, j]),
            **provenance.values(),
        }
        for i, j in zip(*np.nonzero(counted), strict=True)
    ]


def rows_frame(
    like: DataFrame,
    rows: list[dict[str, Any]],
    contract: tuple[tuple[str, str], ...],
    columns: Columns,
) -> DataFrame:
    """Turn driver-side rows into a frame by their contract.

    Parameters
    ----------
    like : DataFrame
        Of the session to use.
    rows : list of dict
        At most K x K.
    contract : tuple of (name, type)
        From ``schema``.
    columns : Columns
        Gives the type of labels.

    Returns
    -------
    DataFrame
    """
    label_type = columns.label_type.simpleString()
    floats = label_type in ("float", "double")
    ddl = ", ".join(
        f"`{name}` {label_type if kind == '<label>' else kind}" for name, kind in contract
    )
    labels = [kind == "<label>" for _, kind in contract]
    values = [
        tuple(
            float(row[name]) if is_label and floats else row[name]
            for (name, _), is_label in zip(contract, labels, strict=True)
        )
        for row in rows
    ]
    return like.sparkSession.createDataFrame(values, ddl)
