"""Damaged, not supported by this pyarrow, and out of memory are three things."""

from __future__ import annotations

import base64
import os
import pathlib
import re
import struct
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.columnar.shards import FILES
from tfx_wine_ext.cli import main
from tfx_wine_ext.sources.footers import ParquetFileError, read_footer
from tfx_wine_ext.sources.parquet import iter_row_groups

SOUND = pathlib.Path(__file__).parents[1] / "data" / "parquet"  # made by make_parquet.py there
VERSION = re.escape(pa.__version__)
IS_10 = pa.__version__.startswith("10.")
HALVES = [{"x": 0.5}, {"x": 1.5}]
FIXED = [{"x": b"ab"}, {"x": b"cd"}]
# What is in them, None where no pyarrow reads them up to now; and what pyarrow 10 says.
FILES_OF_OTHERS = {
    "float16": (
        HALVES,
        "its footer cannot be decoded",
        "Metadata contains Thrift LogicalType that is not recognized",
    ),
    "geometry": (
        None,
        "its footer cannot be decoded",
        "Metadata contains Thrift LogicalType that is not recognized",
    ),
    "logical_type_40": (
        None,
        "its footer cannot be decoded",
        "Metadata contains Thrift LogicalType that is not recognized",
    ),
    "delta_length_byte_array": (
        [{"x": "a"}, {"x": "bc"}],
        "row group 0.*: cannot be decoded",
        "Not yet implemented: DecodeArrow for DeltaLengthByteArrayDecoder",
    ),
    "byte_stream_split_of_int32": (
        [{"x": 1}, {"x": 2}],
        "row group 0.*: cannot be decoded",
        "BYTE_STREAM_SPLIT only supports FLOAT and DOUBLE",
    ),
    "delta_byte_array_of_fixed": (
        FIXED,
        "row group 0.*: cannot be decoded",
        "DELTA_BYTE_ARRAY only supports BYTE_ARRAY",
    ),
    "lzo": (None, "row group 0.*: cannot be decoded", "While LZO compression"),
    "encoding_10": (None, "row group 0.*: cannot be decoded", "Unknown encoding type"),
}


def read(path, columns=None):
    footer = read_footer(str(path), FILES)
    schema = footer.schema if columns is None else pa.schema(columns)
    groups = range(len(footer.row_groups))
    found = iter_row_groups(str(path), footer.digest, groups, schema, 100, FILES)
    return [row for _, batch in found for row in batch.to_pylist()]


def readable(path):
    try:
        pq.read_table(path)
    except OSError:
        return False
    return True


@pytest.mark.parametrize("name", FILES_OF_OTHERS)
def test_sound_files_that_this_pyarrow_cannot_read_are_called_so_with_its_version(name):
    rows, what, says = FILES_OF_OTHERS[name]
    path = SOUND / f"{name}.parquet"
    if readable(path):
        assert rows is None or read(path) == rows
        assert not IS_10
        return
    message = (
        f"{name}.parquet: {what} by pyarrow {VERSION} .{says}.*; if other readers can read it, the "
        "file is intact: use a newer pyarrow, or write it with types, encodings and compression"
    )
    with pytest.raises(ParquetFileError, match=message) as caught:
        read(path)
    assert caught.value.kind == "unsupported"


def test_the_command_line_does_not_call_them_corrupt(capsys, tmp_path):
    path = str(SOUND / "encoding_10.parquet")
    for arguments in (["drift", path, path], ["ingest", path, str(tmp_path / "out")]):
        assert main(arguments) == 2
        said = capsys.readouterr().err
        assert f"cannot be decoded by pyarrow {pa.__version__}" in said
        assert "corrupt" not in said
    assert not (tmp_path / "out").exists()


DAMAGES = {
    "a page header of noise": lambda d: d[:4] + b"\xff" * 20 + d[24:],
    "a page that is cut off": lambda d: d[:4] + b"\x00" * 40 + d[44:],
    "a footer of noise": lambda d: d[:-60] + b"\xff" * 40 + d[-20:],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_damaged_files_are_called_so(tmp_path, damage):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": range(99)}), path, compression="none", use_dictionary=False)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(
        ParquetFileError, match=r"cannot be decoded \(.*\); (it is|write)"
    ) as caught:
        read(path)
    assert caught.value.kind == "damaged"


