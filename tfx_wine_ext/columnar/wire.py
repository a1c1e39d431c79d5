"""The bytes of a ``tf.train.Example``, laid out by vectorised numpy.

A protobuf message is a sequence of fields, each a tag and a value. A tag is the field's number
times 8 plus a type. Every tag needed here has type 2: a varint with the number of bytes that
follow, then these bytes. So 0x0A is "field 1", 0x12 "field 2" and 0x1A "field 3", and one record
consists of nested boxes, each preceded by its length::

    0A n                  Example.features
       0A n               Features.feature: one map entry, repeated, in order of the keys
          0A n key        the entry's key: the feature's name
          12 n            the entry's value, a Feature
             0A n         either Feature.bytes_list
                0A n ...  BytesList.value, repeated: the value's bytes
             12 n         or Feature.float_list
                0A n ...  FloatList.value, packed: 4 bytes, little endian, for each value
             1A n         or Feature.int64_list
                0A n ...  Int64List.value, packed: a varint for each value

A varint is an integer in groups of 7 bits, lowest group first, with the top bit set in all bytes
but the last; a negative int64 is encoded as its two's complement and takes 10 bytes. A missing
feature is an empty Feature (``12 00``), a present feature without values a Feature with an empty
list (e.g. ``12 02 1A 00``).

Source: https://protobuf.dev/programming-guides/encoding/ and
https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/example/feature.proto.

numpy writes it with two operations, both for many rows at once and without the interpreter lock:
`put_chunks` writes rows of equal width to any positions, `copy_runs` copies byte strings of any
length.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Chunks = npt.NDArray[np.void]

FIELD_1 = b"\x0a"
FIELD_2 = b"\x12"
FIELD_3 = b"\x1a"

# Protobuf refuses messages of 2 GiB and more.
MAX_MESSAGE_BYTES = 2**31 - 1


class Group(NamedTuple):
    """Rows whose bytes have the same width.

    Attributes:
        rows: int64[k], the ascending row numbers; None for all rows.
        chunks: void[k], the bytes of each row.
    """

    rows: Ints | None
    chunks: Chunks


def varint(value: int) -> bytes:
    """Returns ``value`` (0 or more) as a varint.

    Example:
        >>> varint(300).hex()
        'ac02'
    """
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varint_lengths(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    """Returns the number of bytes, 1 to 10, of each of the ``values`` as a varint: uint8[n].

    Example:
        >>> varint_lengths(np.array([0, 127, 128, 2**64 - 1], np.uint64)).tolist()
        [1, 1, 2, 10]
    """
    lengths = np.ones(len(values), np.uint8)
    top = int(values.max()) if len(values) else 0
    for bits in range(7, 64, 7):
        if top < 1 << bits:
            break
        lengths += values >= np.uint64(1 << bits)
    return lengths


def groups_of(classes: npt.NDArray[Any]) -> Iterator[tuple[int, Ints | None]]:
    """Yields each distinct value of ``classes`` (small integers) and the rows that have it.

    The rows are None if all rows have the same value, so that no selection is needed.
    """
    if not len(classes):
        return
    low, high = int(classes.min()), int(classes.max())
    if low == high:
        yield low, None
        return
    for value in range(low, high + 1):
        rows = np.flatnonzero(classes == value)
        if len(rows):
            yield value, rows


def offsets_of(lengths: npt.NDArray[Any]) -> Ints:
    """Returns where each of n runs of these lengths begins, and the end of the last: int64[n + 1].

    Example:
        >>> offsets_of(np.array([2, 0, 3])).tolist()
        [0, 2, 2, 5]
    """
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def full_chunks(template: bytes, count: int) -> tuple[Chunks, Bytes]:
    """Returns ``count`` copies of ``template``, as void[count] and as uint8[count, width]."""
    chunks = np.full(count, np.void(template))
    return chunks, chunks.view(np.uint8).reshape(count, len(template))


def put_chunks(out: Bytes, starts: Ints, chunks: Chunks | np.void) -> None:
    """Writes ``chunks[i]`` (or the single chunk) to ``out`` from ``starts[i]`` on."""
    if chunks.dtype.itemsize and len(starts):
        windows(out, chunks.dtype.itemsize)[starts] = chunks


def copy_runs(out: Bytes, to: Ints, source: Bytes, starts: Ints, lengths: Ints) -> None:
    """Copies ``source[starts[i]:starts[i] + lengths[i]]`` to ``out`` from ``to[i]`` on.

    A run of ``w`` to ``2 w`` bytes is copied in two blocks of ``w`` bytes that may overlap, one
    from its start and one up to its end. The cost depends on the number of runs and hardly on their
    lengths.
    """
    if not len(lengths):
        return
    longest = int(lengths.max())
    width = 1
    while width <= longest:
        rows = np.flatnonzero((lengths >= width) & (lengths < 2 * width))
        if len(rows):
            read, write = windows(source, width), windows(out, width)
            first, first_to = starts[rows], to[rows]
            write[first_to] = read[first]
            if width > 1:
                shift = lengths[rows] - width
                write[first_to + shift] = read[first + shift]
        width *= 2


def windows(array: Bytes, width: int) -> Chunks:
    """Returns a view whose item ``i`` is ``array[i:i + width]`` as one value."""
    shape = (len(array) - width + 1,)
    view: Chunks = np.ndarray(shape, dtype=f"V{width}", buffer=array.data, strides=(1,))
    return view


class Head:
    """The tags and lengths in front of a payload in nested boxes, outermost first.

    Each box consists of constant bytes (``prefixes``), its length as a varint, and its content.
    The widths of the lengths depend only on the payload's size. There are few sizes at which a head
    grows by one byte (`_breaks`), so rows fall into few groups with heads of the same width.

    Example:
        >>> Head(FIELD_1, FIELD_2)(5).hex(" ")
        '0a 07 12 05'
    """

    def __init__(self, *prefixes: bytes) -> None:
        self.prefixes = prefixes

    def __call__(self, size: int) -> bytes:
        """Returns the head of a payload of ``size`` bytes."""
        head = b""
        for prefix in reversed(self.prefixes):
            head = prefix + varint(size + len(head)) + head
        return head

    @cached_property
    def _breaks(self) -> Ints:
        """The ascending payload sizes at which the head grows by one byte.

        A size is repeated if two lengths grow at the same size.
        """
        breaks: list[int] = []
        shortest = len(self(0))
        while True:
            low, high = 0, MAX_MESSAGE_BYTES + 1
            while low < high:
                middle = (low + high) // 2
                if len(self(middle)) > shortest + len(breaks):
                    high = middle
                else:
                    low = middle + 1
            if low > MAX_MESSAGE_BYTES:
                return np.array(breaks, np.int64)
            breaks.append(low)

    def lengths(self, sizes: Ints) -> Ints:
        """Returns the lengths of the heads of payloads of ``sizes`` bytes: int64[n]."""
        if len(self._breaks) and len(sizes) and sizes.max() < self._breaks[0]:
            return np.full(len(sizes), len(self(0)))
        return len(self(0)) + np.searchsorted(self._breaks, sizes, side="right").astype(np.int64)

    def groups(self, sizes: Ints) -> Iterator[Group]:
        """Yields the heads of payloads of ``sizes`` bytes, grouped by their width."""
        for _, rows in groups_of(self.lengths(sizes)):
            chosen = sizes if rows is None else sizes[rows]
            smallest = int(chosen.min())
            chunks, matrix = full_chunks(self(smallest), len(chosen))
            if smallest != chosen.max():
                self._write_lengths(matrix, chosen, smallest)
            yield Group(rows, chunks)

    def _write_lengths(self, matrix: Bytes, sizes: Ints, smallest: int) -> None:
        # From the inside out; `end` is the column after the length that is written. It is followed
        # by the heads of the inner boxes and the payload.
        width = end = matrix.shape[1]
        for prefix in reversed(self.prefixes):
            follows = sizes + (width - end)
            start = end - len(varint(smallest + width - end))
            for column in range(start, end):
                more = 0x80 if column < end - 1 else 0
                matrix[:, column] = follows >> 7 * (column - start) & 0x7F | more
            end = start - len(prefix)


def varint_groups(values: npt.NDArray[np.uint64], head: Head | None) -> Iterator[Group]:
    """Yields the ``values`` as varints, each behind its ``head`` if there is one."""
    for size, rows in groups_of(varint_lengths(values)):
        rest = values.copy() if rows is None else values[rows]
        template = (head(size) if head else b"") + bytes(size)
        chunks, matrix = full_chunks(template, len(rest))
        for column in range(len(template) - size, len(template) - 1):
            matrix[:, column] = rest.astype(np.uint8) | np.uint8(0x80)
            rest >>= np.uint64(7)
        matrix[:, -1] = rest.astype(np.uint8)
        yield Group(rows, chunks)
