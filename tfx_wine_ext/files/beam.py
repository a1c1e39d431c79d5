"""File operations on every file system that Beam supports."""

from __future__ import annotations

import glob
from typing import BinaryIO, cast

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from tfx_wine_ext.files.choose import has_scheme
from tfx_wine_ext.files.local import LocalFiles, check_regular_file


class BeamFiles:
    """Implements `tfx_wine_ext.files.local.Files` with Beam's FileSystems.

    Bytes are read and written unchanged; file names never trigger (de)compression.
    """

    def glob(self, pattern: str) -> list[str]:
        """Returns the paths of the matching files, sorted."""
        return sorted(m.path for m in FileSystems.match([pattern])[0].metadata_list)

    def names(self, folder: str) -> list[str]:
        """Returns the names of files, and of folders with files, in a folder, sorted."""
        below = len(folder.rstrip("/")) + 1
        paths = self.glob(f"{glob.escape(folder.rstrip('/'))}/**")
        return sorted({path[below:].partition("/")[0] for path in paths})

    def is_dir(self, path: str) -> bool:
        """Tells whether the path is a folder, or on an object store a prefix of files."""
        return bool(FileSystems.exists(path.rstrip("/") + "/"))

    def exists(self, path: str) -> bool:
        """Tells whether a file exists, or on file systems a folder."""
        return bool(FileSystems.exists(path))

    def open(self, path: str) -> BinaryIO:
        """Opens a file for reading; a local one must be a regular file."""
        if not has_scheme(path):
            check_regular_file(path)
        return cast(
            BinaryIO, FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
        )

    def create(self, path: str) -> BinaryIO:
        """Creates or replaces a file for writing, and creates its parent folders."""
        return cast(
            BinaryIO, FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED)
        )

    def rename(self, source: str, destination: str) -> None:
        """Moves a file, atomically if the file system supports it."""
        FileSystems.rename([source], [destination])

    def move_tree(self, source: str, destination: str) -> None:
        """Moves a folder: in one step on file systems, file by file on object stores."""
        if FileSystems.exists(source):
            self.rename(source, destination)
            return
        paths = self.glob(f"{source}/**")
        FileSystems.rename(paths, [destination + path[len(source) :] for path in paths])

    def remove_tree(self, path: str) -> None:
        """Deletes a folder and its content."""
        if not has_scheme(path):
            # Beam treats the path as a pattern and would not find "run [1]".
            LocalFiles().remove_tree(path)
            return
        paths = [path] if FileSystems.exists(path) else self.glob(f"{path}/**")
        if paths:
            FileSystems.delete(paths)
