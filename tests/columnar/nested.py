"""Nested columns of any type, each with the ragged features that it must become, row by row."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import strategies as st

from tfx_wine_ext.columnar import EncodeError, EncodeOptions, encode_examples, plan_features
from tfx_wine_ext.columnar.ragged_schema import ragged_schema

from .reference import KEY_ORDER, serialized
from .tables import LEAVES, Leaf, with_validity

FORMS = ["list", "large_list", "fixed_size_list", "map"]
if hasattr(pa, "list_view"):
    FORMS += ["list_view", "large_list_view"]
TEXT = next(leaf for leaf in LEAVES if leaf.name == "string")


@dataclass(frozen=True)
class ListOf:
    """A list of one form; a map is a list of structs with `key` and `value`."""

    form: str
    elements: Any


Node = Any  # A Leaf, a ListOf, or a Mapping of fields to nodes.


class NullInsideError(Exception):
    """A null that must be refused."""


@functools.lru_cache(None)
def nodes(depth: int, flat: bool = True) -> st.SearchStrategy[Node]:
    """Types, nested at most so deep; those that are not nested only if `flat`."""
    leaf = st.sampled_from(LEAVES)
    if not depth:
        return leaf
    inner = nodes(depth - 1, depth <= 2)
    lists = st.builds(_list_of, st.sampled_from(FORMS), inner)
    structs = st.dictionaries(st.sampled_from(["x", "y", "é"]), inner, min_size=1, max_size=2)
    return leaf | lists | structs if flat else lists | lists | structs


def _list_of(form: str, node: Node) -> ListOf:
    return ListOf(form, {"key": TEXT, "value": node} if form == "map" else node)


@st.composite
def arrays(draw: Any, node: Node, count: int, nulls: bool, inside: bool = False) -> Any:
    """An array of some type, and its values as plain Python (features hold leaves as `expected`).

    Args:
        nulls: Whether there may be nulls inside lists.
    """
    flags = st.lists(st.booleans(), min_size=count, max_size=count)
    valid = draw(flags) if (nulls or not inside) and draw(st.booleans()) else [True] * count
    if isinstance(node, Leaf):
        raw = draw(st.lists(node.values, min_size=count, max_size=count))
        values = [node.expected(value) if there else None for value, there in zip(raw, valid)]
        if node.plain and count:
            array = node.build(raw)
            return (array if all(valid) else with_validity(array, valid)), values
        return node.build([value if there else None for value, there in zip(raw, valid)]), values
    validity = None if all(valid) else pa.array(valid, pa.bool_()).buffers()[1]
    if isinstance(node, Mapping):
        fields = {name: draw(arrays(child, count, nulls, inside)) for name, child in node.items()}
        type_ = pa.struct([pa.field(name, array.type) for name, (array, _) in fields.items()])
        children = [array for array, _ in fields.values()]
        array = pa.Array.from_buffers(type_, count, [validity], -1, children=children)
        rows: list[Any] = [
            {name: values[row] for name, (_, values) in fields.items()} if there else None
            for row, there in enumerate(valid)
        ]
        return array, rows
    size = draw(st.integers(0 if count == 0 else 1, 3))
    counts = (
        [size] * count
        if node.form == "fixed_size_list"
        else draw(st.lists(st.integers(0, 3), min_size=count, max_size=count))
    )
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    total = int(ends[-1])
    if node.form == "map":
        keys, key_values = draw(arrays(TEXT, total, False, True))
        items, item_values = draw(arrays(node.elements["value"], total, nulls, True))
        type_ = pa.map_(pa.string(), items.type)
        entries = pa.StructArray.from_arrays(
            [keys, items],
            fields=[pa.field("key", pa.string(), False), pa.field("value", items.type)],
        )
        child, elements = (
            entries,
            [{"key": key, "value": item} for key, item in zip(key_values, item_values)],
        )
    else:
        child, elements = draw(arrays(node.elements, total, nulls, True))
    small = pa.py_buffer(ends.astype(np.int32))
    if node.form == "fixed_size_list":
        type_, buffers = pa.list_(child.type, size), [validity]
    elif node.form == "list":
        type_, buffers = pa.list_(child.type), [validity, small]
    elif node.form == "map":
        buffers = [validity, small]
    elif node.form == "large_list":
        type_, buffers = pa.large_list(child.type), [validity, pa.py_buffer(ends)]
    elif node.form == "list_view":
        sizes = pa.py_buffer(np.array(counts, np.int32))
        type_, buffers = pa.list_view(child.type), [validity, small, sizes]
    else:
        sizes = pa.py_buffer(np.array(counts, np.int64))
        type_, buffers = pa.large_list_view(child.type), [validity, pa.py_buffer(ends), sizes]
    array = pa.Array.from_buffers(type_, count, buffers, -1, children=[child])
    rows = [
        elements[start:end] if there else None for start, end, there in zip(ends, ends[1:], valid)
    ]
    return array, rows


def kinds(node: Node, name: str, level: int = 0) -> dict[str, str]:
    """The kind of each feature of a column."""
    if isinstance(node, Leaf):
        return {name: node.kind}
    if isinstance(node, Mapping):
        fields = [kinds(child, f"{name}.{field}", level) for field, child in node.items()]
        return {key: kind for field in fields for key, kind in field.items()}
    lengths = {f"{name}$row_lengths_{level}": "int64_list"} if level else {}
    return {**lengths, **kinds(node.elements, name, level + 1)}


def ragged_row(node: Node, value: Any, name: str, drop: bool) -> dict[str, Any]:
    """The features of one row: written as slowly and obviously as the rules are said."""
    out: dict[str, Any] = {key: (kind, []) for key, kind in kinds(node, name).items()}

    def walk(node: Node, value: Any, name: str, level: int) -> None:
        if isinstance(node, Mapping):
            if value is None and level:
                raise NullInsideError
            for field, child in node.items():
                walk(child, None if value is None else value[field], f"{name}.{field}", level)
        elif value is None:
            if level:
                raise NullInsideError
            out.update(dict.fromkeys(kinds(node, name)))
        elif isinstance(node, Leaf):
            out[name][1].append(value)
        else:
            if None in value and not drop:
                raise NullInsideError
            elements = [element for element in value if element is not None]
            if level:
                out[f"{name}$row_lengths_{level}"][1].append(len(elements))
            for element in elements:
                walk(node.elements, element, name, level + 1)

    walk(node, value, name, 0)
    return out


@st.composite
def nested_tables(draw: Any, max_rows: int = 5) -> Any:
    """A slice of a column with its type, the plain rows, and whether nulls are dropped."""
    before, rows, after = draw(
        st.tuples(st.integers(0, 4), st.integers(0, max_rows), st.integers(0, 2))
    )
    node = draw(nodes(4, flat=False))
    array, values = draw(arrays(node, before + rows + after, draw(st.booleans())))
    batch = pa.RecordBatch.from_arrays([array], names=["c"]).slice(before, rows)
    return batch, node, values[before : before + rows], draw(st.booleans())


def check_nested(batch: pa.RecordBatch, node: Node, values: list[Any], drop: bool) -> Any:
    """Holds what is encoded against the rules.

    Returns:
        The schema of the ragged features and the records; None if a null is refused.
    """
    options = EncodeOptions(
        nested="ragged", null_in_list="drop" if drop else "error", key_order=KEY_ORDER
    )
    plan = plan_features(batch.schema, options)
    try:
        expected = [ragged_row(node, value, "c", drop) for value in values]
    except NullInsideError:
        with pytest.raises(EncodeError, match="a null"):
            encode_examples(batch, plan)
        return None
    records = encode_examples(batch, plan).records
    assert records == [serialized(row) for row in expected]
    return ragged_schema([plan]), records


def pure(node: Node, value: Any, name: str, wanted: str) -> Any:
    """The nested lists of one feature with values in one row, without nulls."""
    if isinstance(node, Leaf):
        return value
    if isinstance(node, Mapping):
        for field, child in node.items():
            path = f"{name}.{field}"
            if wanted in kinds(child, path):
                return pure(child, None if value is None else value[field], path, wanted)
        raise KeyError(wanted)
    elements = [element for element in value or () if element is not None]
    return [pure(node.elements, element, name, wanted) for element in elements]
