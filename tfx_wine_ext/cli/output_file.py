"""Files that are either written whole or not at all."""

from __future__ import annotations

import os
import types

from tfx_wine_ext.cli.errors import CommandError


class OutputFile:
    """A file to be written at the end of a long task.

    Entering makes a file of a temporary name in the folder, so that a path that cannot be written
    is refused before the work; `write` fills it and gives it its name, in one step; leaving removes
    it where that has not happened. What is there and no plain file, such as ``/dev/stderr``, is
    written to directly.

    Args:
        path: Where to write; an existing file is replaced, links are followed.

    Raises:
        CommandError: On entering: the path cannot be written.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder, OutputFile(f"{folder}/a.txt") as file:
        ...     file.write("text")
        ...     pathlib.Path(folder, "a.txt").read_text()
        'text'
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._target = os.path.realpath(path)
        self._temporary: str | None = None

    def __enter__(self) -> OutputFile:
        folder, name = os.path.split(self._target)
        if os.path.isdir(self._target):
            raise CommandError(
                f"{self._path}: expected a file to write, found a folder; name one in it"
            )
        if not os.path.isdir(folder):
            raise CommandError(f"{self._path}: the folder {folder} is not there; make it first")
        if os.path.exists(self._target) and not os.path.isfile(self._target):
            return self
        temporary = os.path.join(folder, f".{name}.{os.getpid()}.part")
        try:
            # Not by tempfile: its files are for their owner's eyes only, and would stay so.
            with open(temporary, "x", encoding="utf-8"):
                pass
        except OSError as error:
            raise CommandError(
                f"{self._path}: cannot be written ({error.strerror}); name another path"
            ) from error
        self._temporary = temporary
        return self

    def write(self, text: str) -> None:
        """Writes the text as UTF-8, and gives the file its name.

        Raises:
            CommandError: It cannot be written, for instance because the disk is full.
        """
        try:
            with open(self._temporary or self._target, "w", encoding="utf-8") as file:
                file.write(text)
            if self._temporary:
                os.replace(self._temporary, self._target)
                self._temporary = None
        except OSError as error:
            raise CommandError(f"{self._path}: cannot be written ({error.strerror})") from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        if self._temporary:
            os.unlink(self._temporary)


def same_file(one: str, other: str) -> bool:
    """Tells whether two paths are of one file to be written; a device may be written to twice.

    Example:
        >>> same_file("a", "./a"), same_file("/dev/null", "/dev/null")
        (True, False)
    """
    path = os.path.realpath(one)
    is_device = os.path.exists(path) and not os.path.isfile(path)
    return path == os.path.realpath(other) and not is_device
