"""File operations on object stores through pyarrow, which needs neither TensorFlow nor boto3."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any, BinaryIO, cast

import pyarrow.fs as pa_fs

from tfx_wine_ext import safe_arrow as safe_arrow
from tfx_wine_ext.files import gcs, s3
from tfx_wine_ext.files.local import RemoteAccessError, RemoteError
from tfx_wine_ext.files.patterns import fixed_parts, matches, unescaped

# Threads that copy objects: latency dominates.
_COPYING = 16
# What is written is kept in memory up to this size, and then in a local file; it is sent in blocks
# of this size.
_BLOCK_BYTES = 8 * 1024 * 1024
# Buckets that have been looked for and found.
_BUCKETS: set[str] = set()
# The largest object that S3 copies in one request.
MOST_COPIED_BYTES = 5 * 1024**3


class ArrowFiles:
    """Implements `Files` for ``s3://`` and ``gs://``.

    `tfx_wine_ext.files.s3` and `tfx_wine_ext.files.gcs` have the settings.

    A folder exists if an object lies below it, or marks it: one whose name ends with a slash.
    Nothing half-written appears: a file is sent when it is closed, and appears when all of it has
    arrived. There is no rename in an object store: files are copied and then deleted. The client is
    not part of this object, which can be pickled.
    """

    def glob(self, pattern: str) -> list[str]:
        """Returns the paths of the matching files, sorted, by the rules of Python's `glob`.

        ``*`` does not cross folders, ``**`` does, and neither matches a name that begins with a
        dot.

        Raises:
            RemoteError: The bucket does not exist, or the store cannot be used.
        """
        root, path = _divided(pattern)
        bucket, *parts = path.split("/")
        fixed = fixed_parts(parts)
        folder = "/".join([bucket, *map(unescaped, parts[:fixed])])
        with _explained(pattern) as client:
            if fixed == len(parts):
                found = [folder] if self._type(client, folder) == pa_fs.FileType.File else []
            else:
                found = list(_expanded(client, folder, parts[fixed:]))
            if not found:
                self._check_bucket(client, pattern, bucket)
        return sorted(root + path for path in found)

    def names(self, folder: str) -> list[str]:
        """Returns the names of files, and of folders with files, in a folder, sorted.

        Raises:
            FileNotFoundError: There is no such folder.
            RemoteError: The store cannot be used.
        """
        with _explained(folder) as client:
            place = _divided(folder)[1]
            listed = _listed(client, place)
            if not listed and self._type(client, place) != pa_fs.FileType.Directory:
                self._check_bucket(client, folder, place.partition("/")[0])
                raise FileNotFoundError(errno.ENOENT, "there is no such folder", folder)
            return sorted(path.rpartition("/")[2] for path in listed)

    def infos(self, folder: str) -> list[pa_fs.FileInfo]:
        """Returns what the store knows of each file in a folder; none if there is no folder.

        Raises:
            RemoteError: The bucket does not exist, or the store cannot be used.
        """
        with _explained(folder) as client:
            place = _divided(folder)[1]
            flat = client.type_name == "gcs"  # See `_listed`.
            selector = pa_fs.FileSelector(place, allow_not_found=True, recursive=flat)
            found = [
                info
                for info in client.get_file_info(selector)
                if info.is_file and info.path == f"{place}/{info.base_name}"
            ]
            if not found:
                self._check_bucket(client, folder, place.partition("/")[0])
            return found

    def exists(self, path: str) -> bool:
        """Tells whether a file exists, or a folder with a file in it."""
        with _explained(path) as client:
            return bool(self._type(client, _divided(path)[1]) != pa_fs.FileType.NotFound)

    def is_dir(self, path: str) -> bool:
        """Tells whether the path is a folder with a file in it, or a bucket."""
        with _explained(path) as client:
            return bool(self._type(client, _divided(path)[1]) == pa_fs.FileType.Directory)

    def open(self, path: str) -> BinaryIO:
        """Opens a file for reading; seekable, and not buffered: each read is a request.

        Raises:
            FileNotFoundError: The file does not exist.
            RemoteError: The store cannot be used.
        """
        with _explained(path) as client:
            place = _divided(path)[1]
            try:
                return cast(BinaryIO, client.open_input_file(place))
            except FileNotFoundError:
                self._check_bucket(client, path, place.partition("/")[0])
                raise FileNotFoundError(errno.ENOENT, "there is no such object", path) from None

    def create(self, path: str) -> BinaryIO:
        """Creates or replaces a file, which appears when it is closed, unless a block failed."""
        return cast(BinaryIO, _Upload(path))

    def rename(self, source: str, destination: str) -> None:
        """Moves a file, replacing the destination, by copying and deleting it."""
        with _explained(source) as client:
            _copy(client, _divided(source)[1], _divided(destination)[1])
            client.delete_file(_divided(source)[1])

    def move_tree(self, source: str, destination: str) -> None:
        """Moves a folder: all of its files are copied, and then deleted."""
        with _explained(source) as client:
            old, new = _divided(source)[1], _divided(destination)[1]
            paths = [
                path for path, is_file in _listed(client, old, recursive=True).items() if is_file
            ]
            _for_each(paths, lambda path: _copy(client, path, new + path[len(old) :]))
            _delete(client, old)

    def remove_tree(self, path: str) -> None:
        """Deletes a folder and its content, if it exists."""
        with _explained(path) as client:
            if self._type(client, _divided(path)[1]) == pa_fs.FileType.Directory:
                _delete(client, _divided(path)[1])

    @staticmethod
    def _type(client: pa_fs.FileSystem, path: str) -> pa_fs.FileType:
        return client.get_file_info(path).type

    def _check_bucket(self, client: pa_fs.FileSystem, path: str, bucket: str) -> None:
        """Refuses a bucket that does not exist, which otherwise looks like one without files."""
        place = f"{path.partition('://')[0]}://{bucket}"
        if place in _BUCKETS:
            return
        # Who may read objects may not always ask for the bucket.
        with contextlib.suppress(RemoteAccessError), _explained(path):
            if self._type(client, bucket) == pa_fs.FileType.NotFound:
                raise RemoteError(
                    f"none on {_store(path).Settings.of(os.environ).server}",
                    ("check its name", "make it", "check the address of the server"),
                    path=path,
                    expected=f"the bucket {bucket!r}",
                )
        _BUCKETS.add(place)


class _Upload:
    """A file for writing that is kept here until it is closed, and then sent as a whole."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._spool: Any = tempfile.SpooledTemporaryFile(_BLOCK_BYTES)  # noqa: SIM115

    @property
    def closed(self) -> bool:
        return bool(self._spool.closed)

    def write(self, data: Any) -> int:
        return int(self._spool.write(data))

    def flush(self) -> None:
        """Does nothing: a part of a file must not appear."""

    def __enter__(self) -> _Upload:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is not None:
            self._spool.close()
        self.close()

    def close(self) -> None:
        """Sends the content; may be called twice."""
        if self._spool.closed:
            return
        with self._spool as spool, _explained(self._path) as client:
            spool.seek(0)
            _send(client, spool, _divided(self._path)[1])


