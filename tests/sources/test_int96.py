"""INT96 timestamps arrive as they were written, from year 1 to 9999 and beyond, or not at all."""

from __future__ import annotations

import datetime
import inspect
import pathlib
import re
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.columnar.shards import FILES, examples, ingest
from tfx_wine_ext.sources.footers import ParquetFileError, read_footer
from tfx_wine_ext.sources.int96 import Int96Error, footer_of_bytes, with_timestamps
from tfx_wine_ext.sources.parquet import ParquetTable, iter_row_groups

D = datetime.datetime
TIMES = [
    D(9999, 12, 31, 23, 59, 59, 999_999),  # "for ever"
    D(9999, 12, 31),
    D(1, 1, 1),  # "never"
    D(1, 1, 1, 12, 30),
    None,
    D(1970, 1, 1),
    D(1969, 12, 31, 23, 59, 59, 999_999),
    D(1900, 1, 1, 1, 2, 3, 456_789),  # pyarrow writes -82676543211000 ns of the day after
    D(2484, 7, 12, 1, 2, 3),  # what pyarrow's microseconds make of moments before 1970
    D(2300, 1, 1),
    D(1677, 9, 21),
    D(2262, 4, 11, 23, 47, 16, 854_775),
    D(2262, 4, 12),
]
ROWS = len(TIMES)
COLUMNS = {
    "ts": pa.array(TIMES, pa.timestamp("us")),
    "in_list": pa.array([[t, None, t] if t else None for t in TIMES], pa.list_(pa.timestamp("us"))),
    "in_struct": pa.array(
        [{"t": t, "n": 1} if i != 2 else None for i, t in enumerate(TIMES)],
        pa.struct([("t", pa.timestamp("us")), ("n", pa.int64())]),
    ),
    "deep": pa.array(
        [[{"t": [t]}, {"t": None}] for t in TIMES],
        pa.list_(pa.struct([("t", pa.list_(pa.timestamp("us")))])),
    ),
    "in utc": pa.array(TIMES, pa.timestamp("us", "UTC")),
    "seconds": pa.array([253_402_300_799, -62_135_596_800, None] * 4 + [0], pa.timestamp("s")),
    "text.with.dots": pa.array([None if t is None else str(t) for t in TIMES]),
    "twelve bytes": pa.array([b"12 bytes long"[:12]] * ROWS, pa.binary(12)),
    "none": pa.array([None] * ROWS, pa.timestamp("us")),
}


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "a.parquet")


def written(path, columns=COLUMNS, **options):
    pq.write_table(pa.table(columns), path, use_deprecated_int96_timestamps=True, **options)
    return path


def read(path, batch_rows=1000):
    footer = read_footer(path, FILES)
    groups = range(len(footer.row_groups))
    schema = footer.schema.remove_metadata()
    found = iter_row_groups(path, footer.digest, groups, schema, batch_rows, FILES)
    return pa.Table.from_batches([batch for _, batch in found], schema)


def raw(nanoseconds, day):
    return struct.pack("<qi", nanoseconds, day)


@pytest.mark.parametrize("whole", [True, False], ids=["small", "large"])
@pytest.mark.parametrize("dictionary", [True, False])
@pytest.mark.parametrize("row_group_size", [4, 1000])
@pytest.mark.parametrize("batch_rows", [3, 1000])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_every_time_arrives_as_it_was_written_at_any_depth(
    monkeypatch, path, whole, dictionary, row_group_size, batch_rows, version
):
    if not whole:
        name = "tfx_wine_ext.sources.footers.WHOLE_FILE_FINGERPRINT_BYTES"
        monkeypatch.setattr(name, 10)
    options = {"use_dictionary": dictionary, "data_page_version": version}
    written(path, row_group_size=row_group_size, **options)
    table = read(path, batch_rows)
    for name, column in COLUMNS.items():
        found = table[name].to_pylist()
        if name == "in utc":
            found = [t and t.replace(tzinfo=datetime.timezone.utc) for t in found]
        assert found == column.to_pylist(), name
    table.validate(full=True)


def test_the_footer_says_microseconds_and_the_other_types_are_what_they_were(path):
    written(path, {**COLUMNS, "large": pa.array(["x"] * ROWS, pa.large_string())})
    schema = read_footer(path, FILES).schema
    assert schema.field("ts").type == schema.field("seconds").type == pa.timestamp("us")
    assert schema.field("deep").type.value_type[0].type.value_type == pa.timestamp("us")
    assert schema.field("twelve bytes").type == pa.binary(12)
    assert schema.field("large").type == pa.large_string()
    assert read(path)["large"].to_pylist() == ["x"] * ROWS


@pytest.mark.skipif(
    "store_schema" not in inspect.signature(pq.ParquetWriter).parameters
    and int(pa.__version__.split(".")[0]) < 11,
    reason="this pyarrow always stores its schema",
)
def test_without_what_arrow_stores_of_its_schema_it_is_the_same(path):
    written(path, store_schema=False)
    assert read(path)["ts"].to_pylist() == TIMES


