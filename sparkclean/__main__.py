"""``sparkclean`` and ``python -m sparkclean``: the command line as a process."""

import signal
import sys
from contextlib import suppress

from sparkclean.rows.interrupts import outcome_of, raising_interrupts


def run() -> int:
    """Run the command of this process; once it has its outcome, no signal changes that.

    Returns
    -------
    int
        Exit code.
    """
    try:
        with raising_interrupts():  # before the imports, which take a while
            from sparkclean.commands.main import main  # noqa: PLC0415

            code = main()
    except KeyboardInterrupt as exc:  # during the imports, or the second one
        word, code = outcome_of(exc)
        with suppress(Exception):
            sys.stderr.write(f"error: {word}\n")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    return code


if __name__ == "__main__":
    sys.exit(run())
