"""Drift as TFX's own anomalies, for tools that read no other format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfx_wine_ext.drift.document import DriftDocument
from tfx_wine_ext.drift.load import load_document
from tfx_wine_ext.drift.metric import Verdict
from tfx_wine_ext.drift.reasons import OF_METRICS
from tfx_wine_ext.drift.result import FeatureResult
from tfx_wine_ext.report.words.drift import sentence

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import anomalies_pb2

_HEADLINES = {
    Verdict.DRIFT: "Drift",
    Verdict.WARN: "Near drift",
    Verdict.INCONCLUSIVE: "Drift is not certain",
}


def anomalies_proto(document: DriftDocument | Mapping[str, Any]) -> anomalies_pb2.Anomalies:
    """Writes the features that are not OK as anomalies.

    A feature that drifted has the severity ERROR; a feature that warns or cannot be judged has
    WARNING. Each metric that is not OK is a reason. The format has types for two metrics. Other
    metrics have the type UNKNOWN_TYPE, and the text names them. L-infinity and the Jensen-Shannon
    divergence are also included as drift measurements, whatever their verdict. The format's
    divergence is the square of our distance.

    Args:
        document: The report, loaded or as `report_document` made it.

    Example:
        >>> import pyarrow as pa
        >>> from tfx_wine_ext.drift import compare
        >>> from tfx_wine_ext.drift import DataSource, report_document
        >>> before, after = ({"kind": ["a"] * n + ["b"] * (100 - n)} for n in (90, 10))
        >>> anomalies = anomalies_proto(report_document(
        ...     compare(pa.table(before), pa.table(after)), baseline=DataSource("old", 100),
        ...     current=DataSource("new", 100), method="exact",
        ...     created="2026-11-24T23:30:00+00:00"))
        >>> anomalies.anomaly_info["kind"].short_description
        'Drift: psi, js, chi_square, l_infinity'
    """
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    document = load_document(document)
    info = anomalies_pb2.AnomalyInfo
    types = {
        "l_infinity": info.COMPARATOR_L_INFTY_HIGH,
        "js": info.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH,
    }
    anomalies = anomalies_pb2.Anomalies(anomaly_name_format=anomalies_pb2.Anomalies.SERIALIZED_PATH)
    if not document.current.rows:
        anomalies.data_missing = True
    for feature in document.features:
        _add_measurements(anomalies, feature, anomalies_pb2.DriftSkewInfo.Measurement)
        if feature.verdict not in _HEADLINES:
            continue
        headline, reasons = _HEADLINES[feature.verdict], feature.reasons
        decided = [reason.metric for reason in reasons if isinstance(reason, OF_METRICS)]
        entry = anomalies.anomaly_info[feature.name]
        entry.path.step.append(feature.name)
        entry.severity = info.ERROR if feature.verdict is Verdict.DRIFT else info.WARNING
        entry.description = "; ".join(map(sentence, reasons))
        entry.short_description = f"{headline}: {', '.join(decided)}" if decided else headline
        for reason in reasons:
            metric = reason.metric if isinstance(reason, OF_METRICS) else None
            entry.reason.add(
                type=types.get(metric or "", info.UNKNOWN_TYPE),
                description=sentence(reason),
                short_description=f"{headline}: {metric}" if metric else sentence(reason),
            )
    return anomalies


def _add_measurements(anomalies: Any, feature: FeatureResult, measurement: Any) -> None:
    of_types = [
        ("l_infinity", measurement.L_INFTY, 1),
        ("js", measurement.JENSEN_SHANNON_DIVERGENCE, 2),
    ]
    metrics = feature.metrics
    there = [(metrics[name], kind, power) for name, kind, power in of_types if name in metrics]
    if not there:
        return
    info = anomalies.drift_skew_info.add()
    info.path.step.append(feature.name)
    for metric, kind, power in there:
        level = metric.threshold
        info.drift_measurements.add(
            type=kind,
            value=metric.value**power,
            threshold=0.0 if level is None else level**power,
        )
