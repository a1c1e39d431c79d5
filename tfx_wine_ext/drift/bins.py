"""The same bins for two samples, which the metrics of counts compare."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tfx_wine_ext.drift.summaries import (
    Counts,
    Floats,
    NumericDistribution,
    Steps,
    text_of,
)

if TYPE_CHECKING:
    from tfx_wine_ext.drift.metrics.pairs import CategoricalPair

# A count is known well if it lacks at most a hundredth.
KNOWN = 100
# With fewer expected values in a cell, the chi-square distribution is no good approximation
# (Cochran 1954).
LEAST_EXPECTED = 5.0
MISSING, UNSEEN, RARE = "(missing)", "(unseen)", "(rare)"


@dataclasses.dataclass(frozen=True, eq=False)
class Bins:
    """How many values of the reference and of the current data fall into each bin.

    Bins that are empty on both sides are left out.

    Args:
        describe: Makes a description of each bin ``[b]``; few metrics need it.
        reference: int64 ``[b]``.
        current: int64 ``[b]``.
        has_missing: Whether the last bin holds the missing values.
        errors: Largest error of the share of each bin ``[b]``, the larger of both sides' errors.
    """

    describe: Callable[[], tuple[str, ...]]
    reference: Counts
    current: Counts
    has_missing: bool
    errors: Floats

    @functools.cached_property
    def labels(self) -> tuple[str, ...]:
        """A description of each bin ``[b]``."""
        return self.describe()

    def present(self) -> Bins:
        """The bins without the bin of missing values."""
        if not self.has_missing:
            return self
        return Bins(
            lambda: self.labels[:-1],
            self.reference[:-1],
            self.current[:-1],
            False,
            self.errors[:-1],
        )


def quantile_edges(steps: Steps, bins: int = 10) -> Floats:
    """Upper edges of bins that hold equal shares of the values; the last bin has no upper edge.

    If several quantiles are equal, their value fills a bin by itself: the edge becomes the two
    edges of a bin for that value alone. Without this, values of a constant column could move
    downwards unseen.

    Args:
        steps: The values of the reference, at least one of them finite.
        bins: The number of bins. There are fewer if quantiles are equal.

    Returns:
        float64, strictly ascending; bin i holds ``edges[i-1] < x <= edges[i]``.

    Example:
        >>> ten = Steps(np.arange(10.0), np.arange(1, 11))
        >>> quantile_edges(ten, 5)
        array([1., 3., 5., 7.])
        >>> constant = Steps(np.array([7.0]), np.array([100]))
        >>> quantile_edges(constant).round(9), len(quantile_edges(constant))
        (array([7., 7.]), 2)
    """
    ranks = np.arange(1, bins) * steps.total / bins
    # Without the margin, rounding errors would decide whether a rank is a whole number.
    at = np.searchsorted(steps.cumulative, ranks - 1e-9 * steps.total, "left")
    edges, times = np.unique(steps.points[at], return_counts=True)
    before = _just_below(edges[times > 1])
    with_new: Floats = np.unique(np.concatenate([edges, before]))
    return with_new


def numeric_bins(
    reference: NumericDistribution, current: NumericDistribution, bins: int = 10
) -> Bins:
    """Bins at the quantiles of the reference, open at both ends, and a bin for missing values.

    NaN count as missing; infinities fall into the open ends. If the reference has no finite value,
    one bin holds all finite values.

    Example:
        >>> from tfx_wine_ext.drift.summaries import NumericSummary
        >>> a = NumericSummary.of(np.arange(4.0), missing=1)
        >>> b = NumericSummary.of(np.array([9.0, 9.0, np.nan]))
        >>> two = numeric_bins(a, b, bins=2)
        >>> two.labels, two.reference.tolist(), two.current.tolist()
        (('<= 1', '> 1', '(missing)'), [2, 2, 1], [0, 2, 1])
    """
    steps = reference.steps()
    edges = quantile_edges(steps, bins) if steps.total else np.zeros(0)
    columns = [_counts_between(side, edges) for side in (reference, current)]
    # A bin is the difference of two cumulative shares; for an outermost bin, one of them is exact.
    errors = np.full(len(edges) + 2, 2 * max(reference.error, current.error))
    errors[[0, -2]] /= 2
    errors[-1] = 0.0
    if not len(edges):
        errors[:] = 0.0
    return _without_empty(lambda: [*_labels(edges), MISSING], columns[0], columns[1], errors)


def categorical_bins(pair: CategoricalPair) -> Bins:
    """A bin for each common value, and one each for common unseen, rare and missing values.

    A value is rare if fewer than 5 of it would be expected on the smaller side, were both sides
    alike. Rare values share a bin whether or not the reference has them. Chance decides which of
    them it has, and almost all nearly unique strings are new in the current data. `unseen_mass` is
    the metric for new values as such.

    Example:
        >>> import pyarrow as pa
        >>> from tfx_wine_ext.drift.metrics import CategoricalPair
        >>> from tfx_wine_ext.drift.summaries import CategoricalSummary
        >>> a = CategoricalSummary.of(pa.array(["a"] * 50 + ["b", "c"]))
        >>> b = CategoricalSummary.of(pa.array(["a"] * 30 + ["new"] * 20 + ["d", None]))
        >>> bins = categorical_bins(CategoricalPair(a, b))
        >>> bins.labels, bins.reference.tolist(), bins.current.tolist()
        (('a', '(unseen)', '(rare)', '(missing)'), [50, 0, 2, 0], [30, 20, 1, 1])
    """
    values, old, new = pair.aligned
    common = known_and_common(pair)
    seen = common & (old > 0)
    unseen = common & (old == 0)

    def gather(counts: Counts, total: int, missing: int) -> Counts:
        rest = [counts[unseen].sum(), total - counts[common].sum(), missing]
        return np.concatenate([counts[seen], np.array(rest, np.int64)])

    def labels() -> list[str]:
        own = [text_of(values[int(i)]) for i in np.flatnonzero(seen)]
        return [*own, UNSEEN, RARE, MISSING]

    n, m = pair.totals
    kinds = np.array(
        [1] * int(np.count_nonzero(seen)) + [np.count_nonzero(unseen), np.count_nonzero(common), 0]
    )
    return _without_empty(
        labels,
        gather(old, n, pair.reference.missing),
        gather(new, m, pair.current.missing),
        np.minimum(kinds * max(pair.reference.error, pair.current.error), 1.0),
    )


def known_and_common(pair: CategoricalPair) -> npt.NDArray[np.bool_]:
    """Which values of `pair.aligned` are common, and counted well enough to stand alone.

    A value is common if at least 5 of it would be expected on the smaller side, were both alike. If
    counts may be too small (sketches), a value must occur a hundred times as often as its count may
    lack, or the error would hide it. All other values share a bin.
    """
    _, old, new = pair.aligned
    n, m = pair.totals
    smaller = min(n, m) / max(n + m, 1)
    enough = (old + new) * smaller >= LEAST_EXPECTED
    return np.asarray(enough & (old + new >= KNOWN * sum(pair.taken_off)))


def _just_below(x: Floats) -> Floats:
    with np.errstate(over="ignore", under="ignore"):  # Below the least float is -inf.
        return np.asarray(np.nextafter(x, -np.inf))


def _counts_between(side: NumericDistribution, edges: Floats) -> Counts:
    steps = side.steps()
    upto = np.concatenate([[0], steps.at(edges), [steps.total]])
    inner = np.diff(upto)
    inner[0] += side.negative_infinity
    inner[-1] += side.positive_infinity
    return np.concatenate([inner, [side.missing + side.nan]]).astype(np.int64)


def _labels(edges: Floats) -> list[str]:
    if not len(edges):
        return ["any value"]
    labels = [f"<= {edges[0]:.6g}"]
    for low, high in zip(edges[:-1], edges[1:]):
        alone = low == _just_below(high)
        labels.append(f"= {high:.6g}" if alone else f"{low:.6g} to {high:.6g}")
    # The edge just below a value that has its own bin is written as the value.
    if len(edges) > 1 and edges[0] == _just_below(edges[1]):
        labels[0] = f"< {edges[1]:.6g}"
    return [*labels, f"> {edges[-1]:.6g}"]


def _without_empty(
    labels: Callable[[], list[str]], reference: Counts, current: Counts, errors: Floats
) -> Bins:
    # A bin that is empty here may not be empty in the data.
    kept = np.flatnonzero((reference + current > 0) | (errors > 0))
    missing = bool(len(kept)) and int(kept[-1]) == len(errors) - 1

    def describe() -> tuple[str, ...]:
        every = labels()
        return tuple(every[i] for i in kept)

    return Bins(describe, reference[kept], current[kept], missing, errors[kept])
