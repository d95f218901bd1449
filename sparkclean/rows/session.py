"""The Spark session of the command line: found or created, and stopped by who created it."""

from __future__ import annotations

import atexit
import hashlib
import logging
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from sparkclean.errors import ConfigError, SparkCleanError
from sparkclean.reading import read_plain
from sparkclean.rows.interrupts import raising_interrupts
from sparkclean.rows.java import Java
from sparkclean.rows.progress import PhaseListener, PhaseLog, Progress
from sparkclean.rows.warehouse import warehouse_settings
from sparkclean.texts import cause_of, remember_secrets

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_log = logging.getLogger("sparkclean")

#: How an archive of Java's classes begins.
_ARCHIVE_MAGIC = (0xF00BABA8).to_bytes(4, sys.byteorder)
#: Bytes of probabilities in one Arrow batch above which a foreign session gets a warning.
_LARGE_BATCH = 64 << 20
#: Bytes of probabilities in one Arrow batch of a session that we create.
_BATCH_BYTES = 16 << 20
_STARTING = "starting Spark"
_JAVA_OPTIONS = "spark.driver.extraJavaOptions"
#: Seconds after which an archive of classes that was not used is removed.
_UNUSED_SECONDS = 30 * 86400.0
#: Bytes of a file of settings.
_MOST_SETTINGS = 1 << 20


def read_properties(path: str | None) -> dict[str, str]:
    """Read a file of Spark settings, as ``spark-submit --properties-file`` does.

    Parameters
    ----------
    path : str or None
        A setting a line, its name and its value divided by a blank or ``=``; ``#`` begins a
        comment.

    Returns
    -------
    dict

    Raises
    ------
    ConfigError
        If the file cannot be read, or a line is no setting.
    """
    if path is None:
        return {}
    try:
        content = read_plain(Path(path), most=_MOST_SETTINGS, error=ConfigError)
        lines = content.decode("utf-8").splitlines()
    except UnicodeDecodeError as exc:
        raise ConfigError(f"--properties-file {path}: is not UTF-8 (byte {exc.start})") from None
    except OSError as exc:
        raise ConfigError(f"--properties-file {path}: cannot be read: {exc.strerror}") from exc
    settings = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        parts = re.split(r"\s*=\s*|\s+", text, maxsplit=1)
        if len(parts) < 2:
            raise ConfigError(
                f"--properties-file {path}: line {number} is no setting; write a name and a value"
            )
        settings[parts[0]] = parts[1]
    remember_secrets(settings)
    return settings


@contextmanager
def open_session(
    conf: dict[str, str], *, debug: bool = False, listener: PhaseListener | None = None
) -> Iterator[tuple[SparkSession, bool]]:
    """Yield a session and whether it is ours; stop it only if it is.

    Parameters
    ----------
    conf : dict
        Section ``spark`` of the configuration; ignored, with a warning, where a session exists.
    debug : bool
        Whether Spark's log shows stack traces.
    listener : PhaseListener, optional
        Who is told how long Spark takes to start; the log by default.

    Yields
    ------
    spark : SparkSession
    own : bool

    Raises
    ------
    SparkCleanError
        If Spark does not start.
    Terminated
        When SIGTERM arrives, in a session of ours.
    """
    existing = find_session()
    if existing is not None:
        if conf:
            _log.warning("section spark of the configuration is ignored: a session exists")
        yield existing, False
        return
    java = Java(quiet=not debug)
    with raising_interrupts(java.interrupted):
        with Progress(listener or PhaseLog()).before(_STARTING):
            spark = _create_session(conf, java, debug=debug)
        try:
            yield spark, True
        finally:
            # after an interrupt the connection to Java may be cut; Java then ends with us
            with suppress(Exception):
                spark.stop()
            java.stopped()


