"""The metrics of drift, each in its own file, and the registry to which users add others.

Example:
    >>> metric = registered_metrics()["ks"]
    >>> metric.label, metric.threshold.fail
    ('Kolmogorov-Smirnov', 0.1)
"""

import importlib

from tfx_wine_ext.drift.metrics.pairs import CategoricalPair, NumericPair
from tfx_wine_ext.drift.metrics.registry import (
    DriftMetric,
    DriftMetricError,
    register_metric,
    registered_metrics,
    unregister_metric,
)

# Importing a module registers its metric. Tables and pages show the metrics in this order.
for _name in (
    "psi",
    "js",
    "ks",
    "wasserstein",
    "chi_square",
    "l_infinity",
    "unseen_mass",
    "missing_rate",
    "infinite_rate",
):
    importlib.import_module(f"{__name__}.{_name}")

__all__ = [
    "CategoricalPair",
    "DriftMetric",
    "DriftMetricError",
    "NumericPair",
    "register_metric",
    "registered_metrics",
    "unregister_metric",
]


def __dir__() -> list[str]:
    """Lists the public names, loaded or not, without modules that happen to be imported."""
    return list(__all__)
