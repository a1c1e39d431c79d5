import contextlib
import csv
import gzip
import os
import re
import sys
import threading
import time

import pyarrow as pa
import pytest

from tfx_wine_ext.sources import csv as csv_table
from tfx_wine_ext.sources.csv import CsvTable
from tfx_wine_ext.sources.source import SchemaChangedError, TableFileError


def everything(name):
    return True


@pytest.fixture
def write(tmp_path):
    """Writes a file and returns its path."""

    def write(content, name="a.csv"):
        content = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write


@pytest.fixture
def small_blocks(monkeypatch):
    """Types are taken from the first 64 bytes, so that a later row can contradict them."""
    monkeypatch.setattr(csv_table, "BLOCK_BYTES", 64)


def read(paths, reads=everything):
    """All rows, the schema as text, and how often reading began anew."""
    table = CsvTable([paths] if isinstance(paths, str) else paths, reads)
    for restarts in range(10):
        schema = table.schema
        try:
            batches = list(table.batches())
        except SchemaChangedError:
            continue
        assert all(batch.schema.equals(schema) for batch in batches)
        assert table.position == table.size
        types = {field.name: str(field.type) for field in schema}
        return pa.Table.from_batches(batches, schema).to_pydict(), types, restarts
    raise AssertionError("no end of it")


# Types.


def test_numbers_are_float64_booleans_and_times_themselves_and_all_else_bytes(write):
    rows, types, _ = read(
        write("whole,real,flag,day,at,text\n1,1.5,true,2026-01-02,2026-01-02 03:04:05,red\n")
    )
    assert types == {
        "whole": "double",
        "real": "double",
        "flag": "bool",
        "day": "date32[day]",
        "at": "timestamp[us]",
        "text": "binary",
    }
    assert (rows["whole"], rows["text"]) == ([1.0], [b"red"])


def test_empty_cells_and_usual_marks_are_missing_unless_they_are_quoted(write):
    rows, _, _ = read(write('x,text\n,\nNA,NA\nNaN,null\n1,""\n2,"NA"\n'))
    assert rows == {"x": [None, None, None, 1.0, 2.0], "text": [None, None, None, b"", b"NA"]}


def test_infinities_are_numbers(write):
    rows, _, _ = read(write("x\ninf\n-inf\n"))
    assert rows == {"x": [float("inf"), float("-inf")]}


def test_a_column_without_any_value_is_of_the_null_type(write):
    assert read(write("x,y\n,1\n,2\n"))[:2] == (
        {"x": [None, None], "y": [1.0, 2.0]},
        {"x": "null", "y": "double"},
    )


def test_text_that_is_not_utf_8_is_kept_as_bytes(write):
    assert read(write(b"wine\nros\xe9\n"))[0] == {"wine": [b"ros\xe9"]}


@pytest.mark.usefixtures("small_blocks")
def test_a_word_after_many_numbers_makes_the_column_text_from_the_first_row_on(write):
    rows, types, restarts = read(write("x,y\n" + "1,2\n" * 50 + "one,3\n"))
    assert rows == {"x": [b"1"] * 50 + [b"one"], "y": [2.0] * 50 + [3.0]}
    assert (types, restarts) == ({"x": "binary", "y": "double"}, 1)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    ("last", "expected", "type_"),
    [("2.5", 2.5, "double"), (" 7 ", 7.0, "double"), ("red", b"red", "binary")],
)
def test_a_column_that_begins_empty_is_looked_at_in_all_rows_first(write, last, expected, type_):
    rows, types, restarts = read(write("x,y\n" + ",2\n" * 50 + f"{last},3\n"))
    assert rows["x"] == [None] * 50 + [expected]
    assert (types, restarts) == ({"x": type_, "y": "double"}, 0)


@pytest.mark.usefixtures("small_blocks")
def test_fractions_of_a_second_may_come_later(write):
    rows, types, restarts = read(
        write("at\n" + "2026-01-02 03:04:05\n" * 9 + "2026-01-02 03:04:05.5\n")
    )
    assert (types, restarts) == ({"at": "timestamp[us]"}, 0)
    assert [at.microsecond for at in rows["at"]] == [0] * 9 + [500_000]


@pytest.mark.usefixtures("small_blocks")
def test_what_only_arrow_does_not_take_for_a_number_ends_as_text(write):
    # A number in hexadecimal is one to Arrow's CSV reader if it is whole, and not to its casts.
    rows, types, _ = read(write("x\n" + "1\n" * 50 + "0x1F\n" + "one\n"))
    assert (rows["x"][-2:], types) == ([b"0x1F", b"one"], {"x": "binary"})


