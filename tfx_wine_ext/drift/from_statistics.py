"""Summaries from the statistics of TFX's StatisticsGen, without reading any example again.

ExampleStatistics hold, for each numeric feature, ten buckets of equal counts and ten of equal
width, and for each string feature the most frequent values. The places of the values within a
bucket are unknown. The summaries state this as their `error`, so metrics whose verdict depends on
it become INCONCLUSIVE. The default buckets are so wide that only large drift is certain;
StatisticsGen with ``StatsOptions(num_quantiles_histogram_buckets=100, num_histogram_buckets=100)``
gives ten times narrower ones.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tfx_wine_ext.drift.precision import EXACT, Precision
from tfx_wine_ext.drift.sketches import SketchedCategories, SketchedNumbers
from tfx_wine_ext.drift.summaries import Counts, Distribution, Floats, Moments, Steps, last_of_equal

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import statistics_pb2

# TFDV's sketches: the default of `StatsOptions.epsilon`, and the buckets of its Misra-Gries sketch.
QUANTILE_ERROR, FREQUENCY_BUCKETS = 0.01, 16_384
# FLOAT features of Examples are float32; statistics do not say from what they were computed.
FLOATS = Precision(24)
# The number of places over which the values of one bucket are spread.
_PLACES = 16


def statistics_summaries(
    statistics: statistics_pb2.DatasetFeatureStatistics,
) -> dict[str, Distribution]:
    """Reads the summaries of all features from the statistics of one split.

    - Integers, booleans and floats: the buckets of both histograms together. Values are spread
      evenly within a bucket (over its whole numbers if the feature has integers). Zeros, range,
      mean, standard deviation, NaN and infinities are exact.
    - Strings, and integers that the schema calls categorical: the ranks, of which StatisticsGen
      keeps at most 1,000. A value that is not listed is at most as frequent as the last listed one.
    - Features with known lengths only (images): the number of values, with an error of 1.
    - Values are counted as in `summaries`: an empty list is a missing value. If some lists have
      several values, the number of empty lists is known only to within a bucket. Null elements
      cannot be told from absent ones.
    - Structs have no values of their own and are left out. Weights are not read.

    Args:
        statistics: ``tensorflow_metadata.proto.v0.statistics_pb2.DatasetFeatureStatistics``, made
            with TFDV's default `epsilon` or a smaller one.

    Returns:
        The summaries by feature; names of nested features are joined by dots.

    Raises:
        ValueError: Two features have the same name, a numeric feature with values has no
            histogram, or numbers of values contradict each other.

    Example:
        >>> from google.protobuf import text_format
        >>> from tensorflow_metadata.proto.v0 import statistics_pb2
        >>> text = '''num_examples: 4 features { path { step: "x" } type: INT num_stats {
        ...   common_stats { num_non_missing: 3 num_missing: 1 min_num_values: 1
        ...     max_num_values: 1 tot_num_values: 3 }
        ...   mean: 2 std_dev: 0.8165 min: 1 max: 3 histograms { type: QUANTILES
        ...     buckets { low_value: 1 high_value: 3 sample_count: 3 } } } }'''
        >>> found = statistics_summaries(
        ...     text_format.Parse(text, statistics_pb2.DatasetFeatureStatistics()))["x"]
        >>> found.n, found.missing, found.steps().points, round(found.error, 2)
        (4, 1, array([1., 2., 3.]), 0.68)
    """
    summaries: dict[str, SketchedNumbers | SketchedCategories] = {}
    for feature in statistics.features:
        name = ".".join(feature.path.step) or feature.name
        kind = feature.WhichOneof("stats")
        if kind not in ("num_stats", "string_stats", "bytes_stats"):
            continue
        if name in summaries:
            raise ValueError(f"feature {name!r} is in the statistics more than once")
        if kind == "num_stats":
            summaries[name] = _numbers(name, feature)
        elif kind == "string_stats":
            numbers = EXACT if feature.type == feature.INT else None
            summaries[name] = _categories(feature.string_stats, numbers)
        else:
            summaries[name] = _lengths_only(feature.bytes_stats)
        _check_counts(name, summaries[name])
    return dict(summaries)


def _check_counts(name: str, summary: SketchedNumbers | SketchedCategories) -> None:
    """Refuses impossible numbers of values: the file is damaged, or not from StatisticsGen."""
    known = summary.steps().counts if isinstance(summary, SketchedNumbers) else summary.counts
    present = summary.n - summary.missing
    too_many = known.sum() > present + len(known)  # Each number was rounded.
    if summary.missing < 0 or present < 0 or known.min(initial=0) < 0 or too_many:
        raise ValueError(
            f"feature {name!r} has numbers of values in the statistics that contradict each "
            "other: they are damaged; run StatisticsGen again"
        )


def _missing(common: statistics_pb2.CommonStatistics) -> int:
    """The number of null lists, and of empty ones, which TFDV counts as present."""
    if common.min_num_values > 0 or not common.num_non_missing:
        return int(common.num_missing)
    lists, values = int(common.num_non_missing), int(common.tot_num_values)
    # All other lists have at least one value, and at most the largest number of values.
    most = lists - math.ceil(values / common.max_num_values) if common.max_num_values else lists
    empty = sum(
        bucket.sample_count
        for bucket in common.num_values_histogram.buckets
        if bucket.high_value == 0
    )
    missing = min(max(round(empty), lists - values, 1), most)
    return int(common.num_missing) + int(missing)


def _numbers(name: str, feature: statistics_pb2.FeatureNameStatistics) -> SketchedNumbers:
    stats = feature.num_stats
    missing, total = _missing(stats.common_stats), int(stats.common_stats.tot_num_values)
    nan = max((round(histogram.num_nan) for histogram in stats.histograms), default=0)
    if total and not stats.histograms:
        raise ValueError(
            f"feature {name!r} has no histogram in the statistics: expected those of StatisticsGen"
        )
    histograms = [_buckets(histogram) for histogram in stats.histograms]
    ends = np.concatenate([np.zeros(0), *(x for pair in histograms for x in pair[:2])])
    are_finite = np.isfinite(ends)
    infinite = [0, 0]
    if not are_finite.all():
        infinite = [max(_at(end, x) for x in histograms) for end in (-np.inf, np.inf)]
    finite = total - nan - sum(infinite)
    rest = (missing, nan, infinite[0], infinite[1])
    ends = np.sort(ends[are_finite])
    if finite <= 0 or not len(ends):
        return SketchedNumbers(Steps(np.zeros(0), np.zeros(0, np.int64)), *rest)
    low, high = float(ends.min()), float(ends.max())
    moments = None
    if math.isfinite(stats.mean) and math.isfinite(stats.std_dev) and not sum(infinite):
        moments = Moments(stats.min, stats.max, stats.mean, stats.std_dev)
    x = np.union1d(ends, [0.0] if stats.num_zeros and low <= 0 <= high else [])
    least, most = _bounds(x, histograms, infinite[0], finite)
    least, most, start, end = _know_zeros(x, least, most, int(stats.num_zeros))
    whole = feature.type == 0  # INT, booleans included.
    points, upto, error, distance = _spread(x, start, end, most - least, whole)
    cumulative = np.round(upto).astype(np.int64)
    kept = np.flatnonzero(np.diff(cumulative, prepend=0))
    return SketchedNumbers(
        Steps(points[kept], cumulative[kept]),
        *rest,
        error=min(error / finite + QUANTILE_ERROR, 1.0),
        distance_error=distance / finite + QUANTILE_ERROR * (high - low),
        exact_moments=moments,
        precision=EXACT.with_time_shown_by(ends) if whole else FLOATS,
    )


_Buckets = tuple[Floats, Floats, Floats]


def _buckets(histogram: statistics_pb2.Histogram) -> _Buckets:
    rows = [(x.low_value, x.high_value, x.sample_count) for x in histogram.buckets]
    lows, highs, counts = np.array(rows, np.float64).reshape(-1, 3).T
    return lows, highs, counts


def _at(value: float, buckets: _Buckets) -> int:
    lows, highs, counts = buckets
    return round(float(counts[(lows == value) & (highs == value)].sum()))


def _bounds(
    x: Floats, histograms: list[_Buckets], below: int, finite: int
) -> tuple[Floats, Floats]:
    """Least and largest number of finite values <= y, for any y from each x up to the next x."""
    least, most = np.zeros(len(x)), np.full(len(x), float(finite))
    for lows, highs, counts in histograms:
        if not len(lows):
            continue
        # If a bucket ends in infinity, its finite part ends at the largest finite value.
        ends = np.where(np.isposinf(highs) & ~np.isposinf(lows), x[-1], highs)
        least = np.maximum(least, _upto(ends, counts, x) - below)
        most = np.minimum(most, _upto(lows, counts, x) - below)
    least = np.clip(np.maximum.accumulate(least), 0, finite)
    least[-1] = most[-1] = finite
    # Both histograms are estimates. If they contradict each other, take the middle.
    crossed = most < least
    least[crossed] = most[crossed] = (least[crossed] + most[crossed]) / 2
    return np.maximum.accumulate(least), np.minimum.accumulate(most[::-1])[::-1]


def _upto(ends: Floats, counts: Floats, x: Floats) -> Floats:
    """Sums of the counts of the ends <= each of x."""
    if not (ends[:-1] <= ends[1:]).all():
        return np.array([counts[ends <= y].sum() for y in x])
    sums = np.array([counts[:number].sum() for number in range(len(counts) + 1)])
    return np.asarray(sums[np.searchsorted(ends, x, "right")])


def _know_zeros(
    x: Floats, least: Floats, most: Floats, zeros: int
) -> tuple[Floats, Floats, Floats, Floats]:
    """Narrows the bounds at 0, since the exact number of zeros is known.

    Returns:
        `least` and `most`, and the start and end of the values to spread from each x to the next.
    """
    most = np.maximum(most, least)
    at = int(np.searchsorted(x, 0.0))
    if not zeros or at == len(x) or x[at] != 0.0:
        return least, most, least, most
    least, most = least.copy(), most.copy()
    before = float(least[at - 1]) if at else 0.0
    least[at] = min(max(least[at], before + zeros), most[at])
    if not at:
        return least, most, least, most
    most[at - 1] = max(min(most[at - 1], most[at] - zeros), least[at - 1])
    start, end = least.copy(), most.copy()
    if at + 1 < len(x) and most[at] - before > zeros:
        # The other values are divided between both sides of 0 by their widths.
        below = before + (most[at] - before - zeros) * -x[at - 1] / (x[at + 1] - x[at - 1])
        end[at - 1] = min(max(below, start[at - 1]), end[at - 1])
        start[at] = min(max(end[at - 1] + zeros, start[at]), end[at])
    return least, most, start, end


def _spread(
    x: Floats, start: Floats, end: Floats, inside: Floats, whole: bool
) -> tuple[Floats, Floats, float, float]:
    """Places values, and bounds how many are misplaced up to any point and by how much in sum.

    Args:
        x: Ends of the buckets.
        start: How many values are at most at each x.
        end: How many values come before the next x. Values are spread evenly between both.
        inside: How many may be anywhere between both.
        whole: Whether all values are whole numbers.
    """
    lows, widths = x[:-1, None], np.diff(x)
    places = np.linspace(x[:-1], x[1:], _PLACES + 1, axis=1)
    if not (widths / _PLACES).all():  # Of floats this close together numpy computes each by itself.
        places = np.array([np.linspace(*ends, _PLACES + 1) for ends in zip(x[:-1], x[1:])])
    kept = np.ones(places.shape, bool)
    if whole:
        places = np.sort(np.floor(places), axis=1)
        kept[:, 1:] = (places[:, 1:] != places[:, :-1]) & ~np.isnan(places[:, :-1])
        # If a bucket has no whole number, as between 0.4 and 0.8, its bounds were rounded.
        has_some = places[:, -1:] >= lows
        kept = np.where(has_some, kept & (places >= lows), np.arange(_PLACES + 1) == _PLACES)
    # Only the first bucket includes its lower end, unless that has its own bucket.
    at_low = (places == lows) & kept & (kept.sum(axis=1) > 1)[:, None]
    if whole and len(x) > 1 and start[0] == 0:
        at_low[0] = False
    kept &= ~(at_low & (np.cumsum(kept, axis=1) == 1))
    count = kept.sum(axis=1)
    first, last = start[:-1, None], end[:-1, None]
    shares = np.cumsum(kept, axis=1) / count[:, None]
    kept = np.insert(kept, 0, True, axis=1)
    points = np.concatenate([lows, places], axis=1)[kept]
    upto = np.concatenate([first, first + (last - first) * shares], axis=1)[kept]
    every = whole & (widths <= _PLACES)
    inside = inside[:-1]
    error = (inside * np.where(every, 1 - 1 / count, 1.0)).max(initial=0.0)
    # As they are added one by one: `sum` would add them in pairs.
    distance = np.cumsum(np.append(0.0, inside * widths * (0.5 + 0.5 / count)))[-1]
    everywhere = np.concatenate([x[:1], points, x[-1:]])
    cumulative = np.concatenate([np.zeros(1), upto, end[-1:]])
    order = np.argsort(everywhere, kind="stable")
    everywhere, cumulative = everywhere[order], np.maximum.accumulate(cumulative[order])
    at = last_of_equal(everywhere)
    return everywhere[at], cumulative[at], float(error), float(distance)


def _categories(
    stats: statistics_pb2.StringStatistics, numbers: Precision | None
) -> SketchedCategories:
    missing, total = _missing(stats.common_stats), int(stats.common_stats.tot_num_values)
    buckets = stats.rank_histogram.buckets
    counts: Counts = np.array([round(bucket.sample_count) for bucket in buckets], np.int64)
    values = pa.array([bucket.label.encode() for bucket in buckets], pa.large_binary())
    lacking = 0
    if stats.unique > FREQUENCY_BUCKETS:
        lacking = math.ceil(total / FREQUENCY_BUCKETS)
    rest = total - int(counts.sum())
    unlisted = min(int(counts.min(initial=total)), rest) if rest > 0 else 0
    return SketchedCategories(
        total + missing,
        values,
        counts,
        missing,
        min((lacking + unlisted) / total, 1.0) if total else 0.0,
        int(stats.unique),
        True,
        numbers,
    )


def _lengths_only(stats: statistics_pb2.BytesStatistics) -> SketchedCategories:
    missing, total = _missing(stats.common_stats), int(stats.common_stats.tot_num_values)
    none = np.zeros(0, np.int64)
    values = pa.array([], pa.large_binary())
    error = 1.0 if total else 0.0
    return SketchedCategories(
        total + missing, values, none, missing, error, int(stats.unique), True
    )
