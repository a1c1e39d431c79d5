import datetime
import pathlib
import time
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfx_wine_ext.columnar import plan_features
from tfx_wine_ext.files.local import LocalFiles
from tfx_wine_ext.sources import file_table, parquet
from tfx_wine_ext.sources import source as table_source
from tfx_wine_ext.sources.parquet import ParquetTable
from tfx_wine_ext.sources.source import TableFileError, batch_rows


def everything(*names):
    return True


@pytest.fixture
def write(tmp_path):
    def write(columns, name="a.parquet", **options):
        pq.write_table(pa.table(columns), tmp_path / name, **options)
        return str(tmp_path / name)

    return write


def test_rows_come_in_order_file_by_file_and_only_the_columns_that_are_read(write):
    paths = [
        write({"x": [1, 2, 3], "y": ["a", "b", "c"]}, row_group_size=2),
        write({"y": ["d"], "x": [4]}, "b.parquet"),
    ]
    table = ParquetTable(paths, lambda name: name == "x")
    assert (table.names, table.rows, table.names_are_complete) == (["x", "y"], 4, True)
    assert [batch.to_pydict() for batch in table.batches()] == [
        {"x": [1, 2]},
        {"x": [3]},
        {"x": [4]},
    ]
    assert table.position == table.size == sum(pathlib.Path(path).stat().st_size for path in paths)


def test_numbers_of_several_types_are_of_the_widest_and_absent_columns_null(write):
    table = ParquetTable(
        [write({"x": [1], "y": [True]}), write({"x": [2.5]}, "b.parquet")], everything
    )
    assert table.schema == pa.schema([("x", pa.float64()), ("y", pa.bool_())])
    assert [batch.to_pydict() for batch in table.batches()] == [
        {"x": [1.0], "y": [True]},
        {"x": [2.5], "y": [None]},
    ]


def test_a_wide_table_comes_in_short_batches(write, monkeypatch):
    monkeypatch.setattr(table_source, "BATCH_VALUES", 1000)
    monkeypatch.setattr(table_source, "FEWEST_BATCH_ROWS", 1)
    assert (batch_rows(1), batch_rows(100), batch_rows(5000), batch_rows(0)) == (1000, 10, 1, 1000)
    table = ParquetTable([write({str(i): range(25) for i in range(100)})], everything)
    assert [batch.num_rows for batch in table.batches()] == [10, 10, 5]


def test_a_wide_table_is_best_read_some_columns_at_a_time(write, monkeypatch):
    monkeypatch.setattr(file_table, "COLUMNS_A_PASS", 2)
    monkeypatch.setattr(file_table, "BATCH_VALUES", 1)
    table = ParquetTable([write({"x": [1, 2], "y": [3, 4], "z": [5, 6]})], everything)
    assert [columns.names for columns in table.passes] == [["x", "y"], ["z"]]
    found = [[batch.to_pydict() for batch in table.batches(columns)] for columns in table.passes]
    assert found == [[{"x": [1, 2], "y": [3, 4]}], [{"z": [5, 6]}]]
    assert table.position == table.size


def test_a_pass_has_as_many_columns_as_one_batch_of_a_whole_file(write, monkeypatch):
    monkeypatch.setattr(file_table, "COLUMNS_A_PASS", 2)
    columns = {str(i): range(100) for i in range(10)}
    table = ParquetTable([write(columns), write(columns, "b.parquet")], everything)
    assert len(table.passes) == 1
    monkeypatch.setattr(file_table, "BATCH_VALUES", 300)
    assert [len(columns) for columns in table.passes] == [3, 3, 3, 1]
    monkeypatch.setattr(file_table, "BYTES_A_PASS", 1)
    assert len(table.passes) == 5


def test_a_file_that_is_held_open_is_opened_once_and_verified_in_each_pass(write, monkeypatch):
    path = write({"x": [1, 2], "y": [3, 4]})
    opened = []

    class Files(LocalFiles):
        def open(self, path):
            opened.append(path)
            return super().open(path)

    table = ParquetTable([path], everything, Files())
    with table.held_open():
        opened.clear()
        columns = [pa.schema([field]) for field in table.schema]
        found = [batch.to_pydict() for each in columns for batch in table.batches(each)]
    assert found == [{"x": [1, 2]}, {"y": [3, 4]}]
    assert opened == [path]
    next(table.batches())
    assert opened == [path, path]


def test_types_that_nothing_holds_are_refused_by_the_names_of_both_files(write):
    paths = [write({"x": [1], "y": [1]}), write({"x": ["a"], "y": [1]}, "b.parquet")]
    message = r"a.parquet: column 'x': expected a type .* string in .*b.parquet, found int64; conv"
    with pytest.raises(TableFileError, match=message):
        ParquetTable(paths, everything)
    assert ParquetTable(paths, lambda name: name == "y").rows == 2


def test_a_column_that_is_there_twice_is_refused_if_it_is_read(tmp_path):
    table = pa.Table.from_arrays([pa.array([1])] * 3, names=["x", "x", "y"])
    pq.write_table(table, tmp_path / "a.parquet")
    paths = [str(tmp_path / "a.parquet")]
    with pytest.raises(TableFileError, match=r"a.parquet: expected every column once, found"):
        ParquetTable(paths, everything)
    assert ParquetTable(paths, lambda name: name == "y").schema.names == ["y"]


