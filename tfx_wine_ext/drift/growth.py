"""Columns that only grow from one set of data to the next: running numbers, dates, times.

Every metric calls such a column drifted, every time. If it is certain that the column only grows,
the metrics of its values are not judged. If it is only likely, they are judged, and the report says
so. See docs/adr/0021-columns-that-only-grow.md.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tfx_wine_ext.columnar.arrow_types import MICROSECONDS
from tfx_wine_ext.drift.aggregates import quantiles
from tfx_wine_ext.drift.sketches import SketchedNumbers
from tfx_wine_ext.drift.summaries import Moments, NumericDistribution, NumericSummary, Steps

# If the dates of both sides lie within this time, they are the dates of the data, not birthdays.
_PERIOD = 731 * MICROSECONDS["D"]
# Fewer whole numbers may be distinct and close together by chance. 50 numbers drawn from 100 are
# all distinct once in three million times.
_LEAST = 50
_REPEATED, _DENSE = 0.01, 0.5
# This share of a side may lie on the wrong side of the other one, because of late rows.
_LATE = 0.01
_SHARES = np.array([_LATE, 0.25, 0.5, 0.75, 1 - _LATE])


@dataclasses.dataclass(frozen=True)
class Growth:
    """A column whose values are higher than all earlier ones, such as an id or a date.

    Args:
        certain: True if it is beyond doubt a running number or the time of the data; False if this
            is only likely.
        judged: Whether the metrics of its values are judged. They are if `certain` is False, or if
            the config names the feature as critical or gives it thresholds or an importance.
    """

    certain: bool
    judged: bool

    def to_dict(self) -> dict[str, Any]:
        """The fact as a JSON object."""
        return {"certain": self.certain, "judged": self.judged}


def grows(old: NumericDistribution, new: NumericDistribution, time: str | None) -> bool | None:
    """Whether a column only grows from the old values to the new ones.

    Args:
        old: The old column, in its original precision.
        new: The new column.
        time: The kind of times, see `Precision`; None for numbers.

    Returns:
        True if it certainly only grows, False if it seems to, None if it does not.

    Example:
        >>> first, second, far = (
        ...     NumericSummary.of(np.arange(n, n + 100)) for n in (0, 100, 9000))
        >>> grows(first, second, None), grows(second, first, None), grows(first, far, None)
        (True, None, True)
    """
    sides = old.steps(), new.steps()
    moments = old.moments(), new.moments()
    if moments[0] is None or moments[1] is None or not (sides[0].total and sides[1].total):
        return None
    if time in ("date", "timestamp"):
        return _time_grows(sides, (moments[0], moments[1]), max(old.error, new.error))
    if time:
        return None
    return _number_grows((old, new), sides, (moments[0], moments[1]))


def _time_grows(
    sides: tuple[Steps, Steps], moments: tuple[Moments, Moments], error: float
) -> bool | None:
    (old, new), (before, after) = moments, (quantiles(side, _SHARES) for side in sides)
    if error > _LATE:  # Histograms know only the ends well.
        before[0], before[-1], after[0], after[-1] = (
            old.minimum, old.maximum, new.minimum, new.maximum
        )  # fmt: skip
    if after[-1] <= before[-1]:
        return None
    if before[-1] <= after[0]:
        return after[-1] - before[0] <= _PERIOD
    # A moving window, such as the last thirty days.
    return False if all(x < y for x, y in zip(before, after)) else None


def _number_grows(
    given: tuple[NumericDistribution, NumericDistribution],
    sides: tuple[Steps, Steps],
    moments: tuple[Moments, Moments],
) -> bool | None:
    if moments[1].minimum <= moments[0].maximum or min(side.total for side in sides) < _LEAST:
        return None
    if not all((side.points == np.floor(side.points)).all() for side in sides):
        return None
    densities = [s.total / (x.maximum - x.minimum + 1) for s, x in zip(sides, moments)]
    dense = all(_DENSE <= density <= 1 + _REPEATED for density in densities)
    repeated = [_repeated(side) for side in given]
    if None in repeated:
        return False if dense else None
    distinct = all(x <= _REPEATED * s.total for x, s in zip(repeated, sides) if x is not None)
    if not distinct:
        return None
    # If values are drawn at random, a sketch sees only repetitions within the same part.
    parts = [side.parts if isinstance(side, SketchedNumbers) else 1 for side in given]
    return dense and all(
        x * n <= _REPEATED * s.total for x, n, s in zip(repeated, parts, sides) if x is not None
    )


def _repeated(side: NumericDistribution) -> int | None:
    """How many values occur again; None if that is not known."""
    if isinstance(side, NumericSummary):
        steps = side.steps()
        return steps.total - len(steps.points)
    return side.repeated if isinstance(side, SketchedNumbers) else None
