"""Files that are parts of one whole by their names: ``data-00001-of-00003.gz``.

Beam, TFX and others number the files of a set and say in each name how many there are. So a lost
file can be told from one that never was, without any record beside the files.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tfx_wine_ext.columnar.table_source import TableFileError

_NAME = re.compile(r"(?P<stem>.*)-(?P<index>\d{5,})-of-(?P<count>\d{5,})(?P<suffix>.*)", re.S)
_MOST_NAMED = 3


class LostRowsError(TableFileError):
    """Files of a set are missing, cut, or of several sets.

    Attributes:
        path: The folder, or the file.
        expected: What should be there.
        found: What is there.
        remedy: What to do.
    """

    def __init__(self, path: str, expected: str, found: str, remedy: str) -> None:
        """Composes the message ``PATH: expected EXPECTED, found FOUND; REMEDY``."""
        super().__init__(f"{path}: expected {expected}, found {found}; {remedy}")
        self.path = path
        self.expected = expected
        self.found = found
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[LostRowsError], tuple[str, str, str, str]]:
        """Lets the error cross process boundaries whole."""
        return LostRowsError, (self.path, self.expected, self.found, self.remedy)


@dataclass(frozen=True)
class _Shard:
    """What a name says of a file: the number of it, and how many there are."""

    path: str
    index: int
    count: int
    suffix: str


def check_shards(paths: Iterable[str], is_meant: Callable[[str], bool] = lambda name: True) -> None:
    """Refuses sets of numbered files of which one is missing, or is there twice.

    Numbers begin with 0; a set that is complete when they begin with 1 is complete, too. Files
    whose names say nothing of a set are passed over.

    Args:
        paths: The files that are to be read, all of them.
        is_meant: Whether a file of this name would be among `paths` if it existed. Whoever asks
            for two files of three misses nothing. Default: every file would.

    Raises:
        LostRowsError: A file is missing, or is there twice, or two sets are mixed.

    Example:
        >>> check_shards(["x/a-00000-of-00002.gz", "x/b.gz"])
        Traceback (most recent call last):
        ...
        tfx_wine_ext.columnar.shard_files.LostRowsError: x: expected 2 files a-*-of-00002.gz, \
found 1: a-00001-of-00002.gz is missing; copy it there or write the folder again, or name the \
files that are to be read one by one
        >>> check_shards(["x/a-00000-of-00002.gz"], is_meant=lambda name: "-00000-" in name)
    """
    sets: dict[tuple[str, str], list[_Shard]] = {}
    for path in paths:
        folder, name = os.path.split(path)
        match = _NAME.fullmatch(name)
        if match and int(match["count"]):
            shard = _Shard(path, int(match["index"]), int(match["count"]), match["suffix"])
            sets.setdefault((folder, match["stem"]), []).append(shard)
    for (folder, stem), shards in sets.items():
        _check_set(folder or ".", stem, shards, is_meant)


def check_shards_of_pattern(paths: Iterable[str], pattern: str) -> None:
    """Refuses what `check_shards` does, of the files that a pattern matches.

    Args:
        paths: The files.
        pattern: The pattern; a file that its last part does not match is not missed.
    """
    wanted = pattern.rpartition("/")[2]
    check_shards(paths, lambda name: fnmatch.fnmatchcase(name, wanted))


def _check_set(
    folder: str, stem: str, shards: list[_Shard], is_meant: Callable[[str], bool]
) -> None:
    counts = sorted({shard.count for shard in shards})
    if len(counts) > 1:
        raise LostRowsError(
            folder,
            f"the files of one run, {stem}-*-of-{counts[-1]:05d}",
            "those of several: " + " and ".join(f"-of-{count:05d}" for count in counts),
            "delete those of the earlier run, or write the folder again",
        )
    [count] = counts
    by_index: dict[int, _Shard] = {}
    for shard in shards:
        other = by_index.setdefault(shard.index, shard)
        if other is not shard:
            names = " and ".join(os.path.basename(each.path) for each in (other, shard))
            raise LostRowsError(
                folder,
                f"each of the {count} files {stem}-*-of-{count:05d} once",
                f"number {shard.index} twice: {names}",
                "delete the one that does not belong there",
            )
    first = 1 if count in by_index and 0 not in by_index else 0
    beyond = [i for i in by_index if not first <= i < first + count]
    if beyond:
        raise LostRowsError(
            folder,
            f"{count} files {stem}-*-of-{count:05d}",
            f"number {beyond[0]}: {os.path.basename(by_index[beyond[0]].path)}",
            "delete what does not belong there, or write the folder again",
        )
    suffixes = sorted({shard.suffix for shard in shards})
    missing: list[str] = []
    for index in range(first, first + count):
        name = f"{stem}-{index:05d}-of-{count:05d}{suffixes[0]}"
        if index not in by_index and is_meant(name):
            missing.append(name)
            if len(missing) > _MOST_NAMED:
                break
    if missing:
        shown = ", ".join(missing[:_MOST_NAMED])
        more = ", ..." if len(missing) > _MOST_NAMED else ""
        one = len(missing) == 1
        raise LostRowsError(
            folder,
            f"{count} files {stem}-*-of-{count:05d}{suffixes[0] if len(suffixes) == 1 else '*'}",
            f"{len(by_index)}: {shown}{more} {'is' if one else 'are'} missing",
            f"copy {'it' if one else 'them'} there or write the folder again, or name the files "
            "that are to be read one by one",
        )
