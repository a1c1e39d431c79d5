"""What a report shows about a column: a few statistics, and one histogram of both sides.

`compare` computes them once from summaries, so a result holds no values and its size does not grow
with the rows. Everything is a JSON object; docs/drift-report.schema.json defines the keys.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, TypedDict, cast

import numpy as np
import pyarrow as pa

from tfx_wine_ext.columnar.arrow_types import MICROSECONDS
from tfx_wine_ext.documents import COUNT, UnexpectedError, described, one_of, read
from tfx_wine_ext.drift.summaries import (
    CategoricalDistribution,
    Counts,
    Distribution,
    Floats,
    NumericDistribution,
    Steps,
    aligned,
    is_numeric,
    text_of,
    without_values,
)

# These limits affect the drawing only: the metrics never see them.
MOST_BINS, MOST_WHOLE_NUMBERS, MOST_CATEGORIES, MOST_CHARACTERS = 40, 25, 20, 200
# This many of the categories shown are the ones that changed most, even if they are rare.
_CHANGED = 10
_TAIL = 0.005
# Numbers count as rounded to a step if this share of them is. In bins of more steps than this, one
# step more or less does not show.
_ROUNDED, _MOST_STEPS = 0.8, 8


def statistics(summary: Distribution) -> dict[str, Any]:
    """A few statistics of one side of a column.

    Quartiles are interpolated as numpy and pandas do by default; std is that of the population. All
    of them describe the finite values, and are None if there are none.

    Example:
        >>> from tfx_wine_ext.drift.summaries import NumericSummary
        >>> found = statistics(NumericSummary.of(np.array([1.0, 2.0, 4.0, np.inf]), missing=1))
        >>> found["n"], found["missing"], found["median"], found["max"], found["positive_infinity"]
        (5, 1, 2.0, 4.0, 1)
    """
    if not is_numeric(summary):
        categories = cast(CategoricalDistribution, summary)
        counts = {
            "n": int(categories.n),
            "missing": int(categories.missing),
            "distinct": int(categories.distinct),
        }
        is_estimate = categories.distinct_is_estimate
        return {**counts, "distinct_is_estimate": True} if is_estimate else counts
    steps, moments = summary.steps(), summary.moments()
    quartiles = quantiles(steps, np.array([0.25, 0.5, 0.75])) if steps.total else [None] * 3
    return {
        "n": int(summary.n),
        "missing": int(summary.missing),
        "nan": int(summary.nan),
        "negative_infinity": int(summary.negative_infinity),
        "positive_infinity": int(summary.positive_infinity),
        "min": moments.minimum if moments else None,
        "p25": quartiles[0],
        "median": quartiles[1],
        "p75": quartiles[2],
        "max": moments.maximum if moments else None,
        "mean": moments.mean if moments else None,
        "std": moments.std if moments else None,
    }


def quantiles(steps: Steps, shares: Floats) -> list[float]:
    """Quantiles of the finite values, interpolated linearly between neighbours.

    Args:
        steps: The values; at least one.
        shares: The levels of the quantiles, from 0 to 1.

    Example:
        >>> quantiles(Steps(np.array([1.0, 3.0]), np.array([1, 2])), np.array([0.0, 0.25, 1.0]))
        [1.0, 1.5, 3.0]
    """
    at = (steps.total - 1) * shares
    low = np.floor(at)
    before, after = (
        steps.points[np.searchsorted(steps.cumulative, rank, "right")]
        for rank in (low, np.ceil(at))
    )
    values: list[float] = (before * (1 - (at - low)) + after * (at - low)).tolist()
    return values


def histogram(baseline: Distribution | None, current: Distribution | None) -> dict[str, Any] | None:
    """Counts both sides in the same bins or categories, for drawing.

    Numbers get at most 40 equal bins between the 0.5th and the 99.5th percentile of either side.
    Bin i holds ``edges[i] < x <= edges[i + 1]``; the first one includes its lower edge. If the
    numbers are rounded (to tenths, say), all bins span equally many tenths, with edges halfway
    between two tenths. Otherwise some bins would hold one tenth more, and the histogram would look
    like a comb. If there are at most 25 distinct whole numbers that span fewer than 40, each gets a
    bin of width 1.

    At most 20 categories are shown: the ten whose share changed most, and those with the largest
    sum of shares. ``unlisted`` is the number of the others, as far as they are known.

    Args:
        baseline: The baseline's column; None if there is no baseline, or it has no such column.
        current: The same for the current data.

    Returns:
        The histogram; None if there is nothing to draw. If a column changed between numeric and
        categorical, the histogram shows the current side alone.

    Example:
        >>> from tfx_wine_ext.drift.summaries import NumericSummary
        >>> a, b = (NumericSummary.of(np.array(x)) for x in ([1.0, 1.0, 2.0], [2.0, 3.0]))
        >>> drawn = histogram(a, b)
        >>> drawn["edges"], drawn["baseline"], drawn["current"]
        ([0.5, 1.5, 2.5, 3.5], [2, 1, 0], [0, 1, 1])
    """
    if baseline is not None and current is not None:
        baseline, current = (
            without_values(baseline, like=current),
            without_values(current, like=baseline),
        )
        if is_numeric(baseline) is not is_numeric(current):
            baseline = None
    sides = (baseline, current)
    if any(side is not None and is_numeric(side) for side in sides):
        return _numeric(*cast("tuple[NumericDistribution | None, ...]", sides))
    return _categorical(*cast("tuple[CategoricalDistribution | None, ...]", sides))


def _numeric(
    baseline: NumericDistribution | None, current: NumericDistribution | None
) -> dict[str, Any] | None:
    all_steps = [None if side is None else side.steps() for side in (baseline, current)]
    filled = [steps for steps in all_steps if steps is not None and steps.total]
    if not filled:
        return None
    # Bins of dates span whole days.
    days = all(side.precision.with_time_shown_by(steps.points).time == "date"
               for side, steps in zip((baseline, current), all_steps)
               if side is not None and steps is not None and steps.total)  # fmt: skip
    unit = MICROSECONDS["D"] if days else 1
    filled = [Steps(steps.points / unit, steps.cumulative) for steps in filled]
    whole = _whole_numbers(filled)
    edges = (_equal_bins(filled) if whole is None else whole) * unit
    counts: list[list[int] | None] = []
    below: list[int | None] = []
    above: list[int | None] = []
    for side, steps in zip((baseline, current), all_steps):
        if side is None or steps is None:
            counts.append(None)
            below.append(None)
            above.append(None)
            continue
        first = int(np.searchsorted(steps.points, edges[0], "left"))
        lower = int(steps.cumulative[first - 1]) if first else 0
        upto = np.concatenate([[lower], steps.at(edges[1:])])
        counts.append(np.diff(upto).tolist())
        below.append(lower + int(side.negative_infinity))
        above.append(int(steps.total - upto[-1]) + int(side.positive_infinity))
    return {
        "kind": "numeric",
        "edges": edges.tolist(),
        "baseline": counts[0],
        "current": counts[1],
        "below": below,
        "above": above,
        "integers": whole is not None and not days,
    }


def _whole_numbers(filled: list[Steps]) -> Floats | None:
    """Edges that give each whole number a bin, if there are few numbers and all are whole."""
    ends = [float(steps.points[end]) for steps in filled for end in (0, -1)]
    low, high = min(ends), max(ends)
    if high - low >= MOST_BINS or max(len(steps.points) for steps in filled) > MOST_WHOLE_NUMBERS:
        return None
    values = np.unique(np.concatenate([steps.points for steps in filled]))
    if len(values) > MOST_WHOLE_NUMBERS or not np.all(values == np.floor(values)):
        return None
    # Beyond 2^52, floats have nothing between two whole numbers.
    return np.arange(low, high + 2) - 0.5 if max(-low, high) < 2**51 else None


def _equal_bins(filled: list[Steps]) -> Floats:
    low = min(_at_rank(steps, math.floor((steps.total - 1) * _TAIL)) for steps in filled)
    high = max(_at_rank(steps, math.ceil((steps.total - 1) * (1 - _TAIL))) for steps in filled)
    if low == high:
        half = max(0.5, abs(low) * 2.0**-20)
        with np.errstate(over="ignore"):
            return _finite(np.array([low - half, low + half]))
    step = _step(filled, low, high)
    if step is not None:
        first, steps = round(low / step), round(high / step) - round(low / step) + 1
        wide = math.ceil(steps / MOST_BINS)
        lows: Floats = first - 0.5 + wide * np.arange(math.ceil(steps / wide) + 1, dtype=float)
        with np.errstate(over="ignore"):  # The last bin may end beyond the largest float.
            return _finite(lows * step)
    # Quarters, because the difference of two floats may be too large for a float.
    edges: Floats = np.linspace(low / 4, high / 4, MOST_BINS + 1) * 4
    edges[[0, -1]] = low, high
    # Between floats that are close together, fewer than 40 bins fit.
    return np.unique(np.clip(edges, low, high))


def _finite(edges: Floats) -> Floats:
    clipped: Floats = np.clip(edges, -np.finfo(float).max, np.finfo(float).max)
    return clipped


def _step(filled: list[Steps], low: float, high: float) -> float | None:
    """Returns the power of ten that the numbers are rounded to, if the bins should follow it."""
    half = high / 2 - low / 2
    if half < 1e-300:  # Floats have no power of ten below it.
        return None
    widest = math.floor(math.log10(half))
    for exponent in range(widest, widest - 4, -1):
        step = 10.0**exponent
        if not (high / step - low / step) < MOST_BINS * _MOST_STEPS:
            return None
        if all(_is_rounded(steps, step) for steps in filled):
            return step
    return None


def _is_rounded(steps: Steps, step: float) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):  # Far outside the bins.
        multiple = steps.points / step
        # The deviation is at most that of float32 from a decimal fraction.
        is_off = np.abs(multiple - np.round(multiple)) > 1e-7 * np.abs(multiple)
    return bool(steps.counts[is_off].sum() <= (1 - _ROUNDED) * steps.total)


def _at_rank(steps: Steps, rank: int) -> float:
    return float(steps.points[np.searchsorted(steps.cumulative, rank, "right")])


def _categorical(
    baseline: CategoricalDistribution | None, current: CategoricalDistribution | None
) -> dict[str, Any] | None:
    present = [side for side in (baseline, current) if side is not None]
    if not any(side.n > side.missing for side in present):
        return None
    values, old, new = aligned(present[0], present[-1])
    if not len(values):  # Only their number is known.
        return None
    by_side = [old if baseline is not None else None, new if current is not None else None]
    totals = [None if side is None else side.n - side.missing for side in (baseline, current)]
    shares = [
        counts / total if counts is not None and total else np.zeros(len(values))
        for counts, total in zip(by_side, totals)
    ]
    size = shares[0] + shares[1]
    kept = _largest(size, values, MOST_CATEGORIES)
    if len(kept) < len(values) and all(totals):
        changed = _largest(np.abs(shares[1] - shares[0]), values, _CHANGED)
        others = kept[~np.isin(kept, changed)][: MOST_CATEGORIES - len(changed)]
        chosen = np.concatenate([changed, others])
        kept = chosen[_largest(size[chosen], values.take(pa.array(chosen)), MOST_CATEGORIES)]
    return {
        "kind": "categorical",
        "values": _distinct_texts([text_of(values[int(i)]) for i in kept]),
        **({"unlisted": len(values) - len(kept)} if len(kept) < len(values) else {}),
        "baseline": None if by_side[0] is None else by_side[0][kept].tolist(),
        "current": None if by_side[1] is None else by_side[1][kept].tolist(),
        "other": [
            None if counts is None or total is None else int(total - counts[kept].sum())
            for counts, total in zip(by_side, totals)
        ],
    }


def _largest(amounts: Floats, values: pa.LargeBinaryArray, most: int) -> Counts:
    """Places of the largest amounts, descending; equal amounts are sorted by the values' bytes."""
    # This result does not depend on the order of the rows.
    least = np.sort(amounts)[::-1][:most][-1]
    candidates = np.flatnonzero(amounts >= least)
    content = [values[int(i)].as_py() for i in candidates]
    order = sorted(range(len(candidates)), key=lambda i: (-amounts[candidates[i]], content[i]))
    largest: Counts = candidates[np.array(order[:most], np.int64)]
    return largest


