"""Cleaned versions inside an Iceberg table: a branch off the pinned snapshot, and a tag."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from sparkclean.errors import InputError, PublishConflictError, UnsupportedFeatureError
from sparkclean.faults import fault_point
from sparkclean.lake.base import MAIN_OUTPUT, CleanUp, Pin, Version, without_newest
from sparkclean.lake.edited import EditedTarget, change_sql
from sparkclean.lake.edits import Edit
from sparkclean.lake.engine_errors import is_conflict, is_missing_table
from sparkclean.lake.iceberg.snapshots import (
    PREFIX,
    call_procedure,
    properties_of,
    version_of,
)
from sparkclean.lake.iceberg.source import IcebergSource
from sparkclean.lake.protocols import OpenTable
from sparkclean.lake.sql import rows_at, sql_text
from sparkclean.names import TableName, quote_name

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row, SparkSession

_log = logging.getLogger("sparkclean")

#: Tags and branches share one namespace.
TAGS, _BRANCHES = "sparkclean/", "sparkclean-"
_ATTEMPTS = 5
_PROPERTY = "spark.sql.iceberg.snapshot-property." + PREFIX
_MODES = ("write.delete.mode", "write.merge.mode", "write.update.mode")
_MERGE_ON_READ = "merge-on-read"
#: Iceberg for Spark 3.5 passes over properties of a snapshot that come by the session.
_FIRST_SPARK = 4


@dataclass(frozen=True)
class BranchOptions:
    """What a configuration says of such versions.

    Attributes
    ----------
    fast_forward : str or None
        Branch that follows.
    retain_days : int or None
        Days after which the table's own maintenance drops the tag.
    set_table_properties : bool
        Whether the table may be set to merge on read.
    """

    fast_forward: str | None = None
    retain_days: int | None = None
    set_table_properties: bool = False


class IcebergBranchTarget(EditedTarget):
    """Cleaned versions of an Iceberg table inside of it; its main branch stays what it was.

    The branch ``sparkclean-<run id>`` leaves the pinned snapshot and has the changes of one run;
    the tag ``sparkclean/<run id>`` makes it a version. Names of another output of the run end in
    ``/<output>``.

    Raises
    ------
    InputError
        If the name is a path.
    """

    format = "iceberg"

    def __init__(
        self,
        spark: SparkSession,
        name: TableName,
        work: Path | None,
        open_runs: OpenTable,
        *,
        output: str = MAIN_OUTPUT,
        options: BranchOptions | None = None,
    ) -> None:
        super().__init__(spark, name, work, open_runs, output=output)
        if name.path is not None:
            raise InputError(
                f"{name}: versions inside an Iceberg table need its name in a catalog, which makes "
                "its commits atomic; write catalog.namespace.table"
            )
        self.options = options or BranchOptions()
        self._source = IcebergSource(spark, name)

    def _branch(self, run: str) -> str:
        return _BRANCHES + run + self._ending

    def _tag(self, run: str) -> str:
        return TAGS + run + self._ending

    @property
    def _ending(self) -> str:
        return "" if self.output == MAIN_OUTPUT else f"/{self.output}"

    # -- reading -------------------------------------------------------------------------------

    def _refs(self) -> list[Row]:
        self._source.refresh()
        return self._source.metadata("refs").collect()

    def versions(self) -> list[Version]:
        """List all versions, oldest first; those of all outputs."""
        try:
            refs = self._refs()
        except Exception as exc:
            if is_missing_table(exc):
                return []
            raise
        tags = [row for row in refs if row["type"] == "TAG" and row["name"].startswith(TAGS)]
        if not tags:
            return []
        snapshots = {r["snapshot_id"]: r for r in self._source.metadata("snapshots").collect()}
        found = [_version(tag, snapshots[tag["snapshot_id"]]) for tag in tags]
        return sorted(found, key=lambda version: (version.created_at, version.name))

    def version_location(self, version: Version) -> str:  # noqa: ARG002
        """Name the table that holds the rows of a version: this one."""
        return self.location

    def version_selector(self, version: Version) -> str:
        """Write a version as `SourceTable.pin` takes it."""
        return f"tag:{version.name}"

    def check_writable(self) -> None:
        """Refuse a table whose main branch holds cleaned versions of layout ``copy``."""
        if int(self.spark.version.split(".")[0]) < _FIRST_SPARK:
            raise UnsupportedFeatureError(
                f"{self.location}: clean.layout branch needs Spark {_FIRST_SPARK}.0 or later (this "
                f"is {self.spark.version}), as Iceberg marks no deletes with the run before; use "
                "clean.layout copy with another output.cleaned"
            )
        self._source.refresh()
        for row in self._source.metadata("snapshots").collect():
            summary = row["summary"] or {}
            if "sparkclean.run_id" in summary and "sparkclean.output" not in summary:
                raise InputError(
                    f"{self.location} is an output of run {summary['sparkclean.run_id']} itself; "
                    "its own history holds versions. Use clean.layout copy with another "
                    "output.cleaned"
                )

    def _read(self, version: Version) -> DataFrame:
        self._source.refresh()
        return rows_at(self.spark, self.location, version.name)

    def data_files(self, version: str) -> list[str]:
        """List data and delete files of a version."""
        return self._source.files(self._find(version).name)

    # -- writing -------------------------------------------------------------------------------

    def _write(
        self, own: SparkSession, run: str, pin: Pin, edit: Edit, properties: Mapping[str, str]
    ) -> str:
        branch, source = self._branch(run), IcebergSource(own, self.name)
        table = f"{self.location}.{quote_name(('branch_' + branch,))}"
        source.refresh()
        head = self._head(source, branch)
        if head is not None and str(head["snapshot_id"]) != pin.version:
            if properties_of(head) == dict(properties):
                return branch  # an earlier attempt has written it
            _log.warning("branch %s has other content and is created again", branch)
            own.sql(f"ALTER TABLE {self.location} DROP BRANCH {quote_name((branch,))}")
            head = None
        if head is None:
            own.sql(
                f"ALTER TABLE {self.location} CREATE BRANCH IF NOT EXISTS {quote_name((branch,))} "
                f"AS OF VERSION {pin.version}"
            )
        fault_point("edit.made")
        self._choose_mode(own, "write.merge.mode" if edit.action == "update" else _MODES[0])
        for key, value in properties.items():
            own.conf.set(_PROPERTY + key, value)
        own.sql(change_sql(edit, table, delete=True))
        fault_point("edit.written")
        return branch

    def _choose_mode(self, own: SparkSession, key: str) -> None:
        """Delete in the table's own way; say what that costs."""
        rows = own.sql(f"SHOW TBLPROPERTIES {self.location}").collect()
        properties = {row["key"]: row["value"] for row in rows}
        if properties.get(key) == _MERGE_ON_READ:
            return
        if properties.get("format-version") == "1":
            _log.warning(
                "%s has format version 1: every file with a changed row is copied", self.name
            )
            return
        if self.options.set_table_properties:
            both = ", ".join(f"'{mode}' = '{_MERGE_ON_READ}'" for mode in _MODES)
            own.sql(f"ALTER TABLE {self.location} SET TBLPROPERTIES ({both})")
            return
        if self.output != MAIN_OUTPUT:
            return  # the same table, and the same cost
        _log.warning(
            "%s copies on write (%s): every file with a changed row is written anew; with "
            "clean.set_table_properties: true it is set to %s and only changes are written",
            self.name,
            key,
            _MERGE_ON_READ,
        )

    def _head(self, source: IcebergSource, ref: str) -> Row | None:
        """Return the snapshot that a branch or tag names; None without such a name."""
        ids = [r["snapshot_id"] for r in source.metadata("refs").collect() if r["name"] == ref]
        if not ids:
            return None
        return next(r for r in source.metadata("snapshots").collect() if r["snapshot_id"] == ids[0])

    def _count(self, own: SparkSession, place: str) -> int:
        return rows_at(own, self.location, place).count()

    def _discard(self, run: str, place: str) -> None:
        names = {row["name"] for row in self._refs()}
        if place in names and self._tag(run) not in names:
            self._drop("BRANCH", place)

    def _drop(self, kind: str, ref: str) -> None:
        self.spark.sql(f"ALTER TABLE {self.location} DROP {kind} {quote_name((ref,))}")

    def _seal(self, run: str, place: str, rows: int, properties: Mapping[str, str]) -> None:  # noqa: ARG002
        if self.options.fast_forward is not None:
            self._fast_forward(self.options.fast_forward, place)
        days = self.options.retain_days
        retain = "" if days is None else f" RETAIN {days} DAYS"
        for attempt in range(_ATTEMPTS):
            self._source.refresh()
            head = self._head(self._source, place)
            if head is None:
                raise PublishConflictError(
                    f"{self.location}: branch {place} was removed before it was published; run "
                    "again"
                )
            try:
                self.spark.sql(
                    f"ALTER TABLE {self.location} CREATE TAG {quote_name((self._tag(run),))} "
                    f"AS OF VERSION {head['snapshot_id']}{retain}"
                )
            except Exception as exc:
                # another attempt of the run, or another commit, was first: look again
                if self.find_run(properties["original_run_id"]) is not None:
                    return
                if not is_conflict(exc) or attempt == _ATTEMPTS - 1:
                    raise
            else:
                return

    def _fast_forward(self, branch: str, to: str) -> None:
        """Let a branch follow. Repeated it does nothing."""
        if branch not in {row["name"] for row in self._refs()}:
            _log.info("%s has no branch %s yet: the run creates it", self.location, branch)
        try:
            call_procedure(
                self.spark, self.name, "fast_forward", branch=sql_text(branch), to=sql_text(to)
            )
        except Exception as exc:
            if not is_conflict(exc):
                raise
            raise PublishConflictError(
                f"{self.location}: branch {branch} has moved since the pinned snapshot, or is not "
                f"among its ancestors, so that it cannot follow to {to}; nothing was published. "
                f"Run under a new run id, with input.version: branch:{branch}, to build on it"
            ) from exc

    def clean_up(
        self,
        *,
        older_than_seconds: float | None = None,
        keep: int | None = None,
        dry_run: bool = False,
    ) -> CleanUp:
        """Drop tags and branches of old versions and of dead runs; expire their snapshots.

        Parameters
        ----------
        older_than_seconds : float, optional
            Age from which a version is retired; dead runs' branches go only by age.
        keep : int, optional
            Number of newest versions that stay, of whatever age.
        dry_run : bool

        Returns
        -------
        CleanUp
            The current version stays, and tags whose ``RETAIN`` has not passed.
        """
        if older_than_seconds is None and keep is None:
            return CleanUp((), (), 0)
        known, current, refs = self.versions(), self.current(), self._refs()
        limit = datetime.now(timezone.utc).timestamp() - (older_than_seconds or 0.0)
        retained = {r["name"]: r["max_reference_age_in_ms"] for r in refs}

        def is_old(version: Version) -> bool:
            at = datetime.fromisoformat(version.created_at).timestamp()
            age = retained[version.name]
            return at < limit and (age is None or at + age / 1000 < datetime.now().timestamp())

        runs = [v.run_id for v in known if v.properties["output"] == MAIN_OUTPUT]
        kept = set(runs) - set(without_newest(runs, keep or 0))
        kept |= {current.run_id} if current else set()
        old = [v for v in known if v.run_id not in kept and is_old(v)]
        names = {v.name for v in known}
        dead = [] if older_than_seconds is None else self._dead_branches(refs, names, limit)
        if not dry_run:
            self._retire(old, dead, {r["name"] for r in refs})
        return CleanUp(tuple(f"branch {name}" for name in dead), tuple(v.name for v in old), 0)

    def _dead_branches(self, refs: list[Row], tags: set[str], limit: float) -> list[str]:
        """Branches of runs that published nothing, whose head is older than a moment."""
        at = {
            r["snapshot_id"]: r["committed_at"]
            for r in self._source.metadata("snapshots").collect()
        }
        return [
            row["name"]
            for row in refs
            if row["type"] == "BRANCH"
            and row["name"].startswith(_BRANCHES)
            and TAGS + row["name"].removeprefix(_BRANCHES) not in tags
            and at[row["snapshot_id"]].timestamp() < limit
        ]

    def _retire(self, old: list[Version], dead: list[str], refs: set[str]) -> None:
        for version in old:
            self._drop("TAG", version.name)
            if (branch := _BRANCHES + version.name.removeprefix(TAGS)) in refs:
                self._drop("BRANCH", branch)
        for branch in dead:
            self._drop("BRANCH", branch)
        named = {row["snapshot_id"] for row in self._refs()}
        ids = {v.number for v in old if v.properties.get("run_id")} - named
        if ids:
            listed = ", ".join(f"{number}L" for number in sorted(ids))
            # only these: by default the procedure expires whatever is older than five days, too
            call_procedure(
                self.spark,
                self.name,
                "expire_snapshots",
                older_than="TIMESTAMP '1970-01-01 00:00:00'",
                snapshot_ids=f"ARRAY({listed})",
            )


def _version(tag: Row, snapshot: Row) -> Version:
    """Describe a tag. A run that changed nothing has no snapshot of its own."""
    found = version_of(snapshot)
    run, _, output = tag["name"].removeprefix(TAGS).partition("/")
    own = found.run_id == run
    named = {"run_id": run, "output": output or MAIN_OUTPUT}
    return replace(
        found,
        name=tag["name"],
        run_id=run,
        run_ids=(run,),
        operation="publish",
        properties=(dict(found.properties) if own else {}) | named,
        bytes_written=found.bytes_written if own else 0,
    )
