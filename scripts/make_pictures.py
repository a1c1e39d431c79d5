"""Takes the pictures of the documentation from the pages that `make story` has written.

Usage: python scripts/make_pictures.py [--story build/story] [--pictures docs/pictures]

Start it in the checkout that the story was told in. Opens the history page and the report of the
gate that closed in Chromium, and writes the top of each, and the chart of the history, as PNG. A
picture has at most 150 kB: it is made lower, never blurred, until it has.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

# The narrowest layout for a desk, so that letters stay legible where a picture is scaled down.
WIDTH = 1000
MOST_BYTES = 150_000
# As high as there is something to see at first sight; in steps down where that is too many bytes.
HEIGHT, STEP, MARGIN = 1000, 50, 16
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def pages(story: Path) -> dict[str, tuple[Path, str]]:
    """Returns, by the name of the picture, a page and where on it the picture begins.

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
    return {
        "history.png": (history, "body"),
        "history-chart.png": (history, "h2:text-is('Runs over time')"),
        "gate.png": (gates[-1], "body"),
    }


def photograph(page: Page, source: Path, selector: str) -> bytes:
    """Returns a picture of a page from an element on downwards, of at most `MOST_BYTES`.

    Paths are shown as from the checkout: where that is on this machine is nobody's business.
    """
    page.set_content(source.read_text(encoding="utf-8").replace(f"{Path.cwd()}/", ""))
    box = page.locator(selector).first.bounding_box()
    top = max(0, box["y"] - MARGIN) if box else 0
    for height in range(HEIGHT, 0, -STEP):
        picture = page.screenshot(
            clip={"x": 0, "y": top, "width": WIDTH, "height": height}, full_page=True
        )
        if len(picture) <= MOST_BYTES:
            return picture
    raise ValueError(f"{source}: a strip of {STEP} pixels has more than {MOST_BYTES} bytes")


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
        for name, (source, selector) in found.items():
            # A page each: one that has held a document keeps its content security policy.
            page = browser.new_page(
                viewport={"width": WIDTH, "height": HEIGHT},
                color_scheme="light",
                reduced_motion="reduce",
            )
            picture = photograph(page, source, selector)
            (options.pictures / name).write_bytes(picture)
            print(f"{options.pictures / name}: {len(picture):,} bytes")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
