"""What somebody may have meant who has mistyped a name: every message asks it in the same words."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence

SHOWN_NAMES = 20
# Comparing takes time with the square of the length, and a name from a file may be of any length.
_MOST_COMPARED = 200


def closest(name: str, expected: Iterable[str]) -> str | None:
    """Returns the name that is most like a mistyped one, whatever its case; None if none is.

    Args:
        name: What was typed.
        expected: The names that there are.

    Example:
        >>> closest("ph", ["alcohol", "pH"]), closest("x", ["alcohol", "pH"])
        ('pH', None)
    """
    by_lower: dict[str, str] = {}
    for known in expected:
        by_lower.setdefault(known.lower()[:_MOST_COMPARED], known)
    similar = difflib.get_close_matches(name.strip().lower()[:_MOST_COMPARED], by_lower, 1)
    return by_lower[similar[0]] if similar else None


def hint(names: str | Sequence[str], expected: Iterable[str]) -> str:
    """Returns the end of a message about names that do not exist: which ones may have been meant.

    Args:
        names: What was typed: one name or several.
        expected: The names that there are.

    Returns:
        A part of a sentence that begins with a semicolon; "" where nothing is like the names.

    Example:
        >>> hint("ph", ["pH", "alcohol"]), hint(["ph", "alcool"], ["pH", "alcohol"]), hint("x", [])
        ("; did you mean 'pH'?", "; did you mean 'pH' and 'alcohol'?", '')
    """
    expected = list(expected)
    asked = [names] if isinstance(names, str) else names
    meant = dict.fromkeys(known for name in asked if (known := closest(name, expected)) is not None)
    return f"; did you mean {' and '.join(map(repr, meant))}?" if meant else ""


def hint_or_list(name: str, expected: Sequence[str]) -> str:
    """Returns `hint`; where nothing is like the name, the names that there are.

    Args:
        name: What was typed.
        expected: The names that there are; the first 20 are listed.

    Example:
        >>> hint_or_list("ph", ["pH", "alcohol"]), hint_or_list("x", ["pH", "alcohol"])
        ("; did you mean 'pH'?", "; expected one of 'pH', 'alcohol'")
    """
    if meant := hint(name, expected):
        return meant
    if not expected:
        return "; there is none"
    some = ", ".join(map(repr, expected[:SHOWN_NAMES]))
    more = f", and {len(expected) - SHOWN_NAMES} more" if len(expected) > SHOWN_NAMES else ""
    return f"; expected one of {some}{more}"


def path_hint(path: str) -> str:
    """Returns `hint` for a path of which the last part does not exist: what is in its folder.

    Args:
        path: On this machine; a pattern has no hint.

    Example:
        >>> path_hint("no-such-folder/a.csv")
        ''
    """
    folder, name = os.path.split(path.rstrip("/"))
    if not name or any(character in path for character in "*?["):
        return ""
    try:
        there = sorted(os.listdir(folder or "."))
    except (OSError, ValueError):
        return ""
    meant = closest(name, [name for name in there if not name.startswith(".")])
    return f"; did you mean {os.path.join(folder, meant)!r}?" if meant is not None else ""
