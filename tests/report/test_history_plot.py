from __future__ import annotations

import math
import re

import pytest

from tests.report.histories import run
from tfx_wine_ext.documents import load
from tfx_wine_ext.lineage.records import FeatureHistory, MetricValue, Run
from tfx_wine_ext.report.history_plot import (
    FEW,
    Point,
    Tick,
    column_width,
    level,
    metric_plot,
    multiple_text,
    place,
    strip,
    ticks,
)
from tfx_wine_ext.report.plots import Label


def value(number, lower=None, upper=None):
    return MetricValue(number, lower, upper)


def feature(scores, limits, verdicts, metrics, by_chance=None):
    """A feature over the runs, by columns, as a document has it."""
    columns = {"scores": scores, "limits": limits, "verdicts": verdicts, "metrics": metrics}
    if by_chance is not None:
        columns["by_chance"] = by_chance
    return load(FeatureHistory, {"name": "pH", **columns}, "document")


def started(number, when):
    return load(Run, run(number, when), "document")


def test_a_metric_is_a_line_through_neighbours_and_a_run_without_it_is_a_gap():
    plot = metric_plot(
        [value(0.4), value(0.3), None, value(0.5), None, value(0.4), value(0.4)],
        ["pushed", "unblessed", "failed", "pushed", "failed", "blessed", "blessed"],
        [None] * 7,
    )
    # The third and fifth run have no value, so the fourth one stands alone.
    assert plot.line == "M0.5 50L1.5 90.3M5.5 50L6.5 50"
    assert plot.intervals is None
    assert plot.points[:4] == (
        Point(7.143, 50.0, "pushed"),
        Point(21.429, 90.3, "unblessed"),
        Point(35.714, None, "failed"),
        Point(50.0, 9.7, "pushed"),
    )
    assert plot.ticks == (
        Label(90.3, "0.3"),
        Label(70.2, "0.35"),
        Label(50.0, "0.4"),
        Label(29.8, "0.45"),
        Label(9.7, "0.5"),
    )
    assert plot.values == "0.4|0.3||0.5||0.4|0.4"


def test_intervals_are_drawn_where_they_are_known_and_fit_on_the_axis():
    plot = metric_plot([value(0.4, 0.3, 0.5), value(0.4)], ["pushed", "pushed"], [None, None])
    assert plot.intervals == "M0.5 90.3V9.7"
    assert plot.values == "0.4 (0.3 to 0.5)|0.4"
    assert plot.baselines is None


def test_the_model_before_is_a_dash_from_which_a_line_goes_to_the_run():
    plot = metric_plot([value(0.4), value(0.5)], ["pushed", "pushed"], [None, 0.3])
    assert plot.line == "M0.5 50L1.5 9.7"
    assert plot.baselines == "M1.3 90.3H1.7M1.5 90.3V9.7"
    assert plot.values == "0.4|0.5; the model before 0.3"


@pytest.mark.parametrize(
    "values",
    [
        [0.0],
        [5.0, 5.0],
        [-1.7e308, 1.7e308],
        [1e-300, 2e-300],
        [1e16, 1e16 + 2],
        [-3.0, -2.0],
        [0.9999, 0.99991],
    ],
)
def test_any_values_can_be_drawn_and_no_two_ticks_are_called_the_same(values):
    plot = metric_plot([value(x) for x in values], ["done"] * len(values), values)
    heights = [point.height for point in plot.points]
    assert all(math.isfinite(height) and 0 <= height <= 100 for height in heights)
    texts = [tick.text for tick in plot.ticks]
    assert len(set(texts)) == len(texts) >= 2


def test_every_row_has_its_runs_at_the_same_places():
    plot = metric_plot([value(0.1 * i) for i in range(3)], ["done"] * 3, [None] * 3)
    cells = strip(feature([0.2] * 3, [0.1] * 3, ["DRIFT"] * 3, ["ks"] * 3))
    axis = ticks([started(n, "") for n in (1, 2, 3)])
    places = [place(i, 3) for i in range(3)]
    assert places == [16.667, 50.0, 83.333]
    assert [point.at for point in plot.points] == places
    assert [point.at for point in cells.points] == places
    assert [tick.at for tick in axis] == places
    # In the stretched box, a run is one unit: its middle is half a unit beyond its left end.
    assert re.findall(r"[ML]([\d.]+) ", plot.line) == ["0.5", "1.5", "2.5"]
    assert cells.fills == (("drift1", "M0 0h1v1h-1zM1 0h1v1h-1zM2 0h1v1h-1z"),)


