"""Columns that only go up from one set of data to the next: running numbers, dates, times.

Every metric calls such a column drifted, each time. Where it is certain what the column is, the
metrics of its values are not judged; where it is only likely, they are, and it is said. See
docs/adr/0021-columns-that-only-grow.md.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tfx_wine_ext.columnar.arrow_types import MICROSECONDS
from tfx_wine_ext.drift.aggregates import quantiles
from tfx_wine_ext.drift.sketches import SketchedNumbers
from tfx_wine_ext.drift.summaries import Moments, NumericDistribution, NumericSummary, Steps

# Metrics that say something about a column that only grows; all others are of its values.
NOT_OF_VALUES = ("missing_rate", "infinite_rate")
# Dates of both sides that lie so near to each other are those of the data, not birthdays.
_PERIOD = 731 * MICROSECONDS["D"]
# With fewer whole numbers, all may be distinct, and close together, by chance: 50 that are drawn
# from 100 are so once in three million times.
_LEAST = 50
_REPEATED, _DENSE = 0.01, 0.5
# Late rows: this share of a side may lie on the wrong side of the other.
_LATE = 0.01
_SHARES = np.array([_LATE, 0.25, 0.5, 0.75, 1 - _LATE])


@dataclasses.dataclass(frozen=True)
class Growth:
    """A column whose values are higher than all that were there before, as of an id or a date.

    Args:
        certain: It is a running number or the time of the data beyond doubt; else only likely.
        judged: The metrics of its values are judged as of any column: it is not certain, or the
            config names the feature as critical, or with thresholds or an importance of its own.
    """

    certain: bool
    judged: bool

    def to_dict(self) -> dict[str, Any]:
        """The fact as a JSON object."""
        return {"certain": self.certain, "judged": self.judged}


def grows(old: NumericDistribution, new: NumericDistribution, time: str | None) -> bool | None:
    """Whether a column only grows from the old values to the new ones.

    Args:
        old: What it was, as it was given.
        new: What it is.
        time: What times the values are, see `Precision`; None: numbers.

    Returns:
        True: certainly; False: it seems so; None: no.

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
    if error > _LATE:  # Of histograms only the ends are known well.
        before[0], before[-1], after[0], after[-1] = (
            old.minimum, old.maximum, new.minimum, new.maximum
        )  # fmt: skip
    if after[-1] <= before[-1]:
        return None
    if before[-1] <= after[0]:
        return after[-1] - before[0] <= _PERIOD
    # A window that moves on, such as the last thirty days.
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
    # Of values that are drawn, a sketch sees only those again that are in the same part.
    parts = [side.parts if isinstance(side, SketchedNumbers) else 1 for side in given]
    return dense and all(
        x * n <= _REPEATED * s.total for x, n, s in zip(repeated, parts, sides) if x is not None
    )


def _repeated(side: NumericDistribution) -> int | None:
    """How many values are there again; None where that is not known."""
    if isinstance(side, NumericSummary):
        steps = side.steps()
        return steps.total - len(steps.points)
    return side.repeated if isinstance(side, SketchedNumbers) else None
