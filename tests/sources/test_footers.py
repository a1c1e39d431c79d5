import base64
import inspect
import os
import pathlib
import pickle
import re
import shutil
import struct

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.columnar.shards import FILES, wines, write
from tfx_wine_ext.sources import footers
from tfx_wine_ext.sources.footers import (
    OpenParquet,
    ParquetFileError,
    content_fingerprint,
    find_files,
    read_footer,
    read_footers,
    schema_fingerprint,
)
from tfx_wine_ext.sources.parquet import iter_row_groups
from tfx_wine_ext.sources.shard_files import LostRowsError


@pytest.fixture
def wine_file(tmp_path):
    """20 rows in row groups of 8, 8 and 4."""
    return write(f"{tmp_path}/wines.parquet", wines(20), row_group_size=8)


def batches(path, schema, row_groups=None, digest=None, batch_rows=100):
    footer = read_footer(path, FILES)
    row_groups = range(len(footer.row_groups)) if row_groups is None else row_groups
    return list(
        iter_row_groups(path, digest or footer.digest, row_groups, schema, batch_rows, FILES)
    )


def rows(path, schema, **options):
    return [row for _, batch in batches(path, schema, **options) for row in batch.to_pylist()]


def footer_length(data):
    return struct.unpack("<I", data[-8:-4])[0]


# What find_files finds.


def test_what_spark_leaves_beside_the_data_is_passed_over(tmp_path):
    for name in ("part-0.parquet", "_SUCCESS", "._SUCCESS.crc", ".part-0.parquet.crc"):
        (tmp_path / name).write_bytes(b"")
    assert find_files(f"{tmp_path}/*", FILES) == [str(tmp_path / "part-0.parquet")]
    assert find_files(f"{tmp_path}/_*", FILES) == [str(tmp_path / "_SUCCESS")]


def test_files_are_found_in_the_order_of_their_names(tmp_path):
    b, a = write(f"{tmp_path}/b", wines(1)), write(f"{tmp_path}/a", wines(1))
    assert find_files(f"{tmp_path}/*", FILES) == [a, b]


def test_a_lost_file_of_a_numbered_set_is_missed(tmp_path):
    for number in (0, 2):
        (tmp_path / f"part-{number:05d}-of-00003.parquet").touch()
    for pattern in ("*", "part-*.parquet", "**"):
        with pytest.raises(LostRowsError, match=r"part-00001-of-00003\.parquet is missing"):
            find_files(f"{tmp_path}/{pattern}", FILES)
    assert len(find_files(f"{tmp_path}/part-0000[02]-of-*", FILES)) == 2
    assert len(find_files(f"{tmp_path}/part-00002-of-00003.parquet", FILES)) == 1


def test_files_of_two_runs_are_not_mixed(tmp_path):
    for name in (
        "x-00000-of-00001.parquet",
        "x-00000-of-00002.parquet",
        "x-00001-of-00002.parquet",
    ):
        (tmp_path / name).touch()
    with pytest.raises(LostRowsError, match="those of several: -of-00001 and -of-00002"):
        find_files(f"{tmp_path}/*", FILES)
    assert len(find_files(f"{tmp_path}/*-of-00002.parquet", FILES)) == 2


