"""Files of any registered format, as a source."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import ClassVar

from tfx_wine_ext.files.choose import absolute, check_address
from tfx_wine_ext.sources.choose import find_table_files, open_files
from tfx_wine_ext.sources.configs import SourceConfig, register_source
from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.managed_tables import is_delta_table
from tfx_wine_ext.sources.source import TableFileError, TableSource


@register_source("files")
@dataclasses.dataclass(frozen=True)
class Files(SourceConfig):
    """Files of one format, such as Avro or CSV, that are one table.

    Args:
        path: A folder, on any file system (docs/file-systems.md).
        pattern: The files below it: a glob pattern, with ``{SPAN}``, ``{VERSION}`` or ``{YYYY}``,
            ``{MM}``, ``{DD}`` where TFX allows them. Default: all files.
        format: The name of their format; see `registered_formats`. Default: None, detected.

    Raises:
        RemoteError: The path holds a password.

    Example:
        >>> Files("wines", "{YYYY}-{MM}-{DD}/*.avro").name
        'wines/{YYYY}-{MM}-{DD}/*.avro'
    """

    spanned: ClassVar[Sequence[str]] = ("pattern",)

    path: str
    pattern: str = "*"
    format: str | None = None

    def __post_init__(self) -> None:
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
        paths = find_table_files(os.path.join(folder, self.pattern))
        root = None if how.root is None else folder
        return open_files(paths, dataclasses.replace(how, root=root), self.format)
