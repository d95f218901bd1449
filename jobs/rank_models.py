"""spark-submit jobs/rank_models.py --config FILE: the command ``sparkclean rank-models``."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("sparkclean") is None:  # a checkout that is not installed; tell workers, too
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    os.environ["SPARKCLEAN__SPARK__spark.executorEnv.PYTHONPATH"] = sys.path[0]  # noqa: SIM112
from sparkclean.commands.main import main

if code := main(["rank-models", *sys.argv[1:]]):
    sys.exit(code)
