"""The one order in which every view shows features."""

from __future__ import annotations

import pytest

from tfx_wine_ext.drift.metric import Metric, Verdict
from tfx_wine_ext.drift.ranking import deciding_metric, limit_of, nearness, severity
from tfx_wine_ext.drift.result import FeatureResult

OK, WARN, DRIFT, INCONCLUSIVE = (
    Verdict.OK,
    Verdict.WARN,
    Verdict.DRIFT,
    Verdict.INCONCLUSIVE,
)


def metric(value, verdict, threshold=0.1, warn=None):
    return Metric(value, threshold=threshold, warn=warn, verdict=verdict)


def feature(name, verdict, **metrics):
    return FeatureResult(name, "numeric", verdict, metrics=metrics)


FEATURES = [
    feature("fine", OK, ks=metric(0.05, OK)),
    feature("new", WARN),
    feature("gone", DRIFT),
    feature("far", DRIFT, ks=metric(0.4, DRIFT)),
    feature("near", DRIFT, ks=metric(0.2, DRIFT), psi=metric(0.9, OK, threshold=None)),
    feature("open", INCONCLUSIVE, ks=metric(0.1, INCONCLUSIVE)),
]


def test_features_come_by_verdict_and_then_by_how_far_they_went():
    names = [feature.name for feature in sorted(FEATURES, key=severity)]
    assert names == ["far", "near", "gone", "open", "new", "fine"]


def test_the_metric_that_decided_has_the_verdict_of_the_feature_and_went_farthest():
    metrics = {
        "ks": metric(0.2, DRIFT),
        "js": metric(0.15, DRIFT),
        "psi": metric(9.0, WARN, threshold=10.0, warn=0.1),
    }
    assert deciding_metric(feature("x", DRIFT, **metrics)) == "ks"
    assert deciding_metric(feature("x", WARN, **metrics)) == "psi"
    assert deciding_metric(feature("x", INCONCLUSIVE, **metrics)) is None


@pytest.mark.parametrize(("verdict", "limit"), [(WARN, 0.1), (DRIFT, 0.25), (OK, 0.25)])
def test_the_limit_is_the_level_that_the_verdict_is_about(verdict, limit):
    assert limit_of(metric(0.3, verdict, threshold=0.25, warn=0.1)) == limit


def test_nothing_is_infinitely_far_from_a_level_of_zero_but_what_is_above_it():
    assert [nearness(0.0, 0.0), nearness(0.1, 0.0), nearness(0.1, None)] == [0.0, float("inf"), 0.0]