def find_or_start_session(
    listener: PhaseListener | None = None,
) -> tuple[SparkSession, bool]:
    """Find the session of this process, or create one that lives as long as the process does.

    Parameters
    ----------
    listener : PhaseListener, optional
        As for `open_session`.

    Returns
    -------
    spark : SparkSession
    own : bool
        Whether it is created now.

    Raises
    ------
    SparkCleanError
        If Spark does not start.
    """
    existing = find_session()
    if existing is not None:
        return existing, False
    with Progress(listener or PhaseLog()).before(_STARTING):
        spark = _create_session({}, Java(quiet=True), debug=False)
    # before Java: workers whose Java has gone complain of it
    atexit.register(_stop, spark)
    _log.info("started Spark %s in this process", spark.version)
    return spark, True


def _stop(spark: SparkSession) -> None:
    with suppress(Exception):
        spark.stop()


def find_session() -> SparkSession | None:
    """Find the session of this thread, or the one that all threads share."""
    from pyspark.sql import SparkSession  # noqa: PLC0415

    with suppress(Exception):  # there is none, or its context was stopped
        existing = SparkSession.active()
        existing.range(1)
        return existing
    return None


def _create_session(conf: dict[str, str], java: Java, *, debug: bool) -> SparkSession:
    from pyspark import SparkConf  # noqa: PLC0415
    from pyspark.sql import SparkSession  # noqa: PLC0415

    # otherwise workers start whatever `python3` is on PATH
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    # arenas that other allocators reserve count against spark.executor.pyspark.memory
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    settings = {
        "spark.app.name": "sparkclean",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "WARN",
    }
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ or "SPARK_REMOTE" in os.environ
    given: dict[str, str] = {}
    if not submitted:
        settings |= _local_settings(debug=debug)
    elif "SPARK_REMOTE" not in os.environ:
        given = dict(SparkConf().getAll())
        if given.get("spark.master") == "local[*]":
            settings["spark.master"] = "local[*,4]"
    settings = _with_settings(settings, conf)
    settings |= warehouse_settings({**given, **settings})
    builder = SparkSession.builder
    try:
        if "SPARK_REMOTE" not in os.environ and "spark.remote" not in settings:
            java.start_context(settings)
        if java.process is None:
            for key, value in settings.items():
                builder = builder.config(key, value)
        spark = builder.getOrCreate()
    except Exception as exc:
        from sparkclean.lake.writing import translate_write_error  # noqa: PLC0415 (pyarrow)

        known = translate_write_error(exc, tempfile.gettempdir())
        if isinstance(exc, OSError) and known is not exc:
            raise known from exc
        raise SparkCleanError(
            f"Spark did not start: {cause_of(exc)}. It needs Java 17 or newer (JAVA_HOME) and "
            "valid settings in section spark of the configuration"
        ) from exc
    java.is_starting = False
    return spark


def _with_settings(settings: dict[str, str], conf: dict[str, str]) -> dict[str, str]:
    """Let settings of the user win; options of Java stand behind ours, where the last one wins."""
    options = [part[_JAVA_OPTIONS] for part in (settings, conf) if part.get(_JAVA_OPTIONS)]
    return settings | conf | ({_JAVA_OPTIONS: " ".join(options)} if options else {})


def _local_settings(*, debug: bool) -> dict[str, str]:
    """Choose settings of an embedded local Spark."""
    settings = {
        # a failed task is tried again, as on a cluster: local mode does not without the 4
        "spark.master": "local[*,4]",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 1)),
    }
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    settings["spark.driver.memory"] = f"{max(1024, min(8192, (memory >> 20) // 3))}m"
    quiet = resources.files("sparkclean") / "log4j2.properties"
    options = _class_archive_options()
    if isinstance(quiet, Path) and not debug:
        options.append(f"-Dlog4j2.configurationFile={quiet.as_uri()}")
    settings[_JAVA_OPTIONS] = " ".join(options)
    return settings


