import pickle

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tfx_wine_ext.drift import Verdict, compare, summarize
from tfx_wine_ext.drift.bins import categorical_bins, known_and_common, numeric_bins, quantile_edges
from tfx_wine_ext.drift.metrics import CategoricalPair, NumericPair
from tfx_wine_ext.drift.metrics.chi_square import chi_square
from tfx_wine_ext.drift.metrics.js import jensen_shannon
from tfx_wine_ext.drift.metrics.ks import kolmogorov_smirnov
from tfx_wine_ext.drift.metrics.l_infinity import l_infinity
from tfx_wine_ext.drift.metrics.psi import population_stability
from tfx_wine_ext.drift.metrics.unseen_mass import unseen_mass
from tfx_wine_ext.drift.metrics.wasserstein import wasserstein
from tfx_wine_ext.drift.sketches import SketchLimits, TableSketch
from tfx_wine_ext.drift.summaries import (
    CategoricalSummary,
    NumericDistribution,
    NumericSummary,
    text_of,
)

NAN, INF = float("nan"), float("inf")
# So small that a hundred values are compressed several times.
TINY = SketchLimits(numbers=5, buffer=8, categories=12, kept=6)


def sketched(table, limits=None, categorical=(), size=1000):
    sketch = TableSketch(categorical, limits=limits)
    for batch in pa.table(table).to_batches(size):
        sketch.add(batch)
    return sketch


def seen(side):
    """Everything that is known of a column, as literals."""
    if isinstance(side, NumericDistribution):
        steps = side.steps()
        infinite = (side.negative_infinity, side.positive_infinity)
        places = steps.points.tolist(), steps.cumulative.tolist()
        return *places, side.n, side.missing, side.nan, infinite, side.moments(), side.error
    counts = dict(sorted(zip(map(text_of, side.values), side.counts.tolist())))
    return counts, side.n, side.missing, side.error, side.distinct, side.distinct_is_estimate


def all_seen(sides):
    return {name: seen(side) for name, side in sides.items()}


@st.composite
def merged_sketches(draw, values):
    """A sketch of `values` that were cut into batches and merged in a random tree, and the values.

    The values are whatever `values` draws, for an Arrow column "x".
    """
    column = draw(values)
    cuts = sorted(draw(st.lists(st.integers(0, len(column)), max_size=6)))
    parts = [column[a:b] for a, b in zip([0, *cuts], [*cuts, len(column)])]
    sketches = []
    for part in parts:
        sketch = TableSketch(limits=TINY)
        size = draw(st.integers(1, 50))
        for start in range(0, len(part), size):
            sketch.add(pa.table({"x": part.slice(start, size)}))
        sketches.append(sketch)
    while len(sketches) > 1:
        one = sketches.pop(draw(st.integers(0, len(sketches) - 1)))
        other = sketches.pop(draw(st.integers(0, len(sketches) - 1)))
        if draw(st.booleans()):
            one = pickle.loads(pickle.dumps(one))
        sketches.append(one.merge(other))
    return sketches[0].summaries().get("x"), column


def arrow(elements, kind, **sizes):
    return st.lists(elements, **sizes).map(lambda values: pa.array(values, kind))


FEW_NUMBERS = arrow(
    st.one_of(st.integers(-2, 1).map(float), st.sampled_from([NAN, INF, -INF]), st.none()),
    pa.float64(),
    min_size=1,
    max_size=100,
)
# Many, in all orders, with ties and far outliers.
NUMBERS = st.tuples(
    st.integers(0, 2**32), st.sampled_from(["normal", "ties", "cauchy", "up", "down", "zigzag"])
).map(lambda drawn: pa.array(numbers(*drawn)))
WORDS = st.tuples(st.integers(0, 2**32), st.sampled_from([1.2, 2.0, 0.0])).map(
    lambda drawn: pa.array(words(*drawn))
)


