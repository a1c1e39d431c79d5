"""Checks that the quotes of a CSV file are balanced.

Arrow, like most readers, accepts any bytes: an unclosed quote turns all rows up to the next quote,
or to the end of the file, into one cell. By RFC 4180, a quoted cell begins and ends with a quote,
and quotes within it are doubled. So a closing quote is followed by a separator, a line end or the
end of the file; if anything else follows, an earlier quote was not closed.

In a cell that does not begin with a quote (5" pipe), a quote is an ordinary character, as in Arrow.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import numpy.typing as npt

from tfx_wine_ext.sources.source import GZIP_ERRORS, TableFileError, damaged, opened

# Blocks that do not fit into a core's cache are processed at half the speed.
BLOCK_BYTES = 128 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_QUOTE, _SPACE = ord('"'), ord(" ")
_SHOWN = 40
_Positions = npt.NDArray[np.int64]


class QuoteCheck:
    r"""Reads a file in parallel to its reader, and refuses it if a quote is not closed.

    It needs the memory of one block, and hardly any time if no cell is quoted. It also refuses
    bytes of 0, a byte order mark at the beginning of a later line, and an end after a quoted cell
    and a separator.

    Args:
        path: The file, plain or gzipped.
        delimiter: The separator of cells, one ASCII character.
        blocks: The bytes that the reader reads at a time. Default: they are not known.

    Attributes:
        cuts_line_end: Whether a block of the reader has ended within a line end ``\r\n`` in quotes.
        finished: Whether the whole file has been checked.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with open(f"{folder}/a.csv", "w") as file:
        ...         _ = file.write('x,y\n1,"a\n2,b\n3,c\n')
        ...     with QuoteCheck(f"{folder}/a.csv", ",") as check:
        ...         try:
        ...             check.finish()
        ...         except TableFileError as error:
        ...             print(str(error).replace(folder, "").partition(",")[0])
        /a.csv: line 2: expected a quote that closes the cell '"a'
    """

    def __init__(self, path: str, delimiter: str, blocks: int = 1 << 62) -> None:
        self.path = path
        self._blocks = blocks
        self.cuts_line_end = False
        self._separators = delimiter.encode() + b"\r\n"
        self._is_separator = np.zeros(256, np.bool_)
        self._is_separator[list(self._separators)] = True
        self._stack = contextlib.ExitStack()
        self._file, self._stream = self._stack.enter_context(opened(path))
        self._offset = 0  # Of the block in the content.
        self._inside = False  # Whether the block begins inside a quoted cell.
        self._pending = (
            False  # The last byte was a quote, which closes a cell unless another follows.
        )
        self._opened_at = 0  # Where the last quoted cell begins.
        self._tail = b"\n"  # The last bytes before the block; a file begins like a line.
        self.finished = False

    def __enter__(self) -> QuoteCheck:
        return self

    def __exit__(self, *_: Any) -> None:
        self._stack.close()

    def upto(self, position: int) -> None:
        """Checks the file up to a position (of a gzipped file, a position in its packed bytes).

        Raises:
            TableFileError: A quote is not closed, the file is not text, or it cannot be unpacked.
        """
        while not self.finished and self._file.tell() < position:
            self._next_block()

    def finish(self) -> None:
        """Checks the rest of the file.

        Raises:
            TableFileError: As for `upto`.
        """
        while not self.finished:
            self._next_block()

    def _next_block(self) -> None:
        try:
            left = self._blocks - self._offset % self._blocks
            block = self._stream.read(max(min(BLOCK_BYTES, left), len(BYTE_ORDER_MARK)))
        except GZIP_ERRORS as error:
            raise damaged(self.path, error) from error
        if not block:
            self.finished = True
            if self._inside:
                raise self._not_closed("none up to the end of the file")
            if self._tail.endswith(b'"' + self._separators[:1]):
                # Arrow would take the empty cell behind it for one in quotes: text, and no null.
                raise self._error(
                    self._offset,
                    "the end of the file after a quoted cell and a separator",
                    ("add a line end", "write the file again, if it was truncated"),
                    "a line end",
                )
            return
        if b"\0" in block:
            at = self._offset + block.index(b"\0")
            remedy = "the file is damaged or not CSV: write or copy it again"
            raise self._error(at, "a byte of 0", remedy, "text")
        if not self._offset and block.startswith(BYTE_ORDER_MARK):
            self._tail, block = b"\n", block[len(BYTE_ORDER_MARK) :]
            self._offset = len(BYTE_ORDER_MARK)
        if self._inside and self._tail[-1:] == b"\r" and block[:1] == b"\n":
            self.cuts_line_end |= self._offset % self._blocks == 0
        self._look_for_marks(block)
        if self._inside or self._pending or b'"' in block:
            self._look_at_quotes(block)
        self._offset += len(block)
        self._tail = (self._tail + block[-len(BYTE_ORDER_MARK) :])[-len(BYTE_ORDER_MARK) :]

    def _look_for_marks(self, block: bytes) -> None:
        if BYTE_ORDER_MARK[:1] not in block and BYTE_ORDER_MARK[:1] not in self._tail:
            return  # Searching for a single byte is ten times as fast.
        for part, first in ((self._tail + block[:3], -len(self._tail)), (block, 0)):
            at = part.find(BYTE_ORDER_MARK)
            while at >= 0:
                if at and part[at - 1 : at] in (b"\n", b"\r"):
                    raise self._error(
                        self._offset + first + at,
                        "a byte order mark: two files were joined here",
                        "give them as separate files",
                        "text",
                    )
                at = part.find(BYTE_ORDER_MARK, at + 1)

    def _look_at_quotes(self, block: bytes) -> None:
        content = np.frombuffer(block, np.uint8)
        at: _Positions = np.flatnonzero(content == _QUOTE)
        if not self._are_strict(content, at):
            self._look_one_by_one(block, at.tolist())

    def _are_strict(self, content: npt.NDArray[np.uint8], at: _Positions) -> bool:
        """Checks whether all quotes follow RFC 4180; if so, updates the state."""
        may_be_beside = self._is_separator.copy()
        may_be_beside[_QUOTE] = True
        if self._pending and not may_be_beside[content[0]]:
            return False
        first = int(self._inside)  # The first quote that opens or continues a cell.
        opening, closing = at[first::2], at[1 - first :: 2]
        before = content.take(opening - 1)
        if len(opening) and not opening[0]:
            before[0] = self._tail[-1]
            if before[0] == _QUOTE and not self._pending:
                return False  # The quote before it was an ordinary character.
        if not may_be_beside.take(before).all():
            return False
        behind = closing + 1
        pending = bool(len(behind) and behind[-1] == len(content))
        if not may_be_beside.take(content.take(behind[:-1] if pending else behind)).all():
            return False
        from_end = self._is_separator.take(before)[::-1]
        last = int(from_end.argmax()) if len(from_end) else 0
        if len(from_end) and from_end[last]:
            self._opened_at = self._offset + int(opening[-1 - last])
        self._inside = bool((len(at) + first) % 2)
        self._pending = pending
        return True

    def _look_one_by_one(self, block: bytes, at: list[int]) -> None:
        passed = -1
        if self._pending:
            self._pending = False
            if block[0] == _QUOTE:
                self._inside, passed = True, 0
            else:
                self._check_behind(block, 0)
        for position in at:
            if position <= passed:
                continue
            if not self._inside:
                before = block[position - 1] if position else self._tail[-1]
                if before in self._separators:
                    self._inside = True
                    self._opened_at = self._offset + position
            elif position + 1 == len(block):
                self._inside, self._pending = False, True
            elif block[position + 1] == _QUOTE:
                passed = position + 1
            else:
                self._check_behind(block, position + 1)
                self._inside = False

    def _check_behind(self, block: bytes, position: int) -> None:
        """Refuses a quote that is followed by anything but spaces and a separator."""
        end = position
        while end < len(block) and block[end] == _SPACE:
            end += 1
        if end < len(block) and block[end] not in self._separators:
            line = self._line(self._offset + position)
            raise self._not_closed(f"{block[position : position + 20]!r} after one in line {line}")

    def _not_closed(self, found: str) -> TableFileError:
        start = b""
        with opened(self.path) as (_, stream):
            stream.seek(self._opened_at)
            start = stream.read(_SHOWN)
        shown = start.splitlines()[0].decode("utf-8", "backslashreplace")
        remedy = "close it, or put the cell in quotes and double each quote within it"
        expected = f"a quote that closes the cell {shown!r}"
        return self._error(self._opened_at, found, remedy, expected)

    def _error(
        self, offset: int, found: str, remedies: str | tuple[str, ...], expected: str
    ) -> TableFileError:
        line = self._line(offset)
        return TableFileError(
            found, remedies, path=self.path, row=line, unit="line", expected=expected
        )

    def _line(self, offset: int) -> int:
        """Returns the number of the line at an offset of the content."""
        line, left, last = 1, offset, b""
        with opened(self.path) as (_, stream):
            while left > 0 and (block := stream.read(min(left, BLOCK_BYTES))):
                line += _line_ends(block) - (last == b"\r" and block.startswith(b"\n"))
                left -= len(block)
                last = block[-1:]
        return line


def _line_ends(block: bytes) -> int:
    return block.count(b"\n") + block.count(b"\r") - block.count(b"\r\n")


def longest_row(path: str) -> int:
    r"""Returns the length in bytes of the longest row of a CSV file, with a two-byte line end.

    Args:
        path: The file, plain or gzipped, with balanced quotes.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with open(f"{folder}/a.csv", "w") as file:
        ...         _ = file.write('x,y\n1,"a\nb"\n')
        ...     longest_row(f"{folder}/a.csv")
        9
    """
    longest = done = start = quotes = 0
    with opened(path) as (_, stream):
        while block := stream.read(BLOCK_BYTES):
            content = np.frombuffer(block, np.uint8)
            at = np.flatnonzero(content == _QUOTE)
            ends = np.flatnonzero((content == 10) | (content == 13))
            ends = ends[(quotes + np.searchsorted(at, ends)) % 2 == 0]
            if len(ends):
                rows = np.diff(done + ends, prepend=start - 1)
                longest = max(longest, int(rows.max()))
                start = done + int(ends[-1]) + 1
            quotes += len(at)
            done += len(block)
    return max(longest, done - start) + 1
