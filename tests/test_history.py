"""The history of a pipeline is one JSON document."""

from __future__ import annotations

import dataclasses
import datetime
import json

import pytest

import tfx_wine_ext
from tests.lineage.conftest import Five, five, ramp  # noqa: F401
from tests.lineage.test_moves import statistics_runs
from tfx_wine_ext.history import correlations, history_document, what_moved
from tfx_wine_ext.lineage.records import Move


def test_the_document_holds_runs_moves_features_and_correlations(five: Five):  # noqa: F811
    document = history_document(five.runs, "wine", "metadata.db")
    created = datetime.datetime.fromisoformat(document.pop("created"))
    assert created.utcoffset() == datetime.timedelta(0)
    assert document.pop("runs") == [run.to_dict() for run in five.runs]
    assert document.pop("moved") == [what_moved(*two) for two in zip(five.runs, five.runs[1:])]
    big, bigger = pytest.approx(1.73207, abs=1e-5), pytest.approx(1.38566, abs=1e-5)
    assert document == {
        "pipeline": "wine",
        "store": "metadata.db",
        "library": f"tfx_wine_ext {tfx_wine_ext.__version__}",
        "metric": "r2",
        "features": [
            {
                "name": "alcohol",
                "scores": [None, big, big, 0.0, bigger],
                "limits": [None, 0.1, 0.1, 0.05, 0.1],
                "verdicts": ["NO_BASELINE", "DRIFT", "DRIFT", "OK", "DRIFT"],
                "metrics": [None, "wasserstein", "wasserstein", "missing_rate", "wasserstein"],
                "by_chance": [False, False, False, True, False],
            },
            {
                "name": "pH",
                "scores": [None, 0.0, 0.0, 0.0, 0.0],
                "limits": [None, 0.05, 0.05, 0.05, 0.05],
                "verdicts": ["NO_BASELINE", "OK", "OK", "OK", "OK"],
                "metrics": [None, *["missing_rate"] * 4],
                "by_chance": [False, True, True, True, True],
            },
        ],
        "correlations": [
            {"feature": "alcohol", "metric": "r2", "rho": None, "n": 3, "p_value": None},
            {"feature": "pH", "metric": "r2", "rho": None, "n": 3, "p_value": None},
        ],
        "correlation_note": "No correlation: 3 pairs of neighbouring runs have drift scores and r2 "
        "in both; at least 4 are needed.",
        "unread": [],
    }


def test_the_document_is_json(five: Five):  # noqa: F811
    document = history_document(five.runs, "wine", "metadata.db")
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_another_metric_may_be_chosen(five: Five):  # noqa: F811
    assert history_document(five.runs, "wine", "x", "mse")["metric"] == "mse"
    message = "metric must be one that a run of 'wine' has measured: r2, mse, .*; found 'auc'"
    with pytest.raises(ValueError, match=message):
        history_document(five.runs, "wine", "x", "auc")


def test_runs_of_other_pipelines_are_left_out(five: Five):  # noqa: F811
    other = dataclasses.replace(five.runs[0], pipeline="other")
    document = history_document([other, *five.runs[:1]], "wine", "x")
    assert [run["pipeline"] for run in document["runs"]] == ["wine"]
    assert document["moved"] == []


def test_without_drift_reports_the_scores_are_those_of_the_statistics(tmp_path):
    found = statistics_runs(tmp_path, {"x": ramp(0.0)}, {"x": ramp(9.0)}, {"x": ramp(9.0)})
    document = history_document(found, "wine", "x")
    [feature] = document["features"]
    assert (feature["name"], feature["verdicts"][:2]) == ("x", [None, "DRIFT"])
    assert document["metric"] is None
    assert document["correlation_note"] == "No metric was measured."


def test_the_note_says_how_many_pairs_and_that_it_is_no_cause(five: Five):  # noqa: F811
    among = [
        dataclasses.replace(run, run=f"{run.run} {again}")
        for again in range(3)
        for run in five.runs[:4]
    ]
    note = history_document(among, "wine", "x")["correlation_note"]
    assert note.startswith("Rank correlation over up to 9 pairs of neighbouring runs: ")
    assert "Not a cause" in note
    assert "2 features were tested" in note


def test_what_moved_is_json_of_the_facts_and_the_sentences(five: Five):  # noqa: F811
    for before, after in zip(five.runs, five.runs[1:]):
        json.dumps(what_moved(before, after), allow_nan=False)
    moved = what_moved(five.runs[0], five.runs[1])
    assert list(moved) == [field.name for field in dataclasses.fields(Move)]
    assert moved["metrics"][0]["by_model"] == 0.125
    assert moved["sentences"][-1] == "No model was pushed."


def test_correlations_take_what_moved_before(five: Five):  # noqa: F811
    moved = [what_moved(*pair) for pair in zip(five.runs, five.runs[1:])]
    document = history_document(five.runs, "wine", "x")
    assert correlations(five.runs, moved=moved) == document["correlations"]
    assert correlations(five.runs, "r2") == document["correlations"]


def test_the_old_paths_of_its_functions_can_be_imported():
    from tfx_wine_ext.lineage import comparison, history, moved

    assert history.history_document is moved.history_document is history_document
    assert comparison.difference is moved.difference
    assert callable(comparison.interval_of_change)
