"""The browser that looks at reports: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

REPOSITORY = Path(__file__).resolve().parents[2]
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def chromium() -> str:
    names = [os.environ["CHROMIUM"]] if os.environ.get("CHROMIUM") else _NAMES
    found = next(filter(None, map(shutil.which, names)), None)
    assert found, "no Chromium: sh .ci/check-chromium"
    return found


def axe_script() -> str:
    folder = Path(os.environ.get("AXE_CORE", REPOSITORY / ".venv/axe/node_modules/axe-core"))
    assert (folder / "axe.min.js").exists(), f"no axe-core in {folder}: make .venv/.browser"
    return (folder / "axe.min.js").read_text(encoding="utf-8")


@contextmanager
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    # as root Chromium refuses to start with its sandbox
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium(), args=options, timeout=120_000
        )
        yield launched
        launched.close()
