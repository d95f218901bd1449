"""The command line with the toy among its jobs: ``python -m tests.toy.command toy ...``."""

from __future__ import annotations

import sys

from sparkclean import registry
from sparkclean.commands.main import main

TOY = registry.JobEntry("tests.toy.job:ToyJob", "find rare labels", "--config toy.yaml")

if __name__ == "__main__":
    registry.JOBS["toy"] = TOY
    sys.exit(main())