def _distinct_texts(texts: list[str]) -> list[str]:
    """Cuts long texts in the middle, and numbers those that become equal."""
    found: list[str] = []
    for text in texts:
        shown, number = _cut(text, MOST_CHARACTERS), 1
        while shown in found:
            number += 1
            shown = f"{_cut(text, MOST_CHARACTERS - 6)} ({number})"
        found.append(shown)
    return found


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    end = limit // 3
    return f"{text[: limit - end - 1]}…{text[-end:]}"


_Count = Annotated[float, COUNT]


class _Counts(TypedDict):
    n: _Count
    missing: _Count


class _Quartiles(TypedDict):
    min: float
    p25: float
    median: float
    p75: float
    max: float


class _Statistics(_Counts, total=False):
    distinct: _Count
    distinct_is_estimate: bool
    nan: _Count
    negative_infinity: _Count
    positive_infinity: _Count
    min: float | None
    p25: float | None
    median: float | None
    p75: float | None
    max: float | None
    mean: float | None
    std: float | None


class _HistogramKind(TypedDict):
    kind: Annotated[str, one_of("numeric", "categorical")]


class _Histogram(TypedDict):
    baseline: list[_Count] | None
    current: list[_Count] | None


class _NumericHistogram(_Histogram):
    edges: list[float]
    below: tuple[_Count | None, _Count | None]
    above: tuple[_Count | None, _Count | None]
    integers: bool


