"""Versions of Delta Lake tables, written by deltalake or by hand, read as a source."""

from __future__ import annotations

import datetime
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from decimal import Decimal

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.sources.delta_tables import ByHand, column, struct_of, write
from tfx_wine_ext.cli import main
from tfx_wine_ext.files.local import RemoteError
from tfx_wine_ext.files.s3 import keys_of_profile
from tfx_wine_ext.sources import Delta, Files
from tfx_wine_ext.sources.choose import open_table
from tfx_wine_ext.sources.configs import SourceConfigError, source_from_dict
from tfx_wine_ext.sources.filters import RowFilter
from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.source import TableFileError

UTC = datetime.timezone.utc
X = [column("x", "long")]
TEN = pa.table({"x": range(10)})


def opened(table, flat=False, reads=None, **how):
    reading = Reading(flat=flat) if reads is None else Reading(reads, flat=flat)
    return Delta(str(table), **how).open(reading)


def rows_of(source):
    """All rows; each part is also read alone, as a worker does."""
    with source.snapshot() as held:
        rows = pa.Table.from_batches(held.batches(), held.schema).to_pylist()
        parts = held.parts()
        alone = [pickle.loads(pickle.dumps(held.select([part]))) for part in parts]
    of_parts = [row for one in alone for batch in one.batches() for row in batch.to_pylist()]
    assert repr(of_parts) == repr(rows)
    assert source.rows == len(rows) == sum(part.rows for part in parts)
    return rows


def read(table, **how):
    return rows_of(opened(table, **how))


# --- Rows


def test_rows_of_all_types_are_read_with_the_types_of_the_table(tmp_path):
    when = datetime.datetime(2026, 11, 26, 12, 30, 0, 5)
    written = {
        "b": (pa.bool_(), True),
        "i1": (pa.int8(), -1),
        "i4": (pa.int32(), 4),
        "i8": (pa.int64(), 2**60),
        "f4": (pa.float32(), 0.5),
        "f8": (pa.float64(), 0.0),
        "s": (pa.string(), ""),
        "y": (pa.binary(), b"\xff"),
        "d": (pa.date32(), when.date()),
        "t": (pa.timestamp("us"), when),
        "z": (pa.timestamp("us", "UTC"), when.replace(tzinfo=UTC)),
        "n": (pa.decimal128(9, 2), Decimal("1.50")),
        "l": (pa.list_(pa.string()), ["a", None]),
        "r": (pa.struct([("a", pa.int64())]), {"a": 7}),
    }
    values = {name: pa.array([value, None], type_) for name, (type_, value) in written.items()}
    path = write(tmp_path / "t", pa.table(values))
    source = opened(path)
    assert dict(zip(source.schema.names, source.schema.types)) == {
        name: type_ for name, (type_, _) in written.items()
    }
    assert rows_of(source) == [
        {name: value for name, (_, value) in written.items()},
        dict.fromkeys(written),
    ]
    assert (source.kind, source.version, source.names) == ("delta", 0, [*written])


def test_values_of_partitions_have_the_types_of_the_table(tmp_path):
    when = datetime.datetime(2026, 11, 26, 12, 30, 0, 5)
    values = {
        "s": ("a/b c%20é=1", pa.string()),
        "i": (-3, pa.int16()),
        "f": (0.5, pa.float64()),
        "o": (False, pa.bool_()),
        "d": (when.date(), pa.date32()),
        "t": (when, pa.timestamp("us")),
        "z": (when.replace(tzinfo=UTC), pa.timestamp("us", "UTC")),
        "n": (Decimal("12.50"), pa.decimal128(9, 2)),
    }
    columns = {name: pa.array([value, None], type_) for name, (value, type_) in values.items()}
    table = pa.table({**columns, "x": [1, 2]})
    path = write(tmp_path / "a b% #é", table, partition_by=[*values])
    source = opened(path)
    assert source.schema.equals(table.schema)
    assert sorted(rows_of(source), key=lambda row: row["x"]) == table.to_pylist()
    assert len(source.parts()) == 2


