"""Drift in the form of TFX's anomalies, whole."""

from __future__ import annotations

import pyarrow as pa
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2

from tfx_wine_ext.drift import DriftConfig, compare
from tfx_wine_ext.drift.document import DataSource
from tfx_wine_ext.drift.reasons import BeyondLimit, ColumnGone, ColumnNew
from tfx_wine_ext.report.anomalies import anomalies_proto
from tfx_wine_ext.report.drift_document import report_document
from tfx_wine_ext.report.words.drift import sentence


def document(before, after, config=None):
    before, after = (None if each is None else pa.table(each) for each in (before, after))
    return report_document(
        compare(before, after, config),
        baseline=before and DataSource("before", before.num_rows),
        current=DataSource("after", after.num_rows),
        method="exact",
        created="2026-11-24T23:30:00+00:00",
    )


def test_each_feature_that_is_not_ok_is_an_anomaly_with_its_reasons():
    before = {"kind": ["a"] * 80 + ["b"] * 20, "gone": [1.0] * 100}
    after = {"kind": ["a"] * 50 + ["b"] * 50, "new": [1.0] * 100}
    config = DriftConfig(thresholds={"psi": 1, "js": 1, "chi_square": 1})
    found = anomalies_proto(document(before, after, config))
    for measurement in found.drift_skew_info[0].drift_measurements:
        measurement.value = round(measurement.value, 4)
    gone, new = sentence(ColumnGone()), sentence(ColumnNew())
    beyond = sentence(BeyondLimit("l_infinity", 0.3, 0.1))
    expected = """anomaly_info {
  key: "gone"
  value {
    severity: ERROR
    short_description: "Drift"
    description: "GONE"
    reason {
      type: UNKNOWN_TYPE
      short_description: "GONE"
      description: "GONE"
    }
    path {
      step: "gone"
    }
  }
}
anomaly_info {
  key: "kind"
  value {
    severity: ERROR
    short_description: "Drift: l_infinity"
    description: "BEYOND"
    reason {
      type: COMPARATOR_L_INFTY_HIGH
      short_description: "Drift: l_infinity"
      description: "BEYOND"
    }
    path {
      step: "kind"
    }
  }
}
anomaly_info {
  key: "new"
  value {
    severity: WARNING
    short_description: "Near drift"
    description: "NEW"
    reason {
      type: UNKNOWN_TYPE
      short_description: "NEW"
      description: "NEW"
    }
    path {
      step: "new"
    }
  }
}
anomaly_name_format: SERIALIZED_PATH
drift_skew_info {
  path {
    step: "kind"
  }
  drift_measurements {
    type: L_INFTY
    value: 0.3
    threshold: 0.1
  }
  drift_measurements {
    type: JENSEN_SHANNON_DIVERGENCE
    value: 0.0731
    threshold: 1
  }
}
"""
    for key, words in (("GONE", gone), ("NEW", new), ("BEYOND", beyond)):
        expected = expected.replace(key, words)
    assert found == text_format.Parse(expected, anomalies_pb2.Anomalies())


def test_data_that_are_fine_and_first_data_have_no_anomalies():
    rows = {"kind": ["a", "b"] * 50}
    assert not anomalies_proto(document(rows, rows)).anomaly_info
    assert not anomalies_proto(document(None, rows)).anomaly_info
