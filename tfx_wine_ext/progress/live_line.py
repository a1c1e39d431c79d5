"""A line on a terminal that is written anew each second."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO

# Without a terminal, the first line about work that goes on comes after this time, the next one
# after twice the time, and so on: a log of many hours has few of them.
LONG_SECONDS = 60.0


class LiveLine:
    """Shows what is going on in one line, and prints lines above it.

    On a terminal the line is written anew each second, cut to the terminal's width, and leaves
    the cursor where it began, so that lines that others write overwrite it. The cursor is never
    hidden: whatever ends the process, there is nothing to restore. Elsewhere (a file, a pipe,
    TERM=dumb) no control sequence is written, and the line appears only while work takes long:
    after one minute, two, four and so on.

    Args:
        stream: Where to write. Nothing is written if it is None or closed.
        interval: Seconds between two updates on a terminal.
        long: Seconds after which it is first said elsewhere that work goes on.

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
        """Shows a text from now on.

        Args:
            text: Is called each time. None: nothing is shown.
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
        """Prints a line that stays. It is not folded, so that it can be copied as it is.

        Args:
            text: The line.
            alarm: Whether to print it in red, where there are colours (NO_COLOR is not set).
        """
        with self._lock:
            self._clear()
            text = _printable(text)
            red = alarm and self.is_live and not os.environ.get("NO_COLOR")
            self._write(f"\x1b[1;31m{text}\x1b[0m\n" if red else f"{text}\n")

    def close(self) -> None:
        """Ends the showing and clears the line."""
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

            # In the last column some terminals go to the next line.
            width = max(self._width() - 1, 1)
            self._write(f"{set_cell_size(text, width).rstrip()}\r")
            self._is_shown = True

    def _called(self) -> str:
        try:
            return _printable(self._text()) if self._text is not None else ""
        except Exception:  # What is shown is not worth a failure.
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
        # The reader may be gone, and the stream may lack a character: the work goes on.
        with contextlib.suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.write(text)
                self._stream.flush()


def _is_terminal(stream: IO[str] | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except (AttributeError, OSError, ValueError):  # It is closed, or no whole file object.
        return False


def _printable(text: str) -> str:
    """Returns one line that cannot move the cursor: names of components and splits are free."""
    return "".join(
        x if x.isprintable() else x.encode("unicode_escape").decode("ascii") for x in text
    )


@contextlib.contextmanager
def ticking(stream: IO[str], text: str, *, elsewhere: bool = True) -> Iterator[None]:
    """Shows on a terminal what is being done, and for how many seconds; the line goes afterwards.

    Args:
        stream: Where to write.
        text: What is being done.
        elsewhere: Whether to print the text once, at the start, where there is no terminal.

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
    """Returns a time in words, exact to the second.

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