def test_only_partition_columns_can_be_read(tmp_path):
    table = ByHand(tmp_path / "t", [*X, column("p", "integer")], partitions=["p"])
    deleted = table.deletion_vector([0])
    table.add("p=7/a.parquet", pa.table({"x": [1, 2, 3]}), {"p": "7"}, deleted)
    assert read(table, reads=lambda name: name == "p") == [{"p": 7}, {"p": 7}]
    [batch] = opened(table, reads=lambda name: False).batches()
    assert (batch.num_rows, batch.num_columns) == (2, 0)


def test_files_come_in_the_order_of_writing_whatever_the_log_and_checkpoints_say(tmp_path):
    table = ByHand(tmp_path / "t", X)
    for value, name in enumerate("zay"):
        table.add(f"{name}.parquet", pa.table({"x": [value]}))
    expected = [{"x": 0}, {"x": 1}, {"x": 2}]
    assert read(table) == expected
    before = opened(table).fingerprint()
    deltalake.DeltaTable(str(table)).create_checkpoint()
    for commit in sorted((tmp_path / "t" / "_delta_log").glob("*.json"))[:3]:
        commit.unlink()
    assert read(table) == expected
    assert opened(table).fingerprint() == before
    with pytest.raises(TableFileError, match="expected a version from 3 to 3, found version 2"):
        opened(table, version=2)


def test_addresses_of_files_may_be_absolute_and_escaped(tmp_path):
    elsewhere = tmp_path / "other place" / "a+b%.parquet"
    elsewhere.parent.mkdir()
    pq.write_table(pa.table({"x": [1]}), str(elsewhere))
    table = ByHand(tmp_path / "t", X)
    table.name(elsewhere, elsewhere.as_uri(), 1, {})
    table.add("c d%41#.parquet", pa.table({"x": [2]}))
    assert read(table) == [{"x": 1}, {"x": 2}]


# --- Deleted rows


@pytest.mark.parametrize("in_file", [False, True])
def test_rows_of_deletion_vectors_are_left_out(tmp_path, in_file):
    table = ByHand(tmp_path / "t", X, ["deletionVectors"])
    for number, deleted in enumerate(([0, 4, 5, 6, 7, 9], [], [8])):
        vector = table.deletion_vector(deleted, in_file)
        table.add(f"a {number}=é.parquet", TEN, None, vector, row_group_size=4)
    table.add("b.parquet", pa.table({"x": [77]}))
    source = opened(table)
    kept = [1, 2, 3, 8, *range(10), 0, 1, 2, 3, 4, 5, 6, 7, 9, 77]
    assert [row["x"] for row in rows_of(source)] == kept
    assert [part.rows for part in source.parts()][:3] == [3, 1, 4]
    assert [row["x"] for b in source.batches(rows=3) for row in b.to_pylist()] == kept


def test_a_table_all_of_whose_rows_are_deleted_is_refused(tmp_path):
    table = ByHand(tmp_path / "t", X, ["deletionVectors"])
    table.add("a.parquet", TEN, None, table.deletion_vector(range(10)))
    with pytest.raises(TableFileError, match=r"t@v1: expected at least one row, found none"):
        opened(table)


def test_another_deletion_vector_is_another_fingerprint(tmp_path):
    seen = set()
    for name, deleted in (("a", [1]), ("b", [2]), ("c", [])):
        table = ByHand(tmp_path / name, X, ["deletionVectors"])
        table.add("a.parquet", TEN, None, table.deletion_vector(deleted))
        seen.add(opened(table).fingerprint())
    assert len(seen) == 3


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_a_deletion_vector_that_cannot_be_read_is_an_error(tmp_path, damage):
    table = ByHand(tmp_path / "t", X, ["deletionVectors"])
    table.add("a.parquet", TEN, None, table.deletion_vector([1], in_file=True))
    [file] = (tmp_path / "t").glob("*.bin")
    content = file.read_bytes()
    file.unlink() if damage == "missing" else file.write_bytes(content[:-5] + b"\7" + content[-4:])
    with pytest.raises(TableFileError, match=r"t@v1: its log cannot be read \(.*(not found|CRC32)"):
        opened(table)


# --- Columns


