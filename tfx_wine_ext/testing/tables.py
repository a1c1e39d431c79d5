"""Small tables for tests: from rows written out in the test, and as Parquet files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Union

import pyarrow as pa
import pyarrow.parquet as pq

from tfx_wine_ext import safe_arrow  # noqa: F401 (before a file is opened)

Rows = Union[pa.Table, Iterable[Mapping[str, Any]]]
"""What a table is made from: an Arrow table, or one mapping from column to value for each row."""


def as_table(rows: Rows) -> pa.Table:
    """Makes an Arrow table of rows given as dicts; a table is returned as it is.

    Unlike `pyarrow.Table.from_pylist`, a column that the first row lacks is kept.

    Args:
        rows: A table, or rows as mappings from column name to value. A name that a row lacks is a
            null in that row. Types are inferred by Arrow over the whole column, so `[1, 2.5]` is
            float64 and `[1, None]` is int64.

    Returns:
        The table, its columns in the order in which the rows first name them.

    Raises:
        TypeError: The values of a column have no common Arrow type; the message names the column.

    Example:
        >>> as_table([{"a": 1}, {"b": "x"}]).to_pydict()
        {'a': [1, None], 'b': [None, 'x']}
    """
    if isinstance(rows, pa.Table):
        return rows
    rows = list(rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        try:
            columns[name] = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            raise TypeError(
                f"column {name!r}: expected values of one Arrow type, found {values!r} ({error})"
            ) from error
    return pa.table(columns)


def parquet_file(
    path: str | os.PathLike[str], rows: Rows, *, row_group_size: int | None = None
) -> Path:
    """Writes a Parquet file, and the folders above it.

    Args:
        path: Where to write; an existing file is replaced.
        rows: What to write: a table, or rows as for `as_table`.
        row_group_size: The most rows that one row group holds. Default: Arrow's (a million or
            more), which is one row group for any table of a test. Give a small number to test what
            reads row groups.

    Returns:
        The path of the file.

    Example:
        >>> import tempfile, pyarrow.parquet as pq
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = parquet_file(f"{folder}/span-1/a.parquet",
        ...                         [{"x": 1}, {"x": 2}, {"x": 3}], row_group_size=2)
        ...     pq.ParquetFile(path).num_row_groups
        2
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(as_table(rows), path, row_group_size=row_group_size)
    return path
