"""Takes the pictures of the documentation from the pages that `make story` has written.

Usage: python scripts/make_pictures.py [--story build/story] [--pictures docs/pictures]

Opens the history page and the report of the gate that closed in Chromium, at a width of 1280
pixels, and writes the top of each as PNG. A picture has at most 150 kB: it is made lower, never
blurred, until it has.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDTH = 1280
MOST_BYTES = 150_000
# As high as there is something to see at first sight; in steps down where that is too many bytes.
HEIGHT, STEP = 1100, 50
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def pages(story: Path) -> dict[str, Path]:
    """Returns the pages by the name of their picture.

    Raises:
        FileNotFoundError: There is no story, or it was not stopped by its gate.
    """
    history = story / "history.html"
    gates = sorted(
        (story / "pipeline" / "DriftReport" / "stopped").glob("*/drift_report.html"),
        key=lambda path: int(path.parent.name),
    )
    if not history.is_file() or not gates:
        raise FileNotFoundError(
            f"{story}: expected history.html and a drift report of a gate that closed, found none: "
            "run `make story` first"
        )
    return {"history.png": history, "gate.png": gates[-1]}


def photograph(page: Page, address: str) -> bytes:
    """Returns a picture of the top of a page, of at most `MOST_BYTES`."""
    page.goto(address)
    for height in range(HEIGHT, 0, -STEP):
        picture = page.screenshot(clip={"x": 0, "y": 0, "width": WIDTH, "height": height})
        if len(picture) <= MOST_BYTES:
            return picture
    raise ValueError(f"{address}: a strip of {STEP} pixels has more than {MOST_BYTES} bytes")


def main() -> int:
    """Writes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--story", type=Path, default=Path("build/story"))
    parser.add_argument("--pictures", type=Path, default=Path("docs/pictures"))
    options = parser.parse_args()
    browser_path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser_path is None:
        print(f"none of {', '.join(BROWSERS)}: run scripts/install_chromium.sh", file=sys.stderr)
        return 1
    try:
        found = pages(options.story)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    from playwright.sync_api import sync_playwright

    options.pictures.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path)
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT},
            color_scheme="light",
            reduced_motion="reduce",
        )
        for name, source in found.items():
            picture = photograph(page, source.absolute().as_uri())
            (options.pictures / name).write_bytes(picture)
            print(f"{options.pictures / name}: {len(picture):,} bytes")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
