"""What every source answers: its columns, fingerprint, parts, and the rows of some parts."""

from __future__ import annotations

import pathlib
import pickle
import shutil

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from tests.columnar.shards import ALL, FILES, records
from tests.sources.written import write_avro, write_feather, write_lines, write_orc
from tfx_wine_ext.columnar.commit import commit
from tfx_wine_ext.columnar.ingest import write_shard
from tfx_wine_ext.columnar.options import IngestOptions
from tfx_wine_ext.columnar.plan import EncodeOptions
from tfx_wine_ext.columnar.tables import reading_of
from tfx_wine_ext.columnar.tasks import plan_shards
from tfx_wine_ext.sources import csv, examples
from tfx_wine_ext.sources.choose import open_files, open_table
from tfx_wine_ext.sources.csv import CsvTable
from tfx_wine_ext.sources.examples import ExampleTable
from tfx_wine_ext.sources.footers import ParquetFileError, read_footers
from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.parquet import ParquetSource, ParquetTable
from tfx_wine_ext.sources.source import TableFileError, TableSource, batch_rows
from tfx_wine_ext.testing import parquet_file

from ..columnar.reference import parsed

ROWS = [{"alcohol": 9.5, "colour": "red"}, {"alcohol": 0.0, "colour": ""}]
MORE = [{"alcohol": 12.25, "colour": "white"}]
SOURCES = ["ParquetSource", "ParquetTable", "CsvTable", "ExampleTable"]
# The format of each further source, with a function that writes a table.
FORMATS = {
    "OrcTable": ("orc", write_orc),
    "ArrowTable": ("arrow", write_feather),
    "JsonTable": ("jsonl", lambda path, table: write_lines(path, *table.to_pylist())),
    "AvroTable": (
        "avro",
        lambda path, table: write_avro(
            path, {"alcohol": "double", "colour": "string"}, table.to_pylist()
        ),
    ),
}
SOURCES += FORMATS


def everything(*names: str) -> bool:
    return True


def table_source(kind: str, folder: pathlib.Path) -> TableSource:
    """Two files, of two rows and of one, as a source of some kind."""
    paths = []
    for letter, rows in [("a", ROWS), ("b", MORE)]:
        parquet = parquet_file(folder / f"{letter}.parquet", rows)
        paths.append(str(parquet))
        if kind == "CsvTable":
            paths[-1] = str(folder / f"{letter}.csv")
            pa_csv.write_csv(pq.read_table(parquet), paths[-1])
        if kind in FORMATS:
            extension, write = FORMATS[kind]
            paths[-1] = write(folder / f"{letter}.{extension}", pq.read_table(parquet))
        if kind == "ExampleTable":
            source = ParquetSource(read_footers([str(parquet)], FILES))
            tasks = plan_shards(source, ALL, IngestOptions())
            out = str(folder / letter)
            [file] = commit(out, tasks, [write_shard(task, out, FILES) for task in tasks], FILES)
            paths[-1] = f"{out}/Split-all/{file.name}"
    if kind in FORMATS:
        return open_files(paths, Reading(unify=False))
    if kind == "ParquetSource":
        return ParquetSource(read_footers(paths, FILES))
    classes = {"ParquetTable": ParquetTable, "CsvTable": CsvTable, "ExampleTable": ExampleTable}
    return classes[kind](paths, everything)


def ingested(source: TableSource, out: pathlib.Path) -> list[dict[str, object]]:
    """Writes the rows as examples, each task in another process as far as pickling goes."""
    tasks = plan_shards(source, ALL, IngestOptions(num_shards=2))
    sent = [pickle.loads(pickle.dumps(task)) for task in tasks]
    files = commit(str(out), tasks, [write_shard(task, str(out), FILES) for task in sent], FILES)
    paths = [out / "Split-all" / file.name for file in files]
    return [parsed(record) for path in paths for record in records(path)]


def example(alcohol: float, colour: bytes) -> dict[str, object]:
    return {"alcohol": ("float_list", [alcohol]), "colour": ("bytes_list", [colour])}


