"""The registry of table formats: the library's own, and those of other packages."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import re
import types
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from tfx_wine_ext.entry_points import load_entry_points
from tfx_wine_ext.errors import TfxWineExtError
from tfx_wine_ext.files.choose import FilesByScheme
from tfx_wine_ext.files.local import Files
from tfx_wine_ext.sources.source import TableSource

GROUP = "tfx_wine_ext.table_sources"
"""The entry points by which a package adds formats and kinds of sources: each names a module that
registers them."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_EXTENSION = re.compile(r"\.[a-z0-9][a-z0-9_]*")


class TableFormatError(TfxWineExtError, ValueError):
    """A format cannot be registered or loaded.

    Attributes:
        format: The name of the format or of the entry point.
    """

    def __init__(self, format_: str, expected: str, found: str) -> None:
        super().__init__(found, path=f"table format {format_!r}", expected=expected)
        self.format = format_


def every(*names: str) -> bool:
    """Reads all columns; a function that can be pickled."""
    return True


@dataclasses.dataclass(frozen=True)
class Reading:
    """How the files of a table are read.

    Args:
        reads: Whether a column is read; see `FileTable`. Default: all are.
        unify: Merge schemas that differ; see `FileTable`. Default: True.
        flat: Replace structs by their fields; see `FileTable`. Default: False.
        root: The folder below which folder names are Hive partitions. Default: None, no folder. A
            `SourceConfig` that has a folder takes its own unless this is None.
        cast: The types to which columns are cast later (`EncodeOptions`), for formats without types
            of their own: a column that is cast to bytes keeps its text. Default: none.
        files: The file system of the files. Default: by their schemes.
    """

    reads: Callable[..., bool] = every
    unify: bool = True
    flat: bool = False
    root: str | None = None
    cast: Mapping[str, str] = dataclasses.field(default_factory=dict)
    files: Files = dataclasses.field(default_factory=FilesByScheme)


Opens = Callable[[Sequence[str], Reading], TableSource]
"""A function that opens files of one format, of which there is at least one, as a source."""
_Opens = TypeVar("_Opens", bound=Opens)


@dataclasses.dataclass(frozen=True)
class TableFormat:
    """Everything that is known about a format; `register_format` creates it.

    Args:
        name: What options and documents call it.
        label: What people call it.
        extensions: The ends of the names of its files.
        opens: Opens files, of which there is at least one, as a source.
        holds: Whether a file has the format, by its first `HEAD_BYTES` bytes.
        packed: Whether files may be packed by gzip or Zstandard as a whole.
    """

    name: str
    label: str
    extensions: tuple[str, ...]
    opens: Opens
    holds: Callable[[bytes], bool]
    packed: bool = False


_REGISTERED: dict[str, TableFormat] = {}


def register_format(
    name: str,
    *,
    label: str,
    extensions: Sequence[str],
    holds: Callable[[bytes], bool] = lambda head: False,
    packed: bool = False,
) -> Callable[[_Opens], _Opens]:
    r"""Decorator: registers a function that opens files of a format.

    The commands ``drift`` and ``ingest``, and `open_table`, then read such files like those of the
    library's own formats. A package provides its formats by an entry point of the group
    ``tfx_wine_ext.table_sources`` that names the module, so that every process has them.

    Args:
        name: What options call it: lower case, digits, underscores.
        label: What people call it.
        extensions: The ends of the names of its files, such as ``.arrow``.
        holds: Whether a file has the format, by its first bytes (`HEAD_BYTES`), after unpacking.
            Default: this cannot be told.
        packed: Whether files may be packed by gzip or Zstandard as a whole; the function then opens
            them by `opened`. Default: False, they are refused.

    Returns:
        The decorator, which returns the function unchanged.

    Raises:
        TableFormatError: The name or an extension is taken or malformed.

    Example:
        >>> from tfx_wine_ext.sources.csv import CsvTable
        >>> @register_format("psv", label="bar-separated values", extensions=[".psv"])
        ... def open_psv(paths, how):
        ...     return CsvTable(paths, how.reads)
        >>> import tempfile
        >>> from tfx_wine_ext.sources.choose import open_table
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with open(f"{folder}/a.psv", "w") as file:
        ...         _ = file.write("x|y\n1|a\n")
        ...     open_table(folder).names
        ['x', 'y']
        >>> unregister_format("psv")
    """
    if not _NAME.fullmatch(name):
        expected = "a name of lower-case letters, digits and underscores, at most 40"
        raise TableFormatError(name, expected, repr(name))
    for extension in extensions:
        if not _EXTENSION.fullmatch(extension):
            expected = "extensions like '.arrow', of lower-case letters and digits"
            raise TableFormatError(name, expected, repr(extension))

    def register(opens: _Opens) -> _Opens:
        _load_own()
        if name in _REGISTERED:
            taken = f"that of {_REGISTERED[name].label}"
            raise TableFormatError(name, "a name that is not taken", taken)
        for extension in extensions:
            other = format_of_extension(extension)
            if other is not None:
                found = f"{extension}, which is that of {other.label}"
                raise TableFormatError(name, "extensions that are not taken", found)
        _REGISTERED[name] = TableFormat(name, label, tuple(extensions), opens, holds, packed)
        return opens

    return register


def unregister_format(name: str) -> None:
    """Removes a format, so that a notebook cell that registers it can be run again.

    Args:
        name: The name of the format.

    Raises:
        KeyError: There is no such format.
    """
    del _REGISTERED[name]


def format_of_extension(extension: str) -> TableFormat | None:
    """Returns the format whose files end so; None if there is none."""
    extension = extension.lower()
    return next((each for each in _REGISTERED.values() if extension in each.extensions), None)


def registered_formats() -> Mapping[str, TableFormat]:
    """Returns all formats by name: the library's, then others in the order of registration.

    Raises:
        TableFormatError: A package's entry point cannot be loaded.

    Example:
        >>> [*registered_formats()]
        ['parquet', 'csv', 'tfrecord', 'orc', 'arrow', 'json', 'avro']
    """
    _load_own()
    _load_entry_points()
    return types.MappingProxyType(_REGISTERED)


def _load_own() -> None:
    """Registers the library's formats, which come first; does nothing while this goes on."""
    importlib.import_module("tfx_wine_ext.sources.choose")


@functools.lru_cache(maxsize=1)
def _load_entry_points() -> None:
    load_entry_points(GROUP, _REGISTERED, TableFormatError)
