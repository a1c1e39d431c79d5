"""Sketches and samples as data that workers send back, in which no executable code can hide.

The bytes are a head in JSON, followed by arrays. The head is a tree of plain values. An object in
it is the name of its class with its attributes, and only classes of a closed list are created.
Unlike ``pickle``, this calls no constructor and no code that the bytes name.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Union

import numpy as np
import pyarrow as pa

from tfx_wine_ext.drift.sample import RowSample
from tfx_wine_ext.drift.sketches import PARTS_OF_SKETCHES, TableSketch
from tfx_wine_ext.drift.summaries import Floats

Travels = Union[TableSketch, RowSample]

# Another release of this package may store other attributes.
VERSION = 1
_MAGIC = b"tfx-wine-ext drift\n"
_LENGTH = struct.Struct("<Q")
_CLASSES: dict[str, type[Any]] = {
    each.__name__: each for each in (TableSketch, RowSample, *PARTS_OF_SKETCHES)
}
_NUMBERS = "biuf"  # The permitted kinds of numpy's types: no objects.


def to_bytes(*values: Travels | None) -> bytes:
    """Writes sketches and samples as data, for `from_bytes`.

    Args:
        *values: Any number of `TableSketch`, `RowSample` or None.

    Raises:
        TypeError: A value contains an object whose class is not on the list.

    Example:
        >>> sketch = TableSketch()
        >>> sketch.add(pa.table({"x": [1, 2]}))
        >>> [again] = from_bytes(to_bytes(sketch))
        >>> again.rows, again.summaries()["x"].steps().points
        (2, array([1., 2.]))
    """
    buffers: list[pa.Buffer] = []
    tree = [_plain(value, buffers) for value in values]
    head = {"version": VERSION, "values": tree, "buffers": [buffer.size for buffer in buffers]}
    text = json.dumps(head).encode()
    return b"".join([_MAGIC, _LENGTH.pack(len(text)), text, *buffers])


def from_bytes(data: bytes) -> list[Any]:
    """Reads what `to_bytes` wrote.

    Args:
        data: All of the bytes.

    Returns:
        The values that were written.

    Raises:
        ValueError: The bytes have another format or version, or are incomplete.
    """
    start = len(_MAGIC) + _LENGTH.size
    if not data.startswith(_MAGIC) or len(data) < start:
        raise ValueError(f"expected the sketches of a worker, found {len(data)} other bytes")
    end = start + _LENGTH.unpack_from(data, len(_MAGIC))[0]
    try:
        head = json.loads(data[start:end])
    except (ValueError, RecursionError) as error:
        raise ValueError(f"expected the sketches of a worker, found a broken head: {error}") from (
            error
        )
    if head.get("version") != VERSION:
        raise ValueError(
            f"expected sketches of version {VERSION}, found {head.get('version')}: workers must "
            "have the same release of tfx-wine-ext as the process that starts them"
        )
    buffers = []
    for size in head["buffers"]:
        buffers.append(pa.py_buffer(memoryview(data)[end : end + size]))
        end += size
    if end != len(data):
        raise ValueError(f"expected {end} bytes of sketches, found {len(data)}")
    try:
        return [_restored(value, buffers) for value in head["values"]]
    except (LookupError, TypeError, AttributeError, pa.ArrowException) as error:
        raise ValueError(f"expected the sketches of a worker, found {error!r}") from error


def _plain(value: Any, buffers: list[pa.Buffer]) -> Any:
    """The value in a form for JSON: a scalar unchanged, anything else as its kind and its parts."""
    if value is None or isinstance(value, (bool, int, float, str)):
        # numpy's float is a float, too, but JSON would write its type.
        return float(value) if isinstance(value, float) else value
    if isinstance(value, (list, tuple, frozenset)):
        return [type(value).__name__, [_plain(part, buffers) for part in value]]
    if isinstance(value, dict):
        return ["dict", [[_plain(x, buffers) for x in pair] for pair in value.items()]]
    if isinstance(value, bytes):
        return ["bytes", _put(pa.py_buffer(value), buffers)]
    if isinstance(value, np.ndarray) and value.dtype.kind in _NUMBERS and value.ndim == 1:
        return ["numbers", value.dtype.str, _put(_buffer(value), buffers)]
    if isinstance(value, pa.LargeBinaryArray) and not value.null_count:
        return ["binary", len(value), *(_put(part, buffers) for part in _parts(value))]
    if isinstance(value, pa.Table):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, value.schema) as writer:
            writer.write_table(value)
        return ["table", _put(sink.getvalue(), buffers)]
    name = type(value).__name__
    if _CLASSES.get(name) is not type(value):
        raise TypeError(f"{name} does not travel between workers: put it on the list of those")
    has_state = hasattr(type(value), "__setstate__")
    return [
        "object",
        name,
        _plain(value.__getstate__() if has_state else dict(vars(value)), buffers),
    ]


def _restored(plain: Any, buffers: list[pa.Buffer]) -> Any:
    if not isinstance(plain, list):
        return plain
    kind, *parts = plain
    if kind in ("list", "tuple", "frozenset"):
        return {"list": list, "tuple": tuple, "frozenset": frozenset}[kind](
            _restored(part, buffers) for part in parts[0]
        )
    if kind == "dict":
        return {_restored(x, buffers): _restored(y, buffers) for x, y in parts[0]}
    if kind == "bytes":
        return buffers[parts[0]].to_pybytes()
    if kind == "numbers":
        return _numbers(parts[0], buffers[parts[1]])
    if kind == "binary":
        # Copied through numpy, so that the values have their own memory instead of the file's.
        offsets, content = (_numbers(t, buffers[i]) for t, i in zip(("<i8", "|u1"), parts[1:]))
        array = pa.Array.from_buffers(
            pa.large_binary(), parts[0], [None, pa.py_buffer(offsets), pa.py_buffer(content)]
        )
        array.validate(full=True)
        return array
    if kind == "table":
        return pa.ipc.open_stream(buffers[parts[0]]).read_all()
    if kind != "object":
        raise TypeError(f"a value of the kind {kind!r}")
    cls = _CLASSES[parts[0]]
    made, state = object.__new__(cls), _restored(parts[1], buffers)
    if hasattr(cls, "__setstate__"):
        made.__setstate__(state)
    else:
        vars(made).update(state)
    return made


def _put(buffer: pa.Buffer, buffers: list[pa.Buffer]) -> int:
    buffers.append(buffer)
    return len(buffers) - 1


def _buffer(numbers: np.ndarray[Any, Any]) -> pa.Buffer:
    return pa.py_buffer(np.ascontiguousarray(numbers))


def _numbers(type_: str, buffer: pa.Buffer) -> Floats:
    dtype = np.dtype(type_)
    if dtype.kind not in _NUMBERS:
        raise TypeError(f"an array of {dtype}")
    numbers: Floats = np.frombuffer(buffer, dtype).copy()
    return numbers


def _parts(values: pa.LargeBinaryArray) -> tuple[pa.Buffer, pa.Buffer]:
    """Offsets that begin with 0 and the content, for the array's own part of its buffers."""
    _, offsets, content = values.buffers()
    ends = np.zeros(1, np.int64)
    if len(values):
        ends = np.frombuffer(offsets, np.int64)[values.offset : values.offset + len(values) + 1]
    first, size = int(ends[0]), int(ends[-1] - ends[0])
    whole = pa.py_buffer(b"") if content is None or not size else content.slice(first, size)
    return _buffer(ends - first), whole
