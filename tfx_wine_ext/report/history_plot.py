"""Geometry of the history page: each row has one place per run, and all rows share an axis.

As in `plots`, shapes are drawn in a box that is stretched to the width of the page (here with one
unit per run). Marks and texts are placed in percent beside it.
"""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import math
from collections.abc import Sequence

from tfx_wine_ext.lineage.records import FeatureHistory, MetricValue, Run, Score
from tfx_wine_ext.report.plots import HEIGHT, Label, nice_step
from tfx_wine_ext.report.words.drift import label_of, metric_number
from tfx_wine_ext.report.words.text import number

# Up to this number of runs, each has a column that is wide enough for numbers.
FEW = 16
# Widths of a column in CSS pixels: for a mark and a number, and for a mark alone.
_WIDE, _NARROW = 54, 16
# Upper ends of the strips' colours in multiples of the limit; the last colour has no end.
_BELOW = (0.25, 0.5, 0.75)
_BEYOND = (2.0, 4.0)
_TIMES = "\u00d7"
_CODES = {"DRIFT": "D", "WARN": "W", "OK": "O", "INCONCLUSIVE": "I", "NO_BASELINE": "N"}


@dataclasses.dataclass(frozen=True)
class Point:
    """A run's mark in a plot.

    Args:
        at: Place in percent of the width.
        height: Place in percent from the top; None if the run has no value.
        kind: The kind of mark.
        beside: Whether it is beside a text, which takes the middle.
    """

    at: float
    height: float | None
    kind: str
    beside: bool = False


@dataclasses.dataclass(frozen=True)
class MetricPlot:
    """One metric over the runs.

    Args:
        line: SVG path through the values of neighbours; None if no two neighbours have values.
        intervals: SVG path of the intervals; None if none is known.
        baselines: SVG path of a dash at the previous model's value on the same data, and of a line
            from there to the run's value; None if none is known.
        points: A mark for each run.
        ticks: Values, by height in percent from the top.
        values: Texts of the runs, joined by ``|``: ``value`` or ``value (low to high)``, and the
            previous model's value; empty for a run without a value.
    """

    line: str | None
    intervals: str | None
    baselines: str | None
    points: tuple[Point, ...]
    ticks: tuple[Label, ...]
    values: str


@dataclasses.dataclass(frozen=True)
class Strip:
    """One feature over the runs.

    Args:
        fills: SVG paths of the cells by colour: the level, and its cells.
        beyond: SVG path that marks the cells at or over their limit; None if there are none.
        none: SVG path of a dash in each run without a report; None if all runs have a report.
        points: Marks of verdicts other than OK.
        texts: Multiples of the limit, if there is room for them.
        cells: Descriptions of the runs, joined by ``|``: code of the verdict, metric, score and
            limit, separated by ``;``; empty for a run without a report.
    """

    fills: tuple[tuple[str, str], ...]
    beyond: str | None
    none: str | None
    points: tuple[Point, ...]
    texts: tuple[Label, ...]
    cells: str


@dataclasses.dataclass(frozen=True)
class Tick:
    """The label of a run on the axis.

    Args:
        at: Place in percent of the width.
        number: The number of the run.
        day: When it began, as ``25 Nov``; empty if that is unknown or there is no room.
        hour: The time, as ``02:23``; likewise.
        text_at: The place of the texts.
        anchor: SVG's text-anchor of the texts.
    """

    at: float
    number: str
    day: str
    hour: str
    text_at: float
    anchor: str = "middle"


def column_width(runs: int) -> int:
    """Least width of a run's column in CSS pixels, below which the chart scrolls instead.

    Example:
        >>> column_width(5), column_width(200)
        (54, 16)
    """
    return _WIDE if runs <= FEW else _NARROW


def place(index: int, runs: int) -> float:
    """The middle of a run's column, in percent of the width.

    Example:
        >>> place(0, 4), place(3, 4)
        (12.5, 87.5)
    """
    return round(100 * (index + 0.5) / runs, 3)


