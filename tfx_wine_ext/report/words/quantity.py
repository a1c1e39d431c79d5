"""Readable numbers of a column: dates in days, times with their unit."""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Callable

from tfx_wine_ext.report.words.text import NO_BREAK, number, pair

# All times are in microseconds.
_DAY, _HOUR, _MINUTE, _SECOND = 86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000
_UNITS = ((_DAY, "days"), (_HOUR, "h"), (_MINUTE, "min"), (_SECOND, "s"), (1_000, "ms"), (1, "µs"))
_EPOCH = datetime.datetime(1970, 1, 1)
_TIME_STEPS = (
    *(k * _SECOND for k in (1, 2, 5, 10, 15, 30)),
    *(k * _MINUTE for k in (1, 2, 5, 10, 15, 30)),
    *(k * _HOUR for k in (1, 2, 3, 6, 12)),
    *(k * _DAY for k in (1, 2, 5, 10, 20)),
)
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 2400, 6000, 12000)


@dataclasses.dataclass(frozen=True)
class Quantity:
    """The kind of a column's numbers.

    Args:
        time: `date` or `timestamp` (microseconds since 1970), `time` of day or `duration`
            (microseconds); None: plain numbers.

    Example:
        >>> Quantity("date").text(20_000 * 86_400_000_000), Quantity().text(0.123456)
        ('2024-10-04', '0.1235')
    """

    time: str | None = None

    @property
    def is_calendar(self) -> bool:
        """Whether the values are days or moments, whose sums and multiples mean nothing."""
        return self.time in ("date", "timestamp")

    def on_axis(self, low: float, high: float) -> Quantity:
        """Values as texts of an axis: moments that are days apart are shown as dates."""
        return Quantity("date") if self.time == "timestamp" and high - low > 2 * _DAY else self

    def text(self, value: float | None) -> str:
        """One value as text."""
        if value is None or self.time is None:
            return number(value)
        if self.time == "duration":
            return self.amount(value)
        return self._written(value, "day" if self.time == "date" else "minute")

    def pair(self, one: float, other: float) -> tuple[str, str]:
        """Two values as texts that are detailed enough to tell them apart.

        Example:
            >>> Quantity("timestamp").pair(0.0, 5e6)
            ('1970-01-01 00:00:00', '1970-01-01 00:00:05')
        """
        if self.time is None:
            return pair(one, other)
        if self.time == "duration":
            size, name = _unit(max(abs(one), abs(other)))
            shown = pair(one / size, other / size)
            return f"{shown[0]}{NO_BREAK}{name}", f"{shown[1]}{NO_BREAK}{name}"
        for detail in ("day",) if self.time == "date" else ("minute", "second", "all"):
            texts = self._written(one, detail), self._written(other, detail)
            if texts[0] != texts[1]:
                break
        return texts

    def amount(self, difference: float | None) -> str:
        r"""A difference of two values; a difference of dates is in days.

        Example:
            >>> [Quantity("date").amount(x * 3.6e9).replace("\u00a0", " ") for x in (24, 744, 36)]
            ['1 day', '31 days', '1.5 days']
        """
        if not difference or self.time is None:
            return number(difference)
        size, name = (_DAY, "days") if self.time == "date" else _unit(abs(difference))
        shown = number(difference / size, 3)
        return f"{shown}{NO_BREAK}{'day' if name == 'days' and shown == '1' else name}"

    def ticks(self, low: float, high: float) -> list[tuple[float, str]] | None:
        """Round values from `low` to `high` for an axis; None for plain numbers, or if none fit.

        Example:
            >>> [text for _, text in Quantity("date").ticks(0, 40 * 86_400_000_000)]
            ['1970-01-01', '1970-01-11', '1970-01-21', '1970-01-31', '1970-02-10']
        """
        if self.time is None or not 0 < high - low < math.inf:
            return None
        least = _DAY if self.time == "date" else _SECOND
        steps = [step for step in _TIME_STEPS if step >= least]
        if self.time == "duration":
            # Longer steps are tens and hundreds of days.
            steps += [k * 10**e * _DAY for e in range(1, 9) for k in (5, 10, 20)]
        most = 4 if self.time != "timestamp" or high - low > 4 * _DAY else 2
        step = next((size for size in steps if (high - low) / size <= most), None)
        if step is None and self.is_calendar:
            return _months(low, high)
        if step is None:
            return None
        first = math.ceil(low / step)
        values = [step * i for i in range(first, math.floor(high / step) + 1)]
        write: Callable[[float], str] = self.text
        if self.is_calendar and step >= _DAY:
            write = Quantity("date").text
        elif self.time != "duration" and step < _MINUTE:

            def write(value: float) -> str:
                return self._written(value, "second")

        return [(value, write(value)) for value in values] or None

    def _written(self, value: float, detail: str) -> str:
        try:
            moment = _EPOCH + datetime.timedelta(microseconds=math.floor(value))
        except (OverflowError, ValueError):  # The value is outside the years 1 to 9999.
            return number(value)
        if detail == "day":
            return f"{moment.year:04}-{moment.month:02}-{moment.day:02}"
        clock = f"{moment:%H:%M}" if detail == "minute" else f"{moment:%H:%M:%S}"
        if detail == "all":
            clock = f"{moment:%H:%M:%S.%f}"
        if self.time == "time":
            return clock
        return f"{moment.year:04}-{moment.month:02}-{moment.day:02} {clock}"


def _unit(size: float) -> tuple[int, str]:
    """The largest unit that fits at least twice; for days, once suffices."""
    fits = (unit for unit in _UNITS if size >= unit[0] * (1 if unit[0] == _DAY else 2))
    return next(fits, _UNITS[-1])


def _months(low: float, high: float) -> list[tuple[float, str]] | None:
    """The first days of months or of years."""
    try:
        ends = [_EPOCH + datetime.timedelta(microseconds=math.floor(x)) for x in (low, high)]
    except (OverflowError, ValueError):
        return None
    months = [12 * end.year + end.month - 1 for end in ends]
    step = next((k for k in _MONTH_STEPS if (months[1] - months[0]) / k <= 4), None)
    if step is None:
        return None
    found = []
    for month in range(-(-months[0] // step) * step, months[1] + 1, step):
        year, place = divmod(month, 12)
        if not 1 <= year <= 9999:
            continue
        at = (datetime.datetime(year, place + 1, 1) - _EPOCH) // datetime.timedelta(microseconds=1)
        if low <= at <= high:
            found.append((float(at), f"{year:04}" if step >= 12 else f"{year:04}-{place + 1:02}"))
    return found or None
