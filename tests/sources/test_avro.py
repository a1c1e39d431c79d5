"""Avro files: types, blocks as parts, codecs, and what is truncated or has no feature."""

from __future__ import annotations

import datetime
import decimal
import io
import pathlib
import uuid
import zlib
from typing import Any

import fastavro
import pyarrow as pa
import pytest

from tests.sources.written import avro_schema, rows_of, write_avro
from tfx_wine_ext.columnar.options import IngestOptions
from tfx_wine_ext.columnar.plan import EncodeOptions, UnsupportedColumnsError
from tfx_wine_ext.columnar.tasks import plan_table
from tfx_wine_ext.sources import avro
from tfx_wine_ext.sources.avro import AvroTable
from tfx_wine_ext.sources.choose import open_files, open_table
from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.source import TableFileError

UTC = datetime.timezone.utc


def logical(type_: str, logical_type: str, /, **more: object) -> dict[str, object]:
    return {"type": type_, "logicalType": logical_type, **more}


DAY = datetime.date(2026, 11, 26)
NOON, MIDNIGHT = datetime.time(12, 0, 0, 4), datetime.datetime(2026, 11, 26, tzinfo=UTC)
LONG_NUMBER = decimal.Decimal("-1234567890123456789012345678.0123456789")
ENUM = {"type": "enum", "name": "E", "symbols": ["red", "white"]}
FIXED = {"type": "fixed", "name": "F", "size": 3}
PRICE = logical("bytes", "decimal", precision=5, scale=1)
FIXED_PRICE = logical("fixed", "decimal", name="D", size=8, precision=10, scale=2)
RECORD = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "day", "type": logical("int", "date")},
        {"name": "again", "type": ["null", "E"]},
    ],
}
# The type in Avro, a value for fastavro, the type in Arrow, and the value in Python if another.
TYPES: dict[str, tuple[Any, ...]] = {
    "null": ("null", None, pa.null()),
    "boolean": ("boolean", True, pa.bool_()),
    "int": ("int", -(2**31), pa.int32()),
    "long": ("long", 2**63 - 1, pa.int64()),
    "float": ("float", 1.5, pa.float32()),
    "double": ("double", 0.0, pa.float64()),
    "bytes": ("bytes", b"\xff", pa.binary()),
    "string": ("string", "", pa.string()),
    "enum": (ENUM, "white", pa.string()),
    "fixed": (FIXED, b"abc", pa.binary(3)),
    "nullable": (["null", "long"], None, pa.int64()),
    "nullable_after": (["string", "null"], "x", pa.string()),
    "date": (logical("int", "date"), DAY, pa.date32()),
    "time_ms": (logical("int", "time-millis"), datetime.time(1, 2, 3), pa.time32("ms")),
    "time_us": (logical("long", "time-micros"), NOON, pa.time64("us")),
    "at_ms": (["null", logical("long", "timestamp-millis")], MIDNIGHT, pa.timestamp("ms", "UTC")),
    "at_us": (
        logical("long", "timestamp-micros"),
        datetime.datetime(1, 1, 1, tzinfo=UTC),
        pa.timestamp("us", "UTC"),
    ),
    "local": (
        logical("long", "local-timestamp-micros"),
        datetime.datetime(2026, 1, 2, 3),
        pa.timestamp("us"),
    ),
    "decimal": (
        logical("bytes", "decimal", precision=38, scale=10),
        LONG_NUMBER,
        pa.decimal128(38, 10),
    ),
    "fixed_decimal": (FIXED_PRICE, decimal.Decimal("9.50"), pa.decimal128(10, 2)),
    "uuid": (logical("string", "uuid"), uuid.UUID(int=16), pa.string(), str(uuid.UUID(int=16))),
    "array": ({"type": "array", "items": ["null", "long"]}, [1, None], pa.list_(pa.int64())),
    "prices": (
        {"type": "array", "items": PRICE},
        [decimal.Decimal("1.5")],
        pa.list_(pa.decimal128(5, 1)),
    ),
    "record": (
        ["null", RECORD],
        {"day": datetime.date(1900, 1, 1), "again": "red"},
        pa.struct([("day", pa.date32()), ("again", pa.string())]),
    ),
}


def test_each_type_is_read_as_it_was_written(tmp_path: pathlib.Path) -> None:
    types = {name: case[0] for name, case in TYPES.items()}
    row = {name: case[1] for name, case in TYPES.items()}
    path = write_avro(tmp_path / "a.avro", types, [row] * 3)
    source = open_files([path], Reading())
    assert source.schema == pa.schema([(name, case[2]) for name, case in TYPES.items()])
    assert (
        rows_of(source)
        == [{name: case[-1] if len(case) > 3 else case[1] for name, case in TYPES.items()}] * 3
    )
    nothing = {name: None for name in ("nullable", "nullable_after", "record", "at_ms")}
    path = write_avro(tmp_path / "b.avro", types, [{**row, **nothing}])
    assert {**rows_of(open_files([path], Reading()))[0], **nothing}["long"] == 2**63 - 1
    assert [rows_of(open_files([path], Reading()))[0][name] for name in nothing] == [None] * 4


