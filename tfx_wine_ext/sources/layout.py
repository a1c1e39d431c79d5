"""Interprets names of folders and files: which of them are data, and their Hive partitions.

It works on text only, and accesses no file system.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Sequence
from typing import Optional
from urllib.parse import unquote

from tfx_wine_ext.errors import Option, Remedy
from tfx_wine_ext.sources.source import TableFileError

# The name of null in Hive, Spark and Arrow.
NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
# Beam first writes to a folder ``beam-temp-...``, which remains if Beam is stopped.
_HIDDEN = ("_", ".", "beam-temp-")

# Name and text of each partition column, None for a null, in the order of the folders.
Partitions = tuple[tuple[str, Optional[str]], ...]


class PartitionError(TableFileError):
    """Folders cannot be read as Hive partitions; reading them as no columns is always a remedy."""

    def __init__(self, path: str, found: str, remedy: str) -> None:
        remedies = (remedy, Remedy(Option.HIVE_PARTITIONING, False))
        super().__init__(found, remedies, path=path)


def is_hidden(path: str) -> bool:
    """Tells whether the last part of a path is a name for files that are not data.

    Example:
        >>> is_hidden("data/_SUCCESS"), is_hidden("data/part-0.parquet")
        (True, False)
    """
    return path.rpartition("/")[2].startswith(_HIDDEN)


def is_hidden_folder(name: str) -> bool:
    """Tells whether a folder of this name holds no data.

    As in Spark, a name with ``=`` is a partition even if it begins with ``_``; a name that begins
    with ``.`` is always hidden.

    Example:
        >>> [is_hidden_folder(name) for name in ("_temporary", ".staging", "_day=1", "a")]
        [True, True, False, False]
    """
    return name.startswith(_HIDDEN) and not (name.startswith("_") and "=" in name)


def fixed_folder(pattern: str) -> str:
    """Returns the fixed folder of a pattern: its parts before the first wildcard.

    Example:
        >>> fixed_folder("data/year=2024/*/x-?.parquet"), fixed_folder("data/x.parquet")
        ('data/year=2024', 'data')
    """
    parts = pattern.split("/")
    return "/".join(parts[: min(_fixed_parts(parts), len(parts) - 1)])


def visible(paths: Sequence[str], pattern: str) -> list[str]:
    """Removes hidden files and files in hidden folders.

    Spark, Hive and Arrow use hidden names for files that are not data, or not yet: ``_SUCCESS``,
    ``_metadata``, ``.x.crc``, ``_temporary/``. The fixed parts of the pattern are not checked, and
    a part that the pattern spells with its ``_`` or ``.`` (``**/_old/*``) is visible.

    Args:
        paths: Paths that match the pattern, beginning with its fixed parts.
        pattern: The pattern.

    Example:
        >>> visible(["a/b/x", "a/_tmp/x", "a/b/.y", "a/b/_z"], "a/**/*")
        ['a/b/x']
        >>> visible(["_a/b/x", "_a/_tmp/x"], "_a/_*/x")
        ['_a/b/x', '_a/_tmp/x']
    """
    parts = pattern.split("/")
    fixed = _fixed_parts(parts)
    named = [part for part in parts[fixed:] if part.startswith(_HIDDEN)]
    hidden: dict[tuple[str, bool], bool] = {}

    def is_part_hidden(name: str, is_file: bool) -> bool:
        key = name, is_file
        if key not in hidden:
            hides = is_hidden(name) if is_file else is_hidden_folder(name)
            hidden[key] = hides and not any(fnmatch.fnmatchcase(name, part) for part in named)
        return hidden[key]

    def is_visible(path: str) -> bool:
        below = path.split("/")[fixed:]
        return not any(
            is_part_hidden(name, number == len(below)) for number, name in enumerate(below, 1)
        )

    return [path for path in paths if is_visible(path)]


def partitions_of(folder: str, root: str) -> Partitions:
    """Reads the Hive partitions ``key=value`` in the path of a folder.

    Keys and values are URL-decoded (``%20``), as Arrow and Spark encode them; folders without ``=``
    are skipped.

    Args:
        folder: The folder of a file.
        root: The folder of the table; parts of its own path are not partitions.

    Raises:
        PartitionError: A key occurs twice, or a value is not text in UTF-8.

    Example:
        >>> partitions_of("data/year=2024/city=New%20York", "data")
        (('year', '2024'), ('city', 'New York'))
        >>> partitions_of("data/day=__HIVE_DEFAULT_PARTITION__/part", "data")
        (('day', None),)
        >>> partitions_of("data/year=2024", "data/year=2024")
        ()
    """
    partitions: dict[str, str | None] = {}
    for part in os.path.relpath(folder or ".", root or ".").split("/"):
        if "=" not in part:
            continue
        try:
            key, value = (unquote(text, errors="strict") for text in part.split("=", 1))
        except UnicodeDecodeError as error:
            raise PartitionError(
                folder,
                f"the folder {part!r} is no text in UTF-8 when its %-signs are decoded",
                "rename it",
            ) from error
        if key in partitions:
            raise PartitionError(
                folder,
                f"the partition column {key!r} comes twice in this path",
                "rename one of the folders",
            )
        partitions[key] = None if value == NULL_PARTITION else value
    return tuple(partitions.items())


def _fixed_parts(parts: Sequence[str]) -> int:
    """Returns the number of parts before the first wildcard."""
    return next((n for n, part in enumerate(parts) if any(c in part for c in "*?[")), len(parts))