def test_no_file_is_an_error_that_names_the_pattern(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\*: .* found none; check the folder"):
        find_files(f"{tmp_path}/nothing*", FILES)


def test_a_folder_in_place_of_files_is_an_error_that_says_how_to_match_what_is_in_it(tmp_path):
    (tmp_path / "data").mkdir()
    with pytest.raises(IsADirectoryError, match=r"data: expected.*found a folder.*data/\*$"):
        find_files(f"{tmp_path}/data", FILES)


# What read_footer reads.


def test_a_footer_tells_schema_rows_and_row_groups_and_survives_pickling(wine_file):
    footer = read_footer(wine_file, FILES)

    assert (footer.path, footer.size) == (wine_file, pathlib.Path(wine_file).stat().st_size)
    assert footer.schema.equals(wines(0).schema)
    assert [(group.index, group.rows) for group in footer.row_groups] == [(0, 8), (1, 8), (2, 4)]
    assert footer.rows == 20
    assert pickle.loads(pickle.dumps(footer)) == footer


@pytest.mark.parametrize("column", [{}, {"a": pa.array([], pa.int8())}], ids=["none", "one"])
def test_a_file_without_rows_and_even_without_columns_has_a_footer(tmp_path, column):
    footer = read_footer(write(f"{tmp_path}/a", pa.table(column)), FILES)
    assert (footer.rows, footer.schema.names) == (0, list(column))


def test_empty_row_groups_are_counted(tmp_path):
    path = write(f"{tmp_path}/a", [wines(0), wines(2), wines(0)])
    assert [group.rows for group in read_footer(path, FILES).row_groups] == [0, 2, 0]
    assert [(n, b.num_rows) for n, b in batches(path, wines(0).schema)] == [(1, 2)]


BAD_FILES = {
    "empty": (lambda d: b"", "expected .*, found 0 bytes; it is empty or"),
    "cut at the start": (lambda d: d[:7], "expected .* at least 12 bytes, found 7 bytes"),
    "cut in the middle": (
        lambda d: d[: len(d) // 2],
        ".*it is truncated or still being",
    ),
    "cut by a byte": (lambda d: d[:-1], ".*it is truncated or still being"),
    "without its start": (lambda d: d[100:], ".* starts with .*it is another kind of file"),
    "a CSV": (lambda d: b"a,b\n1,2\n3,4\n5,6\n", r".* starts with b'PAR1', found b'a,b\\n'"),
    "an ORC": (lambda d: b"ORC" + d[3:], ".* starts with b'PAR1', found b'ORC1'"),
    "encrypted": (lambda d: b"PARE" + d[4:-4] + b"PARE", r"is encrypted \(magic PARE\); decrypt"),
    "encrypted at the end": (lambda d: d[:-4] + b"PARE", r"is encrypted \(magic PARE\)"),
    "of a footer too long": (
        lambda d: d[:-8] + struct.pack("<I", len(d)) + d[-4:],
        "its footer claims .* it is truncated or corrupt",
    ),
    "of a footer of noise": (
        lambda d: d[: -8 - footer_length(d)] + b"\xff" * footer_length(d) + d[-8:],
        "its footer cannot be decoded .*; write the file again",
    ),
    "of a footer of nothing": (
        lambda d: d[: -8 - footer_length(d)] + bytes(footer_length(d)) + d[-8:],
        "its footer cannot be decoded .*; write the file again",
    ),
}


@pytest.mark.parametrize(("damage", "message"), BAD_FILES.values(), ids=list(BAD_FILES))
def test_a_file_that_is_no_whole_plain_parquet_file_is_refused_by_name(wine_file, damage, message):
    path = pathlib.Path(wine_file)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ParquetFileError, match=f"^{re.escape(wine_file)}: {message}"):
        read_footer(wine_file, FILES)


def test_a_file_that_cannot_be_opened_is_an_error_that_says_why(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    write(f"{tmp_path}/file", wines(1))
    for name, reason in [
        ("gone", "No such file"),
        ("link", "No such file"),
        ("file/below", "Not a directory"),
    ]:
        path = f"{tmp_path}/{name}"
        message = f"^{re.escape(path)}: cannot be opened .*{reason}.*; check that it"
        with pytest.raises(ParquetFileError, match=message):
            read_footer(path, FILES)
    with pytest.raises(
        ParquetFileError, match="expected a regular file, found a folder; name a file in it"
    ):
        read_footer(f"{tmp_path}/", FILES)


def test_many_footers_come_in_the_order_of_the_paths(tmp_path):
    paths = [write(f"{tmp_path}/{n:02d}", wines(n)) for n in range(40)]
    footers = read_footers(paths[::-1], FILES)
    assert [footer.path for footer in footers] == paths[::-1]
    assert [footer.rows for footer in footers] == list(range(39, -1, -1))


def test_of_many_bad_files_the_first_is_named(tmp_path):
    paths = [write(f"{tmp_path}/{n}", wines(n)) for n in range(4)]
    for n in (1, 3):
        pathlib.Path(paths[n]).write_bytes(b"")
    with pytest.raises(ParquetFileError, match=f"^{re.escape(paths[1])}: .* 0 bytes"):
        read_footers(paths, FILES)


# Fingerprints.


def fingerprint(pattern):
    return content_fingerprint(read_footers(find_files(f"{pattern}/*", FILES), FILES))


@pytest.fixture
def folder(tmp_path):
    for n in range(3):
        write(f"{tmp_path}/in/{n}", wines(5, first=10 * n))
    return tmp_path / "in"


def test_touched_copied_and_renamed_files_keep_their_fingerprint(tmp_path, folder):
    before = fingerprint(folder)
    assert re.fullmatch("parquet-v1:[0-9a-f]{32}", before)
    for path in folder.iterdir():
        path.touch()
    assert fingerprint(folder) == before
    shutil.copytree(folder, tmp_path / "copy")
    assert fingerprint(tmp_path / "copy") == before
    for path in sorted(folder.iterdir()):
        path.rename(folder / f"span-{path.name}.parquet")
    assert fingerprint(folder) == before


def test_a_file_more_one_less_and_another_order_change_the_fingerprint(folder):
    seen = [fingerprint(folder)]
    (folder / "0").rename(folder / "9")
    seen.append(fingerprint(folder))
    write(f"{folder}/99", wines(1))
    seen.append(fingerprint(folder))
    (folder / "1").unlink()
    seen.append(fingerprint(folder))
    assert len(set(seen)) == 4


def test_any_changed_byte_of_a_small_file_changes_the_fingerprint(folder):
    before = fingerprint(folder)
    path = folder / "1"
    data = path.read_bytes()
    end_of_data = len(data) - 8 - footer_length(data)
    for position in (4, end_of_data // 2, end_of_data - 1):
        path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        assert fingerprint(folder) != before, position
    path.write_bytes(data)
    assert fingerprint(folder) == before


def test_of_a_large_file_size_statistics_and_layout_are_noticed_but_not_each_byte(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(footers, "WHOLE_FILE_FINGERPRINT_BYTES", 100)

    def digest(values, **options):
        table = pa.table({"a": pa.array(values, pa.int64())})
        return read_footer(
            write(f"{tmp_path}/a", table, compression="none", **options), FILES
        ).digest

    # Without a dictionary, rows that change places change nothing but their own bytes.
    before = digest([1, 2, 3, 4], use_dictionary=False)
    assert digest([1, 3, 2, 4], use_dictionary=False) == before
    assert digest([1, 2, 3, 5], use_dictionary=False) != before  # the maximum
    assert digest([1, 2, 3, None], use_dictionary=False) != before  # the number of nulls
    assert digest([1, 2, 3, 3, 4], use_dictionary=False) != before  # the number of rows
    assert digest([1, 2, 3, 4], use_dictionary=False, row_group_size=2) != before
    assert digest([1, 2, 3, 4], use_dictionary=True) != before

    path = tmp_path / "a"
    one = read_footer(str(path), FILES).digest
    path.write_bytes(b"PAR1" + path.read_bytes()[4:])
    assert read_footer(str(path), FILES).digest == one
    path.write_bytes(b"PAR1 " + path.read_bytes()[4:])  # one byte more, the same footer
    assert read_footer(str(path), FILES).digest != one


def test_a_schema_fingerprint_is_of_names_types_and_order():
    schema = pa.schema({"a": pa.int64(), "b": pa.string()})
    others = [
        pa.schema({"b": pa.string(), "a": pa.int64()}),
        pa.schema({"a": pa.int64(), "b": pa.large_string()}),
        pa.schema({"a": pa.int64(), "c": pa.string()}),
        pa.schema({"a": pa.int64()}),
    ]
    assert len({schema_fingerprint(s) for s in [schema, *others]}) == 5
    assert schema_fingerprint(schema.with_metadata({"a": "b"})) == schema_fingerprint(schema)


# What iter_row_groups reads.


def test_row_groups_are_cut_into_batches_alike_each_time(wine_file):
    found = batches(wine_file, wines(0).schema, batch_rows=5)
    assert [(n, b.num_rows) for n, b in found] == [(0, 5), (0, 3), (1, 5), (1, 3), (2, 4)]
    assert pa.Table.from_batches([b for _, b in found]).equals(wines(20))


def test_only_the_row_groups_asked_for_are_read(wine_file):
    found = rows(wine_file, pa.schema({"id": pa.int64()}), row_groups=[2, 0])
    assert [row["id"] for row in found] == [16, 17, 18, 19, 0, 1, 2, 3, 4, 5, 6, 7]


def test_columns_come_in_the_order_of_the_schema_with_missing_ones_null_and_numbers_widened(
    tmp_path,
):
    table = pa.table({"a": pa.array([1, None], pa.int32()), "b": ["x", "y"], "c": [0.5, 1.5]})
    path = write(f"{tmp_path}/a", table)
    schema = pa.schema({"c": pa.float64(), "new": pa.list_(pa.string()), "a": pa.int64()})
    ((_, batch),) = batches(path, schema)
    assert batch.schema.equals(schema)
    assert batch.to_pydict() == {"c": [0.5, 1.5], "new": [None, None], "a": [1, None]}


def test_a_file_that_has_none_of_the_columns_gives_its_rows_all_the_same(tmp_path):
    path = write(f"{tmp_path}/a", pa.table({"a": [1, 2, 3]}), row_group_size=2)
    assert rows(path, pa.schema({"b": pa.int8()})) == [{"b": None}] * 3


def test_column_names_with_dots_are_not_taken_for_fields_of_structs(tmp_path):
    table = pa.table({"a": [{"b": 1, "c": 2}], "a.b": ["text"], "a.b.c": [0.5], " é": [True]})
    path = write(f"{tmp_path}/a", table)
    for name in table.schema.names:
        schema = pa.schema([table.schema.field(name)])
        assert rows(path, schema) == [{name: table.column(name)[0].as_py()}]


def test_a_value_that_does_not_fit_the_wider_type_is_an_error_by_file_and_column(tmp_path):
    path = write(f"{tmp_path}/a", pa.table({"a": [2**53 + 1]}))
    message = f"{re.escape(path)}: column 'a': .* a value of double, .*, found {2**53 + 1} of"
    with pytest.raises(ParquetFileError, match=message):
        batches(path, pa.schema({"a": pa.float64()}))


def test_a_file_that_changes_after_planning_is_an_error(wine_file):
    digest = read_footer(wine_file, FILES).digest
    write(wine_file, wines(21), row_group_size=8)
    message = f"{re.escape(wine_file)}: it changed after the run had begun; let writers add new"
    with pytest.raises(ParquetFileError, match=message):
        batches(wine_file, wines(0).schema, digest=digest)


def test_a_file_that_goes_away_after_planning_is_an_error(wine_file):
    reading = iter_row_groups(
        wine_file, read_footer(wine_file, FILES).digest, [0], wines(0).schema, 9, FILES
    )
    pathlib.Path(wine_file).unlink()
    with pytest.raises(ParquetFileError, match=f"{re.escape(wine_file)}: cannot be opened"):
        next(reading)


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
def test_a_page_of_noise_is_an_error_by_file_and_row_group(wine_file, compression):
    write(wine_file, wines(20), row_group_size=8, compression=compression)
    start = pq.ParquetFile(wine_file).metadata.row_group(1).column(0).dictionary_page_offset
    path = pathlib.Path(wine_file)
    data = bytearray(path.read_bytes())
    data[start : start + 60] = b"\xff" * 60
    path.write_bytes(data)

    assert len(rows(wine_file, wines(0).schema, row_groups=[0, 2])) == 12
    message = f"{re.escape(wine_file)}: row group 1.*: cannot be decoded .*; it is corrupt"
    with pytest.raises(ParquetFileError, match=message):
        batches(wine_file, wines(0).schema)


def test_a_flipped_bit_of_a_gzip_page_is_an_error(tmp_path):
    table = pa.table({"a": pa.array(range(300), pa.int64())})
    path = write(f"{tmp_path}/a", table, compression="gzip", use_dictionary=False)
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(0)
    end = chunk.data_page_offset + chunk.total_compressed_size
    data = pathlib.Path(path).read_bytes()
    for position in range(end - 200, end, 7):
        flipped = data[:position] + bytes([data[position] ^ 16]) + data[position + 1 :]
        pathlib.Path(path).write_bytes(flipped)
        with pytest.raises(ParquetFileError, match=r"row group 0.*: cannot be decoded"):
            batches(path, table.schema)


# A column a of 1, 2, 3 as int32, uncompressed and with a checksum, as pyarrow 18 wrote it:
# version 10 cannot.
WITH_PAGE_CHECKSUM = base64.b64decode(
    "UEFSMRUAFSQVJBX9t4m1DhwVBhUAFQYVBhwAAAACAAAABgEBAAAAAgAAAAMAAAAVBBksNQAYBnNjaGVtYRUCABUCJQIY"
    "AWEAFgYZHBkcJgAcFQIZJQYAGRgBYRUAFgYWVhZWJghJHBUAFQAVAgAAABZWFgYmCBZWFAAAKCBwYXJxdWV0LWNwcC1h"
    "cnJvdyB2ZXJzaW9uIDE4LjEuMBkcHAAAAHQAAABQQVIx"
)


def test_page_checksums_are_checked_by_every_pyarrow_that_can(tmp_path):
    schema, path = pa.schema({"a": pa.int32()}), tmp_path / "a"
    path.write_bytes(WITH_PAGE_CHECKSUM)
    assert rows(str(path), schema) == [{"a": 1}, {"a": 2}, {"a": 3}]

    path.write_bytes(
        WITH_PAGE_CHECKSUM.replace(struct.pack("<3i", 1, 2, 3), struct.pack("<3i", 1, 9, 3))
    )
    if "page_checksum_verification" in inspect.signature(pq.ParquetFile).parameters:
        with pytest.raises(ParquetFileError, match=r"row group 0.*: cannot be decoded .*CRC"):
            rows(str(path), schema)
    else:  # Nothing tells that the 2 was another number: only the fingerprint notices.
        assert rows(str(path), schema) == [{"a": 1}, {"a": 9}, {"a": 3}]


def test_a_row_group_with_fewer_rows_than_its_footer_says_is_an_error(wine_file, monkeypatch):
    class Short(pq.ParquetFile):
        def iter_batches(self, *args, **options):
            yield from (batch.slice(1) for batch in super().iter_batches(*args, **options))

    monkeypatch.setattr(pq, "ParquetFile", Short)
    message = f"{re.escape(wine_file)}: row group 0: expected 8 rows, as .*, found 7 rows"
    with pytest.raises(ParquetFileError, match=message):
        batches(wine_file, wines(0).schema)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("**.pq", ["a.pq", "b/c.pq", "b/d/e.pq"]),
        ("**/*.pq", ["b/c.pq", "b/d/e.pq"]),
        ("b**", ["b/c.pq", "b/d/e.pq"]),
        ("[!b]*", ["a.pq"]),
        ("**/?.pq", ["b/c.pq", "b/d/e.pq"]),
    ],
)
def test_two_stars_cross_folders_as_they_do_for_beam(tmp_path, pattern, names):
    for name in ("a.pq", "b/c.pq", "b/d/e.pq", "b/.old/f.pq"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    found = find_files(f"{tmp_path}/{pattern}", FILES)
    assert [os.path.relpath(path, tmp_path) for path in found] == names


@pytest.mark.parametrize("pattern", ["*/*.pq", "**.pq", "*/day=*/*.pq"])
def test_a_linked_folder_is_not_entered_where_it_would_double_the_rows(tmp_path, pattern):
    (tmp_path / "data/2026-01/day=1").mkdir(parents=True)
    (tmp_path / "data/2026-01/day=1/a.pq").touch()
    (tmp_path / "data/2026-01/b.pq").touch()
    (tmp_path / "data/2026-01/linked.pq").symlink_to(tmp_path / "data/2026-01/b.pq")
    (tmp_path / "data/latest").symlink_to(tmp_path / "data/2026-01")
    (tmp_path / "here").symlink_to(tmp_path / "data")
    for folder in ("data", "here"):
        found = find_files(f"{tmp_path}/{folder}/{pattern}", FILES)
        names = [os.path.relpath(path, tmp_path / folder) for path in found]
        assert [name for name in names if "latest" in name] == []
        assert names[-1] in ("2026-01/linked.pq", "2026-01/day=1/a.pq")


def test_large_column_chunks_are_read_in_pieces_to_the_same_rows(tmp_path, monkeypatch):
    path = f"{tmp_path}/a.parquet"
    pq.write_table(wines(1000), path, row_group_size=300)
    monkeypatch.setattr(footers, "WHOLE_FILE_FINGERPRINT_BYTES", 0)
    read = []
    for limit in (1 << 30, 1):
        monkeypatch.setattr(footers, "LARGE_CHUNK_BYTES", limit)
        with OpenParquet(path, FILES) as opened:
            assert footers._has_large_chunk(opened.reader().metadata) == (limit == 1)
            read.append(opened.reader().read())
    assert read[0].equals(read[1])
    assert read[0].num_rows == 1000
