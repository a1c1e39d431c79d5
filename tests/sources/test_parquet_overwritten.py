"""Files that others write to while they are read: one content is given out, or none."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.columnar.shards import ALL, FILES, ids, write
from tfx_wine_ext.columnar.commit import clear, commit
from tfx_wine_ext.columnar.ingest import write_shard
from tfx_wine_ext.columnar.options import IngestOptions
from tfx_wine_ext.columnar.tasks import plan_shards
from tfx_wine_ext.files.local import LocalFiles
from tfx_wine_ext.sources import file_table, footers
from tfx_wine_ext.sources.footers import OpenParquet, ParquetFileError, read_footer, read_footers
from tfx_wine_ext.sources.parquet import ParquetSource, ParquetTable, iter_row_groups
from tfx_wine_ext.sources.source import TableFileError

OPTIONS = {"row_group_size": 1000, "compression": "none", "use_dictionary": False}
SCHEMA = pa.schema({"id": pa.int64()})
YEAR_2001 = 10**18  # nanoseconds: files that were written long before they are read


def old_file(path, values):
    """A file of which every row group has the same values, that was not written to just now."""
    write(str(path), pa.table({"id": pa.array(values, pa.int64())}), **OPTIONS)
    os.utime(path, ns=(YEAR_2001, YEAR_2001))
    return str(path)


def of_a(rows=3000):
    return [0, 9] * (rows // 2)


def of_b(rows=3000):
    return [0, 5] * (rows // 2)


def twin_of_a(rows=3000):
    """As many zeros and nines in another order: same size, same footer, other rows."""
    return [9, 0] * (rows // 2)


def in_place(path, other):
    """What `cp`, pandas and `gsutil` do."""
    shutil.copyfile(other, path)


def in_place_without_truncation(path, other):
    with open(path, "r+b") as stream:
        stream.write(pathlib.Path(other).read_bytes())


def half_way(path, other):
    """The writer is still writing when the reader is done."""
    content = pathlib.Path(other).read_bytes()
    pathlib.Path(path).write_bytes(content[: len(content) // 2])


def truncated(path, other):
    os.truncate(path, os.path.getsize(path) // 2)


def appended(path, other):
    with open(path, "ab") as stream:
        stream.write(pathlib.Path(other).read_bytes())


def emptied(path, other):
    pathlib.Path(path).write_bytes(b"")


IN_PLACE = [in_place, in_place_without_truncation, half_way, truncated, appended, emptied]


def renamed_over(path, other):
    shutil.copyfile(other, f"{path}.new")
    os.replace(f"{path}.new", path)


def deleted(path, other):
    os.unlink(path)


class Counting(LocalFiles):
    """The local files, and how often each was opened."""

    def __init__(self):
        self.opened = []

    def open(self, path):
        if path.endswith("/a"):
            self.opened.append(path)
        return super().open(path)


class Remote(LocalFiles):
    """Files without file descriptors, whose ranges are always of the newest content."""

    def open(self, path):
        class Ranges(io.RawIOBase):
            position = 0

            def readable(self):
                return True

            def seekable(self):
                return True

            def seek(self, offset, whence=0):
                start = {0: 0, 1: self.position, 2: os.path.getsize(path)}[whence]
                self.position = start + offset
                return self.position

            def tell(self):
                return self.position

            def readinto(self, buffer):
                with open(path, "rb") as stream:
                    stream.seek(self.position)
                    content = stream.read(len(buffer))
                buffer[: len(content)] = content
                self.position += len(content)
                return len(content)

        return io.BufferedReader(Ranges(), 1 << 16)


@pytest.fixture
def large(monkeypatch):
    """Every file is large: of the digest are its size and its footer only."""
    monkeypatch.setattr(footers, "WHOLE_FILE_FINGERPRINT_BYTES", 100)


@pytest.fixture
def a(tmp_path):
    return old_file(tmp_path / "a", of_a())


@pytest.fixture
def b(tmp_path):
    return old_file(tmp_path / "other" / "b", of_b())


@pytest.fixture
def twin(tmp_path):
    return old_file(tmp_path / "other" / "twin", twin_of_a())


def reading(path, files=FILES):
    footer = read_footer(path, files)
    groups = range(len(footer.row_groups))
    return iter_row_groups(path, footer.digest, groups, SCHEMA, 500, files, footer.stamp)


def values(batches):
    return [value for _, batch in batches for value in batch.column(0).to_pylist()]


OVERWRITTEN = (
    "/a: it (was overwritten|was written to) while it was read.*; let writers add new files"
)


@pytest.mark.parametrize("overwrite", IN_PLACE)
@pytest.mark.parametrize("batches_before", [1, 3, 6])
def test_a_large_file_that_is_overwritten_while_it_is_read_is_an_error_that_says_so(
    large, a, b, overwrite, batches_before
):
    batches = reading(a)
    for _ in range(batches_before):  # of 6
        next(batches)
    overwrite(a, b)
    with pytest.raises(ParquetFileError, match=OVERWRITTEN) as caught:
        values(batches)
    assert (caught.value.kind, caught.value.path) == ("changed", a)


@pytest.mark.parametrize("overwrite", IN_PLACE)
def test_a_small_file_is_given_out_as_it_was_when_it_was_opened(a, b, overwrite):
    batches = reading(a)
    first = values([next(batches)])
    overwrite(a, b)
    assert first + values(batches) == of_a()


@pytest.mark.parametrize("replace", [renamed_over, deleted])
@pytest.mark.parametrize("size", ["large", "small"])
def test_a_file_that_is_replaced_or_deleted_is_read_to_its_end(request, a, b, replace, size):
    if size == "large":
        request.getfixturevalue("large")
    batches = reading(a)
    first = values([next(batches)])
    replace(a, b)
    assert first + values(batches) == of_a()


def test_a_large_file_overwritten_by_one_of_the_same_size_and_footer_is_noticed_by_its_time(
    large, a, twin
):
    assert read_footer(twin, FILES).digest == read_footer(a, FILES).digest
    batches = reading(a)
    next(batches)
    in_place(a, twin)
    with pytest.raises(
        ParquetFileError, match=r"written to while it was read .its time of modific"
    ):
        values(batches)


@pytest.mark.parametrize("batches_before", [1, 6])
@pytest.mark.parametrize("overwrite", [in_place, half_way, emptied, renamed_over])
def test_a_remote_file_is_asked_by_a_new_handle(large, a, b, overwrite, batches_before):
    batches = reading(a, Remote())
    for _ in range(batches_before):
        next(batches)
    overwrite(a, b)
    with pytest.raises(ParquetFileError, match=OVERWRITTEN):
        values(batches)


def test_a_remote_file_in_peace_is_read_to_its_end(large, a):
    assert values(reading(a, Remote())) == of_a()


def test_each_use_opens_the_file_once(a, tmp_path):
    files = Counting()
    footer = read_footer(a, files)
    assert files.opened == [a]
    values(iter_row_groups(a, footer.digest, [0, 1, 2], SCHEMA, 500, files))
    assert files.opened == [a, a]
    (task,) = plan_shards(
        ParquetSource([footer], files=files), ALL, IngestOptions(filters=[("id", ">", 5)])
    )
    assert files.opened == [a, a, a]
    write_shard(task, str(tmp_path / "out"), files)
    assert files.opened == [a, a, a, a]


class OverwritesWhenOpened(LocalFiles):
    """The local files, one of which is overwritten as soon as it has been opened."""

    def __init__(self, overwrite, path, other, at):
        self.arguments, self.countdown = (overwrite, path, other), at

    def open(self, path):
        stream = super().open(path)
        self.countdown -= 1
        if self.countdown == 0:
            overwrite, *paths = self.arguments
            overwrite(*paths)
        return stream


@pytest.mark.parametrize("overwrite", [*IN_PLACE, renamed_over])
@pytest.mark.parametrize("size", ["large", "small"])
@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("filters", [None, [("id", ">=", 0)]], ids=["all rows", "a filter"])
def test_at_whatever_open_a_file_is_overwritten_its_rows_are_of_the_fingerprint_or_none_come(
    request, tmp_path, a, b, overwrite, size, at, filters
):
    if size == "large":
        request.getfixturevalue("large")
    afterwards = shutil.copy(a, tmp_path / "afterwards")
    overwrite(afterwards, b)
    rows_of = {}
    for path in (a, str(afterwards)):
        with contextlib.suppress(ParquetFileError):
            rows_of[read_footer(path, FILES).digest] = values(reading(path))
    files, out = OverwritesWhenOpened(overwrite, a, b, at), str(tmp_path / "out")
    found = None
    with contextlib.suppress(ParquetFileError):
        footers = read_footers([a], files)
        source = ParquetSource(footers, files=files)
        tasks = plan_shards(source, ALL, IngestOptions(filters=filters))
        clear(out, ["all"], files)
        commit(out, tasks, [write_shard(task, out, files) for task in tasks], files)
        found = ids(out)
    if found is None:
        assert not os.path.exists(f"{out}/Split-all")
    else:
        assert found == rows_of[footers[0].digest]


def test_a_file_overwritten_between_planning_and_reading_is_noticed_by_its_time_as_well(
    large, a, twin
):
    footer = read_footer(a, FILES)
    in_place(a, twin)
    assert read_footer(a, FILES).digest == footer.digest
    with pytest.raises(ParquetFileError, match="/a: it changed after the run had begun; let"):
        values(iter_row_groups(a, footer.digest, [0], SCHEMA, 500, FILES, footer.stamp))


def test_a_file_that_was_only_touched_or_copied_between_driver_and_executor_is_the_same(large, a):
    footer = read_footer(a, FILES)
    shutil.copy(a, f"{a}.copy")
    os.replace(f"{a}.copy", a)
    assert read_footer(a, FILES).digest == footer.digest
    batches = iter_row_groups(a, footer.digest, [0, 1, 2], SCHEMA, 500, FILES, footer.stamp)
    assert values(batches) == of_a()


@pytest.mark.parametrize("other", [of_b, twin_of_a])
@pytest.mark.parametrize("size", ["large", "small"])
def test_a_table_of_several_passes_is_of_one_content(request, monkeypatch, tmp_path, other, size):
    if size == "large":
        request.getfixturevalue("large")
    monkeypatch.setattr(file_table, "COLUMNS_A_PASS", 1)
    monkeypatch.setattr(file_table, "BATCH_VALUES", 1)

    def two_columns(path, values):
        write(str(path), pa.table({"x": values, "y": values}), **OPTIONS)
        os.utime(path, ns=(YEAR_2001, YEAR_2001))
        return str(path)

    path = two_columns(tmp_path / "a", of_a())
    table = ParquetTable([path], lambda name: True)
    first, second = table.passes
    assert sum(batch.num_rows for batch in table.batches(first)) == 3000
    in_place(path, two_columns(tmp_path / "b", other()))
    with pytest.raises(TableFileError, match="/a: it changed after the run had begun"):
        list(table.batches(second))


def test_a_file_that_is_held_open_between_passes_is_of_one_content(large, tmp_path):
    def two_columns(path, values):
        write(str(path), pa.table({"x": values, "y": values}), **OPTIONS)
        return str(path)

    path = two_columns(tmp_path / "a", of_a())
    table = ParquetTable([path], lambda name: True)
    first, second = (pa.schema([field]) for field in table.schema)
    with table.held_open():
        assert sum(batch.num_rows for batch in table.batches(first)) == 3000
        in_place(path, two_columns(tmp_path / "b", of_b()))
        with pytest.raises(TableFileError, match=OVERWRITTEN):
            list(table.batches(second))


def test_what_the_reader_has_buffered_does_not_hide_that_the_footer_has_changed(large, a, b):
    with OpenParquet(a, FILES) as opened:
        stream = opened._stream
        stream.seek(os.path.getsize(a) - 8)
        stream.read(4)  # The end of the footer is in the buffer now.
        in_place_without_truncation(a, b)
        with pytest.raises(ParquetFileError, match="it was overwritten while it was read"):
            opened.verify()


def test_values_of_another_file_that_cannot_be_cast_are_not_blamed_on_the_column(large, tmp_path):
    path = old_file(tmp_path / "a", of_a())
    other = old_file(tmp_path / "b", [0, 2**53 + 1] * 1500)
    footer = read_footer(path, FILES)
    schema = pa.schema({"id": pa.float64()})
    batches = iter_row_groups(path, footer.digest, [0, 1, 2], schema, 500, FILES, footer.stamp)
    next(batches)
    in_place(path, other)
    with pytest.raises(ParquetFileError, match=OVERWRITTEN):
        values(batches)


def test_a_disk_that_fails_is_not_taken_for_a_corrupt_file(large, a):
    class Failing(LocalFiles):
        def open(self, path):
            class Stream(io.FileIO):
                reads = 0

                def read(self, size=-1):
                    self.reads += 1
                    if self.reads > 4:
                        raise OSError(5, "Input/output error")
                    return super().read(size)

            return Stream(path)

    with pytest.raises(
        ParquetFileError, match=r"/a: .*it cannot be read .*Input/output error"
    ) as e:
        values(reading(a, Failing()))
    assert e.value.kind == "unreadable"


@pytest.mark.e2e
def test_a_file_overwritten_at_random_moments_is_never_published_as_a_mixture(checkout):
    ran = subprocess.run(
        [sys.executable, "scripts/overwrite_ingest.py", "--times", "60", "--seed", "7"],
        cwd=checkout,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    report = json.loads(ran.stdout)
    assert (report["times"], report["mixtures"]) == (60, [])
    assert report["outcomes"]["error"] > 0
    assert report["outcomes"]["whole"] > 0


def test_writing_while_reading_is_what_these_tests_do(a, b, twin):
    # The premise: the contents differ, and the twin differs in nothing that a footer says.
    assert values(reading(a)) != values(reading(b)) != values(reading(twin)) != values(reading(a))
    assert pq.read_metadata(a).row_group(0).column(0).statistics.max == 9
    assert os.path.getsize(a) == os.path.getsize(b) == os.path.getsize(twin)