def numbers(seed, shape):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(rng.integers(20, 400))
    if shape == "ties":
        return np.where(rng.random(len(values)) < 0.5, 0.0, values)
    if shape == "cauchy":
        return rng.standard_cauchy(len(values))
    if shape == "up":
        return np.sort(values)
    if shape == "down":
        return np.sort(values)[::-1].copy()
    if shape == "zigzag":
        values[::2] = np.sort(values[::2])
    return values


def words(seed, exponent):
    rng = np.random.default_rng(seed)
    size = rng.integers(20, 400)
    codes = rng.zipf(exponent, size) if exponent else rng.integers(0, 200, size)
    return np.char.add("w", (codes % 500).astype(str))


@given(merged_sketches(FEW_NUMBERS))
def test_with_few_distinct_numbers_a_sketch_is_the_exact_summary(drawn):
    sketch, column = drawn
    assert seen(sketch) == seen(summarize(pa.table({"x": column}))["x"])


@given(
    merged_sketches(
        arrow(st.one_of(st.sampled_from("abc"), st.none()), pa.string(), min_size=1, max_size=100)
    )
)
def test_with_few_categories_a_sketch_is_the_exact_summary(drawn):
    sketch, column = drawn
    assert seen(sketch) == seen(summarize(pa.table({"x": column}))["x"])


@given(merged_sketches(NUMBERS))
def test_a_cumulative_share_is_within_its_error_and_moments_are_exact(drawn):
    sketch, column = drawn
    values = np.sort(column.to_numpy())
    steps = sketch.steps()
    at = np.union1d(values, steps.points)
    wrong = np.abs(steps.at(at) - np.searchsorted(values, at, "right")) / len(values)
    assert wrong.max() <= sketch.error + 1e-12
    moved = stats.wasserstein_distance(values, steps.points, None, steps.counts)
    assert moved <= sketch.distance_error * (1 + 1e-9) + 1e-12
    assert steps.total == len(values)
    moments = sketch.moments()
    assert (moments.minimum, moments.maximum) == (values[0], values[-1])
    scale = np.abs(values).max()
    assert moments.mean == pytest.approx(values.mean(), rel=1e-9, abs=1e-12 * scale)
    assert moments.std == pytest.approx(values.std(), rel=1e-9)


@given(merged_sketches(NUMBERS), merged_sketches(NUMBERS))
def test_metrics_of_sketched_numbers_are_within_their_errors_of_the_exact_ones(old, new):
    (old, before), (new, after) = old, new
    exact = [NumericSummary.of(column.to_numpy()) for column in (before, after)]
    pairs = NumericPair(old, new), NumericPair(*exact)

    ks, truth = map(kolmogorov_smirnov, pairs)
    assert abs(ks.value - truth.value) <= ks.error + 1e-12
    assert truth.value == pytest.approx(stats.ks_2samp(before, after, method="asymp").statistic)

    w1, truth = map(wasserstein, pairs)
    assert abs(w1.value - truth.value) <= w1.error * (1 + 1e-9) + 1e-9
    distance = stats.wasserstein_distance(before, after)
    assert truth.details["distance"] == pytest.approx(distance)

    # In the same bins: with exact quantiles, the bins themselves would be slightly other ones.
    bins, edges = numeric_bins(old, new), quantile_edges(old.steps())
    counts = [np.diff([0, *side.steps().at(edges), len(side.values)]) for side in exact]
    if len(counts[0]) == len(bins.reference):
        for metric in (population_stability, jensen_shannon):
            found = metric(bins.reference, bins.current, bins.errors)
            assert abs(found.value - metric(*counts).value) <= found.error + 1e-9


