"""ORC files: stripes as parts, what is damaged, and times that ORC's library gets wrong."""

from __future__ import annotations

import base64
import datetime
import pathlib

import pyarrow as pa
import pytest

from tests.sources.written import rows_of, write_orc
from tfx_wine_ext.sources.choose import open_files, open_table
from tfx_wine_ext.sources.formats import Reading
from tfx_wine_ext.sources.orc import OrcTable
from tfx_wine_ext.sources.source import TableFileError

# One TIMESTAMP WITH LOCAL TIME ZONE, 2020-06-01 12:00 UTC, as ORC's own library writes it.
LOCAL_TIME = base64.b64decode(
    b"T1JDEQAACgYSBAgBUAA4AADjUuBiYwADITEORi8BiYYbrX/OxihAKAPGAAYADQAAdgAUYL+ABwAAQAAAbAAA42LjYB"
    b"NgkODmAtGMEvJAmhFIcwJpViDNJsTCwSDAACSZBBikBBxzU4sykxP1/VLL4yPzi7IBOgAA45LjYuFgDGDgEuNg9BKQ"
    b"aLjR+udsjAKEMgCKAwCcAADjYBYokuLiYBbQkuBXsNRgVOLj4BFiZJRiTFRg0GAwYFDi4BCCsAwYrVg4GAMYrMQ4GL"
    b"0EJBputP45G6MAoQyA4g4T/DwYk1iN9Az1TAAIURABGICABCICAAwoIDAGgvQDA09SQxc="
)
NUMBERS = pa.table({"n": range(300_000), "text": [f"wine {i * 7919}" for i in range(300_000)]})


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path


@pytest.mark.parametrize("compression", ["uncompressed", "zlib", "snappy", "zstd", "lz4"])
def test_stripes_are_parts_and_their_rows_known_if_the_metadata_can_be_unpacked(
    folder: pathlib.Path, compression: str
) -> None:
    path = write_orc(folder / "a.orc", NUMBERS, stripe_size=65536, compression=compression)
    source = OrcTable.open([path], Reading())
    parts = source.parts()
    assert [(part.index, part.unit) for part in parts[:2]] == [(0, "stripe"), (1, "stripe")]
    assert source.rows == 300_000 or (compression == "lz4" and source.rows is None)
    read = pa.Table.from_batches(list(source.batches()))
    assert read["n"].to_pylist() == list(range(300_000))
    of_last = pa.Table.from_batches(list(source.select(parts[-1:]).batches()))
    assert of_last["n"].to_pylist() == list(range(300_000 - of_last.num_rows, 300_000))
    assert parts[-1].rows in (None, of_last.num_rows)


def test_a_time_that_does_not_fit_into_nanoseconds_is_refused_and_never_another_time(
    folder: pathlib.Path,
) -> None:
    late = pa.array([0, 253402300799000], pa.timestamp("ms"))  # The end of the year 9999.
    path = write_orc(folder / "a.orc", pa.table({"until": late, "n": [1, 2]}))
    with pytest.raises(TableFileError, match=r"a.orc: column 'until': expected times between the"):
        open_table(path)
    assert rows_of(open_table(path, reads=lambda name: name == "n")) == [{"n": 1}, {"n": 2}]
    inside = pa.StructArray.from_arrays([late, pa.array([1, 2])], names=["until", "n"])
    path = write_orc(folder / "b.orc", pa.table({"s": inside}))
    with pytest.raises(TableFileError, match=r"b.orc: column 's.until': .* found 253402300799000"):
        open_files([path], Reading())


@pytest.mark.parametrize("size", [0, 1, 3, 20, 500, -1, -30])
def test_a_truncated_file_is_named(folder: pathlib.Path, size: int) -> None:
    path = write_orc(folder / "a.orc", NUMBERS.slice(0, 100))
    content = pathlib.Path(path).read_bytes()
    pathlib.Path(path).write_bytes(content[:size])
    with pytest.raises(TableFileError, match=r"a.orc: "):
        rows_of(open_table(path))


def test_a_damaged_stripe_is_an_error_and_not_the_end_of_the_process(folder: pathlib.Path) -> None:
    path = write_orc(folder / "a.orc", NUMBERS.slice(0, 1000), compression="uncompressed")
    source = OrcTable.open([path], Reading())
    [stripe] = source._footers[0].tail.stripes
    content = bytearray(pathlib.Path(path).read_bytes())
    start = stripe.offset + stripe.data
    content[start : start + stripe.footer] = b"\xff" * stripe.footer
    pathlib.Path(path).write_bytes(content)
    with pytest.raises(TableFileError, match=r"a.orc: stripe 0: cannot be decoded .*damaged"):
        rows_of(OrcTable.open([path], Reading()))


def test_files_of_other_schemas_are_refused_or_merged(folder: pathlib.Path) -> None:
    paths = [
        write_orc(folder / "a.orc", pa.table({"n": pa.array([1], pa.int32())})),
        write_orc(folder / "b.orc", pa.table({"n": [2.5], "m": ["x"]})),
    ]
    with pytest.raises(TableFileError, match=r"b.orc: expected the schema of the first .*a.orc"):
        open_files(paths, Reading(unify=False)).check()
    assert rows_of(open_files(paths, Reading())) == [{"n": 1.0, "m": None}, {"n": 2.5, "m": "x"}]


def test_a_type_that_this_pyarrow_does_not_know_is_not_called_corrupt(folder: pathlib.Path) -> None:
    path = folder / "a.orc"
    path.write_bytes(LOCAL_TIME)
    if int(pa.__version__.partition(".")[0]) >= 18:
        noon = datetime.datetime(2020, 6, 1, 12)
        [row] = rows_of(open_table(str(path)))
        assert row["a"].replace(tzinfo=None) == noon
        return
    with pytest.raises(
        TableFileError, match=r"a.orc: cannot be read by pyarrow .*Unknown Orc type"
    ):
        open_table(str(path))
