"""The site in a real browser: on a telephone, served or as files, asking nobody else."""

from __future__ import annotations

import functools
import http.server
import threading

import pytest

pytestmark = pytest.mark.e2e


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, and does not write a line for each."""

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def address(site):
    """Where the site is served."""
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def page(browser, address, site):
    """A page of the browser; fails the test if it complained or asked another address."""
    complaints = []
    page = browser.new_page()
    page.set_default_timeout(30_000)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((address, site.as_uri(), "data:", "blob:"))
            else complaints.append(request.url)
        ),
    )
    yield page
    page.close()
    assert complaints == []


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_the_window(page, address, site, width):
    page.set_viewport_size({"width": width, "height": 800})
    wider = []
    for file in sorted(site.rglob("*.html")):
        name = file.relative_to(site).as_posix()
        if name != "404.html":  # its links are those of the site's real address
            page.goto(f"{address}/{name}")
            if page.evaluate("document.documentElement.scrollWidth") > width:
                wider.append(name)
    assert wider == []


@pytest.mark.parametrize("opened", ["from a server", "from the folder"])
def test_the_search_finds_a_page_and_leads_to_it(page, address, site, opened):
    top = address if opened == "from a server" else site.as_uri()
    for at in ("index.html", "reference/drift.html"):
        page.goto(f"{top}/{at}")
        page.locator("[data-md-component=search-query]").fill("WarmStartTrainer records")
        result = page.locator(".md-search-result__link[href*='warm-start']").first
        result.wait_for()
        assert "WarmStartTrainer" in result.inner_text()
        result.click()
        page.wait_for_url(f"{top}/**warm-start**")
