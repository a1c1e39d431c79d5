"""Chooses the file system of a path by its scheme."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from tfx_wine_ext.files.local import Files, LocalFiles, RemoteError
from tfx_wine_ext.masking import masked_addresses


def has_scheme(path: str) -> bool:
    """Tells whether a path is a URI with a scheme.

    Example:
        >>> has_scheme("gs://wine/model"), has_scheme("build/model")
        (True, False)
    """
    return "://" in path or path.startswith("file:/")


def check_address(path: str) -> None:
    """Refuses an address with a password: paths are recorded, logged and shown.

    Raises:
        RemoteError: It holds one.

    Example:
        >>> check_address("s3://key:secret@wine/a")
        Traceback (most recent call last):
        ...
        tfx_wine_ext.files.local.RemoteError: s3://key:***@wine/a: expected an address without a \
password, which would be recorded, found one with it; set the password in the environment
    """
    if masked_addresses(path) != path:
        raise RemoteError(
            "one with it",
            "set the password in the environment",
            path=path,
            expected="an address without a password, which would be recorded",
        )


def absolute(path: str) -> str:
    """Returns a path that means the same to a process in another folder.

    Links and ``..`` stay as they are.

    Example:
        >>> absolute("gs://wine/model"), absolute("/wine/../model")
        ('gs://wine/model', '/wine/../model')
    """
    return path if has_scheme(path) else str(Path(path).absolute())


def files_for(path: str) -> Files:
    """Returns the file system of a path: pyarrow's for ``s3://`` and ``gs://``, else TensorFlow's.

    Neither is imported before it is needed. All parts of this library choose by this function, or
    by `FilesByScheme`: drivers, executors, workers, trainers, and commands.

    Raises:
        RemoteError: There is no file system for the scheme, or the path holds a password.
    """
    if not has_scheme(path):
        return LocalFiles()
    check_address(path)
    if path.startswith(("s3://", "gs://")):
        from tfx_wine_ext.files.arrow import ArrowFiles

        return ArrowFiles()
    from tfx_wine_ext.files.tensorflow import GFiles, check_scheme

    check_scheme(path)
    return GFiles()


class FilesByScheme:
    """Implements `Files` for all paths: each call uses the file system of its path.

    A path is not moved from one file system to another.
    """

    def glob(self, pattern: str) -> list[str]:
        """Returns the paths of the matching files (never folders), sorted."""
        return files_for(pattern).glob(pattern)

    def names(self, folder: str) -> list[str]:
        """Returns the names of what is in a folder, sorted."""
        return files_for(folder).names(folder)

    def exists(self, path: str) -> bool:
        """Tells whether a file or folder exists."""
        return files_for(path).exists(path)

    def is_dir(self, path: str) -> bool:
        """Tells whether the path is an existing folder."""
        return files_for(path).is_dir(path)

    def open(self, path: str) -> BinaryIO:
        """Opens a file for reading; seekable."""
        return files_for(path).open(path)

    def create(self, path: str) -> BinaryIO:
        """Creates or replaces a file for writing, and creates its parent folders."""
        return files_for(path).create(path)

    def rename(self, source: str, destination: str) -> None:
        """Moves a file, replacing the destination."""
        files_for(source).rename(source, destination)

    def move_tree(self, source: str, destination: str) -> None:
        """Moves a folder to a path that does not exist."""
        files_for(source).move_tree(source, destination)

    def remove_tree(self, path: str) -> None:
        """Deletes a folder and its content, if it exists."""
        files_for(path).remove_tree(path)


# Its name before, which may be in pickles and in code of users.
BeamFiles = FilesByScheme
