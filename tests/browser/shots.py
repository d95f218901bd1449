"""`make report-shots`: writes reports of invented data, and pictures of them to look at."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.browser.chromium import browser
from tests.browser.samples import SAMPLES

#: Width, colour scheme, media.
LOOKS = {
    "wide": (1600, "light", "screen"),
    "dark": (1600, "dark", "screen"),
    "narrow": (360, "light", "screen"),
    "print": (794, "light", "print"),
}
#: Pixels of a picture at most from the top: Chromium draws no picture of any height.
TALLEST = 15_000


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with browser() as opened:
        for name, make in SAMPLES.items():
            started = time.monotonic()
            page = folder / f"{name}.html"
            page.write_text(make(), encoding="utf-8")
            seconds = time.monotonic() - started
            print(f"{page}: {page.stat().st_size:,} bytes, {seconds:.1f} s")  # noqa: T201
            for look, (width, scheme, media) in LOOKS.items():
                context = opened.new_context(
                    viewport={"width": width, "height": 900},
                    color_scheme=scheme,
                    offline=True,
                )
                tab = context.new_page()
                tab.goto(page.resolve().as_uri())
                tab.emulate_media(media=media)
                height = min(tab.evaluate("document.documentElement.scrollHeight"), TALLEST)
                tab.screenshot(
                    path=folder / f"{name}-{look}.png",
                    full_page=True,
                    clip={"x": 0, "y": 0, "width": width, "height": height},
                )
                context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
