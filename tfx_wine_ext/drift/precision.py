"""How exactly a side knows its numbers, and which numbers of two sides count as the same.

Programs that store or compute the same data round them differently: a ``tf.train.Example`` holds
float32 and the Parquet file doubles, one writer stores seconds and another microseconds, and ``v *
1.1 / 1.1`` differs from ``v`` in the last digit. To a metric of ties, bins or distinct values,
these are different distributions. So before two sides are compared,

1. both are rounded to the precision of the coarser one, exactly as storing them there does, and
2. numbers that are too near to each other for arithmetic to tell them apart become one.

After that, numbers are compared exactly. See docs/adr/0014-precision-of-the-coarser-side.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tfx_wine_ext.columnar.arrow_types import MICROSECONDS, temporal_unit

Floats = npt.NDArray[np.float64]

# More bits than any float has, for whole numbers, which are never rounded.
EXACT_BITS = 64
_DTYPES: Mapping[int, npt.DTypeLike] = {11: np.float16, 24: np.float32, 53: np.float64}
# Relative distance within which numbers count as the same: the error of float32 and of double after
# a few operations, or after being written with 7 and 15 digits. Near 0, where floats are
# equidistant, it is four of their distances. float16 is used for storing only, not for computing.
TOLERANCES: Mapping[int, tuple[float, float]] = {
    24: (2.0**-20, 4 * 2.0**-149),
    53: (2.0**-40, 4 * 2.0**-1074),
}
_FLOAT32 = 24
# A fraction with more binary digits was rounded, unlike 0.25 or 1.5.
_DIGITS = 16
_YEAR_1990, _YEAR_2100 = 7_305 * MICROSECONDS["D"], 47_482 * MICROSECONDS["D"]
_FIRST = 64
# A chain of numbers, each near the next, becomes one number if all of them lie within two
# tolerances. If the chain is longer, the column is dense there, and only closer numbers are merged.
_NEARER = (1.0, 1 / 4, 1 / 16)


@dataclasses.dataclass(frozen=True)
class Precision:
    """How exactly numbers are known.

    Args:
        bits: Significant binary digits: 11 for float16, 24 for float32, 53 for double; 64 for
            values that are never rounded (whole numbers, times).
        unit: Smallest step of times in microseconds; 0 if they are no times.
        time: The kind of times, for display: ``date`` or ``timestamp`` (both in microseconds since
            1970), ``time`` (of day) or ``duration``; empty if they are no times. It does not affect
            the precision and is not compared.

    Example:
        >>> Precision.of(pa.float32()), Precision.of(pa.timestamp("s"))
        (Precision(bits=24, unit=0), Precision(bits=64, unit=1000000))
        >>> Precision.of(pa.float32()).coarser(Precision.of(pa.int64()))
        Precision(bits=24, unit=0)
    """

    bits: int = EXACT_BITS
    unit: int = 0
    time: str = dataclasses.field(default="", compare=False, repr=False)

    @classmethod
    def of(cls, kind: pa.DataType) -> Precision:
        """The precision of an Arrow type; a decimal has that of the doubles that it becomes."""
        types = pa.types
        if types.is_floating(kind):
            return cls({16: 11, 32: 24, 64: 53}[kind.bit_width])
        if types.is_decimal(kind):
            return DOUBLE
        if types.is_date(kind):
            return cls(unit=MICROSECONDS["D"], time="date")
        unit = temporal_unit(kind)
        if unit is None:
            return EXACT
        time = "duration" if types.is_duration(kind) else "time"
        # Nanoseconds are rounded down to microseconds when they are read.
        return cls(
            unit=MICROSECONDS.get(unit, 1), time="timestamp" if types.is_timestamp(kind) else time
        )

    def coarser(self, other: Precision) -> Precision:
        """The precision that both sides have: the fewer digits, and the larger unit."""
        bits, unit = min(self.bits, other.bits), max(self.unit, other.unit)
        return Precision(bits, unit, _common_time(self.time, other.time))

    def shown_by(self, values: Floats) -> Precision:
        """The true precision of numbers: doubles may hold values that were float32 before.

        They were float32 if all of them fit in float32 exactly, and their fractions use so many of
        its digits that this cannot be chance.

        Args:
            values: float64, finite.

        Example:
            >>> DOUBLE.shown_by(np.array([0.1, 0.3]).astype(np.float32).astype(np.float64))
            Precision(bits=24, unit=0)
            >>> DOUBLE.shown_by(np.array([0.1, 0.3])).bits, DOUBLE.shown_by(np.array([0.5])).bits
            (53, 53)
        """
        if self.bits != DOUBLE.bits or not len(values):
            return self
        # The first few values usually show that they are doubles.
        if not (_is_float32(values[:_FIRST]) and _is_float32(values)):
            return self
        digits = np.ldexp(np.frexp(values)[0], _DIGITS)
        long = (digits != np.floor(digits)) & (values != np.floor(values))
        return Precision(_FLOAT32, self.unit) if long.any() else self

    def with_time_shown_by(self, values: Floats) -> Precision:
        """Recognises whole numbers that were dates or times before: Examples hold them as integers.

        They were dates or times if each is a whole day, or else a whole second, in microseconds
        since 1970, and all lie between 1990 and 2100: other numbers are not all multiples of a
        million by chance.

        Args:
            values: float64, finite and ascending.

        Example:
            >>> days = np.array([20000.0, 20001.0]) * 86_400_000_000
            >>> EXACT.with_time_shown_by(days).time, EXACT.with_time_shown_by(days / 1e6).time
            ('date', '')
        """
        if self.time or self.bits != EXACT_BITS or not len(values):
            return self
        if not _YEAR_1990 <= values[0] <= values[-1] < _YEAR_2100:
            return self
        for time, unit in (("date", MICROSECONDS["D"]), ("timestamp", MICROSECONDS["s"])):
            if not (values % unit).any():
                return dataclasses.replace(self, time=time)
        return self

    def rounded(self, values: Floats, known: Precision) -> Floats:
        """Rounds numbers to the nearest one of this precision; times are rounded down.

        Numbers beyond the range become infinities, as they do in storage.

        Args:
            values: float64, in any order.
            known: How exactly they are known already.

        Example:
            >>> Precision(24).rounded(np.array([0.1, 1e300]), DOUBLE)
            array([0.1, inf])
        """
        if known.unit < self.unit:
            values = np.floor(values / self.unit) * self.unit
        if known.bits > self.bits and self.bits in _DTYPES:
            with np.errstate(over="ignore", under="ignore"):
                values = values.astype(_DTYPES[self.bits]).astype(np.float64)
        return values

    def shortest(self, values: Floats) -> list[str]:
        """Writes each number with the fewest digits that identify it in this precision."""
        dtype = _DTYPES.get(self.bits)
        if dtype is None or dtype is np.float64:
            return [repr(x) for x in values.tolist()]
        with np.errstate(over="ignore"):
            return [str(x) for x in values.astype(dtype)]

    def tolerance(self, x: Floats) -> Floats:
        """How far a number may lie from each of `x` and still differ only by rounding."""
        relative, least = TOLERANCES.get(self.bits, (0.0, 0.0))
        return np.abs(x) * relative + least


EXACT, DOUBLE = Precision(), Precision(53)


def _common_time(old: str, new: str) -> str:
    """The kind of both sides. One without times has the other's kind: Examples hold integers."""
    if old == new or not (old and new):
        return old or new
    return "timestamp" if {old, new} == {"date", "timestamp"} else ""