@given(merged_sketches(WORDS))
def test_counts_of_categories_are_at_most_too_small_by_the_error(drawn):
    sketch, column = drawn
    truth = dict(zip(*np.unique(column.to_numpy(zero_copy_only=False), return_counts=True)))
    found = dict(zip(map(text_of, sketch.values), sketch.counts.tolist()))
    for value, count in truth.items():
        assert 0 <= count - found.get(value, 0) <= sketch.error * len(column) + 1e-9
    assert set(found) <= set(truth)
    assert sketch.error <= 1 / TINY.kept
    assert len(found) <= TINY.categories
    assert (sketch.n, sketch.distinct) == (len(column), pytest.approx(len(truth), rel=0.1))


@given(merged_sketches(WORDS), merged_sketches(WORDS))
def test_metrics_of_sketched_categories_are_within_their_errors_of_the_exact_ones(old, new):
    (old, before), (new, after) = old, new
    exact = CategoricalPair(CategoricalSummary.of(before), CategoricalSummary.of(after))
    pair = CategoricalPair(old, new)
    values, listed_old, listed_new = pair.aligned
    rest = tuple(len(x) - int(c.sum()) for x, c in ((before, listed_old), (after, listed_new)))

    found = l_infinity(listed_old, listed_new, old.error + new.error, rest)
    assert abs(found.value - l_infinity(*exact.aligned[1:]).value) <= found.error + 1e-12

    # The same categories, and one of all the rest.
    bins = categorical_bins(pair)
    common = known_and_common(pair)
    groups = {
        text_of(values[int(i)]): "(unseen)" if listed_old[i] == 0 else text_of(values[int(i)])
        for i in np.flatnonzero(common)
    }
    counts = np.zeros((2, len(bins.labels)))
    for row, side in enumerate((exact.reference, exact.current)):
        for name, count in side.as_dict().items():
            counts[row, bins.labels.index(groups.get(name, "(rare)"))] += count
    for metric in (population_stability, jensen_shannon, chi_square):
        found = metric(bins.reference, bins.current, bins.errors)
        assert abs(found.value - metric(*counts).value) <= found.error + 1e-9

    found = unseen_mass(pair)
    if not pair.taken_off[0]:
        truth = unseen_mass(exact)
        assert abs(found.value - truth.value) <= found.error + 1e-12


def test_a_sketch_is_exact_until_something_is_lost():
    table = {"x": np.arange(30_000.0), "word": np.arange(100_000).astype(str)[:30_000]}
    sketch = sketched(table)
    assert (sketch.method, sketch.rows) == ("exact", 30_000)
    assert all_seen(sketch.summaries()) == all_seen(summarize(pa.table(table)))
    sketch.add(pa.table({"x": np.arange(30_000.0) + 0.5}))
    assert sketch.method == "sketch"


def test_many_rows_of_few_numbers_stay_exact():
    values = np.arange(100_000) % 10_000
    sketch = sketched({"x": values})
    assert sketch.method == "exact"
    assert seen(sketch.summaries()["x"]) == seen(NumericSummary.of(values.astype(float)))


def test_heavy_ties_stay_where_they_are_when_numbers_are_compressed():
    rng = np.random.default_rng(1)
    values = np.where(rng.random(200_000) < 0.7, 0.0, rng.random(200_000))
    found = sketched({"x": values}).summaries()["x"]
    share = found.steps().at(np.array([0.0]))[0] / len(values)
    assert share == pytest.approx(np.mean(values == 0), abs=found.error)
    assert 0 < found.error < 5e-5


@pytest.mark.parametrize("shape", ["up", "down", "random", "zigzag"])
def test_the_error_of_a_million_numbers_is_small_in_every_order(shape):
    values = np.random.default_rng(2).standard_normal(1_000_000)
    ordered = np.sort(values)
    if shape == "up":
        values = ordered
    elif shape == "down":
        values = ordered[::-1].copy()
    elif shape == "zigzag":
        values = np.stack([ordered[:500_000], ordered[::-1][:500_000]], axis=1).ravel()
    found = sketched({"x": values}, size=10_000).summaries()["x"]
    steps = found.steps()
    true = np.searchsorted(ordered, steps.points, "right")
    assert np.abs(true - steps.cumulative).max() / 1e6 <= found.error <= 1e-4
    assert len(steps.points) < 200_000
    assert found.distance_error < 1e-3


