"""Conditions on rows as users write them: ``alcohol > 10``."""

from __future__ import annotations

import re
from typing import Any

from tfx_wine_ext.cli.errors import CommandError
from tfx_wine_ext.cli.names import names_in

_FORM = re.compile(
    r"""\s*(?:"(?P<quoted>[^"]+)"|(?P<plain>[^"].*?))
        (?:\s*(?P<sign>==|!=|<=|>=|=|<|>)\s*|\s+(?P<word>not\s+in|in)\s+)
        (?P<value>.*\S)\s*""",
    re.VERBOSE | re.DOTALL,
)


def condition_in(text: str) -> tuple[str, str, Any]:
    """Parses a condition into the form that `RowFilter` takes.

    Values stay text, and `RowFilter` converts them to the type of the column: ``zip == 007`` means
    "007" if the column holds text, and 7 if it holds numbers.

    Args:
        text: ``COLUMN OP VALUE`` with OP one of ``= == != < <= > >=``, or ``in`` and ``not in``
            with values between commas. A column name that contains an operator must be in double
            quotes; a value may be.

    Raises:
        CommandError: The text has another form.

    Example:
        >>> condition_in("residual sugar >= 1.5"), condition_in('colour in [red, "off, white"]')
        (('residual sugar', '>=', '1.5'), ('colour', 'in', ['red', 'off, white']))
    """
    match = _FORM.fullmatch(text)
    if not match:
        raise CommandError(
            f"--filter: expected COLUMN OP VALUE, as in 'alcohol > 10' or 'colour in red,white', "
            f"found {text!r}"
        )
    column, value = match["quoted"] or match["plain"], match["value"]
    if match["sign"]:
        return column, match["sign"], _unquoted(value)
    if (value[0], value[-1]) in [("[", "]"), ("(", ")")]:
        value = value[1:-1]
    values = [_unquoted(item.strip()) for item in names_in(value)]
    return column, " ".join(match["word"].split()), values


def _unquoted(text: str) -> str:
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text