def _send(client: pa_fs.FileSystem, source: BinaryIO, path: str) -> None:
    # By default Arrow compresses by the name of the file.
    stream = client.open_output_stream(path, compression=None)
    try:
        shutil.copyfileobj(source, stream, _BLOCK_BYTES)
    except BaseException:
        # Arrow cannot abort: closing publishes what was sent, unless sending is what failed.
        with contextlib.suppress(OSError):
            stream.close()
            client.delete_file(path)
        raise
    stream.close()


def _copy(client: pa_fs.FileSystem, source: str, destination: str) -> None:
    if client.get_file_info(source).size <= MOST_COPIED_BYTES:
        client.copy_file(source, destination)
        return
    with client.open_input_stream(source, compression=None) as stream:
        _send(client, stream, destination)


@contextlib.contextmanager
def _explained(path: str) -> Iterator[pa_fs.FileSystem]:
    """Yields the client for a path, and explains the errors of the store."""
    try:
        yield _store(path).client_for(path)
    except (FileNotFoundError, RemoteError):
        raise
    except OSError as error:
        raise _store(path).store_error(path, error) from error


def _store(path: str) -> ModuleType:
    """Returns the module that knows the store of a path."""
    return gcs if path.startswith("gs://") else s3


def _divided(path: str) -> tuple[str, str]:
    """Returns the scheme with its slashes, and the bucket with the rest."""
    scheme, separator, rest = path.partition("://")
    return scheme + separator, rest.rstrip("/")


def _expanded(client: pa_fs.FileSystem, folder: str, parts: Sequence[str]) -> Iterator[str]:
    """Yields the files below a folder that match the parts of a pattern."""
    part, rest = parts[0], parts[1:]
    recursive = part == "**"
    for path, is_file in _listed(client, folder, recursive).items():
        if recursive:
            if is_file and matches(path[len(folder) + 1 :].split("/"), parts):
                yield path
        elif not matches([path.rpartition("/")[2]], [part]):
            continue
        elif rest and not is_file:
            fixed = fixed_parts(rest)
            below = "/".join([path, *map(unescaped, rest[:fixed])])
            if fixed < len(rest):
                yield from _expanded(client, below, rest[fixed:])
            elif client.get_file_info(below).type == pa_fs.FileType.File:
                yield below
        elif not rest and is_file:
            yield path


def _listed(client: pa_fs.FileSystem, folder: str, recursive: bool = False) -> dict[str, bool]:
    """Returns the paths of what is in a folder, and whether each is a file."""
    # Arrow's client of Google Cloud Storage lists only folders that it has made itself.
    flat = client.type_name == "gcs"
    selector = pa_fs.FileSelector(folder, allow_not_found=True, recursive=recursive or flat)
    found = {info.path: info.type == pa_fs.FileType.File for info in client.get_file_info(selector)}
    if recursive or not flat:
        return found
    below = len(folder) + 1
    listed: dict[str, bool] = {}
    for path, is_file in found.items():
        name, separator, _ = path[below:].partition("/")
        listed[folder + "/" + name] = is_file and not separator
    return listed


def _delete(client: pa_fs.FileSystem, folder: str) -> None:
    """Deletes a folder, and all that is in it."""
    if client.type_name != "gcs":
        client.delete_dir(folder)
        return
    # Arrow's client would delete the folder's mark, too, which only a folder of its own has.
    paths = [path for path, is_file in _listed(client, folder, recursive=True).items() if is_file]
    _for_each(paths, client.delete_file)


def _for_each(paths: Iterable[str], work: Callable[[str], None]) -> None:
    """Works on paths, several at a time."""
    with ThreadPoolExecutor(_COPYING) as pool:
        for _ in pool.map(work, paths):
            pass