def _class_archive_options() -> list[str]:
    """Choose options by which Java loads Spark's classes from an archive: 4 s less at each start.

    Java writes the archive itself, behind the first run.
    """
    import pyspark  # noqa: PLC0415

    java = Path(os.environ["JAVA_HOME"], "bin/java") if "JAVA_HOME" in os.environ else "java"
    home = Path(shutil.which(java) or "").resolve().parent.parent
    jars = Path(pyspark.__file__).parent / "jars"
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sparkclean"
        fits = f"{home}\n{(home / 'release').read_text()}\n{jars}\n{jars.stat().st_mtime_ns}"
        cache.mkdir(parents=True, exist_ok=True)
        name = f"spark-classes-{hashlib.sha256(fits.encode()).hexdigest()[:16]}"
        found = _find_class_archive(cache, name)
        _remove_unused_archives(cache, found)
    except (OSError, RuntimeError):  # no Java where one is looked for, no home, nowhere to write
        return []
    archive = found or cache / f"{name}.jsa"
    # Spark's launcher and Java take other characters for their own
    if not os.access(cache, os.W_OK) or not re.fullmatch(r"[\w./+@~-]+", str(archive)):
        return []
    return [
        "-XX:+IgnoreUnrecognizedVMOptions",  # others than HotSpot do not know these
        "-Xlog:cds=off,cds+dynamic=off",
        f"-XX:{'SharedArchiveFile' if found else 'ArchiveClassesAtExit'}={archive}",
    ]


def _remove_unused_archives(cache: Path, found: Path | None) -> None:
    """Remove archives that nobody has used for a month, but for the one that was found."""
    for path in cache.glob("spark-classes-*.jsa"):
        if path != found and time.time() - path.stat().st_mtime > _UNUSED_SECONDS:
            path.unlink(missing_ok=True)


def _find_class_archive(cache: Path, name: str) -> Path | None:
    """Find an archive that is whole; remove one that is not.

    Java ends at one that was cut off, so the size is kept in the name; one that was not finished
    has no header yet.
    """
    for path in cache.glob(f"{name}-*.jsa"):
        if path.stem == f"{name}-{path.stat().st_size}":
            with suppress(OSError):
                os.utime(path)  # it is in use
            return path
        path.unlink()
    made = cache / f"{name}.jsa"
    if not made.exists():
        return None
    with made.open("rb") as file:
        is_whole = file.read(len(_ARCHIVE_MAGIC)) == _ARCHIVE_MAGIC
    if not is_whole:
        made.unlink()
        return None
    return made.rename(cache / f"{name}-{made.stat().st_size}.jsa")


def batch_setter(spark: SparkSession, *, own: bool) -> Callable[[int], None]:
    """Fit Arrow batches to K in a session of ours; warn in a foreign one.

    Parameters
    ----------
    spark : SparkSession
    own : bool

    Returns
    -------
    callable
        To be called with K.
    """

    def fit(num_classes: int) -> None:
        if own:
            rows = max(64, min(65_536, _BATCH_BYTES // (8 * num_classes)))
            spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", rows)
        else:
            warn_of_large_batches(spark, num_classes)

    return fit


def warn_of_large_batches(spark: SparkSession, num_classes: int) -> None:
    """Warn when the session hands over more probabilities at once than is good for a worker.

    Parameters
    ----------
    spark : SparkSession
    num_classes : int
        K.
    """
    rows = int(spark.conf.get("spark.sql.execution.arrow.maxRecordsPerBatch", "10000") or 10000)
    size = rows * num_classes * 8
    if rows <= 0 or size > _LARGE_BATCH:
        best = max(1, _LARGE_BATCH // (num_classes * 8))
        _log.warning(
            "an Arrow batch of this session holds %s of probabilities (K = %d); set "
            "spark.sql.execution.arrow.maxRecordsPerBatch to %d or less",
            f"{size >> 20} MB" if rows > 0 else "a whole partition",
            num_classes,
            best,
        )
