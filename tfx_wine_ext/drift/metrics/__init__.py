"""The metrics of drift, each in a file of its own, and the registry to which others are added.

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

# Importing one registers it. In this order tables and pages show them.
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
    """Lists the public names, loaded or not; no module that happens to be imported."""
    return list(__all__)
