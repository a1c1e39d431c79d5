"""The keys: names that stand in users' metadata stores."""

from __future__ import annotations

import pytest

from tfx_wine_ext.types import drift_report as keys


def test_no_key_was_renamed():
    # A key that changes cuts its users off from what their stores hold: this list only grows.
    assert {name: value for name, value in vars(keys).items() if name.endswith("_KEY")} == {
        "EXAMPLES_KEY": "examples",
        "BASELINE_KEY": "baseline",
        "STATISTICS_KEY": "statistics",
        "BASELINE_STATISTICS_KEY": "baseline_statistics",
        "SCHEMA_KEY": "schema",
        "REPORT_KEY": "report",
        "ANOMALIES_KEY": "anomalies",
        "BLESSING_KEY": "blessing",
        "SPLIT_KEY": "split",
        "BASELINE_SPLIT_KEY": "baseline_split",
        "SKEW_KEY": "skew",
        "MODE_KEY": "mode",
        "DRIFT_CONFIG_KEY": "drift_config",
        "BASELINE_PINNED_KEY": "baseline_pinned",
        "CHOOSE_BASELINE_KEY": "choose_baseline",
        "DECISION_KEY": "decision",
        "LOST_KEY": "lost_baseline",
        "UNFIT_KEY": "unfit_baseline",
        "BLESSED_KEY": "blessed",
        "VERDICT_KEY": "verdict",
        "METHOD_KEY": "method",
        "SHARE_DRIFTED_KEY": "share_drifted",
        "AGGREGATE_KEY": "aggregate",
        "CLASSIFIER_AUC_KEY": "classifier_auc",
        "FEATURES_KEY": "features",
        "FEATURES_DRIFTED_KEY": "features_drifted",
        "FEATURES_WARNED_KEY": "features_warned",
        "ROWS_KEY": "rows",
        "BASELINE_ROWS_KEY": "baseline_rows",
        "SPAN_KEY": "span",
        "BASELINE_SPAN_KEY": "baseline_span",
        "SPAN_DATE_KEY": "span_date",
        "BASELINE_SPAN_DATE_KEY": "baseline_span_date",
        "LOST_BASELINE_KEY": "lost_baseline_uri",
        "WORST_KEY": "worst",
    }


def test_the_worst_features_have_keys_by_rank():
    assert [keys.of_worst(1), keys.of_worst(10, keys.WORST_SCORE)] == ["worst_1", "worst_10_score"]


def test_the_artifact_types_have_their_names_and_are_imported_by_them():
    from tfx.utils import import_utils

    from tfx_wine_ext.types.artifacts import DriftBlessing, ExampleDriftReport

    for cls, name in (
        (ExampleDriftReport, "tfx_wine_ext.ExampleDriftReport"),
        (DriftBlessing, "tfx_wine_ext.DriftBlessing"),
    ):
        assert (cls.TYPE_NAME, import_utils.import_class_by_path(name)) == (name, cls)


@pytest.mark.parametrize(
    ("stored", "today"),
    [
        ("ExampleDriftReport", "tfx_wine_ext.ExampleDriftReport"),
        ("DriftBlessing", "tfx_wine_ext.DriftBlessing"),
        ("tfx_wine_ext.DriftBlessing", "tfx_wine_ext.DriftBlessing"),
        ("ModelBlessing", "ModelBlessing"),
    ],
)
def test_types_of_older_stores_are_known_by_their_present_names(stored, today):
    assert keys.current_type(stored) == today
