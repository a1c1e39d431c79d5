"""Assigns records to splits by the hash buckets of TFX's example generators.

TFX takes the sha256 digest of a record's bytes, or of one feature's bytes, as a number modulo the
sum of all splits' ``hash_buckets`` (``tfx/components/example_gen/base_example_gen_executor.py``).
This module computes the same buckets, so the splits are equal.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tfx_wine_ext.columnar.encode import EncodedExamples, encode_feature
from tfx_wine_ext.columnar.plan import FeaturePlan, UnknownColumnsError
from tfx_wine_ext.columnar.values import EncodeError
from tfx_wine_ext.columnar.wire import Ints
from tfx_wine_ext.errors import Option, Remedy
from tfx_wine_ext.suggestions import hint


def example_buckets(encoded: EncodedExamples, total_buckets: int) -> Ints:
    """Returns the bucket of each record, from the hash of the whole record.

    Args:
        encoded: n records.
        total_buckets: number of buckets, 1 or more: the sum of the splits' ``hash_buckets``.

    Returns:
        int64[n], ``int(sha256(record).hexdigest(), 16) % total_buckets``.

    Raises:
        ValueError: ``total_buckets`` is not positive.

    Example:
        >>> from tfx_wine_ext.columnar import encode_examples, plan_features
        >>> batch = pa.RecordBatch.from_pydict({"a": [1, 2, 3]})
        >>> example_buckets(encode_examples(batch, plan_features(batch.schema)), 3).tolist()
        [0, 0, 1]
    """
    return _buckets(encoded, total_buckets)


def feature_buckets(
    batch: pa.RecordBatch, plan: FeaturePlan, feature_name: str, total_buckets: int
) -> Ints:
    """Returns the bucket of each row, from the hash of one feature (``partition_feature_name``).

    Rows with the same value get the same bucket: for example, all rows of one user are in one
    split.

    Args:
        batch: n rows, as for `encode_examples`.
        plan: the plan for encoding the rows.
        feature_name: the feature, of kind ``bytes_list`` or ``int64_list``.
        total_buckets: number of buckets, 1 or more: the sum of the splits' ``hash_buckets``.

    Returns:
        int64[n], ``int(sha256(feature).hexdigest(), 16) % total_buckets``, where ``feature`` is
        the bytes of the ``tf.train.Feature``.

    Raises:
        UnknownColumnsError: the plan has no such feature, or it is of kind ``float_list``.
        ValueError: ``total_buckets`` is not positive.
        EncodeError: a row lacks the feature; names column and row.
    """
    check_partition_feature(plan, feature_name)
    encoded = encode_feature(batch, plan, feature_name)
    lengths = np.diff(encoded.offsets)
    if not lengths.all():
        raise EncodeError(
            feature_name,
            int(np.argmin(lengths)),
            "none",
            ("fill it", Remedy(Option.FILTERS), Remedy(Option.PARTITION_FEATURE)),
            "a value of the partition feature",
        )
    return _buckets(encoded, total_buckets)


def check_partition_feature(plan: FeaturePlan, feature_name: str) -> None:
    """Checks that rows can be partitioned by a feature, as far as the plan shows.

    Raises:
        UnknownColumnsError: the plan has no such feature, or it is of kind ``float_list``.
    """
    try:
        feature = plan.feature(feature_name)
    except KeyError:
        names = tuple(feature.name for feature in plan.features)
        raise UnknownColumnsError(
            repr(feature_name),
            f"the features are {names!r}{hint(feature_name, names)}",
            argument=Option.PARTITION_FEATURE,
            expected="the name of a feature",
        ) from None
    if feature.kind == "float_list":
        raise UnknownColumnsError(
            f"{feature_name!r}, a column of {feature.arrow_type}",
            Remedy(Option.CAST, (feature_name, "bytes", "int64")),
            argument=Option.PARTITION_FEATURE,
            expected="a feature of bytes or int64",
        )


def _buckets(encoded: EncodedExamples, total_buckets: int) -> Ints:
    if total_buckets < 1:
        raise ValueError(f"total_buckets must be 1 or more; got {total_buckets}")
    digests, _ = encoded.hashes
    if total_buckets >= 2**32:  # The remainders below would not fit.
        return np.array(
            [
                int.from_bytes(digests[start : start + 32], "big") % total_buckets
                for start in range(0, len(digests), 32)
            ],
            np.int64,
        )
    # Long division, 32 bits at a time: a digest is eight of them, the most significant first.
    remainder = np.zeros(len(encoded), np.uint64)
    for digit in np.frombuffer(digests, ">u4").reshape(-1, 8).T:
        remainder = ((remainder << np.uint64(32)) | digit.astype(np.uint64)) % np.uint64(
            total_buckets
        )
    return remainder.astype(np.int64)
