"""A terminal of a given width, and what a person sees on it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import termios
import time
from collections.abc import Iterator
from typing import IO


class Screen:
    """The side of a terminal on which the person sits."""

    def __init__(self, descriptor: int, columns: int) -> None:
        self._descriptor = descriptor
        self._columns = columns
        self.written = ""

    def read(self) -> str:
        """Reads what has been written so far; returns all that was ever written."""
        # Only the first look waits: a line that ticks would be waited for again and again.
        wait = 0.05
        while select.select([self._descriptor], [], [], wait)[0]:
            wait = 0.0
            try:
                data = os.read(self._descriptor, 65536)
            except OSError:  # The other side is closed.
                break
            if not data:
                break
            self.written += data.decode()
        return self.written

    def wait_for(self, text: str, seconds: float = 10.0) -> None:
        """Reads until a text has been written."""
        end = time.monotonic() + seconds
        while text not in self.read():
            assert time.monotonic() < end, f"{text!r} is not in {self.written!r}"

    def lines(self) -> list[str]:
        """Returns the lines that are seen now, without blank ones at the end."""
        rows, row, column = [[" "] * self._columns], 0, 0
        for part in re.findall(r"\x1b\[[\d;?]*[A-Za-z]|.", self.read(), re.DOTALL):
            if part == "\r":
                column = 0
            elif part == "\n":
                row += 1
            elif part == "\x1b[K":
                rows[row][column:] = [" "] * (self._columns - column)
            elif part.endswith("m") and len(part) > 1:
                continue
            else:
                assert not part.startswith("\x1b"), f"an unexpected sequence: {part!r}"
                if column == self._columns:
                    row, column = row + 1, 0
                while row >= len(rows):
                    rows.append([" "] * self._columns)
                rows[row][column] = part
                column += 1
            while row >= len(rows):
                rows.append([" "] * self._columns)
        text = ["".join(cells).rstrip() for cells in rows]
        while text and not text[-1]:
            text.pop()
        return text


@contextlib.contextmanager
def terminal(columns: int) -> Iterator[tuple[IO[str], Screen]]:
    """Opens a terminal: a stream to write to, and what a person sees."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    try:
        with open(slave, "w", closefd=False) as stream:
            yield stream, Screen(master, columns)
    finally:
        os.close(slave)
        os.close(master)
