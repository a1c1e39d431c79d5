"""Records in the framing of TFRecord files.

Each record is its length (8 bytes, little endian), the masked CRC-32C of these 8 bytes (4 bytes),
the record, and the masked CRC-32C of the record (4 bytes). The mask rotates a checksum by 15 bits
and adds a constant, so that checksums remain useful for data that contain checksums.

Source: https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
"""

from __future__ import annotations

import bisect
import struct
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import google_crc32c
import numpy as np
import numpy.typing as npt

from tfx_wine_ext.columnar.crc32c import crc32c_of, crc32c_of_run
from tfx_wine_ext.columnar.decode import PADDING
from tfx_wine_ext.columnar.encode import EncodedExamples
from tfx_wine_ext.columnar.wire import Bytes, Ints, copy_runs, put_chunks, windows
from tfx_wine_ext.errors import TfxWineExtError

LENGTH_BYTES = 8
CRC_BYTES = 4
MASK_DELTA = 0xA282EAD8

_FRONT = np.dtype([("length", "<u8"), ("crc", "<u4")])
_FRONT_BYTES = _FRONT.itemsize
# Read at a time: it is unpacked, cut and joined while it is in the processor's cache.
_PIECE_BYTES = 256 * 1024
# Larger records are read by themselves.
_LARGE_BYTES = 1024 * 1024
_ITERATED_RECORDS = 2048
# The largest message that protobuf can parse: no memory is allocated for larger records.
MOST_RECORD_BYTES = 2**31 - 1
_MOST_KNOWN_LENGTHS = 65_536
_WRONG = "its checksum is wrong"


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
    crcs = encoded.crcs
    if indices is not None:
        starts, lengths, crcs = starts[indices], lengths[indices], crcs[indices]
    framed = lengths + (_FRONT_BYTES + CRC_BYTES)
    ends = np.cumsum(framed)
    out = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
    to = ends - framed
    put_chunks(out, to, _fronts(lengths).view(f"V{_FRONT_BYTES}"))
    copy_runs(out, to + _FRONT_BYTES, encoded.data, starts, lengths)
    put_chunks(out, ends - CRC_BYTES, _masked(crcs).astype("<u4").view(f"V{CRC_BYTES}"))
    return out


def is_front(data: bytes) -> bool:
    r"""Tells whether data begin like a TFRecord file, with a length and its checksum.

    One in four billion other files does so by chance.

    Example:
        >>> [is_front(x) for x in (bytes.fromhex("0300000000000000 b099490e"), b"x,y\n1,2\n3,4\n")]
        [True, False]
    """
    crc = data[LENGTH_BYTES:_FRONT_BYTES]
    return len(data) >= _FRONT_BYTES and _masked_crc(data[:LENGTH_BYTES]) == crc


@dataclass(frozen=True)
class Records:
    """Records of a TFRecord file whose checksums are right.

    Attributes:
        data: uint8[total], with `decode.PADDING` bytes behind the last record.
        starts: int64[n], ascending: record i is ``data[starts[i]:starts[i] + lengths[i]]``.
        lengths: int64[n].
        error: Why no record behind these can be read; None if there is no reason.
    """

    data: Bytes
    starts: Ints
    lengths: Ints
    error: Exception | None = None

    def __len__(self) -> int:
        return len(self.starts)

    def __iter__(self) -> Iterator[bytes]:
        for start, length in zip(self.starts.tolist(), self.lengths.tolist()):
            yield self.data[start : start + length].tobytes()


def iter_records(stream: BinaryIO, size: int | None = None) -> Generator[bytes, None, None]:
    """Yields the records of an uncompressed TFRecord file, and verifies their checksums.

    It never allocates more memory than there are bytes to read, regardless of the given lengths.
    The stream stays open.

    Args:
        stream: The file, or the content of a compressed file.
        size: Size of the stream, if it is known and the stream supports `tell`. A large record that
            claims more bytes than are left is then refused before it is read.

    Raises:
        TFRecordError: The file ends within a record, a checksum is wrong, or a record claims more
            bytes than protobuf can parse, 2 GiB.

    Example:
        >>> import io
        >>> framed = bytes.fromhex("03000000 00000000 b099490e 616263 6e57f121")
        >>> list(iter_records(io.BytesIO(framed * 2)))
        [b'abc', b'abc']
        >>> list(iter_records(io.BytesIO(framed[:-1])))
        Traceback (most recent call last):
        ...
        tfx_wine_ext.columnar.tfrecord.TFRecordError: record 1: is cut short: 7 bytes expected, \
6 found
    """
    for records in read_batches(stream, _ITERATED_RECORDS, _LARGE_BYTES, size):
        yield from records
        if records.error is not None:
            raise records.error


