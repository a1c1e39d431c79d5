"""What a result says of itself."""

from __future__ import annotations

from tfx_wine_ext.drift import DriftConfig, DriftResult, FeatureResult, Verdict
from tfx_wine_ext.drift.growth import Growth
from tfx_wine_ext.drift.reasons import ColumnGone, ColumnNew, CriticalDrifted, FeaturesChanged

GONE = FeatureResult("old", "numeric", Verdict.DRIFT, (ColumnGone(),))
NEW = FeatureResult("new", "numeric", Verdict.WARN, (ColumnNew(),))
FINE = FeatureResult("x", "numeric", Verdict.OK)


def result(verdict, *reasons):
    features = (GONE, NEW, FINE, FINE)
    return DriftResult(verdict, reasons, 0.25, None, features, config=DriftConfig())


def test_features_are_counted_by_verdict_and_reasons_have_kinds():
    found = result(Verdict.WARN, CriticalDrifted("old"), FeaturesChanged(1, 1, 4))
    assert [found.with_verdict(verdict) for verdict in Verdict] == [2, 1, 1, 0, 0]
    assert (found.reason_kinds, found.has_baseline) == (("critical", "warned"), True)
    assert not result(Verdict.NO_BASELINE).has_baseline


def test_reasons_are_stored_as_facts_and_beside_them_as_they_read():
    facts = [{"type": "CriticalDrifted", "feature": "old"}]
    found = result(Verdict.DRIFT, CriticalDrifted("old"))
    silent, worded = found.to_dict(), found.to_dict(lambda reason: type(reason).__name__.upper())
    assert (silent["reason_facts"], "reasons" in silent) == (facts, False)
    assert (worded["reason_facts"], worded["reasons"]) == (facts, ["CRITICALDRIFTED"])
    assert [feature["reasons"] for feature in worded["features"]] == [
        ["COLUMNGONE"],
        ["COLUMNNEW"],
        [],
        [],
    ]


def test_a_column_that_only_grows_is_set_aside_unless_it_is_judged():
    grown = [
        FeatureResult("id", "numeric", Verdict.OK, growth=Growth(True, judged))
        for judged in (False, True)
    ]
    assert [feature.is_set_aside for feature in (*grown, FINE)] == [True, False, False]