def metric_plot(
    values: Sequence[MetricValue | None], kinds: Sequence[str], baselines: Sequence[float | None]
) -> MetricPlot:
    """Lays out one metric.

    Args:
        values: For each run its value of the metric; None for a run without the metric.
        kinds: The mark of each run.
        baselines: For each run the previous model's value on the same data, or None.

    Example:
        >>> plot = metric_plot([MetricValue(0.4), None], ["ok", "bad"], [None, None])
        >>> plot.line is None, plot.points[1]
        (True, Point(at=75.0, height=None, kind='bad', beside=False))
    """
    values = [None if value is None or value.value is None else value for value in values]
    known = [(value.value, value.lower, value.upper) for value in values if value is not None]
    low, high, ticks = _axis([x for x in (*itertools.chain(*known), *baselines) if x is not None])

    def height(value: float) -> float:
        # Halves, because the difference of two floats may be too large for a float.
        share = (high / 2 - value / 2) / (high / 2 - low / 2)
        return round(HEIGHT * min(max(share, 0.0), 1.0), 1)

    heights = [
        None if value is None or value.value is None else height(value.value) for value in values
    ]
    intervals, dashes = [], []
    for i, (value, baseline, here) in enumerate(zip(values, baselines, heights)):
        if value is None or here is None:
            continue
        if value.lower is not None and value.upper is not None:
            intervals.append(f"M{i + 0.5:g} {height(value.lower):g}V{height(value.upper):g}")
        if baseline is not None:
            at = height(baseline)
            dashes.append(f"M{i + 0.3:g} {at:g}H{i + 0.7:g}M{i + 0.5:g} {at:g}V{here:g}")
    return MetricPlot(
        _line(heights) or None,
        "".join(intervals) or None,
        "".join(dashes) or None,
        tuple(Point(place(i, len(values)), heights[i], kind) for i, kind in enumerate(kinds)),
        tuple(Label(height(value), text) for value, text in ticks),
        "|".join(map(_value_text, values, baselines)),
    )


def _line(heights: Sequence[float | None]) -> str:
    """An SVG path through neighbours; a run with none has no part in it."""
    parts = []
    for i, here in enumerate(heights):
        after_one, before_one = (
            0 <= j < len(heights) and heights[j] is not None for j in (i - 1, i + 1)
        )
        if here is not None and (after_one or before_one):
            parts.append(f"{'L' if after_one else 'M'}{i + 0.5:g} {here:g}")
    return "".join(parts)


def _value_text(value: MetricValue | None, baseline: float | None) -> str:
    if value is None:
        return ""
    text = number(value.value)
    if value.lower is not None and value.upper is not None:
        text += f" ({number(value.lower)} to {number(value.upper)})"
    return text if baseline is None else f"{text}; the model before {number(baseline)}"


