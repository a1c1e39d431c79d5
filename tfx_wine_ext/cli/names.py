"""Names that users type: lists of them, and what they may have meant."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Sequence

SHOWN_NAMES = 20


def names_in(text: str) -> list[str]:
    """Splits the names of an option at their commas.

    Example:
        >>> names_in('pH,"density, g/l"'), names_in("")
        (['pH', 'density, g/l'], [''])
    """
    return next(csv.reader([text], skipinitialspace=True), [""]) or [""]


def likely(name: str, expected: Sequence[str]) -> str:
    """Says which of the names that there are may have been meant.

    Example:
        >>> likely("ph", ["pH", "alcohol"]), likely("x", ["pH", "alcohol"])
        ("did you mean 'pH'?", "expected one of 'pH', 'alcohol'")
    """
    by_lower = {each.lower(): each for each in expected}
    close = difflib.get_close_matches(name.lower(), by_lower, 1)
    if close:
        return f"did you mean {by_lower[close[0]]!r}?"
    some = ", ".join(map(repr, expected[:SHOWN_NAMES]))
    more = f", and {len(expected) - SHOWN_NAMES} more" if len(expected) > SHOWN_NAMES else ""
    return f"expected one of {some}{more}"
