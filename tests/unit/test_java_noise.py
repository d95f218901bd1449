"""What Java says at each start is left out; whatever else it says stays."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sparkclean.rows.java_noise import Sieve

# as Spark 4.1 and 3.5 write it, with packages
START = """\
WARNING: Using incubator modules: jdk.incubator.vector
:: loading settings :: url = jar:file:/x/pyspark/jars/ivy-2.5.3.jar!/org/apache/ivy/ivysettings.xml
Ivy Default Cache set to: /root/.ivy2.5.2/cache
The jars for the packages stored in: /root/.ivy2.5.2/jars
https://maven.example/repo added as a remote repository with the name: repo-1
io.delta#delta-spark_4.1_2.13 added as a dependency
org.apache.iceberg#iceberg-spark-runtime-4.1_2.13 added as a dependency
:: resolving dependencies :: org.apache.spark#spark-submit-parent-0034a808;1.0
\tconfs: [default]
\tfound io.delta#delta-spark_4.1_2.13;4.4.0 in central
\tfound io.delta#delta-storage;4.4.0 in local-m2-cache
downloading https://repo1.maven.org/maven2/io/delta/delta-storage/4.4.0/delta-storage-4.4.0.jar ...
\t[SUCCESSFUL ] io.delta#delta-storage;4.4.0!delta-storage.jar (105ms)
:: resolution report :: resolve 1185ms :: artifacts dl 41ms
\t:: modules in use:
\tio.delta#delta-storage;4.4.0 from central in [default]
\t:: evicted modules:
\torg.slf4j#slf4j-api;1.7.36 by [org.slf4j#slf4j-api;2.0.7] in [default]
\t---------------------------------------------------------------------
\t|                  |            modules            ||   artifacts   |
\t|      default     |   5   |   0   |   0   |   0   ||   5   |   0   |
\t---------------------------------------------------------------------
:: retrieving :: org.apache.spark#spark-submit-parent-0034a808
\tconfs: [default]
\t0 artifacts copied, 5 already retrieved (0kB/34ms)
26/11/30 11:00:00 WARN NativeCodeLoader: Unable to load native-hadoop library for your platform...
Using Spark's default log4j profile: org/apache/spark/log4j2-defaults.properties
Setting default log level to "WARN".
To adjust logging level use sc.setLogLevel(newLevel). For SparkR, use setLogLevel(newLevel).
"""

UNFLUSHED = """\
PySpark daemon failed to flush the output to the worker process:
Traceback (most recent call last):
  File "/x/pyspark/daemon.py", line 91, in worker
    outfile.flush()
BrokenPipeError: [Errno 32] Broken pipe
"""

STAYS = """\
spark WARN TaskSetManager: Lost task 0.0 in stage 1.0 (TID 1): no space left on device
26/11/30 11:00:00 ERROR SparkContext: Error initializing SparkContext.
:: problems summary ::
:::: WARNINGS
\t\tmodule not found: io.delta#delta-nope;1.0
\t==== central: tried
\t  https://repo1.maven.org/maven2/io/delta/delta-nope/1.0/delta-nope-1.0.pom
\t\t:: io.delta#delta-nope;1.0: not found
Exception in thread "main" java.lang.RuntimeException: [unresolved dependency: io.delta#nope;1.0]
\tat org.apache.spark.deploy.SparkSubmitUtils$.resolveMavenCoordinates(SparkSubmit.scala:1528)
WARNING: A terminally deprecated method in java.lang.System has been called
downloading the model of my estimator
"""


def sifted(text: str) -> tuple[list[str], list[str]]:
    """Lines that pass, and what is said in the place of the others."""
    said: list[str] = []
    sieve = Sieve(said.append)
    return [line for line in text.splitlines() if sieve.passes(line)], said


def test_start_of_spark_is_a_line_about_its_packages() -> None:
    assert sifted(START) == ([], ["fetching 2 packages"])


def test_one_package_is_one() -> None:
    text = "a#b added as a dependency\n:: resolving dependencies :: x"
    assert sifted(text)[1] == ["fetching 1 package"]


@pytest.mark.parametrize("line", STAYS.splitlines())
def test_warnings_and_errors_stay(line: str) -> None:
    assert sifted(line) == ([line], [])


def test_words_of_java_reach_stderr_in_their_order() -> None:
    code = (
        "import subprocess, sys\n"
        "from sparkclean.rows.java_noise import forward\n"
        "java = subprocess.Popen([sys.executable, '-c', sys.argv[1]], stderr=subprocess.PIPE)\n"
        "forward(java.stderr).join(30)\n"
    )
    says = (
        "import os; os.write(2, b'one\\nWARNING: Using incubator modules: x\\n\\xff two\\nno end')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, says], capture_output=True, check=True, env=os.environ
    )
    assert done.stderr == b"one\n\xff two\nno end"


def test_worker_whose_spark_has_gone_says_nothing() -> None:
    sieve = Sieve(lambda _: None)
    lines = [*UNFLUSHED.splitlines(), *STAYS.splitlines(), *UNFLUSHED.splitlines()]
    assert [line for line in lines if sieve.passes(line)] == STAYS.splitlines()


def test_worker_that_fails_otherwise_says_why() -> None:
    sieve = Sieve(lambda _: None)
    lines = UNFLUSHED.replace("BrokenPipeError", "OSError").splitlines()
    assert [line for line in lines if sieve.passes(line)] == ["OSError: [Errno 32] Broken pipe"]
