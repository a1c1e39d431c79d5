from __future__ import annotations

import pytest

from tfx_wine_ext.report.plots import numeric_plot
from tfx_wine_ext.report.words.quantity import Quantity

SECOND = 1_000_000
HOUR, DAY = 3600 * SECOND, 86_400 * SECOND


@pytest.mark.parametrize(
    ("time", "value", "text"),
    [
        (None, 1.7676e15, "1.768e+15"),
        ("date", 20_454 * DAY, "2026-01-01"),
        ("date", -1, "1969-12-31"),
        # The edge of a bin of whole days is halfway between two: the day is the one that it ends.
        ("date", 20_454.5 * DAY, "2026-01-01"),
        ("date", 1e30, "1e+30"),
        ("timestamp", 20_454 * DAY + 12.5 * HOUR, "2026-01-01 12:30"),
        ("time", 14 * HOUR, "14:00"),
        ("duration", 36 * HOUR, "1.5 days"),
        ("duration", 90 * SECOND, "90 s"),
        ("duration", 0, "0"),
    ],
)
def test_times_are_written_as_people_do(time, value, text):
    assert Quantity(time).text(value).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("time", "values", "texts"),
    [
        ("date", (0, DAY), ("1970-01-01", "1970-01-02")),
        ("date", (0, DAY / 2), ("1970-01-01", "1970-01-01")),
        ("timestamp", (0, 1), ("1970-01-01 00:00:00.000000", "1970-01-01 00:00:00.000001")),
        ("duration", (36 * HOUR, 37 * HOUR), ("1.5 days", "1.54 days")),
    ],
)
def test_two_times_have_the_digits_that_tell_them_apart(time, values, texts):
    shown = tuple(text.replace("\u00a0", " ") for text in Quantity(time).pair(*values))
    assert shown == texts


@pytest.mark.parametrize(
    ("time", "low", "high", "texts"),
    [
        ("date", 0, 3 * DAY, ["1970-01-01", "1970-01-02", "1970-01-03", "1970-01-04"]),
        ("date", 0, 300 * DAY, ["1970-01", "1970-04", "1970-07", "1970-10"]),
        ("date", 0, 20_000 * DAY, ["1980", "2000", "2020"]),
        ("timestamp", 0, 2 * HOUR, ["1970-01-01 00:00", "1970-01-01 01:00", "1970-01-01 02:00"]),
        ("timestamp", 0, SECOND, ["1970-01-01 00:00:00", "1970-01-01 00:00:01"]),
        ("duration", 0, 4 * DAY, ["0", "1 day", "2 days", "3 days", "4 days"]),
        ("time", 0, 20 * HOUR, ["00:00", "06:00", "12:00", "18:00"]),
    ],
)
def test_an_axis_of_times_has_round_ticks(time, low, high, texts):
    found = [text.replace("\u00a0", " ") for _, text in Quantity(time).ticks(low, high)]
    assert found == texts


@pytest.mark.parametrize(("low", "high"), [(0, 0), (-1e300, 1e300), (0, 1e25), (0, 0.5)])
@pytest.mark.parametrize("time", ["date", "timestamp", "time", "duration"])
def test_no_range_is_too_strange_for_an_axis(time, low, high):
    edges = [low, (low + high) / 2, high]
    plot = numeric_plot(
        {"edges": edges, "baseline": [1, 1], "current": [1, 1], "below": [1, 0], "above": [0, 1],
         "integers": False},
        Quantity(time),
    )  # fmt: skip
    assert len(plot.ticks) >= 2
