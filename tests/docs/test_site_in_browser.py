"""The site in a real browser: on a telephone, with its search, and nothing asked elsewhere."""

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
    """Where the site is served: search needs a server."""
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def page(browser, address):
    """A page of the browser; fails the test if it complained or asked another address."""
    complaints = []
    page = browser.new_page()
    page.set_default_timeout(10_000)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((address, "data:", "blob:"))
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


def test_the_search_finds_a_component(page, address):
    page.goto(f"{address}/index.html")
    page.locator("[data-md-component=search-query]").fill("WarmStartTrainer")
    first = page.locator(".md-search-result__link").first
    first.wait_for()
    assert "WarmStartTrainer" in first.inner_text()
