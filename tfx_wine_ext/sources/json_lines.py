"""JSON lines as a source of rows: types are inferred from all values, then blocks are parsed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.json

from tfx_wine_ext.columnar.arrow_types import is_list
from tfx_wine_ext.columnar.widening import wider_type
from tfx_wine_ext.errors import Option, Remedy
from tfx_wine_ext.files.local import Files
from tfx_wine_ext.sources.csv_quotes import BYTE_ORDER_MARK
from tfx_wine_ext.sources.file_table import FileTable, conform
from tfx_wine_ext.sources.footers import Footer, RowGroup
from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.source import (
    GZIP_ERRORS,
    TableFileError,
    batch_of,
    damaged,
    limited,
    one_line,
    opened,
    pool_for,
)
from tfx_wine_ext.sources.stamps import state_of

# Bytes that are parsed at a time; a longer line makes its block longer.
BLOCK_BYTES = 4 * 1024 * 1024
MOST_LINE_BYTES = 2**31 - 4096
# Arrow, which goes into arrays and objects by calls, ends the process at some ten thousand.
MOST_DEPTH = 100
_SHOWN = 80
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"')
# Some releases of Arrow end without an error at a comma or bracket after an object; this tells.
_END_NAME = "\0end"
_END = b'{"\\u0000end":0}'


class JsonTable(FileTable):
    """Files with one JSON object in each line, plain or packed; see `FileTable`.

    The types are those of JSON, inferred from all rows of all files: a column is int64 if all of
    its numbers are integers of 64 bits, else float64; text stays text, even if it looks like a
    date; objects are structs and arrays lists. A column is null in a row or a file that lacks it.
    Blank lines are skipped.

    Raises:
        TableFileError: See `FileTable`; or a line is no object, or has another type than earlier
            ones: the error names the line.
    """

    kind = "json"
    by_columns = False

    @classmethod
    def open(cls, paths: Sequence[str], how: Reading) -> JsonTable:
        """Opens files: the first pass over their rows finds the types."""
        return super().open(paths, replace(how, unify=True))

    @classmethod
    def _inspected(cls, path: str, files: Files) -> Footer:
        with opened(path, files) as (file, stream):
            state = state_of(file)
            types: dict[str, pa.DataType] = {}
            rows = 0
            for line, block in _blocks(path, stream):
                rows += _learn(path, line, block, types)
                del block  # Before the next one is read.
        group = RowGroup(0, rows, state.size)
        return Footer(path, state.size, "", pa.schema(types), (group,), state.stamp)

    def rows_of(
        self, footer: Footer, columns: pa.Schema, rows: int
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Parses a file with the types that its values have."""
        wanted = pa.schema([field for field in columns if field.name not in footer.in_path])
        with opened(footer.path, self._files) as (file, stream), self._unchanged(footer, file):
            for line, block in _blocks(footer.path, stream):
                try:
                    whole = _parsed(block, wanted)
                except pa.ArrowInvalid as error:
                    raise _unparsed(footer.path, line, block, error) from error
                del block
                for batch in limited(whole, None, rows):
                    yield 0, conform(footer.path, batch, columns, dict(footer.partitions))
                    del batch


def is_json(head: bytes) -> bool:
    """Tells whether a file begins like an object in JSON."""
    return head.removeprefix(BYTE_ORDER_MARK).lstrip().startswith(b"{")