def test_a_strip_tells_verdicts_limits_missing_baselines_and_missing_reports_apart():
    found = strip(
        feature(
            [None, None, 0.05, 0.12, 0.5, 0.098, 0.15],
            [None, None, 0.1, 0.1, 0.1, 0.1, 0.1],
            [None, "NO_BASELINE", "OK", "WARN", "DRIFT", "INCONCLUSIVE", "OK"],
            [None, None, "ks", "psi", "ks", "js", "ks"],
        )
    )
    assert found.fills == (
        ("drift3", "M4 0h1v1h-1z"),
        ("ok1", "M6 0h1v1h-1z"),
        ("ok2", "M2 0h1v1h-1z"),
        ("open", "M5 0h1v1h-1z"),
        ("warn", "M3 0h1v1h-1z"),
    )
    assert found.none == "M0 0h1"
    # At or over the limit; where the verdict is OK all the same, by chance.
    assert found.beyond == "M3 0h1M4 0h1"
    assert [(point.kind, point.beside) for point in found.points] == [
        ("NO_BASELINE", False),
        ("WARN", True),
        ("DRIFT", True),
        ("INCONCLUSIVE", True),
    ]
    texts = [label.text.replace("\u00d7", "x") for label in found.texts]
    assert texts == ["0.5x", "1.2x", "5.0x", "0.9x"]
    assert found.cells == (
        "|N|O;Kolmogorov-Smirnov;0.05;0.1|W;PSI;0.12;0.1|D;Kolmogorov-Smirnov;0.5;0.1"
        "|I;Jensen-Shannon;0.098;0.1|O;Kolmogorov-Smirnov;0.15;0.1"
    )


def test_what_chance_makes_has_no_depth_and_no_number():
    scores = [0.08, 0.08], [0.1, 0.1], ["OK", "OK"], ["ks", "ks"]
    found = strip(feature(*scores, by_chance=[True, False]))
    assert found.fills == (("ok1", "M0 0h1v1h-1z"), ("ok4", "M1 0h1v1h-1z"))
    assert [label.text.replace("\u00d7", "x") for label in found.texts] == ["0.8x"]


def test_a_column_that_is_gone_drifted_without_a_score():
    found = strip(feature([None], [None], ["DRIFT"], [None]))
    assert (found.fills, found.beyond, found.texts) == ((("drift2", "M0 0h1v1h-1z"),), None, ())
    assert (found.points, found.cells) == ((Point(50.0, None, "DRIFT"),), "D")


def test_a_limit_of_0_or_none_has_no_multiple():
    found = strip(feature([0.2, 0.2], [0.0, None], ["DRIFT", "OK"], ["ks", "ks"]))
    assert found.texts == ()
    assert found.cells == "D;Kolmogorov-Smirnov;0.2;0|O;Kolmogorov-Smirnov;0.2"


def test_a_metric_whose_name_holds_the_marks_between_cells_cannot_shift_them():
    found = strip(feature([0.2], [0.1], ["DRIFT"], ["a|b;c"]))
    assert found.cells == "D;a/b,c;0.2;0.1"


def test_many_runs_have_narrow_columns_without_numbers():
    many = FEW + 1
    found = strip(feature([0.2] * many, [0.1] * many, ["DRIFT"] * many, ["ks"] * many))
    assert found.texts == ()
    assert not any(point.beside for point in found.points)
    assert (column_width(FEW), column_width(many)) == (54, 16)


@pytest.mark.parametrize(
    ("verdict", "multiple", "colour"),
    [
        ("OK", 0.0, "ok1"),
        ("OK", 0.25, "ok1"),
        ("OK", 0.26, "ok2"),
        ("OK", 0.99, "ok4"),
        ("OK", 3.0, "ok4"),
        ("OK", None, "ok1"),
        ("DRIFT", 1.0, "drift1"),
        ("DRIFT", 2.1, "drift2"),
        ("DRIFT", 4.1, "drift3"),
        ("WARN", 1.5, "warn"),
        ("INCONCLUSIVE", 0.9, "open"),
        ("NO_BASELINE", None, None),
        ("anything", 1.0, None),
    ],
)
def test_a_cell_has_the_colour_of_its_verdict_and_is_the_deeper_the_farther(
    verdict, multiple, colour
):
    assert level(verdict, multiple) == colour


@pytest.mark.parametrize(
    ("multiple", "text"),
    [(0.0, "0x"), (0.96, "0.9x"), (1.0, "1.0x"), (9.94, "9.9x"), (9.96, "10x"), (1e300, ">99x")],
)
def test_multiples_are_short_and_never_rounded_up_to_the_limit(multiple, text):
    assert multiple_text(multiple).replace("\u00d7", "x") == text


def test_with_few_runs_each_has_a_tick_and_with_many_as_many_as_have_room():
    runs = [started(n, f"2026-11-{n:02}T02:23:00+00:00") for n in range(1, 21)]
    assert [tick.number for tick in ticks(runs[:5])] == ["1", "2", "3", "4", "5"]
    assert ticks(runs) == (
        Tick(22.5, "5", "5 Nov", "02:23", 22.5),
        Tick(47.5, "10", "10 Nov", "02:23", 47.5),
        Tick(72.5, "15", "15 Nov", "02:23", 72.5),
        Tick(97.5, "20", "20 Nov", "02:23", 100.0, "end"),
    )
    # The tick of the first run would be cut off.
    assert [tick.number for tick in ticks([*runs, started(21, "")])] == [
        "6",
        "11",
        "16",
        "21",
    ]


def test_a_run_without_a_time_has_a_number_all_the_same():
    [tick] = ticks([started(7, "yesterday")])
    assert (tick.number, tick.day, tick.hour) == ("7", "", "")
