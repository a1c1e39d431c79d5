"""Tables whose folder holds more than their rows: Delta Lake, Iceberg, Hudi, Paimon.

Such a table keeps files whose rows were deleted or replaced, and says in its own metadata which
files, and which rows of them, are still part of it. To read the folder as plain Parquet files would
bring the others back.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tfx_wine_ext.columnar.files import Files

# Threads, and how many folders beside each other are asked for one by one: on object stores the
# time is all latency.
_LOOKING = 16
_FEW = 4


@dataclass(frozen=True)
class _Format:
    """A format, the folder in which it keeps what is its own, and the files there that tell it."""

    name: str
    own_folder: str
    marker: str

    def is_told_by_folder(self) -> bool:
        """Whether nobody else has a folder of this name, so that even an empty one tells."""
        return self.marker == "*"


_FORMATS = (
    _Format("Delta Lake", "_delta_log", "*"),
    _Format("Hudi", ".hoodie", "*"),
    _Format("Iceberg", "metadata", "*.metadata.json*"),
    _Format("Iceberg", "metadata", "version-hint.text"),
    _Format("Paimon", "snapshot", "snapshot-*"),
)
# Hive's transactional tables keep every change in a folder of its own.
_HIVE_ACID = re.compile(r"(base_\d+|(delete_)?delta_\d{7}_\d{7}(_\d{4})?)(_v\d+)?")


@dataclass(frozen=True)
class ManagedTable:
    """A table that a file belongs to.

    Attributes:
        format: ``Delta Lake``, ``Iceberg``, ``Hudi``, ``Paimon`` or ``transactional Hive``.
        folder: The folder of the table.
        path: The first of the files that belongs to it.
    """

    format: str
    folder: str
    path: str


def managed_table_of(paths: Sequence[str], files: Files) -> ManagedTable | None:
    """Returns the first table, in the order of the files, that one of them belongs to.

    It is looked for in every folder above a file, so that it is found from inside a partition as
    well; above where a local link leads, too. A file that is named in the format's own folder (a
    checkpoint in ``_delta_log``) does not count: nobody takes it for rows of the table.

    Args:
        paths: The files.
        files: The file system that they lie on.

    Example:
        >>> import pathlib, tempfile
        >>> from tfx_wine_ext.columnar.files import LocalFiles
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     log = pathlib.Path(folder, "wines", "_delta_log")
        ...     log.mkdir(parents=True)
        ...     _ = (log / f"{0:020d}.json").write_text("{}")
        ...     path = pathlib.Path(folder, "wines", "year=2024", "part-0.parquet")
        ...     path.parent.mkdir()
        ...     path.touch()
        ...     managed_table_of([str(path)], LocalFiles()).format
        'Delta Lake'
    """
    path_of_folder: dict[str, str] = {}
    for path in paths:
        for folder in _folders_of(path):
            path_of_folder.setdefault(folder, path)
    folders_above = {folder: [*_above(folder)] for folder in path_of_folder}
    looked_at = sorted({each for above in folders_above.values() for each in above})
    marked = _marked(looked_at, files)
    for folder, path in path_of_folder.items():
        for each in folders_above[folder]:
            for found in _FORMATS:
                own = f"{each}/{found.own_folder}"
                if own in marked and not f"{folder}/".startswith(f"{own}/"):
                    return ManagedTable(found.name, each, path)
            if _HIVE_ACID.fullmatch(each.rpartition("/")[2]):
                return ManagedTable("transactional Hive", os.path.dirname(each), path)
    return None


def _folders_of(path: str) -> Iterable[str]:
    """Yields the folder of a file, and that of the file that it is a link to."""
    if "://" in path:
        yield path.rpartition("/")[0]
        return
    yield os.path.dirname(os.path.abspath(path))
    yield os.path.dirname(os.path.realpath(path))


def _above(folder: str) -> Iterable[str]:
    """Yields a folder and all above it, up to the root or the name of the bucket."""
    scheme, separator, rest = folder.rpartition("://")
    parts = rest.split("/")
    for length in range(len(parts), 0, -1):
        above = "/".join(parts[:length])
        if above:
            yield f"{scheme}{separator}{above}"


def _marked(folders: Sequence[str], files: Files) -> set[str]:
    """Returns the folders, of those that a format would have as its own, that are there."""
    asked = [(each, format_) for each in _patterns(folders) for format_ in _FORMATS]
    with ThreadPoolExecutor(_LOOKING) as pool:
        found = pool.map(lambda pair: _own_folders(pair[0], pair[1], files), asked)
        return {folder for of_one in found for folder in of_one}


def _patterns(folders: Sequence[str]) -> Iterable[str]:
    """Yields each folder as a pattern; many that are beside each other on a store as one."""
    beside: dict[str, list[str]] = {}
    for folder in folders:
        parent = folder.rpartition("/")[0]
        # Each is a folder to look at where the disk is near; names with dots need it.
        together = "://" in parent and not parent.endswith("://") and parent.strip("/")
        beside.setdefault(parent if together else folder, []).append(folder)
    for parent, children in beside.items():
        if len(children) > _FEW:
            yield f"{glob.escape(parent)}/*"
        else:
            yield from map(glob.escape, children)


def _own_folders(pattern: str, format_: _Format, files: Files) -> Iterable[str]:
    own = f"{pattern}/{format_.own_folder}"
    try:
        if "://" not in own and format_.is_told_by_folder():
            return [path for path in glob.glob(own) if os.path.isdir(path)]
        return {path.rpartition("/")[0] for path in files.glob(f"{own}/{format_.marker}")}
    except Exception:  # Whatever a file system raises that does not let one look so far up.
        return ()