class _Unlisted(TypedDict, total=False):
    unlisted: int


class _CategoricalHistogram(_Histogram, _Unlisted):
    values: list[str]
    other: tuple[_Count | None, _Count | None]


def read_statistics(value: Any) -> Mapping[str, Any]:
    """Checks the statistics of a side: numbers have all quartiles, or none without values.

    Raises:
        UnexpectedError: The value is something else.
    """
    statistics: Mapping[str, Any] = read(_Statistics, value)
    if any(statistics.get(name) is not None for name in _Quartiles.__annotations__):
        read(_Quartiles, value)
    return statistics


def read_histogram(value: Any) -> Mapping[str, Any]:
    """Checks a histogram of either kind, and that the lists of its counts have the right lengths.

    Raises:
        UnexpectedError: The value is something else.
    """
    if read(_HistogramKind, value)["kind"] == "numeric":
        edges = read(_NumericHistogram, value)["edges"]
        length, beside = len(edges) - 1, ["below", "above"]
        if length < 1 or list(edges) != sorted(edges):
            raise UnexpectedError("two ascending numbers at least", described(edges), "edges")
    else:
        length, beside = len(read(_CategoricalHistogram, value)["values"]), ["other"]
    for place, side in enumerate(("baseline", "current")):
        counts = value[side]
        if counts is None:
            continue
        if len(counts) != length:
            raise UnexpectedError(f"a list of {length}", f"one of {len(counts)}", side)
        for name in beside:
            if value[name][place] is None:
                raise UnexpectedError("a finite number", described(None), name, place)
    histogram: Mapping[str, Any] = value
    return histogram
