import gc
import gzip
import re
import struct
import subprocess
import sys
import threading
import tracemalloc

import google_crc32c
import numpy as np
import pyarrow as pa
import pytest

from tfx_wine_ext.columnar import EncodedExamples, encode_examples, frame_records, plan_features
from tfx_wine_ext.sources import examples as example_table
from tfx_wine_ext.sources.examples import ExampleTable
from tfx_wine_ext.sources.source import TableFileError


def everything(name):
    return True


def framed(columns):
    """The TFRecords of a table, as ParquetExampleGen writes them."""
    [batch] = pa.table(columns).to_batches()
    return frame_records(encode_examples(batch, plan_features(batch.schema))).tobytes()


def framed_bytes(*records):
    joined = np.frombuffer(b"".join(records), np.uint8)
    return frame_records(EncodedExamples(joined, np.cumsum([0, *map(len, records)]))).tobytes()


@pytest.fixture
def write(tmp_path):
    def write(content, name="a.tfrecord"):
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write


@pytest.fixture
def tiny_batches(monkeypatch):
    """Two records make a batch, and those of the first file suggest the schema."""
    monkeypatch.setattr(example_table, "DECODED_RECORDS", 2)
    monkeypatch.setattr(example_table, "SAMPLED_FILES", 1)


def read(paths, reads=everything):
    table = ExampleTable([paths] if isinstance(paths, str) else paths, reads)
    batches = list(table.batches())
    assert (table.position, table.names_are_complete) == (table.size, True)
    return [batch.to_pydict() for batch in batches]


WINES = {"ph": [3.5, None, 0.0], "quality": [6, 0, None], "colour": ["red", "", None]}
READ = {
    "colour": [[b"red"], [b""], None],
    "ph": [[3.5], None, [0.0]],
    "quality": [[6], [0], None],
}


def test_each_feature_is_a_column_of_lists_and_an_absent_one_is_null(write):
    assert read(write(framed(WINES))) == [READ]


def test_a_gzipped_file_is_read_in_all_its_members_whatever_its_name(write):
    content = framed(WINES)
    path = write(gzip.compress(content[:20]) + gzip.compress(content[20:]), "data-00000-of-00001")
    assert read(path) == [READ]


def test_the_files_are_read_one_after_the_other_and_empty_ones_are_none_the_worse(write):
    paths = [
        write(b"", "a"),
        write(framed({"x": [1]}), "b"),
        write(gzip.compress(b""), "c"),
        write(framed({"x": [2, 3]}), "d"),
    ]
    assert read(paths) == [{"x": [[1]]}, {"x": [[2], [3]]}]


def test_only_what_is_wanted_is_in_the_batches(write):
    table = ExampleTable([write(framed(WINES))], lambda name: name == "ph")
    assert table.names == ["colour", "ph", "quality"]
    assert (table.names_are_complete, table.rows) == (False, None)
    assert [batch.to_pydict() for batch in table.batches()] == [{"ph": READ["ph"]}]


@pytest.mark.usefixtures("tiny_batches")
def test_a_feature_that_comes_up_late_is_in_the_batches_from_there_on(write):
    paths = [write(framed({"x": [1, 2, 3]}), "a"), write(framed({"y": ["b"]}), "b")]
    assert read(paths) == [
        {"x": [[1], [2]]},
        {"x": [[3]]},
        {"x": [None], "y": [[b"b"]]},
    ]
    assert read(paths, lambda name: name == "x")[-1] == {"x": [None]}


@pytest.mark.usefixtures("tiny_batches")
def test_a_feature_without_a_kind_takes_the_later_one(write):
    # ParquetExampleGen writes a null as a feature whose kind is not set.
    content = framed({"x": [None, None, 2.5, None]}) + framed({"x": [None]})
    batches = list(ExampleTable([write(content)], everything).batches())
    assert [batch.to_pydict()["x"] for batch in batches] == [[None, None], [[2.5], None], [None]]
    assert [str(batch.schema.field("x").type) for batch in batches] == [
        "null",
        "large_list<item: float>",
        "large_list<item: float>",
    ]


def test_files_without_a_record_are_a_table_without_rows(write):
    path = write(b"")
    table = ExampleTable([path, path], everything)
    assert (table.rows, table.names, list(table.batches())) == (0, [], [])


def flipped(content, index):
    return content[:index] + bytes([content[index] ^ 1]) + content[index + 1 :]


def front(length):
    """The front of a record that claims to be so long, with the right checksum."""
    data = struct.pack("<Q", length)
    crc = google_crc32c.value(data)
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return data + struct.pack("<I", masked)


def example(name):
    """An example of one feature, an empty list of integers, of this name (bytes)."""
    entry = b"\x0a" + bytes([len(name)]) + name + b"\x12\x02\x1a\x00"
    features = b"\x0a" + bytes([len(entry)]) + entry
    return b"\x0a" + bytes([len(features)]) + features