def test_nearly_unique_strings_are_held_in_little_memory_and_do_not_drift():
    rng = np.random.default_rng(3)
    sides = [
        sketched({"x": rng.integers(0, 10**9, 300_000).astype(str)}, size=50_000) for _ in range(2)
    ]
    found = sides[0].summaries()["x"]
    assert (sides[0].method, found.distinct_is_estimate) == ("sketch", True)
    assert found.distinct == pytest.approx(300_000, rel=0.05)
    assert found.error <= 1 / 50_000
    assert len(pickle.dumps(sides[0])) < 3_000_000
    (feature,) = compare(*(side.summaries() for side in sides)).features
    assert feature.verdict is Verdict.OK


def test_long_values_are_held_in_bounded_memory_too():
    sketch = TableSketch(limits=SketchLimits(category_bytes=1_000_000))
    common = b"c" * 1000
    sizes = []
    for part in range(50):
        images = [b"%06d" % (part * 100 + i) + bytes(10_000) for i in range(100)]
        sketch.add(pa.table({"image": images + [common] * 50}))
        sizes.append(len(pickle.dumps(sketch)))
    assert max(sizes) < 3_000_000
    found = sketch.summaries()["image"]
    count = found.counts[found.values.to_pylist().index(common)]
    assert 0 <= 2500 - count <= found.error * 7500
    assert found.error <= 0.02
    assert found.distinct == pytest.approx(5001, rel=0.05)


def zipf_words(rng, size):
    """1,000 common words, and a long tail that no sketch keeps."""
    codes = np.where(
        rng.random(size) < 0.5, rng.integers(0, 1000, size), rng.integers(1000, 10**8, size)
    )
    return codes.astype(str)


def test_values_that_fell_out_of_a_sketch_are_neither_unseen_nor_drift():
    rng = np.random.default_rng(4)
    before, after = (zipf_words(rng, 400_000) for _ in range(2))
    limits = SketchLimits(categories=10_000, kept=5_000)
    sketches = [sketched({"x": x}, limits, size=20_000).summaries() for x in (before, after)]
    exact = [summarize(pa.table({"x": x})) for x in (before, after)]
    for sides in (sketches, [sketches[0], exact[1]], [exact[0], sketches[1]]):
        (feature,) = compare(*sides).features
        assert feature.verdict is Verdict.OK, feature.reasons


def test_a_new_common_value_is_found_by_sketches_too():
    rng = np.random.default_rng(5)
    before, after = (zipf_words(rng, 400_000) for _ in range(2))
    after[:8_000] = "new"
    limits = SketchLimits(categories=10_000, kept=5_000)
    sides = [sketched({"x": x}, limits, size=20_000).summaries() for x in (before, after)]
    metric = compare(*sides).features[0].metrics["unseen_mass"]
    # 2 % are surely new; the other half of the values, and what counts lack, cannot be told.
    assert metric.value - metric.error == pytest.approx(0.02, abs=0.001)
    assert metric.value + metric.error == pytest.approx(0.55, abs=0.05)
    assert metric.verdict is Verdict.DRIFT


def test_an_unseen_mass_that_cannot_be_told_is_inconclusive():
    rng = np.random.default_rng(6)
    before, after = (zipf_words(rng, 400_000) for _ in range(2))
    after[:2_000] = "new"
    limits = SketchLimits(categories=10_000, kept=5_000)
    sides = [sketched({"x": x}, limits, size=20_000).summaries() for x in (before, after)]
    assert compare(*sides).features[0].metrics["unseen_mass"].verdict is Verdict.INCONCLUSIVE


