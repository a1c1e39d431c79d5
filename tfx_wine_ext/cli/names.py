"""Lists of names as users type them."""

from __future__ import annotations

import csv


def names_in(text: str) -> list[str]:
    """Splits the names of an option at their commas.

    Example:
        >>> names_in('pH,"density, g/l"'), names_in("")
        (['pH', 'density, g/l'], [''])
    """
    return next(csv.reader([text], skipinitialspace=True), [""]) or [""]
