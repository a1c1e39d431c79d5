"""CRC-32C of many byte runs at once, by numpy and without the interpreter lock.

The checksum is linear over GF(2): two runs of one length have checksums that differ by the XOR of
one table entry for each byte in which they differ. The entry depends on the difference and on the
number of bytes that follow. Records of one layout differ in the bytes of their values only, which
are few, so one call into google_crc32c serves for thousands of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import google_crc32c
import numpy as np
import numpy.typing as npt

from tfx_wine_ext.columnar.wire import Bytes, Ints, windows

Crcs = npt.NDArray[np.uint32]

_REVERSED_POLYNOMIAL = 0x82F63B78
# Measured on records of 50 to 1,000 bytes: a block of rows stays in the cache of 1 MB; a column of
# bytes costs 2 ns a row and 3 us for calls into numpy, google_crc32c some 230 ns a run.
_BLOCK_ROWS = 4096
_BLOCK_BYTES = 2**21
_FEWEST_ROWS = 256
_SAMPLE_ROWS = 16
_LONGEST = 4096  # Tables for longer runs would take more than 4 MB.


def crc32c_of(data: Bytes, starts: Ints, lengths: Ints) -> Crcs:
    """Computes the checksums of runs of bytes.

    Runs of one length that are alike in most bytes take some 100 ns each; others some 250 ns, as
    long as they are short.

    Args:
        data: uint8[total], contiguous; not changed.
        starts: int64[n]: run i is ``data[starts[i]:starts[i] + lengths[i]]``, in any order; runs
            may overlap.
        lengths: int64[n], from 0 on.

    Returns:
        uint32[n]: the CRC-32C of each run, not masked as in TFRecord files.

    Example:
        >>> data = np.frombuffer(b"123456789", np.uint8)
        >>> [hex(crc) for crc in crc32c_of(data, np.array([0, 0]), np.array([9, 0]))]
        ['0xe3069283', '0x0']
    """
    crcs = np.empty(len(starts), np.uint32)
    rest = []
    for rows in _of_one_length(lengths):
        found = _of_block(data, starts[rows], int(lengths[rows[0]]))
        if found is None:
            rest.append(rows)
        else:
            crcs[rows] = found
    if rest:
        rows = np.sort(np.concatenate(rest))
        crcs[rows] = _one_by_one(data, starts[rows], lengths[rows])
    return crcs


def _of_one_length(lengths: Ints) -> Iterator[Ints]:
    """Yields the ascending numbers of runs of one length, a block at a time."""
    order = np.argsort(lengths, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
        size = max(1, min(_BLOCK_ROWS, _BLOCK_BYTES // max(1, int(lengths[rows[:1]].sum()))))
        for first in range(0, len(rows), size):
            yield rows[first : first + size]


def crc32c_of_run(run: memoryview) -> int:
    """Computes the checksum of one run of any length, of which a piece is copied at a time.

    Example:
        >>> hex(crc32c_of_run(memoryview(b"123456789")))
        '0xe3069283'
    """
    crc = 0
    for start in range(0, len(run), _BLOCK_BYTES):
        crc = google_crc32c.extend(crc, run[start : start + _BLOCK_BYTES].tobytes())
    return crc


def _one_by_one(data: Bytes, starts: Ints, lengths: Ints) -> Crcs:
    value, ends = google_crc32c.value, starts + lengths
    crcs = np.empty(len(starts), np.uint32)
    for first in range(0, len(starts), _BLOCK_ROWS):
        block = slice(first, first + _BLOCK_ROWS)
        begin, end = int(starts[block].min()), int(ends[block].max())
        if end - begin <= _BLOCK_BYTES:  # Cutting bytes is faster than copying from a view.
            near = data[begin:end].tobytes()
            runs = zip((starts[block] - begin).tolist(), (ends[block] - begin).tolist())
            crcs[block] = [value(near[a:b]) for a, b in runs]
        else:
            view = data.data
            runs = zip(starts[block].tolist(), ends[block].tolist())
            crcs[block] = [crc32c_of_run(view[a:b]) for a, b in runs]
    return crcs


def _of_block(data: Bytes, starts: Ints, length: int) -> Crcs | None:
    """Returns the checksums of runs of one length; None if tables do not pay for these."""
    count = len(starts)
    if count >= _FEWEST_ROWS and 0 < length <= _LONGEST and _pays(data, starts, length):
        step = int(starts[1] - starts[0])
        if length <= step <= 2 * length + 16 and (np.diff(starts) == step).all():
            flat = data[starts[0] : starts[-1] + length]
        else:
            flat, step = windows(data, length)[starts].view(np.uint8), length
        varying = _varying_columns(flat, step, length)
        if len(varying) <= _most_varying(count):
            rows: Bytes = np.ndarray((count, length), np.uint8, flat.data, 0, (step, 1))
            return _by_tables(rows, varying)
    return None


def _pays(data: Bytes, starts: Ints, length: int) -> bool:
    """Tells from some of the runs whether tables may be faster for all of them."""
    some = windows(data, length)[starts[:_SAMPLE_ROWS]].view(np.uint8)
    return len(_varying_columns(some, length, length)) <= _most_varying(len(starts))


def _most_varying(count: int) -> int:
    return int(230 / (3000 / count + 2))


def _varying_columns(flat: Bytes, step: int, length: int) -> Ints:
    """Returns the columns that are not constant, of rows that begin every `step` bytes."""
    differences = np.zeros(-(-len(flat) // step) * step - step, np.uint8)
    np.bitwise_xor(flat[step:], flat[:-step], out=differences[: len(flat) - step])
    left = len(differences) // step
    while left > 1:
        half = left // 2
        differences[: half * step] |= differences[(left - half) * step : left * step]
        left -= half
    return np.flatnonzero(differences[:length])


def _by_tables(rows: Bytes, varying: Ints) -> Crcs:
    count, length = rows.shape
    tables = _tables(1 << (length - 1).bit_length())
    first = rows[0]
    base = google_crc32c.value(first.tobytes())
    base ^= int(np.bitwise_xor.reduce(tables[length - 1 - varying, first[varying]]))
    crcs = np.full(count, base, np.uint32)
    entries = np.empty(count, np.uint32)
    indices = np.empty(count, np.intp)
    for column in varying.tolist():
        indices[:] = rows[:, column]
        # "clip", as "raise" would copy through a buffer; no index is out of range.
        tables[length - 1 - column].take(indices, out=entries, mode="clip")
        crcs ^= entries
    return crcs


@cache
def _tables(positions: int) -> Crcs:
    """Returns uint32[positions, 256]: what a byte contributes that `position` bytes follow."""
    tables = np.empty((positions, 256), np.uint32)
    byte = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        byte = (byte >> np.uint32(1)) ^ (byte & np.uint32(1)) * np.uint32(_REVERSED_POLYNOMIAL)
    tables[0] = byte
    for position in range(1, positions):
        before = tables[position - 1]
        tables[position] = byte[before & np.uint32(0xFF)] ^ (before >> np.uint32(8))
    return tables
