"""Hypothesis strategies for tables of every supported type, each with the rows it must become.

Values are drawn as plain Python, and from them both the Arrow column and the expectation are made,
so that neither is derived from the other. Null slots hold garbage, null lists hide elements, and
batches are slices out of longer ones: everything that Arrow allows and tests made by hand forget.
"""

from __future__ import annotations

import decimal
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

INT64 = st.integers(-(2**63), 2**63 - 1)
SMALL = st.integers(0, 300)


@dataclass(frozen=True)
class Leaf:
    """A type of single values: what to draw, how Arrow holds it, what the feature must hold."""

    name: str
    values: st.SearchStrategy[Any]
    build: Callable[[list[Any]], pa.Array]
    kind: str
    expected: Callable[[Any], Any] = lambda value: value
    # Other arrays cannot be given a validity bitmap after the fact: their nulls are built in.
    plain: bool = True


def as_float32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def _integer(name, bits, signed):
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    high = min(high, 2**63 - 1)
    values = (
        st.integers(low, high)
        | st.sampled_from([low, high, 0])
        | SMALL.filter(lambda value: low <= value <= high)
    )
    return Leaf(name, values, lambda raw: pa.array(raw, name), "int64_list")


def _temporal(type_, low, high, expected):
    storage = pa.int32() if type_.bit_width == 32 else pa.int64()
    values = st.integers(low, high) | st.sampled_from([low, high])
    return Leaf(
        str(type_),
        values,
        lambda raw: pa.array(raw, storage).view(type_),
        "int64_list",
        expected,
    )


def _times(unit, factor):
    limit = (2**63 - 1) // factor
    for type_ in (pa.timestamp(unit), pa.timestamp(unit, "Europe/Paris"), pa.duration(unit)):
        yield _temporal(type_, -limit, limit, lambda value: value * factor)


def _binary(name, build):
    return Leaf(
        name, st.binary(max_size=40) | st.binary(min_size=120, max_size=300), build, "bytes_list"
    )


def _text(name, build, plain=True):
    return Leaf(name, st.text(max_size=20), build, "bytes_list", str.encode, plain)


def _decimals(type_, digits):
    scale = type_.scale
    with decimal.localcontext() as context:
        context.prec = 80
        values = (st.integers(-(10**digits), 10**digits) | SMALL).map(
            lambda unscaled: decimal.Decimal(unscaled).scaleb(-scale, context)
        )
    if scale <= 0:
        return Leaf(str(type_), values, lambda raw: pa.array(raw, type_), "int64_list", int)
    return Leaf(
        str(type_),
        values,
        lambda raw: pa.array(raw, type_),
        "float_list",
        lambda value: as_float32(float(value)),
    )


class LabelType(pa.ExtensionType):
    """Some extension type: text with a meaning."""

    def __init__(self):
        super().__init__(pa.string(), "tfx_wine_ext.test_label")

    def __arrow_ext_serialize__(self):
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type, serialized):
        return cls()


