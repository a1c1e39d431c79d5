"""Reads the files of artifacts if they still exist, and records which could not be read.

A metadata store can outlive the files of its artifacts: they are deleted, or on another machine.
If a pipeline was given relative paths, its store holds URIs that are relative to the folder in
which it ran.
"""

from __future__ import annotations

import dataclasses
import os
import stat
import urllib.parse
from collections.abc import Callable, Iterable
from typing import TypeVar
from urllib.parse import urlsplit

from tfx_wine_ext.documents import DocumentError, read_bytes
from tfx_wine_ext.files.choose import files_for, has_scheme
from tfx_wine_ext.files.local import Files

MISSING, UNREADABLE, AMBIGUOUS = "missing", "unreadable", "ambiguous"
# The number of newest relative paths that are used to find the folder in which a pipeline ran.
_ASKED = 500

_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True)
class Unread:
    """A file or folder in the store that could not be read, or only ambiguously.

    Attributes:
        path: Its path in the store; the folder's path if the whole folder is missing.
        problem: ``missing``: it does not exist; ``unreadable``: it cannot be read, or is invalid;
            ``ambiguous``: a relative path exists in several folders, and the first one was read.
        why: Why it is unreadable.
        searched: Folders in which a relative path was searched for.
    """

    path: str
    problem: str
    why: str | None = None
    searched: tuple[str, ...] = ()