def test_mapped_columns_are_found_by_their_physical_names(tmp_path):
    columns = [
        column("a, b", "long", 1),
        column("s", struct_of(column("x", "long", 3), column("y", "string", 4)), 2),
        column("l", {"type": "array", "elementType": struct_of(column("q", "long", 6)),
                     "containsNull": True}, 5),
        column("p", "date", 7),
        column("new", "long", 9),
    ]  # fmt: skip
    table = ByHand(tmp_path / "t", columns, ["columnMapping"], "name", ["p"])
    table.add(
        "xY/a.parquet",
        pa.table(
            {
                "new": [98, 99],  # A column that was dropped.
                "c5": [[{"c6": 5}], None],
                "c2": [{"c4": "u", "y": "dropped"}, None],
                "c1": pa.array([1, 2], pa.int32()),
            }
        ),
        {"c7": "2026-11-26"},
    )
    day = datetime.date(2026, 11, 26)
    others = {"p": day, "new": None}
    assert read(table) == [
        {"a, b": 1, "s": {"x": None, "y": "u"}, "l": [{"q": 5}], **others},
        {"a, b": 2, "s": None, "l": None, **others},
    ]
    flat = opened(table, flat=True, reads=lambda name, *around: name != "l")
    assert rows_of(flat)[0] == {"a, b": 1, "s.x": None, "s.y": "u", **others}


def test_mapped_columns_are_found_by_their_numbers(tmp_path):
    inner = struct_of(column("q", "long", 3), column("new", "long", 4))
    columns = [column("x", "long", 1), column("s", inner, 2), column("later", "long", 8)]
    table = ByHand(tmp_path / "t", columns, ["columnMapping"], "id")

    def numbered(name, type_, number):
        return pa.field(name, type_, metadata={"PARQUET:field_id": str(number)})

    struct = pa.struct([numbered("any", pa.int64(), 3), numbered("c4", pa.int64(), 40)])
    schema = pa.schema([numbered("s1", struct, 2), numbered("c8", pa.int64(), 1)])
    rows = [{"s1": {"any": 5, "c4": 1}, "c8": 6}]
    table.add("a.parquet", pa.Table.from_pylist(rows, schema))
    assert read(table) == [{"x": 6, "s": {"q": 5, "new": None}, "later": None}]


def test_columns_that_came_later_are_null_and_narrower_types_are_widened(tmp_path):
    path = write(tmp_path / "t", pa.table({"x": pa.array([1], pa.int64()), "old": ["o"]}))
    write(path, pa.table({"x": [2], "old": ["p"], "new": [0.5]}), schema_mode="merge")
    assert read(path) == [
        {"x": 1, "old": "o", "new": None},
        {"x": 2, "old": "p", "new": 0.5},
    ]
    assert read(path, version=0) == [{"x": 1, "old": "o"}]


def test_types_that_were_widened_are_those_of_the_table(tmp_path):
    columns = [
        column("i", "long"),
        column("f", "double"),
        column("d", "decimal(20,4)"),
        column("t", "timestamp_ntz"),
        column("s", struct_of(column("a", "double"), column("b", "string"))),
    ]
    table = ByHand(tmp_path / "t", columns, ["typeWidening", "timestampNtz"])
    table.add(
        "a.parquet",
        pa.table(
            {
                "i": pa.array([1], pa.int8()),
                "f": pa.array([2], pa.int32()),
                "d": pa.array([Decimal("1.5")], pa.decimal128(10, 2)),
                "t": pa.array([1], pa.date32()),
                "s": pa.array([{"a": 1}], pa.struct([("a", pa.float32())])),
            }
        ),
    )
    when = datetime.datetime(1970, 1, 2)
    expected = {"i": 1, "f": 2.0, "d": Decimal("1.5000"), "t": when, "s": {"a": 1.0, "b": None}}
    assert read(table) == [expected]


def test_times_of_other_units_and_zones_are_those_of_the_table(tmp_path):
    table = ByHand(tmp_path / "t", [column("t", "timestamp")])
    when = datetime.datetime(2026, 1, 2, 3, 4, 5)
    for number, type_ in enumerate((pa.timestamp("ms"), pa.timestamp("ns"))):
        table.add(f"{number}.parquet", pa.table({"t": pa.array([when], type_)}), version="2.6")
    table.add("int96.parquet", pa.table({"t": [when]}), use_deprecated_int96_timestamps=True)
    assert read(table) == [{"t": when.replace(tzinfo=UTC)}] * 3
    finer = pa.table({"t": pa.array([1500], pa.timestamp("ns"))})
    table.add("finer.parquet", finer, version="2.6")
    message = r"finer.parquet: column 't': expected timestamp\[us, tz=UTC\], as the table says"
    with pytest.raises(TableFileError, match=message):
        read(table)


