"""A real browser for the tests of the pages."""

from __future__ import annotations

import os
import shutil

import pytest

# A fresh profile, in memory, is made for each context by playwright.
FLAGS = ["--disable-gpu", "--disable-quic", "--disable-sync"]


@pytest.fixture(scope="module")
def browser():
    """Chromium of the system, driven by playwright; skipped where there is none, but not in CI.

    For one module only: while it lives, its event loop is that of the thread.
    """
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        message = f"none of {', '.join(names)} is installed: run scripts/install_chromium.sh"
        if os.environ.get("TFX_WINE_EXT_REQUIRE_CHROMIUM"):
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def show(browser, tmp_path):
    """Opens a page from a file, and fails the test if it said or asked for anything by itself."""
    complaints, contexts = [], []

    def open_page(content, fragment="", width=1280, **options):
        file = tmp_path / "report.html"
        file.write_text(content, encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": 800}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: note(request.url))
        page.goto(file.as_uri() + fragment)
        return page

    def note(url):
        # The icon is empty data, which asks nobody.
        if not url.startswith((tmp_path.as_uri(), "data:,")):
            complaints.append(f"request: {url}")

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
