"""Tables of any type, written to files of each format as far as it holds them, and read back."""

from __future__ import annotations

import json
import math
import os
import tempfile

import fastavro
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.feather
import pyarrow.ipc
import pyarrow.orc
import pyarrow.parquet as pq

from tests.sources import delta_tables, iceberg_tables
from tfx_wine_ext.columnar import EncodeOptions, encode_examples, frame_records, plan_features
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
# those of their values. What Parquet turns into other types (times of day in seconds, as
# milliseconds) becomes the same features.
_OF_JSON = {*SIGNED, pa.bool_(), pa.string(), pa.float64()}
_OF_CSV = {*SIGNED, pa.string(), pa.float64()}
HELD = {
    "parquet": None,
    "feather": None,
    "arrows": None,
    "tfrecord": None,
    "tfrecord.gz": None,
    "orc": {*AVRO, pa.date32(), pa.decimal128(38, 10), pa.decimal128(12, 2), pa.decimal128(18, 0)},
    "avro": {*AVRO},
    "delta": IN_LAKES,
    "iceberg": IN_LAKES,
    "jsonl": _OF_JSON,
    "jsonl.gz": _OF_JSON,
    "jsonl.zst": _OF_JSON,
    "csv": _OF_CSV,
    "csv.gz": _OF_CSV,
    "csv.zst": _OF_CSV,
    "tsv": _OF_CSV,
}
_CODECS = {"gz": "gzip", "zst": "zstd"}


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
            {name: row[name] for name in row if name.partition(".")[0] in names} for row in expected
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
        # What decodes examples cuts names at a byte of 0. Parquet has whole days; and of lists of
        # fixed size none may be null, or Arrow cannot read them.
        if extension.startswith("tfrecord"):
            return "\0" not in field.name
        lost = ("date64", "fixed_size_list") if extension == "parquet" else ()
        return not any(name in str(field.type) for name in lost)
    is_list = pa.types.is_list(field.type)
    of_value = field.type.value_type if is_list else field.type
    if isinstance(of_value, pa.BaseExtensionType) or of_value not in held:
        return False
    kind = extension.partition(".")[0]
    if kind not in ("jsonl", "csv", "tsv"):
        return True
    # Types are those of values: there must be one that tells.
    column = batch.column(batch.schema.names.index(field.name)).to_pylist()
    values = [each for value in column if value for each in value] if is_list else column
    values = [value for value in values if value is not None]
    if pa.types.is_floating(of_value) and not all(map(math.isfinite, values)):
        return False
    if kind == "jsonl":
        return bool(values)
    if pa.types.is_floating(of_value):
        return any(value % 1 for value in values) and not is_list
    if pa.types.is_string(of_value):
        text = "".join(values)
        return any(char > "\xff" for char in text) and not {*text} & {*"\0\ufeff"} and not is_list
    return bool(values) and not is_list


def _write(table: pa.Table, path: str, extension: str) -> None:
    stem, _, codec = extension.partition(".")
    if codec:
        _write(table, path, stem)
        with open(path, "rb") as file:
            content = file.read()
        with pa.CompressedOutputStream(path, _CODECS[codec]) as stream:
            stream.write(content)
    elif extension == "parquet":
        pq.write_table(table, path, version="2.6")
    elif extension == "tfrecord":
        plan = plan_features(table.schema, EncodeOptions(key_order=KEY_ORDER))
        with open(path, "wb") as stream:
            for batch in table.to_batches():
                stream.write(frame_records(encode_examples(batch, plan)).tobytes())
    elif extension == "feather":
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
        numbered = table.append_column("row", pa.array(range(len(table))))
        delimiter = "\t" if extension == "tsv" else ","
        pa_csv.write_csv(numbered, path, pa_csv.WriteOptions(delimiter=delimiter))


def _in_avro(type_: pa.DataType) -> object:
    if pa.types.is_list(type_):
        return {"type": "array", "items": AVRO[type_.value_type]}
    return AVRO[type_]
