"""Files and folders that appear under their name only when they are complete."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator

# File systems allow 255 bytes, and a letter may take four.
_NAME_LENGTH = 40
_ATTEMPTS = 100


@contextlib.contextmanager
def staged(target: str, *, folder: bool) -> Iterator[str]:
    """Makes a file or a folder beside its target, to be renamed to it when it is complete.

    No other process uses its name. The name does not depend on process ids, which repeat in
    containers. It is locked while the block runs. What a killed process left is no longer locked,
    and the next process with this target removes it. On a file system without locks such remains
    stay.

    Args:
        target: The final path, in an existing folder.
        folder: Whether to make a folder instead of a file.

    Yields:
        The temporary path, which is removed if it still exists when the block ends.

    Raises:
        OSError: It cannot be made.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as parent:
        ...     with staged(f"{parent}/out", folder=True) as path:
        ...         os.rename(path, f"{parent}/out")
        ...     os.listdir(parent)
        ['out']
    """
    parent, name = os.path.split(target)
    prefix = f".{name[:_NAME_LENGTH]}."
    _remove_remains(parent, prefix)
    path, lock = _made(os.path.join(parent, prefix), folder)
    try:
        yield path
    finally:
        # It no longer exists if it was renamed meanwhile.
        _remove(path)
        os.close(lock)


def _made(prefix: str, folder: bool) -> tuple[str, int]:
    """Returns the path of a new file or folder, and the descriptor that holds its lock."""
    for _ in range(_ATTEMPTS):
        path = f"{prefix}{secrets.token_hex(8)}.part"
        try:
            if folder:
                os.mkdir(path)
                lock = os.open(path, os.O_RDONLY)
            else:
                # Not by tempfile: only the owner can read its files, and that would remain so.
                lock = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except (FileExistsError, FileNotFoundError):
            if not os.path.isdir(os.path.dirname(prefix)):
                raise
            continue
        # Until it is locked, another process may mistake it for remains and remove it.
        if _locked(lock) is not False and _is_at(lock, path):
            return path, lock
        os.close(lock)
    raise FileExistsError(17, "no free name for a temporary file", prefix)


def _locked(descriptor: int) -> bool | None:
    """Locks a file if no other process has; None if the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_at(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def _remove_remains(parent: str, prefix: str) -> None:
    """Removes what killed processes left behind."""
    ours = re.compile(re.escape(prefix) + r"[0-9a-f]{16}\.part")
    # An unreadable folder is no error here: it may still be writable.
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        leftovers = [entry.path for entry in entries if ours.fullmatch(entry.name)]
        for path in leftovers:
            with contextlib.suppress(OSError):
                # Opened without waiting: something else, such as a pipe, may have such a name.
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
                descriptor = os.open(path, flags)
                try:
                    if _locked(descriptor) and _is_at(descriptor, path):
                        _remove(path)
                finally:
                    os.close(descriptor)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(os.lstat(path).st_mode):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)
