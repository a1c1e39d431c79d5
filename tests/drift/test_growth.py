from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa
import pytest

from tfx_wine_ext.drift import DriftConfig, SketchLimits, TableSketch, Verdict, compare
from tfx_wine_ext.drift.reasons import BeyondLimit

SMALL = SketchLimits(numbers=50, buffer=64, categories=20, kept=10)
RNG = np.random.default_rng(7)
SORTED = np.sort(RNG.normal(0, 1, 2000) * 1000).round().astype(np.int64)


def days(first, count, rows=500):
    start = datetime.date(2026, 1, 1) + datetime.timedelta(days=first)
    return pa.array([start + datetime.timedelta(days=i % count) for i in range(rows)], pa.date32())


def seconds(first, rows=500):
    return pa.array(first + np.arange(rows) * 977, pa.timestamp("s"))


def sketched(values):
    """A summary that is compressed, fed in pieces in random order."""
    sketch = TableSketch(limits=SMALL)
    table = pa.table({"x": values})
    table = table.take(np.random.default_rng(1).permutation(table.num_rows))
    for batch in table.to_batches(100):
        sketch.add(batch)
    return sketch.summaries()


BOTH_WAYS = pytest.mark.parametrize("side", [lambda x: pa.table({"x": x}), sketched])
CERTAIN = {
    "running numbers": (np.arange(1000), np.arange(1000, 1700)),
    "running numbers of another age": (np.arange(1000), np.arange(90_000, 90_700)),
    "two thirds of running numbers": (
        np.sort(RNG.permutation(1500)[:1000]),
        1500 + np.sort(RNG.permutation(1500)[:1000]),
    ),
    "whole numbers as doubles": (np.arange(1000.0), np.arange(1000.0, 1700.0)),
    "dates": (days(0, 30), days(30, 30)),
    "one date a span": (days(0, 1), days(1, 1)),
    "times": (seconds(1_767_225_600), seconds(1_769_904_000)),
    "dates in Examples": (
        np.arange(20_454, 20_484).repeat(20) * 86_400_000_000,
        np.arange(20_484, 20_514).repeat(20) * 86_400_000_000,
    ),
}
LIKELY = {
    "file offsets": (np.cumsum(RNG.integers(60, 200, 500)), 10**6 + np.cumsum(np.full(500, 99))),
    "a window of dates that moves on": (days(0, 30), days(20, 30)),
    "birthdays": (days(-15_000, 9000, 5000), days(-5000, 4000, 5000)),
}
NONE = {
    "a temperature in fractions": (RNG.random(500) * 10, 20 + RNG.random(500) * 10),
    "a temperature in whole degrees": (np.arange(500) % 10, 20 + np.arange(500) % 10),
    "thirty distinct whole numbers": (np.arange(30), np.arange(30) + 30),
    "whole numbers of a dense range, drawn with repetition": (
        RNG.integers(0, 1000, 1000),
        RNG.integers(1000, 2000, 1000),
    ),
    "a table sorted by a measurement and cut": (SORTED[:1000], SORTED[1000:]),
    "numbers that go down": (np.arange(1000, 1700), np.arange(1000)),
    "numbers that overlap": (np.arange(1000), np.arange(900, 1600)),
    "each number twice": (np.arange(1000) // 2, 500 + np.arange(1000) // 2),
    "dates that go back": (days(30, 30), days(0, 30)),
    "durations": (
        pa.array(np.arange(500), pa.duration("s")),
        pa.array(np.arange(500, 900), pa.duration("s")),
    ),
}


@BOTH_WAYS
@pytest.mark.parametrize("name", CERTAIN)
def test_a_column_that_certainly_grows_does_not_drift(name, side):
    [found] = compare(*map(side, CERTAIN[name])).features
    assert found.growth is not None
    assert (found.verdict, found.growth.certain, found.growth.judged) == (Verdict.OK, True, False)
    assert {name for name, x in found.metrics.items() if x.q_value is None} == {
        "psi", "js", "ks", "wasserstein"
    }  # fmt: skip
    assert found.metrics["ks"].value > 0.9
    assert found.metrics["ks"].threshold is None


@BOTH_WAYS
@pytest.mark.parametrize("name", LIKELY)
def test_a_column_that_seems_to_grow_is_judged_and_said(name, side):
    [found] = compare(*map(side, LIKELY[name])).features
    assert found.growth is not None
    assert (found.growth.certain, found.growth.judged) == (False, True)
    assert found.verdict is Verdict.DRIFT


@BOTH_WAYS
@pytest.mark.parametrize("name", NONE)
def test_what_is_no_id_and_no_date_drifts_as_ever(name, side):
    old, new = NONE[name]
    found = compare(side(old), side(new))
    assert found.verdict is not Verdict.OK
    if name != "a table sorted by a measurement and cut":  # Advice, at most.
        assert found.features[0].growth is None
    else:
        assert found.features[0].verdict is Verdict.DRIFT


@pytest.mark.parametrize("seed", range(20))
def test_no_shifted_measurement_in_whole_numbers_is_taken_for_an_id(seed):
    rng = np.random.default_rng(seed)
    size, width = int(rng.integers(50, 400)), int(rng.integers(20, 2000))
    old = rng.integers(0, width, size)
    new = width + rng.integers(0, width, size)
    [found] = compare(pa.table({"x": old}), pa.table({"x": new})).features
    assert found.verdict is Verdict.DRIFT


def test_many_numbers_that_are_drawn_are_not_certainly_an_id_in_a_sketch():
    rng = np.random.default_rng(5)
    old, new = (first + rng.integers(0, 6000, 5000) for first in (0, 6000))

    def side(values):
        sketch = TableSketch(limits=SMALL)
        for batch in pa.table({"x": values}).to_batches(64):
            sketch.add(batch)
        return sketch.summaries()

    [found] = compare(side(old), side(new)).features
    assert found.verdict is Verdict.DRIFT


@pytest.mark.parametrize(
    "config",
    [
        {"critical": ("x",)},
        {"features": {"x": {"ks": 0.5}}},
        {"importances": {"x": 1.0}},
    ],
)
def test_a_growing_column_that_the_config_names_is_judged(config):
    old, new = ({"x": x} for x in CERTAIN["running numbers"])
    result = compare(pa.table(old), pa.table(new), DriftConfig(**config))
    [found] = result.features
    assert found.growth is not None
    assert (found.verdict, found.growth.certain, found.growth.judged) == (Verdict.DRIFT, True, True)


def test_missing_values_of_a_growing_column_are_judged():
    old = pa.array(np.arange(1000))
    new = pa.array(np.arange(1000, 2000), mask=np.arange(1000) % 5 == 0)
    [found] = compare(pa.table({"x": old}), pa.table({"x": new})).features
    assert (found.verdict, found.reasons) == (
        Verdict.DRIFT,
        (BeyondLimit("missing_rate", 0.2, 0.05),),
    )


def test_a_growing_column_does_not_ease_the_verdict_on_others():
    x = RNG.normal(0, 1, (2, 200))
    alone = compare(*(pa.table({"x": side}) for side in x))
    ids = np.arange(200), np.arange(200, 400)
    beside = compare(*(pa.table({"x": side, "id": i}) for side, i in zip(x, ids)))
    p_values = {name: metric.p_value for name, metric in alone.features[0].metrics.items()}
    assert {n: m.p_value for n, m in beside.features[0].metrics.items()} == p_values
    q_values = {name: metric.q_value for name, metric in alone.features[0].metrics.items()}
    # The missing and infinite values of the id are two more tests that find nothing.
    assert all(
        m.q_value is not None and m.q_value >= (q_values[n] or 0)
        for n, m in beside.features[0].metrics.items()
    )


def test_the_classifier_does_not_see_a_growing_column():
    x = np.random.default_rng(3).normal(0, 1, (2, 400))
    sides = [pa.table({"x": x[i], "id": np.arange(400) + 400 * i}) for i in (0, 1)]
    found = compare(*sides, DriftConfig(classifier=True))
    assert found.multivariate is not None
    assert found.multivariate.verdict is not Verdict.DRIFT
    assert found.verdict is not Verdict.DRIFT


def test_statistics_of_tfx_tell_dates_and_advise_about_ids():
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import statistics_pb2

    from tfx_wine_ext.drift.from_statistics import statistics_summaries

    def side(low, high, count):
        ends = np.linspace(low, high, 11).astype(np.int64)
        text = "".join(
            f"buckets {{ low_value: {a} high_value: {b} sample_count: {count / 10} }} "
            for a, b in zip(ends[:-1], ends[1:])
        )
        return statistics_summaries(
            text_format.Parse(
                f"num_examples: {count} features {{ path {{ step: 'x' }} type: INT num_stats {{ "
                f"common_stats {{ num_non_missing: {count} min_num_values: 1 max_num_values: 1 "
                f"tot_num_values: {count} }} mean: {(low + high) / 2} std_dev: {(high - low) / 4} "
                f"min: {low} max: {high} histograms {{ type: QUANTILES {text} }} }} }}",
                statistics_pb2.DatasetFeatureStatistics(),
            )
        )

    [ids] = compare(side(1, 1000, 1000), side(1001, 2000, 1000)).features
    assert ids.growth is not None
    assert (ids.growth.certain, ids.growth.judged) == (False, True)
    day = 86_400_000_000
    ends = [(20_450, 20_460), (20_461, 20_471)]
    [dates] = compare(*(side(a * day, b * day, 1000) for a, b in ends)).features
    assert (dates.time, dates.verdict) == ("date", Verdict.OK)
