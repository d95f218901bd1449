"""spark-submit jobs/compare.py RUNS RUN_A RUN_B: the command ``sparkclean compare``."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("sparkclean") is None:  # a checkout that is not installed; tell workers, too
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    os.environ["SPARKCLEAN__SPARK__spark.executorEnv.PYTHONPATH"] = sys.path[0]  # noqa: SIM112
from sparkclean.commands.main import main

if code := main(["compare", *sys.argv[1:]]):
    sys.exit(code)
