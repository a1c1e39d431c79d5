from __future__ import annotations

import pytest

from tests.report.histories import (
    CACHED,
    EMPTY,
    FAILED,
    FIRST,
    PLAIN,
    PUSHED,
    R2,
    RUN_1,
    RUN_2,
    RUN_3,
    RUN_4,
    RUN_5,
    SCORES_5,
    STOPPED,
    component,
    drift,
    history,
    run,
)
from tfx_wine_ext.documents import load
from tfx_wine_ext.lineage.records import History, MetricValue, Run, Score
from tfx_wine_ext.report.words.history import (
    OUTCOMES,
    beyond_error,
    change_words,
    drift_words,
    headline,
    in_production,
    metric_change,
    outcome,
    worst_first,
)

NEXT = {**RUN_3, "number": 6}
OF_A_CONDITION = run(
    5, components=[component("DriftReport", 51)], drift=drift(55, "DRIFT", 3, 3, SCORES_5, False)
)


def loaded(document):
    return load(Run, document, "document")


def made(report):
    """The record of a drift report in a document."""
    return loaded(run(1, drift=report)).drift


def said(text):
    """Without the marks that isolate names."""
    return text.translate(dict.fromkeys(map(ord, "\u2068\u2069"))).replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (EMPTY, "The pipeline has not run yet."),
        (FIRST, "Run 1 is blessed and pushed; R² 0.35."),
        (PUSHED, "Run 3 is blessed and pushed; R² 0.41, up 0.08 from run 2."),
        (
            STOPPED,
            "Run 5 was stopped by the drift gate: 3 of 4 features drifted from span 3; "
            "alcohol most.",
        ),
        (
            CACHED,
            "Run 4 had nothing new to do: all of its results were there already; R² 0.41, "
            "unchanged from run 3.",
        ),
        (
            FAILED,
            "Run 2 failed in Trainer: ValueError: The column 'alcohol' is missing.",
        ),
        (
            PLAIN,
            "Run 2 is blessed and not pushed; Accuracy 0.92, up 0.01 from run 1.",
        ),
        (
            history([RUN_1, RUN_2]),
            "Run 2 is not blessed: its model is not good enough; R² 0.33, up 0.02 (better) "
            "from the model before on the same data.",
        ),
        (
            history([RUN_3, RUN_5, NEXT]),
            "Run 6 is blessed and pushed; R² 0.41, unchanged from run 3.",
        ),
        (
            history([RUN_1, OF_A_CONDITION]),
            "Run 5 was stopped by the drift gate: 3 of 4 features drifted from span 3; "
            "alcohol most.",
        ),
        (
            history(
                [run(1, state="RUNNING", process="alive", components=[component("Trainer", 1)])]
            ),
            "Run 1 is running: 1 component done so far.",
        ),
        (
            history([run(1, state="RUNNING", process=None)]),
            "Run 1 has no recorded end: 0 components done so far.",
        ),
        (
            history(
                [run(1, state="RUNNING", process="ended", components=[component("Trainer", 1)])]
            ),
            "Run 1 died, its process having ended without a result: 1 component done so far.",
        ),
        (history([run(1, state="CANCELED")]), "Run 1 was canceled."),
        (history([run(1, state="FAILED")]), "Run 1 failed."),
        (
            history([run(1, state="FAILED", components=[component("Pusher", 1, "FAILED")])]),
            "Run 1 failed in Pusher.",
        ),
        (history([run(1)]), "Run 1 is complete; it trained no model."),
        (
            history([{**RUN_1, "blessed": None, "pushed": None, "metrics": {}}]),
            "Run 1 is complete; its model was not evaluated.",
        ),
        (
            history([{**RUN_1, "blessed": None, "metrics": {}}]),
            "Run 1 is pushed, without an evaluation.",
        ),
    ],
)
def test_the_headline_says_what_became_of_the_latest_run(document, sentence):
    assert said(headline(load(History, document, "document"))) == sentence


@pytest.mark.parametrize(
    ("of", "ending"),
    [
        (RUN_1, "pushed"),
        (RUN_2, "unblessed"),
        (RUN_4, "cached"),
        (RUN_5, "stopped"),
        (OF_A_CONDITION, "stopped"),
        ({**RUN_1, "pushed": None}, "blessed"),
        # DriftReport itself broke: no report, no verdict.
        ({**RUN_5, "drift": None}, "failed"),
        # Another component failed after a gate that was open or only warned.
        ({**RUN_5, "components": [component("Trainer", 1, "FAILED")]}, "failed"),
        # The data drifted, and the model was trained and judged all the same.
        ({**RUN_1, "drift": RUN_5["drift"]}, "pushed"),
    ],
)
def test_each_run_has_one_ending(of, ending):
    assert outcome(loaded(of)) == ending
    assert ending in OUTCOMES


