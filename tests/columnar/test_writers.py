"""Shards on disks that fail, and what is in their files."""

import gzip
import pathlib
import struct
import subprocess
import zlib

import numpy as np
import pyarrow as pa
import pytest
from isal import isal_zlib

from tfx_wine_ext.columnar import ingest
from tfx_wine_ext.columnar.commit import clear
from tfx_wine_ext.columnar.ingest import write_shard
from tfx_wine_ext.columnar.options import (
    OutputSplit,
)
from tfx_wine_ext.columnar.writers import gzip_member
from tfx_wine_ext.files.local import LocalFiles
from tfx_wine_ext.sources.footers import ParquetFileError

from .shards import FILES, THIRDS, out, plan, records, wines, write
from .shards import ingest as run


class Rotten(LocalFiles):
    """A disk that gives back other bytes than it was given."""

    def __init__(self, change):
        self.change = change

    def open(self, path):
        if ".staging" in path:
            pathlib.Path(path).write_bytes(self.change(pathlib.Path(path).read_bytes()))
        return super().open(path)


@pytest.mark.parametrize("payload", ["tfrecord", "parquet"])
@pytest.mark.parametrize(
    "change",
    [lambda d: d[:-1], lambda d: d[:40] + bytes([d[40] ^ 1]) + d[41:], lambda d: d + b"\0"],
    ids=["shorter", "a bit flipped", "longer"],
)
def test_a_shard_that_reads_back_other_than_it_was_written_is_an_error(
    tmp_path, source, change, payload
):
    (task,) = plan(source, payload=payload)
    message = r"/out/.staging/Split-all/data_.*: wrote \d+ bytes with CRC 0x\w{8}, read back \d+ "
    with pytest.raises(OSError, match=message):
        write_shard(task, out(tmp_path), Rotten(change))
    assert not list(tmp_path.glob("out/.staging/Split-all/data_*-of-00001.gz"))
    assert not list(tmp_path.glob("out/.staging/Split-all/data_*-of-00001.parquet"))


class FullDevice(LocalFiles):
    """Writes everything to a device that is full."""

    def create(self, path):
        return open("/dev/full", "wb")


@pytest.mark.parametrize("payload", ["tfrecord", "parquet"])
def test_writing_to_dev_full_is_an_error_that_names_the_shard(tmp_path, source, payload):
    (task,) = plan(source, payload=payload)
    message = (
        rf"{out(tmp_path)}/.staging/Split-all/data_{payload}-00000-of-00001\.\w+: cannot be "
        r"written \(.*No space left on device.*\); free or repair the disk, then run again"
    )
    with pytest.raises(OSError, match=message):
        write_shard(task, out(tmp_path), FullDevice())


def _mount_small_disk(folder):
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("payload", ["tfrecord", "parquet"])
def test_a_disk_that_fills_up_publishes_nothing_where_the_tests_may_mount_one_else_dev_full(
    tmp_path, payload
):
    disk = tmp_path / "disk"
    disk.mkdir()
    table = pa.table({"x": np.random.default_rng(0).normal(size=50_000)})
    tasks = plan(write(f"{tmp_path}/in", table, row_group_size=2_000), THIRDS, payload=payload)
    mounted = _mount_small_disk(disk)
    try:
        with pytest.raises(
            OSError, match=rf"{disk}/out/.staging/Split-\w+/data_.*: cannot be written"
        ):
            write_shard(tasks[0], f"{disk}/out", FILES if mounted else FullDevice())
        assert not list(disk.glob("out/.staging/*/data_*-of-00001.*[zt]"))
        assert not list(disk.glob("out/Split-*"))
        clear(f"{disk}/out", ["train", "eval"], FILES)
        assert list(disk.glob("out/*")) == []
    finally:
        if mounted:
            subprocess.run(["umount", str(disk)], check=True)


