"""Comparisons of records, and documents of earlier releases as records."""

from __future__ import annotations

import dataclasses

import pytest
from scipy import stats

from tests.lineage.conftest import Five
from tests.lineage.test_moves import changed
from tests.report.histories import STOPPED
from tfx_wine_ext.documents import load
from tfx_wine_ext.lineage.records import (
    FeatureHistory,
    History,
    MetricValue,
    Score,
    difference,
    interval_of_change,
    same_data,
    same_examples,
)


def test_data_are_the_same_by_identity_by_content_or_by_nothing(five: Five):
    run = five.runs[0]
    assert same_data(run, changed(run, id=99)) is True
    assert same_data(run, changed(run, id=99, content_fingerprint="other")) is False
    assert same_data(run, changed(run, id=99, rows={"train": 1})) is False
    unknown = changed(run, id=99, content_fingerprint=None)
    assert same_data(run, unknown) is None
    assert same_data(run, changed(unknown, rows={"train": 1})) is False
    assert same_data(run, dataclasses.replace(run, examples=None)) is None


def test_an_interval_of_a_change_is_that_of_independent_normal_means():
    # Of two normal means with standard errors 3 and 4 the difference has 5.
    z = stats.norm.ppf(0.975)
    found = difference(
        MetricValue(10.0, 10.0 - 3 * z, 10.0 + 3 * z), MetricValue(12.0, 12.0 - 4 * z, 12.0 + 4 * z)
    )
    assert found == pytest.approx((2.0, 2.0 - 5 * z, 2.0 + 5 * z))


def test_a_value_that_is_not_known_has_no_change():
    assert difference(MetricValue(None), MetricValue(1.0)) == (None, None, None)


def test_scores_are_sorted_by_verdict_and_by_how_far_they_are_up_their_limit():
    far, near = Score("far", "DRIFT", "ks", 0.9, 0.3), Score("near", "DRIFT", "psi", 1.0, 0.5)
    # A limit of 0 is reached by anything; its multiple is none that can be shown.
    none = Score("none", "DRIFT", "unseen_mass", 0.1, 0.0)
    chance = Score("chance", "OK", "ks", 0.9, 0.3, by_chance=True)
    calm = Score("calm", "OK", "ks", 0.1, 0.3)
    odd = Score("odd", "anything")
    scores = [odd, chance, calm, near, far, none]
    assert sorted(scores, key=lambda x: x.severity) == [none, far, near, calm, chance, odd]
    assert [score.nearness for score in (far, none, odd)] == [pytest.approx(3.0), None, None]


def test_what_a_document_lacks_is_unknown_and_what_it_has_is_kept():
    history = load(History, STOPPED, "document")
    assert (history.unread, history.moved[0].unread) == ((), ())
    first = history.runs[0]
    assert (first.statistics, first.process, first.drift.baseline_id) == (None, None, None)
    assert first.metrics["mean_squared_error"] == MetricValue(0.512)
    alcohol = history.features[0]
    assert (alcohol.by_chance, alcohol.by_run[2]) == (
        (),
        Score("alcohol", "OK", "wasserstein", 0.05, 0.1),
    )
    document = history.to_dict()
    assert load(History, document, "again") == history
    later = {"span_date": None, "source": None}
    assert document["runs"][0]["examples"] == {**STOPPED["runs"][0]["examples"], **later}


def test_a_feature_over_the_runs_is_columns_and_back():
    scores = [None, Score("pH", "OK", "ks", 0.1, 0.3, by_chance=True)]
    feature = FeatureHistory.of("pH", scores)
    assert (feature.verdicts, feature.by_chance) == ((None, "OK"), (None, True))
    assert feature.by_run == scores


def test_the_interval_of_a_change_is_that_of_zou_and_donner():
    low, high = interval_of_change((0.5, 0.4, 0.7), (0.6, 0.55, 0.65))
    assert low == pytest.approx(0.1 - (0.05**2 + 0.2**2) ** 0.5)
    assert high == pytest.approx(0.1 + (0.05**2 + 0.1**2) ** 0.5)


def examples(id_, fingerprint=None, rows=None):
    return {"id": id_, "content_fingerprint": fingerprint, "rows": rows}


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        (examples(1), examples(1), True),
        (examples(1, "a", {"train": 2}), examples(2, "a", {"train": 2}), True),
        (examples(1, "a", {"train": 2}), examples(2, "b", {"train": 2}), False),
        # The same files, split in another way.
        (examples(1, "a", {"train": 2, "eval": 1}), examples(2, "a", {"train": 3}), False),
        (examples(1, "a", {"train": 2}), examples(2, None, {"train": 3}), False),
        (examples(1, "a", {"train": 2}), examples(2, None, {"train": 2}), None),
        (examples(1), examples(2), None),
        (None, examples(2), None),
    ],
)
def test_two_runs_read_the_same_data_or_others_or_it_is_unknown(old, new, same):
    assert same_examples(old, new) is same