def representatives(points: Floats, precision: Precision) -> Floats:
    """Returns the representative of each number: the least number of its group.

    Numbers form a group if each is within the tolerance of the next and all are within two
    tolerances. If such a chain is longer, as in a dense column, a quarter of the tolerance is
    tried, then a sixteenth. Numbers that are then in no group do not change. So no number moves by
    more than two tolerances, the order stays, and the result depends only on the set of numbers. If
    all numbers are whole, they are counts or codes, and none of them changes.

    Args:
        points: float64, finite, strictly ascending: the numbers of both sides together.
        precision: The precision of both sides together.

    Example:
        >>> representatives(np.array([0.3, 0.1 + 0.2, 0.7]), DOUBLE)
        array([0.3, 0.3, 0.7])
    """
    if len(points) < 2 or precision.bits not in TOLERANCES:
        return points
    with np.errstate(over="ignore"):
        gaps = np.diff(points)
    # The tolerance of the neighbour with the larger absolute value, so that the sign is irrelevant.
    sizes = np.abs(points)
    tolerance = precision.tolerance(np.maximum(sizes[1:], sizes[:-1]))
    if not (gaps <= tolerance).any() or _are_whole(points, precision):
        return points
    rounded: Floats = points.copy()
    for nearer in _NEARER:
        near = gaps <= tolerance * nearer
        edges = np.flatnonzero(np.diff(near, prepend=False, append=False))
        starts, ends = edges[::2], edges[1::2]
        narrow = points[ends] - points[starts] <= 2 * tolerance[starts]
        firsts, followers = starts[narrow], (ends - starts)[narrow]
        before = np.cumsum(followers) - followers
        members = np.repeat(firsts + 1 - before, followers) + np.arange(followers.sum())
        rounded[members] = np.repeat(points[firsts], followers)
        if narrow.all():
            break
        # Numbers that have found their group are not examined again.
        gaps[members - 1] = np.inf
    return rounded


def _is_float32(values: Floats) -> bool:
    with np.errstate(over="ignore", under="ignore"):
        return bool((values.astype(np.float32) == values).all())


def _are_whole(points: Floats, precision: Precision) -> bool:
    """Whether all are whole numbers that the precision tells apart."""
    largest = max(-points[0], points[-1])
    return bool(largest <= 2.0**precision.bits and (points == np.floor(points)).all())
