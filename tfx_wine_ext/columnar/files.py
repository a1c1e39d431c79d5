"""The few file operations that ingestion needs, so that it can run on any file system.

`LocalFiles` is the plain implementation; the Beam executor brings one on top of Beam's
``FileSystems``, which adds GCS, S3, HDFS and whatever else Beam has been given.
"""

from __future__ import annotations

import glob
import os
import shutil
from typing import BinaryIO, Protocol, cast


class Files(Protocol):
    """File operations on paths of one kind; implementations must be picklable."""

    def glob(self, pattern: str) -> list[str]:
        """Returns the paths of the files (never folders) that match, sorted."""

    def is_dir(self, path: str) -> bool:
        """Tells whether the path is an existing folder."""

    def open(self, path: str) -> BinaryIO:
        """Opens a file for reading; seekable."""

    def create(self, path: str) -> BinaryIO:
        """Creates or replaces a file for writing, with its folders."""

    def rename(self, source: str, destination: str) -> None:
        """Moves a file, in one step where the file system can, replacing the destination."""

    def move_tree(self, source: str, destination: str) -> None:
        """Moves a folder to a path that is not there, in one step where the file system can."""

    def remove_tree(self, path: str) -> None:
        """Deletes a folder and all that is in it; nothing happens where there is none."""


class LocalFiles:
    """The local file system.

    Example:
        >>> import tempfile, os
        >>> files = LocalFiles()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with files.create(os.path.join(folder, "a", "b.txt")) as stream:
        ...         _ = stream.write(b"x")
        ...     [os.path.relpath(p, folder) for p in files.glob(os.path.join(folder, "*", "*.txt"))]
        ['a/b.txt']
    """

    def glob(self, pattern: str) -> list[str]:
        """Returns the paths of the files that match, sorted; ``**`` crosses folders.

        A link to a file that is gone is one of them: opening it fails, passing over it would lose
        rows without a word.
        """
        return sorted(p for p in glob.glob(pattern, recursive=True) if not os.path.isdir(p))

    def is_dir(self, path: str) -> bool:
        """Tells whether the path is an existing folder."""
        return os.path.isdir(path)

    def open(self, path: str) -> BinaryIO:
        """Opens a file for reading."""
        return open(path, "rb")

    def create(self, path: str) -> BinaryIO:
        """Creates or replaces a file for writing, with its folders."""
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        return cast(BinaryIO, open(path, "wb"))

    def rename(self, source: str, destination: str) -> None:
        """Moves a file atomically, replacing the destination."""
        os.replace(source, destination)

    def move_tree(self, source: str, destination: str) -> None:
        """Moves a folder atomically."""
        os.rename(source, destination)

    def remove_tree(self, path: str) -> None:
        """Deletes a folder and all that is in it."""
        if os.path.isdir(path):
            shutil.rmtree(path)
