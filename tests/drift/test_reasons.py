"""Reasons as facts; tests/report/words has how they read."""

from __future__ import annotations

import json

import pytest

from tfx_wine_ext.documents import DocumentError
from tfx_wine_ext.drift.metric import Metric, Verdict
from tfx_wine_ext.drift.reasons import (
    BeyondLimit,
    CriticalDrifted,
    LimitWithinError,
    Stated,
    TooFewPresent,
    reason_from,
    reason_of,
)


@pytest.mark.parametrize(
    "reason",
    [
        Stated("the sun is gone", "warned"),
        BeyondLimit("ks", 0.5, 1),
        LimitWithinError("ks", 0.5, 0.1, 0.45),
        TooFewPresent(5, 6, 20),
        CriticalDrifted("pH, \ud800"),
    ],
)
def test_a_reason_is_the_same_after_it_was_stored(reason):
    assert reason_from(json.loads(json.dumps(reason.to_dict())), "...") == reason


def test_of_an_unknown_type_the_sentence_is_kept():
    fact = {"type": "Eclipse", "of": "the sun"}
    assert reason_from(fact, "the sun is gone") == Stated("the sun is gone")


@pytest.mark.parametrize(
    ("fact", "message"),
    [
        ({"type": "CriticalDrifted"}, "the reason CriticalDrifted: expected the key 'feature'"),
        (
            {"type": "BeyondLimit", "metric": "ks", "value": "much", "limit": 0.1},
            "the reason BeyondLimit: value: expected a finite number, found 'much'",
        ),
    ],
)
def test_a_fact_without_its_fields_is_refused(fact, message):
    with pytest.raises(DocumentError, match=message):
        reason_from(fact, "...")


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (Verdict.WARN, BeyondLimit("ks", 0.3, 0.1)),
        (Verdict.DRIFT, BeyondLimit("ks", 0.3, 0.25)),
        (Verdict.INCONCLUSIVE, LimitWithinError("ks", 0.3, 0.06, 0.25)),
    ],
)
def test_the_limit_of_a_metric_is_that_of_its_verdict(verdict, reason):
    metric = Metric(0.3, error=0.06, threshold=0.25, warn=0.1, verdict=verdict)
    assert reason_of("ks", metric) == reason