def _leaves():
    yield Leaf("bool", st.booleans(), lambda raw: pa.array(raw, pa.bool_()), "int64_list", int)
    for bits in (8, 16, 32, 64):
        yield _integer(f"int{bits}", bits, signed=True)
        yield _integer(f"uint{bits}", bits, signed=False)
    yield Leaf(
        "float16",
        st.floats(width=16),
        lambda raw: pa.array(np.array(raw, np.float16)),
        "float_list",
    )
    yield Leaf(
        "float32", st.floats(width=32), lambda raw: pa.array(raw, pa.float32()), "float_list"
    )
    yield Leaf(
        "float64",
        st.floats(-3.4e38, 3.4e38) | st.sampled_from([float("nan"), float("inf"), -0.0, 1e-46]),
        lambda raw: pa.array(raw, pa.float64()),
        "float_list",
        as_float32,
    )
    yield _decimals(pa.decimal128(38, 10), 38 - 1)
    yield _decimals(pa.decimal128(12, 2), 12 - 1)
    yield _decimals(pa.decimal128(18, 0), 18 - 1)
    yield _decimals(pa.decimal256(50, 30), 50 - 1)
    yield _decimals(pa.decimal256(15, 3), 15 - 1)
    yield _text("string", lambda raw: pa.array(raw, pa.string()))
    yield _text("large_string", lambda raw: pa.array(raw, pa.large_string()))
    yield _binary("binary", lambda raw: pa.array(raw, pa.binary()))
    yield _binary("large_binary", lambda raw: pa.array(raw, pa.large_binary()))
    yield Leaf(
        "fixed_size_binary",
        st.binary(min_size=5, max_size=5),
        lambda raw: pa.array(raw, pa.binary(5)),
        "bytes_list",
    )
    if hasattr(pa, "string_view"):
        yield _text("string_view", lambda raw: pa.array(raw, pa.string_view()), plain=False)
    yield _text(
        "dictionary", lambda raw: pa.array(raw, pa.string()).dictionary_encode(), plain=False
    )
    yield _text(
        "extension",
        lambda raw: pa.ExtensionArray.from_storage(LabelType(), pa.array(raw, pa.string())),
        plain=False,
    )
    if hasattr(pa, "run_end_encoded"):
        yield _text("run_end_encoded", _run_end_encoded, plain=False)
    yield _temporal(pa.date32(), -106_751_990, 106_751_990, lambda value: value * 86_400_000_000)
    yield _temporal(pa.date64(), -(2**52), 2**52, lambda value: value * 1000)
    yield _temporal(pa.time32("s"), 0, 86_399, lambda value: value * 1_000_000)
    yield _temporal(pa.time32("ms"), 0, 86_399_999, lambda value: value * 1000)
    yield _temporal(pa.time64("us"), 0, 86_399_999_999, lambda value: value)
    yield _temporal(pa.time64("ns"), 0, 86_399_999_999_999, lambda value: value // 1000)
    yield from _times("s", 1_000_000)
    yield from _times("ms", 1000)
    yield from _times("us", 1)
    for type_ in (pa.timestamp("ns"), pa.duration("ns")):
        yield _temporal(type_, -(2**63), 2**63 - 1, lambda value: value // 1000)


def _run_end_encoded(raw):
    return pa.RunEndEncodedArray.from_arrays(
        pa.array(range(1, len(raw) + 1), pa.int32()), pa.array(raw, pa.string())
    )


LEAVES = tuple(_leaves())


def with_validity(array, valid):
    """The array with nulls where ``valid`` is False; what was there stays in the buffers."""
    validity = pa.array(valid, pa.bool_()).buffers()[1]
    return pa.Array.from_buffers(
        array.type, len(array), [validity, *array.buffers()[1:]], null_count=-1
    )


@dataclass(frozen=True)
class Column:
    """An Arrow array, and for each feature that it becomes the content in each row."""

    array: pa.Array
    features: dict[str, list[Any]]


@st.composite
def _scalars(draw, name, rows):
    leaf = draw(st.sampled_from(LEAVES))
    valid = draw(_flags(rows))
    raw = draw(st.lists(leaf.values, min_size=rows, max_size=rows))
    content = [
        (leaf.kind, [leaf.expected(value)]) if there else None for value, there in zip(raw, valid)
    ]
    if leaf.plain and rows:
        array = leaf.build(raw)
        array = array if all(valid) else with_validity(array, valid)
    else:
        array = leaf.build([value if there else None for value, there in zip(raw, valid)])
    return Column(array, {name: content})


def _flags(rows):
    flags = st.lists(st.booleans(), min_size=rows, max_size=rows)
    return st.just([True] * rows) | flags | st.just([False] * rows)


@st.composite
def _lists(draw, name, rows):
    leaf = draw(st.sampled_from(LEAVES))
    forms = ["list", "large_list", "fixed_size_list"]
    if hasattr(pa, "list_view"):
        forms += ["list_view", "large_list_view"]
    form = draw(st.sampled_from(forms))
    valid = draw(_flags(rows))
    if form == "fixed_size_list":
        size = draw(st.integers(0 if rows == 0 else 1, 3))
        counts = [size] * rows
    else:
        counts = draw(st.lists(st.integers(0, 4), min_size=rows, max_size=rows))
    total = sum(counts)
    raw = draw(st.lists(leaf.values, min_size=total, max_size=total))
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    content = [
        (leaf.kind, [leaf.expected(value) for value in raw[start:end]]) if there else None
        for start, end, there in zip(ends, ends[1:], valid)
    ]
    child = leaf.build(raw)
    validity = None if all(valid) else pa.array(valid, pa.bool_()).buffers()[1]
    small = pa.py_buffer(ends.astype(np.int32))
    if form == "fixed_size_list":
        type_, buffers = pa.list_(child.type, size), [validity]
    elif form == "list":
        type_, buffers = pa.list_(child.type), [validity, small]
    elif form == "large_list":
        type_, buffers = pa.large_list(child.type), [validity, pa.py_buffer(ends)]
    elif form == "list_view":
        sizes = pa.py_buffer(np.array(counts, np.int32))
        type_, buffers = pa.list_view(child.type), [validity, small, sizes]
    else:
        sizes = pa.py_buffer(np.array(counts, np.int64))
        type_, buffers = pa.large_list_view(child.type), [validity, pa.py_buffer(ends), sizes]
    array = pa.Array.from_buffers(type_, rows, buffers, null_count=-1, children=[child])
    return Column(array, {name: content})


@st.composite
def _structs(draw, name, rows, depth):
    fields = draw(st.lists(st.sampled_from(["x", "y", "é"]), max_size=3, unique=True))
    children = {field: draw(columns(f"{name}.{field}", rows, depth - 1)) for field in fields}
    valid = draw(_flags(rows))
    validity = None if all(valid) else pa.array(valid, pa.bool_()).buffers()[1]
    type_ = pa.struct([pa.field(field, child.array.type) for field, child in children.items()])
    array = pa.Array.from_buffers(
        type_,
        rows,
        [validity],
        null_count=-1,
        children=[child.array for child in children.values()],
    )
    features = {
        feature: [content if there else None for content, there in zip(contents, valid)]
        for child in children.values()
        for feature, contents in child.features.items()
    }
    return Column(array, features)


def _nulls(name, rows):
    return st.just(Column(pa.nulls(rows), {name: [None] * rows}))


def columns(name, rows, depth=2):
    """A column of any supported type."""
    kinds = [_scalars(name, rows)] * 3 + [_lists(name, rows)] * 3 + [_nulls(name, rows)]
    if depth:
        kinds += [_structs(name, rows, depth)] * 2
    return st.one_of(kinds)


NAMES = st.text(
    st.characters(blacklist_characters=".", blacklist_categories=["Cs"]), max_size=6
) | st.sampled_from(["fixed acidity", "a", "b", "B", "ab", "日本", "k" * 130])


@st.composite
def tables(draw, max_rows=6):
    """A batch, which is a slice of a longer one, and the rows that it must become."""
    before, rows, after = draw(
        st.tuples(st.integers(0, 9), st.integers(0, max_rows), st.integers(0, 2))
    )
    total = before + rows + after
    names = draw(st.lists(NAMES, max_size=4, unique=True))
    made = {name: draw(columns(name, total)) for name in names}
    batch = pa.RecordBatch.from_arrays([column.array for column in made.values()], names=list(made))
    if made:
        batch = batch.slice(before, rows)
    else:
        rows, before = 0, 0
    contents = {
        feature: content[before : before + rows]
        for column in made.values()
        for feature, content in column.features.items()
    }
    expected = [
        {feature: content[row] for feature, content in contents.items()} for row in range(rows)
    ]
    return batch, expected
