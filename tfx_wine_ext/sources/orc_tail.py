"""The end of ORC files: rows and sizes of stripes, and times that Arrow would return wrongly.

Arrow's reader does not tell the rows of a stripe before it is read. It returns times beyond 64 bits
of nanoseconds as other times, and ends the process at a stripe's footer that is damaged. All of it
can be known from the metadata, which are messages of protocol buffers.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Union

import pyarrow as pa

MAGIC = b"ORC"
# The compressions of a postscript that can be unpacked here.
_NONE, _ZLIB, _SNAPPY, _ZSTD = 0, 1, 2, 5
_STRUCT, _TIMES = 12, (9, 18)
# Milliseconds that fit into 64 bits of nanoseconds.
_MOST_MILLISECONDS = (2**63 - 1) // 10**6
_Value = Union[int, bytes]


@dataclass(frozen=True)
class Stripe:
    """One stripe: where it is in the file, its parts in bytes, and its rows."""

    offset: int
    data: int
    footer: int
    rows: int

    @property
    def size(self) -> int:
        """Bytes of the stripe."""
        return self.data + self.footer


@dataclass(frozen=True)
class Tail:
    """What the end of a file says.

    Attributes:
        compression: Of the metadata, by its number.
        stripes: The stripes in the order of the file.
        beyond: For each column of times, within structs as ``struct.field``, that has a time beyond
            64 bits of nanoseconds: this time in milliseconds since 1970.
    """

    compression: int
    stripes: tuple[Stripe, ...]
    beyond: Mapping[str, int]


def read_tail(stream: BinaryIO, size: int) -> Tail | None:
    """Reads the end of a file.

    Args:
        stream: The file.
        size: Its bytes.

    Returns:
        What it says; None if its compression (LZO, LZ4, Brotli) cannot be unpacked here.

    Raises:
        ValueError: The file is truncated or damaged.
    """
    stream.seek(size - 1)
    length = stream.read(1)[0]
    _check(0 < length < size - len(MAGIC), "the postscript does not fit into the file")
    stream.seek(size - 1 - length)
    postscript = dict(_fields(stream.read(length)))
    _check(postscript.get(8000) == MAGIC, "the end is not that of an ORC file")
    footer_length, compression = _number(postscript, 1), _number(postscript, 2)
    start = size - 1 - length - footer_length
    _check(start >= len(MAGIC), "the footer does not fit into the file")
    stream.seek(start)
    content = _unpacked(stream.read(footer_length), compression)
    stream.seek(0)
    if content is None:
        return None
    stripes, types, statistics = [], [], []
    for number, value in _fields(content):
        if number in (3, 4, 7):
            _check(isinstance(value, bytes), "the footer is damaged")
        if number == 3:
            of_stripe = dict(_fields(value))
            parts = [_number(of_stripe, each) for each in (1, 2, 3, 4, 5)]
            offset, index, data, footer, rows = parts
            _check(offset + index + data + footer <= start, "a stripe does not fit into the file")
            stripes.append(Stripe(offset, index + data, footer, rows))
        elif number == 4:
            types.append(value)
        elif number == 7:
            statistics.append(value)
    beyond = {}
    for name, column in _times(types, 0, ()):
        time = _beyond(statistics[column]) if column < len(statistics) else None
        if time is not None:
            beyond[name] = time
    return Tail(compression, tuple(stripes), beyond)


def check_stripe(stream: BinaryIO, tail: Tail, number: int) -> None:
    """Checks the footer of a stripe.

    Args:
        stream: The file.
        tail: From `read_tail`.
        number: The stripe.

    Raises:
        ValueError: It is damaged.
    """
    stripe = tail.stripes[number]
    stream.seek(stripe.offset + stripe.data)
    content = _unpacked(stream.read(stripe.footer), tail.compression)
    stream.seek(0)
    if content is None:
        return
    streams = [dict(_fields(value)) for field, value in _fields(content) if field == 1]
    lengths = sum(_number(each, 3) for each in streams)
    _check(bool(streams) and lengths <= stripe.data, "its footer is damaged")


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def _unpacked(data: bytes, compression: int) -> bytes | None:
    """Unpacks metadata, which are chunks after a header of 3 bytes each."""
    if compression == _NONE:
        return data
    pieces, place = [], 0
    while place < len(data):
        header = int.from_bytes(data[place : place + 3], "little")
        chunk = data[place + 3 : place + 3 + header // 2]
        _check(len(chunk) == header // 2, "its metadata are truncated")
        place += 3 + len(chunk)
        if header % 2:  # It is not compressed.
            pieces.append(chunk)
        elif compression == _ZLIB:
            try:
                pieces.append(zlib.decompress(chunk, -15))
            except zlib.error as error:
                raise ValueError(f"its metadata are damaged ({error})") from error
        elif compression == _SNAPPY:
            length, _ = _varint(chunk, 0)
            _check(length <= 1 << 30, "its metadata are damaged")
            pieces.append(pa.decompress(chunk, length, "snappy", asbytes=True))
        elif compression == _ZSTD:
            pieces.append(pa.CompressedInputStream(pa.BufferReader(chunk), "zstd").read())
        else:
            return None
    return b"".join(pieces)


def _fields(data: _Value) -> Iterator[tuple[int, _Value]]:
    """Yields number and value of the fields of a message."""
    _check(isinstance(data, bytes), "its metadata are damaged")
    assert isinstance(data, bytes)
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        value: _Value
        if key & 7 == 0:
            value, place = _varint(data, place)
        else:
            _check(key & 7 in (1, 2, 5), "its metadata are damaged")
            length = {1: 8, 5: 4}.get(key & 7, 0)
            if not length:
                length, place = _varint(data, place)
            value = data[place : place + length]
            _check(len(value) == length, "its metadata are damaged")
            place += length
        yield key >> 3, value


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(data) and shift < 70:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    raise ValueError("its metadata are damaged")


def _number(message: Mapping[int, _Value], field: int) -> int:
    value = message.get(field, 0)
    _check(isinstance(value, int), "its metadata are damaged")
    assert isinstance(value, int)
    return value


def _times(types: list[_Value], column: int, path: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """Yields name and number of each column of times, at any depth of structs and lists."""
    _check(column < len(types) and len(path) < 100, "its types are damaged")
    kind, children, names = 0, [], []
    for field, value in _fields(types[column]):
        if field == 1:
            kind = int(value)
        elif field == 2:  # A packed list, or a single number.
            place = 0
            while isinstance(value, bytes) and place < len(value):
                child, place = _varint(value, place)
                children.append(child)
            children += [value] if isinstance(value, int) else []
        elif field == 3 and isinstance(value, bytes):
            names.append(value.decode("utf-8", "replace"))
    if kind in _TIMES:
        yield ".".join(path), column
    for number, child in enumerate(children):
        name = (names[number],) if kind == _STRUCT and number < len(names) else ()
        _check(child > column, "its types are damaged")
        yield from _times(types, child, (*path, *name))


def _beyond(statistics: _Value) -> int | None:
    """Returns the first bound of times in milliseconds that is too large, of a column."""
    for field, value in _fields(statistics):
        if field == 9:
            for _, bound in _fields(value):
                time = (int(bound) >> 1) ^ -(int(bound) & 1)  # A signed number, zigzag.
                if abs(time) > _MOST_MILLISECONDS:
                    return time
    return None
