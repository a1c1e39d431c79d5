"""What the publisher of DriftReport writes onto the artifacts."""

from __future__ import annotations

from tfx.types import standard_artifacts

from tfx_wine_ext.publishers.drift_report import publish, worst_features
from tfx_wine_ext.types.artifacts import DriftBlessing, ExampleDriftReport


def feature(name, verdict, **values):
    metrics = {
        metric: {"value": value, "threshold": 0.1, "warn": 0.05, "verdict": verdict}
        for metric, value in values.items()
    }
    return {"name": name, "verdict": verdict, "metrics": metrics}


DOCUMENT = {
    "verdict": "DRIFT",
    "method": "sketch",
    "share_drifted": 1 / 3,
    "aggregate": None,
    "multivariate": {"auc": 0.75},
    "baseline": {"rows": 10, "span": 1},
    "current": {"rows": 20, "span": None},
    "features": [
        feature("fine", "OK", ks=0.01),
        feature("gone", "DRIFT"),
        feature("near", "WARN", psi=0.07),
        feature("far", "DRIFT", ks=0.2, js=0.4),
    ],
}


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
        _, _, blessing = published({**DOCUMENT, "verdict": verdict})
        assert properties(blessing)["blessed"] == ("int_value", int(verdict != "DRIFT"))


def test_ten_features_are_recorded_at_most():
    many = [feature(f"f{n:02}", "DRIFT", ks=0.1 + n / 100) for n in range(15)]
    worst = worst_features({**DOCUMENT, "features": many})
    assert [each["name"] for each in worst] == [f"f{n:02}" for n in range(14, 4, -1)]
