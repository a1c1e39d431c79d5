"""The page of a comparison, from the report's JSON document."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfx_wine_ext.drift.document import DriftDocument
from tfx_wine_ext.drift.load import load_document
from tfx_wine_ext.drift.metric import Metric, Verdict
from tfx_wine_ext.drift.metrics import registered_metrics
from tfx_wine_ext.drift.ranking import FINE, WORST_FIRST, severity
from tfx_wine_ext.drift.result import FeatureResult
from tfx_wine_ext.report import plots
from tfx_wine_ext.report.page import FEATURE_LIMIT, render
from tfx_wine_ext.report.words import drift as explain
from tfx_wine_ext.report.words import glossary
from tfx_wine_ext.report.words.features import changed
from tfx_wine_ext.report.words.quantity import Quantity
from tfx_wine_ext.report.words.text import count, labels, percent, probability, visible

# Number of features on the first screen; the others follow below.
_MOST_MOVED = 10
# Features with plots and tables, worst first, and features with a line each below: ADR 0039.
MOST_DETAILED, MOST_LINES = 200, 5000
# A page of those features has about 3 MB. One that long names make larger gets fewer of them.
MOST_CHARACTERS = 6_000_000
# Names that a setting shows, such as the critical features.
_MOST_NAMED = 200
# Characters of both sides that fit beside a label on a phone.
_WIDE = 26
_STATISTICS = {
    "min": "Minimum",
    "p25": "Lower quartile",
    "median": "Median",
    "p75": "Upper quartile",
    "max": "Maximum",
    "mean": "Mean",
    "std": "Standard deviation",
}
_NOT_FINITE = {
    "nan": "Not a number",
    "negative_infinity": "Minus infinity",
    "positive_infinity": "Plus infinity",
}


@dataclasses.dataclass(frozen=True)
class Gauge:
    """A metric and its limit on a scale from 0 to twice the limit, in percent of the width.

    Args:
        value: The metric's value.
        low: The value minus the error.
        high: The value plus the error.
        floor: The noise floor.
        beyond: Whether the value is off the scale.
        failed: Whether the metric drifted. A value above the limit alone does not imply this.
    """

    value: float
    low: float
    high: float
    floor: float
    beyond: bool
    failed: bool


@dataclasses.dataclass(frozen=True)
class ScoreRow:
    """One metric of one feature on the page."""

    name: str
    label: str
    raw: float
    value: str
    limit: str
    noise_floor: str
    error: str
    q_value: str
    verdict: Verdict
    gauge: Gauge | None


@dataclasses.dataclass(frozen=True)
class FeatureView:
    """One feature on the page.

    Args:
        id: The id of its HTML element.
        column: The index of its column.
        feature: Its facts.
        name: Its label, which is unique; `whole_name` is set if it was cut.
        closest: The metric that came closest to its limit, if none reached it.
        calm: The text to show if no metric is worth naming; else empty.
        change: The sentence that describes the change best.
        listed: How many values of a categorical feature have a row, if not all of them do.
        paths: SVG paths of both small distributions: the baseline's and the current one.
        statistics: Each statistic: its label, the baseline's value and the current one.
        wide: Whether some statistics are so long that each side needs its own line on a phone.
    """

    id: str
    column: int
    feature: FeatureResult
    name: str
    whole_name: str | None
    deciding: explain.Deciding | None
    closest: explain.Deciding | None
    calm: str
    sentences: tuple[str, ...]
    change: str
    plot: plots.NumericPlot | None
    rows: tuple[plots.CategoryRow, ...]
    listed: str
    paths: tuple[str | None, str | None]
    scores: tuple[ScoreRow, ...]
    statistics: tuple[tuple[str, str, str], ...]
    wide: bool


@dataclasses.dataclass(frozen=True)
class FeatureLine:
    """One feature in the table of those that have no details.

    Args:
        place: Its place in the order of severity, from 0.
        column: The index of its column.
        feature: Its facts.
        deciding: The metric that decided, or else came closest to its limit.
        calm: The text to show if no metric is worth naming; else empty.
        values: The values of the metrics by which the page sorts, "" for one that it lacks.
    """

    place: int
    column: int
    feature: FeatureResult
    deciding: explain.Deciding | None
    calm: str
    values: str


def render_drift_page(document: DriftDocument | Mapping[str, Any]) -> str:
    """Renders a comparison as one self-contained HTML file.

    It works offline, without JavaScript and on paper. Its size does not depend on the number of
    rows. The 200 worst features have plots and tables (about 8 kB each), and up to 5,000 others a
    line in a table (about 0.3 kB); of features beyond that the page has the number. It never has
    more than 6 million characters. Names and values are escaped and cannot reorder the surrounding
    text.

    Args:
        document: The report, loaded or as a JSON object of format version 1, as
            `tfx_wine_ext.report.drift_document.report_document` makes it or `json.loads` reads it.

    Returns:
        The page; write it as UTF-8.

    Raises:
        TypeError: `document` is not a mapping.
        ValueError: `document` has another format version or an unexpected value; the message says
            where.

    Example:
        >>> page = render_drift_page({
        ...     "format_version": 1, "verdict": "NO_BASELINE", "reasons": ["there is no baseline"],
        ...     "share_drifted": 0.0, "aggregate": None, "method": "exact",
        ...     "created": "2026-11-24T23:30:00+00:00", "baseline": None, "multivariate": None,
        ...     "current": {"name": "span 1", "rows": 2, "uri": None, "split": None, "span": 1,
        ...         "version": 0, "created": None},
        ...     "features": [], "config": {}})
        >>> "First data seen" in page
        True
    """
    if not isinstance(document, (DriftDocument, Mapping)):
        raise TypeError(f"document must be a mapping, found {type(document).__name__}")
    document = load_document(document)
    features = document.features
    order = sorted(range(len(features)), key=lambda i: (*severity(features[i]), i))
    shown = labels((feature.name for feature in features), FEATURE_LIMIT)
    is_exact = document.method == "exact"
    views = [
        _feature(i, features[i], shown[features[i].name], is_exact) for i in order[:MOST_DETAILED]
    ]
    metrics = [name for name in registered_metrics() if any(name in f.metrics for f in features)]
    lines = [
        _line(place, order[place], features[order[place]], metrics)
        for place in range(len(order))[: MOST_DETAILED + MOST_LINES]
    ]
    most_detailed, most_lines = MOST_DETAILED, MOST_LINES
    while True:
        page = _rendered(
            document, views[:most_detailed], lines[most_detailed:][:most_lines], shown, metrics
        )
        if len(page) <= MOST_CHARACTERS or not most_detailed + most_lines:
            return page
        most_detailed, most_lines = most_detailed // 2, most_lines // 2


def _rendered(
    document: DriftDocument,
    views: Sequence[FeatureView],
    lines: Sequence[FeatureLine],
    shown: Mapping[str, str],
    metrics: Sequence[str],
) -> str:
    features = document.features
    numbers_of = [(verdict, document.with_verdict(verdict)) for verdict in WORST_FIRST]
    moved = [view for view in views if view.feature.verdict not in FINE][:_MOST_MOVED]
    not_fine = sum(feature.verdict not in FINE for feature in features)
    return render(
        "drift.html",
        document=document,
        reasons=[explain.sentence(reason) for reason in document.reasons],
        headline=explain.headline(document),
        settle=explain.settle(document),
        views=views,
        lines=lines,
        left_out=len(features) - len(views) - len(lines),
        MOST_NAMED=_MOST_NAMED,
        moved=moved,
        moved_more=not_fine - len(moved),
        feature_labels=shown,
        result=_result(document),
        verdicts=[(verdict, number_of) for verdict, number_of in numbers_of if number_of],
        sortable=[(name, explain.label_of(name)) for name in metrics],
        has_baseline=document.has_baseline,
        has_errors=any(metric.error for f in features for metric in f.metrics.values()),
        terms=glossary.terms(drift=registered_metrics() if document.has_baseline else ()),
        columns=glossary.COLUMNS,
        metric_number=explain.metric_number,
        label_of=explain.label_of,
    )


def _result(document: DriftDocument) -> str:
    drifted, warned = map(document.with_verdict, (Verdict.DRIFT, Verdict.WARN))
    said = changed(drifted, warned, len(document.features))
    return f"{said[:1].upper()}{said[1:]}"


def _feature(column: int, feature: FeatureResult, shown: str, is_exact: bool) -> FeatureView:
    name, quantity = feature.name, Quantity(feature.time)
    histogram = feature.histogram
    listed = ""
    statistics = _statistics(feature.baseline, feature.current, quantity)
    plot = None
    rows: tuple[plots.CategoryRow, ...] = ()
    paths: tuple[str | None, str | None] = (None, None)
    if histogram and histogram["kind"] == "numeric":
        plot = plots.numeric_plot(histogram, quantity)
        paths = plot.baseline, plot.current
    elif histogram:
        rows = plots.category_rows(histogram, is_exact)
        if histogram.get("unlisted"):
            here = len(histogram["values"])
            listed = f"{here} of {count(here + histogram['unlisted'], 'value')}: "
            listed += "the most frequent ones, and those whose share changed most."
        paths = plots.category_paths(rows)
    return FeatureView(
        f"f{column}",
        column,
        feature,
        shown,
        visible(name) if len(name) > FEATURE_LIMIT else None,
        explain.deciding_metric(feature),
        explain.closest_metric(feature),
        explain.calm(feature),
        explain.explain(feature),
        explain.change(feature),
        plot,
        rows,
        listed,
        paths,
        tuple(_score(name, metric) for name, metric in feature.metrics.items()),
        statistics,
        any(len(old) + len(new) > _WIDE for _, old, new in statistics),
    )


def _line(place: int, column: int, feature: FeatureResult, metrics: Iterable[str]) -> FeatureLine:
    found = map(feature.metrics.get, metrics)
    return FeatureLine(
        place,
        column,
        feature,
        explain.deciding_metric(feature) or explain.closest_metric(feature),
        explain.calm(feature),
        ",".join("" if metric is None else f"{metric.value:.4g}" for metric in found),
    )


def _score(name: str, metric: Metric) -> ScoreRow:
    limit = "none"
    if metric.threshold is not None:
        limit = explain.metric_number(name, metric.threshold)
    if metric.warn is not None:
        limit += f" (warns: {explain.metric_number(name, metric.warn) if metric.warn else 'any'})"
    return ScoreRow(
        name,
        explain.label_of(name),
        metric.value,
        explain.metric_number(name, metric.value),
        limit,
        explain.metric_number(name, metric.noise_floor),
        f"±{explain.metric_number(name, metric.error)}" if metric.error else "0",
        probability(metric.q_value),
        metric.verdict or Verdict.OK,
        _gauge(metric),
    )


def _gauge(metric: Metric) -> Gauge | None:
    limit = metric.threshold
    if not limit:
        return None

    def place(value: float) -> float:
        return round(min(max(50 * value / limit, 0.0), 100.0), 1)

    value, error = metric.value, metric.error
    return Gauge(
        place(value),
        place(value - error),
        place(value + error),
        place(metric.noise_floor),
        value > 2 * limit,
        metric.verdict is Verdict.DRIFT,
    )


def _statistics(
    old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, quantity: Quantity
) -> tuple[tuple[str, str, str], ...]:
    sides = old, new = old or {}, new or {}
    if not any(sides):
        return ()
    lines = [
        ("Values", count(old.get("n")), count(new.get("n"))),
        ("Missing", _missing(old), _missing(new)),
    ]
    for key, label in _NOT_FINITE.items():
        if old.get(key) or new.get(key):
            lines.append((label, count(old.get(key)), count(new.get(key))))
    if any("distinct" in side for side in sides):
        lines.append(("Distinct values", _distinct(old), _distinct(new)))
    for key, label in _STATISTICS.items():
        before, after = old.get(key), new.get(key)
        if key == "std" and quantity.is_calendar:
            lines.append((label, quantity.amount(before), quantity.amount(after)))
        elif before is not None and after is not None:
            lines.append((label, *quantity.pair(before, after)))
        elif before is not None or after is not None:
            lines.append((label, quantity.text(before), quantity.text(after)))
    return tuple(lines)


def _missing(side: Mapping[str, Any]) -> str:
    if "missing" not in side:
        return "—"
    share = side["missing"] / side["n"] if side["n"] else 0.0
    return f"{count(side['missing'])} ({percent(share)})" if side["missing"] else "0"


def _distinct(side: Mapping[str, Any]) -> str:
    about = "about " if side.get("distinct_is_estimate") else ""
    return about + count(side.get("distinct"))
