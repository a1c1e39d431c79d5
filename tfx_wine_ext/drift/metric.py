"""One number that says how far apart two distributions are, with the values to judge it by."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Annotated, Any

from tfx_wine_ext.documents import COUNT

# The share of metrics that exceed their noise floor by chance alone.
NOISE_LEVEL = 0.05


class Verdict(str, enum.Enum):
    """The result of a comparison.

    OK: no relevant change. WARN: a change to look at. DRIFT: the data drifted. INCONCLUSIVE: too
    few values, or an error bound that includes a threshold. NO_BASELINE: no reference data.
    """

    OK = "OK"
    WARN = "WARN"
    DRIFT = "DRIFT"
    INCONCLUSIVE = "INCONCLUSIVE"
    NO_BASELINE = "NO_BASELINE"

    # Otherwise it depends on Python's release.
    __str__ = str.__str__


@dataclasses.dataclass(frozen=True)
class Metric:
    """The value of one metric of one feature.

    Args:
        value: The effect size; 0 for equal distributions.
        error: How far `value` may be from the exact one; 0 if the summaries are exact.
        noise_floor: The level that `value` exceeds in 5 % of comparisons of samples of these sizes
            if nothing has changed.
        p_value: Chance of a value this large if nothing has changed.
        threshold: The `value` from which on the metric fails; None if it is only shown.
        warn: The `value` from which on the metric warns; None if it never warns.
        q_value: `p_value` adjusted for the number of tests, see `adjust`.
        verdict: OK, WARN, DRIFT or INCONCLUSIVE; None until `compare` has judged it.
        details: More numbers, by name.
    """

    value: float
    error: Annotated[float, COUNT] = 0.0
    noise_floor: float = 0.0
    p_value: float = 1.0
    threshold: Annotated[float, COUNT] | None = None
    warn: Annotated[float, COUNT] | None = None
    q_value: float | None = None
    verdict: Verdict | None = None
    details: Mapping[str, float | None] = dataclasses.field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The metric as a JSON object.

        Example:
            >>> sorted(Metric(0.5).to_dict())[:3]
            ['details', 'error', 'noise_floor']
        """
        return {
            **vars(self),
            "verdict": self.verdict.value if self.verdict else None,
            "details": dict(self.details),
        }
