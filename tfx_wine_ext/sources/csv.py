"""CSV files as a table, streamed by Arrow, with one type for each column across all files."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import BinaryIO, NoReturn

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from tfx_wine_ext.errors import Advice, Option, Remedy
from tfx_wine_ext.files.choose import FilesByScheme, files_for, has_scheme
from tfx_wine_ext.sources.csv_quotes import BYTE_ORDER_MARK, QuoteCheck, longest_row
from tfx_wine_ext.sources.source import (
    BUFFER_BYTES,
    GZIP_ERRORS,
    SchemaChangedError,
    TableFileError,
    WholeFiles,
    damaged,
    file_state,
    limited,
    one_line,
    opened,
    opening,
    pool_for,
    raw,
    unchanged,
)

DELIMITERS = ",;\t|"
# The size of the blocks that Arrow parses; the first block of each file suggests the types. It
# grows for a file with a longer row, since a row must fit into one block.
BLOCK_BYTES = 1024 * 1024
MOST_BLOCK_BYTES = 2**31 - 1
# With larger blocks, types are inferred from all values instead of the first ones.
MOST_GUESSED_BYTES = 16 * 1024 * 1024
# Longer values are text, even if they consist of digits.
MOST_NUMBER_BYTES = 1000
_CONTRADICTION = re.compile(r"In CSV column #(\d+): CSV conversion error to ([^:]+): (.*)", re.S)
_TSV = re.compile(r"\.tsv(\.gz|\.zst)?$", re.I)
# Arrow's messages for a row, or a header line, that is longer than a block.
_STRADDLING, _NO_LINE = "straddling object", "cannot infer number of columns"


class CsvTable(WholeFiles):
    r"""CSV files with a header line, plain or packed, in UTF-8 (text cells may be any bytes).

    The separator is the most frequent of comma, semicolon, tab and bar in the header line; in a
    file named ``.tsv`` it is the tab. An
    unquoted cell that is empty or holds ``NA``, ``NaN``, ``null`` or another of Arrow's null values
    is null. A quoted cell may contain line breaks and doubled quotes; see `QuoteCheck` for what is
    refused.

    Types are inferred from the first megabyte of all files: numbers, including integers, are
    float64; booleans, dates and times are what Arrow infers; everything else is bytes. A column
    whose type differs between files is bytes, except that dates and times together are times. If a
    column has no value there, or a later value does not fit (`SchemaChangedError`), the type is
    inferred from all rows: float64 if every value is a number, else bytes.

    `settle` infers the types from all rows, and has int64 for a column of integers that fit.

    Args:
        paths: The files.
        reads: Whether a column is read.
        keeps_text: Whether a column is bytes, whatever its values look like. Default: none is.

    Raises:
        TableFileError: A file is not CSV, its header line is missing or ambiguous, or there are no
            rows.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with open(f"{folder}/a.csv", "w") as file:
        ...         _ = file.write("x;y\n1;a\n;b\n")
        ...     [batch.to_pydict() for batch in CsvTable([f"{folder}/a.csv"], bool).batches()]
        [{'x': [1.0, None], 'y': [b'a', b'b']}]
    """

    kind = "csv"
    structs: Mapping[str, Sequence[str]] = MappingProxyType({})
    rows = None
    names_are_complete = True

    def __init__(
        self,
        paths: Sequence[str],
        reads: Callable[[str], bool],
        keeps_text: Callable[[str], bool] = lambda name: False,
    ) -> None:
        self.paths = paths
        self._files = FilesByScheme()
        self._states = {path: file_state(path, self._files) for path in paths}
        self.position = 0
        self._headers = {path: _header(path, reads) for path in paths}
        names = dict.fromkeys(name for header in self._headers.values() for name in header.names)
        self.names: Sequence[str] = list(names)
        self._types: dict[str, pa.DataType] = {}
        self._looked_at: set[str] = set()
        self._blocks = dict.fromkeys(paths, BLOCK_BYTES)
        self._checked: set[str] = set()
        self._without_rows: set[str] = set()
        self._wanted = [name for name in self.names if reads(name)]
        self._texts = {name for name in self._wanted if keeps_text(name)}
        # Whether integers have a type of their own, and whether types are those of all values.
        self._has_integers = self._is_settled = False
        self._infer()

    def _infer(self) -> None:
        """Infers the types from the first block of each file."""
        self._types.clear()
        self._looked_at.clear()
        self._without_rows.clear()
        any_rows = False
        for path in self.paths:
            types, has_rows = self._first_types(path)
            any_rows |= has_rows
            if not has_rows:
                self._without_rows.add(path)
            for name in self._wanted:
                if name in types and has_rows:
                    known = self._types.get(name, types[name])
                    self._types[name] = _common_type(known, types[name])
        if not any_rows:
            paths = self.paths
            few = paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
            raise TableFileError("none", path=few, expected="rows of data after the header line")
        for name in self._wanted:
            self._types.setdefault(name, pa.null())
        self._types.update(dict.fromkeys(self._texts, pa.binary()))
        self._look_at_all([name for name in self._wanted if pa.types.is_null(self._types[name])])

    def settle(self) -> None:
        """Infers the types from all rows; a column of integers becomes int64.

        Raises:
            TableFileError: See `batches`.
        """
        if self._is_settled:
            return
        self._has_integers = True
        self._infer()
        while True:
            try:
                for _ in self._batches(dict(self._types)):
                    pass
                break
            except SchemaChangedError:
                continue
        self._is_settled = True

    @property
    def schema(self) -> pa.Schema:
        """The columns that are read, in the order of their first appearance."""
        return pa.schema([(name, self._types[name]) for name in self.names if name in self._types])

    @property
    def whole(self) -> pa.Schema:
        """All columns; those that are not read are null, as their types are unknown."""
        return pa.schema([(name, self._types.get(name, pa.null())) for name in self.names])

    def batches(
        self, columns: pa.Schema | None = None, rows: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yields all rows in order; see `TableSource`.

        Args:
            columns: Some of the columns. Default: all.
            rows: The most rows of a batch. Default: those of a block of the file.

        Raises:
            SchemaChangedError: A column did not have the type that its first values suggested; its
                type has been corrected. Read again from the start.
            TableFileError: A row has too few or too many cells, a quote is not closed, or a file
                cannot be unpacked; or the file changed after `settle`.
        """
        self.position = 0
        try:
            for batch in self._batches(dict(self._types)):
                yield from limited(batch, columns, rows)
                del batch
        except SchemaChangedError as error:
            if not self._is_settled:
                raise
            path = self.part.path if self.part else self.paths[0]
            found = "a value of another type: it changed after the run had begun"
            raise TableFileError(found, "run again", path=path) from error

    def _batches(self, types: dict[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
        names = [name for name in self.names if name in types]
        options = pa_csv.ConvertOptions(
            include_columns=names,
            include_missing_columns=True,
            column_types=types,
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        done = 0
        for path in self.paths:
            if path in self._without_rows:
                done += self._states[path].size
                continue
            try:
                with contextlib.ExitStack() as stack:
                    file, batches = stack.enter_context(self._reader(path, options))
                    check = None
                    if path not in self._checked:
                        delimiter, blocks = self._headers[path].delimiter, self._blocks[path]
                        check = stack.enter_context(QuoteCheck(path, delimiter, blocks))
                    for batch in batches:
                        position = file.tell()
                        if check:
                            check.upto(position)
                            self._avoid_cuts(path, check)
                        self.position = done + position
                        self.part = self._part(path)
                        yield batch
                        del batch
                    if check:
                        check.finish()
                        self._avoid_cuts(path, check)
                        self._checked.add(path)
            except pa.ArrowInvalid as error:
                contradiction = _CONTRADICTION.match(str(error))
                if contradiction is None:
                    self._explain(path, error)
                    raise SchemaChangedError from error
                column = self._headers[path].names[int(contradiction.group(1))]
                if column in self._looked_at:  # Arrow's CSV reader is stricter than its casts.
                    self._types[column] = pa.binary()
                else:
                    self._look_at_all([column])
                raise SchemaChangedError from error
            except GZIP_ERRORS as error:
                raise damaged(path, error) from error
            done += self._states[path].size
            self.position = done

    def _avoid_cuts(self, path: str, check: QuoteCheck) -> None:
        r"""Makes blocks larger if one ends within ``\r\n`` in quotes: Arrow loses such a ``\n``."""
        if not check.cuts_line_end:
            return
        if self._blocks[path] * 2 > MOST_BLOCK_BYTES:
            raise TableFileError(
                r"cells with \r\n, one of which Arrow would cut",
                (r"write \n in its place", "split the file", "write the table as Parquet"),
                path=path,
            )
        self._blocks[path] *= (
            2  # Blocks twice as large end where some of these do, and nowhere else.
        )
        raise SchemaChangedError

    @contextlib.contextmanager
    def _reader(
        self, path: str, options: pa_csv.ConvertOptions
    ) -> Iterator[tuple[pa.NativeFile, Iterator[pa.RecordBatch]]]:
        """Opens a file with Arrow; yields the file, for its position, and its batches."""
        # Arrow's file is not closed here. Its threads may be reading ahead, also after an error:
        # what they read from a closed file is read from the next one that is opened, which gets its
        # number. It is closed when nobody uses it any more.
        file = _arrow_file(path)
        # Opened after Arrow's, so that a file that was replaced before is noticed.
        with raw(path) as (seen, codec), unchanged(path, self._states[path], seen):
            reader = pa_csv.open_csv(
                _content(path, file, codec),
                pa_csv.ReadOptions(block_size=self._blocks[path]),
                pa_csv.ParseOptions(
                    delimiter=self._headers[path].delimiter, newlines_in_values=True
                ),
                options,
                pool_for(self._blocks[path]),
            )
            yield file, (batch for batch in reader if batch.num_rows)

    def _first_types(self, path: str) -> tuple[dict[str, pa.DataType], bool]:
        """Returns the types that the first block of a file suggests, and whether it has rows."""
        names = self._headers[path].names
        while True:
            # Inferring the type of a cell of some megabytes takes Arrow seconds.
            guesses = self._blocks[path] <= MOST_GUESSED_BYTES
            options = pa_csv.ConvertOptions(
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                column_types=None if guesses else dict.fromkeys(names, pa.binary()),
            )
            try:
                with self._reader(path, options) as (_, batches):
                    batch = next(batches, None)
                break
            except pa.ArrowInvalid as error:
                if _NO_LINE in str(error) and self._blocks[path] >= longest_row(path):
                    batch = None  # Only a header line without a line end, which Arrow rejects.
                    break
                self._explain(path, error)
            except GZIP_ERRORS as error:
                raise damaged(path, error) from error
        if batch is None or not guesses:
            return dict.fromkeys(names, pa.null()), batch is not None
        return {
            field.name: _inferred(field.type, self._has_integers) for field in batch.schema
        }, True

    def _look_at_all(self, names: Sequence[str]) -> None:
        """Infers the types of columns from all of their values."""
        if not names:
            return
        while True:
            integers = dict.fromkeys(names, self._has_integers)
            numbers = dict.fromkeys(names, True)
            empty = dict.fromkeys(names, True)
            try:
                for batch in self._batches(dict.fromkeys(names, pa.binary())):
                    for name in names:
                        values = pc.drop_null(batch.column(batch.schema.get_field_index(name)))
                        empty[name] &= not len(values)
                        integers[name] = integers[name] and _are(values, pa.int64())
                        numbers[name] = numbers[name] and _are(values, pa.float64())
                        del values
                    del batch  # Before the next one is read.
                break
            except SchemaChangedError:  # Not the types, which any value has: blocks are larger now.
                continue
        self._looked_at.update(names)
        for name in names:
            number = pa.int64() if integers[name] else pa.float64()
            self._types[name] = (
                pa.null() if empty[name] else number if numbers[name] else pa.binary()
            )

    def _explain(self, path: str, error: pa.ArrowInvalid) -> None:
        """Explains why Arrow cannot read a file; returns if larger blocks solve it."""
        header = self._headers[path]
        with QuoteCheck(path, header.delimiter) as check:
            check.finish()
        if _STRADDLING in str(error) or _NO_LINE in str(error):  # A row is longer than a block.
            longest = longest_row(path)
            if self._blocks[path] < longest <= MOST_BLOCK_BYTES:
                self._blocks[path] = longest
                return
            if longest > MOST_BLOCK_BYTES:
                raise TableFileError(
                    f"one of {longest} bytes",
                    ("remove large values", "write the table as Parquet"),
                    path=path,
                    expected="rows of at most 2 GiB",
                ) from error
        self._explain_by_rows(path, error)

    def _explain_by_rows(self, path: str, error: pa.ArrowInvalid) -> NoReturn:
        """Raises an error for the first row with another number of cells than the header line."""
        header = self._headers[path]
        with opened(path) as (_, stream), _cells_of_any_length():
            text = io.TextIOWrapper(stream, "utf-8-sig", "replace", newline="")
            reader = csv.reader(text, delimiter=header.delimiter)
            line = 1
            for row in reader:
                if row and len(row) != len(header.names):
                    shown = header.delimiter.join(cell[:80] for cell in row[:80])[:80]
                    raise TableFileError(
                        f"{len(row)}: {shown!r}",
                        "correct the line",
                        path=path,
                        row=line,
                        unit="line",
                        expected=f"{len(header.names)} cells as in the header line",
                    ) from error
                line = reader.line_num + 1
        raise TableFileError(
            one_line(error)[:300],
            ("correct the file", Remedy(Option.FORMAT)),
            path=path,
            expected="a CSV file",
        ) from error


# The limit of Python's csv module for a cell is one of the process.
_CELL_LIMIT = threading.Lock()


@contextlib.contextmanager
def _cells_of_any_length() -> Iterator[None]:
    """Lifts the limit of Python's csv module for a cell, 131,072 characters, in one thread."""
    with _CELL_LIMIT:
        limit = csv.field_size_limit(sys.maxsize)
        try:
            yield
        finally:
            csv.field_size_limit(limit)


def _arrow_file(path: str) -> pa.NativeFile:
    """Opens a file for Arrow.

    Arrow reads ahead in its own thread. Reading a Python file there would need the interpreter, and
    would abort or hang at exit if reading ends before the file does.
    """
    with opening(path):
        if not has_scheme(path):
            return pa.OSFile(path)
        file = files_for(path).open(path)
        if isinstance(file, pa.NativeFile):
            return file
        with file:  # A Python file of TensorFlow's.
            return pa.BufferReader(file.read())


def _content(path: str, file: pa.NativeFile, codec: str | None) -> pa.NativeFile:
    """Returns the content of a file that may be packed."""
    stream = pa.BufferedInputStream(file, BUFFER_BYTES) if has_scheme(path) else file
    return pa.CompressedInputStream(stream, codec) if codec else stream


class _Header:
    """The header line of a file: its separator and names."""

    def __init__(self, delimiter: str, names: list[str]) -> None:
        self.delimiter = delimiter
        self.names = names


def _header(path: str, reads: Callable[[str], bool]) -> _Header:
    """Reads and checks the header line."""
    with opened(path) as (_, stream):
        try:
            head = stream.read(BLOCK_BYTES)
            _check_head(path, head)
            start = head.removeprefix(BYTE_ORDER_MARK).lstrip(b"\r\n")
            line = re.split(rb"[\r\n]", start, maxsplit=1)[0]
            outside_quotes = re.sub(rb'"[^"]*"', b"", line)
            delimiter = max(DELIMITERS, key=lambda char: outside_quotes.count(char.encode()))
            if _TSV.search(path):
                delimiter = "\t"
            row = _first_row(path, start, stream, delimiter)
        except GZIP_ERRORS as error:
            raise damaged(path, error) from error
    try:
        text = row.decode()
    except UnicodeDecodeError as error:
        found = row[max(error.start - 20, 0) : error.start + 20]
        raise _header_error(
            path,
            "column names in UTF-8",
            f"the byte 0x{row[error.start]:02x} in {found!r}",
            "save the file as UTF-8",
        ) from error
    with _cells_of_any_length():
        names = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    _check_names(path, names, reads)
    return _Header(delimiter, names)


def _check_head(path: str, head: bytes) -> None:
    """Refuses a file whose first bytes are not CSV."""
    text = head.removeprefix(BYTE_ORDER_MARK)
    if not text.strip():
        raise TableFileError(
            "an empty file",
            ("write it again", "leave it out"),
            path=path,
            expected="a line of column names",
        )
    found = None
    remedies: tuple[Advice, ...]
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        found, remedies = "UTF-16 text", ("save it as UTF-8",)
    elif b"\0" in head:
        found, remedies = "binary data", (Remedy(Option.FORMAT), "leave the file out")
    elif text.startswith(BYTE_ORDER_MARK):
        found, remedies = "two byte order marks", ("save it as UTF-8 again",)
    elif text.lstrip().startswith((b"<", b"{", b"[")):
        found, remedies = "a web page, XML or JSON", ("write the table as CSV or Parquet",)
    if found:
        raise _header_error(path, "CSV", found, *remedies)


def _first_row(path: str, start: bytes, stream: BinaryIO, delimiter: str) -> bytes:
    """Returns the first row; it may contain quoted line breaks, and be longer than `start`."""
    pieces: list[bytes] = []
    quotes, block = 0, start
    while block:
        begin = 0
        for end in re.finditer(rb"[\r\n]", block):
            quotes += block.count(b'"', begin, end.start())
            begin = end.start()
            if quotes % 2 == 0:
                return b"".join([*pieces, block[:begin]])
        quotes += block.count(b'"', begin)
        if quotes % 2 and not pieces:  # An unclosed quote may reach to the end of a large file.
            with QuoteCheck(path, delimiter) as check:
                check.finish()
        pieces.append(block)
        block = stream.read(BLOCK_BYTES)
    return b"".join(pieces)


def _check_names(path: str, names: list[str], reads: Callable[[str], bool]) -> None:
    counts = Counter(names)
    twice = sorted(name for name in counts if counts[name] > 1 and reads(name))
    if "" in twice or ("" in counts and reads("")):
        raise _header_error(
            path,
            "a name for every column",
            f"none for column {names.index('') + 1}",
            "name it (pandas writes its index so: use index=False)",
            Remedy(Option.EXCLUDE_COLUMNS, ("",)),
        )
    # pandas gives unnamed columns ascending numbers as names.
    counting = [str(i) for i in range(len(names))]
    if names != counting and all(map(_is_number, names)):
        numbers = ", ".join(names[:80])[:80]
        raise _header_error(path, "column names", f"only numbers: {numbers}", "add a header line")
    if twice:
        shown = f"{twice[:10]}{' and more' if len(twice) > 10 else ''}"
        raise _header_error(
            path, "every column once", f"{shown} more than once", "rename or drop one of them"
        )


def _header_error(path: str, expected: str, found: str, *remedies: Advice) -> TableFileError:
    return TableFileError(found, remedies, path=path, row=1, unit="line", expected=expected)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _inferred(type_: pa.DataType, has_integers: bool) -> pa.DataType:
    if pa.types.is_integer(type_):
        return pa.int64() if has_integers else pa.float64()
    if type_ == pa.timestamp("s"):
        return pa.timestamp("us")  # A later one may have fractions of a second.
    return pa.binary() if pa.types.is_string(type_) else type_


def _common_type(first: pa.DataType, second: pa.DataType) -> pa.DataType:
    """Returns the type of a column that has different types in two files.

    Example:
        >>> _common_type(pa.null(), pa.float64()), _common_type(pa.bool_(), pa.float64())
        (DataType(double), DataType(binary))
    """
    if first == second or pa.types.is_null(second):
        return first
    if pa.types.is_null(first):
        return second
    if {first, second} == {pa.int64(), pa.float64()}:
        return pa.float64()
    # From the coarsest to the finest: each can hold the values of those before it.
    times = [pa.date32(), pa.timestamp("us"), pa.timestamp("ns")]
    if first in times and second in times:
        return max(first, second, key=times.index)
    return pa.binary()


def _are(values: pa.Array, type_: pa.DataType) -> bool:
    """Tells whether all values are numbers of a type."""
    if (pc.max(pc.binary_length(values)).as_py() or 0) > MOST_NUMBER_BYTES:
        return False
    try:
        pc.utf8_trim_whitespace(values.cast(pa.string())).cast(type_)
    except pa.ArrowInvalid:
        return False
    return True
