import numpy as np
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import statistics_pb2

from tfx_wine_ext.drift import Verdict, compare, from_statistics
from tfx_wine_ext.drift.from_statistics import statistics_summaries
from tfx_wine_ext.drift.reasons import OnlyCounted

NAN, INF = float("nan"), float("inf")


def numeric(buckets, *, quantiles=None, kind="FLOAT", missing=0, nan=0, lists="", **stats):
    """The statistics of a feature "x" as text: buckets are (low, high, count)."""
    total = round(sum(count for _, _, count in buckets)) + nan
    common = lists or (
        f"num_non_missing: {total} num_missing: {missing} min_num_values: 1 max_num_values: 1 "
        f"tot_num_values: {total}"
    )
    shown = " ".join(f"{name}: {value}" for name, value in stats.items())
    both = [("STANDARD", buckets), *([("QUANTILES", quantiles)] if quantiles else [])]
    histograms = " ".join(
        f"histograms {{ type: {which} num_nan: {nan} "
        + " ".join(
            f"buckets {{ low_value: {low} high_value: {high} sample_count: {count} }}"
            for low, high, count in rows
        )
        + "}"
        for which, rows in both
    )
    return (
        f'features {{ path {{ step: "x" }} type: {kind} num_stats {{ '
        f"common_stats {{ {common} }} {shown} {histograms} }} }}"
    )


def read(text):
    return statistics_summaries(text_format.Parse(text, statistics_pb2.DatasetFeatureStatistics()))


def at(summary, *points):
    return summary.steps().at(np.array(points)).tolist()


def test_values_are_spread_over_their_bucket_and_the_error_says_that_they_may_not_be():
    found = read(numeric([(0, 10, 80), (10, 20, 20)], mean=7, std_dev=4, min=0, max=20))["x"]
    assert at(found, 0.0, 5.0, 10.0, 15.0, 20.0) == [0, 40, 80, 90, 100]
    assert found.error == pytest.approx(0.8 + 0.01)
    # At most all 80 at one end of their bucket and all 20 at one of theirs: 5 on average.
    assert found.distance_error == pytest.approx(5 * 17 / 16 + 0.01 * 20)
    moments = found.moments()
    assert (moments.minimum, moments.maximum, moments.mean, moments.std) == (0, 20, 7, 4)


def test_two_histograms_know_more_than_one():
    standard = [(0, 10, 80), (10, 20, 20)]
    found = read(numeric(standard, quantiles=[(0, 4, 50), (4, 20, 50)]))["x"]
    assert at(found, 4.0, 10.0, 20.0) == [50, 80, 100]
    assert found.error == pytest.approx(0.5 + 0.01)


def test_integers_are_whole_and_where_there_is_room_for_one_only_it_is_known():
    found = read(numeric([(1, 2, 30), (2, 3, 50), (3, 4, 20)], kind="INT"))["x"]
    assert found.steps().points.tolist() == [1, 2, 3, 4]
    assert at(found, 1.0, 2.0, 3.0, 4.0) == [15, 30, 80, 100]
    assert found.error == pytest.approx(0.3 / 2 + 0.01)
    found = read(numeric([(1, 1, 30), (1, 2, 50), (2, 3, 20)], kind="INT"))["x"]
    assert (found.steps().points.tolist(), at(found, 1.0, 2.0)) == ([1, 2, 3], [30, 80])
    assert found.error == 0.01


def test_the_number_of_zeros_is_known():
    found = read(numeric([(0, 10, 100)], num_zeros=60))["x"]
    assert at(found, -1.0, 0.0, 10.0) == [0, 60, 100]
    assert found.error == pytest.approx(0.4 + 0.01)
    found = read(numeric([(-5, 5, 100)], num_zeros=60))["x"]
    assert at(found, -0.001, 0.0, 5.0) == [pytest.approx(20, abs=2), 80, 100]


def test_nan_infinities_and_missing_values_are_counted_apart():
    standard = [("-inf", "-inf", 2), (0, 1, 10), (1, 2, 10), ("inf", "inf", 3)]
    quantiles = [("-inf", 1, 12), (1, "inf", 13)]
    text = numeric(standard, quantiles=quantiles, nan=4, missing=5, mean="nan", max="inf")
    found = read(text)["x"]
    rest = found.nan, found.negative_infinity, found.positive_infinity
    assert (found.n, found.missing, rest) == (34, 5, (4, 2, 3))
    assert at(found, 0.0, 1.0, 2.0) == [0, 10, 20]
    assert found.moments().maximum == 2.0