def test_the_verdicts_of_sketches_are_those_of_the_data():
    rng = np.random.default_rng(7)
    before = {"x": rng.standard_normal(100_000), "y": np.exp(rng.standard_normal(100_000))}
    after = {"x": rng.standard_normal(100_000) + 0.5, "y": np.exp(rng.standard_normal(100_000))}
    sides = [sketched(side, size=20_000) for side in (before, after)]
    assert [side.method for side in sides] == ["sketch", "sketch"]
    found = compare(*(side.summaries() for side in sides))
    exact = compare(pa.table(before), pa.table(after))
    assert [f.verdict.value for f in found.features] == ["DRIFT", "OK"]
    assert [f.verdict for f in found.features] == [f.verdict for f in exact.features]
    assert found.features[0].baseline["mean"] == pytest.approx(before["x"].mean(), rel=1e-9)
    assert found.features[0].metrics["wasserstein"].value == pytest.approx(
        exact.features[0].metrics["wasserstein"].value, abs=1e-3
    )


@pytest.mark.parametrize(
    "column",
    [
        pa.array([3, None, 1], pa.int8()),
        pa.array([True, False, None]),
        pa.array([2.5, NAN, INF, -INF, -INF, None]),
        pa.array([1, 2], pa.timestamp("s")),
        pa.array(["a", "b", "a", None]),
        pa.array(["b", None, "b"]).dictionary_encode(),
        pa.array([[1, 2], [], None, [None, 3]]),
        pa.array([["a"], ["a", None]], pa.large_list(pa.string())),
        pa.array([None, None]),
        pa.array([None, None], pa.int64()),
        pa.array([], pa.float32()),
        pa.array([NAN, INF]),
    ],
)
def test_every_kind_of_column_is_as_in_a_summary(column):
    table = pa.table({"x": column})
    sketch = TableSketch()
    sketch.add(table)
    assert all_seen(sketch.summaries()) == all_seen(summarize(table))


def test_codes_are_categories_where_they_are_named():
    found = sketched({"x": [1, 2, 2, None]}, categorical=("x",)).summaries()["x"]
    assert seen(found) == ({"1": 1, "2": 2}, 4, 1, 0.0, 2, False)


def test_a_column_that_some_batches_lack_is_missing_there_and_then():
    sketch = TableSketch()
    sketch.add(pa.table({"x": [1.0, 2.0]}))
    sketch.add(pa.table({"word": ["a"]}))
    sketch.add(pa.table({"x": [3.0]}))
    found = sketch.summaries()
    assert list(found) == ["x", "word"]
    assert (found["x"].n, found["x"].missing) == (4, 1)
    assert (found["word"].n, found["word"].missing) == (4, 3)
    other = TableSketch()
    other.add(pa.table({"y": [7]}))
    merged = sketch.merge(other)
    assert merged is sketch
    assert [(name, x.n, x.missing) for name, x in merged.summaries().items()] == [
        ("x", 5, 2),
        ("word", 5, 4),
        ("y", 5, 4),
    ]
    assert other.rows == 1


def test_a_column_without_values_takes_the_kind_of_later_batches():
    for later in ([1.5], ["a"]):
        for first in (pa.nulls(2), pa.nulls(2, pa.string()), pa.nulls(2, pa.int8())):
            sketch = TableSketch()
            sketch.add(pa.table({"x": first}))
            sketch.add(pa.table({"x": later}))
            expected = summarize(pa.table({"x": pa.array([None, None, *later])}))
            assert all_seen(sketch.summaries()) == all_seen(expected)


def test_what_is_ignored_need_not_be_comparable():
    sketch = TableSketch(ignore=("where",))
    sketch.add(pa.table({"x": [1], "where": [{"lat": 1.0}]}))
    assert list(sketch.summaries()) == ["x"]


def test_a_sketch_without_rows_is_empty():
    sketch = TableSketch()
    assert (sketch.rows, sketch.method, sketch.summaries()) == (0, "exact", {})
    with pytest.raises(ValueError, match="the current data have no rows"):
        compare(sketch.summaries(), {})


