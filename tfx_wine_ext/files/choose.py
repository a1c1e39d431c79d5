"""Chooses the file system of a path by its scheme."""

from __future__ import annotations

from typing import BinaryIO

from tfx_wine_ext.files.local import Files, LocalFiles


def has_scheme(path: str) -> bool:
    """Tells whether a path is a URI with a scheme.

    Example:
        >>> has_scheme("gs://wine/model"), has_scheme("build/model")
        (True, False)
    """
    return "://" in path or path.startswith("file:/")


def files_for(path: str) -> Files:
    """Returns the file system of a path: pyarrow's for ``s3://``, TensorFlow's for other schemes.

    Neither is imported before it is needed. All parts of this library choose by this function, or
    by `FilesByScheme`: drivers, executors, workers, trainers, and commands.

    Raises:
        RemoteError: There is no file system for the scheme.
    """
    if not has_scheme(path):
        return LocalFiles()
    if path.startswith("s3://"):
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
