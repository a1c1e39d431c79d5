"""Small Parquet files with known rows, and slow, obvious readers of what is made of them."""

from __future__ import annotations

import gzip
import itertools
import os
import pathlib
import struct

import google_crc32c
import pyarrow as pa
import pyarrow.parquet as pq

from tfx_wine_ext.columnar.commit import clear, commit
from tfx_wine_ext.columnar.ingest import write_shard
from tfx_wine_ext.columnar.options import IngestOptions, OutputSplit
from tfx_wine_ext.columnar.tables import read_tables, table_of
from tfx_wine_ext.columnar.tasks import plan_shards
from tfx_wine_ext.files.local import LocalFiles
from tfx_wine_ext.sources.footers import find_files

from .reference import parsed

FILES = LocalFiles()
THIRDS = (OutputSplit("train", 2), OutputSplit("eval", 1))
ALL = (OutputSplit("all"),)


def wines(count, first=0):
    """Rows of all three kinds of feature, with zeros, nulls, empty lists and empty text."""
    ids = range(first, first + count)
    return pa.table(
        {
            "id": pa.array(ids, pa.int64()),
            "alcohol": pa.array([None if i % 5 == 3 else i / 4 for i in ids], pa.float64()),
            "colour": pa.array([["red", "", None, "rosé"][i % 4] for i in ids], pa.string()),
            "notes": pa.array(
                [[None, [], ["oak"], ["plum", ""]][i % 4] for i in ids], pa.list_(pa.string())
            ),
            "years": pa.array([list(range(i % 3)) for i in ids], pa.list_(pa.int32())),
        }
    )


def wine(i):
    """The example that row i of `wines` must become, as `parsed` shows it."""
    notes = [None, [], [b"oak"], [b"plum", b""]][i % 4]
    colour = [b"red", b"", None, "rosé".encode()][i % 4]
    return {
        "id": ("int64_list", [i]),
        "alcohol": None if i % 5 == 3 else ("float_list", [i / 4]),
        "colour": None if colour is None else ("bytes_list", [colour]),
        "notes": None if notes is None else ("bytes_list", notes),
        "years": ("int64_list", list(range(i % 3))),
    }


def write(path, table, **options):
    """Writes a table, or several, each a row group or more, as one Parquet file."""
    tables = [table] if isinstance(table, pa.Table) else table
    row_group_size = options.pop("row_group_size", None)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with pq.ParquetWriter(path, tables[0].schema, **options) as writer:
        for each in tables:
            writer.write_table(each, row_group_size)
    return str(path)


def plan(pattern, splits=ALL, files=FILES, **options):
    """The tasks for all files of a pattern; options are those of `IngestOptions`."""
    partition = {k: options.pop(k) for k in ("payload", "partition_feature") if k in options}
    ingest_options = IngestOptions(**options)
    paths, root = find_files(str(pattern), files), os.path.dirname(pattern)
    [footers] = read_tables([paths], root, ingest_options, files)
    return plan_shards(
        table_of(footers, ingest_options, files), splits, ingest_options, **partition
    )


def ingest(pattern, destination, splits=ALL, files=FILES, **options):
    """Plans, writes and commits, as an executor does; returns the committed files."""
    tasks = plan(pattern, splits, files, **options)
    clear(str(destination), [split.name for split in splits], files)
    results = [write_shard(task, str(destination), files) for task in tasks]
    return commit(str(destination), tasks, results, files)


def tree(folder):
    """Every file below a folder, by its path within: its bytes."""
    folder = pathlib.Path(folder)
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def records(path):
    """The records of one gzipped TFRecord file, each CRC checked."""
    data = gzip.decompress(pathlib.Path(path).read_bytes())
    found = []
    while data:
        length, length_crc = struct.unpack("<QI", data[:12])
        record, data_crc = data[12 : 12 + length], data[12 + length : 16 + length]
        assert length_crc == _masked_crc(data[:8])
        assert struct.unpack("<I", data_crc) == (_masked_crc(record),)
        found.append(record)
        data = data[16 + length :]
    return found


def _masked_crc(data):
    crc = google_crc32c.value(bytes(data))
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32


def examples(destination, split="all"):
    """The rows of one split from TFRecords, shard after shard, as `parsed` shows them."""
    paths = sorted(pathlib.Path(destination, f"Split-{split}").iterdir())
    return [parsed(record) for path in paths for record in records(path)]


def ids(destination, split="all"):
    """The column `id` of one split, in the order of the shards."""
    return [row["id"][1][0] for row in examples(destination, split)]


def out(folder, name="out"):
    """A folder to write to."""
    return str(folder / name)


def row_groups(tasks):
    """The row groups of each task, as pairs of a file's letter and numbers."""
    return [
        [
            (path[-9:-8], [part.index for part in parts])
            for path, parts in itertools.groupby(task.source.parts(), key=lambda part: part.path)
        ]
        for task in tasks
    ]
