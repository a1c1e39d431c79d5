"""A drift report in plain words, which say only what its numbers show."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from tfx_wine_ext.drift import ranking
from tfx_wine_ext.drift.metrics import registered_metrics
from tfx_wine_ext.drift.metrics.registry import SHARE
from tfx_wine_ext.drift.words import GROWS, changed
from tfx_wine_ext.report import plots
from tfx_wine_ext.report.words.quantity import Quantity
from tfx_wine_ext.report.words.text import count, isolated, number, percent, visible

Json = Mapping[str, Any]

# The least changes worth a sentence, of a share and of the width of the middle half.
_SHARE_WORTH_SAYING = 0.02
_WIDTH_WORTH_SAYING = 0.1


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


def deciding_metric(feature: Json) -> Deciding | None:
    """The metric that decided: the one with the feature's verdict that is farthest up its limit.

    Returns:
        The metric; None if the verdict is OK or was not decided by a metric.

    Example:
        >>> metric = {"value": 0.5, "threshold": 0.1, "warn": None, "verdict": "DRIFT"}
        >>> deciding_metric({"verdict": "DRIFT", "metrics": {"ks": metric}})
        Deciding(name='ks', label='Kolmogorov-Smirnov', value='0.5', limit='0.1', ratio=5.0)
    """
    name = None if feature["verdict"] == "OK" else ranking.deciding_metric(feature)
    if name is None:
        return None
    metric = feature["metrics"][name]
    return _beside(name, metric, ranking.limit_of(metric))


def closest_metric(feature: Json) -> Deciding | None:
    """The metric that came closest to its limit, if the verdict is OK.

    Returns:
        The metric; None if none has a limit, or if chance alone explains all of them.

    Example:
        >>> metric = {"value": 0.05, "threshold": 0.1, "warn": None, "verdict": "OK"}
        >>> closest_metric({"verdict": "OK", "metrics": {"ks": metric}}).value
        '0.05'
    """
    if feature["verdict"] != "OK":
        return None
    found = [
        _beside(name, metric, metric["threshold"])
        for name, metric in feature["metrics"].items()
        if ranking.beyond_chance(metric)
    ]
    with_limit = [beside for beside in found if beside]
    return max(with_limit, key=lambda beside: beside.ratio, default=None)


def calm(feature: Json) -> str:
    """The text for a feature that is OK if no metric is worth naming; else empty.

    Example:
        >>> metric = {"value": 0.3, "noise_floor": 0.4, "threshold": 0.1, "verdict": "OK"}
        >>> calm({"verdict": "OK", "metrics": {"ks": metric}})
        'nothing beyond chance'
    """
    if feature["verdict"] != "OK":
        return ""
    if _is_set_aside(feature):
        return GROWS
    by_chance = feature["metrics"] and not any(
        map(ranking.beyond_chance, feature["metrics"].values())
    )
    return "nothing beyond chance" if by_chance else ""


def _is_set_aside(feature: Json) -> bool:
    growth = feature.get("growth")
    return growth is not None and not growth["judged"]


def _beside(name: str, metric: Json, level: float | None) -> Deciding | None:
    if level is None:
        return None
    value, limit = metric_number(name, metric["value"]), metric_number(name, level)
    return Deciding(name, label_of(name), value, limit, ranking.nearness(metric["value"], level))


def headline(document: Json) -> str:
    """The verdict in one sentence.

    Example:
        >>> headline({"verdict": "NO_BASELINE", "features": []})
        'First data seen: there is nothing to compare them with yet.'
    """
    features = document["features"]
    compared = count(len(features), "feature")
    drifted = sum(feature["verdict"] == "DRIFT" for feature in features)
    warned = sum(feature["verdict"] == "WARN" for feature in features)
    verdict = document["verdict"]
    if document.get("lost_baseline"):
        return "Not compared: the files of the baseline are gone."
    if verdict == "NO_BASELINE":
        return "First data seen: there is nothing to compare them with yet."
    if verdict == "INCONCLUSIVE":
        return "Undecided: these data cannot show whether they have drifted."
    if verdict == "OK":
        return (
            f"No drift: {compared} stayed within {'its' if len(features) == 1 else 'their'} limits."
        )
    if verdict == "WARN":
        enough = ", which is not enough to call the data drifted" if drifted else ""
        return f"Worth a look: {changed(drifted, warned, len(features))}{enough}."
    if not drifted:
        return "The data have drifted, although no feature did by itself."
    whose = "its" if drifted == 1 else "their"
    return f"The data have drifted: {drifted:,} of {compared} moved beyond {whose} limits."


def settle(document: Json) -> tuple[str, ...]:
    """What would make undecided features decidable; empty if there are none.

    Example:
        >>> settle({"features": [], "verdict": "OK", "config": {"min_count": 20}})
        ()
    """
    unclear = [feature for feature in document["features"] if feature["verdict"] == "INCONCLUSIVE"]
    by_error = [feature for feature in unclear if deciding_metric(feature)]
    advice = []
    if len(unclear) > len(by_error):
        few = count(len(unclear) - len(by_error), "feature")
        needed = document["config"].get("min_count")
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
    if document["verdict"] == "INCONCLUSIVE" and not document["features"]:
        advice.append("There was no feature to compare: check which columns the config ignores.")
    return tuple(advice)


def explain(feature: Json) -> tuple[str, ...]:
    """A feature's change in sentences: first what decided the verdict, then what moved.

    Args:
        feature: One of the document's features.

    Example:
        >>> explain({"name": "pH", "kind": "numeric", "verdict": "DRIFT", "metrics": {},
        ...     "reasons": ["the column is gone"], "n_baseline": 9, "n_current": None,
        ...     "baseline": None, "current": None, "histogram": None})
        ('The column is gone.',)
    """
    sentences = [*_decision(feature)]
    if feature["baseline"] and feature["current"] and calm(feature) != "nothing beyond chance":
        both = feature["baseline"], feature["current"]
        # If a column changed its kind, its sides have different statistics.
        if all("median" in side for side in both):
            numbers = [*_numbers(feature, *both)]
            sentences += numbers[:1] if _is_set_aside(feature) else numbers
        elif all("distinct" in side for side in both):
            sentences += _categories(feature, *both)
        sentences += _missing(*both)
    return (*sentences, *_growing(feature))


def change(feature: Json) -> str:
    """The sentence that best describes what the deciding metric saw; empty if there is none.

    Args:
        feature: One of the document's features.

    Example:
        >>> change({"name": "pH", "verdict": "OK", "metrics": {}, "baseline": None,
        ...     "current": None, "histogram": None})
        ''
    """
    old, new, deciding = feature["baseline"], feature["current"], deciding_metric(feature)
    if not (old and new and deciding):
        return ""
    found: list[str] = []
    if deciding.name == "missing_rate":
        found = [*_missing(old, new)]
    elif deciding.name == "unseen_mass":
        found = [*_unseen(feature)]
    elif all("median" in side for side in (old, new)):
        found = [*_numbers(feature, old, new)]
        if len(found) > 1 and old["median"] == new["median"]:
            found = found[1:]
    elif all("distinct" in side for side in (old, new)):
        found = [*_categories(feature, old, new)]
    return found[0] if found else ""


def _decision(feature: Json) -> Iterator[str]:
    verdict, deciding = feature["verdict"], deciding_metric(feature)
    for reason in feature.get("reasons", ()):
        # The metrics themselves state the reasons that begin with a metric's name in full.
        if reason.split(" ", 1)[0] not in feature["metrics"]:
            shown = visible(reason, 400).rstrip(".")
            yield f"{shown[:1].upper()}{shown[1:]}."
    if _is_set_aside(feature):
        yield (
            "The column only grows: all values are higher than before, as those of an id or a date "
            "are. They say nothing about drift and are not judged; how many are missing is."
        )
    elif calm(feature):
        yield "All differences are within what chance makes in samples of these sizes."
    elif verdict == "OK" and feature["metrics"]:
        yield "No metric reached its limit."
    if deciding is None:
        return
    metric = feature["metrics"][deciding.name]
    label = deciding.label
    if label.endswith(" values"):  # This is no proper name, unlike the others.
        label = label.lower()
    floor = metric_number(deciding.name, metric["noise_floor"])
    by_chance = f"chance alone reaches {floor} in samples of these sizes"
    if verdict == "DRIFT":
        yield (
            f"Decided by {label}: {deciding.value}, beyond the limit of {deciding.limit}; "
            f"{by_chance}."
        )
    elif verdict == "WARN":
        fails = metric["threshold"]
        warns = f"from {deciding.limit} on it warns" if metric["warn"] else "any at all warns"
        yield f"Decided by {label}: {deciding.value}; {warns}" + (
            "." if fails is None else f", from {metric_number(deciding.name, fails)} on it fails."
        )
    elif verdict == "INCONCLUSIVE":
        low, high = (
            metric_number(deciding.name, max(0.0, metric["value"] + sign * metric["error"]))
            for sign in (-1, 1)
        )
        yield (
            f"{deciding.label} is somewhere from {low} to {high}, and the limit of "
            f"{deciding.limit} lies between: the exact method would tell."
        )


def _growing(feature: Json) -> Iterator[str]:
    """Advice about a column that probably only grows but is judged nevertheless."""
    growth = feature.get("growth")
    if growth is None or not growth["judged"] or feature["verdict"] == "OK":
        return
    if Quantity(feature.get("time")).is_calendar:
        what = "The times moved forward as a whole. If they are when the data arose"
    else:
        what = "Every value is higher than all that were there before. If it is an id or a counter"
    yield f"{what}, this goes on for ever: name the column under “ignore” in the drift config."


def _numbers(feature: Json, old: Json, new: Json) -> Iterator[str]:
    if old["median"] is None or new["median"] is None:
        return
    quantity = Quantity(feature.get("time"))
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


def _median(old: Json, new: Json, quantity: Quantity) -> str:
    was, now = quantity.pair(old["median"], new["median"])
    if was == now:
        return f"The median stayed at {now}."
    if quantity.is_calendar:
        moved = quantity.amount(abs(new["median"] - old["median"]))
        later = "later" if new["median"] > old["median"] else "earlier"
        return f"The median is {moved} {later}: {now} now, {was} before."
    word = "rose" if new["median"] > old["median"] else "fell"
    sentence = f"The median {word} from {was} to {now}"
    sigmas = abs(new["median"] - old["median"]) / old["std"] if old.get("std") else math.inf
    if math.isfinite(sigmas):  # The difference of two floats may overflow.
        sentence += f", by {number(sigmas, 2)} standard deviations of the baseline"
    return f"{sentence}."


def _mass(feature: Json, quantity: Quantity) -> Iterator[str]:
    """The edge of the histogram at which the cumulative distributions differ most."""
    histogram = feature["histogram"]
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


def _categories(feature: Json, old: Json, new: Json) -> Iterator[str]:
    histogram = feature["histogram"]
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


def _unseen(feature: Json) -> Iterator[str]:
    unseen = feature["metrics"].get("unseen_mass")
    if unseen and unseen["value"] > 0:
        chance = unseen.get("details", {}).get("expected_by_chance")
        yield f"{percent(unseen['value'])} of the values are new: the baseline has none of them" + (
            "." if chance is None else f"; chance explains {percent(chance)}."
        )


def missing_share(side: Json) -> float | None:
    """The share of a side's values that are null or NaN; None if it has no values.

    Example:
        >>> missing_share({"n": 8, "missing": 1, "nan": 1})
        0.25
    """
    return (side["missing"] + side.get("nan", 0)) / side["n"] if side["n"] else None


def _missing(old: Json, new: Json) -> Iterator[str]:
    shares = missing_share(old), missing_share(new)
    was, now = map(percent, shares)
    if was != now and shares[0] is not None and shares[1] is not None:
        word = "rose" if shares[1] > shares[0] else "fell"
        yield f"The share of missing values {word} from {was} to {now}."
