"""Geometry of the plots: from histograms to SVG paths, drawn by templates/plots.html.

A plot is as wide as its place on the page, and its letters keep their size: shapes are drawn in a
box of 1000 x 100 units that is stretched, and texts are placed in percent beside it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from tfx_wine_ext.report.words.quantity import Quantity
from tfx_wine_ext.report.words.text import count, labels, number, percent, visible

WIDTH, HEIGHT = 1000, 100
# Share of the width that a bar for values beyond the plotted range takes.
_TAIL = 0.07
# Characters of a category; its title shows the whole text.
VALUE_LIMIT = 60
# If 5 of a value are expected, chance leaves all of them out in 1 of 150 samples.
_EXPECTED = 5


@dataclasses.dataclass(frozen=True)
class Label:
    """A text beside a plot.

    Args:
        at: Place in percent of the width (or height).
        text: The text.
        anchor: SVG's text-anchor.
    """

    at: float
    text: str
    anchor: str = "middle"


@dataclasses.dataclass(frozen=True)
class NumericPlot:
    """Two distributions of numbers on one axis.

    Args:
        baseline: SVG path of the baseline's shares; None if there is no baseline.
        current: The same for the current data.
        grid: Shares, by height in percent from the top.
        ticks: Values, by place in percent.
        dividers: Places in percent between the axis and the values beyond it.
        description: The plot in words.
    """

    baseline: str | None
    current: str | None
    grid: tuple[Label, ...]
    ticks: tuple[Label, ...]
    dividers: tuple[float, ...]
    description: str


@dataclasses.dataclass(frozen=True)
class CategoryRow:
    """One value of a categorical column.

    Args:
        label: The value as a displayable text.
        baseline: Its share of the baseline's values, 0 to 1; None if there is no baseline.
        current: Its share of the current values; None if they lack the column.
        is_other: Whether the row represents all values without their own row.
        whole: The whole value if the label is cut, else None.
        turn: `new` or `gone` if one side lacks the value and chance does not explain this.
    """

    label: str
    baseline: float | None
    current: float | None
    is_other: bool = False
    whole: str | None = None
    turn: str = ""


def nice_step(span: float, steps: int) -> float:
    """The round step (1, 2 or 5 times a power of ten) that cuts `span` into at most `steps` parts.

    Example:
        >>> nice_step(7.1, 5), nice_step(0.034, 4)
        (2.0, 0.01)
    """
    size = 10.0 ** math.floor(math.log10(span / steps))
    factor = next(f for f in (1, 2, 5, 10, 20) if span / (f * size) <= steps)
    # Division, because 2 * 10.0 ** -3 is not the float nearest to 0.002.
    return factor * size if size >= 1 else factor / round(1 / size)


def numeric_plot(histogram: Mapping[str, Any], quantity: Quantity | None = None) -> NumericPlot:
    """Lays out a numeric histogram.

    Args:
        histogram: ``edges`` of the bins, the counts of ``baseline`` and ``current`` in them, and
            the counts ``below`` and ``above``. If it has ``integers``, bins may represent single
            whole numbers, which are drawn as pairs of bars.
        quantity: The kind of the values. Default: None, plain numbers.

    Example:
        >>> plot = numeric_plot({"kind": "numeric", "edges": [0.0, 1.0, 2.0], "baseline": [3, 1],
        ...     "current": [2, 2], "below": [0, 0], "above": [0, 0], "integers": False})
        >>> plot.baseline
        'M0 100V4.8H500V68.3H1000V100Z'
        >>> [tick.text for tick in plot.ticks]
        ['0', '0.5', '1', '1.5', '2']
    """
    shares = {side: side_shares(histogram, side) for side in ("baseline", "current")}
    known = [share for share in shares.values() if share is not None]
    edges = histogram["edges"]
    quantity = quantity or Quantity()
    below, above = (any(share[i] > 0 for share in known) for i in (0, -1))
    axis = _Axis(edges[0], edges[-1], below, above, quantity.on_axis(edges[0], edges[-1]))
    top = max((value for share in known for value in share), default=0.0) * 1.05 or 1.0
    slots = {side: (0, 1) if len(known) < 2 else (i, 2) for i, side in enumerate(shares)}
    paths = {
        side: None if share is None else _numeric_path(histogram, axis, share, top, slots[side])
        for side, share in shares.items()
    }
    step = nice_step(top, 4)
    grid = [
        Label(round(100 * (1 - i * step / top), 2), percent(i * step))
        for i in range(1, int(top / step) + 1)
        if i * step <= 1
    ]
    return NumericPlot(
        paths["baseline"],
        paths["current"],
        tuple(grid),
        axis.labels(
            _value_ticks(edges)
            if has_single_values(histogram)
            else quantity.ticks(edges[0], edges[-1]) or _round_ticks(edges)
        ),
        axis.dividers,
        _description(histogram, shares, quantity),
    )


@dataclasses.dataclass(frozen=True)
class _Axis:
    """The scale from `low` to `high`, with bars at the ends if any values lie beyond."""

    low: float
    high: float
    below: bool
    above: bool
    quantity: Quantity

    def place(self, value: float) -> float:
        """The place of a value, 0 to 1 of the width."""
        start = _TAIL if self.below else 0.0
        end = 1 - (_TAIL if self.above else 0.0)
        # Quarters, because the difference of two floats may be too large for a float.
        span = self.high / 4 - self.low / 4
        return start + (end - start) * ((value / 4 - self.low / 4) / span if span else 0.5)

    def labels(self, ticks: Sequence[tuple[float, str]]) -> tuple[Label, ...]:
        """Labels of values, and of an end if values lie beyond it."""
        below = f"< {self.quantity.text(self.low)}" if self.below else ""
        above = f"> {self.quantity.text(self.high)}" if self.above else ""
        labels = []
        for value, text in ticks:
            place = self.place(value)
            # A character takes 2 % of a phone's width; half of a tick's label needs room too.
            room = max(3, len(text) / 2 + 1)
            start, end = (0.02 * (len(end) + room) if end else 0.0 for end in (below, above))
            if start <= place <= 1 - end:
                labels.append(_tick(place, text))
        if below:
            labels.insert(0, Label(0, below, "start"))
        if above:
            labels.append(Label(100, above, "end"))
        return tuple(labels)

    @property
    def dividers(self) -> tuple[float, ...]:
        """Places in percent between the axis and the values beyond it."""
        ends = ((self.below, 100 * _TAIL), (self.above, 100 * (1 - _TAIL)))
        return tuple(round(at, 2) for shown, at in ends if shown)


def _numeric_path(
    histogram: Mapping[str, Any],
    axis: _Axis,
    share: Sequence[float],
    top: float,
    slot: tuple[int, int],
) -> str:
    places = [WIDTH * axis.place(edge) for edge in histogram["edges"]]
    below, *heights, above = (HEIGHT * (1 - value / top) for value in share)
    if has_single_values(histogram):
        pieces = [_bar(*bar, slot) for bar in zip(places, places[1:], heights)]
    else:
        pieces = [_steps(places, heights)]
    if axis.below:
        pieces.insert(0, _bar(0, WIDTH * _TAIL, below, slot))
    if axis.above:
        pieces.append(_bar(WIDTH * (1 - _TAIL), WIDTH, above, slot))
    return "".join(pieces)


def side_shares(histogram: Mapping[str, Any], side: str) -> list[float] | None:
    """The shares of one side of a numeric histogram: below the bins, in each bin, and above.

    Example:
        >>> side_shares({"baseline": [1, 2], "below": [1, 0], "above": [0, 0]}, "baseline")
        [0.25, 0.25, 0.5, 0.0]
    """
    counts: Sequence[float] | None = histogram[side]
    if counts is None:
        return None
    i = ("baseline", "current").index(side)
    every = [histogram["below"][i], *counts, histogram["above"][i]]
    total = sum(every) or 1
    return [value / total for value in every]


def has_single_values(histogram: Mapping[str, Any]) -> bool:
    """Whether each bin of a numeric histogram represents one whole number."""
    edges = histogram["edges"]
    narrow = all(b - a <= 1.0001 for a, b in zip(edges, edges[1:]))
    return bool(histogram["integers"]) and narrow


def bin_value(left: float, right: float) -> int:
    """The whole number that a bin of a numeric histogram represents.

    Example:
        >>> bin_value(2.5, 3.5), bin_value(3.0, 4.0)
        (3, 3)
    """
    middle = (left + right) / 2
    return int(middle) if middle.is_integer() else math.ceil(left)


def category_rows(histogram: Mapping[str, Any], is_exact: bool = True) -> tuple[CategoryRow, ...]:
    """Lays out a categorical histogram: a row for each value, and a row for all others.

    Args:
        histogram: The values, their counts on each side, and the remaining counts as ``other``.
        is_exact: Whether a count of 0 means that the side does not have the value.

    Example:
        >>> red, _, others = category_rows({"kind": "categorical", "values": ["red", ""],
        ...     "baseline": [3, 0], "current": [1, 1], "other": [1, 0]})
        >>> red.label, red.baseline, red.current, others.label, others.is_other
        ('red', 0.75, 0.5, 'all other values', True)
    """
    sides = []
    totals: list[float] = []
    for i, side in enumerate(("baseline", "current")):
        counts = histogram[side]
        if counts is None:
            sides.append([None] * (len(histogram["values"]) + 1))
            totals.append(0.0)
            continue
        every = [*counts, histogram["other"][i]]
        totals.append(sum(every))
        sides.append([value / (totals[-1] or 1) for value in every])
    shown = labels(histogram["values"], VALUE_LIMIT)
    rows = []
    for value, old, new in zip(histogram["values"], *sides):
        whole = visible(value) if len(value) > VALUE_LIMIT else None
        turn = _turn(old, new, totals) if is_exact else ""
        label = shown[value] or "(empty text)"
        rows.append(CategoryRow(label, old, new, whole=whole, turn=turn))
    if any(side[-1] for side in sides):
        unlisted = histogram.get("unlisted")
        label = count(unlisted, "other value") if unlisted else "all other values"
        rows.append(CategoryRow(label, sides[0][-1], sides[1][-1], is_other=True))
    return tuple(rows)


def _turn(old: float | None, new: float | None, totals: Sequence[float]) -> str:
    """Whether a value is new or gone: the side that lacks it would be expected to have it."""
    if old == 0 and new and new * totals[0] >= _EXPECTED:
        return "new"
    return "gone" if new == 0 and old and old * totals[1] >= _EXPECTED else ""


def category_paths(rows: Sequence[CategoryRow]) -> tuple[str | None, str | None]:
    """Paths of small pairs of upright bars beside the name: the baseline's and the current one.

    Example:
        >>> category_paths([CategoryRow("red", 0.5, None)])
        ('M100 100V0H900V100Z', None)
    """
    # A bar for all other values would make the rest too small to see.
    rows = [row for row in rows if not row.is_other]
    sides = [[row.baseline for row in rows], [row.current for row in rows]]
    top = max((share for side in sides for share in side if share is not None), default=0) or 1.0
    both = all(share is not None for side in sides for share in side)
    width = WIDTH / (len(rows) or 1)
    paths = [
        "".join(
            _bar(j * width, (j + 1) * width, HEIGHT * (1 - share / top), (i, 2) if both else (0, 1))
            for j, share in enumerate(side)
            if share is not None
        )
        for i, side in enumerate(sides)
    ]
    return paths[0] or None, paths[1] or None


def _number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _bar(left: float, right: float, y: float, slot: tuple[int, int]) -> str:
    """The `slot[0]`-th bar in a group of `slot[1]`, between `left` and `right`."""
    position, members = slot
    width = 0.8 * (right - left) / members
    start = left + 0.1 * (right - left) + position * width
    x, end, height = _number(start), _number(start + width), _number(y)
    return f"M{x} {HEIGHT}V{height}H{end}V{HEIGHT}Z"


def _steps(places: Sequence[float], heights: Sequence[float]) -> str:
    steps = [f"V{_number(y)}H{_number(x)}" for y, x in zip(heights, places[1:])]
    return f"M{_number(places[0])} {HEIGHT}{''.join(steps)}V{HEIGHT}Z"


def _tick(place: float, text: str) -> Label:
    anchor = "start" if place < 0.03 else "end" if place > 0.97 else "middle"
    return Label(round(100 * place, 2), text, anchor)


def _round_ticks(edges: Sequence[float]) -> list[tuple[float, str]]:
    low, high = edges[0], edges[-1]
    if not 1e-300 < high - low < math.inf:
        return [(edge, number(edge)) for edge in dict.fromkeys((low, high))]
    for steps in (8, 4):
        step = nice_step(high - low, steps)
        first = math.ceil(low / step - 1e-9)
        values = [
            i * step for i in range(first, first + steps + 1) if i * step <= high + step / 1e9
        ]
        texts = _distinct_texts(values, step)
        if max(map(len, texts), default=0) <= 5:
            break  # On a phone, there is room for fewer if they are longer.
    return list(zip(values, texts))


def _distinct_texts(values: Sequence[float], step: float) -> list[str]:
    """Numbers with just enough digits to distinguish each from the next."""
    largest = max(map(abs, values), default=0.0) or step
    digits = max(1, math.floor(math.log10(largest)) - math.floor(math.log10(step)) + 1)
    if largest < 1e7:
        return [number(value, digits) for value in values]
    return [f"{value:.{digits}g}" for value in values]


def _value_ticks(edges: Sequence[float]) -> list[tuple[float, str]]:
    """A tick below each pair of bars, or below every second, third... if there are many."""
    every = math.ceil((len(edges) - 1) / 10)
    return [
        ((left + right) / 2, number(bin_value(left, right)))
        for i, (left, right) in enumerate(zip(edges, edges[1:]))
        if i % every == 0
    ]


def _description(
    histogram: Mapping[str, Any], shares: Mapping[str, Sequence[float] | None], quantity: Quantity
) -> str:
    edges = histogram["edges"]
    texts = []
    for side, share in shares.items():
        if share is None or not any(share):
            continue
        inner = share[1:-1]
        i = max(range(len(inner)), key=inner.__getitem__)
        where = (
            f"at {bin_value(edges[i], edges[i + 1])}"
            if has_single_values(histogram)
            else f"from {quantity.text(edges[i])} to {quantity.text(edges[i + 1])}"
        )
        texts.append(
            f"{side.capitalize()}: most values, {percent(inner[i])}, {where}; {percent(share[0])} "
            f"below {quantity.text(edges[0])}, {percent(share[-1])} above "
            f"{quantity.text(edges[-1])}."
        )
    return " ".join(texts)
