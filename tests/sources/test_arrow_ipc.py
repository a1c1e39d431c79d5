"""Arrow IPC files, Feather files and streams: parts, and what is truncated or damaged."""

from __future__ import annotations

import pathlib
import random

import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pytest

from tests.sources.written import rows_of, write_feather, write_stream
from tfx_wine_ext.sources.arrow_ipc import ArrowTable, is_arrow
from tfx_wine_ext.sources.choose import open_files, open_table
from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.source import TableFileError

TABLE = pa.table(
    {
        "n": range(10),
        "code": pa.array(list("abcabcabca")).dictionary_encode(),
        "s": [{"x": i, "y": None} for i in range(10)],
    }
)


def test_record_batches_are_parts_of_a_file_and_a_stream_is_one(tmp_path: pathlib.Path) -> None:
    path = write_feather(tmp_path / "a.feather", TABLE, chunksize=4, compression="zstd")
    source = ArrowTable.open([path], Reading())
    assert [(part.index, part.unit) for part in source.parts()] == [
        (0, "record batch"),
        (1, "record batch"),
        (2, "record batch"),
    ]
    middle = source.select(source.parts()[1:2])
    assert [row["n"] for row in rows_of(middle)] == [4, 5, 6, 7]
    stream = ArrowTable.open([write_stream(tmp_path / "a.arrows", TABLE)], Reading())
    assert [(part.index, part.unit) for part in stream.parts()] == [(0, "")]
    assert rows_of(stream) == rows_of(source) == TABLE.to_pylist()
    flat = open_table(path, reads=lambda name, *around: name == "s.x")
    assert [row["s.x"] for row in rows_of(flat)] == list(range(10))


def test_every_truncated_file_and_stream_is_an_error(tmp_path: pathlib.Path) -> None:
    for name, write in [("a.arrow", write_feather), ("a.arrows", write_stream)]:
        path = tmp_path / name
        write(path, TABLE)
        content = path.read_bytes()
        for size in [*range(0, len(content) - 1, 7), len(content) - 1]:
            path.write_bytes(content[:size])
            with pytest.raises(TableFileError, match=name):
                rows_of(ArrowTable.open([str(path)], Reading()))


def test_a_stream_that_ends_between_batches_has_lost_rows(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.arrows"
    content = pathlib.Path(write_stream(path, TABLE)).read_bytes()
    path.write_bytes(content[:-8])
    with pytest.raises(TableFileError, match=r"expected an Arrow stream with the mark of its end"):
        rows_of(open_table(str(path)))
    path.write_bytes(content * 2)
    with pytest.raises(TableFileError, match=rf"one Arrow stream, found {len(content)} bytes a"):
        rows_of(open_table(str(path)))


def test_damage_is_an_error_or_harmless_but_never_the_end_of_the_process(
    tmp_path: pathlib.Path,
) -> None:
    draw = random.Random(16)
    refused = 0
    for name, write in [("a.arrow", write_feather), ("a.arrows", write_stream)]:
        path = tmp_path / name
        write(path, TABLE)
        content = path.read_bytes()
        for _ in range(150):
            changed = bytearray(content)
            for _ in range(3):
                changed[draw.randrange(len(changed))] = draw.randrange(256)
            path.write_bytes(changed)
            try:
                rows_of(ArrowTable.open([str(path)], Reading()))
            except (TableFileError, ValueError):
                refused += 1
    assert refused > 50


def test_feather_v1_and_what_is_packed_as_a_whole_are_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.feather"
    pyarrow.feather.write_feather(TABLE.select(["n"]), str(path), version=1)
    with pytest.raises(TableFileError, match=r"a.feather: Feather V1, .* write it again as Fea"):
        open_table(str(path))
    assert is_arrow(path.read_bytes()[:64])
    with pa.CompressedOutputStream(str(path), "gzip") as stream:
        stream.write(pathlib.Path(write_feather(tmp_path / "b.feather", TABLE)).read_bytes())
    with pytest.raises(TableFileError, match=r"a.feather: expected .* packed by gzip; unpack it f"):
        open_table(str(path))


def test_a_file_that_changes_after_it_was_opened_is_an_error(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "a.arrow"
    source = open_files([write_feather(path, TABLE)], Reading())
    write_feather(path, TABLE.slice(0, 9))
    with pytest.raises(TableFileError, match=r"a.arrow: it changed after the run had begun"):
        rows_of(source)
    with pytest.raises(TableFileError, match=r"a.arrow: it changed after the run had begun"):
        source.fingerprint()
