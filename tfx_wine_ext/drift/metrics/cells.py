"""Shared code of the metrics of two rows of counts: sums over bins, their noise and their error.

Each of these metrics takes the numbers of values of the reference and of the current data in the
same bins or categories (int ``[b]`` each), and returns a `Metric` that `compare` judges.

The noise floors and p-values of PSI and Jensen-Shannon rest on one expansion. With p and q near
each other and r between them, both are multiples of ``sum((p - q)^2 / r)``: PSI once,
Jensen-Shannon (in nats) an eighth of it. That sum, for samples of n and m values of one
distribution, is distributed as ``(1/n + 1/m) chi2_{b-1}`` (Yurdakul and Naranjo 2020, "Statistical
properties of the population stability index").
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import special

from tfx_wine_ext.drift.metric import NOISE_LEVEL, Metric
from tfx_wine_ext.drift.summaries import Floats

CountsLike = npt.ArrayLike


def of_cells(
    cells: Callable[[Floats, Floats], Floats],
    p: Floats,
    q: Floats,
    n: float,
    m: float,
    b: int,
    scale: float,
    error: npt.ArrayLike,
) -> Metric:
    """A sum over bins of a convex function of both shares that is 0 if they are equal."""
    value = float(max(cells(p, q).sum(), 0.0))
    noise = scale * float(1 / n + 1 / m)
    errors = np.broadcast_to(np.asarray(error, np.float64), p.shape)
    wrong = 0.0
    if errors.any():
        nearer, farther = bounds(cells, p, q, n, m, errors)
        wrong = max(farther - value, value - nearer)
    if b < 2:
        return Metric(value, wrong)
    return Metric(
        value,
        wrong,
        noise * float(special.chdtri(b - 1, NOISE_LEVEL)),
        float(special.chdtrc(b - 1, value / noise)),
    )


def bounds(
    cells: Callable[[Floats, Floats], Floats], p: Floats, q: Floats, n: float, m: float, e: Floats
) -> tuple[float, float]:
    """The least and the largest sum of `cells` if each share may be wrong by `e`.

    Each cell is convex and 0 on the diagonal, so it is largest in a corner of the possible shares.
    """
    tiny_p, tiny_q = np.minimum(0.5 / n, p), np.minimum(0.5 / m, q)
    farther = np.maximum(
        cells(np.maximum(p - e, tiny_p), np.minimum(q + e, 1.0)),
        cells(np.minimum(p + e, 1.0), np.maximum(q - e, tiny_q)),
    )
    middle = (p + q) / 2
    nearer = cells(
        np.where(p < q, np.minimum(p + e, middle), np.maximum(p - e, middle)),
        np.where(q < p, np.minimum(q + e, middle), np.maximum(q - e, middle)),
    )
    return float(nearer.sum()), float(farther.sum())


def checked(reference: CountsLike, current: CountsLike) -> tuple[Floats, Floats]:
    """Returns both rows of counts as floats.

    Raises:
        ValueError: The rows have different lengths, a count is negative, or a row has only zeros.

    Example:
        >>> checked([1, 2], [3])
        Traceback (most recent call last):
        ...
        ValueError: reference and current must be counts of the same bins, found shapes (2,) \
and (1,)
    """
    old, new = np.asarray(reference, np.float64), np.asarray(current, np.float64)
    if old.ndim != 1 or old.shape != new.shape:
        raise ValueError(
            "reference and current must be counts of the same bins, found shapes "
            f"{old.shape} and {new.shape}"
        )
    for name, counts in (("reference", old), ("current", new)):
        if not len(counts) or counts.min() < 0 or counts.sum() <= 0:
            raise ValueError(f"{name} must be counts >= 0 of at least one value, found {counts}")
    return old, new
