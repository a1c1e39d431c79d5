"""Brings two sides to the same numbers before they are compared: see `precision`."""

from __future__ import annotations

import dataclasses
from typing import cast

import numpy as np
import pyarrow as pa

from tfx_wine_ext.drift.precision import Precision, representatives
from tfx_wine_ext.drift.sketches import SketchedCategories, SketchedNumbers
from tfx_wine_ext.drift.summaries import (
    CategoricalDistribution,
    Counts,
    Distribution,
    Floats,
    NumericDistribution,
    Steps,
    is_numeric,
    last_of_equal,
    numbers_as_text,
)


def on_common_numbers(old: Distribution, new: Distribution) -> tuple[Distribution, Distribution]:
    """Gives the same value to numbers of both sides that differ only by rounding.

    Args:
        old: The old column: numbers, or numbers that are categories.
        new: The new column. If it is of the other kind, or text, both sides are returned unchanged.

    Returns:
        Both sides in the precision of the coarser one. Numbers beyond its range become infinities.

    Example:
        >>> from tfx_wine_ext.drift.summaries import NumericSummary
        >>> values = np.array([0.1, 0.3])
        >>> old, new = on_common_numbers(
        ...     NumericSummary.of(values), NumericSummary.of(values.astype(np.float32)))
        >>> old.steps().points == new.steps().points
        array([ True,  True])
    """
    if is_numeric(old) and is_numeric(new):
        steps = [side.steps() for side in (old, new)]
        known = [x.precision.shown_by(s.points) for x, s in zip((old, new), steps)]
        common = known[0].coarser(known[1])
        sides = [_rounded(*each, common) for each in zip((old, new), steps)]
        before, after = sides[0].finite.points, sides[1].finite.points
        points = _union(before, after)
        stand_ins = representatives(points, common)
        if stand_ins is not points:
            moves = np.flatnonzero(points != stand_ins)
            sides = [_moved(side, points[moves], stand_ins[moves]) for side in sides]
        return sides[0], sides[1]
    if is_numeric(old) or is_numeric(new):
        return old, new
    return _common_categories(
        cast("CategoricalDistribution", old), cast("CategoricalDistribution", new)
    )


def on_common_values(
    old: Floats, new: Floats, old_precision: Precision, new_precision: Precision
) -> tuple[Floats, Floats]:
    """The same for values in the order of rows, which may include NaN and infinities.

    Example:
        >>> on_common_values(np.array([0.3, np.nan]), np.array([0.1 + 0.2]), Precision(53),
        ...                  Precision(53))
        (array([0.3, nan]), array([0.3]))
    """
    common = old_precision.shown_by(old[np.isfinite(old)]).coarser(
        new_precision.shown_by(new[np.isfinite(new)])
    )
    values = np.concatenate(
        [common.rounded(old, old_precision), common.rounded(new, new_precision)]
    )
    finite = np.isfinite(values)
    points, places = np.unique(values[finite], return_inverse=True)
    values[finite] = representatives(points, common)[places]
    return values[: len(old)], values[len(old) :]


def _rounded(side: NumericDistribution, steps: Steps, common: Precision) -> SketchedNumbers:
    points = common.rounded(steps.points, side.precision)
    known = SketchedNumbers(
        steps,
        side.missing,
        side.nan,
        side.negative_infinity,
        side.positive_infinity,
        side.error,
        side.distance_error,
        # Exact moments can be computed when they are needed.
        side.exact_moments if isinstance(side, SketchedNumbers) else None,
        common,
    )
    if points is steps.points:
        return known
    below = int(np.searchsorted(points, -np.inf, "right"))
    end = int(np.searchsorted(points, np.inf, "left"))
    lower = int(steps.cumulative[below - 1]) if below else 0
    finite = Steps(points[below:end], steps.cumulative[below:end] - lower)
    too_large = steps.total - lower - finite.total
    return dataclasses.replace(
        known,
        finite=_joined(finite),
        negative_infinity=side.negative_infinity + lower,
        positive_infinity=side.positive_infinity + too_large,
        # Values that became infinite do not count in the spread of the finite ones.
        exact_moments=known.exact_moments if not lower + too_large else None,
    )


def _joined(steps: Steps) -> Steps:
    last = last_of_equal(steps.points)
    return Steps(steps.points[last], steps.cumulative[last])


def _moved(side: SketchedNumbers, points: Floats, stand_ins: Floats) -> SketchedNumbers:
    """Moves the values at some points to the numbers that represent them."""
    steps = side.finite
    if not len(steps.points):
        return side
    at = np.minimum(np.searchsorted(steps.points, points), len(steps.points) - 1)
    own = steps.points[at] == points
    moved = steps.points.copy()
    moved[at[own]] = stand_ins[own]
    return dataclasses.replace(side, finite=_joined(Steps(moved, steps.cumulative)))


def _union(left: Floats, right: Floats) -> Floats:
    joined = np.concatenate([left, right])
    joined.sort(kind="stable")  # Merging two sorted runs takes linear time.
    return joined[last_of_equal(joined)]


def _common_categories(
    old: CategoricalDistribution, new: CategoricalDistribution
) -> tuple[CategoricalDistribution, CategoricalDistribution]:
    if old.numbers is None or new.numbers is None:
        return old, new
    common = old.numbers.coarser(new.numbers)
    if old.numbers == new.numbers and common == Precision():
        return old, new  # Equal whole numbers have equal texts.
    before, after = (
        side.values.cast(pa.string()).cast(pa.float64()).to_numpy(zero_copy_only=False)
        for side in (old, new)
    )
    before, after = on_common_values(before, after, old.numbers, new.numbers)
    return _relabelled(old, before, common), _relabelled(new, after, common)


def _relabelled(
    side: CategoricalDistribution, numbers: Floats, common: Precision
) -> SketchedCategories:
    distinct, places = np.unique(numbers, return_inverse=True)
    counts: Counts = np.zeros(len(distinct), np.int64)
    np.add.at(counts, places, side.counts)
    names = pa.array(numbers_as_text(distinct, common), pa.string()).cast(pa.large_binary())
    fewer = len(numbers) - len(distinct)
    error = side.error
    if error and (fewer or not len(numbers)):
        # Values that a sketch forgot may be equal as well: all but one of the same may be missing.
        present = side.n - side.missing
        error = max(error, 1 - (int(counts.sum()) + 1) / present)
    return SketchedCategories(
        side.n,
        names,
        counts,
        side.missing,
        error,
        side.distinct - fewer,
        side.distinct_is_estimate,
        common,
    )
