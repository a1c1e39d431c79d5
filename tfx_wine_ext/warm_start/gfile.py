"""File operations through TensorFlow's file systems, which trainers have at hand anyway."""

from __future__ import annotations

import posixpath
from typing import BinaryIO, cast

import tensorflow as tf


class GFiles:
    """The `Files` of paths with a scheme: ``gs://``, ``hdfs://`` and what else TensorFlow knows.

    Example:
        >>> files = GFiles()
        >>> with files.create("ram://example/a/b.txt") as stream:
        ...     _ = stream.write(b"x")
        >>> files.glob("ram://example/*/b.txt")
        ['ram://example/a/b.txt']
        >>> files.open("ram://example/a/nothing").read()
        Traceback (most recent call last):
        ...
        FileNotFoundError: ram://example/a/nothing
    """

    def glob(self, pattern: str) -> list[str]:
        """Returns the paths of the files that match, sorted."""
        return sorted(path for path in tf.io.gfile.glob(pattern) if not tf.io.gfile.isdir(path))

    def is_dir(self, path: str) -> bool:
        """Tells whether the path is an existing folder."""
        return bool(tf.io.gfile.isdir(path))

    def open(self, path: str) -> BinaryIO:
        """Opens a file for reading.

        Raises:
            FileNotFoundError: There is none.
            OSError: It is a folder, or cannot be reached.
        """
        # TensorFlow would tell only at the first read, and by an error that is no OSError.
        try:
            status = tf.io.gfile.stat(path)
        except tf.errors.NotFoundError:
            raise FileNotFoundError(path) from None
        except tf.errors.OpError as error:
            raise OSError(f"{path}: {error.message}") from None
        if status.is_directory:
            raise IsADirectoryError(path)
        return cast(BinaryIO, tf.io.gfile.GFile(path, "rb"))

    def create(self, path: str) -> BinaryIO:
        """Creates or replaces a file for writing, with its folders."""
        tf.io.gfile.makedirs(posixpath.dirname(path))
        return cast(BinaryIO, tf.io.gfile.GFile(path, "wb"))

    def rename(self, source: str, destination: str) -> None:
        """Moves a file, in one step where the file system can, replacing the destination."""
        tf.io.gfile.rename(source, destination, overwrite=True)

    def move_tree(self, source: str, destination: str) -> None:
        """Moves a folder to a path that is not there."""
        tf.io.gfile.rename(source, destination)

    def remove_tree(self, path: str) -> None:
        """Deletes a folder and all that is in it; nothing happens where there is none."""
        if tf.io.gfile.isdir(path):
            tf.io.gfile.rmtree(path)
