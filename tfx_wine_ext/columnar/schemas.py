"""Schemas of several files: in what they differ, and one schema that holds them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from tfx_wine_ext.columnar.parquet_source import Footer
from tfx_wine_ext.columnar.plan import EncodeOptions
from tfx_wine_ext.columnar.wording import Argument, Message, Setting


class NoCommonTypeError(ValueError):
    """A column has types in two files that no type holds both.

    Attributes:
        column: Its name.
        type: Its type in the file `path`, which comes first.
        path: See `type`.
        other_type: Its type in the file `other_path`.
        other_path: See `other_type`.
    """

    def __init__(
        self, column: str, type_: pa.DataType, path: str, other_type: pa.DataType, other_path: str
    ) -> None:
        """Composes the message, which is for authors of pipelines."""
        super().__init__(
            Message(
                Argument.UNIFY_SCHEMAS,
                f": column {column!r} is {type_} in {path} and {other_type} in {other_path}; no "
                "type holds both: convert one of them, or leave the column out (",
                Setting(Argument.EXCLUDE_COLUMNS),
                ")",
            )
        )
        self.column = column
        self.type = type_
        self.path = path
        self.other_type = other_type
        self.other_path = other_path

    def __reduce__(self) -> tuple[type[NoCommonTypeError], tuple[object, ...]]:
        """Lets the error cross process boundaries whole."""
        found = (self.column, self.type, self.path, self.other_type, self.other_path)
        return NoCommonTypeError, found


def schema_difference(
    first: pa.Schema, other: pa.Schema, wanted: Sequence[str], encode: EncodeOptions
) -> str:
    """Describes in what `other` differs from `first`; empty where it does not.

    Columns that only `other` has count unless the options leave them out: reading on would lose
    them silently. The order of the columns does not matter.

    Args:
        first: The schema that the features were planned from.
        other: The schema of another file.
        wanted: Top-level columns that are read of the first.
        encode: The options that chose them.

    Example:
        >>> one, two = pa.schema([("x", pa.int64())]), pa.schema([("x", pa.int8())])
        >>> schema_difference(one, two, ["x"], EncodeOptions())
        "column 'x' is int64 in the first and int8 in the second"
    """
    named = encode.columns is not None
    extra = () if named else (n for n in other.names if n not in encode.exclude_columns)
    found = []
    for name in dict.fromkeys((*wanted, *extra)):
        a, b = (
            s.field(name).type if s.get_field_index(name) >= 0 else "missing"
            for s in (first, other)
        )
        if a != b:
            found.append(f"column {name!r} is {a} in the first and {b} in the second")
    return "; ".join(found)


def unified_schema(footers: Sequence[Footer], reads: Callable[[str], bool]) -> pa.Schema:
    """Merges the schemas of the files, widening numbers; columns that are not read do not matter.

    Args:
        footers: The files.
        reads: Whether a top-level column is read.

    Raises:
        NoCommonTypeError: a column has types in two files that no type holds both.
    """
    merged: dict[str, pa.DataType] = {}
    seen: dict[str, list[tuple[pa.DataType, str]]] = {}
    for footer in footers:
        for column in footer.schema:
            known = merged.setdefault(column.name, column.type)
            earlier = seen.setdefault(column.name, [])
            wider = _wider_type(known, column.type)
            if wider is not None:
                merged[column.name] = wider
            elif reads(column.name):
                other, path = next(
                    (pair for pair in earlier if _wider_type(pair[0], column.type) is None),
                    earlier[-1],
                )
                raise NoCommonTypeError(column.name, other, path, column.type, footer.path)
            earlier.append((column.type, footer.path))
    return pa.schema(list(merged.items()))


def _wider_type(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """Returns the type that holds every value of both, or None where there is none."""
    if a == b or pa.types.is_null(b):
        return a
    if pa.types.is_null(a):
        return b
    if pa.types.is_integer(a) and pa.types.is_integer(b):
        wider = np.promote_types(a.to_pandas_dtype(), b.to_pandas_dtype())
        return pa.from_numpy_dtype(wider) if wider.kind in "iu" else None
    if pa.types.is_floating(a) and pa.types.is_floating(b):
        return a if a.bit_width >= b.bit_width else b
    for pair in ((a, b), (b, a)):
        if pa.types.is_floating(pair[0]) and pa.types.is_integer(pair[1]):
            wider = np.promote_types(pair[0].to_pandas_dtype(), pair[1].to_pandas_dtype())
            return pa.from_numpy_dtype(wider)
        if pa.types.is_large_string(pair[0]) and pa.types.is_string(pair[1]):
            return pair[0]
        if pa.types.is_large_binary(pair[0]) and pa.types.is_binary(pair[1]):
            return pair[0]
    if pa.types.is_dictionary(a) or pa.types.is_dictionary(b):
        return _wider_type(*(t.value_type if pa.types.is_dictionary(t) else t for t in (a, b)))
    if pa.types.is_list(a) and pa.types.is_list(b):
        # Writers differ in what they call the elements: Spark "element", Arrow "item".
        values = _wider_type(a.value_type, b.value_type)
        return None if values is None else pa.list_(values)
    return None
