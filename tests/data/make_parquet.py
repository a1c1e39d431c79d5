"""Makes ``tests/data/parquet``: sound files that pyarrow 10 cannot read, or no pyarrow.

pyarrow 10 cannot write them either. Run it where pyarrow 21 is installed::

    python tests/data/make_parquet.py
"""

from __future__ import annotations

import pathlib
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = pathlib.Path(__file__).parent / "parquet"
# A field `logicalType: FLOAT16`, the 15th of its union; and of the codec of a column called x.
FLOAT16, CODEC_OF_X = b"\xfc\x00\x00", b"\x19\x18\x01x\x15"
LZO = 3


def write(name: str, column: pa.Array, encoding: str | None = None) -> pathlib.Path:
    """Writes a file with one column x."""
    path = FOLDER / f"{name}.parquet"
    options = {"use_dictionary": False, "column_encoding": {"x": encoding}} if encoding else {}
    pq.write_table(pa.table({"x": column}), path, compression="none", **options)
    return path


def edited(name: str, source: pathlib.Path, old: bytes, new: bytes) -> None:
    """Writes a file whose footer differs from another's in one place."""
    content = source.read_bytes()
    length = struct.unpack("<I", content[-8:-4])[0]
    body, footer = content[: -8 - length], content[-8 - length : -8]
    assert footer.count(old) == 1
    footer = footer.replace(old, new)
    end = struct.pack("<I", len(footer)) + b"PAR1"
    (FOLDER / f"{name}.parquet").write_bytes(body + footer + end)


def main() -> None:
    """Writes all files."""
    FOLDER.mkdir(exist_ok=True)
    float16 = write("float16", pa.array(np.array([0.5, 1.5], np.float16)))
    # The unions' members 17 and 40: GEOMETRY, and one that nobody has thought of.
    edited("geometry", float16, FLOAT16, b"\x0c\x22\x00\x00")
    edited("logical_type_40", float16, FLOAT16, b"\x0c\x50\x00\x00")
    write("delta_length_byte_array", pa.array(["a", "bc"]), "DELTA_LENGTH_BYTE_ARRAY")
    integers = pa.array([1, 2], pa.int32())
    write("byte_stream_split_of_int32", integers, "BYTE_STREAM_SPLIT")
    fixed = pa.array([b"ab", b"cd"], pa.binary(2))
    write("delta_byte_array_of_fixed", fixed, "DELTA_BYTE_ARRAY")
    plain = write("plain", integers, "PLAIN")
    edited("lzo", plain, CODEC_OF_X + b"\x00", CODEC_OF_X + bytes([2 * LZO]))
    # The encoding of the first page: 2c, number of values, encoding.
    content = plain.read_bytes()
    assert content.count(b"\x2c\x15\x04\x15\x00") == 1
    page = content.replace(b"\x2c\x15\x04\x15\x00", b"\x2c\x15\x04\x15\x14")
    (FOLDER / "encoding_10.parquet").write_bytes(page)
    plain.unlink()


if __name__ == "__main__":
    main()