def read_batches(
    stream: BinaryIO, most_records: int, enough_bytes: int, size: int | None = None
) -> Generator[Records, None, None]:
    """Yields the records of an uncompressed TFRecord file in batches, as `iter_records` reads them.

    Args:
        stream: The file, or the content of a compressed file.
        most_records: The most records of a batch.
        enough_bytes: A batch ends with the record with which it has so many bytes. A record of over
            1 MiB is a batch of its own.
        size: See `iter_records`.

    Yields:
        Batches that are not empty. If the file cannot be read to its end, the last batch may be
        empty and has the error: a `TFRecordError`, or what `stream` raised.

    Example:
        >>> import io
        >>> framed = bytes.fromhex("03000000 00000000 b099490e 616263 6e57f121")
        >>> for records in read_batches(io.BytesIO(framed * 3 + b"1"), 2, 1000):
        ...     print(list(records), records.error)
        [b'abc', b'abc'] None
        [b'abc'] record 4: is cut short: 12 bytes expected, 1 found
    """
    cutter = _Cutter(stream, size)
    error = None
    while error is None:
        made = [cutter.batch(most_records, enough_bytes)]
        error = made[0].error
        if not len(made[0]) and error is None:
            return
        yield made.pop()  # No reference is kept here while the caller uses it.


class _Cutter:
    """Cuts the bytes of a stream into records."""

    def __init__(self, stream: BinaryIO, size: int | None) -> None:
        self._stream, self._size = stream, size
        # Framed sizes by verified front: most records have one of a few lengths.
        self._known: dict[bytes, int] = {}
        self._tail = b""  # What was read, but not yet returned.
        self._number = 1  # Of the record that begins there.
        self._next: Records | None = None  # A large record that was read with those before it.

    def batch(self, most_records: int, enough_bytes: int) -> Records:
        """Returns the next records; none at the end."""
        if self._next is not None:
            large, self._next = self._next, None
            return large
        first = self._number
        pieces: list[bytes] = []
        ends: list[Ints] = []
        count = size = 0
        error: Exception | None = None
        while count < most_records and size < enough_bytes and error is None:
            cut, framed, error = self._cut()
            del cut[most_records - count :]
            del cut[bisect.bisect_left(cut, enough_bytes - size) + 1 :]
            if cut:
                error = None  # It is found again behind these records.
                pieces.append(self._tail[: cut[-1]])
                self._tail = self._tail[cut[-1] :]
                ends.append(np.array(cut) + size)
                count, size = count + len(cut), size + cut[-1]
                self._number += len(cut)
            elif framed > _LARGE_BYTES:
                large = self._large(framed)
                if not count:
                    return large
                if large.error is None:
                    self._next = large
                error = large.error
                break
            elif error is None:
                try:
                    more = self._stream.read(_PIECE_BYTES)
                except Exception as found:
                    error = found
                    break
                if not more:
                    error = self._cut_short(framed, len(self._tail)) if self._tail else None
                    break
                self._tail += more
        return _verified(first, pieces, ends, error)

    def _cut(self) -> tuple[list[int], int, TFRecordError | None]:
        """Cuts what was read.

        Returns:
            The ends of its whole records; the framed size of the record behind them, 0 if it is
            unknown; and the error in its front.
        """
        data, known, start = self._tail, self._known, 0
        ends: list[int] = []
        # Of the loop below, which runs once for each record: names without look-ups.
        length_of, append, width, size = known.get, ends.append, _FRONT_BYTES, len(data)
        while True:
            front = data[start : start + width]
            framed = length_of(front)
            if framed is None:
                if len(front) < width:
                    return ends, 0, None
                try:
                    framed = _framed_size(front, self._number + len(ends))
                except TFRecordError as error:
                    return ends, 0, error
                if len(known) == _MOST_KNOWN_LENGTHS:
                    known.clear()
                known[front] = framed
            start += framed
            if start > size:
                return ends, framed, None
            append(start)

    def _large(self, framed: int) -> Records:
        """Reads a record that may be huge, in pieces: its length may not be true."""
        data, self._tail = bytearray(self._tail), b""
        error: Exception | None = None
        rest = framed if self._size is None else self._size - self._stream.tell()
        if len(data) + rest < framed:
            error = self._cut_short(framed, len(data) + max(rest, 0))
        while error is None and len(data) < framed:
            try:
                more = self._stream.read(min(framed - len(data), _LARGE_BYTES))
            except Exception as found:
                error = found
                break
            if not more:
                error = self._cut_short(framed, len(data))
            data += more
        end = framed - CRC_BYTES
        if error is None:
            with memoryview(data) as view:
                crc = crc32c_of_run(view[_FRONT_BYTES:end])
            stored = np.frombuffer(data, "<u4", 1, end)
            if (_masked(np.array([crc], np.uint32)) != stored).any():
                error = TFRecordError(self._number, _WRONG)
            del stored
        if error is not None:
            nothing = np.zeros(0, np.int64)
            return Records(np.zeros(0, np.uint8), nothing, nothing, error)
        data += bytes(PADDING)
        self._number += 1
        starts, lengths = np.array([[_FRONT_BYTES], [end - _FRONT_BYTES]])
        return Records(np.frombuffer(data, np.uint8), starts, lengths)

    def _cut_short(self, framed: int, found: int) -> TFRecordError:
        if found >= _FRONT_BYTES:
            framed, found = framed - _FRONT_BYTES, found - _FRONT_BYTES
        expected = framed or _FRONT_BYTES
        return TFRecordError(
            self._number, f"is cut short: {expected} bytes expected, {found} found"
        )


