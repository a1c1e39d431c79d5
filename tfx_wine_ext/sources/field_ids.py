"""Columns that are found by the ids of their fields, which stay when they are renamed or moved.

A table of Iceberg has a schema whose fields have ids. Each of its files keeps the names and types
of the schema with which it was written: a column is read by its id, or it would be another one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfx_wine_ext.columnar.arrow_types import bare, is_list
from tfx_wine_ext.columnar.values import present_mask, struct_field, unwrap
from tfx_wine_ext.columnar.widening import widened, wider_type
from tfx_wine_ext.errors import TfxWineExtError

_PARQUET_ID = b"PARQUET:field_id"
# The type in a table, and what the same values may have in a file that other software has written.
_SAME_VALUES = {pa.string(): pa.large_string(), pa.binary(): pa.large_binary()}

Names = Mapping[str, "tuple[int | None, Names]"]
"""The ids of fields by name, and the same of the fields within them."""
Constants = Mapping["int | None", pa.Array]
"""Values, in arrays of length 1, of fields that files lack, by id."""


class FieldTypeError(TfxWineExtError, ValueError):
    """A field of a file has a type that cannot be read as that of the table."""


@dataclasses.dataclass(frozen=True)
class Field:
    """A column, or a field within one.

    Attributes:
        id: Its id; None if it has none.
        name: Its name.
        type: Its type.
        children: The fields of a struct; the element of a list; key and value of a map.
    """

    id: int | None
    name: str
    type: pa.DataType
    children: tuple[Field, ...] = ()

    def all(self) -> Iterator[Field]:
        """Yields this field and all within it."""
        yield self
        for child in self.children:
            yield from child.all()


def fields_of_file(schema: pa.Schema, names: Names | None = None) -> tuple[Field, ...]:
    """Returns the columns of a Parquet file.

    Args:
        schema: Its schema, as pyarrow reads it.
        names: The ids that the table gives to names in files without ids. Default: None, no ids.

    Example:
        >>> schema = pa.schema([pa.field("x", pa.int8(), metadata={"PARQUET:field_id": "7"})])
        >>> [(field.name, field.id) for field in fields_of_file(schema)]
        [('x', 7)]
    """
    fields = tuple(map(_field_of_file, schema))
    if names is None or any(each.id is not None for field in fields for each in field.all()):
        return fields
    return tuple(_with_ids(field, names) for field in fields)


def _field_of_file(field: pa.Field) -> Field:
    id_ = (field.metadata or {}).get(_PARQUET_ID)
    children = tuple(map(_field_of_file, _within(bare(field.type))))
    return Field(None if id_ is None else int(id_), field.name, field.type, children)


def _within(type_: pa.DataType) -> Iterable[pa.Field]:
    if pa.types.is_struct(type_):
        return [type_[index] for index in range(type_.num_fields)]
    if pa.types.is_map(type_):
        return [type_.key_field, type_.item_field]
    return [type_.value_field] if is_list(type_) else []


def _with_ids(field: Field, names: Names) -> Field:
    id_, within = names.get(field.name, (None, {}))
    inner = bare(field.type)
    called = (
        ["key", "value"]
        if pa.types.is_map(inner)
        else ["element"]
        if is_list(inner)
        else [child.name for child in field.children]
    )
    children = tuple(
        dataclasses.replace(_with_ids(dataclasses.replace(child, name=name), within), name=name)
        for name, child in zip(called, field.children)
    )
    return dataclasses.replace(field, id=id_, children=children)


def check_readable(found: Field, wanted: Field) -> None:
    """Checks that a field of a file can be read as that of the table.

    Numbers may be wider in the table, and times coarser, which is checked for each value; structs
    may have other fields.

    Raises:
        FieldTypeError: It cannot; `column` is the field within the column.
    """
    inner = bare(found.type)
    if pa.types.is_struct(wanted.type):
        fits = pa.types.is_struct(inner)
        pairs = _pairs(found, wanted)
    elif wanted.children:
        is_map = pa.types.is_map(wanted.type)
        fits = pa.types.is_map(inner) if is_map else is_list(inner)
        pairs = list(zip(found.children, wanted.children))
    else:
        fits, pairs = _is_readable(found.type, wanted.type), []
    if not fits:
        raise FieldTypeError(str(found.type), column=wanted.name, expected=str(wanted.type))
    for child, of_table in pairs:
        if child is not None:
            try:
                check_readable(child, of_table)
            except FieldTypeError as error:
                error.column = f"{wanted.name}.{error.column}"
                raise


def _pairs(found: Field, wanted: Field) -> list[tuple[Field | None, Field]]:
    by_id = {child.id: child for child in found.children}
    return [(by_id.get(child.id), child) for child in wanted.children]


def _is_readable(found: pa.DataType, wanted: pa.DataType) -> bool:
    if pa.types.is_timestamp(found) and pa.types.is_timestamp(wanted):
        return (found.tz is None) == (wanted.tz is None)
    if pa.types.is_time(found) and pa.types.is_time(wanted):
        return True
    return wider_type(found, wanted) in (wanted, _SAME_VALUES.get(wanted, wanted))


def read_as(array: pa.Array, found: Field, wanted: Field, constants: Constants) -> pa.Array:
    """Converts an array of a file to the type, names and order of fields of the table.

    Args:
        array: The values of `found`.
        found: The field of the file, for which `check_readable` has passed.
        wanted: The field of the table.
        constants: Values of fields that the file lacks; null for all others.

    Raises:
        InexactValueError, pa.ArrowInvalid: A value does not fit.

    Example:
        >>> found = Field(1, "old", pa.int32())
        >>> read_as(pa.array([1], pa.int32()), found, Field(1, "new", pa.int64()), {}).type
        DataType(int64)
    """
    if not wanted.children:
        return _converted(array, wanted.type)
    array = unwrap(array)
    if pa.types.is_struct(wanted.type):
        places = {child.id: place for place, child in enumerate(found.children)}
        children = [
            missing(of_table, len(array), constants)
            if child is None
            else read_as(struct_field(array, places[child.id]), child, of_table, constants)
            for child, of_table in _pairs(found, wanted)
        ]
        return _assembled(array, wanted.type, [], children)
    if not (pa.types.is_list(array.type) or pa.types.is_map(array.type)):
        array = widened(array, pa.list_(array.type.value_type))  # From a large or fixed-size one.
    offsets = array.offsets.to_numpy().astype(np.int64)
    first, last = int(offsets[0]), int(offsets[-1])
    moved = pa.py_buffer((offsets - first).astype(np.int32))
    arrays = [array.keys, array.items] if pa.types.is_map(array.type) else [array.values]
    elements = [
        read_as(values.slice(first, last - first), child, of_table, constants)
        for values, child, of_table in zip(arrays, found.children, wanted.children)
    ]
    if pa.types.is_map(wanted.type):
        entries = pa.struct([wanted.type.key_field, wanted.type.item_field])
        elements = [pa.Array.from_buffers(entries, last - first, [None], children=elements)]
    return _assembled(array, wanted.type, [moved], elements)


def missing(wanted: Field, rows: int, constants: Constants) -> pa.Array:
    """Returns the values of a field that a file lacks: a constant, or null."""
    constant = constants.get(wanted.id)
    if constant is None:
        return pa.nulls(rows, wanted.type)
    return constant.take(pa.array(np.zeros(rows, np.int8)))


def _assembled(
    array: pa.Array, type_: pa.DataType, buffers: list[pa.Buffer], children: list[pa.Array]
) -> pa.Array:
    present = present_mask(array)
    validity = None if present is None else pa.array(present).buffers()[1]
    return pa.Array.from_buffers(type_, len(array), [validity, *buffers], children=children)


def _converted(array: pa.Array, type_: pa.DataType) -> pa.Array:
    array = unwrap(array)
    if pa.types.is_timestamp(type_) and array.type.tz != type_.tz:
        array = array.cast(pa.timestamp(array.type.unit, type_.tz))  # The same instants.
    wider = wider_type(array.type, type_)
    # A cast to a coarser time refuses a value that would lose digits.
    return pc.cast(widened(array, wider), type_)
