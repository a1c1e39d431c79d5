"""Records in the framing of TFRecord files.

Each record is its length (8 bytes, little endian), the masked CRC-32C of these 8 bytes (4 bytes),
the record, and the masked CRC-32C of the record (4 bytes). The mask rotates a checksum by 15 bits
and adds a constant, so that checksums remain useful for data that contain checksums.

Source: https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Generator, Iterator
from typing import BinaryIO, cast

import google_crc32c
import numpy as np
import numpy.typing as npt

from tfx_wine_ext.columnar.encode import EncodedExamples
from tfx_wine_ext.columnar.wire import Bytes, Ints, copy_runs, put_chunks
from tfx_wine_ext.errors import TfxWineExtError

LENGTH_BYTES = 8
CRC_BYTES = 4
MASK_DELTA = 0xA282EAD8

_FRONT = np.dtype([("length", "<u8"), ("crc", "<u4")])
_READ_BYTES = 1024 * 1024
# The largest message that protobuf can parse: no memory is allocated for larger records.
MOST_RECORD_BYTES = 2**31 - 1
_MOST_KNOWN_LENGTHS = 65_536


class TFRecordError(TfxWineExtError, ValueError):
    """A TFRecord file is truncated or corrupt.

    Attributes:
        record: Number of the record that cannot be read; the first one is 1. Also `row`.
        found: What is wrong with it.
    """

    def __init__(self, record: int, found: str) -> None:
        super().__init__(found, row=record, unit="record")
        self.record = record


def frame_records(encoded: EncodedExamples, indices: Ints | None = None) -> Bytes:
    """Frames records for a TFRecord file.

    Args:
        encoded: n records.
        indices: int64[k]: the records to frame, in this order. Default: None, all.

    Returns:
        uint8[total]: the framed records, to be written to a file, optionally compressed.

    Example:
        >>> record = EncodedExamples(np.frombuffer(b"abc", np.uint8), np.array([0, 3]))
        >>> frame_records(record).tobytes().hex(" ", -4)
        '03000000 00000000 b099490e 6162636e 57f121'
    """
    starts, lengths = encoded.offsets[:-1], np.diff(encoded.offsets)
    records = encoded.records
    if indices is not None:
        starts, lengths = starts[indices], lengths[indices]
        records = [records[index] for index in indices.tolist()]
    framed = lengths + (_FRONT.itemsize + CRC_BYTES)
    ends = np.cumsum(framed)
    out = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
    to = ends - framed
    put_chunks(out, to, _fronts(lengths).view(f"V{_FRONT.itemsize}"))
    copy_runs(out, to + _FRONT.itemsize, encoded.data, starts, lengths)
    crcs = np.fromiter(map(_crc, records), np.uint32, len(records))
    put_chunks(out, ends - CRC_BYTES, _masked(crcs).astype("<u4").view(f"V{CRC_BYTES}"))
    return out


def is_front(data: bytes) -> bool:
    r"""Tells whether data begin like a TFRecord file, with a length and its checksum.

    One in four billion other files does so by chance.

    Example:
        >>> [is_front(x) for x in (bytes.fromhex("0300000000000000 b099490e"), b"x,y\n1,2\n3,4\n")]
        [True, False]
    """
    size = LENGTH_BYTES + CRC_BYTES
    return len(data) >= size and _masked_crc(data[:LENGTH_BYTES]) == data[LENGTH_BYTES:size]


def iter_records(stream: BinaryIO, size: int | None = None) -> Generator[bytes, None, None]:
    """Yields the records of an uncompressed TFRecord file, and verifies their checksums.

    It never allocates more memory than there are bytes to read, regardless of the given lengths.
    Exhaust or close the generator before closing the stream.

    Args:
        stream: The file, or the content of a compressed file.
        size: Size of the stream, if it is known and the stream supports `tell`. Reading a large
            record then takes its own size in memory, and twice that otherwise.

    Raises:
        TFRecordError: The file ends within a record, a checksum is wrong, or a record claims more
            bytes than protobuf can parse, 2 GiB.

    Example:
        >>> framed = bytes.fromhex("03000000 00000000 b099490e 616263 6e57f121")
        >>> list(iter_records(io.BytesIO(framed * 2)))
        [b'abc', b'abc']
        >>> list(iter_records(io.BytesIO(framed[:-1])))
        Traceback (most recent call last):
        ...
        tfx_wine_ext.columnar.tfrecord.TFRecordError: record 1: is cut short: 7 bytes expected, \
