"""What changed between two runs is said in sentences, and never as a cause."""

from __future__ import annotations

import dataclasses

import pytest

from tests.lineage.conftest import Five, five, ramp  # noqa: F401
from tests.lineage.test_moves import changed, statistics_runs
from tfx_wine_ext.history import move
from tfx_wine_ext.lineage.records import MetricValue


def said(before, after):
    return list(move(before, after).sentences)


def test_each_kind_of_change_has_a_sentence(five: Five):  # noqa: F811
    assert said(five.runs[0], five.runs[1]) == [
        "The data changed: span 1 to span 2; 151 rows before, 152 now.",
        "1 of 2 features drifted; most: alcohol up (mean 4.97 to 9.97).",
        f"The model continues from model {five.ids[0]['model']}: warm start, generation 1.",
        "R2 fell by 0.25 (0.5 to 0.25). The earlier model has 0.125 on the new data, which is "
        "0.375 lower; the new model is 0.125 higher.",
        "The model was not blessed.",
        "No model was pushed.",
    ]


def test_between_runs_on_the_same_data_that_is_said(five: Five):  # noqa: F811
    assert said(five.runs[1], five.runs[2]) == [
        "The data are the same.",
        "1 setting changed: WarmStartTrainer.run_fn.",
        f"The model continues from model {five.ids[1]['model']}: warm start, generation 2.",
        "R2 rose by 0.5 (0.25 to 0.75).",
        "Mse fell by 0.25 (0.75 to 0.5).",
        "The model was blessed.",
        "A model was pushed.",
    ]


def test_of_a_stopped_run_it_is_said_what_stopped_it(five: Five):  # noqa: F811
    assert said(five.runs[3], five.runs[4]) == [
        "DriftReport failed: 1 of 2 features drifted.",
        "The data changed: span 3 to span 4; 153 rows before, 154 now.",
        "1 of 2 features drifted; most: alcohol up (mean 9.97 to 14).",
        "1 setting changed: DriftReport.mode.",
        "No model was evaluated.",
        "No model was pushed.",
    ]


def test_a_report_against_another_baseline_does_not_speak_of_the_run_before(
    five: Five,  # noqa: F811
):
    assert said(five.runs[1], five.runs[4])[1:3] == [
        "The data changed: span 2 to span 4; 152 rows before, 154 now.",
        "The drift report compares with other data than the earlier run's, span 3.",
    ]


def test_what_the_statistics_say_is_said_to_be_theirs(tmp_path):
    before, after = statistics_runs(
        tmp_path, {"x": ramp(0.0), "y": ramp(0.0)}, {"x": ramp(-9.0), "y": [*ramp(0.0), 5.0]}
    )
    assert said(before, after)[1].startswith(
        "By the statistics, 1 of 2 features drifted; most: x down (mean 4.97 to -4.03)"
    )


def test_another_schema_and_another_component_are_said(five: Five):  # noqa: F811
    run = five.runs[1]
    fewer = dataclasses.replace(run, components=run.components[:-1])
    found = said(fewer, changed(run, id=99, content_fingerprint="x", schema_fingerprint="other"))
    assert "Columns or their types changed." in found
    assert "Added: Pusher." in found


@pytest.mark.parametrize(
    ("drifted", "warned", "known", "sentence"),
    [
        (3, 0, ["DRIFT"], "3 of 12 features drifted; most: alcohol up (mean 4.97 to 9.97)."),
        # Earlier releases did not record how many warn.
        (1, None, ["DRIFT", "WARN"], "1 of 12 features drifted; most: alcohol up (mean 4.97 to "
         "9.97); of the worst 2, 1 changed within its limits."),
        (0, None, ["WARN", "OK"],
         "None of 12 features drifted; of the worst 2, 1 changed within its limits."),
        (0, 4, ["WARN", "OK"], "4 of 12 features changed, none beyond its limit."),
    ],
)  # fmt: skip
def test_a_report_that_is_gone_counts_all_of_its_features(
    five: Five,  # noqa: F811
    drifted,
    warned,
    known,
    sentence,
):
    # The store itself has the totals, and the scores of the worst features.
    before, after = five.runs[0], five.runs[1]
    scores = [
        dataclasses.replace(score, verdict=verdict)
        for score, verdict in zip(after.drift.scores, known)
    ]
    drift = dataclasses.replace(
        after.drift,
        features=12,
        features_drifted=drifted,
        features_warned=warned,
        scores=tuple(scores),
    )
    sentences = said(before, dataclasses.replace(after, drift=drift, statistics=None))
    found = [text for text in sentences if "of 12 features" in text]
    assert found == [sentence]


def test_data_that_changed_without_drift_are_said_to(five: Five):  # noqa: F811
    assert said(five.runs[2], five.runs[3])[:2] == [
        "The data changed: span 2 to span 3; 152 rows before, 153 now.",
        "None of 2 features drifted.",
    ]


def test_the_interval_of_a_change_is_said_and_whether_it_holds_zero(five: Five):  # noqa: F811
    run = five.runs[0]
    old = dataclasses.replace(run, metrics={"auc": MetricValue(0.5, 0.375, 0.625)})
    new = dataclasses.replace(run, metrics={"auc": MetricValue(0.625, 0.5, 0.75)})
    assert said(old, new)[-1] == (
        "AUC rose by 0.125 (0.5 to 0.625); 95 % interval of the change: -0.0518 to 0.302, so it "
        "may be chance."
    )
    sure = dataclasses.replace(run, metrics={"auc": MetricValue(1.0, 0.875, 1.0)})
    assert said(old, sure)[-1] == (
        "AUC rose by 0.5 (0.5 to 1); 95 % interval of the change: 0.323 to 0.625."
    )
    assert said(old, old)[-1] == "AUC stayed at 0.5."


def test_names_from_data_cannot_forge_a_sentence(five: Five):  # noqa: F811
    run = five.runs[1]
    [alcohol, ph] = run.drift.scores
    evil = dataclasses.replace(alcohol, feature="x\n\x1b[31mred")
    drift = dataclasses.replace(run.drift, scores=(evil, ph))
    sentences = said(five.runs[0], dataclasses.replace(run, drift=drift))
    assert "x[U+000A][U+001B][31mred up" in sentences[1]
