"""Two columns on common values, aligned once for all of their metrics."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pyarrow as pa

from tfx_wine_ext.drift.bins import Bins, categorical_bins, numeric_bins
from tfx_wine_ext.drift.summaries import (
    CategoricalDistribution,
    Counts,
    Floats,
    NumericDistribution,
    Steps,
    aligned,
    last_of_equal,
)


@dataclasses.dataclass(frozen=True, eq=False)
class NumericPair:
    """Two numeric columns on common points, merged once for all of their metrics.

    Args:
        reference: The column of the reference data.
        current: The column of the new data.

    Example:
        >>> from tfx_wine_ext.drift.summaries import NumericSummary
        >>> pair = NumericPair(NumericSummary.of(np.array([1.0, 2.0])),
        ...                    NumericSummary.of(np.array([2.0, 5.0])))
        >>> [x.tolist() for x in pair.common]
        [[1.0, 2.0, 5.0], [1, 2, 2], [0, 1, 2]]
    """

    reference: NumericDistribution
    current: NumericDistribution

    @functools.cached_property
    def bins(self) -> Bins:
        """Both in the same bins, see `numeric_bins`."""
        return numeric_bins(self.reference, self.current)

    @property
    def infinite(self) -> tuple[int, int]:
        """How many values of each column are infinite."""
        old, new = self.reference, self.current
        return (
            old.negative_infinity + old.positive_infinity,
            new.negative_infinity + new.positive_infinity,
        )

    @functools.cached_property
    def steps(self) -> tuple[Steps, Steps]:
        """The finite values of each column."""
        return self.reference.steps(), self.current.steps()

    @functools.cached_property
    def common(self) -> tuple[Floats, Counts, Counts]:
        """All finite points, ascending, and how many values of each side are <= each of them."""
        old, new = self.steps
        joined = np.concatenate([old.points, new.points])
        order = np.argsort(joined, kind="stable")  # Merging two sorted runs takes linear time.
        points = joined[order]
        from_old = order < len(old.points)
        jumps = np.zeros((2, len(joined)), np.int64)
        jumps[0, from_old] = old.counts
        jumps[1, ~from_old] = new.counts
        last = last_of_equal(points)
        upto = np.cumsum(jumps, axis=1)[:, last]
        return points[last], upto[0], upto[1]


@dataclasses.dataclass(frozen=True, eq=False)
class CategoricalPair:
    """Two categorical columns on common values, aligned once for all of their metrics.

    Args:
        reference: The column of the reference data.
        current: The column of the new data.
    """

    reference: CategoricalDistribution
    current: CategoricalDistribution

    @functools.cached_property
    def bins(self) -> Bins:
        """Both in the same bins, see `categorical_bins`."""
        return categorical_bins(self)

    @functools.cached_property
    def aligned(self) -> tuple[pa.LargeBinaryArray, Counts, Counts]:
        """The values of both columns, and how often each one occurs in each column."""
        return aligned(self.reference, self.current)

    @property
    def totals(self) -> tuple[int, int]:
        """How many values of each side are not missing, including values that are not listed."""
        return self.reference.n - self.reference.missing, self.current.n - self.current.missing

    @property
    def taken_off(self) -> tuple[int, int]:
        """By how much each count of the reference and of the current data may be too small."""
        n, m = self.totals
        return round(self.reference.error * n), round(self.current.error * m)
