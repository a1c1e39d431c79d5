"""P-values of many tests, adjusted so that many tests do not find differences that do not exist."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def benjamini_hochberg(
    p_values: Sequence[float] | npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Adjusts p-values so that rejecting those <= q makes at most a share q false discoveries.

    This holds for independent and for positively dependent tests. The result equals
    ``scipy.stats.false_discovery_control(p, method="bh")`` of scipy 1.11 and later.

    Args:
        p_values: ``[k]``, each from 0 to 1.

    Returns:
        float64 ``[k]``: the smallest q at which each test is rejected.

    Raises:
        ValueError: A p-value is not from 0 to 1.

    Source: Benjamini and Hochberg (1995), J. R. Stat. Soc. B 57.

    Example:
        >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(3).tolist()
        [0.03, 0.04, 0.04]
    """
    p = np.asarray(p_values, np.float64)
    if not np.all((p >= 0) & (p <= 1)):
        raise ValueError(f"p-values must be from 0 to 1, found {p[~((p >= 0) & (p <= 1))][:5]}")
    order = np.argsort(p)
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum.accumulate(scaled[::-1])[::-1]
    return np.minimum(adjusted, 1.0)
