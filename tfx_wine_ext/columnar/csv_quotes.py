"""Whether the quotes of a CSV file can be what its writer meant.

Arrow, like most readers, takes any bytes: a quote that nobody closed makes one cell of all rows up
to the next quote, or to the end of the file. RFC 4180 says where quotes can be: a cell begins and
ends with one, and one within it is doubled. So a quote that closes a cell has a separator, a line
end or the end of the file behind it; where there is anything else, the cell was not meant to reach
that far.

A quote within a cell that does not begin with one (5" pipe) is a character like any other, and so
it is for Arrow: nothing is lost by it.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import numpy.typing as npt

from tfx_wine_ext.columnar.table_source import GZIP_ERRORS, TableFileError, damaged, opened

# Half as fast with blocks that do not fit into a core's cache.
BLOCK_BYTES = 128 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_QUOTE, _SPACE = ord('"'), ord(" ")
_SHOWN = 40
_Positions = npt.NDArray[np.int64]


class QuoteCheck:
    r"""Reads a file beside its reader, and refuses it where a quote is not closed.

    It needs the memory of a block and, where no cell is quoted, hardly any time. It also refuses
    what a text cannot have: bytes of 0, and a byte order mark at the beginning of a later line.

    Args:
        path: The file, plain or gzipped.
        delimiter: The separator of cells, one ASCII character.

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

    def __init__(self, path: str, delimiter: str) -> None:
        self.path = path
        self._separators = delimiter.encode() + b"\r\n"
        self._is_separator = np.zeros(256, np.bool_)
        self._is_separator[list(self._separators)] = True
        self._stack = contextlib.ExitStack()
        self._file, self._stream = self._stack.enter_context(opened(path))
        self._offset = 0  # Of the content, up to the block.
        self._inside = False  # A quoted cell.
        self._pending = False  # The last byte was a quote that closes it, unless one comes next.
        self._opened_at = 0  # Where the last quoted cell begins.
        self._tail = b"\n"  # The last bytes before the block; a file begins like a line.
        self.finished = False

    def __enter__(self) -> QuoteCheck:
        return self

    def __exit__(self, *_: Any) -> None:
        self._stack.close()

    def upto(self, position: int) -> None:
        """Looks at the file up to a position in it: of a gzipped one, among its packed bytes.

        Raises:
            TableFileError: A quote is not closed, or the file is no text or cannot be unpacked.
        """
        while not self.finished and self._file.tell() < position:
            self._next_block()

    def finish(self) -> None:
        """Looks at the rest of the file.

        Raises:
            TableFileError: As for `upto`.
        """
        while not self.finished:
            self._next_block()

    def _next_block(self) -> None:
        try:
            block = self._stream.read(max(BLOCK_BYTES, len(BYTE_ORDER_MARK)))
        except GZIP_ERRORS as error:
            raise damaged(self.path, error) from error
        if not block:
            self.finished = True
            if self._inside:
                raise self._not_closed("none up to the end of the file")
            return
        if b"\0" in block:
            at = self._offset + block.index(b"\0")
            raise TableFileError(
                f"{self.path}: line {self._line(at)}: expected text, found a byte of 0; the file "
                "is damaged or no CSV: write or copy it again"
            )
        if not self._offset and block.startswith(BYTE_ORDER_MARK):
            self._tail, block = b"\n", block[len(BYTE_ORDER_MARK) :]
            self._offset = len(BYTE_ORDER_MARK)
        self._look_for_marks(block)
        if self._inside or self._pending or b'"' in block:
            self._look_at_quotes(block)
        self._offset += len(block)
        self._tail = (self._tail + block[-len(BYTE_ORDER_MARK) :])[-len(BYTE_ORDER_MARK) :]

    def _look_for_marks(self, block: bytes) -> None:
        if BYTE_ORDER_MARK[:1] not in block and BYTE_ORDER_MARK[:1] not in self._tail:
            return  # Looking for one byte takes a tenth of the time.
        for part, first in ((self._tail + block[:3], -len(self._tail)), (block, 0)):
            at = part.find(BYTE_ORDER_MARK)
            while at >= 0:
                if at and part[at - 1 : at] in (b"\n", b"\r"):
                    line = self._line(self._offset + first + at)
                    raise TableFileError(
                        f"{self.path}: line {line}: found a byte order mark, which only a file "
                        "begins with: two files were joined here; give them as two"
                    )
                at = part.find(BYTE_ORDER_MARK, at + 1)

    def _look_at_quotes(self, block: bytes) -> None:
        content = np.frombuffer(block, np.uint8)
        at: _Positions = np.flatnonzero(content == _QUOTE)
        if not self._are_strict(content, at):
            self._look_one_by_one(block, at.tolist())

    def _are_strict(self, content: npt.NDArray[np.uint8], at: _Positions) -> bool:
        """Whether all quotes are as RFC 4180 has them; if so, takes note of them."""
        may_be_beside = self._is_separator.copy()
        may_be_beside[_QUOTE] = True
        if self._pending and not may_be_beside[content[0]]:
            return False
        first = int(self._inside)  # Of the quotes that open a cell, or go on with it.
        opening, closing = at[first::2], at[1 - first :: 2]
        before = content.take(opening - 1)
        if len(opening) and not opening[0]:
            before[0] = self._tail[-1]
            if before[0] == _QUOTE and not self._pending:
                return False  # One that is a character like any other was before it.
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
        """Refuses a quote that has other things behind it than a separator; spaces do no harm."""
        end = position
        while end < len(block) and block[end] == _SPACE:
            end += 1
        if end < len(block) and block[end] not in self._separators:
            line = self._line(self._offset + position)
            raise self._not_closed(f"{block[position : position + 20]!r} behind one in line {line}")

    def _not_closed(self, found: str) -> TableFileError:
        start = b""
        with opened(self.path) as (_, stream):
            stream.seek(self._opened_at)
            start = stream.read(_SHOWN)
        shown = start.splitlines()[0].decode("utf-8", "backslashreplace")
        return TableFileError(
            f"{self.path}: line {self._line(self._opened_at)}: expected a quote that closes the "
            f"cell {shown!r}, found {found}; close it, or put the cell in quotes and double each "
            "quote within it"
        )

    def _line(self, offset: int) -> int:
        """Returns the number of the line that a place of the content is in."""
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
    r"""Returns the bytes of the longest row of a CSV file, with a line end of two bytes.

    Args:
        path: The file, plain or gzipped, with quotes that are closed.

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