# Several files.


def test_all_files_together_decide_on_a_type(write):
    paths = [write("x,y,z\n1,1,\n", "a.csv"), write("z,y,x\n3,red,2.5\n", "b.csv")]
    rows, types, _ = read(paths)
    assert rows == {"x": [1.0, 2.5], "y": [b"1", b"red"], "z": [None, 3.0]}
    assert types == {"x": "double", "y": "binary", "z": "double"}


def test_days_in_one_file_and_times_in_another_are_times(write):
    _, types, _ = read(
        [write("at\n2026-01-02\n", "a.csv"), write("at\n2026-01-02 03:04:05\n", "b.csv")]
    )
    assert types == {"at": "timestamp[us]"}


def test_a_column_that_a_file_lacks_is_null_there(write):
    rows, _, _ = read([write("x\n1\n", "a.csv"), write("y\n2\n", "b.csv")])
    assert rows == {"x": [1.0, None], "y": [None, 2.0]}


def test_a_file_without_rows_says_nothing_about_types(write):
    rows, types, _ = read([write("x,y\n", "a.csv"), write("x,y\n1,true\n", "b.csv")])
    assert (rows, types) == ({"x": [1.0], "y": [True]}, {"x": "double", "y": "bool"})


@pytest.mark.usefixtures("small_blocks")
def test_a_contradiction_is_laid_to_the_right_column_whatever_is_read_in_whatever_order(write):
    paths = [
        write("a,b,c\n" + "1,2,3\n" * 30, "a.csv"),
        write("c,b,a\n" + "1,2,3\n" * 30 + "x,y,3\n", "b.csv"),
    ]
    _, types, restarts = read(paths, lambda name: name != "a")
    assert (types, restarts) == ({"b": "binary", "c": "binary"}, 2)


# The file itself.


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_separator_is_the_one_that_the_line_of_names_has(write, delimiter):
    text = '"a, b; c"_d_e\n1_2,5_x y\n'.replace("_", delimiter)
    if delimiter == ",":
        text = text.replace("2,5", "2.5")
    assert list(read(write(text))[0]) == ["a, b; c", "d", "e"]


def test_a_byte_order_mark_windows_line_ends_and_breaks_in_quotes_are_read(write):
    rows, _, _ = read(write(b'\xef\xbb\xbfx,y\r\n1,"two\r\nlines"\r\n\r\n2,z\r\n'))
    assert rows == {"x": [1.0, 2.0], "y": [b"two\r\nlines", b"z"]}


def test_gzipped_files_are_read_in_all_their_members_whatever_their_name(write):
    path = write(gzip.compress(b"x,y\n1,a\n") + gzip.compress(b"2,b\n"), "a.csv")
    assert read(path)[0] == {"x": [1.0, 2.0], "y": [b"a", b"b"]}


def test_names_that_are_not_read_are_known_all_the_same(write):
    table = CsvTable([write("x,y\n1,2\n")], lambda name: name == "y")
    assert (table.names, table.schema.names) == (["x", "y"], ["y"])
    assert (table.rows, table.names_are_complete, table.size) == (None, True, 8)


