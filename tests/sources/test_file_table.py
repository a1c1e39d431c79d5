"""What all formats share whose files state their columns, by a format of two methods."""

from __future__ import annotations

import pathlib
import pickle
from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa
import pytest

from tests.sources.written import rows_of
from tfx_wine_ext.sources import file_table
from tfx_wine_ext.sources.file_table import FileTable, conform
from tfx_wine_ext.sources.filters import RowFilter
from tfx_wine_ext.sources.footers import Footer, RowGroup
from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.source import TableFileError
from tfx_wine_ext.sources.stamps import Stamp


class Numbers(FileTable):
    """Files of one byte for each row, in parts of four."""

    kind, unit = "numbers", "part"

    @classmethod
    def inspect(cls, path: str, stream: BinaryIO, size: int, stamp: Stamp | None) -> Footer:
        if not size:
            raise ValueError("no byte")
        groups = [RowGroup(n, min(4, size - 4 * n), 4) for n in range(-(-size // 4))]
        return Footer(path, size, "", pa.schema([("n", pa.uint8())]), tuple(groups), stamp)

    def rows_of(
        self, footer: Footer, columns: pa.Schema, rows: int
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        with self._opened(footer) as stream:
            for group in footer.row_groups:
                stream.seek(4 * group.index)
                batch = pa.record_batch([pa.array([*stream.read(4)], pa.uint8())], names=["n"])
                for start in range(0, batch.num_rows, rows):
                    piece = batch.slice(start, rows)
                    yield (
                        group.index,
                        conform(footer.path, piece, columns, dict(footer.partitions)),
                    )


@pytest.fixture
def source(tmp_path: pathlib.Path) -> Numbers:
    paths = []
    for year in (2025, 2026):
        (tmp_path / f"year={year}").mkdir()
        paths.append(tmp_path / f"year={year}" / "a.numbers")
        paths[-1].write_bytes(bytes(range(6)))
    return Numbers.open([str(path) for path in paths], Reading(root=str(tmp_path)))


def test_two_methods_make_a_source_with_partitions_parts_and_selections(source: Numbers) -> None:
    assert source.schema == pa.schema([("n", pa.uint8()), ("year", pa.int32())])
    assert [(part.index, part.rows) for part in source.parts()] == [(0, 4), (1, 2)] * 2
    assert (source.rows, source.size) == (12, 12)
    only = source.parts(RowFilter([("year", "=", 2026)]))
    assert [part.path[-19:-10] for part in only] == ["year=2026"] * 2
    selected = pickle.loads(pickle.dumps(source.select(only[1:])))
    assert rows_of(selected) == [{"n": 4, "year": 2026}, {"n": 5, "year": 2026}]
    assert [batch.num_rows for batch in source.batches(rows=3)] == [3, 1, 2, 3, 1, 2]
    assert source.position == source.size
    assert [batch.num_rows for batch in source.batches(pa.schema([]))] == [4, 2, 4, 2]


def test_a_fingerprint_covers_every_byte_and_the_partitions(
    source: Numbers, tmp_path: pathlib.Path
) -> None:
    before = source.fingerprint()
    assert before.startswith("files-v1:")
    plain = Numbers.open(source.paths, Reading())
    assert plain.fingerprint() != before
    path = tmp_path / "year=2025" / "a.numbers"
    path.write_bytes(bytes([0, 1, 2, 3, 4, 9]))
    assert Numbers.open(source.paths, Reading(root=str(tmp_path))).fingerprint() != before
    with pytest.raises(TableFileError, match=r"a.numbers: it changed after the run had begun"):
        source.fingerprint()


def test_a_format_of_rows_is_read_in_one_pass(source: Numbers, monkeypatch) -> None:
    monkeypatch.setattr(file_table, "COLUMNS_A_PASS", 1)
    monkeypatch.setattr(file_table, "BATCH_VALUES", 1)
    assert len(source.passes) == 2
    monkeypatch.setattr(Numbers, "by_columns", False)
    assert source.passes == [source.schema]


def test_errors_of_a_decoder_name_the_file(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(TableFileError, match=r"/a: cannot be read \(no byte\); it is truncated or"):
        Numbers.open([str(tmp_path / "a")], Reading())