@pytest.mark.parametrize(
    ("stated", "stored"),
    [("long", ["text"]), ("string", [1]), ("boolean", [1]), ("float", [0.1]), ("date", ["d"]),
     ("timestamp", [0.5]), (struct_of(column("a", "long")), [{"a": "text"}])],
)  # fmt: skip
def test_a_file_with_another_type_is_refused(tmp_path, stated, stored):
    table = ByHand(tmp_path / "t", [*X, column("y", stated)])
    table.add("a.parquet", pa.table({"x": [1], "y": stored}))
    with pytest.raises(TableFileError, match=r"a\.parquet: column 'y': expected .*, as the table"):
        opened(table)
    assert read(table, reads=lambda name: name == "x") == [{"x": 1}]


def test_a_value_that_does_not_fit_is_refused(tmp_path):
    table = ByHand(tmp_path / "t", [column("x", "integer")])
    table.add("a.parquet", pa.table({"x": [2**40]}))
    with pytest.raises(TableFileError, match=r"column 'x': expected a value of int32.*1099511627"):
        read(table)


def test_columns_without_a_known_type_are_refused_by_name(tmp_path):
    inner = struct_of(column("v", "variant"), column("a", "long"))
    table = ByHand(
        tmp_path / "t", [*X, column("s", inner), column("v", "variant")], ["variantType"]
    )
    table.add("a.parquet", pa.table({"x": [1], "s": [{"a": 2}]}))
    with pytest.raises(TableFileError, match=r"column 's.v': .* found the type variant; .*'s',"):
        opened(table, flat=True)
    with pytest.raises(TableFileError, match=r"column 'v': .* found the type variant"):
        opened(table, flat=True, reads=lambda name, *around: name != "s.v")
    assert read(table, flat=True, reads=lambda name, *_: name[-1] != "v") == [{"x": 1, "s.a": 2}]


def test_bytes_as_a_partition_are_refused(tmp_path):
    table = ByHand(tmp_path / "t", [*X, column("p", "binary")], partitions=["p"])
    table.add("a.parquet", pa.table({"x": [1]}), {"p": "\\u0001"})
    with pytest.raises(TableFileError, match=r"column 'p': .* binary of a partition column"):
        opened(table)
    assert read(table, reads=lambda name: name == "x") == [{"x": 1}]


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (["deletionVectors", "fooBar"], "it needs what deltalake cannot do .*fooBar"),
        (["catalogManaged"], "it needs what deltalake cannot do .*atalog-managed"),
        (["typeWidening", "deletionVectors"], "it needs what deltalake cannot do .*TypeWidening"),
    ],
)
def test_a_table_that_needs_more_of_its_readers_is_refused(tmp_path, features, message):
    table = ByHand(tmp_path / "t", X, features)
    table.add("a.parquet", TEN, None, table.deletion_vector([1]))
    with pytest.raises(TableFileError, match=message):
        opened(table)


# --- Versions


@pytest.fixture
def five(tmp_path):
    """A table with versions 0 to 4, one a day from 2026-01-01 on, a row each."""
    table = ByHand(tmp_path / "five", X)
    day = datetime.datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    os.utime(table.log, (day, day))
    for number in range(1, 5):
        table.add(f"{number}.parquet", pa.table({"x": [number]}))
        os.utime(table.log, (day + 86_400 * number,) * 2)
    return table


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("2026-01-03", 2),
        ("2026-01-03T00:00:00Z", 2),
        ("2026-01-03T00:00:00+01:00", 1),
        ("2026-01-02T23:59:59.999999", 1),
        ("20260104", 3),
        ("'20260104'", 3),
        (str(int(datetime.datetime(2026, 1, 5, tzinfo=UTC).timestamp())), 4),
        ("2026-06-01", 4),
    ],
)
def test_a_time_names_the_last_version_until_then(five, text, version):
    config = Delta(str(five), timestamp=text)
    assert config.pinned() == Delta(str(five), version=version)
    assert [row["x"] for row in rows_of(config.open(Reading()))] == [*range(1, version + 1)]