class SoftFiles:
    """Files that may be missing, on this machine or on any file system that TensorFlow supports.

    Relative paths are searched for in the folder of the store, the folders above it, and the
    current folder. The first of these that contains any of the store's paths is taken for the
    folder in which the pipeline ran, and all relative paths are read there. A path with a scheme
    (``gs://``, ``hdfs://``) is read by TensorFlow's file systems, which take seconds to import;
    after a failure the server is not contacted again. ``file://`` is local.

    Example:
        >>> files = SoftFiles()
        >>> files.read("no/such/file") is None
        True
        >>> files.take_unread()[0].problem
        'missing'
    """

    def __init__(self, store_folder: str | None = None, uris: Iterable[str] = ()) -> None:
        """Finds the folder to which relative paths are relative.

        Args:
            store_folder: Folder of the store's file, if it is a file.
            uris: The URIs in the store, the newest last.
        """
        self._failed: dict[str, str] = {}
        self._unread: dict[str, Unread] = {}
        self._searched = _bases(store_folder)
        relative = [uri for uri in uris if uri and not has_scheme(uri) and not os.path.isabs(uri)]
        newest = relative[-_ASKED:]
        self._base = next(
            (
                base
                for base in self._searched
                if any(os.path.lexists(os.path.join(base, uri)) for uri in newest)
            ),
            os.curdir,
        )

    def take_unread(self) -> tuple[Unread, ...]:
        """Returns what could not be read since the last call."""
        unread = tuple(self._unread.values())
        self._unread = {}
        return unread

    def note_unreadable(self, path: str, why: str) -> None:
        """Records that the content of a file is invalid.

        Args:
            path: The file's path in the store.
            why: What is wrong with it.
        """
        self._unread[path] = Unread(path, UNREADABLE, " ".join(why.split())[:300])

    def local(self, path: str) -> str:
        """Returns the local path of a path in the store; unchanged if it has another scheme.

        Args:
            path: The path in the store.

        Example:
            >>> SoftFiles().local("file:///data/a%20b")
            '/data/a b'
        """
        if path.startswith("file:"):
            path = _of_file_uri(path)
        if not path or has_scheme(path) or os.path.isabs(path) or self._base == os.curdir:
            return path
        if os.path.realpath(self._base) == os.path.realpath(os.curdir):
            return path
        return os.path.join(self._base, path)

    def read(self, folder: str, name: str = "", *, expected: bool = True) -> bytes | None:
        """Returns the content of a file, or None if it cannot be read, which is recorded.

        Args:
            folder: The folder's path in the store; "" does not exist.
            name: Name of the file; "": `folder` is the path of the file.
            expected: Whether to record that it does not exist.
        """
        path = f"{folder}/{name}" if name else folder
        try:
            if not folder:
                raise FileNotFoundError
            if _is_remote(path):
                return self._remote(path, lambda files: _content(files, path), expected)
            self._check_ambiguous(path)
            return read_bytes(self.local(path))
        except FileNotFoundError:
            if expected:
                self._note_missing(folder, path)
        except NotADirectoryError:
            self._note_missing(folder, path)
        except DocumentError as error:
            self.note_unreadable(path, f"expected {error.expected}, found {error.found}")
        except (OSError, ValueError) as error:
            self.note_unreadable(path, getattr(error, "strerror", None) or str(error))
        return None

    def names(self, folder: str, *, expected: bool = True) -> list[str]:
        """Returns the sorted names in a folder; none if it cannot be read, which is recorded.

        Args:
            folder: The folder's path in the store; "" does not exist.
            expected: Whether to record that it does not exist.
        """
        try:
            if not folder:
                raise FileNotFoundError
            if _is_remote(folder):
                return self._remote(folder, lambda files: files.names(folder), expected) or []
            self._check_ambiguous(folder)
            return sorted(os.listdir(self.local(folder)))
        except (FileNotFoundError, NotADirectoryError):
            if expected:
                self._note_missing(folder, folder)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path.
            self.note_unreadable(folder, getattr(error, "strerror", None) or str(error))
        return []

    def existing(self, path: str) -> str | None:
        """Returns the local path of an existing file or folder, else None.

        Args:
            path: The path in the store.
        """
        if not path:
            return None
        if _is_remote(path):
            return path if self._remote(path, lambda files: files.exists(path), False) else None
        local = self.local(path)
        try:
            mode = os.stat(local).st_mode
        except (OSError, ValueError):
            return None
        return local if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else None

    def note_if_missing(self, folder: str) -> None:
        """Records a folder that does not exist.

        Args:
            folder: The folder's path in the store.
        """
        if self.existing(folder) is None and folder not in self._unread:
            self._note_missing(folder, folder)

    def _note_missing(self, folder: str, path: str) -> None:
        """Records a missing folder once instead of each of its files."""
        gone = path if folder and self.existing(folder) else folder
        is_relative = not has_scheme(gone) and not os.path.isabs(gone)
        searched = self._searched if gone and is_relative else ()
        self._unread[gone] = Unread(gone, MISSING, None, searched)

    def _check_ambiguous(self, path: str) -> None:
        if has_scheme(path) or os.path.isabs(path):
            return
        bases = [base for base in self._searched if os.path.exists(os.path.join(base, path))]
        if len(bases) > 1:
            mine = os.path.realpath(os.path.join(self._base, path))
            others = [base for base in bases if os.path.realpath(os.path.join(base, path)) != mine]
            if others and os.path.exists(mine):
                self._unread.setdefault(
                    path, Unread(path, AMBIGUOUS, None, (os.path.abspath(self._base), *others))
                )

    def _remote(self, path: str, ask: Callable[[Files], _T], expected: bool) -> _T | None:
        parts = urlsplit(path)
        server = f"{parts.scheme}://{parts.netloc}"
        if server not in self._failed:
            try:
                return ask(files_for(path))
            except FileNotFoundError:
                if expected:
                    self._unread[path] = Unread(path, MISSING)
                return None
            except Exception as error:  # File systems may raise anything.
                said = getattr(error, "message", None) or str(error) or type(error).__name__
                self._failed[server] = f"{server} cannot be read from here: {said}"
        self.note_unreadable(path, self._failed[server])
        return None


def _bases(store_folder: str | None) -> tuple[str, ...]:
    """Returns the candidate folders of relative paths: the store's and those above, the current.

    The store's folder comes first: of two copies of a project, the one with the store is meant,
    regardless of the current folder.
    """
    bases = []
    if store_folder is not None:
        folder = os.path.abspath(store_folder)
        while os.path.dirname(folder) != folder:
            bases.append(folder)
            folder = os.path.dirname(folder)
    return tuple(dict.fromkeys([*bases, os.path.realpath(os.curdir)]))


def _is_remote(path: str) -> bool:
    return has_scheme(path) and not path.startswith("file:")


def _content(files: Files, path: str) -> bytes:
    with files.open(path) as stream:
        return stream.read()


def _of_file_uri(uri: str) -> str:
    """Returns the path of a ``file:`` URI, even if its percent signs are not escaped."""
    path = urlsplit(uri.replace("?", "%3F").replace("#", "%23")).path
    literal = path.replace("%3F", "?").replace("%23", "#")
    return literal if os.path.lexists(literal.partition("\0")[0]) else urllib.parse.unquote(path)
