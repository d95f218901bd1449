"""How many tasks of our running jobs are done: from what Spark knows anyway, at the cost of no job.

This is the one module that uses the ``sparkContext`` of a classic session, and only to look.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_CONNECT: Final = "pyspark.sql.connect"


@dataclass(frozen=True)
class TaskCount:
    """Tasks of the stages that have begun, of the jobs that run now."""

    done: int
    total: int


#: Counts tasks; None where no job runs, or nothing is known of it.
CountTasks = Callable[[], TaskCount | None]


def add_up(stages: Iterable[tuple[int, int, int]]) -> TaskCount | None:
    """Add up the tasks of stages.

    Parameters
    ----------
    stages : iterable of (int, int, int)
        Tasks of each that are done, that run, and all of them.

    Returns
    -------
    TaskCount or None
        None where no stage has begun. Stages that have not are left out: Spark may skip them.
    """
    begun = [(done, total) for done, active, total in stages if done + active > 0]
    if not begun:
        return None
    return TaskCount(sum(done for done, _ in begun), sum(total for _, total in begun))


@contextmanager
def watched_tasks(spark: SparkSession) -> Iterator[CountTasks]:
    """Watch the jobs that this thread starts from here on.

    Parameters
    ----------
    spark : SparkSession

    Yields
    ------
    callable
        `CountTasks`, for any thread. On classic Spark it asks the driver, a few calls of less than
        a millisecond; on Connect it gives what the server has reported last (Spark 4; on 3.5
        nothing). It may raise where Spark stops meanwhile.
    """
    if type(spark).__module__.startswith(_CONNECT):
        with _reported_tasks(spark) as count:
            yield count
        return
    tagged = None
    with suppress(Exception):  # a session of another make: a run goes on without
        tagged = _TaggedJobs(spark.sparkContext)
    try:
        yield tagged or _nothing
    finally:
        if tagged is not None:
            with suppress(Exception):
                tagged.end()


def _nothing() -> None:
    return None


class _TaggedJobs:
    """Jobs of a classic session, known by a tag: a notebook's other jobs are not counted."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._tag = f"sparkclean-{uuid.uuid4().hex}"
        self._tracker = context.statusTracker()
        # only there jobs are found by their tag
        self._by_tag = context._jsc.sc().statusTracker()
        self._ours: dict[int, bool] = {}
        context.addJobTag(self._tag)

    def __call__(self) -> TaskCount | None:
        running = list(self._tracker.getActiveJobsIds())
        if any(job not in self._ours for job in running):
            tagged = set(self._by_tag.getJobIdsForTag(self._tag))
            self._ours |= {job: job in tagged for job in running}
        jobs = [self._tracker.getJobInfo(job) for job in running if self._ours[job]]
        numbers = {stage for job in jobs if job is not None for stage in job.stageIds}
        stages = [self._tracker.getStageInfo(number) for number in numbers]
        return add_up(
            (stage.numCompletedTasks, stage.numActiveTasks, stage.numTasks)
            for stage in stages
            if stage is not None
        )

    def end(self) -> None:
        """Take the tag away from further jobs of this thread."""
        self._context.removeJobTag(self._tag)


@contextmanager
def _reported_tasks(spark: SparkSession) -> Iterator[CountTasks]:
    """Keep what a Connect server reports of the query that runs."""
    last: list[TaskCount | None] = [None]

    def hear(stages: Any, *_: object, done: bool = False, **__: object) -> None:
        with suppress(Exception):  # else the query itself would fail
            last[0] = None if done else _of_report(stages)

    try:
        spark.registerProgressHandler(hear)
    except AttributeError:  # Spark 3.5
        yield _nothing
        return
    try:
        yield lambda: last[0]
    finally:
        with suppress(Exception):
            spark.removeProgressHandler(hear)


def _of_report(stages: Any) -> TaskCount | None:
    # a stage of which no task is done may run or wait
    counts = [(stage.num_completed_tasks, 1, stage.num_tasks) for stage in stages or ()]
    return add_up(counts)
