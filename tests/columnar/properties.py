"""What must hold for every table; checked by the tests and by scripts/fuzz_columnar.py."""

from __future__ import annotations

import hashlib
import struct

import google_crc32c
import numpy as np

from tfx_wine_ext.columnar import (
    EncodeOptions,
    encode_examples,
    example_buckets,
    feature_buckets,
    frame_records,
    plan_features,
)

from .reference import KEY_ORDER, serialized, serialized_feature


def check(batch, expected):
    """Holds the batch, encoded, split and framed, against the rows that it must become."""
    plan = plan_features(batch.schema, EncodeOptions(key_order=KEY_ORDER))
    records = [serialized(row) for row in expected]
    encoded = encode_examples(batch, plan)
    assert encoded.records == records
    assert encoded.data.tobytes() == b"".join(records)

    buckets = [bucket(record, 7) for record in records]
    assert example_buckets(encoded, 7).tolist() == buckets
    chosen = [row for row, number in enumerate(buckets) if number < 4]
    framed = frame_records(encoded, np.array(chosen, np.int64))
    assert framed.tobytes() == b"".join(frame(records[row]) for row in chosen)

    for feature in plan.features:
        contents = [row[feature.name] for row in expected]
        if feature.kind != "float_list" and None not in contents:
            assert feature_buckets(batch, plan, feature.name, 5).tolist() == [
                bucket(serialized_feature(content), 5) for content in contents
            ]


def bucket(record, total):
    """As TFX says it: tfx/components/example_gen/base_example_gen_executor.py."""
    return int(hashlib.sha256(record).hexdigest(), 16) % total


def frame(record):
    """One record as a TFRecord file holds it."""
    length = struct.pack("<Q", len(record))
    return length + masked_crc(length) + record + masked_crc(record)


def masked_crc(data):
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