def test_a_bad_footer_is_refused_at_once_and_a_bad_row_group_by_its_number(write):
    path = pathlib.Path(write({"x": range(1000)}, compression="none", use_dictionary=False))
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(
        TableFileError, match=r"a.parquet: .* ends with .* it is truncated or still"
    ):
        ParquetTable([str(path)], everything)

    path.write_bytes(content[:4] + b"\xff" * 40 + content[44:])
    table = ParquetTable([str(path)], everything)
    with pytest.raises(TableFileError, match=r"a.parquet: row group 0.*: cannot be decoded \("):
        list(table.batches())


def test_many_columns_are_opened_in_time_by_their_number(tmp_path):
    names = [f"c{i}" for i in range(20_000)]
    table = pa.table([pa.array([1], pa.int8())] * len(names), names=names)
    pq.write_table(table, tmp_path / "a.parquet")
    started = time.process_time()
    assert len(ParquetTable([str(tmp_path / "a.parquet")], lambda name: True).names) == len(names)
    assert time.process_time() - started < 60


def test_a_batch_has_few_rows_where_they_are_large(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "BATCH_BYTES", 100_000)
    texts = [chr(97 + i) * 40_000 for i in range(7)]
    path = str(tmp_path / "a.parquet")
    pq.write_table(pa.table({"x": texts, "n": range(7)}), path, use_dictionary=False)
    batches = list(ParquetTable([path], lambda name: True).batches())
    assert [batch.num_rows for batch in batches] == [2, 2, 2, 1]
    assert [text for batch in batches for text in batch.column(0).to_pylist()] == texts


# Structs.


def test_a_struct_is_flattened_to_the_features_that_it_becomes(write):
    path = write({"a": [{"b": 1, "c": {"d": "u"}}, None], "e": [1.5, 2.5]})

    table = ParquetTable([path], everything)

    plan = plan_features(pq.read_schema(path))
    assert table.schema == pa.schema([("a.b", "i8"), ("a.c.d", "str"), ("e", "f8")])
    assert sorted(table.schema.names) == [feature.name for feature in plan.features]
    assert rows(table) == [
        {"a.b": 1, "a.c.d": "u", "e": 1.5},
        {"a.b": None, "a.c.d": None, "e": 2.5},
    ]


def test_fields_of_structs_are_unified_one_by_one_and_may_be_gained(write):
    one = write({"a": [{"b": 1, "no": 1}]}, "1")
    other = write({"a": [{"c": True, "b": 0.5, "no": "x"}]}, "2")

    table = ParquetTable([one, other], lambda name, *around: name != "a.no")

    assert rows(table) == [{"a.b": 1.0, "a.c": None}, {"a.b": 0.5, "a.c": True}]
    with pytest.raises(TableFileError, match=r"/1: column 'a.no': .* string in .*/2, found int64"):
        ParquetTable([one, other], everything)


def test_whether_a_field_is_read_may_depend_on_the_structs_around_it(write):
    path = write({"a": [{"b": {"c": 1}, "d": 2}], "a.x": [3]})
    asked = []

    ParquetTable([path], lambda *names: bool(asked.append(names)))

    assert set(asked) == {("a.b.c", "a", "a.b"), ("a.d", "a"), ("a.x",)}


def test_a_field_and_a_column_of_one_name_are_refused(write):
    path = write({"a": [{"b": 1}], "a.b": [3]})
    with pytest.raises(TableFileError, match=r"found 'a\.b' more than once"):
        ParquetTable([path], everything)


@pytest.mark.parametrize("passes", [1, 64])
def test_fields_that_one_file_has_in_a_struct_and_another_lacks_are_null(
    write, monkeypatch, passes
):
    monkeypatch.setattr(file_table, "COLUMNS_A_PASS", passes)
    monkeypatch.setattr(file_table, "BATCH_VALUES", 1)
    paths = [write({"a": [{"b": 1}]}, "1"), write({"x": ["u"]}, "2")]
    table = ParquetTable(paths, everything)

    found = [pa.Table.from_batches(table.batches(columns)) for columns in table.passes]

    assert [column.to_pylist() for each in found for column in each.columns] == [
        [1, None],
        [None, "u"],
    ]


def rows(table):
    return pa.Table.from_batches(list(table.batches())).to_pylist()


# Types that differ between files.


def test_times_of_several_units_and_decimals_of_several_scales_are_of_the_finest(write):
    moment = datetime.datetime(2024, 2, 29, 12, 30)
    paths = [
        write({"t": pa.array([moment], "timestamp[ms]"), "d": [Decimal("1.25")]}, "1"),
        write({"t": pa.array([moment], "timestamp[us]"), "d": [Decimal("1.2345")]}, "2"),
        write({"t": pa.array([moment.date()], pa.date32()), "d": pa.array([7], "i4")}, "3"),
    ]

    table = ParquetTable(paths, everything)

    assert rows(table) == [
        {"t": moment, "d": Decimal("1.2500")},
        {"t": moment, "d": Decimal("1.2345")},
        {"t": datetime.datetime(2024, 2, 29), "d": Decimal("7.0000")},
    ]
