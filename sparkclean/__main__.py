"""``python -m sparkclean`` is the command line."""

import sys

from sparkclean.commands.main import main

sys.exit(main())
