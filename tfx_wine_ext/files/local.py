"""The interface to file systems, and the local one."""

from __future__ import annotations

import glob
import os
import shutil
import stat
from typing import BinaryIO, Protocol, cast

from tfx_wine_ext.errors import TfxWineExtError

_KINDS = (
    (stat.S_ISDIR, "a folder", "name a file in it"),
    (stat.S_ISFIFO, "a pipe", "write its content to a file first, and name that"),
    (stat.S_ISSOCK, "a socket", "write its content to a file first, and name that"),
    (stat.S_ISCHR, "a device", "write its content to a file first, and name that"),
    (stat.S_ISBLK, "a device", "write its content to a file first, and name that"),
)


class IrregularFileError(TfxWineExtError, ValueError):
    """A path is not a regular file: opening it would fail or block forever."""

    def __init__(self, path: str, found: str, remedy: str) -> None:
        super().__init__(found, remedy, path=path, expected="a regular file")


class RemoteError(TfxWineExtError, OSError):
    """A store cannot be used as asked; `path` is what was to be read or written there."""


class RemoteAccessError(RemoteError, PermissionError):
    """A store denies access."""


class UnreachableError(RemoteError, ConnectionError):
    """The server of a store cannot be reached, whatever is asked of it."""


def check_regular_file(path: str | os.PathLike[str]) -> None:
    """Refuses everything but regular files, which can be read repeatedly and from the end.

    Opening a pipe, such as ``/dev/stdin`` or the shell's ``<(command)``, would wait for a writer,
    and its bytes can be read only once. Links are followed.

    Args:
        path: A path on the local file system.

    Raises:
        IrregularFileError: It is a folder, a pipe, a socket or a device.
        OSError: It does not exist, or access to its folder is denied.
    """
    mode = os.stat(path).st_mode
    if stat.S_ISREG(mode):
        return
    for is_kind, found, remedy in _KINDS:
        if is_kind(mode):
            raise IrregularFileError(os.fspath(path), found, remedy)
    raise IrregularFileError(os.fspath(path), "something else", "name a file")


class Files(Protocol):
    """File operations of one file system; implementations must be picklable."""

    def glob(self, pattern: str) -> list[str]:
        """Returns the paths of the matching files (never folders), sorted."""

    def names(self, folder: str) -> list[str]:
        """Returns the names of what is in a folder, sorted."""

    def exists(self, path: str) -> bool:
        """Tells whether a file or folder exists."""

    def is_dir(self, path: str) -> bool:
        """Tells whether the path is an existing folder."""

    def open(self, path: str) -> BinaryIO:
        """Opens a file for reading; seekable."""

    def create(self, path: str) -> BinaryIO:
        """Creates or replaces a file for writing, and creates its parent folders."""

    def rename(self, source: str, destination: str) -> None:
        """Moves a file, replacing the destination; atomically if the file system supports it."""

    def move_tree(self, source: str, destination: str) -> None:
        """Moves a folder to a path that does not exist; atomically if supported."""

    def remove_tree(self, path: str) -> None:
        """Deletes a folder and its content, if it exists."""


class LocalFiles:
    """The local file system."""

    def glob(self, pattern: str) -> list[str]:
        """Returns the paths of the matching files, sorted; ``**`` crosses folders.

        Includes broken links: opening them fails, whereas skipping them would silently lose rows.
        """
        return sorted(p for p in glob.glob(pattern, recursive=True) if not os.path.isdir(p))

    def names(self, folder: str) -> list[str]:
        """Returns the names of what is in a folder, sorted."""
        return sorted(os.listdir(folder))

    def exists(self, path: str) -> bool:
        """Tells whether a file or folder exists; links are followed."""
        return os.path.exists(path)

    def is_dir(self, path: str) -> bool:
        """Tells whether the path is an existing folder."""
        return os.path.isdir(path)

    def open(self, path: str) -> BinaryIO:
        """Opens a regular file for reading; see `check_regular_file`."""
        check_regular_file(path)
        return open(path, "rb")

    def create(self, path: str) -> BinaryIO:
        """Creates or replaces a file for writing, and creates its parent folders."""
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        return cast(BinaryIO, open(path, "wb"))

    def rename(self, source: str, destination: str) -> None:
        """Moves a file atomically, replacing the destination."""
        os.replace(source, destination)

    def move_tree(self, source: str, destination: str) -> None:
        """Moves a folder atomically."""
        os.rename(source, destination)

    def remove_tree(self, path: str) -> None:
        """Deletes a folder and its content."""
        if os.path.isdir(path):
            shutil.rmtree(path)
