"""The text of SQL queries: one query, which can stand within another, and names in it."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*|/\*.*?\*/)
    |(?P<quoted>[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`
        |\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$)
    |(?P<word>[^\W\d][\w$]*)
    |(?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
INNER = "tfx_wine_ext"
"""What queries on another call that one: a name that no column has, since it would hide it."""
_BEGINS = ("SELECT", "WITH", "VALUES", "TABLE", "FROM", "(")


def single_query(text: str) -> str:
    r"""Returns the text of one query, without the semicolon and what follows it.

    Comments, quoted text and quoted names may hold anything. Whether the query only reads is for
    the database to say, which sees it within another one.

    Args:
        text: The query, with a semicolon at its end or without.

    Raises:
        ValueError: It is no query, or more than one.

    Example:
        >>> single_query("SELECT ';' AS a -- all;\n;  -- done")
        "SELECT ';' AS a -- all;\n"
        >>> single_query("SELECT 1; DROP TABLE wines")
        Traceback (most recent call last):
        ...
        ValueError: expected one query, found 'DROP' after its semicolon
    """
    depth, end, first = 0, None, ""
    for token in _TOKEN.finditer(text):
        if token["space"]:
            continue
        if end is not None and token[0] != ";":
            raise ValueError(f"expected one query, found {token[0]!r} after its semicolon")
        first = first or token[0]
        if token[0] == ";":
            end = token.start() if end is None else end
        depth += {"(": 1, ")": -1}.get(token[0], 0)
        if depth < 0:
            raise ValueError("expected one query, found a parenthesis that closes none")
    if first.upper() not in _BEGINS:
        found = repr(first) if first not in ("", ";") else "none"
        words = f"{', '.join(_BEGINS[:-2])} or {_BEGINS[-2]}"
        raise ValueError(f"expected one query, which begins with {words}, found {found}")
    return text[:end]


def quoted(name: str) -> str:
    """Returns a name as SQL, by the rule of the standard.

    Example:
        >>> quoted("fixed acidity")
        '"fixed acidity"'
    """
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def within(query: str, select: str, rest: str = "") -> str:
    """Returns a query on the result of another, which it calls `INNER`.

    No statement but a query can stand there. The line breaks end comments.

    Example:
        >>> print(within("SELECT 1 -- one", "count(*)"))
        SELECT count(*) FROM (
        SELECT 1 -- one
        ) tfx_wine_ext
    """
    return f"SELECT {select} FROM (\n{query}\n) {INNER} {rest}".rstrip()


def inner(name: str) -> str:
    """Returns a column of the inner query as SQL.

    Example:
        >>> inner("fixed acidity")
        'tfx_wine_ext."fixed acidity"'
    """
    return f"{INNER}.{quoted(name)}"
