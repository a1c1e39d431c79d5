"""Reads the files of artifacts if they still exist, and records which could not be read.

A metadata store can outlive the files of its artifacts: they are deleted, or on another machine.
If a pipeline was given relative paths, its store holds URIs that are relative to the folder in
which it ran.
"""

from __future__ import annotations

import dataclasses
import os
import queue
import stat
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tfx_wine_ext.documents import MAX_BYTES, DocumentError, read_bytes
from tfx_wine_ext.errors import TfxWineExtError
from tfx_wine_ext.files.choose import files_for, has_scheme
from tfx_wine_ext.files.local import Files
from tfx_wine_ext.masking import masked_addresses, without_user

MISSING, UNREADABLE, AMBIGUOUS = "missing", "unreadable", "ambiguous"

ANSWER_SECONDS = 10.0
"""How long a server may take for an answer, or for the next part of a file."""
SLOW_SECONDS = 1.0
"""A server or bucket that took so long to fail, but for denied access, is not asked again."""
MOST_FAILURES = 3
"""After so many failures and no success a server or bucket is not asked again."""

# The number of newest relative paths that are used to find the folder in which a pipeline ran.
_ASKED = 500
# Their addresses name a bucket, and all buckets are at one server.
_ONE_SERVER = ("s3", "s3a", "s3n", "gs", "gcs")
_PART_BYTES = 2**20

_WHY_LENGTH = 300

_T = TypeVar("_T")
_Ask = Callable[[Files, str], Iterable[_T]]


@dataclasses.dataclass(frozen=True)
class Unread:
    """A file or folder in the store that could not be read, or only ambiguously.

    Attributes:
        path: Its path in the store; the folder's path if the whole folder is missing.
        problem: ``missing``: it does not exist; ``unreadable``: it cannot be read, or is invalid;
            ``ambiguous``: a relative path exists in several folders, and the first one was read.
        why: Why it is unreadable.
        searched: Folders in which a relative path was searched for.
        place: The server or bucket that gave no answer about an unreadable file, so that nobody
            knows whether it exists; None if it does.
    """

    path: str
    problem: str
    why: str | None = None
    searched: tuple[str, ...] = ()
    place: str | None = None


class SoftFiles:
    """Files that may be missing, on this machine or on any file system of `files_for`.

    Relative paths are searched for in the folder of the store, the folders above it, and the
    current folder. The first of these that contains any of the store's paths is taken for the
    folder in which the pipeline ran, and all relative paths are read there. ``file://`` is local.

    A server that does not answer must not cost time for each file: one that cannot be reached is
    not asked again, nor a server or bucket that took `SLOW_SECONDS` to fail, or that failed
    `MOST_FAILURES` times and never succeeded. Passwords in addresses are not used.

    Example:
        >>> files = SoftFiles()
        >>> files.read("no/such/file") is None
        True
        >>> files.take_unread()[0].problem
        'missing'
    """

    def __init__(
        self,
        store_folder: str | None = None,
        uris: Iterable[str] = (),
        before: SoftFiles | None = None,
    ) -> None:
        """Finds the folder to which relative paths are relative.

        Args:
            store_folder: Folder of the store's file, if it is a file.
            uris: The URIs in the store, the newest last.
            before: Knows already which servers do not answer.
        """
        self._servers: _Servers = before._servers if before else _Servers()
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
        unread = tuple(map(self._explained, self._unread.values()))
        self._unread = {}
        return unread

    @property
    def has_unread(self) -> bool:
        """Whether anything could not be read, or only ambiguously, since `take_unread`."""
        return bool(self._unread)

    def _explained(self, file: Unread) -> Unread:
        """Replaces why a server gave no answer by why it is not asked again: one cause for all."""
        silence = self._servers.silence(file.path)[1] if file.place else None
        return file if silence is None else dataclasses.replace(file, why=_one_line(silence))

    def note_unreadable(self, path: str, why: str) -> None:
        """Records that the content of a file is invalid.

        Args:
            path: The file's path in the store.
            why: What is wrong with it.
        """
        self._note(path, why)

    def note_unasked(self, path: str, why: str) -> None:
        """Records that a server was not asked about a file or folder.

        Args:
            path: The path in the store.
            why: Why it was not.
        """
        self._note(path, why, _place(path)[1])

    def _note(self, path: str, why: str, place: str | None = None) -> None:
        self._unread[path] = Unread(masked_addresses(path), UNREADABLE, _one_line(why), (), place)

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
            if is_remote(path):
                parts = self._remote(path, _content)
                return parts if parts is None else b"".join(parts)
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
            if is_remote(folder):
                return self._remote(folder, lambda files, path: files.names(path)) or []
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
        if is_remote(path):
            return path if self.is_there(path) else None
        local = self.local(path)
        try:
            mode = os.stat(local).st_mode
        except (OSError, ValueError):
            return None
        return local if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else None

    def is_there(self, path: str) -> bool | None:
        """Tells whether a file or folder exists; None if nobody knows, which is recorded.

        Args:
            path: The path in the store.
        """
        if not is_remote(path):
            return self.existing(path) is not None
        try:
            return None if self._remote(path, _existence) is None else True
        except (FileNotFoundError, NotADirectoryError):
            return False

    def note_if_missing(self, folder: str) -> None:
        """Records a folder that does not exist.

        Args:
            folder: The folder's path in the store.
        """
        if self.is_there(folder) is False:
            self._note_missing(folder, folder)

    def _note_missing(self, folder: str, path: str) -> None:
        """Records a missing folder once instead of each of its files."""
        gone = folder if path == folder or self.is_there(folder) is False else path
        is_relative = not has_scheme(gone) and not os.path.isabs(gone)
        searched = self._searched if gone and is_relative else ()
        self._unread[gone] = Unread(masked_addresses(gone), MISSING, None, searched)

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

    def _remote(self, path: str, ask: _Ask[_T]) -> list[_T] | None:
        """Returns the parts of a server's answer; None if there is none, which is recorded.

        Raises:
            FileNotFoundError, NotADirectoryError, IsADirectoryError, DocumentError: The server
                answered so.
        """
        place, silence = self._servers.silence(path)
        if silence is None:
            try:
                return self._servers.answer(path, ask)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError, DocumentError):
                raise
            except Exception as error:  # File systems may raise anything.
                silence = _said(error, path)
        self._note(path, silence, place)
        return None


