"""Writes Delta Lake tables for tests: by deltalake, and by hand where it cannot write a feature."""

from __future__ import annotations

import ctypes
import json
import pathlib
import struct
import uuid
import zlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
from pyroaring import BitMap

_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_STREAM = b"arrow_array_stream"


class _Exported:
    """A table as the protocol between Arrow libraries has it, which pyarrow knows from 14 on."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self._struct = ctypes.create_string_buffer(64)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        address = ctypes.addressof(self._struct)
        reader = pa.RecordBatchReader.from_batches(self._table.schema, self._table.to_batches())
        reader._export_to_c(address)
        make = ctypes.pythonapi.PyCapsule_New
        make.restype = ctypes.py_object
        make.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        return make(address, _STREAM, None)


def write(path: pathlib.Path | str, table: pa.Table, **options: Any) -> str:
    """Writes rows by deltalake, appending to a table that there is; returns the folder."""
    data = table if hasattr(table, "__arrow_c_stream__") else _Exported(table)
    deltalake.write_deltalake(str(path), data, **{"mode": "append", **options})
    return str(path)


def column(name: str, type_: Any, number: int | None = None) -> dict[str, Any]:
    """A column in the schema of a log; with a number, its id, and its name in files ``cN``."""
    mapped = {"delta.columnMapping.id": number, "delta.columnMapping.physicalName": f"c{number}"}
    metadata = {} if number is None else mapped
    return {"name": name, "type": type_, "nullable": True, "metadata": metadata}


def struct_of(*fields: Mapping[str, Any]) -> dict[str, Any]:
    """The type of a struct in the schema of a log."""
    return {"type": "struct", "fields": [*fields]}


class ByHand:
    """A table whose log is written here, action by action.

    Args:
        folder: Its folder, which is made.
        columns: See `column`.
        features: What it asks of its readers. Default: nothing.
        mode: How its columns are mapped. Default: by their names.
        partitions: The names of its partition columns. Default: none.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        columns: Sequence[Mapping[str, Any]],
        features: Sequence[str] = (),
        mode: str | None = None,
        partitions: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.version = -1
        (folder / "_delta_log").mkdir(parents=True)
        protocol: dict[str, Any] = {"minReaderVersion": 1, "minWriterVersion": 2}
        if features:
            protocol = {"minReaderVersion": 3, "minWriterVersion": 7}
            protocol.update({key: [*features] for key in ("readerFeatures", "writerFeatures")})
        self.metadata = {
            "id": str(uuid.uuid4()),
            "format": {"provider": "parquet", "options": {}},
            "schemaString": json.dumps(struct_of(*columns)),
            "partitionColumns": [*partitions],
            "configuration": {"delta.columnMapping.mode": mode} if mode else {},
        }
        self.commit({"protocol": protocol}, {"metaData": self.metadata})

    def __str__(self) -> str:
        return str(self.folder)

    @property
    def log(self) -> pathlib.Path:
        """The file of the last version."""
        return self.folder / "_delta_log" / f"{self.version:020}.json"

    def commit(self, *actions: Mapping[str, Any]) -> None:
        """Writes a version."""
        self.version += 1
        self.log.write_text("".join(f"{json.dumps(action)}\n" for action in actions))

    def columns(self, *columns: Mapping[str, Any]) -> None:
        """Writes a version with other columns."""
        self.metadata["schemaString"] = json.dumps(struct_of(*columns))
        self.commit({"metaData": self.metadata})

    def add(
        self,
        name: str,
        table: pa.Table,
        partitions: Mapping[str, str | None] | None = None,
        deleted: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> pathlib.Path:
        """Writes a version with a file more.

        Args:
            name: Its path below the folder.
            table: Its rows.
            partitions: The values of partition columns, as text. Default: none.
            deleted: Which rows are not: see `deletion_vector`. Default: all are there.
            options: For `pq.write_table`.
        """
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        pq.write_table(table, str(path), **options)
        self.name(path, quote(name, safe="/="), table.num_rows, partitions or {}, deleted)
        return path

    def name(
        self,
        path: pathlib.Path,
        address: str,
        rows: int,
        partitions: Mapping[str, str | None],
        deleted: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes a version that names a file by an address."""
        action: dict[str, Any] = {
            "path": address,
            "partitionValues": dict(partitions),
            "size": path.stat().st_size,
            "modificationTime": self.version,
            "dataChange": True,
            "stats": json.dumps({"numRecords": rows}),
        }
        if deleted is not None:
            action["deletionVector"] = dict(deleted)
        self.commit({"add": action})

    def deletion_vector(self, rows: Sequence[int], in_file: bool = False) -> dict[str, Any]:
        """Makes a vector of the numbers of deleted rows, in the log or in a file of its own."""
        # A roaring bitmap of 64 bits: one of 32 bits for each value of the upper ones.
        bitmap = struct.pack("<IQI", 1681511377, 1, 0) + BitMap(rows).serialize()
        of_both = {"sizeInBytes": len(bitmap), "cardinality": len(rows)}
        if not in_file:
            return {"storageType": "i", "pathOrInlineDv": _z85(bitmap), **of_both}
        name = uuid.uuid4()
        (self.folder / f"deletion_vector_{name}.bin").write_bytes(
            b"\x01"
            + struct.pack(">I", len(bitmap))
            + bitmap
            + struct.pack(">I", zlib.crc32(bitmap))
        )
        return {"storageType": "u", "pathOrInlineDv": _z85(name.bytes), "offset": 1, **of_both}


def _z85(data: bytes) -> str:
    text = ""
    for (number,) in struct.iter_unpack(">I", data + b"\0" * (-len(data) % 4)):
        text += "".join(_Z85[number // 85**power % 85] for power in (4, 3, 2, 1, 0))
    return text
