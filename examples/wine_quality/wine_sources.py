"""The spans of the wine data as files of other formats, as lakehouse tables, and in databases.

Each holds the rows of the Parquet spans, so `TableExampleGen` makes the same examples in the same
splits of them, and the pipeline the same model.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest import mock

import arro3.core as arro3
import deltalake
import fastavro
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet as pq
from pyiceberg.catalog import load_catalog
from pyiceberg.schema import Schema
from pyiceberg.types import DoubleType, LongType, NestedField

from examples.wine_quality.constants import COLUMNS, FEATURES
from tfx_wine_ext import sources
from tfx_wine_ext.sources.configs import SourceConfig

Serve = Callable[[Sequence[pa.Table], Path], "AbstractContextManager[SourceConfig]"]


@contextlib.contextmanager
def wine_source(kind: str, spans: Sequence[Path], folder: Path) -> Iterator[SourceConfig]:
    """Writes the spans to a source, and runs its server, if it has one, as long as the block.

    Args:
        kind: A key of `KINDS`.
        spans: The Parquet files of `write_spans`, in the order of the spans.
        folder: For all that is written. What an earlier call has written of the same spans stays
            as it is, so that the pipeline finds it unchanged.

    Yields:
        The source, in which ``{SPAN}`` stands for the number of the span.
    """
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in spans)).hexdigest()[:12]
    tables = [pq.read_table(path, columns=COLUMNS) for path in spans]
    with KINDS[kind](tables, folder.absolute() / kind / digest) as source:
        yield source


def _once(folder: Path, write: Callable[[], None]) -> None:
    """Fills a folder, unless an earlier call has."""
    written = folder / "written"
    if not written.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write()
        written.touch()


def _files(ending: str, write: Callable[[pa.Table, Path], None]) -> Serve:
    """Returns what writes one file for each span."""

    @contextlib.contextmanager
    def serve(tables: Sequence[pa.Table], folder: Path) -> Iterator[SourceConfig]:
        def write_all() -> None:
            for number, table in enumerate(tables, start=1):
                path = folder / f"span-{number}" / f"wine{ending}"
                path.parent.mkdir()
                write(table, path)

        _once(folder, write_all)
        yield sources.Files(str(folder), f"span-{{SPAN}}/*{ending}")

    return serve


def _write_avro(table: pa.Table, path: Path) -> None:
    fields = [{"name": name, "type": ["null", "double"]} for name in FEATURES]
    fields += [{"name": name, "type": "long"} for name in COLUMNS if name not in FEATURES]
    schema = {"type": "record", "name": "wine", "fields": fields}
    with path.open("wb") as file:
        fastavro.writer(file, schema, table.to_pylist(), codec="deflate")


def _write_csv(table: pa.Table, path: Path) -> None:
    """Writes numbers as Python does, which keeps all digits, and the point of a double."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(table.column_names)
        writer.writerows(zip(*(column.to_pylist() for column in table.columns)))


def _write_orc(table: pa.Table, path: Path) -> None:
    pyarrow.orc.write_table(table, str(path))


@contextlib.contextmanager
def _delta(tables: Sequence[pa.Table], folder: Path) -> Iterator[SourceConfig]:
    """Writes a table of Delta Lake for each span."""

    def write_all() -> None:
        for number, table in enumerate(tables, start=1):
            # Not the table itself: pyarrow gives its data to other libraries from 14 on only.
            arrays: dict[str, Any] = {name: _array(table[name]) for name in COLUMNS}
            deltalake.write_deltalake(
                str(folder / f"span-{number}"), arro3.Table.from_pydict(arrays)
            )

    _once(folder, write_all)
    yield sources.Delta(str(folder / "span-{SPAN}"))


def _array(column: pa.ChunkedArray) -> arro3.Array:
    whole, real = arro3.DataType.int64(), arro3.DataType.float64()
    return arro3.Array(column.to_pylist(), whole if pa.types.is_integer(column.type) else real)


@contextlib.contextmanager
def _iceberg(tables: Sequence[pa.Table], folder: Path) -> Iterator[SourceConfig]:
    """Makes a table of Iceberg of the Parquet file of each span, in a catalog of its own."""
    properties = {
        "type": "sql",
        "uri": f"sqlite:///{folder}/catalog.db",
        "warehouse": f"file://{folder}/warehouse",
    }

    def write_all() -> None:
        catalog = load_catalog("wine", **properties)
        catalog.create_namespace("wine")
        columns = [
            NestedField(number, name, DoubleType() if name in FEATURES else LongType())
            for number, name in enumerate(COLUMNS, start=1)
        ]
        for number, table in enumerate(tables, start=1):
            path = folder / f"span-{number}.parquet"
            pq.write_table(table, path)
            of_span = catalog.create_table(f"wine.span_{number}", Schema(*columns))
            of_span.add_files([f"file://{path}"])

    _once(folder, write_all)
    yield sources.Iceberg("wine.span_{SPAN}", "wine", properties)


@contextlib.contextmanager
def _postgres(tables: Sequence[pa.Table], folder: Path) -> Iterator[SourceConfig]:
    """Runs a server with one table of all spans."""
    # Not in the wheel, and not needed for files.
    from adbc_driver_postgresql import dbapi

    from engines.postgres import postgresql
    from engines.stores import WRITER

    folder.mkdir(parents=True, exist_ok=True)
    with postgresql(folder / "server.log") as database, database.running():
        database.make()
        uri = database.url(WRITER)
        with mock.patch.dict(os.environ, database.env(WRITER)):  # The password.
            with dbapi.connect(uri) as connection:
                connection.cursor().adbc_ingest("wine", _numbered(tables).to_reader())
                connection.commit()
            columns = ", ".join(f'"{name}"' for name in COLUMNS)
            yield sources.Sql(uri, f"SELECT {columns} FROM wine WHERE span = {{SPAN}} ORDER BY row")


@contextlib.contextmanager
def _trino(tables: Sequence[pa.Table], folder: Path) -> Iterator[SourceConfig]:
    """Runs a server that holds one table of all spans in memory."""
    from engines.trino import load, selected, trino

    folder.mkdir(parents=True, exist_ok=True)
    with trino(folder) as (address, _):
        load(address, "wine", _numbered(tables))
        query = f"SELECT {selected(COLUMNS)} FROM wine WHERE span = {{SPAN}} ORDER BY row"
        yield sources.Trino(address, query, user="wine", catalog="memory", schema="wine")


def _numbered(tables: Sequence[pa.Table]) -> pa.Table:
    """Returns all spans as one table, with the numbers of span and row: databases know no order."""
    return pa.concat_tables(
        table.append_column("span", pa.array([number] * len(table), pa.int64())).append_column(
            "row", pa.array(range(len(table)), pa.int64())
        )
        for number, table in enumerate(tables, start=1)
    )


KINDS: Mapping[str, Serve] = {
    "avro": _files(".avro", _write_avro),
    "csv": _files(".csv", _write_csv),
    "orc": _files(".orc", _write_orc),
    "delta": _delta,
    "iceberg": _iceberg,
    "postgres": _postgres,
    "trino": _trino,
}
"""What writes and serves each kind of source: from the spans and a folder."""
