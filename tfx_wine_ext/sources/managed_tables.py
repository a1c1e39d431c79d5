"""Detects tables whose folders hold more than their rows: Delta Lake, Iceberg, Hudi, Paimon.

Such a table keeps files with deleted or replaced rows; its metadata say which files, and which of
their rows, are current. Reading the folder as plain Parquet files would restore the others.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tfx_wine_ext.files.choose import has_scheme
from tfx_wine_ext.files.local import Files

# Threads, and the number of sibling folders up to which each is queried separately: on object
# stores latency dominates.
_LOOKING = 16
_FEW = 4


@dataclass(frozen=True)
class _Format:
    """A table format, its metadata folder, and the files there that identify it."""

    name: str
    own_folder: str
    marker: str

    def is_told_by_folder(self) -> bool:
        """Whether the folder's name alone identifies the format, even if it is empty."""
        return self.marker == "*"


DELTA_LOG = "_delta_log"
_FORMATS = (
    _Format("Delta Lake", DELTA_LOG, "*"),
    _Format("Hudi", ".hoodie", "*"),
    _Format("Iceberg", "metadata", "*.metadata.json*"),
    _Format("Iceberg", "metadata", "version-hint.text"),
    _Format("Paimon", "snapshot", "snapshot-*"),
)
# Hive's transactional tables keep every change in a separate folder.
_HIVE_ACID = re.compile(r"(base_\d+|(delete_)?delta_\d{7}_\d{7}(_\d{4})?)(_v\d+)?")


@dataclass(frozen=True)
class ManagedTable:
    """A table that a file belongs to.

    Attributes:
        format: ``Delta Lake``, ``Iceberg``, ``Hudi``, ``Paimon`` or ``transactional Hive``.
        folder: The folder of the table.
        path: The first of the given files that belongs to it.
    """

    format: str
    folder: str
    path: str

    @property
    def remedies(self) -> Sequence[str]:
        """What reads the table."""
        if self.format == "Delta Lake":
            return (
                f"read the table by TableExampleGen(source=sources.Delta({self.folder!r}))",
                f"name its folder, {self.folder}, to `tfx-wine-ext drift` or `tfx-wine-ext ingest`",
            )
        if self.format == "Iceberg":
            return (
                "read the table by TableExampleGen(source=sources.Iceberg('NAMESPACE.TABLE')), by "
                "the name that its catalog knows",
                "describe it so in a file NAME.source.yaml for `tfx-wine-ext drift` or `tfx-wine-"
                "ext ingest`",
            )
        return (
            f"read it with a reader of {self.format} tables (Spark, Trino, DuckDB, its own "
            "library), write the required rows to plain Parquet files outside of the table's "
            "folder, and use those",
        )


def is_delta_table(path: str, files: Files) -> bool:
    """Tells whether a path is the folder of a Delta Lake table, by the folder of its log.

    Args:
        path: Any path.
        files: Its file system.

    Example:
        >>> from tfx_wine_ext.files.local import LocalFiles
        >>> is_delta_table("no-such-folder", LocalFiles())
        False
    """
    return files.is_dir(f"{path.rstrip('/')}/{DELTA_LOG}")


def managed_table_of(paths: Sequence[str], files: Files) -> ManagedTable | None:
    """Returns the first managed table, in the order of the files, that a file belongs to.

    Every folder above a file is checked, so a table is found from inside a partition, too; for a
    local link, also the folders above its target. A file in the format's own folder (a checkpoint
    in ``_delta_log``) is ignored, since it does not hold rows of the table.

    Args:
        paths: The files.
        files: The file system of the files.

    Example:
        >>> import pathlib, tempfile
        >>> from tfx_wine_ext.files.local import LocalFiles
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
    candidates = sorted({table for above in folders_above.values() for table in above})
    marked = _marked(candidates, files)
    for folder, path in path_of_folder.items():
        for table in folders_above[folder]:
            for format_ in _FORMATS:
                own = f"{table}/{format_.own_folder}"
                if own in marked and not f"{folder}/".startswith(f"{own}/"):
                    return ManagedTable(format_.name, table, path)
            if _HIVE_ACID.fullmatch(table.rpartition("/")[2]):
                return ManagedTable("transactional Hive", os.path.dirname(table), path)
    return None


def _folders_of(path: str) -> Iterable[str]:
    """Yields the folder of a file, and the folder of a link's target."""
    if has_scheme(path):
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
    """Returns the existing metadata folders of all formats."""
    queries = [(pattern, format_) for pattern in _patterns(folders) for format_ in _FORMATS]
    with ThreadPoolExecutor(_LOOKING) as pool:
        results = pool.map(lambda query: _own_folders(query[0], query[1], files), queries)
        return {folder for own_folders in results for folder in own_folders}


def _patterns(folders: Sequence[str]) -> Iterable[str]:
    """Yields a pattern for each folder; many siblings on an object store share one."""
    beside: dict[str, list[str]] = {}
    for folder in folders:
        parent = folder.rpartition("/")[0]
        # Local folders are checked one by one, which names with dots require.
        together = has_scheme(parent) and not parent.endswith("://") and parent.strip("/")
        beside.setdefault(parent if together else folder, []).append(folder)
    for parent, children in beside.items():
        if len(children) > _FEW:
            yield f"{glob.escape(parent)}/*"
        else:
            yield from map(glob.escape, children)


def _own_folders(pattern: str, format_: _Format, files: Files) -> Iterable[str]:
    own = f"{pattern}/{format_.own_folder}"
    try:
        if not has_scheme(own) and format_.is_told_by_folder():
            return [path for path in glob.glob(own) if os.path.isdir(path)]
        return {path.rpartition("/")[0] for path in files.glob(f"{own}/{format_.marker}")}
    except Exception:  # File systems may raise anything for folders without access.
        return ()
