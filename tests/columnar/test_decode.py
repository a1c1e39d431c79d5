import random

import numpy as np
import pyarrow as pa
import pytest

from tfx_wine_ext.columnar import encode_examples, plan_features
from tfx_wine_ext.columnar.decode import PADDING, decode_examples

from .odd_examples import batch as odd_batch
from .odd_examples import box
from .reference import example


def decoded(records, gap=b"", behind=bytes(PADDING)):
    data = np.frombuffer(b"".join(gap + record for record in records) + behind, np.uint8)
    lengths = np.array([len(record) for record in records], np.int64)
    return decode_examples(data, np.cumsum(lengths + len(gap)) - lengths, lengths)


def serialized(*rows):
    return [example(row).SerializeToString(deterministic=True) for row in rows]


def test_features_are_lists_of_three_types_sorted_by_name():
    records = serialized(
        {"z": ("int64_list", [1, -1]), "a": ("float_list", [1.5]), "b": ("bytes_list", [b"x"])},
        {"z": ("int64_list", []), "a": None, "b": ("bytes_list", [b"", b"yy"]), "none": None},
        {},
    )
    batch = decoded(records)
    assert [(field.name, str(field.type)) for field in batch.schema] == [
        ("a", "large_list<item: float>"),
        ("b", "large_list<item: large_binary>"),
        ("none", "null"),
        ("z", "large_list<item: int64>"),
    ]
    assert batch.to_pydict() == {
        "a": [[1.5], None, None],
        "b": [[b"x"], [b"", b"yy"], None],
        "none": [None, None, None],
        "z": [[1, -1], [], None],
    }


def test_records_without_features_are_rows_without_columns():
    for records in ([b""], [b"\x0a\x00", b""], []):
        batch = decoded(records)
        assert (batch.num_columns, batch.num_rows) == (0, len(records))


INTEGERS = [0, 127, 128, 2**14, 2**35, 2**63 - 1, -1, -(2**63)]


@pytest.mark.parametrize("name", ["", "a", "x" * 110, "x" * 127, "é" * 64, "n" * 3000])
def test_what_is_encoded_is_decoded_whatever_the_lengths_of_boxes(name):
    rows = 300
    columns = {
        name: pa.array([None if i % 7 == 0 else INTEGERS[i % 8] for i in range(rows)]),
        "floats": pa.array([[i / 8] * (i % 40) for i in range(rows)], pa.list_(pa.float32())),
        "integers": pa.array([INTEGERS[: i % 9] for i in range(rows)]),
        "text": pa.array(["t" * (i % 3 * 70) for i in range(rows)]),
        "texts": pa.array([["t" * (i % 130)] * (i % 4) for i in range(rows)]),
    }
    [batch] = pa.table(columns).to_batches()
    records = encode_examples(batch, plan_features(batch.schema)).records
    assert decoded(records, gap=b"\xff").to_pydict() == {
        name: [None if x is None else [x] for x in columns[name].to_pylist()],
        "floats": columns["floats"].to_pylist(),
        "integers": columns["integers"].to_pylist(),
        "text": [[x.encode()] for x in columns["text"].to_pylist()],
        "texts": [[x.encode() for x in row] for row in columns["texts"].to_pylist()],
    }


def entry(name, number):
    key = box(b"\x0a", name.encode())
    return box(b"\x0a", key + box(b"\x12", box(b"\x1a", box(b"\x0a", bytes([number])))))


def test_features_may_come_in_another_order_in_each_record_and_may_be_absent():
    numbers = random.Random(1)
    # The middle, the last and the first bytes tell them apart.
    names = ["a", "b_1", "b_2", *(f"of_wines_{i}_that_are_red" for i in range(9)), "x1" * 9]
    rows = [
        {name: numbers.randrange(128) for name in numbers.sample(names, numbers.randrange(3, 13))}
        for _ in range(500)
    ]
    records = [
        box(b"\x0a", b"".join(entry(name, number) for name, number in row.items())) for row in rows
    ]
    assert decoded(records).to_pydict() == {
        name: [[row[name]] if name in row else None for row in rows] for name in sorted(names)
    }


[USUAL] = serialized({"a": ("int64_list", [1])})
UNUSUAL = {
    "no example": b"abc",
    "cut": USUAL[:-1],
    "longer": USUAL + b"\x00",
    "twice": box(b"\x0a", entry("a", 1) * 2),
    "joined": USUAL * 2,
    "unpacked": box(b"\x0a", box(b"\x0a", b"\x0a\x01a\x12\x04\x1a\x02\x08\x01")),
    "two kinds": serialized({"a": ("float_list", [1.0])})[0],
    "no UTF-8": box(b"\x0a", box(b"\x0a", b"\x0a\x01\xff\x12\x00")),
    "11 bytes": box(
        b"\x0a", box(b"\x0a", b"\x0a\x01a" + box(b"\x12", box(b"\x1a", box(b"\x0a", b"\xff" * 11))))
    ),
    "NUL in a name": box(b"\x0a", entry("a\0", 1)),
    "a name of 5 kB": serialized({"a" * 5000: None})[0],
}


@pytest.mark.parametrize("record", UNUSUAL.values(), ids=list(UNUSUAL))
def test_one_unusual_record_is_enough_to_decode_none(record):
    assert decoded([USUAL, USUAL]) is not None
    assert decoded([USUAL, record, USUAL]) is None


@pytest.mark.parametrize("feature", [b"\x22\x00", b"\x22\x03\x0a\x01x", b"\x08\x00"])
def test_features_that_begin_with_an_unknown_field_in_all_records_are_none(feature):
    record = box(b"\x0a", box(b"\x0a", b"\x0a\x01a" + box(b"\x12", feature)))
    assert decoded([record, record]) is None


def test_records_with_hardly_a_feature_in_common_are_none():
    assert decoded([box(b"\x0a", entry(f"name {i}", 1)) for i in range(2000)]) is None


def test_a_single_value_is_not_copied():
    [record] = serialized({"image": ("bytes_list", [b"x" * 100])})
    data = np.frombuffer(record + bytes(PADDING), np.uint8)
    batch = decode_examples(data, np.array([0]), np.array([len(record)]))
    address = batch.column(0).flatten().buffers()[2].address
    assert address == data.ctypes.data + len(record) - 100


@pytest.mark.e2e
def test_every_record_is_decoded_as_by_tfx_bsl_or_left_to_it():
    from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

    decoder = ExamplesToRecordBatchDecoder()
    numbers = random.Random(7)
    compared = refused = 0
    for number in range(400):
        odd = number % 2 == 1
        records = odd_batch(numbers, odd, shuffled=number % 3 == 0)
        gap = numbers.choice([b"", b"\xff" * 16, b"\x0a\x05" * 8])
        ours = decoded(records, gap, numbers.choice([bytes(PADDING), b"\x0a\x01\x12" * PADDING]))
        try:
            theirs = decoder.DecodeBatch(records)
        except RuntimeError:
            assert ours is None
            refused += 1
            continue
        if ours is None:
            continue
        compared += 1
        assert ours.schema.equals(theirs.schema)
        assert ours.num_rows == theirs.num_rows
        for one, other in zip(ours.columns, theirs.columns):
            one.validate(full=True)
            assert repr(one.to_pylist()) == repr(other.to_pylist())  # NaN is not equal to itself.
    assert compared > 100
    assert refused > 20
