"""spark-submit jobs/audit.py --config FILE: the command ``sparkclean audit``."""

import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("sparkclean") is None:  # a checkout that is not installed
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sparkclean.cli import main

if code := main(["audit", *sys.argv[1:]]):
    sys.exit(code)