def test_only_nan_is_no_value():
    found = read(numeric([], nan=7))["x"]
    assert (found.n, found.nan, found.steps().total, found.moments()) == (7, 7, 0, None)


@pytest.mark.parametrize(
    ("lists", "missing"),
    [
        # 8 lists of at most one value hold 5: three are empty.
        ("num_non_missing: 8 num_missing: 2 max_num_values: 1 tot_num_values: 5", 2 + 3),
        ("num_non_missing: 8 num_missing: 2 min_num_values: 1 max_num_values: 3 "
         "tot_num_values: 5", 2),
        # Of longer ones the histogram of their lengths tells.
        ("num_non_missing: 8 max_num_values: 2 tot_num_values: 5 num_values_histogram { "
         "buckets { high_value: 0 sample_count: 4.2 } buckets { high_value: 2 sample_count: 3.8 } "
         "}", 4),
    ],
)  # fmt: skip
def test_values_are_counted_as_by_the_exact_mode(lists, missing):
    found = read(numeric([(0, 1, 5)], lists=lists))["x"]
    assert (found.n, found.missing) == (5 + missing, missing)


def strings(counts, unique, total, missing=0):
    ranks = " ".join(
        f'buckets {{ low_rank: {i} high_rank: {i} label: "{label}" sample_count: {count} }}'
        for i, (label, count) in enumerate(counts.items())
    )
    return (
        'features { path { step: "word" } type: STRING string_stats { '
        f"common_stats {{ num_non_missing: {total} num_missing: {missing} min_num_values: 1 "
        f"max_num_values: 1 tot_num_values: {total} }} unique: {unique} "
        f"rank_histogram {{ {ranks} }} }} }}"
    )


def test_all_categories_are_known_exactly():
    found = read(strings({"a": 6, "b": 4}, 2, 10, missing=3))["word"]
    assert (found.values.to_pylist(), found.counts.tolist()) == ([b"a", b"b"], [6, 4])
    assert (found.n, found.missing, found.error, found.distinct) == (13, 3, 0.0, 2)


def test_a_category_that_is_not_listed_is_at_most_as_frequent_as_the_last_one():
    found = read(strings({"a": 60, "b": 8}, 9, 100))["word"]
    assert (found.counts.sum(), found.n, found.error) == (68, 100, 0.08)
    many = read(strings({"a": 60_000, "b": 100}, 20_000, 100_000))["word"]
    # TFDV's own Misra-Gries sketch of 16,384 buckets may lack 7 of each.
    assert many.error == pytest.approx((100 + 7) / 100_000)


def test_of_images_only_the_number_is_known():
    text = (
        'features { path { step: "image" } type: BYTES bytes_stats { common_stats { '
        "num_non_missing: 90 num_missing: 10 min_num_values: 1 max_num_values: 1 "
        "tot_num_values: 90 } unique: 88 avg_num_bytes: 1000 } }"
    )
    (feature,) = compare(read(text), read(text)).features
    assert (feature.verdict, feature.n_current) == (Verdict.INCONCLUSIVE, 100)
    assert feature.reasons == (OnlyCounted(),)
    assert list(feature.metrics) == ["missing_rate"]


def test_nested_features_are_named_by_their_path_and_structs_left_out():
    text = 'features { path { step: "place" } type: STRUCT struct_stats { } }' + numeric(
        [(0, 1, 5)]
    ).replace('step: "x"', 'step: "place" step: "x"')
    assert list(read(text)) == ["place.x"]


def test_what_statistics_gen_would_not_write_is_refused():
    with pytest.raises(ValueError, match="feature 'x' is in the statistics more than once"):
        read(numeric([(0, 1, 5)]) * 2)
    common = "common_stats { num_non_missing: 5 tot_num_values: 5 min_num_values: 1 }"
    with pytest.raises(ValueError, match="feature 'x' has no histogram in the statistics"):
        read(f'features {{ path {{ step: "x" }} num_stats {{ {common} }} }}')


