"""Files of any registered format, as a source."""

from __future__ import annotations

import dataclasses
import glob
import os
from collections.abc import Sequence
from typing import ClassVar

from tfx_wine_ext.files.choose import absolute, check_address
from tfx_wine_ext.files.local import Files as FileSystem
from tfx_wine_ext.sources.choose import find_table_files, open_files
from tfx_wine_ext.sources.configs import SourceConfig, register_source
from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.managed_tables import is_delta_table
from tfx_wine_ext.sources.source import TableFileError, TableSource

_ALL = "*"


@register_source("files")
@dataclasses.dataclass(frozen=True)
class Files(SourceConfig):
    """Files of one format, such as Avro or CSV, that are one table.

    Args:
        path: A folder, on any file system (docs/file-systems.md).
        pattern: The files below it: a glob pattern, with ``{SPAN}``, ``{VERSION}`` or ``{YYYY}``,
            ``{MM}``, ``{DD}`` where TFX allows them. Default: all files in the folder, and those
            below its Hive partitions, such as ``year=2026``.
        format: The name of their format; see `registered_formats`. Default: None, detected.

    Raises:
        RemoteError: The path holds a password.

    Example:
        >>> Files("wines", "{YYYY}-{MM}-{DD}/*.avro").name
        'wines/{YYYY}-{MM}-{DD}/*.avro'
    """

    spanned: ClassVar[Sequence[str]] = ("pattern",)

    path: str
    pattern: str = _ALL
    format: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", os.fspath(self.path))  # Of pathlib's, too.
        check_address(self.path)

    @property
    def name(self) -> str:
        """The path of the files."""
        return os.path.join(self.path, self.pattern)

    def open(self, how: Reading) -> TableSource:
        """Opens the files.

        Raises:
            TableFileError: There is none, or one cannot be used (see `open_files`); or the folder
                is a Delta Lake table.
        """
        folder = absolute(self.path)
        if is_delta_table(folder, how.files):
            raise TableFileError(
                "a Delta Lake table",
                f"read it by sources.Delta({self.path!r})",
                path=folder,
                expected="a folder of files",
            )
        root = None if how.root is None else folder
        paths = find_table_files(self._place(folder, how.files))
        return open_files(paths, dataclasses.replace(how, root=root), self.format)

    def _place(self, folder: str, files: FileSystem) -> str:
        """Returns what names the files: the folder itself, a file, or a pattern."""
        if self.pattern == _ALL and files.is_dir(folder):
            return folder  # With its Hive partitions.
        place = os.path.join(folder, self.pattern)
        escaped = glob.escape(folder)  # In a pattern, brackets in its name would match others.
        if escaped != folder and files.is_dir(folder) and not files.exists(place):
            return os.path.join(escaped, self.pattern)
        return place
