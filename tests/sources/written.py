"""Writes small tables to files of each format, for tests."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import fastavro
import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pyarrow.orc


def avro_schema(**types: Any) -> dict[str, Any]:
    """A schema of a record with these fields."""
    fields = [{"name": name, "type": type_} for name, type_ in types.items()]
    return {"type": "record", "name": "row", "fields": fields}


def write_avro(path: pathlib.Path, types: Mapping[str, Any], rows: Sequence[Any], **options: Any):
    """Writes records to an Avro file; returns its path."""
    with path.open("wb") as stream:
        fastavro.writer(stream, avro_schema(**types), rows, **options)
    return str(path)


def write_lines(path: pathlib.Path, *rows: Any) -> str:
    """Writes objects, or text as it is, as lines of a file; returns its path."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)


def write_stream(path: pathlib.Path, table: pa.Table) -> str:
    """Writes a table as an Arrow IPC stream; returns its path."""
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)
    return str(path)


def write_orc(path: pathlib.Path, table: pa.Table, **options: Any) -> str:
    """Writes a table as an ORC file; returns its path."""
    pyarrow.orc.write_table(table, str(path), **options)
    return str(path)


def write_feather(path: pathlib.Path, table: pa.Table, **options: Any) -> str:
    """Writes a table as a Feather file, which is an Arrow IPC file; returns its path."""
    pyarrow.feather.write_feather(table, str(path), **options)
    return str(path)


def packed(path: pathlib.Path, codec: str, content: bytes) -> str:
    """Writes bytes, packed by a codec of Arrow's; returns the path."""
    with pa.CompressedOutputStream(str(path), codec) as stream:
        stream.write(content)
    return str(path)


def rows_of(source: Any) -> list[dict[str, Any]]:
    """All rows of a source."""
    return [row for batch in source.batches() for row in batch.to_pylist()]