def test_large_drift_is_certain_and_small_drift_is_not():
    before = read(numeric([(i, i + 1, 100) for i in range(10)]))
    far = read(numeric([(i, i + 1, 100) for i in range(8, 18)]))
    near = read(numeric([(i, i + 1, 100) for i in range(1, 11)]))
    assert [compare(before, x).features[0].verdict for x in (before, far, near)] == [
        Verdict.OK,
        Verdict.DRIFT,
        Verdict.INCONCLUSIVE,
    ]


@pytest.mark.parametrize("count", [-3, 9])
def test_numbers_of_values_that_cannot_be_are_refused_by_feature(count):
    text = """num_examples: 3 features { path { step: "x" } type: STRING
      string_stats { common_stats { tot_num_values: 3 num_non_missing: 3 min_num_values: 1
          max_num_values: 1 }
        rank_histogram { buckets { label: "a" sample_count: COUNT } } } }"""
    statistics = text_format.Parse(
        text.replace("COUNT", str(count)), statistics_pb2.DatasetFeatureStatistics()
    )
    with pytest.raises(ValueError, match=r"feature 'x' has numbers of values .* contradict each"):
        statistics_summaries(statistics)


def spread_bucket_by_bucket(x, start, end, inside, whole):
    """The plain way to do what `_spread` does for all buckets at once."""
    points, upto, error, distance = [x[:1]], [np.zeros(1)], 0.0, 0.0
    for index, (low, high) in enumerate(zip(x[:-1], x[1:])):
        places = np.linspace(low, high, 17)
        if whole:
            places = np.unique(np.floor(places))
            places = places[places >= low] if places[-1] >= low else places[-1:]
        first = whole and index == 0 and start[0] == 0
        if len(places) > 1 and places[0] == low and not first:
            places = places[1:]
        count = len(places)
        points += [np.array([low]), places]
        shares = np.arange(1, count + 1) / count
        upto += [start[[index]], start[index] + (end[index] - start[index]) * shares]
        every = whole and high - low <= 16
        error = max(error, inside[index] * (1 - 1 / count if every else 1.0))
        distance += inside[index] * (high - low) * (0.5 + 0.5 / count)
    everywhere, cumulative = np.concatenate([*points, x[-1:]]), np.concatenate([*upto, end[-1:]])
    order = np.argsort(everywhere, kind="stable")
    everywhere, cumulative = everywhere[order], np.maximum.accumulate(cumulative[order])
    last = np.flatnonzero(np.append(everywhere[1:] != everywhere[:-1], True))
    return everywhere[last].tolist(), cumulative[last].tolist(), error, distance


@pytest.mark.filterwarnings("ignore:(overflow|invalid)")  # As the range of doubles is exceeded.
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    "of_a_bucket",
    [
        lambda random, n: random.normal(0, 1, n),
        lambda random, n: random.integers(-40, 40, n).astype(float),
        lambda random, n: random.integers(-40, 40, n) / 4,
        lambda random, n: random.integers(0, 2**53, n).astype(float),
        lambda random, n: random.normal(0, 1e-300, n),
        lambda random, n: random.integers(0, 40, n) * 5e-324,
        lambda random, n: np.append(random.normal(0, 1, n), [-1.7e308, 1.7e308]),
        lambda random, n: np.zeros(1),
    ],
)
def test_buckets_spread_at_once_are_those_spread_one_by_one(of_a_bucket, whole):
    random = np.random.default_rng(1)
    for size in (1, 2, 3, 12, 30):
        for start_at in (0, 3):
            x = np.unique(of_a_bucket(random, size))
            start = np.cumsum(random.integers(0, 9, len(x)) + random.random(len(x)))
            start[0] = start_at
            end = start + random.random(len(x)) * 4
            points, upto, *errors = from_statistics._spread(x, start, end, end - start, whole)
            found = points.tolist(), upto.tolist(), *errors
            np.testing.assert_equal(
                found, spread_bucket_by_bucket(x, start, end, end - start, whole)
            )


@pytest.mark.parametrize("ends", [[1.0, 1.0, 2.0, 5.0], [2.0, 1.0, 5.0, 1.0], [1.0, NAN, 2.0, 3.0]])
def test_counts_up_to_a_point_are_the_sum_of_those_that_end_before(ends):
    ends, counts = np.repeat(ends, 5), np.random.default_rng(1).random(20)
    x = np.array([0.0, 1.0, 1.5, 2.0, 9.0])
    expected = [counts[ends <= y].sum() for y in x]
    assert from_statistics._upto(ends, counts, x).tolist() == expected
