"""Records in the framing of TFRecord files.

Each record is its length (8 bytes, little endian), the masked CRC-32C of these 8 bytes (4 bytes),
the record, and the masked CRC-32C of the record (4 bytes). The mask turns a checksum by 15 bits and
adds a constant, so that checksums of data that hold checksums stay useful.

Source: https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
"""

from __future__ import annotations

import google_crc32c
import numpy as np
import numpy.typing as npt

from tfx_wine_ext.columnar.encode import EncodedExamples
from tfx_wine_ext.columnar.wire import Bytes, Ints, copy_runs, put_chunks

LENGTH_BYTES = 8
CRC_BYTES = 4
MASK_DELTA = 0xA282EAD8

_FRONT = np.dtype([("length", "<u8"), ("crc", "<u4")])


def frame_records(encoded: EncodedExamples, indices: Ints | None = None) -> Bytes:
    """Frames records as a TFRecord file holds them.

    Args:
        encoded: n records.
        indices: int64[k], which of them, in this order. Default: None, all.

    Returns:
        uint8[total], the framed records, to be written to a file as they are (or compressed).

    Example:
        >>> record = EncodedExamples(np.frombuffer(b"abc", np.uint8), np.array([0, 3]))
        >>> frame_records(record).tobytes().hex(" ", -4)
        '03000000 00000000 b099490e 6162636e 57f121'
    """
    starts, lengths = encoded.offsets[:-1], np.diff(encoded.offsets)
    records = encoded.records
    if indices is not None:
        starts, lengths = starts[indices], lengths[indices]
        records = [records[index] for index in indices.tolist()]
    framed = lengths + (_FRONT.itemsize + CRC_BYTES)
    ends = np.cumsum(framed)
    out = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
    to = ends - framed
    put_chunks(out, to, _fronts(lengths).view(f"V{_FRONT.itemsize}"))
    copy_runs(out, to + _FRONT.itemsize, encoded.data, starts, lengths)
    crcs = np.fromiter(map(google_crc32c.value, records), np.uint32, len(records))
    put_chunks(out, ends - CRC_BYTES, _masked(crcs).astype("<u4").view(f"V{CRC_BYTES}"))
    return out


def _fronts(lengths: Ints) -> npt.NDArray[np.void]:
    distinct, inverse = np.unique(lengths, return_inverse=True)
    table = np.empty(len(distinct), _FRONT)
    table["length"] = distinct
    crcs = [google_crc32c.value(n.to_bytes(LENGTH_BYTES, "little")) for n in distinct.tolist()]
    table["crc"] = _masked(np.array(crcs, np.uint32))
    return table[inverse]


def _masked(crcs: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    turned = (crcs >> np.uint32(15)) | (crcs << np.uint32(17))
    return turned + np.uint32(MASK_DELTA)
