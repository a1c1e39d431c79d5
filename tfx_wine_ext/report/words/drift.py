"""A drift report in plain words, which say only what its numbers show."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tfx_wine_ext.drift import ranking
from tfx_wine_ext.drift import reasons as why
from tfx_wine_ext.drift.document import DriftDocument
from tfx_wine_ext.drift.metric import Metric, Verdict
from tfx_wine_ext.drift.metrics import registered_metrics
from tfx_wine_ext.drift.metrics.registry import SHARE
from tfx_wine_ext.drift.result import FeatureResult
from tfx_wine_ext.report import plots
from tfx_wine_ext.report.words.features import changed, unjudged
from tfx_wine_ext.report.words.quantity import Quantity
from tfx_wine_ext.report.words.text import count, isolated, number, percent, visible

# The statistics of one side, see `tfx_wine_ext.drift.aggregates`.
Side = Mapping[str, Any]

GROWS = "only grows, as ids and dates do: its values are not judged"
_BY_CHANCE = "nothing beyond chance"
# By the fault of a `BaselineUnfit`.
_FAULTS: Mapping[str, str] = {
    "current": "is the current data themselves",
    "same_content": "was made of the same content as the current data",
    "not_earlier": "is not of an earlier span than the current data",
    "no_span": "has no span, so that it is not known to be earlier data of the same kind",
    "no_order": "is one of several of its span, and nothing tells which is the newest",
}
# How each reason reads: with its fields, or as a function says. No sentence has a full stop.
_SENTENCES: Mapping[type[why.Reason], str | Callable[[Any], str]] = {
    why.Stated: "{sentence}",
    why.BeyondLimit: "{metric} is {value:.3g}, and its limit is {limit}",
    why.LimitWithinError: (
        "{metric} is {value:.3g} with an error of up to {error:.2g}, and its limit is {limit}"
    ),
    why.ColumnGone: "the column is gone",
    why.ColumnNew: "the column is new",
    why.KindChanged: "the column was {before} and is {after}",
    why.TooFewValues: "{baseline} and {current} values, and at least {needed} are needed",
    why.TooFewPresent: (
        "{baseline} and {current} values that are not missing, and at least {needed} are needed "
        "to compare them"
    ),
    why.OnlyCounted: "only the number of values is known",
    why.CriticalDrifted: "{feature}, which is critical, drifted",
    why.CriticalUnjudged: "{feature}, which is critical, cannot be judged",
    why.ShareReached: lambda reason: changed(reason.drifted, 0, reason.compared),
    why.ShareUnjudged: lambda reason: unjudged(reason.unjudged, reason.compared),
    why.AggregateReached: "the aggregated drift is {aggregate:.3g}; its limit is {limit}",
    why.FeaturesChanged: lambda reason: changed(reason.drifted, reason.warned, reason.compared),
    why.ClassifierBeyondLimit: (
        "a classifier tells the sides apart: its area under the ROC curve is {auc:.3g} ({low:.3g} "
        "to {high:.3g}), and its limit is {limit}"
    ),
    why.ClassifierUndecided: (
        "whether a classifier tells the sides apart is not known: its area under the ROC curve is "
        "between {low:.3g} and {high:.3g}, and its limit is {limit}"
    ),
    why.NoBaseline: "there is no baseline",
    why.EmptyBaseline: "the baseline has no rows",
    why.BaselineLost: "the files of the baseline, {name} ({uri}), are gone: {path}: {found}",
    why.BaselineUnfit: lambda reason: (
        f"{reason.name} ({reason.uri}), which was found as the baseline, "
        f"{_FAULTS.get(reason.fault, reason.fault)}"
    ),
}

# The least changes worth a sentence, of a share and of the width of the middle half.
_SHARE_WORTH_SAYING = 0.02
_WIDTH_WORTH_SAYING = 0.1
_MOST_IN_MESSAGE = 3


@dataclasses.dataclass(frozen=True)
class Deciding:
    """The metric that decided the verdict of a feature.

    Args:
        name: The metric.
        label: What the page calls it.
        value: Its value, as text.
        limit: The level that the value reached, as text.
        ratio: The value divided by the limit; infinite if the limit is 0.
    """

    name: str
    label: str
    value: str
    limit: str
    ratio: float


def sentence(reason: why.Reason) -> str:
    """A reason in words, without a full stop.

    Example:
        >>> sentence(why.ShareReached(drifted=7, compared=12, limit=0.5))
        '7 of 12 features drifted'
    """
    words = _SENTENCES[type(reason)]
    return words.format(**vars(reason)) if isinstance(words, str) else words(reason)


def label_of(metric: str) -> str:
    """The label of a metric on the page; an unknown metric keeps its name.

    Example:
        >>> label_of("ks"), label_of("energy")
        ('Kolmogorov-Smirnov', 'energy')
    """
    registered = registered_metrics().get(metric)
    return registered.label if registered else visible(metric, 60)


def metric_number(metric: str, value: float | None) -> str:
    r"""A value or level of a metric as text: shares in percent, other values as numbers.

    Example:
        >>> metric_number("ks", 0.1234), metric_number("missing_rate", 0.5).replace("\u00a0", " ")
        ('0.123', '50 %')
    """
    registered = registered_metrics().get(metric)
    if registered and registered.unit == SHARE:
        return percent(value)
    return number(value, 3)


def deciding_metric(feature: FeatureResult) -> Deciding | None:
    """The metric that decided: the one with the feature's verdict that is farthest up its limit.

    Returns:
        The metric; None if the verdict is OK or was not decided by a metric.

    Example:
        >>> ks = Metric(0.5, threshold=0.1, verdict=Verdict.DRIFT)
        >>> deciding_metric(FeatureResult("pH", "numeric", Verdict.DRIFT, metrics={"ks": ks}))
        Deciding(name='ks', label='Kolmogorov-Smirnov', value='0.5', limit='0.1', ratio=5.0)
    """
    name = None if feature.verdict is Verdict.OK else ranking.deciding_metric(feature)
    if name is None:
        return None
    metric = feature.metrics[name]
    return _beside(name, metric, ranking.limit_of(metric))


def closest_metric(feature: FeatureResult) -> Deciding | None:
    """The metric that came closest to its limit, if the verdict is OK.

    Returns:
        The metric; None if none has a limit, or if chance alone explains all of them.
    """
    if feature.verdict is not Verdict.OK:
        return None
    beside_limits = [
        _beside(name, metric, metric.threshold)
        for name, metric in feature.metrics.items()
        if ranking.beyond_chance(metric)
    ]
    with_limit = [beside for beside in beside_limits if beside]
    return max(with_limit, key=lambda beside: beside.ratio, default=None)


def calm(feature: FeatureResult) -> str:
    """The text for a feature that is OK if no metric is worth naming; else empty.

    Example:
        >>> ks = Metric(0.3, noise_floor=0.4, threshold=0.1, verdict=Verdict.OK)
        >>> calm(FeatureResult("pH", "numeric", Verdict.OK, metrics={"ks": ks}))
        'nothing beyond chance'
    """
    if feature.verdict is not Verdict.OK:
        return ""
    if feature.is_set_aside:
        return GROWS
    by_chance = feature.metrics and not any(map(ranking.beyond_chance, feature.metrics.values()))
    return _BY_CHANCE if by_chance else ""


def _beside(name: str, metric: Metric, level: float | None) -> Deciding | None:
    if level is None:
        return None
    value, limit = metric_number(name, metric.value), metric_number(name, level)
    return Deciding(name, label_of(name), value, limit, ranking.nearness(metric.value, level))


def beside_limit(name: str, metric: Metric) -> str:
    """A metric and its limit in a table cell.

    Example:
        >>> beside_limit("ks", Metric(0.5, threshold=0.1, verdict=Verdict.DRIFT))
        'ks 0.5 (limit 0.1)'
    """
    level = ranking.limit_of(metric)
    limit = "no limit" if level is None else f"limit {level:g}"
    error = f" ± {metric.error:.2g}" if metric.error else ""
    return f"{name} {metric.value:.3g}{error} ({limit})"


def headline(document: DriftDocument) -> str:
    """The verdict in one sentence."""
    features = document.features
    compared = count(len(features), "feature")
    drifted = document.with_verdict(Verdict.DRIFT)
    warned = document.with_verdict(Verdict.WARN)
    verdict = document.verdict
    if document.lost:
        return "Not compared: the files of the baseline are gone."
    if any(isinstance(reason, why.BaselineUnfit) for reason in document.reasons):
        return "Not compared: what was found as the baseline is none."
    if verdict is Verdict.NO_BASELINE:
        return "First data seen: there is nothing to compare them with yet."
    if verdict is Verdict.INCONCLUSIVE:
        return "Undecided: these data cannot show whether they have drifted."
    if verdict is Verdict.OK:
        return (
            f"No drift: {compared} stayed within {'its' if len(features) == 1 else 'their'} limits."
        )
    if verdict is Verdict.WARN:
        enough = ", which is not enough to call the data drifted" if drifted else ""
        return f"Worth a look: {changed(drifted, warned, len(features))}{enough}."
    if not drifted:
        return "The data have drifted, although no feature did by itself."
    whose = "its" if drifted == 1 else "their"
    return f"The data have drifted: {drifted:,} of {compared} moved beyond {whose} limits."


def drift_message(document: DriftDocument) -> str:
    """Says in one line that the data drifted, and which features drifted most.

    Args:
        document: The report of data that have a baseline.
    """
    assert document.baseline is not None
    worst = ranking.worst_first(document.features)[:_MOST_IN_MESSAGE]
    features = ", ".join(map(_in_brief, worst))
    what = f"{document.current.name} drifted from {document.baseline.name}"
    said = f"{what}: {'; '.join(map(sentence, document.reasons))}"
    return f"{said}. Worst: {features}" if features else said


def _in_brief(feature: FeatureResult) -> str:
    name = ranking.deciding_metric(feature)
    if name is None:
        return f"{feature.name} ({sentence(feature.reasons[0])})"
    metric = feature.metrics[name]
    return f"{feature.name} ({name} {metric.value:.3g}, limit {ranking.limit_of(metric)})"


def settle(document: DriftDocument) -> tuple[str, ...]:
    """What would make undecided features decidable; empty if there are none."""
    unclear = [feature for feature in document.features if feature.verdict is Verdict.INCONCLUSIVE]
    by_error = [feature for feature in unclear if deciding_metric(feature)]
    advice = []
    if len(unclear) > len(by_error):
        few = count(len(unclear) - len(by_error), "feature")
        needed = document.config.get("min_count")
        how_many = "" if needed is None else f": {needed} are needed on each side"
        advice.append(
            f"{few} had too few values{how_many}. "
            "Compare more rows: a longer time, several spans together, or without sampling."
        )
    if by_error:
        few = count(len(by_error), "feature")
        advice.append(
            f"{few} came so near a limit that the error of the estimate decides. Compare every "
            "value (the exact method), or set limits that are not within the error."
        )
    if document.verdict is Verdict.INCONCLUSIVE and not document.features:
        advice.append("There was no feature to compare: check which columns the config ignores.")
    return tuple(advice)


def explain(feature: FeatureResult) -> tuple[str, ...]:
    """A feature's change in sentences: first what decided the verdict, then what moved.

    Args:
        feature: One of the document's features.

    Example:
        >>> explain(FeatureResult("pH", "numeric", Verdict.DRIFT, (why.ColumnGone(),)))
        ('The column is gone.',)
    """
    sentences = [*_decision(feature)]
    if feature.baseline and feature.current and calm(feature) != _BY_CHANCE:
        both = feature.baseline, feature.current
        # If a column changed its kind, its sides have different statistics.
        if all("median" in side for side in both):
            numbers = [*_numbers(feature, *both)]
            sentences += numbers[:1] if feature.is_set_aside else numbers
        elif all("distinct" in side for side in both):
            sentences += _categories(feature, *both)
        sentences += _missing(*both)
    return (*sentences, *_growing(feature))


def change(feature: FeatureResult) -> str:
    """The sentence that best describes what the deciding metric saw; empty if there is none.

    Args:
        feature: One of the document's features.
    """
    old, new, deciding = feature.baseline, feature.current, deciding_metric(feature)
    if not (old and new and deciding):
        return ""
    sentences: list[str] = []
    if deciding.name == "missing_rate":
        sentences = [*_missing(old, new)]
    elif deciding.name == "unseen_mass":
        sentences = [*_unseen(feature)]
    elif all("median" in side for side in (old, new)):
        sentences = [*_numbers(feature, old, new)]
        if len(sentences) > 1 and old["median"] == new["median"]:
            del sentences[0]
    elif all("distinct" in side for side in (old, new)):
        sentences = [*_categories(feature, old, new)]
    return sentences[0] if sentences else ""


def _decision(feature: FeatureResult) -> Iterator[str]:
    verdict, deciding = feature.verdict, deciding_metric(feature)
    for reason in feature.reasons:
        if not isinstance(reason, why.OF_METRICS):  # The metric that decided is told in full.
            shown = visible(sentence(reason), 400).rstrip(".")
            yield f"{shown[:1].upper()}{shown[1:]}."
    if feature.is_set_aside:
        yield (
            "The column only grows: all values are higher than before, as those of an id or a date "
            "are. They say nothing about drift and are not judged; how many are missing is."
        )
    elif calm(feature):
        yield "All differences are within what chance makes in samples of these sizes."
    elif verdict is Verdict.OK and feature.metrics:
        yield "No metric reached its limit."
    if deciding is None:
        return
    metric = feature.metrics[deciding.name]
    label = deciding.label
    if label.endswith(" values"):  # This is no proper name, unlike the others.
        label = label.lower()
    floor = metric_number(deciding.name, metric.noise_floor)
    by_chance = f"chance alone reaches {floor} in samples of these sizes"
    if verdict is Verdict.DRIFT:
        yield (
            f"Decided by {label}: {deciding.value}, beyond the limit of {deciding.limit}; "
            f"{by_chance}."
        )
    elif verdict is Verdict.WARN:
        fails = metric.threshold
        warns = f"from {deciding.limit} on it warns" if metric.warn else "any at all warns"
        yield f"Decided by {label}: {deciding.value}; {warns}" + (
            "." if fails is None else f", from {metric_number(deciding.name, fails)} on it fails."
        )
    elif verdict is Verdict.INCONCLUSIVE:
        low, high = (
            metric_number(deciding.name, max(0.0, metric.value + sign * metric.error))
            for sign in (-1, 1)
        )
        yield (
            f"{deciding.label} is somewhere from {low} to {high}, and the limit of "
            f"{deciding.limit} lies between: the exact method would tell."
        )


def _growing(feature: FeatureResult) -> Iterator[str]:
    """Advice about a column that probably only grows but is judged nevertheless."""
    growth = feature.growth
    if growth is None or not growth.judged or feature.verdict is Verdict.OK:
        return
    if Quantity(feature.time).is_calendar:
        what = "The times moved forward as a whole. If they are when the data arose"
    else:
        what = "Every value is higher than all that were there before. If it is an id or a counter"
    yield f"{what}, this goes on for ever: name the column under “ignore” in the drift config."


def _numbers(feature: FeatureResult, old: Side, new: Side) -> Iterator[str]:
    if old["median"] is None or new["median"] is None:
        return
    quantity = Quantity(feature.time)
    yield _median(old, new, quantity)
    widths = [side["p75"] - side["p25"] for side in (old, new)]
    if abs(widths[1] - widths[0]) > _WIDTH_WORTH_SAYING * widths[0]:
        spans = [_interval(side["p25"], side["p75"], quantity) for side in (old, new)]
        word = "wider" if widths[1] > widths[0] else "narrower"
        yield f"The middle half of the values is {word}: {spans[1]} now, {spans[0]} before."
    yield from _mass(feature, quantity)
    if new["max"] > old["max"]:
        was, now = quantity.pair(old["max"], new["max"])
        yield f"The largest value is {now}; it was {was}."
    if new["min"] < old["min"]:
        was, now = quantity.pair(old["min"], new["min"])
        yield f"The smallest value is {now}; it was {was}."
    infinite = [
        side.get("negative_infinity", 0) + side.get("positive_infinity", 0) for side in (old, new)
    ]
    if any(infinite):
        yield f"Infinite values: {count(infinite[1])} now, {count(infinite[0])} before."


def _interval(low: float, high: float, quantity: Quantity) -> str:
    shown = quantity.pair(low, high)
    return f"{shown[0]} to {shown[1]}" if low != high else shown[0]


def _median(old: Side, new: Side, quantity: Quantity) -> str:
    was, now = quantity.pair(old["median"], new["median"])
    if was == now:
        return f"The median stayed at {now}."
    if quantity.is_calendar:
        moved = quantity.amount(abs(new["median"] - old["median"]))
        later = "later" if new["median"] > old["median"] else "earlier"
        return f"The median is {moved} {later}: {now} now, {was} before."
    word = "rose" if new["median"] > old["median"] else "fell"
    moved = f"The median {word} from {was} to {now}"
    sigmas = abs(new["median"] - old["median"]) / old["std"] if old.get("std") else math.inf
    if math.isfinite(sigmas):  # The difference of two floats may overflow.
        moved += f", by {number(sigmas, 2)} standard deviations of the baseline"
    return f"{moved}."


def _mass(feature: FeatureResult, quantity: Quantity) -> Iterator[str]:
    """The edge of the histogram at which the cumulative distributions differ most."""
    histogram = feature.histogram
    if not histogram or histogram["baseline"] is None or histogram["current"] is None:
        return
    sides = [plots.side_shares(histogram, side) or [] for side in ("baseline", "current")]
    old, new = (list(itertools.accumulate(side))[:-1] for side in sides)
    edges = histogram["edges"]
    i = max(range(len(edges)), key=lambda i: abs(new[i] - old[i]))
    more_below = new[i] > old[i]
    if abs(new[i] - old[i]) < _SHARE_WORTH_SAYING:
        return
    was, now = (percent(x if more_below else 1 - x) for x in (old[i], new[i]))
    if not plots.has_single_values(histogram) or i in (0, len(edges) - 1):
        # A bin includes its upper edge.
        side = "at most" if more_below else "above"
        yield f"{now} of the values are {side} {quantity.text(edges[i])}; {was} were before."
    elif more_below:
        value = number(plots.bin_value(edges[i - 1], edges[i]))
        yield f"{now} of the values are {value} or less; {was} were before."
    else:
        value = number(plots.bin_value(edges[i], edges[i + 1]))
        yield f"{now} of the values are {value} or more; {was} were before."


def _categories(feature: FeatureResult, old: Side, new: Side) -> Iterator[str]:
    histogram = feature.histogram
    if histogram and histogram["baseline"] is not None and histogram["current"] is not None:
        rows = [row for row in plots.category_rows(histogram) if not row.is_other]
        changes = [(row, (row.current or 0.0) - (row.baseline or 0.0)) for row in rows]
        changes.sort(key=lambda change: -abs(change[1]))
        for row, change in changes[:2]:
            if abs(change) >= _SHARE_WORTH_SAYING:
                word = "rose" if change > 0 else "fell"
                yield (
                    f"“{isolated(row.label)}” {word} from {percent(row.baseline)} to "
                    f"{percent(row.current)} of the values."
                )
    yield from _unseen(feature)
    if old["distinct"] != new["distinct"]:
        about = ["about " if side.get("distinct_is_estimate") else "" for side in (old, new)]
        yield (
            f"There are {about[1]}{count(new['distinct'])} distinct values; there were "
            f"{about[0]}{count(old['distinct'])}."
        )


def _unseen(feature: FeatureResult) -> Iterator[str]:
    unseen = feature.metrics.get("unseen_mass")
    if unseen and unseen.value > 0:
        chance = unseen.details.get("expected_by_chance")
        yield f"{percent(unseen.value)} of the values are new: the baseline has none of them" + (
            "." if chance is None else f"; chance explains {percent(chance)}."
        )


def missing_share(side: Side) -> float | None:
    """The share of a side's values that are null or NaN; None if it has no values.

    Example:
        >>> missing_share({"n": 8, "missing": 1, "nan": 1})
        0.25
    """
    return (side["missing"] + side.get("nan", 0)) / side["n"] if side["n"] else None


def _missing(old: Side, new: Side) -> Iterator[str]:
    shares = missing_share(old), missing_share(new)
    was, now = map(percent, shares)
    if was != now and shares[0] is not None and shares[1] is not None:
        word = "rose" if shares[1] > shares[0] else "fell"
        yield f"The share of missing values {word} from {was} to {now}."
