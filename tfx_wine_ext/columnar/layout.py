"""What the names of folders and files say: which of them are data, and their Hive partitions.

Text only: nothing here looks at a file system.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Sequence
from typing import Optional
from urllib.parse import unquote

from tfx_wine_ext.columnar.wording import Argument, Message, Setting

# What Hive and Spark write for a null, and Arrow reads as one.
NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
# Beam writes to a folder ``beam-temp-...`` first, and leaves it where it was stopped.
_HIDDEN = ("_", ".", "beam-temp-")

# Name and text of each partition column, None for a null, in the order of the folders.
Partitions = tuple[tuple[str, Optional[str]], ...]


class PartitionError(ValueError):
    """Folders cannot be read as Hive partitions.

    Attributes:
        path: The file, or the folder, that is in the way.
        found: What was found there.
        remedy: What to do; switching partitions off is always another way.
    """

    def __init__(self, path: str, found: str, remedy: str) -> None:
        """Composes the message, which is for authors of pipelines."""
        super().__init__(
            Message(
                f"{path}: {found}; {remedy}, or read the folders' names as no columns (",
                Setting(Argument.HIVE_PARTITIONING, "False"),
                ")",
            )
        )
        self.path = path
        self.found = found
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[PartitionError], tuple[str, str, str]]:
        """Lets the error cross process boundaries whole."""
        return PartitionError, (self.path, self.found, self.remedy)


def is_hidden(path: str) -> bool:
    """Tells whether the last part of a path is a name that marks what is not data.

    Example:
        >>> is_hidden("data/_SUCCESS"), is_hidden("data/part-0.parquet")
        (True, False)
    """
    return path.rpartition("/")[2].startswith(_HIDDEN)


def is_hidden_folder(name: str) -> bool:
    """Tells whether what is in a folder of this name is no data.

    As for Spark, a name with ``=`` is that of a partition even if it begins with ``_``; one that
    begins with ``.`` is hidden in any case.

    Example:
        >>> [is_hidden_folder(name) for name in ("_temporary", ".staging", "_day=1", "a")]
        [True, True, False, False]
    """
    return name.startswith(_HIDDEN) and not (name.startswith("_") and "=" in name)


def fixed_folder(pattern: str) -> str:
    """Returns the folder that a pattern fixes: its parts before the first with a wildcard.

    Example:
        >>> fixed_folder("data/year=2024/*/x-?.parquet"), fixed_folder("data/x.parquet")
        ('data/year=2024', 'data')
    """
    parts = pattern.split("/")
    return "/".join(parts[: min(_fixed_parts(parts), len(parts) - 1)])


def visible(paths: Sequence[str], pattern: str) -> list[str]:
    """Leaves out the files that lie in hidden folders or are hidden themselves.

    Spark, Hive and Arrow keep there what is not data, or not yet: ``_SUCCESS``, ``_metadata``,
    ``.x.crc``, ``_temporary/``. Parts that the pattern fixes are not looked at, and a part that it
    names with its ``_`` or ``.`` (``**/_old/*``) is visible.

    Args:
        paths: What the pattern matches, with the parts that it fixes as they stand there.
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
            hidden[key] = hides and not any(fnmatch.fnmatchcase(name, each) for each in named)
        return hidden[key]

    def is_visible(path: str) -> bool:
        below = path.split("/")[fixed:]
        return not any(
            is_part_hidden(name, number == len(below)) for number, name in enumerate(below, 1)
        )

    return [path for path in paths if is_visible(path)]


def partitions_of(folder: str, root: str) -> Partitions:
    """Reads the Hive partitions ``key=value`` in the path of a folder.

    Keys and values are decoded as URLs have them (``%20``), as Arrow and Spark write them; folders
    without ``=`` are passed over.

    Args:
        folder: The folder of a file.
        root: The folder of the table; parts of its own path are no partitions.

    Raises:
        PartitionError: A key comes twice, or a value is no text in UTF-8.

    Example:
        >>> partitions_of("data/year=2024/city=New%20York", "data")
        (('year', '2024'), ('city', 'New York'))
        >>> partitions_of("data/day=__HIVE_DEFAULT_PARTITION__/part", "data")
        (('day', None),)
        >>> partitions_of("data/year=2024", "data/year=2024")
        ()
    """
    found: dict[str, str | None] = {}
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
        if key in found:
            raise PartitionError(
                folder,
                f"the partition column {key!r} comes twice in this path",
                "rename one of the folders",
            )
        found[key] = None if value == NULL_PARTITION else value
    return tuple(found.items())


def _fixed_parts(parts: Sequence[str]) -> int:
    """Returns how many parts come before the first with a wildcard."""
    return next((n for n, part in enumerate(parts) if any(c in part for c in "*?[")), len(parts))
