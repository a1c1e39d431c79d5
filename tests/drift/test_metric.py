import json

from tfx_wine_ext.drift.metric import Metric, Verdict


def test_a_metric_is_a_json_object_with_its_verdict_by_name():
    metric = Metric(0.25, 0.01, threshold=0.2, verdict=Verdict.DRIFT, details={"distance": 5.0})
    assert json.loads(json.dumps(metric.to_dict())) == {
        "value": 0.25,
        "error": 0.01,
        "noise_floor": 0.0,
        "p_value": 1.0,
        "threshold": 0.2,
        "warn": None,
        "q_value": None,
        "verdict": "DRIFT",
        "details": {"distance": 5.0},
    }


def test_a_metric_that_is_not_judged_yet_has_no_verdict():
    assert Metric(0.0).to_dict()["verdict"] is None
