"""Avro files as a source of rows, read some blocks at a time."""

from __future__ import annotations

import bz2
import decimal
import io
import itertools
import json
import lzma
import operator
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

import fastavro
import fastavro.schema
import pyarrow as pa

from tfx_wine_ext.errors import TfxWineExtError
from tfx_wine_ext.sources.file_table import FileTable, conform
from tfx_wine_ext.sources.footers import Footer, RowGroup
from tfx_wine_ext.sources.source import DAMAGED, TableFileError, batch_of, one_line
from tfx_wine_ext.sources.stamps import Stamp

MAGIC = b"Obj\x01"
SYNC_BYTES = 16
# Blocks are a few kilobytes in most files: a part is as many as reach this size.
PART_BYTES = 4 * 1024 * 1024
_MOST_BLOCK_BYTES = 2**31
_MOST_DIGITS = 76
# Enough for all digits of any decimal that Arrow holds.
_EXACT = decimal.Context(prec=400)
_PRIMITIVES = {
    "null": pa.null(),
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "bytes": pa.binary(),
    "string": pa.string(),
}
_LOGICAL = {
    ("int", "date"): pa.date32(),
    ("int", "time-millis"): pa.time32("ms"),
    ("long", "time-micros"): pa.time64("us"),
    ("long", "timestamp-millis"): pa.timestamp("ms", "UTC"),
    ("long", "timestamp-micros"): pa.timestamp("us", "UTC"),
    ("long", "timestamp-nanos"): pa.timestamp("ns", "UTC"),
    ("long", "local-timestamp-millis"): pa.timestamp("ms"),
    ("long", "local-timestamp-micros"): pa.timestamp("us"),
    ("long", "local-timestamp-nanos"): pa.timestamp("ns"),
    # Months, days and milliseconds: the type says that it has no feature.
    ("fixed", "duration"): pa.month_day_nano_interval(),
}


class Block(NamedTuple):
    """One block of a file: where its content begins, its bytes, and the number of its records."""

    start: int
    size: int
    records: int


@dataclass(frozen=True)
class AvroFile(Footer):
    """What is known about an Avro file: its header, and all of its blocks."""

    codec: str = "null"
    avro_schema: str = ""
    blocks: tuple[Block, ...] = ()


