"""File operations through TensorFlow's file systems, which every trainer has."""

from __future__ import annotations

import posixpath
from typing import BinaryIO, cast

import tensorflow as tf


class GFiles:
    """Implements `Files` for paths with a scheme that TensorFlow supports: ``gs://``, ``hdfs://``."""

    def glob(self, pattern: str) -> list[str]:
        """Returns the paths of the matching files, sorted."""
        return sorted(path for path in tf.io.gfile.glob(pattern) if not tf.io.gfile.isdir(path))

    def names(self, folder: str) -> list[str]:
        """Returns the names of what is in a folder, sorted."""
        try:
            return sorted(name.rstrip("/") for name in tf.io.gfile.listdir(folder))
        except tf.errors.NotFoundError:
            raise FileNotFoundError(folder) from None

    def exists(self, path: str) -> bool:
        """Tells whether a file or folder exists."""
        return bool(tf.io.gfile.exists(path))

    def is_dir(self, path: str) -> bool:
        """Tells whether the path is an existing folder."""
        return bool(tf.io.gfile.isdir(path))

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
        except tf.errors.OpError as error:
            raise OSError(f"{path}: {error.message}") from None
        if status.is_directory:
            raise IsADirectoryError(path)
        return cast(BinaryIO, tf.io.gfile.GFile(path, "rb"))

    def create(self, path: str) -> BinaryIO:
        """Creates or replaces a file for writing, and creates its parent folders."""
        tf.io.gfile.makedirs(posixpath.dirname(path))
        return cast(BinaryIO, tf.io.gfile.GFile(path, "wb"))

    def rename(self, source: str, destination: str) -> None:
        """Moves a file, replacing the destination; atomically if the file system supports it."""
        tf.io.gfile.rename(source, destination, overwrite=True)

    def move_tree(self, source: str, destination: str) -> None:
        """Moves a folder to a path that does not exist."""
        tf.io.gfile.rename(source, destination)

    def remove_tree(self, path: str) -> None:
        """Deletes a folder and its content, if it exists."""
        if tf.io.gfile.isdir(path):
            tf.io.gfile.rmtree(path)
