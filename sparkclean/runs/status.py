"""How runs end, as their records say it."""

from __future__ import annotations

from typing import Final

PUBLISHED: Final = "published"
#: The input did not do, or a gate was closed: nothing was published.
GATE_FAILED: Final = "gate_failed"
#: What was found is recorded; another run's version of a dataset was first.
CLEANED_CONFLICT: Final = "cleaned_conflict"
#: Something failed after the first output was published: nothing of it counts yet.
FAILED: Final = "failed"