def test_a_time_in_a_commit_counts_more_than_that_of_its_file(five):
    for number, year in enumerate(range(2001, 2006)):
        log = five.log.with_name(f"{number:020}.json")
        noted = int(datetime.datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000)
        first = json.dumps({"commitInfo": {"inCommitTimestamp": noted}})
        log.write_text(f"{first}\n{log.read_text()}")
    assert Delta(str(five), timestamp="2003-06-01").pinned().version == 2
    with pytest.raises(TableFileError, match="from that of version 0 of 2001-01-01 00:00:00"):
        Delta(str(five), timestamp="2000-06-01").pinned()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"version": 5}, "five: expected a version from 0 to 4, found version 5; name one of them"),
        ({"timestamp": "2025-12-31"}, "expected a time from that of version 0 of 2026-01-01 .* to "
         "now; the latest is version 4 of 2026-01-05 .*, found 2025-12-31; name a time"),
        ({"timestamp": "2999-01-01"}, "to now; .* found 2999-01-01; name a time that has come"),
    ],
)  # fmt: skip
def test_versions_that_are_not_there_are_refused_with_those_that_are(five, how, message):
    for does in (Delta.pinned, lambda config: config.open(Reading())):
        with pytest.raises(TableFileError, match=message):
            does(Delta(str(five), **how))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"version": -1}, "version: expected the number of a version, from 0, found -1"),
        ({"version": "3"}, "version: expected the number of a version, from 0, found '3'"),
        ({"version": True}, "version: expected the number"),
        ({"timestamp": "yesterday"}, "timestamp: expected a time like 2026-11-26 .*'yesterday'"),
        ({"version": 1, "timestamp": "2026-01-01"}, "expected a version, or a timestamp, .* both"),
        ({"path": "/a/b%20c"}, "path: expected a folder without backslashes, and without % before"),
        ({"path": "abfss://a@b/c"}, r"path: expected a local folder, s3:// or gs://"),
        ({"path": "s3://key:hunter2@b/c"}, r"path: expected an address without a password"),
    ],
)
def test_descriptions_that_cannot_be_meant_are_refused(values, message):
    with pytest.raises(SourceConfigError, match=message) as caught:
        Delta(**{"path": "t", **values})
    assert "hunter2" not in str(caught.value)


def test_a_description_survives_json_and_what_yaml_makes_of_dates():
    config = source_from_dict(
        {"source": "delta", "path": "t", "timestamp": datetime.date(2026, 1, 3)}
    )
    assert config == Delta("t", timestamp="2026-01-03")
    assert config.to_dict() == {"source": "delta", "path": "t", "timestamp": "2026-01-03"}
    assert source_from_dict(config.to_dict()) == config
    assert [Delta("t").name, config.name, Delta("t", 3).name] == ["t", "t@2026-01-03", "t@v3"]
    assert Delta("t", timestamp="{YYYY}-{MM}-{DD}").timestamp == "{YYYY}-{MM}-{DD}"


def test_the_version_that_is_pinned_is_read_whatever_is_written_meanwhile(tmp_path):
    path = write(tmp_path / "t", pa.table({"x": [1, 2, 3]}))
    write(path, pa.table({"x": [4]}))
    pinned = Delta(path).pinned()
    assert pinned == Delta(path, version=1)
    source = pinned.open(Reading())
    before = source.fingerprint()
    reading = source.batches(rows=1)
    read = [next(reading).to_pylist()]

    table = deltalake.DeltaTable(path)
    table.delete("x = 2")
    table.optimize.compact()
    write(path, pa.table({"other": ["a"]}), mode="overwrite", schema_mode="overwrite")

    read += [batch.to_pylist() for batch in reading]
    assert sorted(row["x"] for rows in read for row in rows) == [1, 2, 3, 4]
    assert pinned.open(Reading()).fingerprint() == before
    assert rows_of(Delta(path).open(Reading())) == [{"other": "a"}]


