import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from tfx_wine_ext.columnar import EncodeError, encode_examples, plan_features
from tfx_wine_ext.columnar.feature_batch import VALUE_TYPE, feature_batch, feature_schema

from .reference import parsed
from .shards import wine, wines
from .tables import tables


def as_columns(rows, plan):
    """The features of `feature_batch`, made row by row from decoded examples."""
    arrays = [
        pa.array(
            [row[f.name] and row[f.name][1] for row in rows], pa.large_list(VALUE_TYPE[f.kind])
        )
        for f in plan.features
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=feature_schema(plan))


def same(left, right):
    """Equality that takes NaN as equal to itself."""
    return left.schema.equals(right.schema) and all(
        a.is_valid().equals(b.is_valid()) and repr(a.to_pylist()) == repr(b.to_pylist())
        for a, b in zip(left.columns, right.columns)
    )


def test_features_are_lists_with_null_empty_and_zero_told_apart():
    batch = pa.RecordBatch.from_pydict(
        {
            "text": pa.array(["", None, "é"]),
            "flag": pa.array([False, None, True]),
            "x": pa.array([0.0, None, float("inf")]),
            "many": pa.array([[], None, [1, 2]], pa.list_(pa.int16())),
            "words": pa.array([["a", ""], [], None], pa.list_(pa.string())),
            "day": pa.array([datetime.date(1970, 1, 2), None, None]),
            "nothing": pa.nulls(3),
        }
    )
    features = feature_batch(batch, plan_features(batch.schema))

    features.validate(full=True)
    assert features.schema == pa.schema(
        {
            "day": pa.large_list(pa.int64()),
            "flag": pa.large_list(pa.int64()),
            "many": pa.large_list(pa.int64()),
            "nothing": pa.large_list(pa.large_binary()),
            "text": pa.large_list(pa.large_binary()),
            "words": pa.large_list(pa.large_binary()),
            "x": pa.large_list(pa.float32()),
        }
    )
    assert features.to_pydict() == {
        "day": [[86_400_000_000], None, None],
        "flag": [[0], None, [1]],
        "many": [[], None, [1, 2]],
        "nothing": [None, None, None],
        "text": [[b""], None, ["é".encode()]],
        "words": [[b"a", b""], [], None],
        "x": [[0.0], None, [float("inf")]],
    }


@pytest.mark.parametrize(("start", "count"), [(0, 40), (3, 30), (7, 1), (0, 0), (40, 0)])
def test_slices_are_converted_as_the_rows_they_hold(start, count):
    batch = wines(40).combine_chunks().to_batches()[0].slice(start, count)
    plan = plan_features(batch.schema)
    features = feature_batch(batch, plan)
    assert features.num_rows == count
    assert same(features, as_columns([wine(i) for i in range(start, start + count)], plan))


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(tables())
def test_every_table_becomes_what_its_decoded_examples_hold(table):
    batch, _ = table
    plan = plan_features(batch.schema)
    decoded = [parsed(record) for record in encode_examples(batch, plan).records]
    features = feature_batch(batch, plan)
    features.validate(full=True)
    assert same(features, as_columns(decoded, plan))


def test_a_value_that_does_not_fit_is_refused_by_column_and_row():
    batch = pa.RecordBatch.from_pydict({"n": pa.array([1, 2**63], pa.uint64())})
    with pytest.raises(EncodeError, match="found 9223372036854775808; cast the column") as caught:
        feature_batch(batch, plan_features(batch.schema))
    assert (caught.value.column, caught.value.row) == ("n", 1)


def test_the_batch_given_may_be_freed():
    batch = pa.RecordBatch.from_arrays([pa.array(np.arange(5.0, dtype=np.float32))], ["x"])
    features = feature_batch(batch, plan_features(batch.schema))
    del batch
    assert features.to_pydict() == {"x": [[0.0], [1.0], [2.0], [3.0], [4.0]]}
