"""File operations through TensorFlow's file systems, which every trainer has."""

from __future__ import annotations

import errno
import functools
import io
import posixpath
from collections.abc import Callable
from typing import Any, BinaryIO, TypeVar, cast

import tensorflow as tf

from tfx_wine_ext.files.local import RemoteAccessError, RemoteError
from tfx_wine_ext.files.patterns import fixed_parts, matches, unescaped

_BUFFER_BYTES = 1024 * 1024
_Method = TypeVar("_Method", bound=Callable[..., Any])
# TensorFlow's file system in memory lacks some of what the others do.
_IN_MEMORY = "ram://"


def check_scheme(path: str) -> None:
    """Refuses a path with a scheme that TensorFlow does not know.

    Raises:
        RemoteError: It does not.
    """
    scheme, known = path.partition(":")[0], tf.io.gfile.get_registered_schemes()
    if scheme not in known:
        raise RemoteError(
            f"{scheme}://",
            ("pip install tensorflow-io, and import it first, if it has this file system",),
            path=path,
            expected=", ".join(sorted(f"{name}://" for name in {*known, "s3"} if name)),
        )


def _explained(method: _Method) -> _Method:
    """Turns TensorFlow's errors, which are of classes of their own, into those of this library."""

    @functools.wraps(method)
    def explained(self: GFiles, path: str, *more: str) -> Any:
        try:
            return method(self, path, *more)
        except (tf.errors.PermissionDeniedError, tf.errors.UnauthenticatedError) as error:
            raise RemoteAccessError(error.message, path=path) from error
        except tf.errors.OpError as error:
            raise RemoteError(error.message, path=path) from error

    return cast("_Method", explained)


class GFiles:
    """Implements `Files` for paths with a scheme that TensorFlow supports: ``ram://``, ``hdfs://``."""

    @_explained
    def glob(self, pattern: str) -> list[str]:
        """Returns the paths of the matching files, sorted; ``**`` crosses folders."""
        scheme, separator, path = pattern.rpartition("://")
        parts = path.split("/")
        fixed = fixed_parts(parts)
        folder = scheme + separator + "/".join(map(unescaped, parts[:fixed]))
        if "**" in parts:
            found = _files_below(folder)
        else:
            found = [path for path in tf.io.gfile.glob(pattern) if not tf.io.gfile.isdir(path)]
        below = len(folder.rstrip("/")) + 1
        wanted = parts[fixed:]
        return sorted(p for p in found if not wanted or matches(p[below:].split("/"), wanted))

    @_explained
    def names(self, folder: str) -> list[str]:
        """Returns the names of what is in a folder, sorted."""
        try:
            return sorted(name.rstrip("/") for name in tf.io.gfile.listdir(folder))
        except tf.errors.NotFoundError:
            raise FileNotFoundError(folder) from None

    @_explained
    def exists(self, path: str) -> bool:
        """Tells whether a file or folder exists."""
        return bool(tf.io.gfile.exists(path))

    @_explained
    def is_dir(self, path: str) -> bool:
        """Tells whether the path is an existing folder."""
        return bool(tf.io.gfile.isdir(path))

    @_explained
    def open(self, path: str) -> BinaryIO:
        """Opens a file for reading.

        Raises:
            FileNotFoundError: The file does not exist.
            OSError: The path is a folder, or cannot be reached.
        """
        # TensorFlow would fail at the first read only, with an error that is not an OSError.
        try:
            status = tf.io.gfile.stat(path)
        except tf.errors.NotFoundError:
            raise FileNotFoundError(path) from None
        if status.is_directory:
            raise IsADirectoryError(path)
        return cast(BinaryIO, io.BufferedReader(_RawFile(path), _BUFFER_BYTES))

    @_explained
    def create(self, path: str) -> BinaryIO:
        """Creates or replaces a file for writing, and creates its parent folders."""
        tf.io.gfile.makedirs(posixpath.dirname(path))
        if path.startswith(_IN_MEMORY) and tf.io.gfile.exists(path):
            tf.io.gfile.remove(path)  # Else what is written is added to what is there.
        stream = tf.io.gfile.GFile(path, "wb")
        stream.write(b"")  # Without it, a file that stays empty is not made.
        return cast(BinaryIO, stream)

    @_explained
    def rename(self, source: str, destination: str) -> None:
        """Moves a file, replacing the destination; atomically if the file system supports it."""
        tf.io.gfile.rename(source, destination, overwrite=True)

    @_explained
    def move_tree(self, source: str, destination: str) -> None:
        """Moves a folder to a path that does not exist."""
        if not source.startswith(_IN_MEMORY):
            tf.io.gfile.rename(source, destination)
            return
        for path in _files_below(source):
            moved = destination + path[len(source) :]
            tf.io.gfile.makedirs(posixpath.dirname(moved))
            tf.io.gfile.rename(path, moved)
        self.remove_tree(source)

    @_explained
    def remove_tree(self, path: str) -> None:
        """Deletes a folder and its content, if it exists."""
        if not tf.io.gfile.isdir(path):
            return
        try:
            tf.io.gfile.rmtree(path)
        except tf.errors.NotFoundError:
            if not path.startswith(_IN_MEMORY):
                raise  # In memory this is so for each folder of a folder, after all is deleted.


def _files_below(folder: str) -> list[str]:
    """Returns the paths of all files below a folder."""
    walked = tf.io.gfile.walk(folder)
    return [posixpath.join(place, name) for place, _, names in walked for name in names]


class _RawFile(io.RawIOBase):
    """A file for reading that does what Python's do, unlike TensorFlow's, whose `seek` is None."""

    def __init__(self, path: str) -> None:
        self._file = tf.io.gfile.GFile(path, "rb")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._file.read(len(buffer))
        except tf.errors.OpError as error:
            raise OSError(errno.EIO, error.message, self._file.name) from error
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._file.seek(offset, whence)
        return self.tell()

    def tell(self) -> int:
        return int(self._file.tell())

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
