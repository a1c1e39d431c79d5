"""Decodes serialised ``tf.train.Example`` records in bulk: the inverse of `encode`.

All records of a batch are walked at once, with a vector of positions: the bytes of a feature's
entry are compared in all records in which it comes next, and its values are taken by slices. No
Python code runs per record. It reads what common writers make of an Example; records of any other
form are left to tfx_bsl. `wire` has the layout.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tfx_wine_ext.columnar.wire import (
    FIELD_1,
    FIELD_2,
    FIELD_3,
    Bytes,
    Head,
    Ints,
    copy_runs,
    offsets_of,
    varint,
    windows,
)

# Bytes that must follow the last record, so that windows may begin anywhere in it.
PADDING = 4096
# The first byte of a Feature, and what its values are.
_TYPES = {FIELD_1[0]: pa.large_binary(), FIELD_2[0]: pa.float32(), FIELD_3[0]: pa.int64()}
_BYTES, _FLOATS, _INTS = _TYPES
_DTYPES = {_FLOATS: np.float32, _INTS: np.int64}
# Longer payloads are not compared together with their heads.
_WINDOW_BYTES = 256
# Rows for which another comparison costs less than reading each length.
_FEWEST_ROWS = 64
_MOST_HEADS = 12
_SAMPLED = 8
# Steps that find few entries each cost more than tfx_bsl.
_MOST_STEPS = 1024
_NAME_MASKS = np.array([(1 << 8 * (n + 1)) - 1 for n in range(8)], np.uint64)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_LONG_RUN_BYTES = 1 << 16
_MOST_VARINT_BYTES = 10


class _UnusualError(Exception):
    """The records have a form that is not decoded here, or none."""


class _Runs(NamedTuple):
    """Values that are bytes: their places in the records."""

    starts: Ints
    lengths: Ints


class _Part(NamedTuple):
    """A feature in some rows.

    Attributes:
        rows: int64[k], the row numbers; None for all.
        kind: The first byte of the Feature; None if it has none: the feature is missing.
        counts: The number of values in each row, or int64[k].
        values: All of these values, one row after the other.
    """

    rows: Ints | None
    kind: int | None
    counts: int | Ints = 0
    values: npt.NDArray[np.float32] | Ints | _Runs | None = None


class _Entry(NamedTuple):
    """An entry as it is in one record.

    Attributes:
        key: The bytes from the entry's first tag to the tag of its Feature: they have its name.
        name: The name of the feature.
        kind: The first byte of the Feature; None if it has none.
        size: Bytes of the payload behind the head.
        head: The bytes in front of the payload; None if the entry has no simple form.
        is_empty: Whether it is a list without values.
    """

    key: bytes
    name: bytes
    kind: int | None
    size: int
    head: bytes | None
    is_empty: bool


def decode_examples(data: Bytes, starts: Ints, lengths: Ints) -> pa.RecordBatch | None:
    """Decodes serialised examples.

    Args:
        data: uint8[total], contiguous, with the records in ascending order and at least `PADDING`
            bytes behind the last one.
        starts: int64[n]: record i is ``data[starts[i]:starts[i] + lengths[i]]``.
        lengths: int64[n], from 0 on.

    Returns:
        What tfx_bsl's ``ExamplesToRecordBatchDecoder`` makes of the records: a column for each
        feature, sorted by name, each a list of float32, int64 or bytes, or of Arrow's null type if
        it has no kind in any record. None if the records are no examples, or unusual ones, with
        unpacked numbers, a feature twice or with two kinds, or hardly a feature in common.

    Example:
        >>> record = bytes.fromhex("0a0c 0a0a 0a0161 1205 1a03 0a0107")
        >>> data = np.frombuffer(record * 2 + bytes(PADDING), np.uint8)
        >>> decode_examples(data, np.array([0, 14]), np.array([14, 14])).to_pydict()
        {'a': [[7], [7]]}
    """
    try:
        parts = _walk(data, starts, lengths)
        columns = {name.decode(): parts[name] for name in sorted(parts)}
        arrays = [_column(data, column, len(starts)) for column in columns.values()]
    except (_UnusualError, UnicodeDecodeError):
        return None
    # By way of a struct, which has its number of rows even without columns.
    fields = [pa.field(name, array.type) for name, array in zip(columns, arrays)]
    struct = pa.Array.from_buffers(pa.struct(fields), len(starts), [None], children=arrays)
    return pa.RecordBatch.from_struct_array(struct)


def _walk(data: Bytes, starts: Ints, lengths: Ints) -> dict[bytes, list[_Part]]:
    """Finds the parts of all features."""
    parts: dict[bytes, list[_Part]] = defaultdict(list)
    ends = starts + lengths
    rows: Ints | None = None
    at = starts
    if not lengths.all():
        rows = np.flatnonzero(lengths)
        at, ends = at[rows], ends[rows]
    _expect(data[at] == FIELD_1[0])
    sizes, at = _varints(data, at + 1)
    _expect(at + sizes == ends)
    compared = steps = found = 0
    is_sorted, last = True, b""
    while True:
        going = at < ends
        if not going.all():
            _expect(at <= ends)
            kept = np.flatnonzero(going)
            rows = kept if rows is None else rows[kept]
            at, ends = at[kept], ends[kept]
        if not len(at):
            return parts
        read = _NextEntries(data, at, ends)
        name, place = _first_name(data, at)
        # If features are sorted, all records that have this one are at it now, or were before.
        is_sorted = is_sorted and (not compared or name > last) and compared <= 8 * found + 2**18
        if is_sorted:
            read.of_feature(None, place)
        else:
            read.of_any_feature(place)
        last, compared, steps = name, compared + len(at), steps + read.steps
        for name, part, places, to in read.parts:
            found += len(to)
            if places is None:
                at = to
                parts[name].append(part._replace(rows=rows))
            else:
                at[places] = to
                part = part._replace(rows=places if rows is None else rows[places])
                parts[name].append(part)
        if steps > _MOST_STEPS + found // 16:
            raise _UnusualError


class _NextEntries:
    """Reads the entry that comes next in each of some records.

    Attributes:
        parts: The name of a feature, and a part of it; the places of its records among the given
            ones (None for all), and the positions behind their entries.
        steps: A measure of work.
    """

    def __init__(self, data: Bytes, at: Ints, ends: Ints) -> None:
        self._data, self._at, self._ends = data, at, ends
        self.parts: list[tuple[bytes, _Part, Ints | None, Ints]] = []
        self.steps = 0

    def of_any_feature(self, place: int) -> None:
        """Reads the entries of all records; first those like the one at a position."""
        self.steps += 1
        left = self._like(None, _entry_at(self._data, place))
        if left is None:
            return
        for group in self._by_name(left):
            others: Ints | None = group
            while others is not None and len(others):  # Groups are not sure to have one name.
                others = self.of_feature(others, int(self._at[others[0]]))
                if self.steps > _MOST_STEPS + len(self._at) // 16:
                    raise _UnusualError

    def of_feature(self, places: Ints | None, place: int) -> Ints | None:
        """Reads the entries of the feature that is next at a position.

        Args:
            places: Where to look; None: in all records.
            place: The position of one of these entries.

        Returns:
            The places of the others; None: there are none.
        """
        self.steps += 1
        entry = _entry_at(self._data, place)
        left = self._like(places, entry)
        if left is None:
            return None
        of_feature = self._have_name(left, entry)
        others, left = left[~of_feature], left[of_feature]
        for _ in range(_MOST_HEADS):
            if len(left) < _FEWEST_ROWS:
                break
            rest = self._like(left, _entry_at(self._data, int(self._at[left[0]])))
            if rest is None:
                return others
            few = 4 * len(rest) > 3 * len(left)
            left = rest
            if few:
                break
        if len(left):
            self._any(left, entry)
        return others

    def _like(self, places: Ints | None, entry: _Entry) -> Ints | None:
        """Reads entries with the same lengths as `entry`; returns the places of the others."""
        at = self._at if places is None else self._at[places]
        if entry.head is None:
            return np.arange(len(at)) if places is None else places
        is_number = entry.kind in (_FLOATS, _INTS) and not entry.is_empty
        width = entry.size if is_number else 0
        window = len(entry.head) + width
        chunks = windows(self._data, window)[at]
        same = _begins_with(chunks, entry.head)
        values: npt.NDArray[np.float32] | Ints | _Runs | None = None
        if entry.kind == _INTS and is_number:
            payload: Bytes = np.ndarray(
                (len(at), width), np.uint8, chunks.data, len(entry.head), (window, 1)
            )
            same &= _is_one_varint(payload)
        whole = bool(same.all())
        chosen = None if whole else np.flatnonzero(same)
        if chosen is not None and not len(chosen):
            return np.arange(len(at)) if places is None else places
        size = len(entry.head) + entry.size
        to = at + size if chosen is None else at[chosen] + size
        count = 0 if entry.is_empty or entry.kind is None else 1
        if is_number and entry.kind == _FLOATS:
            count = width // 4
            shape, strides = (len(at), count), (window, 4)
            floats: npt.NDArray[np.float32] = np.ndarray(
                shape, "<f4", chunks.data, len(entry.head), strides
            )
            values = (floats if chosen is None else floats[chosen]).reshape(-1)
        elif is_number:
            values = _of_varints(payload if chosen is None else payload[chosen])
        elif count:
            values = _Runs(to - entry.size, np.full(len(to), entry.size))
        of_all = chosen if places is None else places if chosen is None else places[chosen]
        self.parts.append((entry.name, _Part(None, entry.kind, count, values), of_all, to))
        if whole:
            return None
        rest = np.flatnonzero(~same)
        return rest if places is None else places[rest]

    def _by_name(self, places: Ints) -> list[Ints]:
        """Groups entries by a hash of the feature's name."""
        data = self._data
        at = self._at[places]
        _expect(data[at] == FIELD_1[0])
        _, at = _varints(data, at + 1)
        lengths = data[at + 1]
        words: npt.NDArray[np.uint64] = np.ndarray(len(data) - 7, "<u8", data.data, 0, (1,))
        hashes = words[at + 1] & _NAME_MASKS[np.minimum(lengths, 7)]
        for share in (1, 2):  # The last bytes, and those in the middle.
            hashes *= _MULTIPLIER
            more = words[np.maximum(at + 2 + lengths // share - 8, 0)]
            hashes ^= np.where(lengths > 7 * share, more, np.uint64(0))
        hashes *= _MULTIPLIER
        if (hashes == hashes[0]).all():
            return [places]
        short = (hashes >> np.uint64(48)).astype(np.uint16)
        order = np.argsort(short, kind="stable")
        return np.split(places[order], np.flatnonzero(np.diff(short[order])) + 1)

    def _have_name(self, places: Ints, entry: _Entry) -> npt.NDArray[np.bool_]:
        """Tells which entries are those of one feature, however long they are."""
        at = self._at[places]
        _expect(self._data[at] == FIELD_1[0])
        _, at = _varints(self._data, at + 1)
        return _begins_with(windows(self._data, len(entry.key))[at], entry.key)

    def _any(self, places: Ints, entry: _Entry) -> None:
        """Reads entries of one feature by their lengths."""
        sizes, at = _varints(self._data, self._at[places] + 1)
        ends = at + sizes
        _expect(ends <= self._ends[places])
        sizes, at = _varints(self._data, at + len(entry.key))
        _expect(at + sizes == ends)
        kinds = np.where(sizes == 0, 0, self._data[at])
        for kind in np.unique(kinds).tolist():
            chosen = np.flatnonzero(kinds == kind)
            if kind == 0:
                _expect(sizes[chosen] == 0)
                part = _Part(None, None)
            elif kind in _TYPES:
                part = self._list(kind, at[chosen], ends[chosen])
            else:
                raise _UnusualError
            self.parts.append((entry.name, part, places[chosen], ends[chosen]))

    def _list(self, kind: int, at: Ints, ends: Ints) -> _Part:
        """Reads lists of one kind, which begin at some places and end at others."""
        sizes, at = _varints(self._data, at + 1)
        _expect(at + sizes == ends)
        if kind == _BYTES:
            return self._byte_strings(at, ends)
        counts = np.zeros(len(at), np.int64)
        filled = np.flatnonzero(sizes)
        at, ends = at[filled], ends[filled]
        _expect(self._data[at] == FIELD_1[0])
        sizes, at = _varints(self._data, at + 1)
        _expect(at + sizes == ends)
        payload = _joined(self._data, at, sizes)
        if kind == _FLOATS:
            _expect(sizes % 4 == 0)
            counts[filled] = sizes // 4
            return _Part(None, kind, counts, payload.view("<f4"))
        last = np.flatnonzero(payload < 0x80)
        upto = np.cumsum(sizes)
        of_rows = np.searchsorted(last, upto)  # How many values end before each row's end.
        some = np.flatnonzero(sizes)
        _expect(payload[upto[some] - 1] < 0x80)
        counts[filled] = np.diff(of_rows, prepend=0)
        starts = np.concatenate([[0], last[:-1] + 1]) if len(last) else last
        return _Part(None, kind, counts, _long_varints(payload, starts, last + 1 - starts))

    def _byte_strings(self, at: Ints, ends: Ints) -> _Part:
        """Reads lists of bytes: the first value of each list, then the second, and so on."""
        counts = np.zeros(len(at), np.int64)
        places = np.arange(len(at))
        found: list[tuple[Ints, Ints, Ints]] = []
        while True:
            going = np.flatnonzero(at < ends)
            at, ends, places = at[going], ends[going], places[going]
            if not len(at):
                break
            if len(found) > 16 and len(at) < 16:  # Few long lists.
                raise _UnusualError
            _expect(self._data[at] == FIELD_1[0])
            lengths, at = _varints(self._data, at + 1)
            counts[places] += 1
            found.append((places, at, lengths))
            at = at + lengths
            _expect(at <= ends)
        if len(found) == 1:
            return _Part(None, _BYTES, counts, _Runs(found[0][1], found[0][2]))
        values = _Runs(np.empty(counts.sum(), np.int64), np.empty(counts.sum(), np.int64))
        firsts = np.cumsum(counts) - counts
        for number, (places, starts, lengths) in enumerate(found):
            values.starts[firsts[places] + number] = starts
            values.lengths[firsts[places] + number] = lengths
        return _Part(None, _BYTES, counts, values)


def _expect(holds: npt.NDArray[np.bool_]) -> None:
    if not holds.all():
        raise _UnusualError


def _varints(data: Bytes, at: Ints) -> tuple[Ints, Ints]:
    """Reads lengths of boxes, as varints of up to 5 bytes, and the positions behind them."""
    last = data[at]
    more = np.flatnonzero(last >= 0x80)
    values, at = last.astype(np.int64), at + 1
    values &= 0x7F
    shift = 7
    while len(more):
        if shift > 28:
            raise _UnusualError
        last = data[at[more]]
        values[more] |= (last & 0x7F).astype(np.int64) << shift
        at[more] += 1
        more = more[last >= 0x80]
        shift += 7
    return values, at


def _first_name(data: Bytes, at: Ints) -> tuple[bytes, int]:
    """Returns, of the next features of some of the records, the first name, and its position."""
    some = at[:: -(-len(at) // _SAMPLED)].tolist()
    return min((_name_at(data, place)[0], place) for place in some)


def _name_at(data: Bytes, at: int) -> tuple[bytes, bytes, int, int]:
    """Returns the name of the entry at a position, its key, and the ends of entry and key."""
    view = data.data
    size, at = _varint_at(view, at + 1)
    length, start = _varint_at(view, at + 1)
    name = bytes(view[start : start + length])
    key = FIELD_1 + varint(length) + name + FIELD_2
    if len(key) + 2 * _WINDOW_BYTES > PADDING or view[at : at + len(key)] != key:
        raise _UnusualError
    if b"\0" in name:  # tfx_bsl's batch, which comes from C++, has the bytes before it only.
        raise _UnusualError
    return name, key, at + size, at + len(key)


def _entry_at(data: Bytes, at: int) -> _Entry:
    name, key, end, at = _name_at(data, at)
    view = data.data
    size, at = _varint_at(view, at)
    if size == 0:
        return _Entry(key, name, None, 0, Head(FIELD_1, key)(0), True)
    kind = view[at]
    if kind not in _TYPES:
        raise _UnusualError
    size, at = _varint_at(view, at + 1)
    if size == 0:
        return _Entry(key, name, kind, 0, Head(FIELD_1, key, bytes([kind]))(0), True)
    size, at = _varint_at(view, at + 1)
    is_simple = kind == _BYTES or (
        0 < size <= (_MOST_VARINT_BYTES if kind == _INTS else _WINDOW_BYTES)
    )
    head = None
    if is_simple and at + size == end and (kind != _FLOATS or size % 4 == 0):
        head = Head(FIELD_1, key, bytes([kind]), FIELD_1)(size)
    return _Entry(key, name, kind, size, head, False)


def _varint_at(view: memoryview, at: int) -> tuple[int, int]:
    value = view[at]
    if value < 0x80:
        return value, at + 1
    value &= 0x7F
    for shift in range(7, 35, 7):
        at += 1
        value |= (view[at] & 0x7F) << shift
        if view[at] < 0x80:
            return value, at + 1
    raise _UnusualError


def _begins_with(chunks: npt.NDArray[np.void], head: bytes) -> npt.NDArray[np.bool_]:
    """Tells which of the chunks begin with `head`, by comparing 8 bytes at a time."""
    width, at = 8, 0
    while width > len(head):
        width //= 2
    same: npt.NDArray[np.bool_] | None = None
    while at < len(head):
        at = min(at, len(head) - width)
        words: npt.NDArray[Any] = np.ndarray(
            len(chunks), f"<u{width}", chunks.data, at, (chunks.dtype.itemsize,)
        )
        equal: npt.NDArray[np.bool_] = words == words.dtype.type(
            int.from_bytes(head[at : at + width], "little")
        )
        same = equal if same is None else np.logical_and(same, equal, out=same)
        at += width
    assert same is not None
    return same


def _is_one_varint(payload: Bytes) -> npt.NDArray[np.bool_]:
    """Tells which rows of uint8[n, width] are one varint each."""
    width = payload.shape[1]
    # Decoders differ in what they do with bits above the 64th.
    ends = payload[:, -1] < (0x80 if width < _MOST_VARINT_BYTES else 2)
    for column in range(width - 1):
        ends &= payload[:, column] >= 0x80
    return ends


def _of_varints(payload: Bytes) -> Ints:
    """Reads uint8[n, width]: one varint in each row."""
    values = np.zeros(len(payload), np.uint64)
    for column in range(payload.shape[1]):
        values |= (payload[:, column] & np.uint8(0x7F)).astype(np.uint64) << np.uint64(7 * column)
    return values.view(np.int64)


def _long_varints(payload: Bytes, starts: Ints, lengths: Ints) -> Ints:
    """Reads varints of different lengths."""
    values = np.zeros(len(starts), np.int64)
    for length in np.unique(lengths).tolist():
        if length > _MOST_VARINT_BYTES:
            raise _UnusualError
        rows = np.flatnonzero(lengths == length)
        matrix = windows(payload, length)[starts[rows]].view(np.uint8).reshape(-1, length)
        _expect(_is_one_varint(matrix))
        values[rows] = _of_varints(matrix)
    return values


def _joined(data: Bytes, starts: Ints, lengths: Ints) -> Bytes:
    """Returns runs of bytes, one after the other."""
    ends = np.cumsum(lengths)
    out = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
    to = ends - lengths
    is_long = lengths > _LONG_RUN_BYTES
    if is_long.any():  # Copying many at once needs as much memory again.
        for row in np.flatnonzero(is_long).tolist():
            out[to[row] : ends[row]] = data[starts[row] : starts[row] + lengths[row]]
        to, starts, lengths = to[~is_long], starts[~is_long], lengths[~is_long]
    copy_runs(out, to, data, starts, lengths)
    return out


def _column(data: Bytes, parts: list[_Part], count: int) -> pa.Array:
    """Makes the column of one feature from its parts."""
    kinds = {part.kind for part in parts if part.kind is not None}
    if len(kinds) > 1:
        raise _UnusualError
    counts = np.zeros(count, np.int64)
    present = np.zeros(count, bool)
    seen = np.zeros(count, bool)
    for part in parts:
        where = slice(None) if part.rows is None else part.rows
        if seen[where].any():
            raise _UnusualError
        seen[where] = True
        present[where] = part.kind is not None
        counts[where] = part.counts
    if not kinds:
        return pa.nulls(count)
    [kind] = kinds
    offsets = offsets_of(counts)
    values = _values(data, parts, kind, offsets)
    # "item", as tfx_bsl calls it.
    type_ = pa.large_list(pa.field("item", _TYPES[kind]))
    valid = None if present.all() else pa.py_buffer(np.packbits(present, bitorder="little"))
    return pa.Array.from_buffers(type_, count, [valid, pa.py_buffer(offsets)], children=[values])


def _values(data: Bytes, parts: list[_Part], kind: int, offsets: Ints) -> pa.Array:
    """Puts the values of all parts in the order of the rows."""
    filled = [part for part in parts if part.values is not None]
    if kind != _BYTES:
        numbers = _ordered(filled, offsets, [part.values for part in filled], _DTYPES[kind])
        return pa.Array.from_buffers(_TYPES[kind], len(numbers), [None, pa.py_buffer(numbers)])
    runs: list[Any] = [part.values for part in filled]
    starts = _ordered(filled, offsets, [run.starts for run in runs], np.int64)
    lengths = _ordered(filled, offsets, [run.lengths for run in runs], np.int64)
    ends = offsets_of(lengths)
    if len(starts) == 1:  # It may be huge.
        joined = data[starts[0] : starts[0] + lengths[0]]
    else:
        joined = _joined(data, starts, lengths)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(joined)]
    return pa.Array.from_buffers(_TYPES[kind], len(lengths), buffers)


def _ordered(parts: list[_Part], offsets: Ints, values: list[Any], dtype: Any) -> Any:
    """Puts values of all parts in the order of the rows, of which each part has some in order."""
    if len(parts) == 1:
        return np.ascontiguousarray(values[0])
    ordered = np.empty(offsets[-1], dtype)
    for part, some in zip(parts, values):
        assert part.rows is not None
        to = offsets[part.rows]
        if not isinstance(part.counts, int) or part.counts != 1:
            counts = np.broadcast_to(part.counts, len(to))
            firsts = np.cumsum(counts) - counts
            to = np.repeat(to - firsts, counts) + np.arange(len(some))
        ordered[to] = some
    return ordered