def test_features_of_int96_columns_are_exact_microseconds(tmp_path):
    written(str(tmp_path / "a.parquet"), {"ts": COLUMNS["ts"]}, row_group_size=5)
    ingest(tmp_path / "a.parquet", tmp_path / "out")
    forever = 253_402_300_799_999_999
    found = [row["ts"] and row["ts"][1][0] for row in examples(tmp_path / "out")]
    assert found[:4] == [forever, forever - 86_399_999_999, -62_135_596_800_000_000, found[3]]
    since = [t and (t - D(1970, 1, 1)) // datetime.timedelta(microseconds=1) for t in TIMES]
    assert found == since


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        (("ts", ">", "9000-01-01"), 2),
        (("ts", "<", "0001-01-02"), 2),
        (("ts", "=", "1900-01-01T01:02:03.456789"), 1),
        (("ts", "!=", "9999-12-31"), 11),
        (("ts", "in", ["2300-01-01", "2484-07-12T01:02:03"]), 2),
    ],
)
def test_filters_see_the_times_that_were_written(tmp_path, condition, kept):
    written(str(tmp_path / "a.parquet"), {"ts": COLUMNS["ts"]}, row_group_size=2)
    (file,) = ingest(tmp_path / "a.parquet", tmp_path / "out", filters=[condition])
    assert file.rows == kept


def test_drift_reads_the_same_times(path):
    table = ParquetTable([written(path)], lambda name, *around: name == "ts")
    assert [t for batch in table.batches() for t in batch.column(0).to_pylist()] == TIMES


def test_a_file_of_int96_and_one_of_microseconds_have_one_schema(tmp_path):
    written(str(tmp_path / "a"), {"ts": COLUMNS["ts"]})
    pq.write_table(pa.table({"ts": COLUMNS["ts"]}), tmp_path / "b")
    (file,) = ingest(f"{tmp_path}/[ab]", tmp_path / "out")
    assert file.rows == 2 * ROWS


def test_nanoseconds_are_rounded_down_as_everywhere(path):
    moments = pa.array([1, 999, 1_000, -1, -1_000, -1_001], pa.timestamp("ns"))
    written(path, {"ts": moments})
    assert read(path)["ts"].cast(pa.int64()).to_pylist() == [0, 0, 1, -1, -1, -2]


def test_what_microseconds_do_not_hold_is_an_error_that_names_file_row_group_and_column(path):
    # A file of bytes, made one of INT96 by swapping the two types of its column back.
    days = [2_440_588, 2_440_588 + 106_751_990, 2_440_588 + 106_751_991, 0]
    stored = pa.array([raw(0, day) for day in days], pa.binary(12))
    pq.write_table(pa.table({"ts": stored}), path, compression="none")
    content = pathlib.Path(path).read_bytes()
    length = struct.unpack("<I", content[-8:-4])[0]
    footer = content[-8 - length : -8]
    assert footer.count(b"\x15\x0e\x15\x18\x15\x02") == 1  # type 7, length 12, repetition
    footer = footer.replace(b"\x15\x0e\x15\x18\x15\x02", b"\x15\x06\x25\x02")
    assert footer.count(b"\x15\x0e\x19") == 1  # in the chunk: type 7, encodings
    footer = footer.replace(b"\x15\x0e\x19", b"\x15\x06\x19")
    end = struct.pack("<I", len(footer)) + b"PAR1"
    pathlib.Path(path).write_bytes(content[: -8 - length] + footer + end)
    assert pq.ParquetFile(path).schema.column(0).physical_type == "INT96"

    message = rf"^{re.escape(path)}: row group 0, column 'ts': .* found one of 106751991 days; .*"
    with pytest.raises(ParquetFileError, match=message):
        read(path)


def test_slots_of_nulls_may_hold_anything_and_parts_of_arrays_are_decoded_alike():
    far = raw(-1, -1)
    stored = pa.array([far, raw(5_000, 2_440_588), far, raw(7_000, 2_440_588)], pa.binary(12))
    mask = pa.array([True, False, True, False])
    data = stored.buffers()[1]
    validity = pa.array(~mask.to_numpy(zero_copy_only=False)).buffers()[1]
    array = pa.Array.from_buffers(pa.binary(12), 4, [validity, data])
    us = pa.timestamp("us")
    assert with_timestamps(array, us).cast(pa.int64()).to_pylist() == [None, 5, None, 7]
    assert with_timestamps(array.slice(1, 2), us).cast(pa.int64()).to_pylist() == [5, None]
    assert with_timestamps(array.slice(4), us).to_pylist() == []
    with pytest.raises(Int96Error, match="found one of 2145042394 days"):
        with_timestamps(pa.array([raw(0, 2**31 - 1 - 665)], pa.binary(12)), us)


def test_random_times_in_random_nesting_come_back(path):
    random = np.random.default_rng(3)
    micros = random.integers(-62_135_596_800_000_000, 253_402_300_799_999_999, 500)
    times = pa.array(micros, mask=random.random(500) < 0.2).cast(pa.timestamp("us"))
    lengths = random.integers(0, 4, 200)
    offsets = np.minimum(np.concatenate([[0], np.cumsum(lengths)]), 500)
    lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), times)
    written(path, {"l": lists}, row_group_size=60)
    assert read(path, batch_rows=7)["l"].to_pylist() == lists.to_pylist()


def test_metadata_without_int96_stay_byte_for_byte_what_they_are(path):
    columns = {k: v for k, v in COLUMNS.items() if k in ("text.with.dots", "twelve bytes")}
    pq.write_table(pa.table(columns), path)
    content = pathlib.Path(path).read_bytes()
    footer = content[-8 - struct.unpack("<I", content[-8:-4])[0] : -8]
    assert footer_of_bytes(footer) == footer
