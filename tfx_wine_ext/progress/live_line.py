"""A line on a terminal that is rewritten every second."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO

from tfx_wine_ext.printable import printable

# Without a terminal, the first line about continuing work appears after this time, the next one
# after twice this time, and so on, so that a log of many hours has few such lines.
LONG_SECONDS = 60.0


class LiveLine:
    """Shows the current work in one line, and prints other lines above it.

    On a terminal, the line is rewritten every second and cut to the terminal's width. The cursor
    stays at its beginning, so that lines of other writers overwrite it. The cursor is never hidden,
    so nothing needs to be restored, however the process ends. Elsewhere (a file, a pipe,
    TERM=dumb), no control sequence is written, and the line appears only during long work: after
    one minute, two, four and so on.

    Args:
        stream: Where to write. Nothing is written if it is None or closed.
        interval: Seconds between two updates on a terminal.
        long: Seconds until the line first appears if the output is no terminal.

    Example:
        >>> import sys
        >>> with LiveLine(sys.stdout) as line:
        ...     line.show(lambda: "reading ...")
        ...     line.print("read 3 files")
        read 3 files
    """

    def __init__(
        self, stream: IO[str] | None, interval: float = 1.0, long: float = LONG_SECONDS
    ) -> None:
        """Starts with nothing to show."""
        can_clear = os.environ.get("TERM", "") not in ("", "dumb", "unknown")
        self.is_live = can_clear and _is_terminal(stream)
        self._stream = stream
        self._interval = interval
        self._long = long
        self._text: Callable[[], str] | None = None
        self._since = 0.0
        self._next = long
        self._is_shown = False
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def show(self, text: Callable[[], str] | None) -> None:
        """Shows a text until the next call.

        Args:
            text: A function that returns the text and is called for each update; None shows
                nothing.
        """
        with self._lock:
            self._text = text
            self._since, self._next = time.monotonic(), self._long
            if self.is_live:
                self._draw()
            if text is not None and self._thread is None:
                self._thread = threading.Thread(
                    target=self._keep_showing, name="progress", daemon=True
                )
                self._thread.start()

    def print(self, text: str, *, alarm: bool = False) -> None:
        """Prints a permanent line without folding it, so that it can be copied.

        Args:
            text: The line.
            alarm: Whether to print it in red if colours are available (NO_COLOR is not set).
        """
        with self._lock:
            self._clear()
            text = printable(text)
            red = alarm and self.is_live and not os.environ.get("NO_COLOR")
            self._write(f"\x1b[1;31m{text}\x1b[0m\n" if red else f"{text}\n")

    def close(self) -> None:
        """Stops the updates and clears the line."""
        self._ended.set()
        with self._lock:
            self._text = None
            self._clear()

    def __enter__(self) -> LiveLine:
        """Returns itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Closes it."""
        self.close()

    def _keep_showing(self) -> None:
        while not self._ended.wait(self._interval):
            with self._lock:
                if self._ended.is_set() or self._text is None:
                    continue
                if self.is_live:
                    self._draw()
                elif time.monotonic() - self._since >= self._next:
                    self._next *= 2
                    self._write(f"{self._called()}\n")

    def _draw(self) -> None:
        self._clear()
        text = self._called()
        if text:
            from rich.cells import set_cell_size

            # Some terminals move to the next line after the last column.
            width = max(self._width() - 1, 1)
            self._write(f"{set_cell_size(text, width).rstrip()}\r")
            self._is_shown = True

    def _called(self) -> str:
        try:
            return printable(self._text()) if self._text is not None else ""
        except Exception:  # A failed display is not worth a failure of the work.
            return ""

    def _clear(self) -> None:
        if self._is_shown:
            self._write("\r\x1b[K")
            self._is_shown = False

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80  # type: ignore[union-attr]
        except (AttributeError, OSError, ValueError):
            return 80

    def _write(self, text: str) -> None:
        # If the reader is gone or the encoding lacks a character, the work continues.
        with contextlib.suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.write(text)
                self._stream.flush()


def _is_terminal(stream: IO[str] | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, OSError, ValueError):  # Closed, or no complete file object.
        return False


@contextlib.contextmanager
def ticking(stream: IO[str], text: str, *, elsewhere: bool = True) -> Iterator[None]:
    """Shows on a terminal what is being done and for how many seconds; clears the line afterwards.

    Args:
        stream: Where to write.
        text: A description of the work.
        elsewhere: Whether to print the text once, at the start, if the stream is no terminal.

    Example:
        >>> import sys
        >>> with ticking(sys.stdout, "loading ..."):
        ...     import json
        loading ...
    """
    started = time.monotonic()
    with LiveLine(stream) as line:
        if line.is_live:
            line.show(lambda: f"{text} {duration(time.monotonic() - started)}")
        elif elsewhere:
            line.print(text)
        yield


def duration(seconds: float) -> str:
    """Returns a time in words, to the second.

    Example:
        >>> duration(7.9), duration(75), duration(3725)
        ('7 s', '1 min 15 s', '1 h 02 min')
    """
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
