"""Patterns for paths by the rules of Python's `glob`, for file systems with other rules."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence

_WILDCARD = re.compile(r"[*?[]")
_ESCAPED = re.compile(r"\[([*?[])\]")  # As `glob.escape` writes them.


def fixed_parts(parts: Sequence[str]) -> int:
    """Returns how many parts of a pattern come before the first one with a wildcard.

    Example:
        >>> fixed_parts(["a", "b [[]1]", "*.csv"])
        2
    """
    wild = (i for i, part in enumerate(parts) if _WILDCARD.search(_ESCAPED.sub("", part)))
    return next(wild, len(parts))


def unescaped(part: str) -> str:
    """Returns the name that a part without wildcards stands for.

    Example:
        >>> unescaped("b [[]1]")
        'b [1]'
    """
    return _ESCAPED.sub(r"\1", part)


def matches(names: Sequence[str], parts: Sequence[str]) -> bool:
    """Tells whether the parts of a path match those of a pattern.

    ``**`` stands for any number of folders, at the end for any file below. A wildcard does not
    match a name that begins with a dot.

    Args:
        names: The parts of the path of a file.
        parts: The parts of the pattern.

    Example:
        >>> matches(["a", "b", "c.csv"], ["**", "*.csv"]), matches([".a", "c.csv"], ["*", "*.csv"])
        (True, False)
    """
    if not parts:
        return not names
    part, rest = parts[0], parts[1:]
    if part != "**":
        return bool(
            names
            and (part.startswith(".") or not names[0].startswith("."))
            and fnmatch.fnmatchcase(names[0], part)
            and matches(names[1:], rest)
        )
    for skipped in range(len(names) + 1):
        if skipped and names[skipped - 1].startswith("."):
            return False
        if matches(names[skipped:], rest) if rest else skipped == len(names) > 0:
            return True
    return False
