"""The few file operations that ingestion needs, so that it can run on any file system.

`LocalFiles` is the plain implementation; the Beam executor brings one on top of Beam's
``FileSystems``, which adds GCS, S3, HDFS and whatever else Beam has been given.
"""

from __future__ import annotations

import glob
import os
import shutil
import stat
from typing import BinaryIO, Protocol, cast

_KINDS = (
    (stat.S_ISDIR, "a folder", "name a file in it"),
    (stat.S_ISFIFO, "a pipe", "write its content to a file first, and name that"),
    (stat.S_ISSOCK, "a socket", "write its content to a file first, and name that"),
    (stat.S_ISCHR, "a device", "write its content to a file first, and name that"),
    (stat.S_ISBLK, "a device", "write its content to a file first, and name that"),
)


class IrregularFileError(ValueError):
    """A path leads to something that is no regular file: opening it would fail, or wait for ever.

    Attributes:
        path: The path.
        found: What is there: ``a folder``, ``a pipe``, ``a socket``, ``a device``.
        remedy: What to do.
    """

    def __init__(self, path: str, found: str, remedy: str) -> None:
        """Composes the message ``PATH: expected a regular file, found FOUND; REMEDY``."""
        super().__init__(f"{path}: expected a regular file, found {found}; {remedy}")
        self.path = path
        self.found = found
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[IrregularFileError], tuple[str, str, str]]:
        """Lets the error cross process boundaries whole."""
        return IrregularFileError, (self.path, self.found, self.remedy)


def check_regular_file(path: str | os.PathLike[str]) -> None:
    """Refuses what cannot be read more than once and from its end: all but regular files.

    A pipe, ``/dev/stdin`` behind one, or the shell's ``<(command)`` would make whoever opens it
    wait for a writer, and give its bytes only once. Links are followed.

    Args:
        path: On the local file system.

    Raises:
        IrregularFileError: It is a folder, a pipe, a socket or a device.
        OSError: It is not there, or its folder may not be looked into.

    Example:
        >>> check_regular_file("/dev/null")
        Traceback (most recent call last):
        ...
        tfx_wine_ext.columnar.files.IrregularFileError: /dev/null: expected a regular file, found \
a device; write its content to a file first, and name that
    """
    mode = os.stat(path).st_mode
    if stat.S_ISREG(mode):
        return
    for is_kind, found, remedy in _KINDS:
        if is_kind(mode):
            raise IrregularFileError(os.fspath(path), found, remedy)
    raise IrregularFileError(os.fspath(path), "something else", "name a file")


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
        """Opens a regular file for reading; see `check_regular_file`."""
        check_regular_file(path)
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
