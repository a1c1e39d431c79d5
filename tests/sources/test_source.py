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
from tfx_wine_ext.columnar.commit import commit
from tfx_wine_ext.columnar.ingest import write_shard
from tfx_wine_ext.columnar.options import IngestOptions
from tfx_wine_ext.columnar.tasks import plan_shards
from tfx_wine_ext.sources.choose import open_table
from tfx_wine_ext.sources.csv import CsvTable
from tfx_wine_ext.sources.examples import ExampleTable
from tfx_wine_ext.sources.footers import read_footers
from tfx_wine_ext.sources.parquet import ParquetSource, ParquetTable
from tfx_wine_ext.sources.source import TableSource, batch_rows
from tfx_wine_ext.testing import parquet_file

from ..columnar.reference import parsed

ROWS = [{"alcohol": 9.5, "colour": "red"}, {"alcohol": 0.0, "colour": ""}]
MORE = [{"alcohol": 12.25, "colour": "white"}]
SOURCES = ["ParquetSource", "ParquetTable", "CsvTable", "ExampleTable"]


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
        if kind == "ExampleTable":
            source = ParquetSource(read_footers([str(parquet)], FILES))
            tasks = plan_shards(source, ALL, IngestOptions())
            out = str(folder / letter)
            [file] = commit(out, tasks, [write_shard(task, out, FILES) for task in tasks], FILES)
            paths[-1] = f"{out}/Split-all/{file.name}"
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
    if kind.startswith("Parquet"):  # The footers have been read.
        here = table_source(kind, tmp_path / "here")
        shutil.copy(first.path, second.path)
        here = ParquetSource(read_footers(here.paths, FILES))
    assert here.fingerprint() != fingerprint


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
    source = open_table(
        str(folder / {"ParquetTable": "*.parquet", "CsvTable": "*.csv"}.get(kind, "*"))
    )
    selected = source.select(source.parts()[:1])
    sent = pickle.loads(pickle.dumps(selected))
    assert [batch.num_rows for batch in sent.batches()] == [2]


def test_batches_of_wide_tables_have_fewer_rows() -> None:
    assert [batch_rows(columns) for columns in (0, 12, 1000, 10**6)] == [65536, 65536, 4194, 256]