def test_the_fingerprint_changes_with_the_rows_and_only_then(tmp_path):
    path = write(tmp_path / "t", pa.table({"x": [0]}))
    write(path, pa.table({"x": [1, 2, 3]}), mode="overwrite")

    def fingerprint(at=path):
        return opened(at).fingerprint()

    first = fingerprint()
    assert re.fullmatch("delta-v1:[0-9a-f]{32}", first)
    table = deltalake.DeltaTable(path)
    table.alter.set_table_properties({"delta.appendOnly": "false"})
    table.vacuum(0, dry_run=False, enforce_retention_duration=False)
    table.create_checkpoint()
    assert table.version() == 4
    assert fingerprint() == first
    assert Delta(path).pinned().version == 2  # The new property; VACUUM's versions change nothing.
    assert Delta(path, version=3).pinned().version == 3
    shutil.copytree(path, tmp_path / "copy")
    assert fingerprint(tmp_path / "copy") == first

    seen = [first]
    write(path, pa.table({"x": [4]}))
    seen.append(fingerprint())
    deltalake.DeltaTable(path).delete("x = 2")
    seen.append(fingerprint())
    deltalake.DeltaTable(path).optimize.compact()
    seen.append(fingerprint())
    write(path, pa.table({"x": [5], "y": [1]}), schema_mode="merge")
    seen.append(fingerprint())
    assert len({*seen}) == 5
    assert opened(path, version=1).fingerprint() == first


# --- What is damaged or gone


def test_files_that_are_gone_are_told_from_damage(tmp_path):
    path = write(tmp_path / "t", pa.table({"x": [1, 2, 3]}))
    source = opened(path)
    table = deltalake.DeltaTable(path)
    table.delete("x = 2")
    table.vacuum(0, dry_run=False, enforce_retention_duration=False)
    message = r"expected a file of .*/t@v0, found it is gone; read a later version, .*VACUUM"
    with pytest.raises(TableFileError, match=message):
        list(source.batches())
    with pytest.raises(TableFileError, match=message):
        opened(path, version=0)
    assert read(path) == [{"x": 1}, {"x": 3}]


def replaced_by_another(path):
    rows = pq.ParquetFile(str(path)).metadata.num_rows
    pq.write_table(pa.table({"x": [5] * (rows - 1)}), str(path))


def replaced_by_one_of_the_same_size(path):
    size = path.stat().st_size
    for name in ("x" * length for length in range(1, size)):
        pq.write_table(pa.table({name: [5]}), str(path), compression="none")
        if path.stat().st_size >= size:
            break
    content = path.read_bytes()
    path.write_bytes(content[:4] + content[4 + len(content) - size :])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-3]), "truncated"),
        (lambda path: path.write_bytes(b""), r"a\.parquet"),
        (replaced_by_another, r"expected \d+ bytes, as the log of .*t@v1 says, found \d+ bytes"),
        (replaced_by_one_of_the_same_size, "expected 10 rows, as the log .* found 1 rows"),
    ],
)
def test_a_file_that_is_not_the_one_of_the_log_is_refused(tmp_path, change, message):
    table = ByHand(tmp_path / "t", X)
    path = table.add("a.parquet", TEN, compression="none")
    change(path)
    with pytest.raises(TableFileError, match=message):
        opened(table)


def test_a_file_that_changes_after_it_was_planned_is_an_error(tmp_path):
    table = ByHand(tmp_path / "t", X)
    path = table.add("a.parquet", TEN)
    source = opened(table)
    pq.write_table(pa.table({"x": range(10, 20)}), str(path))
    with pytest.raises(TableFileError, match=r"a\.parquet: it changed after the run had begun"):
        list(source.batches())


def cut(log, kept):
    log.write_text(log.read_text()[:kept])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda logs: cut(logs[4], 60), r"five@v4: its log cannot be read \(.*; restore the files"),
        (lambda logs: cut(logs[4], 0), r"five@v4: 0{19}4\.json: 0 bytes; restore the files"),
        (lambda logs: logs[2].unlink(), r"its log cannot be read \(.*found gap.*; restore"),
        (lambda logs: logs[0].unlink(), "a log that begins with version 0 or a checkpoint, found "
         "version 1, and no checkpoint; restore"),
        (lambda logs: cut(logs[0], logs[0].read_text().index("\n") + 1),
         "its log cannot be read .*No table metadata"),
        (lambda logs: [log.unlink() for log in logs], "which has a folder _delta_log with its log, "
         "found a folder without one; check"),
        (lambda logs: logs[4].write_text('{"add": {"path": "a"}}\n'), "its log cannot be read"),
    ],
)  # fmt: skip
def test_a_damaged_log_is_an_error(five, damage, message):
    damage(sorted((five.folder / "_delta_log").glob("*.json")))
    with pytest.raises(TableFileError, match=message):
        opened(five)


