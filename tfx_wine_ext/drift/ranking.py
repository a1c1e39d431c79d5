"""The order of a report's features and the metrics that decided, the same for every view."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tfx_wine_ext.drift.metric import Metric, Verdict

if TYPE_CHECKING:
    from tfx_wine_ext.drift.result import FeatureResult

# The default of `DriftConfig.q`: a stricter `q` changes verdicts, but not what is worth showing.
_Q = 0.05
WORST_FIRST = (
    Verdict.DRIFT,
    Verdict.INCONCLUSIVE,
    Verdict.WARN,
    Verdict.OK,
    Verdict.NO_BASELINE,
)
FINE = (Verdict.OK, Verdict.NO_BASELINE)
"""The verdicts of features that need no look."""


def severity(feature: FeatureResult) -> tuple[int, float]:
    """Sort key of a feature: by verdict, then by how close a metric is to its threshold or beyond.

    Features whose metrics are explained by chance keep the order of the columns.
    """
    ratios = [
        nearness(metric.value, metric.threshold)
        for metric in feature.metrics.values()
        if beyond_chance(metric)
    ]
    return WORST_FIRST.index(feature.verdict), -max(ratios, default=0.0)


def worst_first(features: Iterable[FeatureResult]) -> list[FeatureResult]:
    """Returns the features that are not OK, the worst first."""
    return sorted((x for x in features if x.verdict not in FINE), key=severity)


def deciding_metric(feature: FeatureResult) -> str | None:
    """Returns the metric with the feature's verdict that is largest relative to its limit, or None.

    It is None if no metric has this verdict, for example because the column is gone.
    """
    ratios = {
        name: nearness(metric.value, limit_of(metric))
        for name, metric in feature.metrics.items()
        if metric.verdict is feature.verdict
    }
    return max(ratios, key=ratios.__getitem__, default=None)


def beyond_chance(metric: Metric) -> bool:
    """Returns whether a metric is higher than chance explains for samples of these sizes.

    Example:
        >>> beyond_chance(Metric(0.2, noise_floor=0.3, q_value=0.4, verdict=Verdict.OK))
        False
    """
    if metric.verdict not in (None, Verdict.OK):
        return True
    is_significant = metric.q_value is None or metric.q_value < _Q
    return metric.value > metric.noise_floor and is_significant


def limit_of(metric: Metric) -> float | None:
    """Returns the level that judges a metric: of warning if it warns, else of failure.

    Example:
        >>> limit_of(Metric(0.3, threshold=0.25, warn=0.1, verdict=Verdict.WARN))
        0.1
    """
    return metric.warn if metric.verdict is Verdict.WARN else metric.threshold


def nearness(value: float, level: float | None) -> float:
    """Returns the ratio of a value to a level: 1 or more if the value has reached it.

    Example:
        >>> nearness(0.05, 0.1), nearness(0.5, None), nearness(0.5, 0.0)
        (0.5, 0.0, inf)
    """
    if level is None or value == 0:
        return 0.0
    return value / level if level else float("inf")
