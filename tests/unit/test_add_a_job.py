"""The walk through a new job shows the code of the toy job, as it is."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_add_a_job_shows_the_code_of_the_toy() -> None:
    text = (ROOT / "docs" / "dev" / "add-a-job.md").read_text(encoding="utf-8")
    code = {line.strip() for line in (ROOT / "tests/toy/job.py").read_text().splitlines()}
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    shown = [line for block in blocks for line in block.splitlines() if "JobEntry(" not in line]
    missing = [line for line in shown if line.split("  #")[0].strip() not in code]
    assert len(shown) > 40
    assert missing == []