@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_a_damaged_checkpoint_is_an_error(five, damage):
    deltalake.DeltaTable(str(five)).create_checkpoint()
    for number in range(4):
        five.log.with_name(f"{number:020}.json").unlink()
    [checkpoint] = five.log.parent.glob("*.checkpoint.parquet")
    content = checkpoint.read_bytes()
    checkpoint.unlink() if damage == "missing" else checkpoint.write_bytes(content[:99])
    with pytest.raises(
        TableFileError, match=r"its log cannot be read|begins with version 0 or a ch"
    ):
        opened(five)


def test_what_is_no_table_is_refused(tmp_path):
    (tmp_path / "wines").mkdir()
    for path, found in (("wines", "a folder without one"), ("wine", "nothing there; .*/wines'")):
        with pytest.raises(
            TableFileError, match=f"expected the folder of a Delta .* found {found}"
        ):
            opened(tmp_path / path)
    (tmp_path / "a.csv").write_text("x\n1\n")
    with pytest.raises(TableFileError, match="found a file; check"):
        opened(tmp_path / "a.csv")
    with pytest.raises(TableFileError, match="t@v0: expected at least one row, found none"):
        opened(ByHand(tmp_path / "t", X))


def test_a_missing_package_is_named_with_the_command_that_installs_it(five, monkeypatch):
    monkeypatch.setitem(sys.modules, "deltalake", None)
    for does in (Delta.pinned, lambda config: config.open(Reading())):
        with pytest.raises(
            TableFileError, match=r"deltalake.*; pip install 'tfx-wine-ext\[delta\]'"
        ):
            does(Delta(str(five)))


# --- Filters


def test_files_and_row_groups_without_matching_rows_are_not_read(tmp_path):
    day = column("p", "date")
    table = ByHand(tmp_path / "t", [*X, day], ["deletionVectors"], partitions=["p"])
    for text in ("2026-01-01", "2026-01-02", None):
        vector = table.deletion_vector([0])
        table.add(f"p={text}/a.parquet", TEN, {"p": text}, vector, row_group_size=5)
    source = opened(table)

    def kept(*conditions):
        return [(part.path[-20:-10], part.index) for part in source.parts(RowFilter([conditions]))]

    assert kept(("p", ">", "2026-01-01")) == [("2026-01-02", 0), ("2026-01-02", 1)]
    assert kept(("p", "=", "2026-01-01"), ("x", ">", 7)) == [("2026-01-01", 1)]


@pytest.mark.parametrize("mapped", [True, False])
def test_statistics_of_a_mapped_or_missing_column_exclude_nothing(tmp_path, mapped):
    columns = [column("x", "long", 1), column("c1", "long", 2)]
    table = ByHand(tmp_path / "t", columns, ["columnMapping"] * mapped, "name" if mapped else None)
    table.add("a.parquet", pa.table({"c1": [1, 2], "c2": [8, 9]}))
    source = opened(table)
    row_filter = RowFilter([[("x" if mapped else "c1", "<", 5)]])
    assert len(source.parts(row_filter)) == 1
    assert len(source.parts(RowFilter([[("x", ">", 5)]]))) == 1


# --- Stores


def test_a_table_on_an_object_store_is_read_with_the_credentials_of_the_environment(tmp_path, s3):
    table = ByHand(tmp_path / "t", [*X, column("p", "string")], ["deletionVectors"], None, ["p"])
    deleted = table.deletion_vector([1], in_file=True)
    table.add("p=a b/é.parquet", TEN, {"p": "a b"}, deleted)
    table.add("b.parquet", pa.table({"x": [77]}), {"p": None})
    copy_to(tmp_path / "t", f"{s3}/lake/table")
    expected = [{"x": x, "p": "a b"} for x in (0, 2, 3, 4, 5, 6, 7, 8, 9)]
    config = Delta(f"{s3}/lake/table")
    assert config.pinned() == Delta(f"{s3}/lake/table", version=2)
    assert rows_of(config.open(Reading())) == [*expected, {"x": 77, "p": None}]
    assert rows_of(opened(config.path, version=1)) == expected
    assert opened(config.path).fingerprint() == opened(table).fingerprint()
    assert Delta(config.path, timestamp=now()).pinned().version == 2
    with pytest.raises(TableFileError, match="expected the folder of a Delta Lake table"):
        Delta(f"{s3}/lake").pinned()
    with pytest.raises(TableFileError, match="the bucket 'no-such-bucket'"):
        Delta("s3://no-such-bucket/t").pinned()


