"""Makes sure that only one run at a time uses a folder of results."""

from __future__ import annotations

import contextlib
import datetime
import errno
import os
import sys
from pathlib import Path
from types import TracebackType

try:
    import fcntl
except ImportError:  # Windows has no such locks, and no TFX.
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = ".lock"
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_MOST_BYTES = 1000


class OutputFolderError(RuntimeError):
    """The folder cannot be created, written to or locked; the message says why."""


class OutputInUseError(OutputFolderError):
    """Another run uses the folder; the message says which."""


class OutputLock:
    """Holds a folder for this process, until it is closed or the process ends, however it ends.

    The kernel keeps the lock, on an open file, so a killed process leaves no lock behind. On a file
    system without locks (some NFS mounts) a line on standard error says so, and the run continues.

    Args:
        folder: The folder. It is created.

    Raises:
        OutputInUseError: Another process holds it.
        OutputFolderError: It cannot be created or written to.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, OutputLock(Path(folder)):
        ...     try:
        ...         OutputLock(Path(folder))
        ...     except OutputInUseError:
        ...         print("another run has it")
        another run has it
    """

    def __init__(self, folder: Path) -> None:
        """Takes the lock, or raises at once."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise OutputFolderError(
                f"--output {folder}: expected a folder that can be written to, found: "
                f"{error.strerror}. Name another one."
            ) from None
        try:
            self._lock(folder)
        except BaseException:
            os.close(self._descriptor)
            raise

    def _lock(self, folder: Path) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                print(
                    f"{folder}: its file system has no locks ({error.strerror}): make sure that no "
                    "other run uses the folder",
                    file=sys.stderr,
                )
                return
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise OutputFolderError(
                    f"--output {folder}: expected a folder that can be locked, found: "
                    f"{error.strerror}. Name another one."
                ) from None
            said = os.pread(self._descriptor, _MOST_BYTES, 0).decode("utf-8", "replace")
            holder = " ".join(word for word in said.split() if word.isprintable())
            raise OutputInUseError(
                f"--output {folder}: expected a folder that no other run is using, found it in use "
                f"by {holder or 'another process'}. Wait for it to end, or name another folder "
                "with --output."
            ) from None
        now = datetime.datetime.now().astimezone()
        command = " ".join(sys.orig_argv) if hasattr(sys, "orig_argv") else " ".join(sys.argv)
        text = f"process {os.getpid()}, since {now:%Y-%m-%d %H:%M:%S}, {command[:200]}\n"
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text.encode("utf-8", "replace"), 0)

    def close(self) -> None:
        """Releases the folder. Closing it twice does no harm."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor != -1:
            # The text in the file is no longer true. The file stays: another run may have it open.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
            os.close(descriptor)

    def __enter__(self) -> OutputLock:
        """Returns the lock, which is already held."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes it."""
        self.close()


def hold(folder: Path) -> None:
    """Holds a folder until this process ends. Cells run again, so a second call does no harm.

    Args:
        folder: The folder. It is created.

    Raises:
        OutputInUseError: Another process holds it.
        OutputFolderError: It cannot be created or written to.
    """
    place = folder.absolute()
    if place not in _HELD:
        _HELD[place] = OutputLock(folder)


_HELD: dict[Path, OutputLock] = {}
