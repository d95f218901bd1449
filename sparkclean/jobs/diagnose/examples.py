"""Record ids that show what a finding is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from sparkclean.examples.checks import shown_id
from sparkclean.jobs.diagnose.frames import TIER, Narrow
from sparkclean.jobs.diagnose.rows import BUCKET, GIVEN, PREDICTED, SUBJECT
from sparkclean.noise.diagnosis.buckets import CORE
from sparkclean.noise.diagnosis.decide import CLASS, PAIRS, UNIFORM
from sparkclean.noise.diagnosis.findings import Finding

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: Rows of a finding are first thinned within so many parts, so that no task sorts all of them.
_PARTS = 64
_WANTED, _PLACE = "__finding", "__place"
Asked = tuple[int, int, str | None, int | None, int | None]
_COLUMNS = f"{_WANTED} int, __kind int, __subject string, __given int, __predicted int"


def collect_examples(rows: Narrow, findings: Sequence[Finding], limit: int) -> list[list[str]]:
    """List the rows of each finding of which the model is surest; ties by record id.

    Parameters
    ----------
    rows : Narrow
        With tiers.
    findings : sequence of Finding
    limit : int

    Returns
    -------
    list of list of str
        Record ids as text, for each finding.

    Notes
    -----
    One job over the rows that disagree; the driver holds ``limit`` ids for each finding.
    """
    places = {kind: k for k, (_, kind) in enumerate(rows.kinds)}
    wanted: dict[int | None, list[Asked]] = {}
    for number, found in enumerate(findings):
        kind = places.get(found.kind or "")
        if kind is None and found.hypothesis not in (UNIFORM, CLASS, PAIRS):
            continue
        if kind is not None and found.subject is None:
            continue
        row = (number, -1 if kind is None else kind, found.subject, found.given, found.predicted)
        wanted.setdefault(kind, []).append(row)
    if not wanted or not limit:
        return [[] for _ in findings]
    parts = [_matching(rows, kind, asked) for kind, asked in wanted.items()]
    matching = parts[0]
    for part in parts[1:]:
        matching = matching.unionByName(part)
    order = [BUCKET, *rows.ids]
    part_of = F.pmod(F.xxhash64(*rows.ids), F.lit(_PARTS))
    for keys in ([_WANTED, part_of], [_WANTED]):
        place = F.row_number().over(Window.partitionBy(*keys).orderBy(*order))
        matching = matching.withColumn(_PLACE, place).where(F.col(_PLACE) <= limit)
    listed: list[list[str]] = [[] for _ in findings]
    for row in matching.orderBy(_WANTED, _PLACE).collect():
        listed[row[_WANTED]].append(shown_id([row[name] for name in rows.ids]))
    return listed


def _matching(
    rows: Narrow,
    kind: int | None,
    asked: Sequence[Asked],
) -> DataFrame:
    """Give the disagreeing rows of the findings about subjects of a kind, or of the core. Lazy."""
    frame = rows.frame.where(rows.differs)
    spark = frame.sparkSession
    known = F.broadcast(spark.createDataFrame(list(asked), _COLUMNS))
    if kind is None:
        joined = frame.where(F.col(TIER) <= CORE).crossJoin(known)
    else:
        name = f"{SUBJECT}{kind}"
        same = [
            F.col("__given").isNull() | (F.col("__given") == F.col(GIVEN)),
            F.col("__predicted").isNull() | (F.col("__predicted") == F.col(PREDICTED)),
        ]
        joined = frame.join(known, (F.col("__subject") == F.col(name)) & same[0] & same[1])
    return joined.select(_WANTED, BUCKET, *rows.ids)
