"""The publisher of DriftReport: records a comparison in the metadata store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfx.types import artifact_utils
from tfx.types.artifact import Artifact

from tfx_wine_ext.drift.metric import Verdict
from tfx_wine_ext.drift.ranking import deciding_metric, limit_of, severity
from tfx_wine_ext.publishers.properties import set_custom_properties
from tfx_wine_ext.types import drift_report as keys


def publish(
    document: Mapping[str, Any],
    *,
    split: str,
    report: Artifact,
    anomalies: Artifact,
    blessing: Artifact,
) -> None:
    """Sets typed custom properties of the artifacts.

    The properties hold the verdict, the row counts of both sides, the share of drifted features and
    the worst features with their scores; the report's JSON file has the rest. A property without a
    value is omitted: a report without a baseline has no `baseline_rows`.

    Args:
        document: The report, from `tfx_wine_ext.drift.document.report_document`.
        split: Name of the split that was checked.
        report: The output artifact; changed in place, where both launch paths read it.
        anomalies: The same.
        blessing: The same.
    """
    features, baseline, current = document["features"], document["baseline"], document["current"]
    verdicts = [feature["verdict"] for feature in features]
    set_custom_properties(
        report,
        {
            keys.METHOD_KEY: document["method"],
            keys.SHARE_DRIFTED_KEY: float(document["share_drifted"]),
            keys.AGGREGATE_KEY: document["aggregate"],
            keys.CLASSIFIER_AUC_KEY: (document["multivariate"] or {}).get("auc"),
            keys.FEATURES_KEY: len(features),
            keys.FEATURES_DRIFTED_KEY: verdicts.count(Verdict.DRIFT.value),
            keys.FEATURES_WARNED_KEY: verdicts.count(Verdict.WARN.value),
            keys.ROWS_KEY: current["rows"],
            keys.SPAN_KEY: current["span"],
            keys.BASELINE_ROWS_KEY: baseline and baseline["rows"],
            keys.BASELINE_SPAN_KEY: baseline and baseline["span"],
            keys.SPAN_DATE_KEY: current.get("span_date"),
            keys.BASELINE_SPAN_DATE_KEY: baseline and baseline.get("span_date"),
            keys.LOST_BASELINE_KEY: (document.get("lost_baseline") or {}).get("uri"),
        },
    )
    for rank, feature in enumerate(worst_features(document), 1):
        name = deciding_metric(feature)
        metric = feature["metrics"].get(name, {})
        set_custom_properties(
            report,
            {
                keys.of_worst(rank): feature["name"],
                keys.of_worst(rank, keys.WORST_VERDICT): feature["verdict"],
                keys.of_worst(rank, keys.WORST_METRIC): name,
                keys.of_worst(rank, keys.WORST_SCORE): metric.get("value"),
                keys.of_worst(rank, keys.WORST_THRESHOLD): limit_of(metric) if metric else None,
            },
        )
    for artifact in (report, blessing):
        set_custom_properties(
            artifact,
            {
                keys.VERDICT_KEY: document["verdict"],
                keys.BLESSED_KEY: int(document["verdict"] != Verdict.DRIFT.value),
            },
        )
    anomalies.split_names = artifact_utils.encode_split_names([split])
    if current["span"] is not None:
        anomalies.span = current["span"]


def worst_features(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Returns at most `MOST_WORST_FEATURES` features that are not OK, the worst first."""
    fine = (Verdict.OK.value, Verdict.NO_BASELINE.value)
    bad = [feature for feature in document["features"] if feature["verdict"] not in fine]
    return sorted(bad, key=severity)[: keys.MOST_WORST_FEATURES]
