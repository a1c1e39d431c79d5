"""Reads the files of artifacts where they are still there, and says None where they are not.

A metadata store outlives the files that it knows of: they are deleted, or on another machine.
"""

from __future__ import annotations

import os
import stat
from typing import Any, cast
from urllib.parse import urlsplit


class SoftFiles:
    """Files that may be gone, on this machine or on any file system that TensorFlow knows.

    Paths are read locally. A path with a scheme (``gs://``, ``hdfs://``) is read by TensorFlow's
    file systems, which take seconds to import; where one fails, its server is not asked again.

    Example:
        >>> SoftFiles().read("no/such/file") is None
        True
    """

    def __init__(self) -> None:
        """Knows of no server that has failed."""
        self._failed: set[str] = set()

    def read(self, path: str) -> bytes | None:
        """Returns the content of a file, or None if it cannot be read."""
        if _has_scheme(path):
            return cast("bytes | None", self._remote(path, _read_remote))
        try:
            with open(path, "rb") as file:
                return file.read()
        except (OSError, ValueError):  # ValueError: a NUL in the path.
            return None

    def names(self, folder: str) -> list[str]:
        """Returns the names in a folder, sorted; none if it cannot be read."""
        if _has_scheme(folder):
            found = cast("list[str] | None", self._remote(folder, _names_remote))
            return sorted(name.rstrip("/") for name in found or [])
        try:
            return sorted(os.listdir(folder))
        except (OSError, ValueError):
            return []

    def existing(self, path: str) -> str | None:
        """Returns the path if there is such a file or folder, else None."""
        if _has_scheme(path):
            return path if self._remote(path, _exists_remote) else None
        try:
            mode = os.stat(path).st_mode
        except (OSError, ValueError):
            return None
        return path if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else None

    def _remote(self, path: str, ask: Any) -> Any:
        parts = urlsplit(path)
        server = f"{parts.scheme}://{parts.netloc}"
        if server in self._failed:
            return None
        try:
            import tensorflow as tf

            try:
                return ask(tf.io.gfile, path)
            except tf.errors.NotFoundError:
                return None
        except Exception:  # Whatever a file system raises: it cannot be read from here.
            self._failed.add(server)
            return None


def _has_scheme(path: str) -> bool:
    return "://" in path


def _read_remote(gfile: Any, path: str) -> bytes:
    with gfile.GFile(path, "rb") as file:
        return cast(bytes, file.read())


def _names_remote(gfile: Any, path: str) -> list[str]:
    return list(gfile.listdir(path))


def _exists_remote(gfile: Any, path: str) -> bool:
    return bool(gfile.exists(path))