class _Servers:
    """Asks servers about files, and remembers which of them do not answer."""

    def __init__(self) -> None:
        self._silent: dict[str, str] = {}
        self._failures: Counter[str] = Counter()
        self._answered: set[str] = set()

    def silence(self, path: str) -> tuple[str, str | None]:
        """Returns server or bucket of a path, and why it is not asked; None if it may be."""
        scheme, place = _place(path)
        return place, self._silent.get(scheme) or self._silent.get(place)

    def answer(self, path: str, ask: _Ask[_T]) -> list[_T]:
        """Returns the parts of an answer; raises what the file system does, or a TimeoutError."""
        scheme, place = _place(path)
        address = without_user(masked_addresses(path))
        started = time.monotonic()
        try:
            files = files_for(address)  # Its import may take seconds.
            started = time.monotonic()
            try:
                parts = list(_in_time(lambda: ask(files, address)))
            except Exception:
                is_quick = time.monotonic() - started < SLOW_SECONDS
                if is_quick and scheme in _ONE_SERVER and place not in self._answered:
                    _check_bucket(place, files)
                raise
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, DocumentError):
            self._answered.add(place)
            raise
        except Exception as error:
            self._failures[place] += 1
            said = _said(error, path)
            if isinstance(error, (ConnectionError, TimeoutError)):
                self._silent[scheme if scheme in _ONE_SERVER else place] = said
                raise
            is_slow = time.monotonic() - started >= SLOW_SECONDS
            fails = self._failures[place] >= MOST_FAILURES and place not in self._answered
            if fails or (is_slow and not isinstance(error, PermissionError)):
                self._silent[place] = said
            raise
        self._answered.add(place)
        return parts


def _check_bucket(bucket: str, files: Files) -> None:
    """Refuses a bucket that does not exist: of its files nobody can say that they were deleted."""
    if not all(_in_time(lambda: [files.exists(bucket)])):
        raise TfxWineExtError(
            "none", "check its name, and the address of the server", expected=f"the bucket {bucket}"
        )


def _place(path: str) -> tuple[str, str]:
    """Returns the scheme, and the address of the server or bucket; without a password."""
    scheme, _, rest = without_user(masked_addresses(path)).partition("://")
    return scheme.lower(), f"{scheme}://{rest.partition('/')[0]}"


def _one_line(why: str) -> str:
    return " ".join(masked_addresses(why).split())[:_WHY_LENGTH]


def _said(error: Exception, path: str) -> str:
    """Returns why a server does not answer: the same for all files of one cause."""
    if isinstance(error, TfxWineExtError):
        return "; ".join(filter(None, (error.problem, error.remedy)))
    # TensorFlow's errors have a message.
    said = str(getattr(error, "message", None) or error or type(error).__name__)
    return said.replace(without_user(masked_addresses(path)), "it")


def _in_time(ask: Callable[[], Iterable[_T]]) -> Iterator[_T]:
    """Yields the parts of an answer, as long as none takes longer than `ANSWER_SECONDS`."""
    answers: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()

    def work() -> None:
        try:
            for part in ask():
                answers.put(("part", part))
            answers.put(("end", None))
        except BaseException as error:
            answers.put(("error", error))

    # No client library keeps to its own limits in all cases. The process does not wait for it.
    threading.Thread(target=work, daemon=True).start()
    while True:
        try:
            kind, value = answers.get(timeout=ANSWER_SECONDS)
        except queue.Empty:
            why = f"no answer within {ANSWER_SECONDS:g} s; check its address and the network"
            raise TimeoutError(why) from None
        if kind == "error":
            raise value
        if kind == "end":
            return
        yield value


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


def is_remote(path: str) -> bool:
    """Tells whether a path is on a server, or in another file system than that of this machine."""
    return has_scheme(path) and not path.startswith("file:")


def _existence(files: Files, path: str) -> list[bool]:
    if not files.exists(path):
        raise FileNotFoundError(path)
    return [True]


def _content(files: Files, path: str) -> Iterator[bytes]:
    size = 0
    with files.open(path) as stream:
        while part := stream.read(_PART_BYTES):
            size += len(part)
            if size > MAX_BYTES:
                raise DocumentError(path, "", f"at most {MAX_BYTES:,} bytes", "a larger file")
            yield part


def _of_file_uri(uri: str) -> str:
    """Returns the path of a ``file:`` URI, even if its percent signs are not escaped."""
    path = urlsplit(uri.replace("?", "%3F").replace("#", "%23")).path
    literal = path.replace("%3F", "?").replace("%23", "#")
    return literal if os.path.lexists(literal.partition("\0")[0]) else urllib.parse.unquote(path)
