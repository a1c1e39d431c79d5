"""Real tables of Iceberg in a local catalog, as the tests of its source need them."""

from __future__ import annotations

import contextlib
import json
import pathlib
import struct
import unittest.mock
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestWriterV2,
)
from pyiceberg.table import Table
from pyiceberg.typedef import Record
from pyroaring import BitMap

WRITES_BY_ITSELF = int(pa.__version__.partition(".")[0]) >= 17


def _without(function: Any, *options: str) -> Any:
    def called(*arguments: Any, **named: Any) -> Any:
        for option in options:
            named.pop(option, None)
        return function(*arguments, **named)

    return called


class _Nothing:
    """A type that no value has."""


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Lets pyiceberg write with pyarrow before 17, which lacks names that change nothing here."""
    with contextlib.ExitStack() as stack:
        if not WRITES_BY_ITSELF:
            for owner, name, option in (
                (pq, "ParquetWriter", "store_decimal_as_integer"),
                (pa, "concat_tables", "promote_options"),
            ):
                changed = _without(getattr(owner, name), option)
                stack.enter_context(unittest.mock.patch.object(owner, name, changed))
            for owner, name, lacking in (
                (pa.types, "is_string_view", lambda type_: False),
                (pa.types, "is_binary_view", lambda type_: False),
                (pa, "UuidType", _Nothing),
            ):
                patch = unittest.mock.patch.object(owner, name, lacking, create=True)
                stack.enter_context(patch)
        yield


def properties(folder: pathlib.Path) -> dict[str, str]:
    """Returns the properties of a catalog in a folder."""
    return {
        "type": "sql",
        "uri": f"sqlite:///{folder}/catalog.db",
        "warehouse": f"file://{folder}/warehouse",
    }


def configure(monkeypatch: Any, folder: pathlib.Path, catalog: str = "default") -> None:
    """Configures a catalog by the environment, as users do."""
    for name, value in properties(folder).items():
        monkeypatch.setenv(f"PYICEBERG_CATALOG__{catalog.upper()}__{name.upper()}", value)


def catalog_in(folder: pathlib.Path, name: str = "default") -> Catalog:
    """Returns a new catalog with the namespace ``db``."""
    (folder / "warehouse").mkdir(exist_ok=True)
    catalog = load_catalog(name, **properties(folder))
    catalog.create_namespace_if_not_exists("db")
    return catalog


def write(folder: str, rows: pa.Table) -> None:
    """Writes a table that is read by its folder, without a catalog."""
    # Iceberg has timestamps with and without the zone UTC only, which does not change values.
    utc = pa.timestamp("us", "UTC")
    types = {field.name: utc if _is_zoned(field.type) else field.type for field in rows.schema}
    lists = {name: pa.list_(utc) for name in types if _is_zoned_list(types[name])}
    rows = rows.cast(pa.schema({**types, **lists}))
    with contextlib.closing(load_catalog("memory", type="in-memory")) as catalog, writing():
        catalog.create_namespace("db")
        table = catalog.create_table("db.t", schema=rows.schema, location=f"file://{folder}")
        table.append(rows)
        name = table.metadata_location.rpartition("/")[2]
    pathlib.Path(folder, "metadata", "version-hint.text").write_text(name, encoding="utf-8")


def _is_zoned(type_: pa.DataType) -> bool:
    return pa.types.is_timestamp(type_) and type_.tz is not None


def _is_zoned_list(type_: pa.DataType) -> bool:
    return pa.types.is_list(type_) and _is_zoned(type_.value_type)


def add_deletes(
    table: Table,
    deleted: Mapping[str, Sequence[int]] | bytes,
    content: DataFileContent = DataFileContent.POSITION_DELETES,
    file_format: FileFormat = FileFormat.PARQUET,
) -> str:
    """Commits a file of deletes as engines write it; pyiceberg has no way of its own.

    Args:
        table: The table; an unpartitioned one.
        deleted: The positions of deleted rows by data file, for a file of Parquet; or the content
            of a file of Puffin.
        content: What the file is said to hold.
        file_format: The format that a file of positions is said to have.

    Returns:
        The path of the file.
    """
    address = f"{table.location()}/data/deletes-{len(table.snapshots())}"
    path = address.removeprefix("file://")
    pathlib.Path(path).parent.mkdir(exist_ok=True)
    if isinstance(deleted, bytes):
        pathlib.Path(path).write_bytes(deleted)
    else:
        rows = [(file, at) for file, positions in deleted.items() for at in positions]
        columns = [pa.array(column) for column in zip(*rows)]
        pq.write_table(pa.Table.from_arrays(columns, ["file_path", "pos"]), path)
    said = unittest.mock.patch.object(
        ManifestWriterV2, "content", return_value=ManifestContent.DELETES
    )
    with said:
        _commit(
            table,
            content=content,
            file_path=address,
            file_format=FileFormat.PUFFIN if isinstance(deleted, bytes) else file_format,
            equality_ids=[1],
        )
    return path


def add_rows(table: Table, rows: pa.Table, *partition: Any) -> None:
    """Commits a data file with some columns of a table, in a partition, as Hive's writers do."""
    address = f"{table.location()}/data/rows-{len(table.snapshots())}.parquet"
    ids = {field.name: str(field.field_id) for field in table.schema().fields}
    fields = [field.with_metadata({"PARQUET:field_id": ids[field.name]}) for field in rows.schema]
    path = pathlib.Path(address.removeprefix("file://"))
    path.parent.mkdir(exist_ok=True)
    pq.write_table(rows.cast(pa.schema(fields)), path)
    _commit(
        table,
        content=DataFileContent.DATA,
        file_path=address,
        file_format=FileFormat.PARQUET,
        partition=Record(*partition),
        record_count=rows.num_rows,
    )


def _commit(table: Table, **entry: Any) -> None:
    size = pathlib.Path(entry["file_path"].removeprefix("file://")).stat().st_size
    entry = {"partition": Record(), "record_count": 1, "file_size_in_bytes": size, **entry}
    file = DataFile.from_args(**entry)
    file.spec_id = table.spec().spec_id
    with table.transaction() as transaction:
        transaction.update_snapshot().fast_append().append_data_file(file).commit()


def deletion_vectors(deleted: Mapping[str, Sequence[int]]) -> bytes:
    """Returns a file of Puffin with a deletion vector for each data file."""
    content, blobs = b"PFA1", []
    for path, positions in deleted.items():
        # One bitmap of 32-bit positions, with the key 0.
        bitmap = struct.pack("<QI", 1, 0) + BitMap(positions).serialize()
        vector = b"\xd1\xd3\x39\x64" + bitmap
        blob = struct.pack(">I", len(vector)) + vector + struct.pack(">I", zlib.crc32(vector))
        blobs.append(
            {
                "type": "deletion-vector-v1",
                "fields": [],
                "snapshot-id": -1,
                "sequence-number": -1,
                "offset": len(content),
                "length": len(blob),
                "properties": {"referenced-data-file": path, "cardinality": str(len(positions))},
            }
        )
        content += blob
    footer = json.dumps({"blobs": blobs}).encode()
    return content + b"PFA1" + footer + struct.pack("<I4x", len(footer)) + b"PFA1"
