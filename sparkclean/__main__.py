"""``python -m sparkclean`` is the command line."""

import sys

from sparkclean.cli import main

sys.exit(main())