def now():
    return datetime.datetime.now(UTC).isoformat()


def copy_to(folder, address):
    from tfx_wine_ext.files.arrow import ArrowFiles

    for path in folder.rglob("*"):
        if path.is_file():
            with ArrowFiles().create(f"{address}/{path.relative_to(folder)}") as file:
                file.write(path.read_bytes())


def test_a_store_that_denies_access_or_is_not_there_is_an_error_within_seconds(
    five, s3, s3_server, monkeypatch
):
    copy_to(five.folder, f"{s3}/t")
    config = Delta(f"{s3}/t")
    monkeypatch.setattr(s3_server, "denies_strangers", True)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(TableFileError, match="denies access, and there are no credentials"):
        config.pinned()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(TableFileError, match="cannot be reached") as caught:
        config.pinned()
    assert "hunter2" not in str(caught.value)


def test_credentials_of_a_profile_are_used_by_deltalake_too(
    five, s3, s3_server, tmp_path, monkeypatch
):
    copy_to(five.folder, f"{s3}/t")
    monkeypatch.setattr(s3_server, "denies_strangers", True)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    keys = "aws_access_key_id = key\naws_secret_access_key = hunter2\n"
    (tmp_path / "credentials").write_text(f"[lake]\n{keys}[login]\nsso_session = a\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "lake")
    # In a process of its own: the client of pyarrow reads the files of AWS's tools once.
    program = (
        "import pickle; from tfx_wine_ext.sources import Delta; "
        "from tfx_wine_ext.sources.formats import Reading; "
        f"source = Delta('{s3}/t').open(Reading()); "
        "print(source.rows, b'hunter2' in pickle.dumps(source.select(source.parts())))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "4 False\n", done.stderr
    monkeypatch.setenv("AWS_PROFILE", "login")
    with pytest.raises(RemoteError, match="set them by `aws configure export-credentials"):
        keys_of_profile(f"{s3}/t", os.environ)


# --- Commands, and sources of files


def test_the_folder_of_a_table_is_its_latest_version_for_commands(tmp_path, capsys):
    path = write(tmp_path / "t", pa.table({"x": [1, 2, 3], "p": ["a", "a", "b"]}), partition_by="p")
    deltalake.DeltaTable(path).delete("x = 2")
    table = open_table(path)
    assert (table.kind, table.rows, table.names) == ("delta", 2, ["x", "p"])
    arguments = ["ingest", path, str(tmp_path / "out"), "--splits", "all", "--json", "-"]
    assert main(arguments) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["rows_read"], document["rows_written"]) == (2, 2)
    assert document["content_fingerprint"] == table.fingerprint()
    assert main(["drift", path, f"{tmp_path}/out/Split-all/*", "--json", "-"]) in (0, 1)
    assert json.loads(capsys.readouterr().out)["features"][0]["name"] == "x"


def test_files_of_a_table_are_refused_with_the_source_that_reads_them(tmp_path):
    path = write(tmp_path / "t", pa.table({"x": [1], "p": ["a"]}), partition_by="p")
    message = rf"expected a folder of files, found a Delta .* sources\.Delta\('{path}'\)"
    for pattern in ("*", "**/*.parquet"):
        with pytest.raises(TableFileError, match=message):
            Files(path, pattern).open(Reading())
    message = rf"belongs to a Delta Lake table .*sources\.Delta\('{path}'\)"
    for folder in (str(tmp_path), f"{path}/p=a"):
        with pytest.raises(TableFileError, match=message):
            Files(folder, "**/*.parquet").open(Reading())
    with pytest.raises(TableFileError, match=message):
        open_table(f"{path}/p=a")
