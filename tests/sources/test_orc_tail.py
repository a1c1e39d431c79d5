"""The end of ORC files, read without ORC's library."""

from __future__ import annotations

import io
import pathlib

import pyarrow as pa
import pyarrow.orc
import pytest

from tests.sources.written import write_orc
from tfx_wine_ext.sources.orc_tail import check_stripe, read_tail


def test_it_says_what_orcs_library_says_of_the_whole_file(tmp_path: pathlib.Path) -> None:
    table = pa.table({"n": range(200_000), "x": [i / 7 for i in range(200_000)]})
    path = write_orc(tmp_path / "a.orc", table, stripe_size=65536, compression="zlib")
    content = pathlib.Path(path).read_bytes()
    file = pyarrow.orc.ORCFile(path)
    tail = read_tail(io.BytesIO(content), len(content))
    assert tail is not None
    assert len(tail.stripes) == file.nstripes > 1
    assert [stripe.rows for stripe in tail.stripes] == [
        file.read_stripe(number).num_rows for number in range(file.nstripes)
    ]
    assert tail.beyond == {}
    for number in range(file.nstripes):
        check_stripe(io.BytesIO(content), tail, number)


@pytest.mark.parametrize("compression", ["uncompressed", "zlib", "zstd", "snappy"])
def test_a_byte_that_is_changed_is_never_more_than_an_error(
    tmp_path: pathlib.Path, compression: str
) -> None:
    table = pa.table({"t": pa.array([1, None, 3], pa.timestamp("us")), "s": [{"x": 1}] * 3})
    path = write_orc(tmp_path / "a.orc", table, compression=compression)
    content = pathlib.Path(path).read_bytes()
    refused = 0
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 0x55
        try:
            tail = read_tail(io.BytesIO(changed), len(changed))
            for number in range(len(tail.stripes if tail else ())):
                check_stripe(io.BytesIO(changed), tail, number)
        except (ValueError, OSError):
            refused += 1
    assert refused > 20
