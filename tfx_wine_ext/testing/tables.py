"""Small tables for tests, from literal rows, and Parquet files of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Union

import pyarrow as pa
import pyarrow.parquet as pq

from tfx_wine_ext import safe_arrow  # noqa: F401 (before a file is opened)
from tfx_wine_ext.files.choose import has_scheme
from tfx_wine_ext.masking import masked_addresses

Rows = Union[pa.Table, Iterable[Mapping[str, Any]]]
"""What a table is made from: an Arrow table, or one mapping from column to value for each row."""


def as_table(rows: Rows) -> pa.Table:
    """Makes an Arrow table from rows given as dicts; returns a table unchanged.

    Unlike `pyarrow.Table.from_pylist`, it keeps columns that the first row lacks.

    Args:
        rows: A table, or rows as mappings from column name to value. A column missing from a row is
            null there. Arrow infers types over the whole column: `[1, 2.5]` is float64, `[1, None]`
            int64.

    Returns:
        The table, with columns in the order of their first appearance.

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


def local_path(path: str | os.PathLike[str]) -> Path:
    """Returns the path of a file or folder on this machine.

    Raises:
        ValueError: It is an address: as a path, ``s3://wine`` would be a folder called ``s3:``.

    Example:
        >>> local_path("s3://wine/a")
        Traceback (most recent call last):
        ...
        ValueError: s3://wine/a: expected a path on this machine, found an address
    """
    if has_scheme(os.fspath(path)):
        found = masked_addresses(os.fspath(path))
        raise ValueError(f"{found}: expected a path on this machine, found an address")
    return Path(path)


def parquet_file(
    path: str | os.PathLike[str], rows: Rows, *, row_group_size: int | None = None
) -> Path:
    """Writes a Parquet file, and creates its parent folders.

    Args:
        path: Where to write; an existing file is replaced.
        rows: A table, or rows as for `as_table`.
        row_group_size: Maximum number of rows in a row group. Default: Arrow's (a million or more),
            which gives one row group for small tables. Give a small number to test readers of row
            groups.

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
    path = local_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(as_table(rows), path, row_group_size=row_group_size)
    return path
