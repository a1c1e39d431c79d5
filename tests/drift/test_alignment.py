"""The same data in two precisions are the same; data that differ by a small step are not."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfx_wine_ext.drift import DriftConfig, SketchLimits, TableSketch, Verdict, compare
from tfx_wine_ext.drift.alignment import on_common_numbers
from tfx_wine_ext.drift.from_statistics import FLOATS
from tfx_wine_ext.drift.precision import Precision
from tfx_wine_ext.drift.sketches import SketchedNumbers
from tfx_wine_ext.drift.summaries import NumericSummary, Steps, is_numeric

RNG = np.random.default_rng(5)
ROWS = 2000
V = RNG.choice(
    [0.07, 0.1, 0.2, 0.3, 0.7, 9.4, 10.533333333333333, 0.99154, 1e6 + 0.1, -2.675], ROWS
)
W = RNG.random(ROWS) * 9 + 0.1
V32, W32 = V.astype(np.float32), W.astype(np.float32)
DAY = 86_400_000_000
TWELVE = np.arange(ROWS) % 12


def with_small(x):
    return np.where(V < 0.2, x, V)


with np.errstate(over="ignore", under="ignore"):
    SAME = {
        "double and float32": (V, V32),
        "a product and its quotient": (V, V * 1.1 / 1.1),
        "the same in float32": (V32, V32 * np.float32(1.1) / np.float32(1.1)),
        "by another column": (V, V * W / W),
        "by another column in float32": (V32, V32 * W32 / W32),
        "both by another column": (V * W / W, V / W * W),
        "a quotient in double against float32": (V * W / W, V32),
        "quotients in both precisions": (V32 * W32 / W32, V * W / W),
        "a sum and its difference": (V, (V + 100) - 100),
        "there and back in Fahrenheit": (V, ((V * 9 / 5 + 32) - 32) * 5 / 9),
        "15 digits": (V / 3, np.array([float(f"{x:.15g}") for x in V / 3])),
        "7 digits": (V32, np.array([float(f"{x:.7g}") for x in V])),
        "float16 and double": ((V % 1000).astype(np.float16), V % 1000),
        "float16 and float32": ((V % 1000).astype(np.float16), (V % 1000).astype(np.float32)),
        "a constant": (np.full(ROWS, 1234567.891), np.full(ROWS, 1234567.891, np.float32)),
        "a large constant": (np.full(ROWS, 1e15 + 0.3) * W / W, np.full(ROWS, 1e15 + 0.3)),
        "integers and float32": (2**25 + TWELVE, (2**25 + TWELVE).astype(np.float32)),
        "integers and double": (2**60 + TWELVE * 10, (2**60 + TWELVE * 10).astype(np.float64)),
        "too large for float32": (with_small(1e300), with_small(1e300).astype(np.float32)),
        "too small for float32": (with_small(1e-46), with_small(1e-46).astype(np.float32)),
        "subnormal in float32": (with_small(3e-42), with_small(3e-42).astype(np.float32)),
        "zeros of both signs": (with_small(-0.0), with_small(0.0)),
        "NaN and null": (with_small(np.nan), pa.array(V, mask=V < 0.2)),
        "decimals": (pa.array(np.round(V, 2)).cast(pa.decimal128(20, 2)), np.round(V, 2)),
        "micro- and nanoseconds before 1970": (
            pa.array((-1500 - TWELVE * 100) // 1000).cast(pa.timestamp("us")),
            pa.array(-1500 - TWELVE * 100).cast(pa.timestamp("ns")),
        ),
        "seconds and microseconds": (
            pa.array(TWELVE * 86_400).cast(pa.timestamp("s")),
            pa.array(TWELVE * DAY + 123_456).cast(pa.timestamp("us")),
        ),
        "dates and timestamps": (
            pa.array(TWELVE.astype(np.int32)).cast(pa.date32()),
            pa.array(TWELVE * DAY + DAY // 3).cast(pa.timestamp("us")),
        ),
        "timestamps and what Examples hold of them": (
            pa.array(TWELVE * 86_400).cast(pa.timestamp("s")),
            TWELVE * DAY,
        ),
        "the far future": (pa.array(TWELVE * 10**13).cast(pa.timestamp("s")), TWELVE * 1e19),
        "doubles that were float32": (V, V32.astype(np.float64)),
        "lists": (
            pa.array([[x, 2 * x] for x in V]),
            pa.array([[x, 2 * x] for x in V], pa.list_(pa.float32())),
        ),
    }


def results(before, after, config=None, limits=None):
    """By tables, and by sketches that must compress them, if `limits` are given."""
    before, after = (pa.table({"x": x}) for x in (before, after))
    config = config or DriftConfig()
    if limits is None:
        return compare(before, after, config)
    sides = []
    for table in (before, after):
        sketch = TableSketch(config.categorical, limits=limits)
        for batch in table.to_batches(100):
            sketch.add(batch)
        sides.append(sketch.summaries())
    return compare(sides[0], sides[1], config)


@pytest.mark.parametrize("categorical", [(), ("x",)], ids=["numbers", "codes"])
@pytest.mark.parametrize("name", SAME)
def test_the_same_data_in_two_precisions_are_the_same_to_the_last_metric(name, categorical):
    for before, after in (SAME[name], SAME[name][::-1]):
        result = results(before, after, DriftConfig(categorical=categorical))
        assert result.verdict is Verdict.OK
        (feature,) = result.features
        assert {name: metric.value for name, metric in feature.metrics.items()} == dict.fromkeys(
            feature.metrics, 0.0
        )


@pytest.mark.parametrize("name", SAME)
def test_sketches_of_the_same_data_are_ok(name):
    result = results(*SAME[name], limits=SketchLimits(numbers=4, buffer=256))
    assert result.verdict is Verdict.OK
    for name, metric in result.features[0].metrics.items():
        assert metric.value <= metric.error or metric.value <= 0.01, name


@pytest.mark.parametrize("name", ["double and float32", "by another column", "lists", "decimals"])
def test_a_classifier_does_not_tell_precisions_apart(name):
    before, after = SAME[name]
    result = results(before, after, DriftConfig(classifier=True))
    assert result.verdict is Verdict.OK
    assert result.multivariate.auc < 0.55


U = RNG.choice([0.07, 0.2, 0.3], ROWS)
MOVED = U.copy()
MOVED[np.flatnonzero(U == 0.07)[: ROWS // 5]] = 0.0701


def moved_by_one(base, kind):
    before = base + np.arange(ROWS) % 3 * 4
    after = before.copy()
    after[np.flatnonzero(np.arange(ROWS) % 3 == 0)[: ROWS // 5]] += 1
    return before.astype(kind), after.astype(kind)


SHIFTED = {
    "doubles": (U, MOVED),
    "float32": (U.astype(np.float32), MOVED.astype(np.float32)),
    "double and float32": (U, MOVED.astype(np.float32)),
    "float32 and double": (U.astype(np.float32), MOVED),
    "float16, whose neighbours are as near": (U.astype(np.float16), MOVED.astype(np.float16)),
    "decimals": tuple(pa.array(np.round(x, 4)).cast(pa.decimal128(20, 4)) for x in (U, MOVED)),
    "float32, the 100,000th part": (
        U.astype(np.float32),
        np.where(MOVED == 0.0701, 0.0700007, MOVED).astype(np.float32),
    ),
    "whole numbers in float32": moved_by_one(2**23, np.float32),
    "whole numbers in double": moved_by_one(2**52, np.float64),
    "integers": moved_by_one(2**52, np.int64),
    "seconds": tuple(pa.array(x).cast(pa.timestamp("s")) for x in moved_by_one(10**9, np.int64)),
}


@pytest.mark.parametrize("categorical", [(), ("x",)], ids=["numbers", "codes"])
@pytest.mark.parametrize("limits", [None, SketchLimits(numbers=2, buffer=64)])
@pytest.mark.parametrize("name", SHIFTED)
def test_one_small_step_of_a_fifth_of_the_rows_is_drift(name, limits, categorical):
    for before, after in (SHIFTED[name], SHIFTED[name][::-1]):
        result = results(before, after, DriftConfig(categorical=categorical), limits)
        assert result.verdict is Verdict.DRIFT
        assert result.features[0].metrics["js"].value == pytest.approx(0.36, abs=0.02)


def test_a_classifier_sees_one_small_step():
    result = results(U, MOVED.astype(np.float32), DriftConfig(classifier=True))
    assert result.multivariate.verdict is Verdict.DRIFT


def test_integers_as_codes_are_told_apart_beyond_what_a_float_can():
    ids = 2**60 + np.arange(40) % 2
    (feature,) = results(ids, np.full(40, 2**60), DriftConfig(categorical=("x",))).features
    assert feature.metrics["l_infinity"].value == 0.5


def test_codes_are_written_as_short_as_their_precision_allows():
    config = DriftConfig(categorical=("x",))
    (feature,) = results(U, U.astype(np.float32), config).features
    assert sorted(feature.histogram["values"]) == ["0.07", "0.2", "0.3"]


def test_nan_among_codes_are_missing():
    config = DriftConfig(categorical=("x",))
    codes = np.where(np.arange(100) % 4 == 0, np.nan, np.arange(100) % 4)
    (feature,) = results(codes, pa.array(codes, from_pandas=True), config).features
    assert (feature.baseline["missing"], feature.current["missing"]) == (25, 25)


def test_a_sketch_of_codes_that_become_one_says_that_it_does_not_know_how_many():
    ids = 2**25 + np.arange(2000) % 9
    config, limits = DriftConfig(categorical=("x",)), SketchLimits(categories=6, kept=4)
    result = results(ids, ids.astype(np.float32), config, limits)
    assert result.verdict is Verdict.INCONCLUSIVE


def test_statistics_of_floats_are_taken_for_those_of_float32():
    def side(points):
        steps = Steps(np.array(points), np.array([50, 100]))
        return {"x": SketchedNumbers(steps, precision=FLOATS)}

    (feature,) = compare(side([0.1, 0.3]), side([0.1, 0.3 + 1e-8])).features
    assert (feature.verdict, feature.metrics["ks"].value) == (Verdict.OK, 0.0)


PARTS = st.lists(
    st.lists(
        st.sampled_from([0.1, 0.1 + 1e-9, 0.1 - 1e-9, 0.3, 0.30001, -0.1, 0.0, 5.0, 1e39, -1e39]),
        min_size=30,
        max_size=40,
    ),
    min_size=1,
    max_size=4,
)


@given(PARTS, PARTS, st.randoms())
def test_neither_the_order_of_parts_nor_that_of_rows_makes_a_difference(old, new, random):
    def sketch(parts):
        merged = TableSketch()
        for part in parts:
            one = TableSketch()
            kind = np.float32 if len(part) % 2 else np.float64
            with np.errstate(over="ignore"):
                one.add(pa.table({"x": np.array(part).astype(kind)}))
            merged.merge(one)
        return merged.summaries()

    def judged():
        result = compare(sketch(old), sketch(new))
        metrics = [
            (name, metric.value, metric.verdict)
            for feature in result.features
            for name, metric in feature.metrics.items()
            # Means and deviations of parts add up to the same but for the last digits.
            if name != "wasserstein"
        ]
        return result.verdict, metrics

    before = judged()
    for parts in (old, new):
        for part in parts:
            random.shuffle(part)
        random.shuffle(parts)
    assert judged() == before


@given(PARTS, PARTS)
def test_what_is_symmetric_stays_so(old, new):
    one = NumericSummary.of(np.concatenate(old), precision=Precision(24))
    other = NumericSummary.of(np.concatenate(new))
    a, b = on_common_numbers(one, other)
    d, c = on_common_numbers(other, one)
    for x, y in ((a, c), (b, d)):
        assert is_numeric(x)
        assert is_numeric(y)
        assert x.steps().points.tolist() == y.steps().points.tolist()
        assert x.steps().cumulative.tolist() == y.steps().cumulative.tolist()
        assert (x.n, x.negative_infinity) == (y.n, y.negative_infinity)