def test_of_several_columns_the_one_that_cannot_be_decoded_is_named(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.table({"a": range(9), "b.c": ["x"] * 9, "d": [0.5] * 9})
    pq.write_table(table, path, compression="none", use_dictionary=False)
    start = pq.ParquetFile(path).metadata.row_group(0).column(1).data_page_offset
    content = path.read_bytes()
    path.write_bytes(content[:start] + b"\xff" * 20 + content[start + 20 :])
    with pytest.raises(ParquetFileError, match=r"row group 0, column 'b.c': cannot be decoded"):
        read(path)
    assert read(path, {"a": pa.int64(), "d": pa.float64()})[0] == {"a": 0, "d": 0.5}


# An encrypted column under a footer that anybody can read.


@pytest.fixture
def half_encrypted(tmp_path):
    encryption = pytest.importorskip("pyarrow.parquet.encryption")

    class Keys(encryption.KmsClient):
        def __init__(self, _):
            encryption.KmsClient.__init__(self)

        def wrap_key(self, key, _):
            return base64.b64encode(key)

        def unwrap_key(self, key, _):
            return base64.b64decode(key)

    configuration = encryption.EncryptionConfiguration(
        footer_key="f", column_keys={"k": ["secret"]}, plaintext_footer=True
    )
    properties = encryption.CryptoFactory(Keys).file_encryption_properties(
        encryption.KmsConnectionConfig(), configuration
    )
    table = pa.table({"secret": [1, 2], "open": [3, 4]})
    with pq.ParquetWriter(
        tmp_path / "a.parquet", table.schema, encryption_properties=properties
    ) as writer:
        writer.write_table(table)
    return tmp_path / "a.parquet"


def test_an_encrypted_column_is_called_so_and_the_others_can_be_read(half_encrypted):
    message = r"column 'secret': cannot be decoded: it is encrypted .*; decrypt it first, as keys"
    with pytest.raises(ParquetFileError, match=message) as caught:
        read(half_encrypted)
    assert caught.value.kind == "unsupported"
    assert read(half_encrypted, {"open": pa.int64()}) == [{"open": 3}, {"open": 4}]


# Memory.

LITTLE_MEMORY = """
import resource, sys
import pyarrow as pa
from tests.sources.test_parquet_errors import read
from tfx_wine_ext.sources.footers import ParquetFileError
with open("/proc/self/statm") as stream:
    used = int(stream.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 120_000_000, -1))
try:
    read(sys.argv[1])
except ParquetFileError as error:
    print(error.kind, error)
"""


@pytest.mark.e2e
def test_an_allocation_that_failed_is_not_taken_for_damage(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": ["x" * 200_000_000]}), path, compression="zstd")
    done = subprocess.run(
        [sys.executable, "-c", LITTLE_MEMORY, str(path)], capture_output=True, text=True
    )
    said = done.stdout
    assert said.startswith(f"memory {path}: row group 0"), done
    assert re.search(r"memory has run out \(.*(malloc|alloc).*\); provide more memory", said), said
    assert "corrupt" not in said


# Limits of Thrift.


@pytest.mark.e2e
def test_metadata_beyond_the_limits_of_thrift_are_read(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.table({"x": [1]}).replace_schema_metadata({"notes": "n" * 80_000_000})
    pq.write_table(table, path)  # Arrow stores them twice.
    with pytest.raises(OSError, match="Exceeded size limit"):
        pq.read_metadata(path)
    assert read(path, {"x": pa.int64()}) == [{"x": 1}]


@pytest.mark.parametrize("claim", [2**31 - 1, 2**28, 100_000])
def test_a_small_file_that_claims_a_long_list_is_damaged_and_takes_no_memory(tmp_path, claim):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": [1]}), path)
    content = path.read_bytes()
    length = struct.unpack("<I", content[-8:-4])[0]
    footer = content[-8 - length : -8]
    assert footer[2:4] == b"\x19\x2c"  # version, then the schema: a list of 2 structs
    size, rest = b"", claim
    while rest > 127:
        size, rest = size + bytes([rest & 127 | 128]), rest >> 7
    footer = footer[:2] + b"\x19\xfc" + size + bytes([rest]) + footer[4:]
    end = struct.pack("<I", len(footer)) + b"PAR1"
    path.write_bytes(content[: -8 - length] + footer + end)
    started = time.monotonic()
    with pytest.raises(ParquetFileError, match="Exceeded size limit") as caught:
        read_footer(str(path), FILES)
    assert caught.value.kind == "damaged"
    assert time.monotonic() - started < 30


# What is no file.


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/dev/zero", path)])
def test_pipes_and_devices_are_refused_at_once(tmp_path, make, capsys):
    path = str(tmp_path / "a.parquet")
    make(path)
    message = r"a.parquet: expected a regular file, found a (pipe|device); write its content to a f"
    with pytest.raises(ParquetFileError, match=message):
        read_footer(path, FILES)
    assert main(["ingest", path, str(tmp_path / "out")]) == 2
    assert re.search(r"a.parquet: .* a (pipe|device)", capsys.readouterr().err)