@pytest.mark.parametrize("kind", SOURCES)
def test_any_source_is_ingested_part_by_part(kind: str, tmp_path: pathlib.Path) -> None:
    source = table_source(kind, tmp_path)
    assert [(pathlib.Path(part.path).parent.name, part.index) for part in source.parts()] == (
        [("Split-all", 0)] * 2 if kind == "ExampleTable" else [(tmp_path.name, 0)] * 2
    )
    assert source.whole.names == ["alcohol", "colour"]
    assert ingested(source, tmp_path / "out") == [
        example(9.5, b"red"),
        example(0.0, b""),
        example(12.25, b"white"),
    ]


@pytest.mark.parametrize("kind", SOURCES)
def test_a_selection_reads_its_parts_only_and_says_to_which_a_batch_belongs(
    kind: str, tmp_path: pathlib.Path
) -> None:
    source = table_source(kind, tmp_path)
    first, second = source.parts()

    selected = source.select([second])

    assert list(selected.paths) == [second.path]
    [batch] = selected.batches(pa.schema([selected.schema.field("colour")]))
    assert (batch.num_rows, batch.schema.names) == (1, ["colour"])
    assert selected.part == second
    assert list(source.paths) == [first.path, second.path]


@pytest.mark.parametrize("kind", SOURCES)
def test_a_batch_has_at_most_so_many_rows(kind: str, tmp_path: pathlib.Path) -> None:
    source = table_source(kind, tmp_path)
    assert [batch.num_rows for batch in source.batches(rows=1)] == [1, 1, 1]
    assert [batch.num_rows for batch in source.batches()] == [2, 1]


