"""Tables of any type, written to files of each format as far as it holds them, and read back."""

from __future__ import annotations

import json
import os
import tempfile

import fastavro
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.feather
import pyarrow.ipc
import pyarrow.orc

from tests.sources import delta_tables, iceberg_tables
from tfx_wine_ext.columnar import EncodeOptions, encode_examples, plan_features
from tfx_wine_ext.sources import Delta, Iceberg
from tfx_wine_ext.sources.choose import open_files
from tfx_wine_ext.sources.formats import Reading

from .reference import KEY_ORDER, serialized

SIGNED = {pa.int8(), pa.int16(), pa.int32(), pa.int64()}
AVRO = {
    **dict.fromkeys([pa.int8(), pa.int16(), pa.int32()], "int"),
    pa.bool_(): "boolean",
    pa.int64(): "long",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.string(): "string",
    pa.binary(): "bytes",
}
IN_LAKES = {
    *AVRO,
    pa.date32(),
    pa.decimal128(38, 10),
    pa.decimal128(12, 2),
    pa.decimal128(18, 0),
    pa.timestamp("us"),
    pa.timestamp("us", "Europe/Paris"),
}
# The types that each format holds, alone and in lists; None: every type, and structs.
# ORC has no unsigned numbers, times of day, durations, halves, decimals of 256 bits; Avro no
# unsigned numbers and halves; Delta Lake and Iceberg what Spark has; JSON and CSV no types but
# those of their values.
HELD = {
    "feather": None,
    "arrows": None,
    "orc": {*AVRO, pa.date32(), pa.decimal128(38, 10), pa.decimal128(12, 2), pa.decimal128(18, 0)},
    "avro": {*AVRO},
    "delta": IN_LAKES,
    "iceberg": IN_LAKES,
    "jsonl": {*SIGNED, pa.bool_(), pa.string()},
    "csv": SIGNED,
}


def check_formats(batch, expected) -> set[str]:
    """Holds what is read from each format against the rows that the table must become.

    Returns:
        The formats by which a column was compared.
    """
    compared = set()
    for extension, held in HELD.items():
        names = [field.name for field in batch.schema if _is_held(batch, field, extension, held)]
        if not names or not batch.num_rows:
            continue
        table = pa.Table.from_batches([batch]).select(names)
        rows = [
            {name: row[name] for name in row if name in names or held is None} for row in expected
        ]
        if held is not None:  # Names that a format cannot hold are not the subject.
            own = [f"c{number}" for number in range(len(names))]
            # Made again: ORC's writer mixes up the values of slices, and of nulls with content.
            schema = pa.schema(zip(own, table.schema.types))
            try:
                table = pa.table(
                    [pa.array(c.to_pylist(), c.type) for c in table.columns], schema=schema
                )
            except OverflowError:  # Python has no such date, as of the year 0.
                continue
            rows = [{new: row[name] for new, name in zip(own, names)} for row in rows]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, f"a.{extension}")
            try:
                _write(table, path, extension)
            except NotImplementedError:  # This version of Arrow cannot write a type.
                assert held is None
                continue
            how = Reading(lambda name: name != "row", unify=False)
            lake = {"delta": Delta, "iceberg": Iceberg}.get(extension)
            source = lake(path).open(how) if lake else open_files([path], how)
            source.settle()
            encoded = []
            plan = plan_features(source.schema, EncodeOptions(key_order=KEY_ORDER))
            for read in source.batches():
                encoded += encode_examples(read, plan).records
        assert encoded == [serialized(row) for row in rows], extension
        compared.add(extension)
    return compared


def _is_held(
    batch: pa.RecordBatch, field: pa.Field, extension: str, held: set[pa.DataType] | None
) -> bool:
    if held is None:
        return True
    is_list = pa.types.is_list(field.type)
    of_value = field.type.value_type if is_list else field.type
    if isinstance(of_value, pa.BaseExtensionType) or of_value not in held:
        return False
    if extension not in ("jsonl", "csv"):
        return True
    # Types are those of values: there must be one.
    values = [value for value in batch.column(batch.schema.names.index(field.name)).to_pylist()]
    there = (
        any(value for value in values) if is_list else any(value is not None for value in values)
    )
    return there and not (is_list and extension == "csv")


def _write(table: pa.Table, path: str, extension: str) -> None:
    if extension == "feather":
        pyarrow.feather.write_feather(table, path)
    elif extension == "arrows":
        with pa.ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table)
    elif extension == "orc":
        pyarrow.orc.write_table(table, path)
    elif extension == "avro":
        fields = [{"name": f.name, "type": ["null", _in_avro(f.type)]} for f in table.schema]
        with open(path, "wb") as stream:
            fastavro.writer(
                stream, {"type": "record", "name": "r", "fields": fields}, table.to_pylist()
            )
    elif extension == "delta":
        delta_tables.write(path, table)
    elif extension == "iceberg":
        iceberg_tables.write(path, table)
    elif extension == "jsonl":
        with open(path, "w", encoding="utf-8") as stream:
            stream.writelines(f"{json.dumps(row)}\n" for row in table.to_pylist())
    else:  # A row of nothing but a null would be a blank line.
        pa_csv.write_csv(table.append_column("row", pa.array(range(len(table)))), path)


def _in_avro(type_: pa.DataType) -> object:
    if pa.types.is_list(type_):
        return {"type": "array", "items": AVRO[type_.value_type]}
    return AVRO[type_]