class AvroTable(FileTable):
    """Avro files (object container files) of records; see `FileTable`.

    A union with null is a value that may be null; a union of several other types, and a map, have
    no feature and are refused as columns, unless they are left out. Enums are text and fixed values
    bytes; a decimal, a date or a time is what its logical type says. A UUID is the text, or the 16
    bytes, that the file has.

    Example:
        >>> import tempfile
        >>> from tfx_wine_ext.sources.formats import Reading
        >>> schema = {"type": "record", "name": "wine", "fields": [
        ...     {"name": "alcohol", "type": ["null", "double"]}]}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with open(f"{folder}/a.avro", "wb") as file:
        ...         fastavro.writer(file, schema, [{"alcohol": 9.5}, {"alcohol": None}])
        ...     table = AvroTable.open([f"{folder}/a.avro"], Reading())
        ...     table.rows, [batch.to_pydict() for batch in table.batches()]
        (2, [{'alcohol': [9.5, None]}])
    """

    kind = "avro"
    unit = "block"
    by_columns = False

    @classmethod
    def inspect(cls, path: str, stream: BinaryIO, size: int, stamp: Stamp | None) -> AvroFile:
        """Reads the header, and finds the blocks by going from one to the next."""
        header = _header(path, stream, size)
        codec = header.metadata.get("avro.codec", b"null").decode("utf-8", "replace") or "null"
        if codec not in _CODECS:
            raise TableFileError(
                f"the codec {codec!r}",
                "write it again with one of them",
                path=path,
                expected=f"one of {', '.join(_CODECS)}",
            )
        text = header.metadata.get("avro.schema", b"").decode("utf-8", "replace")
        schema = _arrow_schema(path, text)
        blocks = tuple(_blocks(path, stream, size, header.sync))
        groups: list[RowGroup] = []
        first, records, length = 0, 0, 0
        for number, block in enumerate(blocks):
            records += block.records
            length += block.size
            if length >= PART_BYTES or number == len(blocks) - 1:
                groups.append(RowGroup(first, records, length))
                first, records, length = number + 1, 0, 0
        return AvroFile(
            path, size, "", schema, tuple(groups), stamp,
            codec=codec, avro_schema=text, blocks=blocks,
        )  # fmt: skip

    def content_of(self, footer: Footer, stream: BinaryIO) -> Iterator[bytes]:
        """Yields schema and blocks, without the random mark that ends each block of a file."""
        assert isinstance(footer, AvroFile)
        yield footer.avro_schema.encode()
        for block in footer.blocks:
            stream.seek(block.start)
            yield struct.pack("<QQ", block.records, block.size)
            yield stream.read(block.size)

    def rows_of(
        self, footer: Footer, columns: pa.Schema, rows: int
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Reads the blocks of a file."""
        assert isinstance(footer, AvroFile)
        plain, record, named = _plain(footer.avro_schema)
        fields = dict(_columns(record, named))
        wanted = [name for name in columns.names if name in fields]
        with self._opened(footer) as stream:
            for group in footer.row_groups:
                blocks = _of_group(footer, group)
                done = sum(block.records for block in footer.blocks[: group.index])
                data = _container(stream, footer, group.index, blocks, plain)
                reader = iter(fastavro.reader(io.BytesIO(data)))
                left = sum(block.records for block in blocks)
                while left:
                    count = min(rows, left)
                    records: list[Any] = []
                    try:
                        records.extend(itertools.islice(reader, count))
                        if len(records) < count:
                            raise EOFError("the block ends")
                    except Exception as error:
                        at = done + len(records) + 1
                        raise _undecoded(footer.path, at, error) from error
                    arrays = []
                    for name in wanted:
                        values = list(map(operator.itemgetter(name), records))
                        place = {"column": name, "row": done + 1, "unit": "from record"}
                        with self._decoding(footer.path, "cannot be decoded", **place):
                            arrays.append(_array(values, fields[name]))
                        del values
                    del records
                    done, left = done + count, left - count
                    found = [pa.field(name, fields[name]) for name in wanted]
                    batch = batch_of(found, arrays, count)
                    del arrays
                    if not left:
                        del reader, data
                    yield (
                        group.index,
                        conform(footer.path, batch, columns, dict(footer.partitions)),
                    )
                    del batch


class _Header(NamedTuple):
    """The header of a file: its metadata, and the bytes that end each block."""

    metadata: Mapping[str, bytes]
    sync: bytes


def _header(path: str, stream: BinaryIO, size: int) -> _Header:
    if stream.read(len(MAGIC)) != MAGIC:
        raise TableFileError(
            f"{size} bytes of something else" if size else "an empty file",
            ("leave it out", "write it again"),
            path=path,
            expected=f"an Avro file, which begins with {MAGIC!r}",
        )
    metadata: dict[str, bytes] = {}
    try:
        while count := _long(stream):
            if count < 0:
                _long(stream)  # The bytes of the entries.
            for _ in range(abs(count)):
                key = _bytes(stream, size).decode()
                metadata[key] = _bytes(stream, size)
    except (EOFError, ValueError) as error:
        found = f"its header cannot be read ({one_line(error)})"
        raise TableFileError(found, DAMAGED, path=path) from error
    return _Header(metadata, stream.read(SYNC_BYTES))


def _blocks(path: str, stream: BinaryIO, size: int, sync: bytes) -> Iterator[Block]:
    """Yields the blocks of a file.

    Raises:
        TableFileError: The file ends within a block, or a block does not end as it must.
    """
    records = number = 0
    place = stream.tell()
    while place < size or len(sync) < SYNC_BYTES:
        try:
            count, length = _long(stream), _long(stream)
            if count < 0 or not 0 <= length <= _MOST_BLOCK_BYTES:
                raise ValueError(f"{count} records in {length} bytes")
            start = stream.tell()
            stream.seek(start + length)
            if stream.read(SYNC_BYTES) != sync or len(sync) < SYNC_BYTES:
                raise EOFError("the mark of its end is missing")
        except (EOFError, ValueError) as error:
            raise TableFileError(
                f"damaged or truncated ({one_line(error)}), after {records} intact records",
                DAMAGED,
                path=path,
                row=number,
                unit="block",
            ) from error
        yield Block(start, length, count)
        records, number = records + count, number + 1
        place = start + length + SYNC_BYTES


def _long(stream: BinaryIO) -> int:
    """Reads a number, zigzag in base 128."""
    value = shift = 0
    while shift < 70:
        byte = stream.read(1)
        if not byte:
            raise EOFError("it ends there")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return (value >> 1) ^ -(value & 1)
        shift += 7
    raise ValueError("a number of more than 64 bits")


def _of_long(value: int) -> bytes:
    """Returns the bytes of a number that is not negative."""
    value <<= 1
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])


def _bytes(stream: BinaryIO, most: int) -> bytes:
    length = _long(stream)
    if not 0 <= length <= most:
        raise ValueError(f"{length} bytes of text")
    read = stream.read(length)
    if len(read) < length:
        raise EOFError("it ends there")
    return read


def _of_group(footer: AvroFile, group: RowGroup) -> tuple[Block, ...]:
    """Returns the blocks of a part, which begins with the block of its number."""
    last, records = group.index, 0
    while last < len(footer.blocks) and records < (group.rows or 0):  # Nulls alone have no bytes.
        records += footer.blocks[last].records
        last += 1
    return footer.blocks[group.index : last]


def _container(
    stream: BinaryIO, footer: AvroFile, first: int, blocks: tuple[Block, ...], plain: str
) -> bytes:
    """Returns a small Avro file of some blocks, unpacked, with another schema.

    So fastavro decodes them at its full speed, and one codec less must be installed.
    """
    sync = bytes(SYNC_BYTES)
    schema = plain.encode()
    pieces = [
        MAGIC, _of_long(1), _of_long(11), b"avro.schema", _of_long(len(schema)), schema,
        _of_long(0), sync,
    ]  # fmt: skip
    for number, block in enumerate(blocks, first):
        stream.seek(block.start)
        try:
            content = _CODECS[footer.codec](stream.read(block.size))
        except Exception as error:
            raise TableFileError(
                f"cannot be unpacked ({one_line(error)})",
                DAMAGED,
                path=footer.path,
                row=number,
                unit="block",
            ) from error
        pieces += [_of_long(block.records), _of_long(len(content)), content, sync]
    return b"".join(pieces)


def _snappy(data: bytes) -> bytes:
    """Unpacks a block of which the last 4 bytes are a checksum."""
    length = shift = 0
    for byte in data[:10]:
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    if length > _MOST_BLOCK_BYTES:
        raise ValueError(f"{length} bytes")
    content: bytes = pa.decompress(data[:-4], length, "snappy", asbytes=True)
    if zlib.crc32(content) != int.from_bytes(data[-4:], "big"):
        raise ValueError("the checksum is another")
    return content


def _zstandard(data: bytes) -> bytes:
    content: bytes = pa.CompressedInputStream(pa.BufferReader(data), "zstd").read()
    return content


_CODECS: Mapping[str, Callable[[bytes], bytes]] = {
    "null": bytes,
    "deflate": lambda data: zlib.decompress(data, -15),
    "snappy": _snappy,
    "zstandard": _zstandard,
    "bzip2": bz2.decompress,
    "xz": lzma.decompress,
}


def _undecoded(path: str, record: int, error: Exception) -> TableFileError:
    found = f"cannot be decoded ({one_line(error) or type(error).__name__})"
    return TableFileError(found, DAMAGED, path=path, row=record, unit="record")


def _arrow_schema(path: str, text: str) -> pa.Schema:
    """Returns the columns of a schema in JSON."""
    try:
        _, record, names = _plain(text)
        kind = record.get("type") if isinstance(record, dict) else record
        if kind not in ("record", "error"):
            raise TableFileError(
                f"values of the type {kind!r}",
                ("write each value as the field of a record", "leave the file out"),
                path=path,
                expected="a schema of records",
            )
        return pa.schema(_columns(record, names))
    except (TfxWineExtError, RecursionError):
        raise
    except Exception as error:
        raise TableFileError(
            f"one that cannot be used ({one_line(error)})",
            DAMAGED,
            path=path,
            expected="a schema of records",
        ) from error


def _columns(record: Mapping[str, Any], names: Mapping[str, Any]) -> list[tuple[str, pa.DataType]]:
    inside = (record["name"],)
    return [(each["name"], _arrow_type(each["type"], names, inside)) for each in record["fields"]]


def _plain(text: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Reads a schema.

    Returns:
        It without logical types, so that values are decoded as they are stored; it with them, and
        with full names; and the named types by their full names.
    """
    schema = json.loads(text)
    names: dict[str, Any] = {}
    parsed: Any = fastavro.schema.parse_schema(schema, named_schemas=names)
    return json.dumps(_without_logical_types(schema)), parsed, names


def _without_logical_types(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_logical_types(each) for each in schema]
    if isinstance(schema, dict):
        return {
            key: _without_logical_types(value)
            for key, value in schema.items()
            if key not in ("logicalType", "default", "doc")
        }
    return schema


def _arrow_type(schema: Any, names: Mapping[str, Any], inside: tuple[str, ...] = ()) -> pa.DataType:
    """Returns the type of a part of a schema, of which the names are full."""
    if isinstance(schema, list):
        others = [each for each in schema if each != "null"]
        if len(others) == 1:
            return _arrow_type(others[0], names, inside)
        if not others:
            return pa.null()
        members = [_arrow_type(each, names, inside) for each in others]
        return pa.dense_union([pa.field(str(each), each) for each in members])
    if isinstance(schema, str) and schema in _PRIMITIVES:
        return _PRIMITIVES[schema]
    if isinstance(schema, str):
        schema = names[schema]
    kind, logical = schema["type"], schema.get("logicalType")
    if kind in ("record", "error"):
        name = schema["name"]
        if name in inside:
            return pa.dense_union([pa.field(f"{name}, which contains itself", pa.null())])
        inside = (*inside, name)
        return pa.struct(
            [(each["name"], _arrow_type(each["type"], names, inside)) for each in schema["fields"]]
        )
    if kind == "array":
        return pa.list_(_arrow_type(schema["items"], names, inside))
    if kind == "map":
        return pa.map_(pa.string(), _arrow_type(schema["values"], names, inside))
    if kind == "enum":
        return pa.string()
    if logical == "decimal":
        digits, scale = schema["precision"], schema.get("scale", 0)
        if digits <= _MOST_DIGITS:
            return (pa.decimal128 if digits <= 38 else pa.decimal256)(digits, scale)
    if (kind, logical) in _LOGICAL:
        return _LOGICAL[kind, logical]
    if kind == "fixed":
        return pa.binary(schema["size"])
    return _arrow_type(kind, names, inside)


def _array(values: list[Any], type_: pa.DataType) -> pa.Array:
    """Returns an array of values as fastavro decodes them without logical types."""
    if not _is_converted(type_):
        return pa.array(values, type_)
    if pa.types.is_decimal(type_):
        return pa.array([_decimal(value, type_.scale) for value in values], type_)
    valid = [value is not None for value in values]
    validity = None if all(valid) else pa.array(valid).buffers()[1]
    if pa.types.is_struct(type_):
        children = []
        for index in range(type_.num_fields):
            child = type_[index]
            of_child = [None if value is None else value[child.name] for value in values]
            children.append(_array(of_child, child.type))
        return pa.Array.from_buffers(type_, len(values), [validity], children=children)
    if pa.types.is_list(type_) or pa.types.is_map(type_):
        ends = itertools.accumulate((len(value or ()) for value in values), initial=0)
        offsets = pa.array(list(ends), pa.int32()).buffers()[1]
        if pa.types.is_map(type_):
            pairs = [pair for value in values for pair in (value or {}).items()]
            keys = pa.array([key for key, _ in pairs], type_.key_type)
            items = _array([item for _, item in pairs], type_.item_type)
            names = pa.field("key", keys.type, False), pa.field("value", items.type)
            children = [pa.StructArray.from_arrays([keys, items], fields=names)]
        else:
            elements = [each for value in values for each in value or ()]
            children = [_array(elements, type_.value_type)]
        return pa.Array.from_buffers(type_, len(values), [validity, offsets], children=children)
    # No feature has this type: it is a field of a struct, of which other fields are read.
    return pa.nulls(len(values), type_)


def _is_converted(type_: pa.DataType) -> bool:
    """Tells whether Arrow does not make an array of values as they are stored."""
    if pa.types.is_struct(type_):
        return any(_is_converted(type_[index].type) for index in range(type_.num_fields))
    if pa.types.is_list(type_):
        return _is_converted(type_.value_type)
    tests = (pa.types.is_decimal, pa.types.is_map, pa.types.is_union, pa.types.is_interval)
    return any(test(type_) for test in tests)


def _decimal(value: bytes | None, scale: int) -> decimal.Decimal | None:
    if value is None:
        return None
    return decimal.Decimal(int.from_bytes(value, "big", signed=True)).scaleb(-scale, _EXACT)