def test_a_folder_that_cannot_be_made_is_an_error_that_names_the_shard(tmp_path, source):
    (tmp_path / "out").write_bytes(b"a file")
    (task,) = plan(source)
    with pytest.raises(OSError, match=r"Split-all/data_.*: cannot be written .*Not a directory"):
        write_shard(task, out(tmp_path), FILES)


def test_a_file_that_changes_between_planning_and_reading_is_an_error_by_name(tmp_path, source):
    (task,) = plan(source)
    write(f"{tmp_path}/in/b.parquet", wines(31, first=30), row_group_size=8)
    with pytest.raises(ParquetFileError, match=r"b.parquet: it changed after the run had begun"):
        write_shard(task, out(tmp_path), FILES)


@pytest.mark.parametrize("payload", ["tfrecord", "parquet"])
def test_no_file_stays_open_after_an_error(tmp_path, source, payload):
    write(f"{tmp_path}/in/b.parquet", wines(30, first=30), row_group_size=8)
    (task,) = plan(source, THIRDS, payload=payload)
    pathlib.Path(FILES.glob(source)[1]).unlink()
    opened = []

    class Watched(LocalFiles):
        def create(self, path):
            opened.append(super().create(path))
            return opened[-1]

    with pytest.raises(ParquetFileError, match=r"b.parquet: cannot be opened"):
        write_shard(task, out(tmp_path), Watched())
    assert [stream.closed for stream in opened] == [True, True]


def members(path):
    """The gzip members of a file, each decompressed on its own."""
    data, found = pathlib.Path(path).read_bytes(), []
    while data:
        member = zlib.decompressobj(wbits=31)
        found.append(member.decompress(data) + member.flush())
        data = member.unused_data
    return found


def test_no_gzip_member_is_empty_as_tensorflow_stops_reading_at_one(tmp_path, source, monkeypatch):
    monkeypatch.setattr(ingest, "BATCH_ROWS", 2)  # Many batches leave nothing for a split.
    files = run(source, out(tmp_path), THIRDS, num_shards=3, filters=[("id", "not in", [2, 3, 9])])
    for file in files:
        found = members(f"{out(tmp_path)}/Split-{file.split}/{file.name}")
        assert all(found), file
        assert 1 < len(found) <= file.rows
    run(source, out(tmp_path), filters=[("id", "=", 1.0), ("id", "=", 2.0)])
    assert members(f"{out(tmp_path)}/Split-all/data_tfrecord-00000-of-00001.gz") == [b""]


def test_every_record_of_every_shard_has_right_checksums_and_an_empty_one_is_gzip(tmp_path):
    path = write(f"{tmp_path}/in", [wines(0), wines(1)])
    files = run(path, out(tmp_path), (OutputSplit("a", 1), OutputSplit("b", 1)))
    found = {f.split: len(records(f"{out(tmp_path)}/Split-{f.split}/{f.name}")) for f in files}
    assert sorted(found.values()) == [0, 1]


def test_equal_bytes_give_equal_gzip_members_at_any_address():
    # Whatever 13 bits ISA-L hashes of an address, some of these begin with data of the same hash.
    beginnings = [struct.pack("<I", number * 2_654_435_761 % 2**32) for number in range(30_000)]
    data = [(start + bytes(range(60, 100))) * 2 + bytes(range(250)) * 2 for start in beginnings]
    members = [gzip_member(content) for content in data]
    elsewhere = isal_zlib.compressobj(1, wbits=31)  # takes the address of the compressors before
    assert [gzip_member(content) for content in data] == members
    del elsewhere
    assert [gzip.decompress(member) for member in members[:100]] == data[:100]
    assert {member[4:8] for member in members} == {bytes(4)}  # no time of writing


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 16, 17, 300, 100_000])
def test_a_gzip_member_holds_the_bytes_whatever_their_number(size):
    data = np.random.default_rng(1).integers(0, 4, size, dtype=np.uint8)
    assert gzip.decompress(gzip_member(data)) == data.tobytes()
