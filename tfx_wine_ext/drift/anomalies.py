"""Drift as TFX's own anomalies, for tools that read no other format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import anomalies_pb2


def anomalies_proto(document: Mapping[str, Any]) -> anomalies_pb2.Anomalies:
    """Writes the features that are not OK as anomalies.

    A feature that drifted has the severity ERROR; a feature that warns or cannot be judged has
    WARNING. Each metric that is not OK is a reason. The format has types for two metrics. Other
    metrics have the type UNKNOWN_TYPE, and the text names them. L-infinity and the Jensen-Shannon
    divergence are also included as drift measurements, whatever their verdict. The format's
    divergence is the square of our distance.

    Args:
        document: The report, from `report_document`.

    Example:
        >>> import pyarrow as pa
        >>> from tfx_wine_ext.drift import compare
        >>> from tfx_wine_ext.drift.document import DataSource, report_document
        >>> before, after = ({"kind": ["a"] * n + ["b"] * (100 - n)} for n in (90, 10))
        >>> anomalies = anomalies_proto(report_document(
        ...     compare(pa.table(before), pa.table(after)), baseline=DataSource("old", 100),
        ...     current=DataSource("new", 100), method="exact",
        ...     created="2026-11-24T23:30:00+00:00"))
        >>> anomalies.anomaly_info["kind"].short_description
        'Drift: psi, js, chi_square, l_infinity'
    """
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    info = anomalies_pb2.AnomalyInfo
    measurement = anomalies_pb2.DriftSkewInfo.Measurement
    found = anomalies_pb2.Anomalies(anomaly_name_format=anomalies_pb2.Anomalies.SERIALIZED_PATH)
    if not document["current"]["rows"]:
        found.data_missing = True
    for feature in document["features"]:
        _add_measurements(found, feature, measurement)
        if feature["verdict"] in ("OK", "NO_BASELINE"):
            continue
        bad = [
            name
            for name, metric in feature["metrics"].items()
            if metric["verdict"] == feature["verdict"]
        ]
        headline = {"DRIFT": "Drift", "WARN": "Near drift", "INCONCLUSIVE": "Drift is not certain"}
        entry = found.anomaly_info[feature["name"]]
        entry.path.step.append(feature["name"])
        entry.severity = info.ERROR if feature["verdict"] == "DRIFT" else info.WARNING
        entry.description = "; ".join(feature["reasons"])
        entry.short_description = headline[feature["verdict"]] + (
            f": {', '.join(bad)}" if bad else ""
        )
        types = {
            "l_infinity": info.COMPARATOR_L_INFTY_HIGH,
            "js": info.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH,
        }
        # Reasons that need no metric come first.
        names = [""] * (len(feature["reasons"]) - len(bad)) + bad
        for text, name in zip(feature["reasons"], names):
            entry.reason.add(
                type=types.get(name, info.UNKNOWN_TYPE),
                description=text,
                short_description=f"{headline[feature['verdict']]}: {name}" if name else text,
            )
    return found


def _add_measurements(found: Any, feature: Mapping[str, Any], measurement: Any) -> None:
    metrics = feature["metrics"]
    of_types = [
        ("l_infinity", measurement.L_INFTY, 1),
        ("js", measurement.JENSEN_SHANNON_DIVERGENCE, 2),
    ]
    there = [(metrics[name], kind, power) for name, kind, power in of_types if name in metrics]
    if not there:
        return
    info = found.drift_skew_info.add()
    info.path.step.append(feature["name"])
    for metric, kind, power in there:
        level = metric["threshold"]
        info.drift_measurements.add(
            type=kind,
            value=metric["value"] ** power,
            threshold=0.0 if level is None else level**power,
        )
