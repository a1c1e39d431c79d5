"""Schemas of several files: in what they differ, and one schema that holds them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from tfx_wine_ext.columnar.parquet_source import Footer
from tfx_wine_ext.columnar.plan import EncodeOptions
from tfx_wine_ext.columnar.widening import wider_type


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
            f"unify_schemas: column {column!r} is {type_} in {path} and {other_type} in "
            f"{other_path}; no type holds both: convert one of them, or leave the column out "
            "(exclude_columns=)"
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
    """Merges the schemas of the files; each column gets the type that holds the values of all.

    Columns that are not read do not matter. What is wider than what, `wider_type` says.

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
            wider = wider_type(known, column.type)
            if wider is not None:
                merged[column.name] = wider
            elif reads(column.name):
                other, path = next(
                    (pair for pair in earlier if wider_type(pair[0], column.type) is None),
                    earlier[-1],
                )
                raise NoCommonTypeError(column.name, other, path, column.type, footer.path)
            earlier.append((column.type, footer.path))
    return pa.schema(list(merged.items()))
