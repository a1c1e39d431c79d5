"""What changed between two runs is said in numbers and in sentences, and never as a cause."""

from __future__ import annotations

import dataclasses
import json

import pytest
from scipy import stats

from benchmarks.stores import CSV, STATISTICS, TfxStore, write_statistics
from tests.lineage.conftest import Five, ramp
from tfx_wine_ext.lineage.evaluation import MetricValue
from tfx_wine_ext.lineage.moved import (
    correlations,
    difference,
    main_metric,
    same_data,
    what_moved,
)
from tfx_wine_ext.lineage.runs import runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.lineage.store import open_store


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
    five: Five, drifted, warned, known, sentence
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
    moved = what_moved(before, dataclasses.replace(after, drift=drift, statistics=None))
    found = [text for text in moved["sentences"] if "of 12 features" in text]
    assert found == [sentence]


def test_the_whole_of_what_moved_between_two_runs(five: Five):
    moved = what_moved(five.runs[0], five.runs[1])
    scores = moved.pop("features")
    assert [(s["feature"], s["verdict"], s["direction"]) for s in scores] == [
        ("alcohol", "DRIFT", "up"),
        ("pH", "OK", None),
    ]
    assert moved == {
        "before": "2026-01-01T00:00:00",
        "after": "2026-01-02T00:00:00",
        "before_number": 1,
        "after_number": 2,
        "source": "drift report",
        "rows": {"before": {"train": 101, "eval": 50}, "after": {"train": 102, "eval": 50}},
        "data_changed": True,
        "schema_changed": False,
        "settings": [],
        "components": {"added": [], "removed": []},
        "metrics": [
            {
                "name": "r2",
                "before": 0.5,
                "after": 0.25,
                "change": -0.25,
                "lower": None,
                "upper": None,
                "baseline": 0.125,
                "by_data": -0.375,
                "by_model": 0.125,
            },
            {
                "name": "mse",
                "before": None,
                "after": 0.75,
                "change": None,
                "lower": None,
                "upper": None,
                "baseline": 0.875,
                "by_data": None,
                "by_model": None,
            },
            {
                "name": "example_count",
                "before": 100.0,
                "after": None,
                "change": None,
                "lower": None,
                "upper": None,
                "baseline": None,
                "by_data": None,
                "by_model": None,
            },
        ],
        "blessed": {"before": True, "after": False},
        "pushed": {"before": "/serving/1", "after": None},
        "unread": [],
        "sentences": [
            "The data changed: span 1 to span 2; 151 rows before, 152 now.",
            "1 of 2 features drifted; most: alcohol up (mean 4.97 to 9.97).",
            f"The model continues from model {five.ids[0]['model']}: warm start, generation 1.",
            "R2 fell by 0.25 (0.5 to 0.25). The earlier model has 0.125 on the new data, which is "
            "0.375 lower; the new model is 0.125 higher.",
            "The model was not blessed.",
            "No model was pushed.",
        ],
    }


def test_a_model_compared_with_tells_nothing_unless_it_is_the_earlier_runs(five: Five):
    other = dataclasses.replace(five.runs[1], baseline_model_id=10_000)
    found = what_moved(five.runs[0], other)["metrics"][0]
    assert (found["baseline"], found["by_data"], found["by_model"]) == (None, None, None)


def test_between_runs_on_the_same_data_no_feature_moved(five: Five):
    moved = what_moved(five.runs[1], five.runs[2])
    assert (moved["source"], moved["features"], moved["data_changed"]) == (None, [], False)
    assert moved["settings"] == [
        {
            "component": "WarmStartTrainer",
            "parameter": "run_fn",
            "before": "wine.trees.run_fn",
            "after": "wine.dnn.run_fn",
        }
    ]
    assert moved["sentences"] == [
        "The data are the same.",
        "1 setting changed: WarmStartTrainer.run_fn.",
        f"The model continues from model {five.ids[1]['model']}: warm start, generation 2.",
        "R2 rose by 0.5 (0.25 to 0.75).",
        "Mse fell by 0.25 (0.75 to 0.5).",
        "The model was blessed.",
        "A model was pushed.",
    ]


def test_data_that_changed_without_drift_are_said_to(five: Five):
    moved = what_moved(five.runs[2], five.runs[3])
    assert moved["sentences"][:2] == [
        "The data changed: span 2 to span 3; 152 rows before, 153 now.",
        "None of 2 features drifted.",
    ]


def test_what_a_stopped_run_did_not_reach_is_not_removed(five: Five):
    moved = what_moved(five.runs[3], five.runs[4])
    assert moved["components"] == {"added": [], "removed": []}
    assert moved["sentences"] == [
        "DriftReport failed: The data drifted from span 3, split train: 1 of 2 features drifted.",
        "The data changed: span 3 to span 4; 153 rows before, 154 now.",
        "1 of 2 features drifted; most: alcohol up (mean 9.97 to 14).",
        "1 setting changed: DriftReport.mode.",
        "No model was evaluated.",
        "No model was pushed.",
    ]


