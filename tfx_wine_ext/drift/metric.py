"""One number that says how far apart two distributions are, with what is needed to judge it."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any

# The share of metrics that chance alone lifts above their noise floor.
NOISE_LEVEL = 0.05


class Verdict(str, enum.Enum):
    """What a comparison found.

    OK: nothing that matters. WARN: something to look at. DRIFT: not the same data. INCONCLUSIVE:
    too few values, or an error bound on both sides of a threshold. NO_BASELINE: nothing to compare
    with.
    """

    OK = "OK"
    WARN = "WARN"
    DRIFT = "DRIFT"
    INCONCLUSIVE = "INCONCLUSIVE"
    NO_BASELINE = "NO_BASELINE"


@dataclasses.dataclass(frozen=True)
class Metric:
    """The value of one metric of one feature.

    Args:
        value: The effect size; 0 for equal distributions.
        error: How far `value` may be from the exact one, 0 where the summaries are exact.
        noise_floor: What `value` exceeds in 5 % of comparisons of samples of these sizes when
            nothing has changed.
        p_value: Chance of a value this large when nothing has changed.
        threshold: `value` from which on the metric fails; None: it is only shown.
        warn: `value` from which on the metric warns, if there is such a level.
        q_value: `p_value` adjusted for the number of tests, see `adjust`.
        verdict: OK, WARN, DRIFT or INCONCLUSIVE; None until `compare` has judged it.
        details: More numbers, by name.
    """

    value: float
    error: float = 0.0
    noise_floor: float = 0.0
    p_value: float = 1.0
    threshold: float | None = None
    warn: float | None = None
    q_value: float | None = None
    verdict: Verdict | None = None
    details: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The metric as a JSON object.

        Example:
            >>> sorted(Metric(0.5).to_dict())[:3]
            ['details', 'error', 'noise_floor']
        """
        return {
            **{field.name: getattr(self, field.name) for field in dataclasses.fields(self)},
            "verdict": self.verdict.value if self.verdict else None,
            "details": dict(self.details),
        }
