"""The order of a report's features and the metrics that decided, the same for every view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The default of `DriftConfig.q`: a stricter `q` changes verdicts, but not what is worth showing.
_Q = 0.05
WORST_FIRST = ("DRIFT", "INCONCLUSIVE", "WARN", "OK", "NO_BASELINE")


def severity(feature: Mapping[str, Any]) -> tuple[int, float]:
    """Sort key of a feature: by verdict, then by how close a metric is to its threshold or beyond.

    Features whose metrics are explained by chance keep the order of the columns.

    Args:
        feature: One of the ``features`` of a report document.

    Example:
        >>> ks = {"value": 0.5, "threshold": 0.1, "warn": None, "verdict": "DRIFT"}
        >>> severity({"verdict": "DRIFT", "metrics": {"ks": ks}})
        (0, -5.0)
    """
    ratios = [
        nearness(metric["value"], metric["threshold"])
        for metric in _metrics(feature)
        if beyond_chance(metric)
    ]
    return WORST_FIRST.index(feature["verdict"]), -max(ratios, default=0.0)


def deciding_metric(feature: Mapping[str, Any]) -> str | None:
    """Returns the metric with the feature's verdict that is largest relative to its limit, or None.

    It is None if no metric has this verdict, for example because the column is gone.

    Example:
        >>> ks = {"value": 0.5, "threshold": 0.1, "warn": None, "verdict": "DRIFT"}
        >>> deciding_metric({"verdict": "DRIFT", "metrics": {"ks": ks}})
        'ks'
    """
    ratios = {
        name: nearness(metric["value"], limit_of(metric))
        for name, metric in feature["metrics"].items()
        if metric["verdict"] == feature["verdict"]
    }
    return max(ratios, key=ratios.__getitem__, default=None)


def beyond_chance(metric: Mapping[str, Any]) -> bool:
    """Returns whether a metric is higher than chance explains for samples of these sizes.

    Example:
        >>> beyond_chance({"value": 0.2, "verdict": "OK", "noise_floor": 0.3, "q_value": 0.4})
        False
    """
    if metric["verdict"] not in (None, "OK"):
        return True
    q_value = metric.get("q_value")
    is_significant = q_value is None or q_value < _Q
    return bool(metric["value"] > metric.get("noise_floor", 0.0) and is_significant)


def limit_of(metric: Mapping[str, Any]) -> float | None:
    """Returns the level that judges a metric: of warning if it warns, else of failure."""
    level: float | None = metric["warn" if metric["verdict"] == "WARN" else "threshold"]
    return level


def nearness(value: float, level: float | None) -> float:
    """Returns the ratio of a value to a level: 1 or more if the value has reached it.

    Example:
        >>> nearness(0.05, 0.1), nearness(0.5, None), nearness(0.5, 0.0)
        (0.5, 0.0, inf)
    """
    if level is None or value == 0:
        return 0.0
    return value / level if level else float("inf")


def _metrics(feature: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(feature["metrics"].values())
