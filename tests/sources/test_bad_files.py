"""Every file format against every damage: nothing is written, and the error names the file.

A file that is not what it was is refused, or it is read as it was: never something in between.
"""

from __future__ import annotations

import gzip
import json
import os
import pathlib
import re
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from tests.sources.written import (
    packed,
    rows_of,
    write_avro,
    write_feather,
    write_lines,
    write_orc,
    write_stream,
)
from tfx_wine_ext.cli import main
from tfx_wine_ext.columnar import encode_examples, frame_records, plan_features
from tfx_wine_ext.columnar.options import IngestOptions
from tfx_wine_ext.columnar.tasks import plan_table
from tfx_wine_ext.sources.choose import open_files
from tfx_wine_ext.sources.formats import Reading, registered_formats
from tfx_wine_ext.sources.source import TableFileError, TableSource

ROWS = 1000
WINES = pa.table({"n": range(ROWS), "wine": [f"wine {i * 7919}" for i in range(ROWS)]})
OTHERS = pa.table({"n": range(7, 7 + ROWS), "wine": [f"Wine {i * 7919}" for i in range(ROWS)]})
AVRO = {pa.int64(): "long", pa.string(): "string"}


def csv_of(table: pa.Table, delimiter: str = ",") -> bytes:
    lines = [table.column_names, *([row[n] for n in row] for row in table.to_pylist())]
    return "".join(f"{delimiter.join(map(str, line))}\n" for line in lines).encode()


def json_of(table: pa.Table) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in table.to_pylist()).encode()


def tfrecord_of(table: pa.Table) -> bytes:
    [batch] = table.combine_chunks().to_batches()
    return frame_records(encode_examples(batch, plan_features(batch.schema))).tobytes()


def avro_file(path: pathlib.Path, table: pa.Table) -> object:
    types = {field.name: AVRO[field.type] for field in table.schema}
    return write_avro(path, types, table.to_pylist(), codec="deflate")


# By the ends of names: functions that write a table.
WRITERS: dict[str, Callable[[pathlib.Path, pa.Table], object]] = {
    "parquet": lambda path, table: pq.write_table(table, path, row_group_size=500),
    "orc": lambda path, table: write_orc(path, table, compression="zlib"),
    "feather": lambda path, table: write_feather(path, table, chunksize=500),
    "arrows": write_stream,
    "avro": avro_file,
    "csv": lambda path, table: path.write_bytes(csv_of(table)),
    "csv.gz": lambda path, table: packed(path, "gzip", csv_of(table)),
    "csv.zst": lambda path, table: packed(path, "zstd", csv_of(table)),
    "tsv": lambda path, table: path.write_bytes(csv_of(table, "\t")),
    "jsonl": lambda path, table: path.write_bytes(json_of(table)),
    "jsonl.gz": lambda path, table: packed(path, "gzip", json_of(table)),
    "jsonl.zst": lambda path, table: packed(path, "zstd", json_of(table)),
    "tfrecord": lambda path, table: path.write_bytes(tfrecord_of(table)),
    "tfrecord.gz": lambda path, table: path.write_bytes(gzip.compress(tfrecord_of(table))),
}
# Text that ends with a row may have had more rows.
WITHOUT_END = ("csv", "tsv", "jsonl")
every_format = pytest.mark.parametrize("extension", WRITERS)


def written(folder: pathlib.Path, extension: str, table: pa.Table = WINES) -> pathlib.Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"a.{extension}"
    WRITERS[extension](path, table)
    return path


def planned(paths: Sequence[pathlib.Path]) -> TableSource:
    source = open_files([str(path) for path in paths], Reading())
    plan_table(source, IngestOptions())
    return source


def numbers(batches: Any) -> list[int]:
    """The column n, of which TFRecord has lists."""
    values = [row["n"] for batch in batches for row in batch.to_pylist()]
    return [value[0] if isinstance(value, list) else value for value in values]


