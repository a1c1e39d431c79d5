"""The site is built strictly, without a network, and has every public name."""

from __future__ import annotations

import doctest
import html
import importlib.util
import re
import zlib

import pytest

import tfx_wine_ext
from tfx_wine_ext import drift, lineage, testing, warm_start

# A link that a reader may follow is no request; these are.
REQUESTS = re.compile(
    r"<(?:script|img|iframe|source)[^>]*\ssrc=\"(?:https?:)?//[^\"]*"
    r"|<link[^>]*\shref=\"(?:https?:)?//[^\"]*"
    r"|url\([\"']?(?:https?:)?//[^)]*"
)


@pytest.mark.e2e
def test_the_site_is_built_without_a_warning(site):
    assert (site / "index.html").is_file()
    assert (site / "search" / "search_index.json").is_file()


@pytest.mark.e2e
def test_no_page_asks_another_address_for_anything(site):
    files = [path for kind in ("html", "css") for path in site.rglob(f"*.{kind}")]
    assert len(files) > 20
    found = {
        f"{path.relative_to(site)}: {request}"
        for path in files
        for request in REQUESTS.findall(path.read_text(encoding="utf-8"))
    }
    assert found == set()


def test_what_a_page_asks_for_would_be_found():
    asks = [
        '<script defer src="https://unpkg.com/x"></script>',
        '<link rel="preconnect" href="https://fonts.gstatic.com">',
        '<img alt="a" src="//example.com/a.png">',
        "@font-face { src: url(https://example.com/a.woff) }",
    ]
    assert [bool(REQUESTS.search(text)) for text in asks] == [True] * 4
    assert not REQUESTS.search('<a href="https://example.com">, <link rel="icon" href="a.png">')


@pytest.mark.e2e
def test_every_link_within_the_site_leads_to_a_place_on_it(site):
    """Those in docstrings, too, which MkDocs does not look at."""
    pages = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}
    places = {path: set(re.findall(r'\sid="([^"]*)"', text)) for path, text in pages.items()}
    wrong = set()
    for path, text in pages.items():
        if path.name == "404.html":  # its links begin at the root of the server
            continue
        for link in re.findall(r'<a [^>]*?href="([^"]*)"', text):
            target, _, place = html.unescape(link).partition("#")
            if re.match(r"\w+:", target):
                continue
            file = (path.parent / target).resolve() if target else path
            file = file / "index.html" if file.is_dir() else file
            if not file.is_file() or (place and place not in places.get(file, {place})):
                wrong.add(f"{path.relative_to(site)}: {link}")
    assert wrong == set()


@pytest.mark.e2e
def test_every_public_name_stands_in_the_reference(site):
    # Sphinx's inventory: four lines of text, then the entries, compressed.
    inventory = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    documented = {
        line.split()[0].rpartition(".")[2]
        for line in zlib.decompress(inventory).decode().split("\n")
        if line
    }
    for package in (tfx_wine_ext, drift, lineage, testing, warm_start):
        public = set(getattr(package, "__all__", ())) - {"__version__"}
        assert public - documented == set(), package.__name__


@pytest.mark.parametrize("name", ["site_docstrings", "site_pages"])
def test_the_examples_of_what_builds_the_site_work(checkout, name):
    path = checkout / "scripts" / f"{name}.py"
    module = importlib.util.module_from_spec(importlib.util.spec_from_file_location(name, path))
    module.__spec__.loader.exec_module(module)
    outcome = doctest.testmod(module)
    assert outcome.failed == 0
    assert outcome.attempted > 0


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_from_the_top_folder_lead_somewhere(checkout, name):
    text = (checkout / name).read_text(encoding="utf-8")
    links = re.findall(r"(?:\]\(|(?:href|src)=\")([^)#\"]+)", text)
    files = [link for link in links if not link.startswith("http")]
    assert len(files) > 1
    assert [file for file in files if not (checkout / file).exists()] == []


def test_every_page_that_the_code_names_is_there(checkout):
    sources = [
        path
        for folder in ("tfx_wine_ext", "examples", "benchmarks", "scripts", "tests")
        for path in (checkout / folder).rglob("*.py")
    ]
    named = {
        (path.relative_to(checkout).as_posix(), page)
        for path in sources
        for page in re.findall(r"\bdocs/[\w/-]+\.(?:md|json)", path.read_text(encoding="utf-8"))
    }
    assert ("tfx_wine_ext/drift/__init__.py", "docs/drift-metrics.md") in named
    made_up = {"scripts/site_docstrings.py", "scripts/site_pages.py"}
    assert {
        (source, page)
        for source, page in named
        if source not in made_up and not (checkout / page).is_file()
    } == set()
