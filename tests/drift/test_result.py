import json

from tfx_wine_ext.drift.growth import Growth
from tfx_wine_ext.drift.metric import Metric, Verdict
from tfx_wine_ext.drift.reasons import BeyondLimit, ShareReached
from tfx_wine_ext.drift.result import FeatureResult, Findings

BEYOND = BeyondLimit("ks", 0.5, 0.1)
ALCOHOL = FeatureResult(
    "alcohol",
    "numeric",
    Verdict.DRIFT,
    (BEYOND,),
    {"ks": Metric(0.5, threshold=0.1, verdict=Verdict.DRIFT)},
    n_baseline=10,
    n_current=12,
)
FINDINGS = Findings(
    Verdict.DRIFT,
    (ShareReached(1, 2, 0.5),),
    0.5,
    None,
    (ALCOHOL, FeatureResult("pH", "numeric", Verdict.OK)),
)


def test_a_result_is_a_json_object_with_its_reasons_as_facts():
    document = json.loads(json.dumps(FINDINGS.to_dict()))
    assert document["verdict"] == "DRIFT"
    assert document["reason_kinds"] == ["share"]
    fact = {"type": "ShareReached", "drifted": 1, "compared": 2, "limit": 0.5}
    assert document["reason_facts"] == [fact]
    assert "reasons" not in document
    alcohol, ph = document["features"]
    assert alcohol["reason_facts"] == [
        {"type": "BeyondLimit", "metric": "ks", "value": 0.5, "limit": 0.1}
    ]
    assert (alcohol["metrics"]["ks"]["verdict"], ph["reason_facts"]) == ("DRIFT", [])


def test_where_it_is_known_how_a_reason_reads_the_sentence_stands_beside_the_fact():
    document = FINDINGS.to_dict(lambda reason: type(reason).__name__)
    assert document["reasons"] == ["ShareReached"]
    assert document["features"][0]["reasons"] == ["BeyondLimit"]


def test_features_are_counted_by_their_verdict():
    counts = {verdict: FINDINGS.with_verdict(verdict) for verdict in Verdict}
    assert counts == {**dict.fromkeys(Verdict, 0), Verdict.DRIFT: 1, Verdict.OK: 1}
    assert FINDINGS.has_baseline


def test_times_and_growth_are_in_the_object_only_if_there_are_any():
    assert {"time", "growth"} & set(ALCOHOL.to_dict()) == set()
    growing = FeatureResult(
        "day", "numeric", Verdict.OK, time="date", growth=Growth(certain=True, judged=False)
    )
    assert growing.is_set_aside
    assert not ALCOHOL.is_set_aside
    assert growing.to_dict()["time"] == "date"
    assert growing.to_dict()["growth"]["judged"] is False
