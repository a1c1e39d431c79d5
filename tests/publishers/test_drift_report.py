"""What the publisher of DriftReport writes onto the artifacts."""

from __future__ import annotations

import dataclasses

from tfx.types import standard_artifacts

from tfx_wine_ext.drift.document import DataSource, DriftDocument
from tfx_wine_ext.drift.metric import Metric, Verdict
from tfx_wine_ext.drift.result import ClassifierResult, FeatureResult
from tfx_wine_ext.publishers.drift_report import publish, worst_features
from tfx_wine_ext.types.artifacts import DriftBlessing, ExampleDriftReport


def feature(name, verdict, **values):
    metrics = {
        metric: Metric(value, threshold=0.1, warn=0.05, verdict=Verdict(verdict))
        for metric, value in values.items()
    }
    return FeatureResult(name, "numeric", Verdict(verdict), metrics=metrics)


DOCUMENT = DriftDocument(
    Verdict.DRIFT,
    reasons=(),
    share_drifted=1 / 3,
    aggregate=None,
    features=(
        feature("fine", "OK", ks=0.01),
        feature("gone", "DRIFT"),
        feature("near", "WARN", psi=0.07),
        feature("far", "DRIFT", ks=0.2, js=0.4),
    ),
    config={},
    multivariate=ClassifierResult(0.75, 0.7, 0.8, 0.0, 0.6, Verdict.DRIFT, 10, 20),
    method="sketch",
    created="2026-11-24T23:30:00+00:00",
    baseline=DataSource("before", 10, span=1),
    current=DataSource("after", 20),
)


def properties(artifact):
    found = {}
    for name, value in artifact.mlmd_artifact.custom_properties.items():
        kind = value.WhichOneof("value")
        found[name] = (kind, getattr(value, kind))
    return found


def published(document):
    report, blessing = ExampleDriftReport(), DriftBlessing()
    anomalies = standard_artifacts.ExampleAnomalies()
    publish(document, split="eval", report=report, anomalies=anomalies, blessing=blessing)
    return report, anomalies, blessing


def test_scores_are_doubles_counts_are_integers_and_what_has_no_value_is_not_there():
    report, anomalies, blessing = published(DOCUMENT)
    assert properties(report) == {
        "method": ("string_value", "sketch"),
        "share_drifted": ("double_value", 1 / 3),
        "classifier_auc": ("double_value", 0.75),
        "features": ("int_value", 4),
        "features_drifted": ("int_value", 2),
        "features_warned": ("int_value", 1),
        "rows": ("int_value", 20),
        "baseline_rows": ("int_value", 10),
        "baseline_span": ("int_value", 1),
        "worst_1": ("string_value", "far"),
        "worst_1_verdict": ("string_value", "DRIFT"),
        "worst_1_metric": ("string_value", "js"),
        "worst_1_score": ("double_value", 0.4),
        "worst_1_threshold": ("double_value", 0.1),
        "worst_2": ("string_value", "gone"),
        "worst_2_verdict": ("string_value", "DRIFT"),
        "worst_3": ("string_value", "near"),
        "worst_3_verdict": ("string_value", "WARN"),
        "worst_3_metric": ("string_value", "psi"),
        "worst_3_score": ("double_value", 0.07),
        "worst_3_threshold": ("double_value", 0.05),
        "verdict": ("string_value", "DRIFT"),
        "blessed": ("int_value", 0),
    }
    assert properties(blessing) == {
        "verdict": ("string_value", "DRIFT"),
        "blessed": ("int_value", 0),
    }
    assert anomalies.split_names == '["eval"]'


def test_only_drift_is_not_blessed():
    for verdict in ("OK", "WARN", "DRIFT", "INCONCLUSIVE", "NO_BASELINE"):
        _, _, blessing = published(dataclasses.replace(DOCUMENT, verdict=Verdict(verdict)))
        assert properties(blessing)["blessed"] == ("int_value", int(verdict != "DRIFT"))


def test_ten_features_are_recorded_at_most():
    many = tuple(feature(f"f{n:02}", "DRIFT", ks=0.1 + n / 100) for n in range(15))
    worst = worst_features(dataclasses.replace(DOCUMENT, features=many))
    assert [feature.name for feature in worst] == [f"f{n:02}" for n in range(14, 4, -1)]
