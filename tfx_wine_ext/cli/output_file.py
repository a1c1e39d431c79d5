"""Files that are either written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import stat
import types

from tfx_wine_ext.cli.errors import CommandError
from tfx_wine_ext.cli.staging import staged
from tfx_wine_ext.files.choose import files_for, has_scheme


class OutputFile:
    """A file to be written at the end of a long task.

    Entering creates a file under a temporary name in the folder, so that a path that cannot be
    written is refused before the work. `write` fills the file. Leaving renames it in one step, or
    removes it after an error. So if several files are open together, an error in one of them leaves
    all old files unchanged. A pipe or a terminal, such as ``/dev/stderr`` or the shell's
    ``>(command)``, is opened on entering and written to directly. A path with a scheme, such as
    ``s3://``, is written on leaving.

    Args:
        path: Where to write; an existing file is replaced, links are followed.

    Raises:
        CommandError: On entering, if the path cannot be written, or is a pipe that nobody reads:
            writing to that would wait forever.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with OutputFile(f"{folder}/a.txt") as file:
        ...         file.write("text")
        ...     pathlib.Path(folder, "a.txt").read_text()
        'text'
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._target = os.path.realpath(path)
        self._stack = contextlib.ExitStack()
        self._temporary: str | None = None
        self._stream: int | None = None
        self._written = False
        self._text: str | None = None

    def __enter__(self) -> OutputFile:
        if has_scheme(self._path):
            files = files_for(self._path)
            if files.is_dir(self._path):
                raise self._is_folder()
            files.glob(glob.escape(self._path))  # Is there a bucket, and may it be read?
            return self
        folder = os.path.dirname(self._target)
        if os.path.isdir(self._target):
            raise self._is_folder()
        try:
            # Checks the path itself: the shell's /dev/fd/63 resolves to a name that exists in no
            # folder.
            if _is_stream(self._path):
                self._stream = _opened(self._path)
                self._stack.callback(os.close, self._stream)
                return self
            if not os.path.isdir(folder):
                raise CommandError(f"{self._path}: the folder {folder} is not there; make it first")
            self._temporary = self._stack.enter_context(staged(self._target, folder=False))
        except OSError as error:
            if error.errno == errno.ENXIO:
                raise CommandError(
                    f"{self._path}: expected a pipe that is read, found no reader; start it first, "
                    "or name a file"
                ) from error
            raise CommandError(
                f"{self._path}: cannot be written ({error.strerror}); name another path"
            ) from error
        return self

    def write(self, text: str) -> None:
        """Writes the text as UTF-8.

        Invalid text, such as half of a surrogate pair from a file name, is escaped.

        Raises:
            CommandError: It cannot be written, for instance because the disk is full.
        """
        if has_scheme(self._path):
            self._text = text
            return
        try:
            where = self._temporary if self._stream is None else os.dup(self._stream)
            assert where is not None, "written once, between entering and leaving"
            with open(where, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
            self._written = True
        except OSError as error:
            raise CommandError(f"{self._path}: cannot be written ({error.strerror})") from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        with self._stack:
            if kind is None and self._text is not None:
                with files_for(self._path).create(self._path) as stream:
                    stream.write(self._text.encode("utf-8", "backslashreplace"))
            if kind is None and self._written and self._temporary:
                try:
                    os.replace(self._temporary, self._target)
                except OSError as failed:
                    raise CommandError(
                        f"{self._path}: cannot be written ({failed.strerror})"
                    ) from failed

    def _is_folder(self) -> CommandError:
        return CommandError(
            f"{self._path}: expected a file to write, found a folder; name one in it"
        )


def _is_stream(path: str) -> bool:
    """Tells whether a path is written to directly.

    Raises:
        OSError: The path is something that must not be written to, such as a disk.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISBLK(mode):
        raise OSError(errno.EINVAL, "it is a disk")
    return not stat.S_ISREG(mode)


def _opened(path: str) -> int:
    # With O_NONBLOCK, opening a pipe that nobody reads is an error; later writes may block.
    descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        os.set_blocking(descriptor, True)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def same_file(first: str, second: str) -> bool:
    """Tells whether two paths name the same output file; a device may be written to twice.

    Example:
        >>> same_file("a", "./a"), same_file("/dev/null", "/dev/null")
        (True, False)
    """
    path = os.path.realpath(first)
    is_device = os.path.exists(path) and not os.path.isfile(path)
    return path == os.path.realpath(second) and not is_device