def test_a_sketch_knows_the_columns_that_it_ignores_and_those_that_a_reader_passed_over():
    sketch, other = TableSketch(ignore=("id",)), TableSketch(ignore=("id",))
    sketch.add(pa.table({"id": [1], "x": [1]}))
    other.add_names(["y"])
    assert sketch.merge(other).names == {"id", "x", "y"}


@pytest.mark.parametrize(
    ("kinds", "bits"),
    [((pa.int64(),), 64), ((pa.float64(), pa.float32()), 24), ((pa.int8(), pa.float64()), 53)],
)
@pytest.mark.parametrize("categorical", [(), ("x",)])
def test_a_sketch_is_as_precise_as_its_coarsest_part(kinds, bits, categorical):
    sketch = TableSketch(categorical)
    for kind in (*kinds, pa.null()):
        part = TableSketch(categorical)
        part.add(pa.table({"x": pa.array([None, *([] if kind == pa.null() else [1])], kind)}))
        sketch.merge(part)
    found = sketch.summaries()["x"]
    assert (found.numbers if categorical else found.precision).bits == bits


def test_a_sketch_survives_pickling_in_every_state():
    rng = np.random.default_rng(8)
    table = {"x": rng.standard_normal(300), "word": words(9, 0.0)[:300], "n": [1] * 300}
    table = {name: list(column)[:200] for name, column in table.items() if len(column) >= 200}
    sketch = sketched(table, TINY, size=20)
    again = pickle.loads(pickle.dumps(sketch))
    assert all_seen(again.summaries()) == all_seen(sketch.summaries())
    again.add(pa.table(table))
    sketch.add(pa.table(table))
    assert all_seen(again.summaries()) == all_seen(sketch.summaries())


def test_numbers_in_one_batch_and_words_in_another_are_refused_by_name():
    message = "column 'x' is numeric in one batch and categorical in another: cast it"
    sketch = sketched({"x": [1]})
    with pytest.raises(ValueError, match=message):
        sketch.add(pa.table({"x": ["a"]}))
    with pytest.raises(ValueError, match=message):
        sketched({"x": ["a"]}).merge(sketch)


@pytest.mark.parametrize(
    ("batch", "error", "message"),
    [
        ({"x": [1]}, TypeError, "expected a pyarrow RecordBatch or Table, found dict"),
        (pa.table({"x": [{"y": 1}]}), TypeError, "column 'x' is of type struct"),
        (pa.table([[1], [2]], ["x", "x"]), ValueError, r"distinct, found \['x'\] more than once"),
    ],
)
def test_what_is_no_batch_of_columns_is_refused(batch, error, message):
    with pytest.raises(error, match=message):
        TableSketch().add(batch)


def test_sketches_of_different_limits_are_not_merged():
    with pytest.raises(ValueError, match="must have the same limits, found SketchLimits"):
        TableSketch().merge(TableSketch(limits=TINY))
    with pytest.raises(ValueError, match=r"same categorical, found frozenset\(\) and frozenset"):
        TableSketch().merge(TableSketch(categorical=["x"]))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"numbers": -1}, "numbers must be at least 0, found -1"),
        ({"buffer": 1}, "buffer must be at least 2, found 1"),
        ({"category_bytes": 0}, "category_bytes must be at least 1, found 0"),
        ({"kept": 0}, r"kept must be at least 1 and below categories \(100000\), found 0"),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits, message):
    with pytest.raises(ValueError, match=message):
        SketchLimits(**limits)


@settings(max_examples=20)
@given(st.lists(st.floats(allow_nan=False), min_size=20, max_size=60))
def test_the_largest_floats_do_not_overflow(values):
    found = sketched({"x": values}, TINY, size=5).summaries()["x"]
    if found.moments() is not None:
        assert np.isfinite([found.moments().mean, found.moments().std, found.distance_error]).all()
    compare({"x": found}, {"x": NumericSummary.of(np.array(values))}).to_dict()
