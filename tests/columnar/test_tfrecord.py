import numpy as np

from tfx_wine_ext.columnar import EncodedExamples, frame_records

from .properties import frame

RECORDS = [b"abc", b"", b"x" * 1000, b"abc", b"yz"]
ENCODED = EncodedExamples(
    np.frombuffer(b"".join(RECORDS), np.uint8), np.cumsum([0, *map(len, RECORDS)])
)


def test_a_record_is_framed_by_lengths_and_masked_checksums():
    one = EncodedExamples(np.frombuffer(b"abc", np.uint8), np.array([0, 3]))
    # What tf.io.TFRecordWriter writes for the record b"abc".
    assert frame_records(one).tobytes() == bytes.fromhex(
        "0300000000000000 b099490e 616263 6e57f121"
    )


def test_all_records_are_framed_in_order_or_those_that_are_chosen():
    framed = frame_records(ENCODED)
    assert framed.dtype == np.uint8
    assert framed.tobytes() == b"".join(frame(record) for record in RECORDS)
    chosen = frame_records(ENCODED, np.array([4, 0, 2]))
    assert chosen.tobytes() == b"".join(frame(RECORDS[index]) for index in (4, 0, 2))


def test_no_records_are_no_bytes():
    assert frame_records(ENCODED, np.array([], np.int64)).tobytes() == b""
    nothing = EncodedExamples(np.empty(0, np.uint8), np.zeros(1, np.int64))
    assert frame_records(nothing).tobytes() == b""