ONE = len(framed({"x": [1]}))
THREE = framed({"x": [1, 2, 3]})
ZIPPED = gzip.compress(THREE)
BAD = {
    "cut within a record": (THREE[:-3], f"record 3: is cut short: {ONE - 12} bytes expected, "),
    "cut within a length": (THREE[: ONE + 5], "record 2: is cut short: 12 bytes expected, 5 found"),
    "a bit of the data": (flipped(THREE, ONE + 15), "record 2: its checksum is wrong; it is trunc"),
    "a bit of the length": (flipped(THREE, ONE), "record 2: the checksum of its length is wrong"),
    "text": (b"x,y\n1,2\n3,4\n5,6\n", "record 1: the checksum of its length is wrong"),
    "cut gzip": (ZIPPED[:-12], r"after record \d: cannot be unpacked \(Compressed file ended"),
    "no gzip": (ZIPPED[:10] + b"\xff" * 9, "after record 0: cannot be unpacked"),
    "no example": (framed_bytes(b"\x0a\x00", b"abc"), "record 2: expected a tf.train.Example, f"),
    "a length of 2^40": (THREE + front(2**40), "record 4: claims 1099511627776 bytes, more than p"),
    "a length of 2^64 - 1": (front(2**64 - 1), "record 1: claims 18446744073709551615 bytes, more"),
    "a length of 2 GiB": (front(2**31 - 1) + bytes(99), "record 1: is cut short: 2147483651 bytes"),
    "a length, zipped": (
        gzip.compress(THREE + front(2**31 - 1) + bytes(99)),
        "record 4: is cut short: 2147483651 bytes expected, 99 found",
    ),
    "2^40, zipped": (gzip.compress(front(2**40)), "record 1: claims 1099511627776 bytes, more tha"),
    "no UTF-8 in a name": (
        framed_bytes(example(b"x"), example(b"\xff")),
        "record 2: expected a tf.train.Example, found 11 other bytes",
    ),
    "two kinds": (
        framed({"x": [1, 2]}) + framed({"x": ["a"]}),
        "record 3, column 'x': expected int64_list, as in earlier records, found bytes_list; w",
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=list(BAD))
def test_a_bad_file_is_refused_by_name_record_and_remedy(write, content, message):
    path = write(content)
    with pytest.raises(TableFileError, match=f"^{re.escape(path)}: {message}"):
        ExampleTable([path], everything)


@pytest.mark.usefixtures("tiny_batches")
def test_a_bad_record_far_down_is_found_by_its_number(write):
    mixed = framed({"x": [1, 2, 3, 4]}) + framed({"x": ["a"]})
    table = ExampleTable([write(mixed)], everything)
    with pytest.raises(TableFileError, match="record 5, column 'x': expected int64_list"):
        list(table.batches())
    table = ExampleTable([write(framed({"x": [1, 2, 3, 4]})[:-1])], everything)
    with pytest.raises(TableFileError, match="record 4: is cut short"):
        list(table.batches())


def test_a_file_that_is_gone_is_an_error_that_says_so(write, tmp_path):
    table = ExampleTable([write(framed({"x": [1]}))], everything)
    (tmp_path / "a.tfrecord").unlink()
    with pytest.raises(TableFileError, match=r"a.tfrecord: cannot be opened \(No such file or dir"):
        list(table.batches())


@pytest.mark.parametrize("zipped", [False, True])
def test_no_memory_is_asked_for_by_a_length_that_is_not_true(write, zipped):
    content = THREE + front(2**31 - 1) + bytes(99)
    path = write(gzip.compress(content) if zipped else content)
    tracemalloc.start()
    try:
        with pytest.raises(TableFileError, match="record 4: is cut short"):
            ExampleTable([path], everything)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("zipped", [False, True])
def test_a_batch_ends_where_it_has_its_bytes_and_a_large_record_is_one(write, monkeypatch, zipped):
    monkeypatch.setattr(example_table, "DECODED_BYTES", 3_000)
    lengths = (5, 2_000, 2_000, 1_100_000, 2_100_000, 7, 8)
    content = framed({"x": ["a" * n for n in lengths]})
    path = write(gzip.compress(content) if zipped else content)
    sizes = [[len(v[0]) for v in batch["x"]] for batch in read(path)]
    assert sizes == [[5, 2_000, 2_000], [1_100_000], [2_100_000], [7, 8]]


def test_rows_are_counted_though_none_of_their_features_is_read(write):
    table = ExampleTable([write(framed(WINES))], lambda name: name == "other")
    assert [batch.num_rows for batch in table.batches()] == [3]


@pytest.mark.parametrize("zipped", [False, True])
def test_whoever_stops_early_or_reads_to_the_end_leaves_nothing_open(write, monkeypatch, zipped):
    faults = []
    monkeypatch.setattr(sys, "unraisablehook", lambda fault: faults.append(fault.exc_value))
    monkeypatch.setattr(example_table, "DECODED_RECORDS", 2048)
    content = framed({"x": np.arange(20_000)})
    path = write(gzip.compress(content, 1) if zipped else content)
    table = ExampleTable([path, path], everything)
    threads = threading.active_count()
    assert sum(batch.num_rows for batch in table.batches()) == 40_000
    for batch in table.batches():
        assert batch.num_rows == 2048
        break
    batches = table.batches()
    next(batches)
    del batch, batches, table
    gc.collect()
    assert (faults, threading.active_count()) == ([], threads)


@pytest.mark.usefixtures("tiny_batches")
def test_features_of_one_value_are_values_once_all_records_have_been_read(write):
    columns = {
        "one": [1, None, 3],
        "some": pa.array([[1], [2, 3], None]),
        "empty": pa.array([["a"], [], ["b"]]),
        "none": pa.array([None, None, None], pa.int64()),
        "text": ["x", "y", "z"],
    }
    table = ExampleTable([write(framed(columns))], everything)
    table.settle()
    types = {field.name: str(field.type) for field in table.schema}
    assert (types["one"], types["text"]) == ("int64", "large_binary")
    assert "list" in types["some"]
    assert "list" in types["empty"]
    read = pa.Table.from_batches(table.batches(), table.schema)
    assert read.select(["one", "some", "empty", "text"]).to_pydict() == {
        "one": [1, None, 3],
        "some": [[1], [2, 3], None],
        "empty": [[b"a"], [], [b"b"]],
        "text": [b"x", b"y", b"z"],
    }
    assert [batch.num_rows for batch in table.batches(pa.schema([]))] == [2, 1]


def test_a_file_whose_features_get_more_values_after_they_were_settled_is_an_error(write):
    path = write(framed({"x": pa.array([[1], [2]])}))
    table = ExampleTable([path], everything)
    table.settle()
    write(framed({"x": pa.array([[1, 1], [2]])}))
    with pytest.raises(TableFileError, match=r"a.tfrecord: .*changed"):
        list(table.batches())


# A feature twice: what a reader makes of it is left to tfx_bsl.
TWICE = bytes.fromhex("0a18 0a0a 0a0178 1205 1a03 0a0101 0a0a 0a0178 1205 1a03 0a0102")


def test_unusual_records_are_decoded_by_tfx_bsl_in_their_places(write, monkeypatch):
    monkeypatch.setattr(example_table, "DECODED_RECORDS", 3)
    monkeypatch.setattr(example_table, "TFX_BSL_RECORDS", 2)
    usual = framed({"x": [7, 8, 9]})
    content = usual + framed_bytes(TWICE, TWICE, TWICE) + usual
    table = ExampleTable([write(content)], everything)
    batches = [batch.to_pydict()["x"] for batch in table.batches()]
    assert batches == [[[7], [8], [9]], [[2], [2]], [[2]], [[7], [8], [9]]]


def test_batches_of_many_features_have_fewer_records(write, monkeypatch):
    monkeypatch.setattr(example_table, "TFX_BSL_RECORDS", 2)
    monkeypatch.setattr(example_table, "DECODED_CELLS", 20)
    for features, rows in ((1, [10]), (5, [4, 4, 2]), (30, [2, 2, 2, 2, 2])):
        path = write(framed({f"x{i}": range(10) for i in range(features)}))
        table = ExampleTable([path], everything)
        assert [batch.num_rows for batch in table.batches()] == rows


def test_the_first_of_several_faults_is_the_one_that_is_named(write, monkeypatch):
    monkeypatch.setattr(example_table, "DECODED_RECORDS", 4)
    table = ExampleTable([write(framed({"x": np.arange(9)}) + b"x" * 20)], everything)
    batches = table.batches()
    assert [next(batches).num_rows for _ in range(2)] == [4, 4]
    with pytest.raises(TableFileError, match="record 10: the checksum of its length is wrong"):
        next(batches)
    monkeypatch.setattr(example_table, "DECODED_RECORDS", 2)
    two_kinds = framed({"x": np.arange(9)}) + framed({"x": ["a"]})
    table = ExampleTable([write(two_kinds + b"x" * 20)], everything)
    with pytest.raises(TableFileError, match="record 10, column 'x': expected int64_list"):
        list(table.batches(rows=1))


def test_examples_of_a_usual_form_are_read_without_tfx_bsl(write):
    path = write(framed(WINES))
    program = f"""
import sys
from tfx_wine_ext.sources.examples import ExampleTable

[batch] = ExampleTable([{path!r}], lambda name: True).batches()
assert batch.to_pydict() == {READ!r}
assert "tfx_bsl" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