@pytest.mark.parametrize(
    ("type_", "message"),
    [
        (["null", "long", "string"], "'x': dense_union.*: the values of a union have no common ty"),
        ({"type": "map", "values": "long"}, "'x': map<string, int64>: a map has no form as a feat"),
        (["null", "row"], "'x': dense_union<row, which contains itself"),
        (logical("fixed", "duration", name="d", size=12), "'x': .*interval of months, days and n"),
    ],
)
def test_a_column_without_a_feature_is_refused_by_name_and_can_be_left_out(
    tmp_path: pathlib.Path, type_: object, message: str
) -> None:
    values = {"null": None, "map": {"k": 1}, "fixed": b"a" * 12}
    kind = type_[0] if isinstance(type_, list) else type_["type"]  # type: ignore[index]
    path = write_avro(tmp_path / "a.avro", {"n": "long", "x": type_}, [{"n": 1, "x": values[kind]}])
    source = open_files([path], Reading())
    with pytest.raises(UnsupportedColumnsError, match=message):
        plan_table(source, IngestOptions())
    without = IngestOptions(EncodeOptions(exclude_columns=("x",)))
    source = open_files([path], Reading(without.reads))
    assert plan_table(source, without).columns == ("n",)
    assert rows_of(source) == [{"n": 1}]


def test_a_struct_is_read_though_one_of_its_fields_has_no_feature(tmp_path: pathlib.Path) -> None:
    inner = {
        "type": "record",
        "name": "inner",
        "fields": [
            {"name": "m", "type": {"type": "map", "values": "long"}},
            {"name": "n", "type": "long"},
        ],
    }
    path = write_avro(tmp_path / "a.avro", {"s": inner}, [{"s": {"m": {"k": 1}, "n": 7}}])
    assert rows_of(open_table(path, reads=lambda name, *around: name == "s.n")) == [{"s.n": 7}]


