import numpy as np
import pyarrow as pa
import pytest

from tfx_wine_ext.columnar import (
    EncodeError,
    encode_examples,
    example_buckets,
    feature_buckets,
    plan_features,
)

from .properties import bucket
from .reference import serialized_feature

BATCH = pa.RecordBatch.from_pydict(
    {"id": list(range(100)), "name": [f"user {i % 9}" for i in range(100)], "x": [0.5] * 100}
)
PLAN = plan_features(BATCH.schema)


@pytest.mark.parametrize("total", [1, 2, 3, 10, 1000, 2**31 - 1, 2**32 - 1, 2**32, 2**62])
def test_a_record_goes_to_the_bucket_of_its_sha256(total):
    encoded = encode_examples(BATCH, PLAN)
    buckets = example_buckets(encoded, total)
    assert buckets.dtype == np.int64
    assert buckets.tolist() == [bucket(record, total) for record in encoded.records]


def test_the_bucket_of_a_known_record_is_known():
    batch = pa.RecordBatch.from_pydict({"a": [1]})
    encoded = encode_examples(batch, plan_features(batch.schema))
    # printf '\x0a\x0c\x0a\x0a\x0a\x01\x61\x12\x05\x1a\x03\x0a\x01\x01' | sha256sum
    assert encoded.records == [bytes.fromhex("0a0c0a0a0a016112051a030a0101")]
    assert example_buckets(encoded, 1000).tolist() == [626]


def test_rows_of_one_value_go_to_one_bucket_when_split_by_a_feature():
    names = feature_buckets(BATCH, PLAN, "name", 1000).tolist()
    expected = [
        bucket(serialized_feature(("bytes_list", [b"user %d" % (i % 9)])), 1000) for i in range(100)
    ]
    assert names == expected
    assert feature_buckets(BATCH, PLAN, "id", 1000).tolist() == [
        bucket(serialized_feature(("int64_list", [i])), 1000) for i in range(100)
    ]


def test_an_empty_list_is_a_value_to_split_by():
    batch = pa.RecordBatch.from_arrays([pa.array([[]], pa.list_(pa.int64()))], names=["a"])
    assert feature_buckets(batch, plan_features(batch.schema), "a", 1000).tolist() == [
        bucket(b"\x1a\x00", 1000)
    ]


def test_no_records_have_no_buckets():
    nothing = BATCH.slice(0, 0)
    assert example_buckets(encode_examples(nothing, PLAN), 3).tolist() == []
    assert feature_buckets(nothing, PLAN, "id", 3).tolist() == []


def test_a_feature_that_rows_cannot_be_split_by_is_refused():
    with pytest.raises(ValueError, match=r"found 'y'; the features are \('id', 'name', 'x'\)"):
        feature_buckets(BATCH, PLAN, "y", 3)
    with pytest.raises(
        ValueError, match=r"expected a feature of bytes or int64, found 'x', a column of double"
    ):
        feature_buckets(BATCH, PLAN, "x", 3)


def test_a_row_without_the_feature_is_an_error_that_names_column_and_row():
    batch = pa.RecordBatch.from_pydict({"a": [1, 2, None]})
    with pytest.raises(
        EncodeError, match=r"row 2, column 'a': expected a value of the partition fea.*, found none"
    ):
        feature_buckets(batch, plan_features(batch.schema), "a", 3)


def test_there_is_at_least_one_bucket():
    with pytest.raises(ValueError, match="total_buckets must be 1 or more; got 0"):
        example_buckets(encode_examples(BATCH, PLAN), 0)