6 found
    """
    buffered = io.BufferedReader(cast(io.RawIOBase, stream), _READ_BYTES)
    try:
        yield from _records(buffered, size)
    finally:
        buffered.detach()  # Otherwise it would close the caller's stream.


def _records(stream: io.BufferedReader[io.RawIOBase], size: int | None) -> Iterator[bytes]:
    read = stream.read
    front_bytes = LENGTH_BYTES + CRC_BYTES
    lengths: dict[bytes, int] = {}  # By verified front: most records have one of a few lengths.
    number = 1
    while front := read(front_bytes):
        length = lengths.get(front)
        if length is None:
            if len(front) < front_bytes:
                raise TFRecordError(number, _cut_short(front_bytes, len(front)))
            if not is_front(front):
                raise TFRecordError(number, "the checksum of its length is wrong")
            length = struct.unpack_from("<Q", front)[0]
            if length > MOST_RECORD_BYTES:
                raise TFRecordError(
                    number, f"claims {length} bytes, more than protobuf can parse (2 GiB)"
                )
            if len(lengths) == _MOST_KNOWN_LENGTHS:
                lengths.clear()
            lengths[front] = length
        framed = length + CRC_BYTES
        if framed > _READ_BYTES:
            rest = None if size is None else size - stream.tell()
            # No reference is kept here while the caller uses the record.
            yield _large_record(read, number, length, rest)
        else:
            body = read(framed)
            if len(body) < framed:
                raise TFRecordError(number, _cut_short(framed, len(body)))
            record = body[:length]
            if _masked_crc(record) != body[length:]:
                raise TFRecordError(number, "its checksum is wrong")
            yield record
        number += 1


def _large_record(
    read: Callable[[int], bytes], number: int, length: int, rest: int | None
) -> bytes:
    """Reads a record and its checksum, in pieces if the size of the stream is unknown."""
    framed = length + CRC_BYTES
    if rest is not None:
        if framed > rest:
            raise TFRecordError(number, _cut_short(framed, max(rest, 0)))
        record = read(length)
    else:
        pieces, left = [], length
        while left and (piece := read(min(left, _READ_BYTES))):
            pieces.append(piece)
            left -= len(piece)
        record = b"".join(pieces)
        del pieces
    crc = read(CRC_BYTES) if len(record) == length else b""
    if len(crc) < CRC_BYTES:
        raise TFRecordError(number, _cut_short(framed, len(record) + len(crc)))
    if _masked_crc(record) != crc:
        raise TFRecordError(number, "its checksum is wrong")
    return record


def _cut_short(expected: int, found: int) -> str:
    return f"is cut short: {expected} bytes expected, {found} found"


def _crc(record: bytes | memoryview) -> int:
    crc: int = 0
    if isinstance(record, bytes):
        crc = google_crc32c.value(record)
        return crc
    for start in range(0, len(record), _READ_BYTES):
        crc = google_crc32c.extend(crc, bytes(record[start : start + _READ_BYTES]))
    return crc


def _masked_crc(data: bytes) -> bytes:
    crc: int = google_crc32c.value(data)
    return (((crc >> 15 | crc << 17) + MASK_DELTA) & 0xFFFFFFFF).to_bytes(CRC_BYTES, "little")


def _fronts(lengths: Ints) -> npt.NDArray[np.void]:
    distinct, inverse = np.unique(lengths, return_inverse=True)
    table = np.empty(len(distinct), _FRONT)
    table["length"] = distinct
    crcs = [google_crc32c.value(n.to_bytes(LENGTH_BYTES, "little")) for n in distinct.tolist()]
    table["crc"] = _masked(np.array(crcs, np.uint32))
    return table[inverse]


def _masked(crcs: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    masked: npt.NDArray[np.uint32] = (crcs >> np.uint32(15)) | (crcs << np.uint32(17))
    masked += np.uint32(MASK_DELTA)
    return masked
