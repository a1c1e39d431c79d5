from __future__ import annotations

import math
import re

import pytest

from tests.report.documents import ALCOHOL, GONE, GRAPE, QUALITY
from tfx_wine_ext.report.plots import (
    Label,
    category_paths,
    category_rows,
    nice_step,
    numeric_plot,
)


def histogram(edges, baseline, current, below=(0, 0), above=(0, 0), integers=False):
    return {
        "kind": "numeric",
        "edges": edges,
        "baseline": baseline,
        "current": current,
        "below": list(below),
        "above": list(above),
        "integers": integers,
    }


def heights(path):
    """What the path says of heights, as shares of the highest step."""
    ups = [100 - float(y) for y in re.findall(r"V([\d.]+)H", path)]
    return [round(up / max(ups), 2) for up in ups]


def test_both_sides_are_drawn_as_shares_so_that_sizes_do_not_matter():
    plot = numeric_plot(histogram([0.0, 1.0, 2.0], [3000, 1000], [1, 3]))
    assert plot.baseline == "M0 100V4.8H500V68.3H1000V100Z"
    assert plot.current == "M0 100V68.3H500V4.8H1000V100Z"
    assert plot.dividers == ()
    assert plot.grid == (
        Label(74.6, "20\u00a0%"),
        Label(49.21, "40\u00a0%"),
        Label(23.81, "60\u00a0%"),
    )
    assert plot.ticks == (
        Label(0.0, "0", "start"),
        Label(25.0, "0.5"),
        Label(50.0, "1"),
        Label(75.0, "1.5"),
        Label(100.0, "2", "end"),
    )


def test_what_lies_beyond_the_bins_has_bars_of_its_own_behind_dashed_lines():
    plot = numeric_plot(ALCOHOL["histogram"])
    assert plot.dividers == (7.0, 93.0)
    assert plot.ticks == (
        Label(0, "< 8.5", "start"),
        Label(32.8, "10"),
        Label(50.0, "11"),
        Label(67.2, "12"),
        Label(100, "> 13.5", "end"),
    )
    # A bar on the left, five steps, a bar on the right.
    assert heights(plot.baseline) == [0.04, 1.0, 0.89, 0.78, 0.56, 0.33, 0.03]
    assert plot.baseline.count("M") == plot.baseline.count("Z") == 3


def test_single_whole_numbers_are_pairs_of_bars_with_a_tick_below_each():
    plot = numeric_plot(QUALITY["histogram"])
    assert [tick.text for tick in plot.ticks] == ["5", "6", "7"]
    assert [tick.at for tick in plot.ticks] == [16.67, 50.0, 83.33]
    assert plot.baseline.count("Z") == plot.current.count("Z") == 3
    # The second side begins where the first one ends.
    assert plot.baseline.startswith("M33.3 100V")
    assert plot.baseline.split("Z")[0].endswith("H166.7V100")
    assert plot.current.startswith("M166.7 100V")


def test_a_side_that_is_not_there_is_not_drawn_and_the_other_one_has_the_place():
    plot = numeric_plot(GONE["histogram"])
    assert plot.current is None
    assert heights(plot.baseline) == [0.11, 1.0, 0.1]


def test_the_description_says_where_the_most_values_are():
    assert numeric_plot(ALCOHOL["histogram"]).description.replace("\u00a0", " ") == (
        "Baseline: most values, 28 %, from 8.5 to 9.5; 0.98 % below 8.5, 0.92 % above 13.5. "
        "Current: most values, 43 %, from 8.5 to 9.5; 0 % below 8.5, 0.93 % above 13.5."
    )
    assert numeric_plot(QUALITY["histogram"]).description.replace("\u00a0", " ") == (
        "Baseline: most values, 50 %, at 6; 0 % below 4.5, 0 % above 7.5. "
        "Current: most values, 40 %, at 6; 0 % below 4.5, 0 % above 7.5."
    )


@pytest.mark.parametrize(
    "edges",
    [
        [-1.7e308, 0.0, 1.7e308],
        [0.0, 5e-324],
        [1e16, 1e16 + 2],
        [3.0, 3.0 + 2**-51],
        [-1e-9, 1e-9],
        [1.6e15, 1.60006e15],
        [-4000000.5, 4000000.5],
        [-3.0, -2.0],
    ],
)
def test_any_range_of_floats_can_be_drawn_and_no_two_ticks_are_called_the_same(edges):
    counts = [1] * (len(edges) - 1)
    plot = numeric_plot(histogram(edges, counts, counts, (1, 0), (0, 1)))
    numbers = [float(x) for x in re.findall(r"[\d.]+", plot.baseline)]
    assert all(math.isfinite(x) and 0 <= x <= 1000 for x in numbers)
    texts = [tick.text for tick in plot.ticks]
    assert len(set(texts)) == len(texts) >= 2
    places = [tick.at for tick in plot.ticks]
    assert places == sorted(places)


def test_a_side_without_any_value_is_a_flat_line():
    assert numeric_plot(histogram([0.0, 1.0], [0], [0])).baseline == "M0 100V100H1000V100Z"


@pytest.mark.parametrize(
    ("span", "steps", "step"),
    [(1.0, 5, 0.2), (10.0, 4, 5.0), (0.003, 5, 0.001), (8.1, 8, 2.0), (1e300, 5, 2e299)],
)
def test_steps_are_round(span, steps, step):
    assert nice_step(span, steps) == pytest.approx(step, rel=1e-12)


def test_categories_are_rows_with_shares_and_the_rest_is_one_row():
    rows = category_rows(GRAPE["histogram"])
    assert [(row.label, row.baseline, row.current, row.is_other) for row in rows] == [
        ("Riesling", 0.6, 0.5, False),
        ("Merlot", 0.2, 0.21, False),
        ("(empty text)", 0.1, 0.09, False),
        ("Zweigelt", 0.0, 0.05, False),
        ("Syrah", 0.02, 0.0, False),
        ("all other values", 0.08, 0.15, True),
    ]
    baseline, current = category_paths(rows)
    # All others together, which may be the most, would make the rest invisible.
    assert heights(baseline) == [1.0, 0.33, 0.17, 0.0, 0.03]
    assert current.count("Z") == 5
