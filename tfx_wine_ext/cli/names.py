"""Lists of names as users type them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable


def names_in(text: str) -> list[str]:
    """Splits the names of an option at their commas.

    Example:
        >>> names_in('pH,"density, g/l"'), names_in("")
        (['pH', 'density, g/l'], [''])
    """
    return next(csv.reader([text], skipinitialspace=True), [""]) or [""]


def joined_names(names: Iterable[str]) -> str:
    """Joins names to what `names_in` splits.

    Example:
        >>> joined_names(["pH", "density, g/l"]), joined_names([""])
        ('pH,"density, g/l"', '""')
    """
    return ",".join(
        name if re.fullmatch(r"\w[\w.-]*", name) else '"' + name.replace('"', '""') + '"'
        for name in names
    )
