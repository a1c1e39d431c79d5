"""Converts Arrow batches to batches of features, in the form to which tfx_bsl decodes examples.

Every feature is a list column of large_binary, float or int64; rows without the feature are null.
StatisticsGen and Transform read Parquet files of such batches like TFRecords.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tfx_wine_ext.columnar.plan import Feature, FeaturePlan
from tfx_wine_ext.columnar.values import ByteStrings, ColumnValues, read_values
from tfx_wine_ext.columnar.wire import copy_runs, offsets_of

VALUE_TYPE = {
    "bytes_list": pa.large_binary(),
    "float_list": pa.float32(),
    "int64_list": pa.int64(),
}


def feature_schema(plan: FeaturePlan) -> pa.Schema:
    """Returns the schema of `feature_batch`.

    Args:
        plan: the features.

    Example:
        >>> from tfx_wine_ext.columnar.plan import plan_features
        >>> feature_schema(plan_features(pa.schema({"a": pa.int8()}))).field("a").type
        LargeListType(large_list<item: int64>)
    """
    return pa.schema([(f.name, pa.large_list(VALUE_TYPE[f.kind])) for f in plan.features])


def feature_batch(batch: pa.RecordBatch, plan: FeaturePlan) -> pa.RecordBatch:
    """Converts a batch to features without serialising them.

    Args:
        batch: as for `encode_examples`.
        plan: the features to make.

    Returns:
        The same rows in the schema of `feature_schema`, as decoding their examples would give.

    Raises:
        EncodeError: as for `encode_examples`.

    Example:
        >>> from tfx_wine_ext.columnar.plan import plan_features
        >>> batch = pa.RecordBatch.from_pydict({"a": [1.5, None]})
        >>> feature_batch(batch, plan_features(batch.schema)).to_pydict()
        {'a': [[1.5], None]}
    """
    schema = feature_schema(plan)
    if not batch.num_rows:
        return pa.RecordBatch.from_arrays([pa.array([], f.type) for f in schema], schema=schema)
    arrays = [
        _list_array(read_values(batch, feature, plan.options), feature, batch.num_rows)
        for feature in plan.features
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _list_array(column: ColumnValues, feature: Feature, rows: int) -> pa.Array:
    present, counts, values = column.present, column.counts, column.values
    if counts is None:
        counts = np.ones(rows, np.int64) if present is None else present.astype(np.int64)
        if present is not None:
            values = (
                ByteStrings(values.data, values.starts[present], values.lengths[present])
                if isinstance(values, ByteStrings)
                else values[present]
            )
    offsets = offsets_of(counts)
    validity = None
    if present is not None:
        validity = pa.py_buffer(np.packbits(present, bitorder="little"))
    return pa.Array.from_buffers(
        pa.large_list(VALUE_TYPE[feature.kind]),
        rows,
        [validity, pa.py_buffer(offsets)],
        children=[_value_array(values)],
    )


def _value_array(values: object) -> pa.Array:
    if not isinstance(values, ByteStrings):
        return pa.array(values)
    offsets = offsets_of(values.lengths)
    data = np.empty(offsets[-1], np.uint8)
    copy_runs(data, offsets[:-1], values.data, values.starts, values.lengths)
    return pa.Array.from_buffers(
        pa.large_binary(), len(values.lengths), [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )
