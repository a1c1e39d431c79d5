"""Checks sets of numbered files: ``data-00001-of-00003.gz``.

Beam, TFX and others number the files of a set and put their count into each name. So a missing file
is noticed without any other record.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tfx_wine_ext.sources.source import TableFileError

_NAME = re.compile(r"(?P<stem>.*)-(?P<index>\d{5,})-of-(?P<count>\d{5,})(?P<suffix>.*)", re.S)
_MOST_NAMED = 3


class LostRowsError(TableFileError):
    """Files of a set are missing, truncated, or belong to several sets; `path` is their folder."""

    def __init__(self, path: str, expected: str, found: str, remedy: str) -> None:
        super().__init__(found, remedy, path=path, expected=expected)


@dataclass(frozen=True)
class _Shard:
    """A file with the index, the count and the suffix from its name."""

    path: str
    index: int
    count: int
    suffix: str


def check_shards(paths: Iterable[str], is_meant: Callable[[str], bool] = lambda name: True) -> None:
    """Refuses sets of numbered files with missing or duplicate files.

    Numbers begin with 0; sets that begin with 1 are accepted, too. Files without numbers in their
    names are ignored.

    Args:
        paths: All files to be read.
        is_meant: Whether a file of this name would be in `paths` if it existed: selecting two files
            of three is not an error. Default: every file would.

    Raises:
        LostRowsError: A file is missing or occurs twice, or two sets are mixed.

    Example:
        >>> check_shards(["x/a-00000-of-00002.gz", "x/b.gz"])
        Traceback (most recent call last):
        ...
        tfx_wine_ext.sources.shard_files.LostRowsError: x: expected 2 files a-*-of-00002.gz, \
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
    """Applies `check_shards` to the files that a pattern matches.

    Args:
        paths: The files.
        pattern: The pattern; files that its last part does not match may be missing.
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
            names = " and ".join(os.path.basename(file.path) for file in (other, shard))
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
        is_single = len(missing) == 1
        raise LostRowsError(
            folder,
            f"{count} files {stem}-*-of-{count:05d}{suffixes[0] if len(suffixes) == 1 else '*'}",
            f"{len(by_index)}: {shown}{more} {'is' if is_single else 'are'} missing",
            f"copy {'it' if is_single else 'them'} there or write the folder again, or name the "
            "files that are to be read one by one",
        )