BAD = {
    "empty": (" \n", "expected a line of column names, found an empty file"),
    "without rows": ("x,y\n", "expected rows of data after the header line, found none"),
    "short row": ("x,y\n1,2\n\n3\n", "line 4: expected 2 cells as in the .*, found 1: '3'; corr"),
    "long row": ('x,y\n"a\nb",2\n3,4,5\n', "line 4: expected 2 cells .*, found 3: '3,4,5'"),
    "no names": ("7.4,0.7\n7.8,0.88\n", "line 1: expected column names, found only numbers: 7.4"),
    "a name twice": ("x,x\n1,2\n", r"line 1: expected every column once, found \['x'\] more"),
    "an index": (
        ",x\n0,2\n",
        "line 1: expected a name .* found none for column 1; .* use index=False",
    ),
    "UTF-16": ("x,y\n1,2\n".encode("utf-16"), "line 1: expected CSV, found UTF-16 text; save"),
    "binary": (b"x,\0\n", "line 1: expected CSV, found binary data"),
    "web page": ("<!DOCTYPE html>\n<p>", "line 1: expected CSV, found a web page, XML or JSON"),
    "JSON": ('{"x": 1}', "line 1: expected CSV, found a web page, XML or JSON"),
    "Latin-1": (b"caf\xe9,y\n1,2\n", r"line 1: expected column names in UTF-8, .* 0xe9 in b'caf"),
    "a mark alone": (b"\xef\xbb\xbf", "expected a line of column names, found an empty file"),
    "a mark and line ends": (b"\xef\xbb\xbf\n\r\n", "expected a line of column names, found an em"),
    "two marks": (
        b"\xef\xbb\xbf\xef\xbb\xbfx\n1\n",
        "line 1: expected CSV, found two byte order m",
    ),
    "names without a line end": (b"x,y", "expected rows of data after the header line, found no"),
    "an open quote among names": ('x,"y\n1,2\n', "line 1: expected a quote that closes the cell"),
    "a long cell and a short row": (
        "x,y\n1," + "a" * 200_000 + "\n2\n",
        "line 3: expected 2 cells as in the header line, found 1: '2'; correct the line",
    ),
    "a long cell and an open quote": (
        "x,y\n1," + "a" * 5_000_000 + '\n2,"b\n',
        "line 3: expected a quote that closes the cell '\"b', found none up to the end of the file",
    ),
    "UTF-16 without a mark": (
        "x,y\n1,2\n".encode("utf-16-le"),
        "line 1: expected CSV, found binary",
    ),
    "cut": (gzip.compress(b"x\n" + bytes(9999))[:-9], "cannot be unpacked .* truncated or corrupt"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=list(BAD))
def test_a_bad_file_is_refused_by_name_line_and_remedy(write, content, message):
    path = write(content)
    with pytest.raises(TableFileError, match=f"^{re.escape(path)}: {message}"):
        CsvTable([path], everything)


@pytest.mark.usefixtures("small_blocks")
def test_a_short_row_far_down_is_found_by_its_line(write):
    table = CsvTable([write("x,y\n" + "1,2\n" * 100 + "3\n")], everything)
    with pytest.raises(TableFileError, match=r"a.csv: line 102: expected 2 cells .*, found 1: '3'"):
        list(table.batches())


@pytest.mark.usefixtures("small_blocks")
def test_a_file_that_is_cut_far_down_is_an_error(write):
    zipped = gzip.compress(b"x,y\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(100_000)))
    table = CsvTable([write(zipped[: len(zipped) // 2])], everything)
    with pytest.raises(TableFileError, match=r"a.csv: cannot be unpacked \(.*; it is truncated"):
        list(table.batches())


@pytest.mark.parametrize("last", ["1", "text"])
def test_a_file_that_ends_after_a_quoted_cell_and_a_separator_is_an_error(write, last):
    with pytest.raises(TableFileError, match=r"a.csv: line 3: expected a line end, found the end"):
        read(write(f'x,y\n"a",{last}\n"b",'))
    assert read(write(f'x,y\n"a",{last}\n"b",\n'))[0]["y"][1] is None
    assert read(write(f"x,y\na,{last}\nb,"))[0]["y"][1] is None


def test_an_index_without_a_name_may_be_left_out(write):
    assert read(write(",x\n0,2\n"), lambda name: name != "")[0] == {"x": [2.0]}


def test_numbers_that_count_up_are_names_as_pandas_gives_them(write):
    assert read(write("0,1\n5,6\n"))[0] == {"0": [5.0], "1": [6.0]}


@pytest.mark.usefixtures("small_blocks")
def test_a_quote_that_is_not_closed_is_an_error_with_its_line(write):
    for end in (b"", b'1,"c"\n' + b"1,a\n" * 50):
        path = write(b"x,y\n" + b"1,a\n" * 400 + b'2,"b\n' + b"1,a\n" * 10 + end)
        with pytest.raises(TableFileError, match="line 402: expected a quote that closes the ce"):
            read(path)


def test_a_quote_that_is_not_closed_in_a_file_of_one_block_is_an_error(write):
    path = write(b"x,y\n" + b"1,a\n" * 5 + b'2,"b\n' + b"1,a\n" * 495)
    with pytest.raises(TableFileError, match=r"a\.csv: line 7: expected a quote that closes"):
        list(CsvTable([path], everything).batches())


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_cell_may_be_longer_than_a_block(write, quote):
    cell = "a" * 3_000_000
    rows, types, _ = read(write(f"x,y\n1,b\n2,{quote}{cell}{quote}\n3,c\n"))
    assert rows == {"x": [1.0, 2.0, 3.0], "y": [b"b", cell.encode(), b"c"]}
    assert types == {"x": "double", "y": "binary"}


@pytest.mark.usefixtures("small_blocks")
def test_a_cell_far_down_may_be_longer_than_a_block(write):
    cell = "a" * 70_000
    rows, _, _ = read(write("x,y\n" + "1,b\n" * 3000 + f"2,{cell}\n3,c\n"))
    assert (len(rows["x"]), rows["x"][-2:], len(rows["y"][-2])) == (3002, [2.0, 3.0], 70_000)


@pytest.mark.usefixtures("small_blocks")
def test_a_cell_may_be_longer_than_a_block_where_a_column_begins_empty(write):
    rows, types, _ = read(write("x,y\n" + "a,\n" * 3000 + "b" * 70_000 + ",1\n"))
    assert (len(rows["x"]), rows["y"][-1], types["y"]) == (3001, 1.0, "double")


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_in_quotes_are_kept_where_a_block_ends_within_them(write, name, mark):
    for size in range(40, 72):
        content = f'{mark}x,y\r\n"{"5" * size}\r\n",5" nail\r\n"\r\n",b\r\n'.encode()
        content = gzip.compress(content) if name.endswith(".gz") else content
        table = CsvTable([write(content, name)], everything)
        table.settle()
        assert [row for batch in table.batches() for row in batch["x"].to_pylist()] == [
            b"5" * size + b"\r\n",
            b"\r\n",
        ]


def test_the_line_of_names_may_be_longer_than_a_block_and_takes_time_by_its_length(write):
    names = [f"one of the fifty thousand long names of this file: {i}" for i in range(50_000)]
    path = write(",".join(names) + "\n" + "1," * 49_999 + "1\n")
    table = CsvTable([path], lambda name: name == names[7])
    assert (len(table.names), table.schema.names) == (50_000, [names[7]])


def test_a_name_may_be_longer_than_the_limit_of_pythons_reader(write):
    name = "n" * 200_000
    assert read(write(f"{name},y\n1,2\n"))[0] == {name: [1.0], "y": [2.0]}


def test_a_file_of_names_without_a_line_end_beside_others_has_no_row(write):
    assert read([write("x,y", "a.csv"), write("x,y\n1,2\n", "b.csv")])[0] == {
        "x": [1.0],
        "y": [2.0],
    }


def test_pythons_own_limit_is_left_as_it_was(write):
    limit = csv.field_size_limit()
    read(write("x,y\n1,2\n"))
    assert csv.field_size_limit() == limit


def test_one_thread_that_lifts_the_limit_does_not_lower_it_for_another(write):
    limit = csv.field_size_limit()
    inside, left = threading.Event(), threading.Event()
    seen = []

    def other():
        with csv_table._cells_of_any_length():
            inside.set()
            left.wait(5)
            seen.append(csv.field_size_limit())

    thread = threading.Thread(target=other)
    with csv_table._cells_of_any_length():
        thread.start()
        inside.wait(0.2)
    left.set()
    thread.join()
    assert (seen, csv.field_size_limit()) == ([sys.maxsize], limit)


@pytest.mark.parametrize(("last", "end"), [("1,2", None), ("3", "line 300002")])
def test_a_file_is_not_closed_while_arrow_may_read_ahead(write, monkeypatch, last, end):
    # The next file that is opened would get its number, and lose what Arrow reads from it.
    path = write("x,y\n" + "1,2\n" * 300_000 + f"{last}\n")
    opened, arrow_file = [], csv_table._arrow_file

    def noted(path):
        opened.append(arrow_file(path))
        return opened[-1]

    monkeypatch.setattr(csv_table, "_arrow_file", noted)
    table = CsvTable([path], everything)
    with pytest.raises(TableFileError, match=end) if end else contextlib.nullcontext():
        assert next(table.batches()).num_rows
        list(table.batches())
    assert len(opened) == 3
    assert [file.closed for file in opened] == [False] * 3


def test_every_file_is_closed_in_the_end(write):
    path = write("x,y\n" + "1,2\n" * 300_000 + "3\n")
    with pytest.raises(TableFileError, match="line 300002: expected 2 cells"):
        list(CsvTable([path], everything).batches())
    until = time.monotonic() + 10
    while path in open_files_of_this_process() and time.monotonic() < until:
        time.sleep(0.01)
    assert path not in open_files_of_this_process()


def open_files_of_this_process():
    paths = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # That of the listing.
            paths.append(os.readlink(f"/proc/self/fd/{number}"))
    return paths
