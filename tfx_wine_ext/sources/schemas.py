"""Schemas of several files: their differences, and one schema that holds all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from tfx_wine_ext.columnar.arrow_types import UnsupportedTypeError, kind_of
from tfx_wine_ext.columnar.widening import wider_type
from tfx_wine_ext.errors import Option, Remedy
from tfx_wine_ext.sources.footers import Footer
from tfx_wine_ext.sources.layout import PartitionError, Partitions, partitions_of
from tfx_wine_ext.sources.source import TableFileError


class NoCommonTypeError(TableFileError):
    """A column has types in two files for which there is no common type.

    Attributes:
        column: Name of the column.
        type: Its type in `path`.
        path: The first file.
        other_type: Its type in `other_path`.
        other_path: The other file.
    """

    def __init__(
        self, column: str, type_: pa.DataType, path: str, other_type: pa.DataType, other_path: str
    ) -> None:
        super().__init__(
            str(type_),
            ("convert one of them", Remedy(Option.EXCLUDE_COLUMNS, (column,))),
            path=path,
            column=column,
            expected=f"a type that has a common one with {other_type} in {other_path}",
        )
        self.type, self.other_type, self.other_path = type_, other_type, other_path


def with_partitions(
    tables: Sequence[Sequence[Footer]],
    root: str,
    cast: Mapping[str, str] | None = None,
) -> list[list[Footer]]:
    """Adds the Hive partitions in the paths of files, ``key=value``, as columns of their schemas.

    They follow the columns of the files and have the type that Arrow would infer: int32 if all
    values of a column are 32-bit integers, else string; null if it has no values. Types are
    inferred over all tables of a run, so a column has the same type in all of them. A column that
    is cast to bytes keeps its text: ``01`` stays ``01``, whatever its other values are.

    A column that a file also contains keeps the file's type; `iter_row_groups` compares the values.

    Args:
        tables: The files of each table.
        root: The folder of the tables; parts of its own path are not partitions.
        cast: `EncodeOptions.cast`. Default: none.

    Returns:
        The same footers, with the partitions of their paths.

    Raises:
        PartitionError: The files of a table have different partition columns, a column occurs twice
            in a path, or a name is not text in UTF-8.
    """
    of_folder: dict[str, Partitions] = {}
    values: dict[str, dict[str | None, None]] = {}
    located: list[list[tuple[Footer, Partitions]]] = []
    for footers in tables:
        located.append([])
        for footer in footers:
            folder = footer.path.rpartition("/")[0]
            if folder not in of_folder:
                of_folder[folder] = partitions_of(folder, root)
                for name, text in of_folder[folder]:
                    values.setdefault(name, {})[text] = None
            located[-1].append((footer, of_folder[folder]))
        _check_same_keys(located[-1])
    if not values:
        return [list(footers) for footers in tables]
    types = {
        name: pa.string() if is_text(name, cast or {}) else _partition_type(list(texts))
        for name, texts in values.items()
    }

    # Caches the previous file's schema, partition columns and result: most files are alike.
    last: list[tuple[pa.Schema, list[str], tuple[str, ...], pa.Schema]] = []

    def added(footer: Footer, partitions: Partitions) -> Footer:
        keys = [name for name, _ in partitions]
        if not last or last[0][1] != keys or not footer.schema.equals(last[0][0]):
            in_path = tuple(name for name in keys if name not in set(footer.schema.names))
            both = [*footer.schema, *(pa.field(name, types[name]) for name in in_path)]
            last[:] = [(footer.schema, keys, in_path, pa.schema(both))]
        *_, in_path, schema = last[0]
        return replace(footer, schema=schema, partitions=partitions, in_path=in_path)

    return [[added(*file) if file[1] else file[0] for file in files] for files in located]


def _check_same_keys(files: Sequence[tuple[Footer, Partitions]]) -> None:
    for footer, partitions in files[1:]:
        first, keys = (
            [name for name, _ in partitions_of_file]
            for partitions_of_file in (files[0][1], partitions)
        )
        if set(first) != set(keys):
            raise PartitionError(
                footer.path,
                f"its folders have {_columns(keys)}, and those of {files[0][0].path} have "
                f"{_columns(first)}",
                "match files of the same partitions only",
            )


def _columns(keys: Sequence[str]) -> str:
    if not keys:
        return "no partition columns"
    columns = "columns" if len(keys) > 1 else "column"
    return f"the partition {columns} {', '.join(map(repr, keys))}"


def is_text(name: str, cast: Mapping[str, str]) -> bool:
    """Tells whether a column is cast to bytes, so its text must be kept."""
    target = cast.get(name)
    if target in (None, "int64", "float32"):
        return False
    try:
        return target == "bytes" or kind_of(pa.type_for_alias(target)) == "bytes_list"
    except (ValueError, UnsupportedTypeError):
        return False  # `plan_features` refuses it.


def _partition_type(texts: Sequence[str | None]) -> pa.DataType:
    present = [text for text in texts if text is not None]
    if not present:
        return pa.null()
    try:
        pa.array(present, pa.string()).cast(pa.int32())
    except pa.ArrowInvalid:
        return pa.string()
    return pa.int32()


def schema_difference(first: pa.Schema, other: pa.Schema, reads: Callable[[str], bool]) -> str:
    """Describes how `other` differs from `first` in the columns that are read; empty if not at all.

    A column that only `other` has is a difference, since it would be lost silently. The order of
    the columns is not.

    Args:
        first: The schema from which the features are planned.
        other: The schema of another file.
        reads: Whether a top-level column is read.

    Example:
        >>> first, other = pa.schema([("x", pa.int64())]), pa.schema([("x", pa.int8())])
        >>> schema_difference(first, other, lambda name: True)
        "column 'x' is int64 in the first and int8 in the second"
    """
    differences = []
    for name in filter(reads, dict.fromkeys((*first.names, *other.names))):
        a, b = (
            s.field(name).type if s.get_field_index(name) >= 0 else "missing"
            for s in (first, other)
        )
        if a != b:
            differences.append(f"column {name!r} is {a} in the first and {b} in the second")
    return "; ".join(differences)


def unified_schema(footers: Sequence[Footer], reads: Callable[[str], bool]) -> pa.Schema:
    """Merges the schemas of the files; each column gets a type that holds all its values.

    Columns that are not read are ignored. `wider_type` determines the common type.

    Args:
        footers: The files.
        reads: Whether a top-level column is read.

    Raises:
        NoCommonTypeError: a column has types in two files for which there is no common type.
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
