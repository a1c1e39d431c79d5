"""Stored reports become the types from which they were made."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from tests.report.documents import ALCOHOL, DRIFTED, GONE, NO_BASELINE, STRADDLING, document
from tfx_wine_ext.documents import DocumentError
from tfx_wine_ext.drift import DriftConfig, compare
from tfx_wine_ext.drift.document import DataSource, DriftDocument, LostSource
from tfx_wine_ext.drift.load import load_document
from tfx_wine_ext.drift.reasons import BaselineLost, BeyondLimit, LimitWithinError, Stated
from tfx_wine_ext.report.words.drift import sentence

CREATED = "2026-11-24T23:30:00+00:00"
HUNDRED = [float(i) for i in range(100)]
LOST = LostSource("span 1", "/1", "train", 1, "/1/Split-train", "no such folder", "it is gone")
SIDES = {
    "OK": ({"x": HUNDRED}, {"x": HUNDRED}),
    "DRIFT": (
        {"x": HUNDRED, "old": HUNDRED, "id": range(100), "kind": ["a"] * 100},
        {"x": [x + 50 for x in HUNDRED], "id": range(100, 200), "kind": ["b"] * 100},
    ),
    "INCONCLUSIVE": ({"x": HUNDRED}, {"x": [1.0]}),
    "NO_BASELINE": (None, {"x": HUNDRED}),
}


@pytest.mark.parametrize("classifier", [False, True])
@pytest.mark.parametrize("verdict", SIDES)
def test_a_document_is_the_same_after_it_was_stored(verdict, classifier):
    before, after = (None if side is None else pa.table(side) for side in SIDES[verdict])
    made = DriftDocument.of(
        compare(before, after, DriftConfig(classifier=classifier, importances={"x": 1})),
        baseline=None if before is None else DataSource("before", 100, span=1),
        current=DataSource("after", 100, created=CREATED, span=2, span_date="2024-10-04"),
        method="exact",
        created=CREATED,
        lost=LOST if before is None else None,
    )
    stored = json.loads(json.dumps(made.to_dict(sentence), allow_nan=False))
    assert load_document(stored).to_dict(sentence) == stored
    assert load_document(stored) == made
    assert made.verdict == verdict


def test_the_reason_of_a_lost_baseline_is_what_was_looked_for():
    made = DriftDocument.of(
        compare(None, pa.table({"x": HUNDRED})),
        baseline=None,
        current=DataSource("after", 100),
        method="exact",
        created=CREATED,
        lost=LOST,
    )
    assert made.reasons == (BaselineLost("span 1", "/1", "/1/Split-train", "no such folder"),)


def test_documents_of_earlier_releases_keep_their_sentences_and_tell_those_of_metrics():
    old = {**DRIFTED, "reason_kinds": ["critical", "share"]}
    assert load_document(old).reasons == (
        Stated("alcohol, which is critical, drifted", "critical"),
        Stated("3 of 6 features drifted", "share"),
    )
    assert load_document(NO_BASELINE).reasons == (Stated("there is no baseline"),)
    features = load_document(document("DRIFT", [ALCOHOL, GONE, STRADDLING])).features
    assert [feature.reasons for feature in features] == [
        (BeyondLimit("ks", 0.223, 0.1), BeyondLimit("wasserstein", 0.378, 0.1)),
        (Stated("the column is gone"),),
        (LimitWithinError("ks", 0.098, 0.01, 0.1),),
    ]


def test_a_loaded_document_is_not_loaded_again():
    loaded = load_document(DRIFTED)
    assert load_document(loaded) is loaded


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 2}, "a.json: format_version: expected 1, found 2; use the version"),
        ({"verdict": "GOOD"}, "a.json: verdict: expected one of OK, WARN, DRIFT, INCONCLUSIVE, "),
        ({"share_drifted": 2}, "a.json: share_drifted: expected a number from 0 to 1, found 2"),
        ({"reason_facts": []}, "a.json: reason_facts: expected one for each of 2 reasons, found 0"),
        ({"reason_facts": [{}]}, r"a.json: reason_facts\[0\]: expected the key 'type'"),
        (
            {"reason_facts": [{"type": "Eclipse"}, {"type": "CriticalDrifted", "feature": 7}]},
            r"a.json: reason_facts\[1\]\.feature: expected a text, found 7",
        ),
        ({"current": {**DRIFTED["current"], "rows": 2.5}}, "current.rows: expected an integer, fo"),
        ({"config": {"thresholds": {"ks": {"fail": 1}}}}, "thresholds.ks: expected the key 'warn'"),
    ],
)
def test_what_is_no_report_is_refused(change, message):
    with pytest.raises(DocumentError, match=message):
        load_document({**DRIFTED, **change}, "a.json")


def test_a_column_without_values_has_no_quartiles_and_any_other_has_all():
    none = dict.fromkeys(("min", "p25", "median", "p75", "max"))
    without, half = ({**ALCOHOL["baseline"], **none, **more} for more in ({}, {"max": 1.0}))
    [loaded] = load_document(document("OK", [{**ALCOHOL, "baseline": without}])).features
    assert loaded.baseline == without
    with pytest.raises(DocumentError, match=r"features\[0\]\.baseline\.min: expected a finite n"):
        load_document(document("OK", [{**ALCOHOL, "baseline": half}]))


def test_a_source_without_a_time_zone_is_refused():
    with pytest.raises(ValueError, match="created of 'span 2, split train' must be an ISO 8601"):
        load_document({**DRIFTED, "current": {**DRIFTED["current"], "created": "today"}})
