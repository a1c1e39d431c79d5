"""What changed between two runs, and how it went with the metric."""

from __future__ import annotations

import dataclasses

import pytest
from scipy import stats

from benchmarks.stores import CSV, STATISTICS, TfxStore, write_statistics
from tests.lineage.conftest import Five, ramp
from tfx_wine_ext.lineage.moves import correlate, main_metric, move
from tfx_wine_ext.lineage.records import (
    DRIFT_REPORT,
    Correlation,
    MetricChange,
    MetricValue,
    Move,
    SettingChange,
)
from tfx_wine_ext.lineage.records import STATISTICS as STATISTICS_SOURCE
from tfx_wine_ext.lineage.runs import runs
from tfx_wine_ext.lineage.snapshot import Snapshot
from tfx_wine_ext.lineage.store import open_store


def test_the_whole_of_what_moved_between_two_runs(five: Five):
    moved = move(five.runs[0], five.runs[1])
    assert moved == Move(
        before="2026-01-01T00:00:00",
        after="2026-01-02T00:00:00",
        before_number=1,
        after_number=2,
        source=DRIFT_REPORT,
        features=five.runs[1].drift.scores,
        rows={"before": {"train": 101, "eval": 50}, "after": {"train": 102, "eval": 50}},
        data_changed=True,
        schema_changed=False,
        settings=(),
        components={"added": (), "removed": ()},
        metrics=(
            MetricChange("r2", 0.5, 0.25, -0.25, baseline=0.125, by_data=-0.375, by_model=0.125),
            MetricChange("mse", None, 0.75, baseline=0.875),
            MetricChange("example_count", 100.0, None),
        ),
        blessed={"before": True, "after": False},
        pushed={"before": "/serving/1", "after": None},
    )
    assert [(s.feature, s.verdict, s.direction) for s in moved.features] == [
        ("alcohol", "DRIFT", "up"),
        ("pH", "OK", None),
    ]


def test_a_model_compared_with_tells_nothing_unless_it_is_the_earlier_runs(five: Five):
    other = dataclasses.replace(five.runs[1], baseline_model_id=10_000)
    found = move(five.runs[0], other).metrics[0]
    assert (found.baseline, found.by_data, found.by_model) == (None, None, None)


def test_between_runs_on_the_same_data_no_feature_moved(five: Five):
    moved = move(five.runs[1], five.runs[2])
    assert (moved.source, moved.features, moved.data_changed) == (None, (), False)
    assert moved.settings == (
        SettingChange("WarmStartTrainer", "run_fn", "wine.trees.run_fn", "wine.dnn.run_fn"),
    )


def test_what_a_stopped_run_did_not_reach_is_not_removed(five: Five):
    assert move(five.runs[3], five.runs[4]).components == {"added": (), "removed": ()}


def test_a_report_against_another_baseline_does_not_speak_of_the_run_before(five: Five):
    moved = move(five.runs[1], five.runs[4])
    assert (moved.source, moved.features) == (None, ())


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
    moved = move(before, after)
    assert moved.source == STATISTICS_SOURCE
    worst = moved.features[0]
    assert (worst.feature, worst.verdict, worst.direction) == ("x", "DRIFT", "down")


def test_statistics_that_are_gone_leave_the_features_unknown(tmp_path):
    before, after = statistics_runs(tmp_path, {"x": ramp(0.0)}, {"x": ramp(9.0)})
    (tmp_path / "root/Stats/statistics/2/Split-train/FeatureStats.pb").unlink()
    moved = move(before, after)
    assert (moved.source, moved.features) == (None, ())
    assert [file.problem for file in moved.unread] == ["missing"]


def changed(run, **parts):
    """The run with other examples."""
    return dataclasses.replace(run, examples=dataclasses.replace(run.examples, **parts))


def test_another_schema_is_said_to_be_one(five: Five):
    run = changed(five.runs[1], schema_fingerprint="schema-2")
    assert move(five.runs[0], run).schema_changed is True
    run = changed(run, schema_fingerprint=None)
    assert move(five.runs[0], run).schema_changed is None


def test_components_that_come_and_go_are_named(five: Five):
    run = five.runs[1]
    fewer = dataclasses.replace(run, components=run.components[:-1])
    assert move(run, fewer).components == {"added": (), "removed": ("Pusher",)}
    assert move(fewer, run).components == {"added": ("Pusher",), "removed": ()}


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


def correlated(among):
    return correlate(among, None, [move(*pair) for pair in zip(among, among[1:])])


def test_a_correlation_is_that_of_ranks_over_neighbouring_runs(five: Five):
    sizes = [0.1, 0.2, 0.3, 0.4, 0.5]
    among = series(five.runs[1], sizes, [0.0, 5.0, 9.0, 12.0, 14.0, 15.0])
    # The changes are 5, 4, 3, 2, 1: the more x moved, the less r2 rose. Of 120 orders two are so.
    assert correlated(among) == [
        Correlation("x", "r2", pytest.approx(-1.0), 5, pytest.approx(2 / 120))
    ]


def test_a_correlation_is_scipys(five: Five):
    sizes = [0.3, 0.1, 0.4, 0.15, 0.9, 0.2, 0.6, 0.5]
    values = [0.0, 1.0, 3.0, 2.5, 2.0, 5.0, 5.5, 5.5, 9.0]
    changes = [new - old for old, new in zip(values, values[1:])]
    [found] = correlated(series(five.runs[1], sizes, values))
    expected = stats.spearmanr(sizes, changes)
    assert (found.rho, found.p_value) == (
        pytest.approx(expected[0]),
        pytest.approx(expected[1]),
    )
    exact = stats.permutation_test(
        (sizes[:6],),
        lambda x: stats.spearmanr(x, changes[:6])[0],
        permutation_type="pairings",
    )
    [found] = correlated(series(five.runs[1], sizes[:6], values[:7]))
    assert found.p_value == pytest.approx(exact.pvalue)


def test_three_pairs_are_too_few_for_a_correlation(five: Five):
    found = correlated(series(five.runs[1], [0.1, 0.2, 0.3], [0.0, 1.0, 3.0, 6.0]))
    assert found == [Correlation("x", "r2", None, 3, None)]


def test_what_never_changes_correlates_with_nothing(five: Five):
    [found] = correlated(series(five.runs[1], [0.1] * 5, [0.0, 1.0, 3.0, 6.0, 7.0, 9.0]))
    assert (found.rho, found.n, found.p_value) == (None, 5, None)


def test_runs_on_the_same_data_count_as_no_move(five: Five):
    among = series(five.runs[1], [0.1, 0.2, 0.3, 0.4], [0.0, 1.0, 3.0, 6.0, 10.0])
    again = dataclasses.replace(among[-1], metrics={"r2": MetricValue(10.5)})
    [found] = correlated([*among, again])
    assert (found.rho, found.n) == (pytest.approx(1.0), 5)