def test_a_pipeline_that_never_trains_is_not_stopped_by_drift():
    assert outcome(loaded(OF_A_CONDITION), trains=False) == "done"
    document = history([OF_A_CONDITION])
    assert (
        headline(load(History, document, "document")) == "Run 5 is complete; it trained no model."
    )


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (RUN_1["drift"], "the data were the first of their kind: there was no baseline"),
        (
            {**RUN_1["drift"], "reason_kinds": ["unfit_baseline"]},
            "nothing was compared: what was found as the baseline was none",
        ),
        (RUN_3["drift"], "compared with span 2, none of 4 features drifted"),
        (
            {**RUN_3["drift"], "verdict": "WARN", "features_warned": 2},
            "compared with span 2, 2 of 4 features changed, none beyond its limit",
        ),
        (drift(1, "DRIFT", None, 1, SCORES_5[:1]), "1 of 4 features drifted from the baseline"),
        (drift(1, "DRIFT", 3, 3, []), "3 of 4 features drifted from span 3"),
        (
            {**RUN_3["drift"], "features": None, "features_drifted": None},
            "the data were compared with span 2",
        ),
    ],
)
def test_drift_is_told_with_what_is_known(report, words):
    assert said(drift_words(made(report))).split(": alcohol")[0] == words


def test_the_one_feature_that_drifted_is_named():
    assert said(drift_words(made(drift(1, "DRIFT", 3, 1, SCORES_5[:1])))) == (
        "1 of 4 features drifted from span 3: alcohol"
    )


def test_the_worst_feature_is_the_one_farthest_up_its_limit():
    shuffled = [Score(**SCORES_5[i]) for i in (3, 2, 0, 1)]
    names = [score.feature for score in worst_first(shuffled)]
    assert names == ["alcohol", "density", "grape", "pH"]


@pytest.mark.parametrize(
    ("metric", "before", "after", "words"),
    [
        (R2, 0.33, 0.41, "up 0.08 (better)"),
        (R2, 0.41, 0.33, "down 0.08 (worse)"),
        ("mean_squared_error", 0.5, 0.55, "up 0.05 (worse)"),
        ("my_metric", 1.0, 2.0, "up 1"),
        ("my_metric", 1.0, 1.0, "unchanged"),
        (R2, 0.4, 0.4 + 1e-17, "unchanged"),
    ],
)
def test_a_change_is_judged_only_where_it_is_known_what_is_better(metric, before, after, words):
    assert change_words(metric, before, after) == words


@pytest.mark.parametrize(
    ("old", "new", "beyond"),
    [
        ((0.3, 0.25, 0.35), (0.37, 0.32, 0.42), False),
        # 0.08 is more than the root of 0.05^2 + 0.05^2.
        ((0.3, 0.25, 0.35), (0.38, 0.33, 0.43), True),
        ((0.38, 0.33, 0.43), (0.3, 0.25, 0.35), True),
        # Only the ends that face each other count.
        ((0.3, 0.0, 0.31), (0.34, 0.33, 0.9), True),
        ((0.3, None, None), (0.31, 0.2, 0.4), True),
    ],
)
def test_a_change_that_the_intervals_explain_is_not_judged(old, new, beyond):
    assert beyond_error(MetricValue(*old), MetricValue(*new)) is beyond


def test_a_metric_is_compared_with_the_last_run_that_has_it():
    runs = list(map(loaded, STOPPED["runs"]))
    assert metric_change([runs[0], runs[4], runs[2]], 2, R2) == (
        "R² 0.41, up 0.06 (within the error) from run 1"
    )
    assert metric_change(runs, 4, R2) == ""


@pytest.mark.parametrize(
    ("runs", "index"),
    [
        ([], None),
        ([RUN_2], None),
        ([RUN_1, RUN_2], 0),
        # The run of the cache names the folder that an earlier one pushed to.
        ([RUN_1, RUN_2, RUN_3, RUN_4, RUN_5], 2),
    ],
)
def test_the_model_in_production_is_that_of_the_last_push(runs, index):
    assert in_production(list(map(loaded, runs))) == index