def _verified(
    first: int, pieces: list[bytes], parts: list[Ints], error: Exception | None
) -> Records:
    """Verifies the checksums of records, and returns those in front of the first wrong one."""
    data = np.frombuffer(b"".join([*pieces, bytes(PADDING)]), np.uint8)
    bounds = np.concatenate([np.zeros(1, np.int64), *parts])
    ends = bounds[1:] - CRC_BYTES
    starts = bounds[:-1] + _FRONT_BYTES
    lengths = ends - starts
    stored = windows(data, CRC_BYTES)[ends].view("<u4")
    wrong = np.flatnonzero(_masked(crc32c_of(data, starts, lengths)) != stored)
    if len(wrong):
        error = TFRecordError(first + int(wrong[0]), _WRONG)
        starts, lengths = starts[: wrong[0]], lengths[: wrong[0]]
    return Records(data, starts, lengths, error)


def _framed_size(front: bytes, number: int) -> int:
    """Returns the bytes of a record with its frame, from the verified front."""
    if not is_front(front):
        raise TFRecordError(number, "the checksum of its length is wrong")
    length: int = struct.unpack_from("<Q", front)[0]
    if length > MOST_RECORD_BYTES:
        raise TFRecordError(number, f"claims {length} bytes, more than protobuf can parse (2 GiB)")
    return _FRONT_BYTES + length + CRC_BYTES


def _masked_crc(data: bytes) -> bytes:
    crc = np.array([google_crc32c.value(data)], np.uint32)
    return _masked(crc).astype("<u4").tobytes()


def _fronts(lengths: Ints) -> npt.NDArray[np.void]:
    count = len(lengths)
    fronts = np.empty(count, _FRONT)
    fronts["length"] = lengths
    crcs = crc32c_of(
        fronts.view(np.uint8),
        np.arange(count) * _FRONT_BYTES,
        np.full(count, LENGTH_BYTES),
    )
    fronts["crc"] = _masked(crcs)
    return fronts


def _masked(crcs: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    masked: npt.NDArray[np.uint32] = (crcs >> np.uint32(15)) | (crcs << np.uint32(17))
    masked += np.uint32(MASK_DELTA)
    return masked
