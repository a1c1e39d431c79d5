"""Loads what other packages register by entry points."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, MutableMapping
from typing import Any


def load_entry_points(
    group: str,
    registered: MutableMapping[str, Any],
    error_of: Callable[[str, str, str], Exception],
) -> None:
    """Loads all entry points of a group, in the order of their names.

    Args:
        group: Name of the group.
        registered: What the modules register themselves in. Of one that fails nothing stays.
        error_of: Makes the error of an entry point's name, what was expected, what was found.

    Raises:
        Exception: An entry point cannot be loaded; the one that `error_of` makes.

    Example:
        >>> load_entry_points("a.group.without.members", {}, RuntimeError)
    """
    for entry_point in sorted(importlib.metadata.entry_points(group=group)):
        before = set(registered)
        try:
            entry_point.load()
        except (Exception, SystemExit) as error:
            # A second attempt must not report that the names are taken.
            for name in registered.keys() - before:
                del registered[name]
            expected = f"to load {entry_point.value!r} of the entry points {group!r}"
            raise error_of(
                entry_point.name, expected, f"{type(error).__name__}: {error}"
            ) from error
