"""Code that all pages share: templates that escape, one style, and no request to any address."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Sequence
from typing import Any

import jinja2
from markupsafe import Markup

from tfx_wine_ext.report.words import text

# Names and values are cut to these lengths for display; an expansion shows them whole.
NAME_LIMIT = 80
SENTENCE_LIMIT = 400
# Labels of features take at most two lines beside a small plot; their title shows the whole name.
FEATURE_LIMIT, TITLE_LIMIT = 48, 1000


def render(
    template: str,
    *,
    styles: Sequence[str] = ("page.css",),
    script_file: str = "page.js",
    **context: Any,
) -> str:
    """Renders a page: templates/`template`, which extends base.html.

    Everything in `context` is escaped. The page contains its style and script. Its
    Content-Security-Policy allows only these two, by their hashes, and no request.

    Args:
        template: The name of a file in templates/.
        styles: Files in templates/ that make up the page's style, in this order.
        script_file: File in templates/ that is the page's script.
        context: The values that the template reads. A missing name is an error.

    Returns:
        A whole HTML document; write it as UTF-8.

    Raises:
        jinja2.UndefinedError: The template reads what `context` lacks.

    Example:
        >>> render("base.html", title="<&>").split("<title>")[1][:19]
        '&lt;&amp;&gt;</titl'
    """
    style = Markup("").join(map(_asset, styles))
    script = _asset(script_file)
    return _environment().get_template(template).render(
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
        **context,
    )  # fmt: skip


# Text that a browser would break at a hyphen: negative numbers, exponents, dates.
_HYPHENATED = re.compile("([+-]?\\d[\\d.,:-]*(?:e[+-]?\\d+)?(?:\u00a0[\\w.:]+)?)")


def unbroken(sentence: str) -> Markup:
    """Escapes a text, and keeps each number in it on one line.

    Example:
        >>> unbroken("from -1e-07 to <2>")
        Markup('from <span class="piece">-1e-07</span> to &lt;2&gt;')
    """
    pieces = _HYPHENATED.split(sentence)
    return Markup("").join(
        Markup('<span class="piece">{}</span>').format(piece) if i % 2 and "-" in piece else piece
        for i, piece in enumerate(pieces)
    )


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tfx_wine_ext.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        visible=text.visible,
        isolated=text.isolated,
        unbroken=unbroken,
        number=text.number,
        percent=text.percent,
        probability=text.probability,
        moment=text.moment,
        count=text.count,
        duration=lambda seconds: text.duration(seconds).replace(" ", text.NO_BREAK),
    )
    environment.globals.update(
        span_text=text.span_text,
        NAME_LIMIT=NAME_LIMIT,
        SENTENCE_LIMIT=SENTENCE_LIMIT,
        TITLE_LIMIT=TITLE_LIMIT,
    )
    return environment


@functools.cache
def _asset(name: str) -> Markup:
    """A file of this package, which is not escaped."""
    loader = _environment().loader
    assert loader is not None
    return Markup(loader.get_source(_environment(), name)[0])


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