def test_a_report_against_another_baseline_does_not_speak_of_the_run_before(five: Five):
    moved = what_moved(five.runs[1], five.runs[4])
    assert (moved["source"], moved["features"]) == (None, [])
    assert moved["sentences"][1:3] == [
        "The data changed: span 2 to span 4; 152 rows before, 154 now.",
        "The drift report compares with other data than the earlier run's, span 3.",
    ]


def statistics_runs(folder, *datasets):
    store = TfxStore(folder)
    for number, values in enumerate(datasets, 1):
        store.run(f"run {number}")
        [examples] = store.component(
            "Gen", CSV, outputs={"examples": ("Examples", {"span": number})}
        ).values()
        [statistics] = store.component(
            "Stats",
            STATISTICS,
            inputs={"examples": [examples]},
            outputs={"statistics": ("ExampleStatistics", {})},
        ).values()
        write_statistics(store.uri(statistics), {"train": values})
    return runs(Snapshot.read(open_store(store.path)))


def test_without_a_drift_report_the_statistics_of_both_runs_are_compared(tmp_path):
    before, after = statistics_runs(
        tmp_path, {"x": ramp(0.0), "y": ramp(0.0)}, {"x": ramp(-9.0), "y": [*ramp(0.0), 5.0]}
    )
    moved = what_moved(before, after)
    assert moved["source"] == "statistics"
    worst = moved["features"][0]
    assert (worst["feature"], worst["verdict"], worst["direction"]) == ("x", "DRIFT", "down")
    assert moved["sentences"][1].startswith(
        "By the statistics, 1 of 2 features drifted; most: x down (mean 4.97 to -4.03)"
    )


def test_statistics_that_are_gone_leave_the_features_unknown(tmp_path):
    before, after = statistics_runs(tmp_path, {"x": ramp(0.0)}, {"x": ramp(9.0)})
    (tmp_path / "root/Stats/statistics/2/Split-train/FeatureStats.pb").unlink()
    moved = what_moved(before, after)
    assert (moved["source"], moved["features"]) == (None, [])


def changed(run, **parts):
    """The run with other examples."""
    return dataclasses.replace(run, examples=dataclasses.replace(run.examples, **parts))


def test_data_are_the_same_by_identity_by_content_or_by_nothing(five: Five):
    run = five.runs[0]
    assert same_data(run, changed(run, id=99)) is True
    assert same_data(run, changed(run, id=99, content_fingerprint="other")) is False
    assert same_data(run, changed(run, id=99, rows={"train": 1})) is False
    unknown = changed(run, id=99, content_fingerprint=None)
    assert same_data(run, unknown) is None
    assert same_data(run, changed(unknown, rows={"train": 1})) is False
    assert same_data(run, dataclasses.replace(run, examples=None)) is None


def test_another_schema_is_said_to_be_one(five: Five):
    run = changed(five.runs[1], schema_fingerprint="schema-2")
    moved = what_moved(five.runs[0], run)
    assert moved["schema_changed"] is True
    assert "Columns or their types changed." in moved["sentences"]
    run = changed(run, schema_fingerprint=None)
    assert what_moved(five.runs[0], run)["schema_changed"] is None


def test_components_that_come_and_go_are_named(five: Five):
    run = five.runs[1]
    fewer = dataclasses.replace(run, components=run.components[:-1])
    assert what_moved(run, fewer)["components"] == {"added": [], "removed": ["Pusher"]}
    assert what_moved(fewer, run)["components"] == {"added": ["Pusher"], "removed": []}
    assert "Added: Pusher." in what_moved(fewer, run)["sentences"]


def test_the_interval_of_a_change_is_said_and_whether_it_holds_zero(five: Five):
    run = five.runs[0]
    old = dataclasses.replace(run, metrics={"auc": MetricValue(0.5, 0.375, 0.625)})
    new = dataclasses.replace(run, metrics={"auc": MetricValue(0.625, 0.5, 0.75)})
    assert what_moved(old, new)["sentences"][-1] == (
        "AUC rose by 0.125 (0.5 to 0.625); 95 % interval of the change: -0.0518 to 0.302, so it "
        "may be chance."
    )
    sure = dataclasses.replace(run, metrics={"auc": MetricValue(1.0, 0.875, 1.0)})
    assert what_moved(old, sure)["sentences"][-1] == (
        "AUC rose by 0.5 (0.5 to 1); 95 % interval of the change: 0.323 to 0.625."
    )
    assert what_moved(old, old)["sentences"][-1] == "AUC stayed at 0.5."