def _blocks(path: str, stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yields blocks of whole lines that are not all blank, with the number of the first line.

    Each block has a line more, `_END`, so that none must be copied to add it.
    """
    line = 1
    whole = bytearray()  # It grows in place where bytes would be copied.
    is_first = True
    while True:
        try:
            block = stream.read(BLOCK_BYTES)
        except GZIP_ERRORS as error:
            raise damaged(path, error, row=line, unit="from line") from error
        is_last = not block
        if is_first:
            block = _checked_start(path, block)
            is_first = False
        end = block.rfind(b"\n") + 1
        if len(whole) + (end or len(block)) > MOST_LINE_BYTES:
            raise TableFileError(
                f"more than {MOST_LINE_BYTES} bytes",
                ("write one object in each line", "write the table as Parquet"),
                path=path,
                row=line,
                unit="line",
                expected="a line of at most 2 GiB",
            )
        if not end and not is_last:
            whole += block
            continue
        whole += block[:end]
        number, line = line, line + whole.count(b"\n")
        if not whole.isspace() and whole:
            if is_last:
                whole += b"\n"
            whole += _END
            yield number, cast(bytes, whole)  # It has the same methods.
        if is_last:
            return
        whole = bytearray(block[end:])


def _checked_start(path: str, block: bytes) -> bytes:
    """Returns the first bytes without a byte order mark; refuses what is not JSON lines."""
    start = block.removeprefix(BYTE_ORDER_MARK)
    found = None
    if not start.strip():
        found = "nothing but blank lines" if block else "an empty file"
    elif start.lstrip().startswith(b"["):
        found = "an array (one document, not lines)"
    elif start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start[:BLOCK_BYTES]:
        found = "UTF-16 text or binary data"
    if found:
        raise TableFileError(
            found,
            ("write one object in each line, in UTF-8", Remedy(Option.FORMAT)),
            path=path,
            expected="JSON lines",
        )
    return start


def _parsed(block: bytes, schema: pa.Schema | None = None) -> pa.RecordBatch:
    """Parses lines and `_END`, with the types of a schema, or such as their values have.

    Raises:
        pa.ArrowInvalid: A line is no JSON; without a schema, or something follows an object.
    """
    table = pa.json.read_json(
        pa.BufferReader(block),
        pa.json.ReadOptions(use_threads=False, block_size=len(block) + 1),
        pa.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
        if schema is not None
        else None,
        pool_for(len(block)),
    )
    if schema is None:
        if _END_NAME not in table.schema.names:
            raise pa.ArrowInvalid("something follows the object")
        table = table.drop([_END_NAME])
    rows = table.num_rows - 1
    arrays = [
        column.chunk(0) if column.num_chunks == 1 else _one_array(column)
        for column in table.columns
    ]
    return batch_of(table.schema, [array.slice(0, rows) for array in arrays], rows)


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    return array.chunk(0) if isinstance(array, pa.ChunkedArray) else array


def _learn(path: str, line: int, block: bytes, types: dict[str, pa.DataType]) -> int:
    """Adds the types of lines to those of earlier ones; returns the number of rows."""
    try:
        block.decode()
    except UnicodeDecodeError as error:
        raise TableFileError(
            f"the byte 0x{block[error.start]:02x}",
            "save the file as UTF-8",
            path=path,
            row=line + block.count(b"\n", 0, error.start),
            unit="line",
            expected="text in UTF-8",
        ) from error
    lines = _objects(path, line, block)
    _check_depth(path, line, block)
    try:
        batch = _parsed(block)
    except pa.ArrowInvalid as error:
        raise _unparsed(path, line, block, error, types) from error
    if batch.num_rows != lines:
        raise _unparsed(path, line, block, None, types)
    if _widen(types, batch.schema) is not None:
        raise _unparsed(path, line, block, None, types)
    return int(batch.num_rows)


def _widen(types: dict[str, pa.DataType], schema: pa.Schema) -> pa.Field | None:
    """Adds types to earlier ones, up to the first that contradicts them, which is returned."""
    for field in schema:
        type_ = _of_json(field.type)
        wider = wider_type(types.get(field.name, type_), type_)
        if wider is None:
            return pa.field(field.name, type_)
        types[field.name] = wider
    return None


def _objects(path: str, first: int, block: bytes) -> int:
    """Returns the number of lines, without blank ones.

    Raises:
        TableFileError: A line does not begin an object: a null would end the process in Arrow.
    """
    lines = block.count(b"\n")
    if block.count(b"\n{") + block.startswith(b"{") == lines + 1:
        return lines
    texts = {n: text for n, text in enumerate(block.split(b"\n")[:-1], first) if text.strip()}
    for number, text in texts.items():
        if not text.lstrip().startswith(b"{"):
            raise _no_object(path, number, text)
    return len(texts)


def _check_depth(path: str, first: int, block: bytes) -> None:
    """Refuses arrays and objects within each other that are more than Arrow can take."""
    if block.count(b"{") + block.count(b"[") <= MOST_DEPTH:
        return
    opening, ends = _positions(block, b"{["), _positions(block, b"\n")
    line = np.searchsorted(ends, opening)
    many = np.unique(line[MOST_DEPTH:][line[MOST_DEPTH:] == line[:-MOST_DEPTH]])
    for number in many.tolist():
        text = block[ends[number - 1] + 1 if number else 0 :].partition(b"\n")[0]
        outside = np.frombuffer(_TEXT.sub(b"", text), np.uint8)
        down = (outside == ord("{")) | (outside == ord("["))
        up = (outside == ord("}")) | (outside == ord("]"))
        depth = int(np.cumsum(down.astype(np.int64) - up).max())
        if depth > MOST_DEPTH:
            raise _no_object(
                path,
                first + number,
                text,
                f", {depth} levels of values within values, of which {MOST_DEPTH} are read",
            )


def _positions(block: bytes, of: bytes) -> npt.NDArray[np.int64]:
    """Returns where some bytes are, with the memory of a piece of the block beside the result."""
    found = []
    for start in range(0, len(block), BLOCK_BYTES):
        content = np.frombuffer(block, np.uint8, min(BLOCK_BYTES, len(block) - start), start)
        is_one = np.zeros(len(content), np.bool_)
        for byte in of:
            is_one |= content == byte
        found.append(np.flatnonzero(is_one) + start)
    return np.concatenate(found)


def _no_object(path: str, number: int, text: bytes, why: str = "") -> TableFileError:
    return TableFileError(
        f"{_shown(text)!r}{why}",
        ("correct the line, which may be truncated", "leave it out"),
        path=path,
        row=number,
        unit="line",
        expected="an object in JSON",
    )


def _shown(text: bytes) -> str:
    shown = text.strip().decode("utf-8", "replace")
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."


def _of_json(type_: pa.DataType) -> pa.DataType:
    """Returns a type with text where Arrow took text for times."""
    if pa.types.is_timestamp(type_):
        return pa.string()
    if is_list(type_):
        return pa.list_(_of_json(type_.value_type))
    if pa.types.is_struct(type_):
        fields = [type_[index] for index in range(type_.num_fields)]
        return pa.struct([(field.name, _of_json(field.type)) for field in fields])
    return type_


def _unparsed(
    path: str,
    first: int,
    block: bytes,
    error: pa.ArrowInvalid | None,
    types: dict[str, pa.DataType] | None = None,
) -> TableFileError:
    """Returns the error of the first line that is no object, or contradicts earlier types."""
    known = dict(types or {})
    for number, text in enumerate(block.split(b"\n")[:-1], first):
        if not text.strip():
            continue
        try:
            batch = _parsed(text + b"\n" + _END)
        except pa.ArrowInvalid as of_line:
            why = one_line(of_line).removeprefix("JSON parse error: ")
            return _no_object(path, number, text, f" ({why})")
        if batch.num_rows > 1:
            return _no_object(path, number, text, f", which are {batch.num_rows} values")
        other = _widen(known, batch.schema)
        if other is not None:
            return TableFileError(
                f"{other.type} in {_shown(text)!r}",
                ("correct the line", Remedy(Option.EXCLUDE_COLUMNS, (other.name,))),
                path=path,
                row=number,
                unit="line",
                column=other.name,
                expected=f"{known[other.name]}, as in earlier lines",
            )
    found = one_line(error) if error else "values of several types"
    return TableFileError(found, path=path, row=first, unit="from line")