@pytest.mark.parametrize("codec", ["null", "deflate", "snappy", "zstandard", "bzip2", "xz"])
def test_blocks_are_parts_with_known_rows_in_any_codec(
    tmp_path: pathlib.Path, codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(avro, "PART_BYTES", 500)
    path = tmp_path / "a.avro"
    rows = [{"n": i, "text": f"wine {i}"} for i in range(1000)]
    types = {"n": "long", "text": "string"}
    if codec in ("snappy", "zstandard"):  # fastavro would need more packages.
        write_avro(path, types, rows, codec="null", sync_interval=1000)
        path.write_bytes(_packed(path.read_bytes(), codec))
    else:
        write_avro(path, types, rows, codec=codec, sync_interval=1000)
    source = AvroTable.open([str(path)], Reading())
    parts = source.parts()
    assert len(parts) > 3
    assert source.rows == 1000 == sum(part.rows or 0 for part in parts)
    assert rows_of(source) == rows
    assert (
        rows_of(source.select(parts[2:3]))
        == rows[
            sum(part.rows or 0 for part in parts[:2]) : sum(part.rows or 0 for part in parts[:3])
        ]
    )
    assert next(batch.num_rows for batch in source.batches(rows=7)) == 7


def _packed(content: bytes, codec: str) -> bytes:
    """The same file with each block packed by a codec, as Java's library does."""
    stream = io.BytesIO(content)
    header = avro._header("a", stream, len(content))
    long, name, schema = avro._of_long, codec.encode(), header.metadata["avro.schema"]
    pieces = [avro.MAGIC, long(2), long(11), b"avro.schema", long(len(schema)), schema]
    pieces += [long(10), b"avro.codec", long(len(name)), name, long(0), header.sync]
    for block in avro._blocks("a", stream, len(content), header.sync):
        plain = content[block.start : block.start + block.size]
        data = pa.compress(plain, {"zstandard": "zstd"}.get(codec, codec), asbytes=True)
        data += zlib.crc32(plain).to_bytes(4, "big") if codec == "snappy" else b""
        pieces += [long(block.records), long(len(data)), data, header.sync]
    return b"".join(pieces)


def test_every_truncated_file_is_an_error_that_says_how_far_it_is_intact(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "a.avro"
    write_avro(path, {"n": "long"}, [{"n": i} for i in range(100)], sync_interval=20)
    content = path.read_bytes()
    header = content.index(b'"row"')
    ends, place = set(), content.index(content[-16:]) + 16
    while place > 15:
        ends.add(place)
        place = content.find(content[-16:], place) + 16
    for size in set(range(0, len(content), 3)) - ends:
        path.write_bytes(content[:size])
        message = r"block \d+: damaged or truncated .* after \d+ intact" if size > header else ""
        with pytest.raises(TableFileError, match=message and rf"a.avro: .*({message}|header)"):
            AvroTable.open([str(path)], Reading())


def test_a_record_that_cannot_be_decoded_is_named(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.avro"
    rows = [{"text": "wine"}] * 5
    write_avro(path, {"text": "string"}, rows)
    content = path.read_bytes()
    at = content.rindex(b"wine", 0, content.rindex(b"wine"))  # The last but one.
    path.write_bytes(content[:at] + b"\xff" + content[at + 1 :])
    with pytest.raises(TableFileError, match=r"a.avro: record 4: cannot be decoded \('utf-8' "):
        rows_of(open_table(str(path)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected an Avro file, which begins with .*, found an empty file"),
        (b"Obj\x02", "expected an Avro file, which begins with"),
        (b"Obj\x01\x02", "its header cannot be read"),
    ],
)
def test_what_is_no_avro_file_is_said(tmp_path: pathlib.Path, content: bytes, message: str) -> None:
    (tmp_path / "a.avro").write_bytes(content)
    with pytest.raises(TableFileError, match=rf"a\.avro: {message}"):
        open_table(str(tmp_path / "a.avro"))


def test_a_schema_of_no_records_and_a_codec_that_is_not_known_are_refused(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "a.avro"
    with path.open("wb") as stream:
        fastavro.writer(stream, {"type": "array", "items": "long"}, [[1]])
    with pytest.raises(TableFileError, match=r"expected a schema of records, found .*'array'"):
        open_table(str(path))
    with open(tmp_path / "b.avro", "wb") as stream:
        fastavro.writer(stream, "int", [1])
    with pytest.raises(
        TableFileError, match=r"records, found values of the type 'int'; write each"
    ):
        open_table(str(tmp_path / "b.avro"))
    write_avro(path, {"n": "long"}, [{"n": 1}])
    path.write_bytes(path.read_bytes().replace(b"\x08null", b"\x08nulk"))
    with pytest.raises(TableFileError, match=r"expected one of null, deflate, .* codec 'nulk'"):
        open_table(str(path))


def test_files_of_other_schemas_are_refused_or_merged(tmp_path: pathlib.Path) -> None:
    paths = [
        write_avro(tmp_path / "a.avro", {"n": "int"}, [{"n": 1}]),
        write_avro(tmp_path / "b.avro", {"n": "double", "m": "string"}, [{"n": 2.5, "m": "x"}]),
    ]
    with pytest.raises(TableFileError, match=r"b.avro: expected the schema of the first file"):
        plan_table(open_files(paths, Reading(unify=False)), IngestOptions())
    assert rows_of(open_files(paths, Reading())) == [{"n": 1.0, "m": None}, {"n": 2.5, "m": "x"}]
    assert avro_schema(n="int")["fields"] == [{"name": "n", "type": "int"}]


def test_rows_of_nulls_which_take_no_bytes_are_read(tmp_path: pathlib.Path) -> None:
    schema = {"type": "record", "name": "wine", "fields": [{"name": "x", "type": "null"}]}
    with open(tmp_path / "a.avro", "wb") as file:
        fastavro.writer(file, schema, [{"x": None}] * 3)
    source = open_table(str(tmp_path / "a.avro"))
    assert source.rows == sum(batch.num_rows for batch in source.batches()) == 3


def test_maps_are_read_with_their_nulls_and_what_is_in_them(tmp_path: pathlib.Path) -> None:
    inner = {"type": "map", "values": ["null", {"type": "array", "items": "long"}]}
    schema = {
        "type": "record",
        "name": "r",
        "fields": [
            {"name": "m", "type": ["null", {"type": "map", "values": "long"}]},
            {"name": "l", "type": {"type": "array", "items": inner}},
        ],
    }
    rows = [
        {"m": {"a": 1, "é": 0}, "l": [{"k": [1, 2]}, {}]},
        {"m": None, "l": []},
        {"m": {}, "l": [{"x": None, "y": []}]},
    ]
    path = tmp_path / "a.avro"
    with path.open("wb") as stream:
        fastavro.writer(stream, schema, rows)
    [batch] = open_files([str(path)], Reading(lambda name: True, unify=False)).batches()
    assert batch.to_pydict() == {
        "m": [[("a", 1), ("é", 0)], None, []],
        "l": [[[("k", [1, 2])], []], [], [[("x", None), ("y", [])]]],
    }
    batch.validate(full=True)
