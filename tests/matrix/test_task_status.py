"""Tasks that run are counted, on classic Spark and through Connect, without a job."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pyarrow as pa
import pyspark
from pyspark.sql import SparkSession

from sparkclean.rows.task_status import TaskCount, watched_tasks
from sparkclean.rows.tasks import map_in_arrow

if TYPE_CHECKING:
    from sparkclean.rows.task_status import CountTasks


def run_slowly(spark: SparkSession, tasks: int, seconds: float) -> int:
    """Run a job of slow tasks."""

    def slow(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        time.sleep(seconds)
        yield from batches

    frame = spark.range(tasks, numPartitions=tasks)
    return len(map_in_arrow(frame, slow, "id long").collect())


def seen_while(run: Callable[[], object], count: CountTasks) -> list[TaskCount]:
    """Count again and again, from another thread, while something runs in this one."""
    seen: list[TaskCount | None] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.1):
            seen.append(count())

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(look)
        try:
            run()
        finally:
            ended.set()
        looking.result()
    return [found for found in seen if found is not None]


def is_connect(spark: SparkSession) -> bool:
    return "connect" in type(spark).__module__


def test_tasks_of_a_job_are_counted_while_it_runs(spark: SparkSession) -> None:
    with watched_tasks(spark) as count:
        assert count() is None
        seen = seen_while(lambda: run_slowly(spark, 6, 1.5), count)
        assert count() is None  # it has ended
    if is_connect(spark) and pyspark.__version__ < "4":
        assert seen == []
        return
    assert {found.total for found in seen} == {6}
    done = [found.done for found in seen]
    assert done == sorted(done)
    assert max(done) > 0


def test_job_that_was_begun_elsewhere_is_not_counted(spark: SparkSession) -> None:
    if is_connect(spark):  # the server reports to whoever waits, in one session
        return
    with watched_tasks(spark) as count, ThreadPoolExecutor(1) as pool:
        others = pool.submit(run_slowly, spark, 2, 1.0)
        assert seen_while(others.result, count) == []


def test_session_is_left_as_it_was(spark: SparkSession) -> None:
    with watched_tasks(spark) as count:
        pass
    assert seen_while(lambda: run_slowly(spark, 2, 0.5), count) == []