def _axis(values: Sequence[float]) -> tuple[float, float, list[tuple[float, str]]]:
    """Ends of an axis with some room around the values, and its round ticks."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    span = high - low
    if not math.isfinite(span):
        return low, high, [(low, number(low, 2)), (high, number(high, 2))]
    if span <= 1e-9 * max(abs(low), abs(high)):
        span = abs(high) * 0.2 or 1.0
    low, high = low - 0.12 * span, high + 0.12 * span
    step = nice_step(high - low, 7)
    first = math.ceil(low / step)
    ticks = [first * step + i * step for i in range(int((high - first * step) / step) + 1)]
    digits = max(1, math.floor(math.log10(max(map(abs, (low, high))))) - math.floor(
        math.log10(step)) + 1)  # fmt: skip
    # A tick that differs from zero only by rounding is zero.
    return low, high, [(t, number(t if abs(t) > step / 1e6 else 0.0, digits)) for t in ticks]


def level(verdict: str | None, multiple: float | None) -> str | None:
    """Colour of a cell: that of its verdict, deeper the larger the score relative to its limit.

    Returns:
        ``ok1`` to ``ok4`` (from a quarter of the limit to the limit), ``warn``, ``open``,
        ``drift1`` to ``drift3`` (up to twice the limit, four times, more), or None for no fill.

    Example:
        >>> level("OK", 0.6), level("DRIFT", 1.5), level("DRIFT", None), level("NO_BASELINE", None)
        ('ok3', 'drift1', 'drift2', None)
    """
    if verdict == "OK":
        return f"ok{1 + sum((multiple or 0.0) > step for step in _BELOW)}"
    if verdict == "DRIFT":
        # The middle colour if there is no number, for example because the column is gone.
        return "drift2" if multiple is None else f"drift{1 + sum(multiple > s for s in _BEYOND)}"
    return {"WARN": "warn", "INCONCLUSIVE": "open"}.get(verdict or "")


def multiple_text(multiple: float) -> str:
    r"""A multiple of a limit, in at most four characters.

    Example:
        >>> [multiple_text(x).replace("\u00d7", "x") for x in (0.04, 0.99, 1.54, 23.4, 1e9)]
        ['0x', '0.9x', '1.5x', '23x', '>99x']
    """
    if multiple > 99:
        return f">99{_TIMES}"
    if multiple >= 9.95:
        return f"{multiple:.0f}{_TIMES}"
    # A value below the limit is never rounded up to it.
    shown = f"{min(multiple, 0.9) if multiple < 1 else multiple:.1f}"
    return f"{'0' if shown == '0.0' else shown}{_TIMES}"


def strip(feature: FeatureHistory) -> Strip:
    """Lays out one feature.

    Args:
        feature: Its scores in each run.

    Example:
        >>> score = Score("pH", "DRIFT", "ks", 0.6, 0.3)
        >>> plot = strip(FeatureHistory.of("pH", (None, score)))
        >>> plot.fills, plot.none, plot.cells
        ((('drift1', 'M1 0h1v1h-1z'),), 'M0 0h1', '|D;Kolmogorov-Smirnov;0.6;0.3')
    """
    by_run = feature.by_run
    runs = len(by_run)
    fills: dict[str, list[str]] = {}
    beyond, none, points, texts = [], [], [], []
    for i, score in enumerate(by_run):
        if score is None:
            none.append(f"M{i} 0h1")
            continue
        multiple = score.nearness
        # Differences that chance explains are not shown. Reports of earlier releases do not record
        # them, but a metric beyond its limit is OK for no other reason.
        if score.verdict == "OK" and multiple is not None and (score.by_chance or multiple >= 1):
            multiple = None
        has_text = multiple is not None and runs <= FEW
        colour = level(score.verdict, multiple)
        if colour:
            fills.setdefault(colour, []).append(f"M{i} 0h1v1h-1z")
        if multiple is not None and multiple >= 1:
            beyond.append(f"M{i} 0h1")
        if score.verdict != "OK":
            points.append(Point(place(i, runs), None, score.verdict, has_text))
        if has_text and multiple is not None:
            texts.append(Label(place(i, runs), multiple_text(multiple)))
    return Strip(
        tuple((colour, "".join(fills[colour])) for colour in sorted(fills)),
        "".join(beyond) or None,
        "".join(none) or None,
        tuple(points),
        tuple(texts),
        "|".join(map(_cell, by_run)),
    )


def _cell(score: Score | None) -> str:
    said = "" if score is None else _CODES.get(score.verdict, "")
    if score is None or score.metric is None or score.score is None:
        return said
    texts = label_of(score.metric), metric_number(score.metric, score.score)
    # Both characters are separators in the text that the script reads.
    said = ";".join([said, *(text.replace(";", ",").replace("|", "/") for text in texts)])
    if score.threshold is None:
        return said
    return f"{said};{metric_number(score.metric, score.threshold)}"


def ticks(runs: Sequence[Run]) -> tuple[Tick, ...]:
    """Ticks of the axis: every run if there is room, or every second, fifth, tenth...

    The latest run always has its tick.
    """
    # The widest text is a day, of 50 pixels.
    every = next(n for n in (1, 2, 5, 10, 20, 50) if n * column_width(len(runs)) >= 50)
    last = len(runs) - 1
    shown = []
    for i in range(last % every, len(runs), every):
        at = place(i, len(runs))
        # Texts of a narrow column would be cut off at the end of the chart.
        where = (100.0, "end") if i == last and every > 1 else (at, "middle")
        shown.append(Tick(at, str(runs[i].number), *_moment(runs[i].started), *where))
    if every > 1 and last % every * column_width(len(runs)) < 25:
        shown = shown[1:]  # Nor at the beginning of the chart.
    return tuple(shown)


def _moment(iso: str | None) -> tuple[str, str]:
    """Day and hour; empty texts if the text is no time."""
    try:
        time = datetime.datetime.fromisoformat((iso or "").replace("Z", "+00:00"))
    except ValueError:
        return "", ""
    # Not strftime, whose month names depend on the locale.
    names = "JanFebMarAprMayJunJulAugSepOctNovDec"
    return f"{time.day} {names[3 * time.month - 3 : 3 * time.month]}", f"{time:%H:%M}"
