"""The change of one share, which several metrics measure."""

from __future__ import annotations

import math

from scipy import special

from tfx_wine_ext.drift.metric import NOISE_LEVEL, Metric


def share_change(
    reference_hits: int, reference_n: int, current_hits: int, current_n: int
) -> Metric:
    """Change of a share, with the two-proportion z-test (pooled variance, two-sided).

    The value is the absolute difference; the details have both shares.

    Raises:
        ValueError: A side has no values, or has more hits than values.

    Example:
        >>> metric = share_change(10, 100, 30, 100)
        >>> round(metric.value, 3), round(metric.p_value, 4), metric.details
        (0.2, 0.0004, {'reference': 0.1, 'current': 0.3})
    """
    for name, hits, n in (
        ("reference", reference_hits, reference_n),
        ("current", current_hits, current_n),
    ):
        if not 0 <= hits <= n or n == 0:
            raise ValueError(f"{name} must have 0 to n hits of n > 0 values, found {hits} of {n}")
    old, new = reference_hits / reference_n, current_hits / current_n
    pooled = (reference_hits + current_hits) / (reference_n + current_n)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / reference_n + 1 / current_n))
    value = abs(new - old)
    details = {"reference": old, "current": new}
    if spread == 0:
        return Metric(value, details=details)
    return Metric(
        value,
        0.0,
        spread * float(special.ndtri(1 - NOISE_LEVEL / 2)),
        2 * float(special.ndtr(-value / spread)),
        details=details,
    )