@pytest.mark.parametrize("kind", SOURCES)
def test_a_fingerprint_depends_on_content_and_order_but_not_on_places(
    kind: str, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    here, there = (table_source(kind, tmp_path / name) for name in ("here", "there"))
    fingerprint = here.fingerprint()
    assert fingerprint.split(":")[0] in ("parquet-v1", "files-v1")
    assert there.fingerprint() == fingerprint
    first, second = here.parts()
    assert here.select([first]).fingerprint() != fingerprint
    shutil.copy(first.path, second.path)
    if not kind.startswith("Parquet"):  # Of which the footers have been read.
        with pytest.raises(TableFileError, match=r"/b.*: it changed after the run had begun"):
            here.fingerprint()
    again = open_files(here.paths, Reading())
    assert again.fingerprint() != fingerprint


@pytest.mark.parametrize("kind", SOURCES)
def test_rows_are_counted_though_no_column_is_asked_for(kind: str, tmp_path: pathlib.Path) -> None:
    source = table_source(kind, tmp_path)
    batches = list(source.batches(pa.schema([])))
    assert [(batch.num_rows, batch.schema.names) for batch in batches] == [(2, []), (1, [])]


@pytest.mark.parametrize("kind", SOURCES[1:])
def test_a_selection_of_an_opened_table_can_be_sent_to_a_worker(
    kind: str, tmp_path: pathlib.Path
) -> None:
    folder = pathlib.Path(table_source(kind, tmp_path).paths[0]).parent
    extension = FORMATS[kind][0] if kind in FORMATS else kind.removesuffix("Table").lower()
    source = open_table(str(folder / ("*" if kind == "ExampleTable" else f"*.{extension}")))
    selected = source.select(source.parts()[:1])
    sent = pickle.loads(pickle.dumps(selected))
    assert [batch.num_rows for batch in sent.batches()] == [2]


def test_batches_of_wide_tables_have_fewer_rows() -> None:
    assert [batch_rows(columns) for columns in (0, 12, 1000, 10**6)] == [65536, 65536, 4194, 256]


def test_the_shards_of_every_file_format_are_the_same_bytes(tmp_path: pathlib.Path) -> None:
    written = {}
    for kind in ["ParquetSource", *FORMATS]:
        (tmp_path / kind).mkdir()
        tasks = plan_shards(table_source(kind, tmp_path / kind), ALL, IngestOptions(num_shards=1))
        out = tmp_path / kind / "out"
        [file] = commit(str(out), tasks, [write_shard(tasks[0], str(out), FILES)], FILES)
        written[kind] = records(out / "Split-all" / file.name)
    assert [kind for kind in FORMATS if written[kind] != written["ParquetSource"]] == []


def test_a_csv_file_whose_types_change_late_is_ingested_with_types_of_all_rows(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv, "BLOCK_BYTES", 64)
    path = tmp_path / "a.csv"
    lines = [f"{i},{i},{2**53 + i},{i}" for i in range(50)]
    path.write_text("\n".join(["n,x,id,zip", *lines, "7,0.5,8,", "8,,9,none"]), encoding="utf-8")
    source = open_files([str(path)], Reading(reads=everything))
    rows = ingested(source, tmp_path / "out")
    assert rows[-3:] == [
        {
            "n": ("int64_list", [49]),
            "x": ("float_list", [49.0]),
            "id": ("int64_list", [2**53 + 49]),
            "zip": ("bytes_list", [b"49"]),
        },
        {
            "n": ("int64_list", [7]),
            "x": ("float_list", [0.5]),
            "id": ("int64_list", [8]),
            "zip": None,
        },
        {
            "n": ("int64_list", [8]),
            "x": None,
            "id": ("int64_list", [9]),
            "zip": ("bytes_list", [b"none"]),
        },
    ]


def test_a_csv_column_that_is_cast_to_bytes_keeps_its_text(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("zip,n\n00501,1\n10001,2\n", encoding="utf-8")
    options = IngestOptions(EncodeOptions(cast={"zip": "bytes"}))
    source = open_files([str(path)], reading_of(options, FILES, str(tmp_path)))
    [task] = plan_shards(source, ALL, options)
    out = str(tmp_path / "out")
    [file] = commit(out, [task], [write_shard(task, out, FILES)], FILES)
    rows = [parsed(record) for record in records(tmp_path / "out" / "Split-all" / file.name)]
    assert [row["zip"] for row in rows] == [("bytes_list", [b"00501"]), ("bytes_list", [b"10001"])]


def test_a_csv_file_that_changes_after_the_plan_is_an_error(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("n\n1\n", encoding="utf-8")
    [task] = plan_shards(open_files([str(path)], Reading()), ALL, IngestOptions())
    path.write_text("n\nx\n", encoding="utf-8")
    with pytest.raises(TableFileError, match=r"a.csv: (a value of another .*)?it changed"):
        write_shard(task, str(tmp_path / "out"), FILES)
    assert not (tmp_path / "out" / "Split-all").exists()


def test_features_that_only_late_records_have_are_ingested(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"n": i} for i in range(5)] + [{"n": 5, "late": "x"}]
    source = ParquetSource(read_footers([str(parquet_file(tmp_path / "a.parquet", rows))], FILES))
    tasks = plan_shards(source, ALL, IngestOptions())
    [file] = commit(
        str(tmp_path), tasks, [write_shard(task, str(tmp_path), FILES) for task in tasks], FILES
    )
    monkeypatch.setattr(examples, "DECODED_RECORDS", 2)
    path = str(tmp_path / "Split-all" / file.name)
    found = ingested(open_files([path], Reading()), tmp_path / "out")
    assert [row["late"] for row in found] == [None] * 5 + [("bytes_list", [b"x"])]


def test_the_errors_of_encoding_are_of_the_class_of_the_source(tmp_path: pathlib.Path) -> None:
    big = pa.table({"n": pa.array([2**63], pa.uint64())})
    pq.write_table(big, tmp_path / "a.parquet")
    for name, class_ in [("a.parquet", ParquetFileError), ("a.arrow", TableFileError)]:
        if name == "a.arrow":
            write_feather(tmp_path / name, big)
        source = open_files([str(tmp_path / name)], Reading())
        [task] = plan_shards(source, ALL, IngestOptions())
        with pytest.raises(TableFileError, match=rf"{name}: (row group|record batch) 0") as caught:
            write_shard(task, str(tmp_path / "out"), FILES)
        assert type(caught.value) is class_
