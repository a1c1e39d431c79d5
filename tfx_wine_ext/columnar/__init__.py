"""Arrow record batches to serialised ``tf.train.Example`` records, splits and TFRecord bytes.

This package depends on Arrow and numpy, but not on TFX or TensorFlow. Its parts, in order of use::

    plan = plan_features(schema, options)       # once, from the schema alone
    encoded = encode_examples(batch, plan)      # for each batch
    buckets = example_buckets(encoded, total)   # the split of each record
    framed = frame_records(encoded, indices)    # the records of one split, framed for a file
"""

from tfx_wine_ext import safe_arrow  # noqa: F401 (before any module opens a file)
from tfx_wine_ext.columnar.encode import EncodedExamples, encode_examples
from tfx_wine_ext.columnar.partition import example_buckets, feature_buckets
from tfx_wine_ext.columnar.plan import (
    EncodeOptions,
    Feature,
    FeaturePlan,
    UnknownColumnsError,
    UnsupportedColumnsError,
    plan_features,
)
from tfx_wine_ext.columnar.tfrecord import frame_records
from tfx_wine_ext.columnar.values import EncodeError

__all__ = [
    "EncodeError",
    "EncodeOptions",
    "EncodedExamples",
    "Feature",
    "FeaturePlan",
    "UnknownColumnsError",
    "UnsupportedColumnsError",
    "encode_examples",
    "example_buckets",
    "feature_buckets",
    "frame_records",
    "plan_features",
]


def __dir__() -> list[str]:
    """Lists the public names, loaded or not; no module that happens to be imported."""
    return list(__all__)
