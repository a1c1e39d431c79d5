"""The publisher of DriftReport: records a comparison in the metadata store."""

from __future__ import annotations

from tfx.types import artifact_utils
from tfx.types.artifact import Artifact

from tfx_wine_ext.drift.document import DriftDocument
from tfx_wine_ext.drift.metric import Metric, Verdict
from tfx_wine_ext.drift.ranking import deciding_metric, limit_of, worst_first
from tfx_wine_ext.drift.result import FeatureResult
from tfx_wine_ext.publishers.properties import set_custom_properties
from tfx_wine_ext.types import drift_report as keys


def publish(
    document: DriftDocument,
    *,
    decision: str | None = None,
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
        document: The report.
        decision: What was compared with what, as a sentence.
        split: Name of the split that was checked.
        report: The output artifact; changed in place, where both launch paths read it.
        anomalies: The same.
        blessing: The same.
    """
    baseline, current, test = document.baseline, document.current, document.multivariate
    set_custom_properties(
        report,
        {
            keys.DECISION_KEY: decision,
            keys.METHOD_KEY: document.method,
            keys.SHARE_DRIFTED_KEY: float(document.share_drifted),
            keys.AGGREGATE_KEY: document.aggregate,
            keys.CLASSIFIER_AUC_KEY: None if test is None else test.auc,
            keys.FEATURES_KEY: len(document.features),
            keys.FEATURES_DRIFTED_KEY: document.with_verdict(Verdict.DRIFT),
            keys.FEATURES_WARNED_KEY: document.with_verdict(Verdict.WARN),
            keys.ROWS_KEY: current.rows,
            keys.SPAN_KEY: current.span,
            keys.SPAN_DATE_KEY: current.span_date,
            keys.LOST_BASELINE_KEY: None if document.lost is None else document.lost.uri,
        },
    )
    if baseline is not None:
        set_custom_properties(
            report,
            {
                keys.BASELINE_ROWS_KEY: baseline.rows,
                keys.BASELINE_SPAN_KEY: baseline.span,
                keys.BASELINE_SPAN_DATE_KEY: baseline.span_date,
            },
        )
    for rank, feature in enumerate(worst_features(document), 1):
        name = deciding_metric(feature)
        metric = feature.metrics[name] if name else Metric(0.0)
        set_custom_properties(
            report,
            {
                keys.of_worst(rank): feature.name,
                keys.of_worst(rank, keys.WORST_VERDICT): feature.verdict.value,
                keys.of_worst(rank, keys.WORST_METRIC): name,
                keys.of_worst(rank, keys.WORST_SCORE): metric.value if name else None,
                keys.of_worst(rank, keys.WORST_THRESHOLD): limit_of(metric),
            },
        )
    for artifact in (report, blessing):
        set_custom_properties(
            artifact,
            {
                keys.VERDICT_KEY: document.verdict.value,
                keys.BLESSED_KEY: int(document.verdict is not Verdict.DRIFT),
            },
        )
    anomalies.split_names = artifact_utils.encode_split_names([split])
    if current.span is not None:
        anomalies.span = current.span


def worst_features(document: DriftDocument) -> list[FeatureResult]:
    """Returns at most `MOST_WORST_FEATURES` features that are not OK, the worst first."""
    return worst_first(document.features)[: keys.MOST_WORST_FEATURES]
