"""Tells whether a file was written or replaced between two looks at it."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple


class Stamp(NamedTuple):
    """What changes when a local file is written or replaced.

    Attributes:
        machine: The machine; device and inode of another one say nothing here.
        device: The device.
        inode: The number of the file on it.
        written: The time of the last write, in nanoseconds.
    """

    machine: str
    device: int
    inode: int
    written: int


@dataclass(frozen=True)
class FileState:
    """A file as it was found: its bytes, and its stamp if it is a local one."""

    size: int
    stamp: Stamp | None

    def is_other(self, now: FileState) -> bool:
        """Tells whether the file was written or replaced since, as far as this can be seen.

        Example:
            >>> import io
            >>> state_of(io.BytesIO(b"abc")).is_other(state_of(io.BytesIO(b"ab")))
            True
        """
        before, after = self.stamp, now.stamp
        if before is None or after is None or before.machine != after.machine:
            return self.size != now.size
        return self != now


def state_of(stream: BinaryIO) -> FileState:
    """Returns size and stamp of an open file, and leaves it where it is."""
    place = stream.tell()
    stream.seek(0, os.SEEK_END)
    size = stream.tell()  # TensorFlow's files return nothing from `seek`.
    stream.seek(place)
    return FileState(size, stamp_of(stream))


def stamp_of(stream: BinaryIO) -> Stamp | None:
    """Returns the stamp of an open local file; None for a remote one."""
    try:
        status = os.fstat(stream.fileno())
    except (AttributeError, OSError):
        return None
    return Stamp(platform.node(), status.st_dev, status.st_ino, status.st_mtime_ns)


def rewritten(before: Stamp | None, now: Stamp | None) -> bool:
    """Tells whether two stamps belong to one file that was written in between.

    For formats that recognise a file by its content: a copy in its place is the same file.
    """
    if before is None or now is None:
        return False
    return before[:3] == now[:3] and before.written != now.written
