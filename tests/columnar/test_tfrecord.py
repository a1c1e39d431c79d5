import io
import pickle

import numpy as np
import pytest

from tfx_wine_ext.columnar import EncodedExamples, frame_records
from tfx_wine_ext.columnar.tfrecord import TFRecordError, is_front, iter_records, read_batches

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


FRAMED = frame_records(ENCODED).tobytes()


def test_what_is_framed_is_read_again():
    assert list(iter_records(io.BytesIO(FRAMED))) == RECORDS
    assert list(iter_records(io.BytesIO(b""))) == []


def test_the_stream_stays_open():
    stream = io.BytesIO(FRAMED)
    list(iter_records(stream))
    assert not stream.closed


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-1], "^record 5: is cut short: 6 bytes expected, 5 found$"),
        (lambda data: data[:7], "^record 1: is cut short: 12 bytes expected, 7 found$"),
        (lambda data: b"\x04" + data[1:], "^record 1: the checksum of its length is wrong$"),
        (lambda data: data[:12] + b"A" + data[13:], "^record 1: its checksum is wrong$"),
        (lambda data: data + b"more than twelve", "^record 6: the checksum of its length is wron"),
    ],
)
def test_damage_is_found_and_the_record_numbered(damage, message):
    with pytest.raises(TFRecordError, match=message):
        list(iter_records(io.BytesIO(damage(FRAMED))))


def test_the_error_survives_pickling():
    error = pickle.loads(pickle.dumps(TFRecordError(7, "its checksum is wrong")))
    assert (str(error), error.record) == ("record 7: its checksum is wrong", 7)


def test_a_front_is_told_from_other_data():
    assert [is_front(data) for data in (FRAMED, FRAMED[:11], b"x,y\n1,2\n3,4\n", b"")] == [
        True,
        False,
        False,
        False,
    ]


def batches(data, most_records=2, enough_bytes=1_000_000, size=None):
    read = read_batches(io.BytesIO(data), most_records, enough_bytes, size)
    return [(list(records), records.error and str(records.error)) for records in read]


def test_batches_have_so_many_records_or_bytes_and_the_last_one_the_error():
    assert batches(FRAMED) == [(RECORDS[:2], None), (RECORDS[2:4], None), (RECORDS[4:], None)]
    assert batches(FRAMED, 9, 500) == [(RECORDS[:3], None), (RECORDS[3:], None)]
    assert batches(FRAMED[:-1], 9) == [
        (RECORDS[:4], "record 5: is cut short: 6 bytes expected, 5 found")
    ]
    assert batches(FRAMED + b"1") == [
        (RECORDS[:2], None),
        (RECORDS[2:4], None),
        (RECORDS[4:], "record 6: is cut short: 12 bytes expected, 1 found"),
    ]
    assert batches(b"") == []


def test_a_large_record_is_a_batch_of_its_own_and_its_checksum_is_verified():
    large = bytes(range(256)) * 5000
    data = frame(b"a") + frame(large) + frame(b"b")
    for size in (None, len(data)):
        expected = [([b"a"], None), ([large], None), ([b"b"], None)]
        assert batches(data, size=size) == expected
    wrong = data[:-40] + b"?" + data[-39:]
    assert batches(wrong) == [([b"a"], "record 2: its checksum is wrong")]
    assert batches(data[:900_000], size=900_000) == [
        ([b"a"], "record 2: is cut short: 1280004 bytes expected, 899971 found")
    ]


def test_what_the_stream_raises_comes_after_the_records_before_it():
    class Stream(io.BytesIO):
        def read(self, size=-1):
            data = super().read(20)
            if not data:
                raise OSError("the disk is gone")
            return data

    read = list(read_batches(Stream(FRAMED), 9, 1_000_000))
    assert [(list(records), str(records.error)) for records in read] == [
        (RECORDS, "the disk is gone")
    ]


def test_every_wrong_bit_is_found_in_the_record_where_it_is():
    records = [bytes([number]) * 3 for number in range(5)]
    data = b"".join(map(frame, records))
    for bit in range(0, len(data) * 8, 5):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        number = bit // 8 // 19 + 1
        [(found, error)] = batches(bytes(damaged), 9)
        assert found == records[: number - 1]
        assert error.startswith(f"record {number}: ")
        assert "checksum" in error
