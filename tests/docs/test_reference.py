"""The built reference says everything that the docstrings of its objects say."""

from __future__ import annotations

import collections
import html
import re

import griffe
import pytest

from tests.docs.blocks import CHECKOUT

PAGES = sorted((CHECKOUT / "docs" / "reference").glob("*.md"))


@pytest.fixture(scope="module")
def package():
    """The package, parsed and never imported, with its docstrings as they are in the source."""
    return griffe.load("tfx_wine_ext", search_paths=[CHECKOUT])


def public(object_):
    """An object and all that is public below it."""
    yield object_
    for member in object_.members.values():
        if not member.name.startswith("_") and (not member.is_alias or member.is_exported):
            yield from public(member)


@pytest.fixture(scope="module")
def objects(package):
    """Those that pages of the reference name, and all that is public below them, page by page."""
    return {
        page.stem: [
            object_
            for path in re.findall(r"^::: tfx_wine_ext\.(\S+)", page.read_text("utf-8"), re.M)
            for object_ in public(package[path])
        ]
        for page in PAGES
    }


def texts(object_):
    """Every text of a docstring: paragraphs, examples, and what is said of each parameter."""
    for section in object_.docstring.parse("google") if object_.docstring else ():
        if isinstance(section.value, str):
            yield section.value
        elif isinstance(section.value, list):
            yield from (entry.description for entry in section.value)
        else:  # what Griffe has no section for: our examples and outputs
            yield section.value.contents


def letters(text):
    """What is left of a text when layout and marks are gone."""
    return re.sub(r"[\W_]", "", text).lower()


def of_markdown(text):
    return letters(re.sub(r"\]\([^)]*\)|# doctest:.*|<BLANKLINE>", "", text))


def of_html(text):
    """By the path of an object, what the page shows between its heading and the next one."""
    pieces = re.split(r'<h\d id="([^"]*)"[^>]*>', text)
    return {
        path: letters(html.unescape(re.sub(r"<[^>]*>", "", piece)))
        for path, piece in zip(pieces[1::2], pieces[2::2])
    }


@pytest.mark.e2e
def test_everything_that_a_docstring_says_is_shown_below_its_object(site, objects):
    shown = {
        page: of_html((site / "reference" / f"{page}.html").read_text(encoding="utf-8"))
        for page in objects
    }
    expected = {
        (object_.path, text)
        for found in objects.values()
        for object_ in found
        for text in texts(object_)
    }
    lost = {
        (object_.path, text)
        for page, found in objects.items()
        for object_ in found
        for text in texts(object_)
        if of_markdown(text) not in shown[page].get(object_.path, "")
    }
    assert lost == set()
    assert len({path for path, _ in expected}) > 250


@pytest.mark.e2e
def test_nothing_stands_twice_on_a_page(site):
    twice = {
        f"{page.name}: {place}"
        for page in (site / "reference").glob("*.html")
        for place, times in collections.Counter(
            re.findall(r'<h\d id="([^"]*)"', page.read_text(encoding="utf-8"))
        ).items()
        if times > 1
    }
    assert twice == set()


def test_what_is_lost_would_be_found():
    page = """<h2 id="a.f" class="doc">f</h2><p>Sets <code>x_y</code> &amp; more.</p>
        <h3 id="a.g">g</h3><p>Other.</p>"""
    shown = of_html(page)
    assert of_markdown("Sets `x_y` & [more](../more.md).") in shown["a.f"]
    assert of_markdown("Other.") not in shown["a.f"]


def test_every_public_object_of_the_reference_has_a_description(objects):
    """Its own, or for an attribute, an entry in the docstring of its class or of a base class."""

    def named(class_):
        return {
            entry.name
            for documented in [class_, *class_.mro()]
            if documented.docstring
            for section in documented.docstring.parse("google")
            if section.kind.value in ("attributes", "parameters")
            for entry in section.value
        }

    without = {
        object_.path
        for found in objects.values()
        for object_ in found
        if not object_.docstring
        # In capitals are those that TFX asks every component for, which say what they are.
        and not (
            object_.is_attribute
            and object_.parent.is_class
            and (object_.name.isupper() or object_.name in named(object_.parent))
        )
    }
    assert without == set()