@pytest.fixture
def refused(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Ingests files, which must fail and write nothing; returns the message."""

    def refused(path: pathlib.Path, *options: str) -> str:
        out = tmp_path / "out"
        assert main(["ingest", str(path), str(out), "--quiet", *options]) == 2
        assert not out.exists()
        [line] = capsys.readouterr().err.splitlines()
        return line

    return refused


def test_every_registered_format_is_here() -> None:
    kinds = {f".{extension.split('.')[0]}" for extension in WRITERS}
    own = ["parquet", "csv", "tfrecord", "orc", "arrow", "json", "avro"]
    for name in own:
        assert kinds & {*registered_formats()[name].extensions}, name


@every_format
def test_a_truncated_file_is_refused(
    extension: str, tmp_path: pathlib.Path, refused: Callable[..., str]
) -> None:
    path = written(tmp_path, extension)
    content = path.read_bytes()
    at_row = content.rfind(b"\n", 0, len(content) // 2)
    sizes = [1, len(content) // 3, len(content) // 2, len(content) - 1]
    for size in [1, at_row + 3] if extension in WITHOUT_END else sizes:
        path.write_bytes(content[:size])
        assert f" {path}: " in refused(path)


@every_format
def test_an_empty_file_is_refused(
    extension: str, tmp_path: pathlib.Path, refused: Callable[..., str]
) -> None:
    path = tmp_path / f"a.{extension}"
    path.touch()
    assert f" {path}: " in refused(path)


def test_a_wrong_type_in_a_row_is_named_with_its_place(
    tmp_path: pathlib.Path, refused: Callable[..., str]
) -> None:
    lines = tmp_path / "a.jsonl"
    write_lines(lines, *[{"n": i} for i in range(1500)], {"n": "x"}, {"n": 1})
    assert "a.jsonl: line 1501, column 'n': expected int64, as in" in refused(lines)
    cells = tmp_path / "a.csv"
    cells.write_text("n\n" + "1\n" * 1500 + "x\n2\n")
    assert "a.csv: column 'n': " in refused(cells, "--cast", "n=int64")
    records = tmp_path / "a.tfrecord"
    text = pa.table({"n": ["x"]})
    records.write_bytes(tfrecord_of(WINES.select(["n"])) + tfrecord_of(text))
    assert "a.tfrecord: record 1001" in refused(records)
    blocks = tmp_path / "a.avro"
    write_avro(blocks, {"n": ["null", "string"]}, [{"n": "wine"}] * 1500 + [{"n": "wXne"}])
    blocks.write_bytes(blocks.read_bytes().replace(b"wXne", b"w\xffne"))
    assert "a.avro: record 1501: cannot be decoded (" in refused(blocks)
    for path in (tmp_path / "a.feather", tmp_path / "a.arrows"):
        WRITERS[path.suffix[1:]](path, WINES)
        path.write_bytes(path.read_bytes().replace(b"wine 0", b"w\xffne 0"))
        assert f"{path.name}: " in refused(path)


@every_format
def test_files_whose_types_contradict_each_other_are_refused_or_text(
    extension: str, tmp_path: pathlib.Path, refused: Callable[..., str]
) -> None:
    paths = [
        written(tmp_path / name, extension, pa.table({"n": values}))
        for name, values in [("one", [1, 2]), ("two", ["x", "y"])]
    ]
    if extension.startswith(("csv", "tsv")):  # They have no types of their own.
        assert [row["n"] for row in rows_of(planned(paths))] == [b"1", b"2", b"x", b"y"]
        return
    message = refused(tmp_path / "*" / f"a.{extension}", "--unify-schemas")
    assert str(paths[1]) in message
    assert "column 'n'" in message


@every_format
@pytest.mark.parametrize("how", ["written", "replaced", "removed"])
@pytest.mark.parametrize("when", ["before it is read", "while it is read"])
def test_a_file_that_is_not_what_it_was_is_refused_or_read_as_it_was(
    extension: str, how: str, when: str, tmp_path: pathlib.Path
) -> None:
    path = written(tmp_path, extension)
    os.utime(path, ns=(1, 1))  # Both may be written within one tick of the clock.
    other = written(tmp_path / "other", extension, OTHERS)
    source = planned([path])
    before = source.fingerprint()
    reading = source.batches(rows=100)
    first = [next(reading)] if when == "while it is read" else []
    if how == "written":
        path.write_bytes(other.read_bytes())
    elif how == "replaced":
        other.replace(path)
    else:
        path.unlink()
    expected = {
        "written": "it changed after the run had begun|it was (written|overwritten)",
        "replaced": "it changed after the run had begun",
        "removed": "cannot be opened",
    }[how]
    found: object
    try:
        found = numbers([*first, *reading])
    except TableFileError as error:
        found = str(error)
    if isinstance(found, str):
        assert re.match(f"{path}: ({expected})", found)
    else:
        # What is open, or in memory, stays as it was; what is opened now does not.
        assert when == "while it is read"
        assert found == [*range(ROWS)]
    with pytest.raises(TableFileError, match=expected):
        numbers(source.batches(rows=100))
    if extension != "parquet":
        with pytest.raises(TableFileError, match=expected):
            source.fingerprint()
    elif how != "removed":
        assert planned([path]).fingerprint() != before


MAPS = pa.table({"n": [1], "m": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))})
NO_FEATURE: dict[str, Callable[[pathlib.Path], object]] = {
    "parquet": lambda path: pq.write_table(MAPS, path),
    "orc": lambda path: write_orc(path, MAPS),
    "feather": lambda path: write_feather(path, MAPS),
    "arrows": lambda path: write_stream(path, MAPS),
    "avro": lambda path: write_avro(
        path, {"n": "long", "m": {"type": "map", "values": "long"}}, [{"n": 1, "m": {"a": 1}}]
    ),
    "jsonl": lambda path: write_lines(path, {"n": 1, "m": [[1]]}),
}


@pytest.mark.parametrize("extension", NO_FEATURE)
def test_a_column_that_has_no_feature_is_refused_by_name_and_may_be_left_out(
    extension: str, tmp_path: pathlib.Path, refused: Callable[..., str]
) -> None:
    path = tmp_path / f"a.{extension}"
    NO_FEATURE[extension](path)
    assert f" {path}: " in (message := refused(path))
    assert "'m'" in message
    assert "--exclude" in message
    assert main(["ingest", str(path), str(tmp_path / "out"), "--exclude", "m", "--quiet"]) == 0