def test_an_interval_of_a_change_is_that_of_independent_normal_means():
    # Of two normal means with standard errors 3 and 4 the difference has 5.
    z = stats.norm.ppf(0.975)
    found = difference(
        MetricValue(10.0, 10.0 - 3 * z, 10.0 + 3 * z), MetricValue(12.0, 12.0 - 4 * z, 12.0 + 4 * z)
    )
    assert found == pytest.approx((2.0, 2.0 - 5 * z, 2.0 + 5 * z))


def test_a_value_that_is_not_known_has_no_change():
    assert difference(MetricValue(None), MetricValue(1.0)) == (None, None, None)


def test_names_from_data_cannot_forge_a_sentence(five: Five):
    run = five.runs[1]
    [alcohol, ph] = run.drift.scores
    evil = dataclasses.replace(alcohol, feature="x\n\x1b[31mred")
    drift = dataclasses.replace(run.drift, scores=(evil, ph))
    moved = what_moved(five.runs[0], dataclasses.replace(run, drift=drift))
    assert "x[U+000A][U+001B][31mred up" in moved["sentences"][1]


def test_the_main_metric_is_the_one_that_blesses(five: Five):
    assert main_metric(five.runs) == "r2"
    loose = [dataclasses.replace(run, evaluation=None) for run in five.runs]
    metrics = {"loss": MetricValue(1.0), "example_count": MetricValue(1.0), "a": MetricValue(1.0)}
    assert main_metric([dataclasses.replace(loose[0], metrics=metrics)]) == "a"
    only_loss = {"loss": MetricValue(1.0)}
    assert main_metric([dataclasses.replace(loose[0], metrics=only_loss)]) == "loss"
    assert main_metric([]) is None


def series(run, scores, values):
    """Runs whose x moved by `scores` and whose r2 is `values`, one more than scores."""
    found = []
    for number, value in enumerate(values):
        score = dataclasses.replace(run.drift.scores[0], feature="x", threshold=0.5)
        if number:
            score = dataclasses.replace(score, score=scores[number - 1])
        found.append(
            dataclasses.replace(
                changed(run, id=100 + number, content_fingerprint=str(number)),
                drift=dataclasses.replace(run.drift, baseline_id=99 + number, scores=(score,)),
                metrics={"r2": MetricValue(value)},
            )
        )
    return found


def test_a_correlation_is_that_of_ranks_over_neighbouring_runs(five: Five):
    sizes = [0.1, 0.2, 0.3, 0.4, 0.5]
    among = series(five.runs[1], sizes, [0.0, 5.0, 9.0, 12.0, 14.0, 15.0])
    # The changes are 5, 4, 3, 2, 1: the more x moved, the less r2 rose. Of 120 orders two are so.
    assert correlations(among) == [
        {
            "feature": "x",
            "metric": "r2",
            "rho": pytest.approx(-1.0),
            "n": 5,
            "p_value": pytest.approx(2 / 120),
        }
    ]


def test_a_correlation_is_scipys(five: Five):
    sizes = [0.3, 0.1, 0.4, 0.15, 0.9, 0.2, 0.6, 0.5]
    values = [0.0, 1.0, 3.0, 2.5, 2.0, 5.0, 5.5, 5.5, 9.0]
    changes = [new - old for old, new in zip(values, values[1:])]
    [found] = correlations(series(five.runs[1], sizes, values))
    expected = stats.spearmanr(sizes, changes)
    assert (found["rho"], found["p_value"]) == (
        pytest.approx(expected[0]),
        pytest.approx(expected[1]),
    )
    exact = stats.permutation_test(
        (sizes[:6],),
        lambda x: stats.spearmanr(x, changes[:6])[0],
        permutation_type="pairings",
    )
    [found] = correlations(series(five.runs[1], sizes[:6], values[:7]))
    assert found["p_value"] == pytest.approx(exact.pvalue)


def test_three_pairs_are_too_few_for_a_correlation(five: Five):
    found = correlations(series(five.runs[1], [0.1, 0.2, 0.3], [0.0, 1.0, 3.0, 6.0]))
    assert found == [{"feature": "x", "metric": "r2", "rho": None, "n": 3, "p_value": None}]


def test_what_never_changes_correlates_with_nothing(five: Five):
    [found] = correlations(series(five.runs[1], [0.1] * 5, [0.0, 1.0, 3.0, 6.0, 7.0, 9.0]))
    assert (found["rho"], found["n"], found["p_value"]) == (None, 5, None)


def test_runs_on_the_same_data_count_as_no_move(five: Five):
    among = series(five.runs[1], [0.1, 0.2, 0.3, 0.4], [0.0, 1.0, 3.0, 6.0, 10.0])
    again = dataclasses.replace(among[-1], metrics={"r2": MetricValue(10.5)})
    [found] = correlations([*among, again])
    assert (found["rho"], found["n"]) == (pytest.approx(1.0), 5)


def test_what_moved_is_json(five: Five):
    for before, after in zip(five.runs, five.runs[1:]):
        json.dumps(what_moved(before, after), allow_nan=False)
