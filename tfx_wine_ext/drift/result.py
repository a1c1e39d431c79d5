"""The result of a comparison, of each feature and of all of them together, as facts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

from tfx_wine_ext.documents import COUNT, Bounds, one_of
from tfx_wine_ext.drift.aggregates import read_histogram, read_statistics
from tfx_wine_ext.drift.config import DriftConfig
from tfx_wine_ext.drift.growth import Growth
from tfx_wine_ext.drift.metric import Metric, Verdict
from tfx_wine_ext.drift.reasons import Reason, recorded_reasons

# The level of the classifier's confidence interval.
CONFIDENCE = 0.95
Words = Callable[[Reason], str]
_RECORDED_REASONS = {"of_record": recorded_reasons}


def _reasons(reasons: tuple[Reason, ...], words: Words | None) -> dict[str, Any]:
    """The reasons as facts, and beside them as sentences if it is known how they read."""
    sentences = {} if words is None else {"reasons": list(map(words, reasons))}
    return {**sentences, "reason_facts": [reason.to_dict() for reason in reasons]}


class _Importance(NamedTuple):
    name: str
    value: float


@dataclasses.dataclass(frozen=True)
class ClassifierResult:
    """How well the sides can be told apart.

    Args:
        auc: Area under the ROC curve: the chance that the model gives a current row a higher score
            than a baseline row. 0.5 means that the sides cannot be told apart, 1 that they always
            can.
        ci_low: Lower end of its confidence interval.
        ci_high: Upper end.
        p_value: Chance of an area this large if nothing has changed.
        threshold: The `auc` from which on the data drifted.
        verdict: DRIFT if the whole interval is at or above the threshold, INCONCLUSIVE if only a
            part of it is, else OK. With fewer than 100 rows on a side, it is INCONCLUSIVE with an
            interval from 0 to 1.
        n_baseline: Rows of the baseline that were used.
        n_current: Rows of the current data that were used.
        importances: Each column with the decrease of `auc` when its values are shuffled: at most
            the ten largest. Empty if the interval contains 0.5.
        confidence: Level of the confidence interval.
    """

    auc: float
    ci_low: float
    ci_high: float
    p_value: float
    threshold: float
    verdict: Verdict
    n_baseline: Annotated[int, COUNT]
    n_current: Annotated[int, COUNT]
    importances: tuple[Annotated[tuple[str, float], _Importance], ...] = ()
    confidence: float = CONFIDENCE

    def to_dict(self) -> dict[str, Any]:
        """The result as a JSON object.

        Example:
            >>> result = ClassifierResult(0.5, 0.0, 1.0, 1.0, 0.6, Verdict.INCONCLUSIVE, 3, 3)
            >>> result.to_dict()["verdict"], result.to_dict()["confidence"]
            ('INCONCLUSIVE', 0.95)
        """
        return {
            **vars(self),
            "verdict": self.verdict.value,
            "importances": [{"name": name, "value": value} for name, value in self.importances],
        }


@dataclasses.dataclass(frozen=True)
class FeatureResult:
    """The result for one feature.

    Args:
        name: The column.
        kind: "numeric", "categorical", or "unknown" if no side has a value.
        verdict: OK, WARN, DRIFT, INCONCLUSIVE, or NO_BASELINE.
        reasons: Why; empty if OK.
        metrics: The metrics that are defined for the feature, by name.
        n_baseline: Number of values of the baseline, including missing ones; None if it has no such
            column.
        n_current: Number of values of the current data, including missing ones; None if they have
            no such column.
        baseline: Statistics of the baseline's column, see `aggregates`; None if it has no such
            column.
        current: The same for the current data.
        histogram: Both sides in the same bins, for drawing; None if there is nothing to draw.
        time: The kind of times, if its values are times in microseconds: `date`, `timestamp`,
            `time` (of day) or `duration`; else None.
        growth: Set if the column only grows; else None.
    """

    name: str
    kind: Annotated[str, one_of("numeric", "categorical", "unknown")]
    verdict: Verdict
    reasons: tuple[Reason, ...] = dataclasses.field(default=(), metadata=_RECORDED_REASONS)
    metrics: Mapping[str, Metric] = dataclasses.field(default_factory=dict)
    n_baseline: Annotated[int, COUNT] | None = None
    n_current: Annotated[int, COUNT] | None = None
    baseline: Annotated[Mapping[str, Any], read_statistics] | None = None
    current: Annotated[Mapping[str, Any], read_statistics] | None = None
    histogram: Annotated[Mapping[str, Any], read_histogram] | None = None
    time: Annotated[str, one_of("date", "timestamp", "time", "duration")] | None = None
    growth: Growth | None = None

    @property
    def is_set_aside(self) -> bool:
        """Whether the metrics of its values are not judged, since the column only grows."""
        return self.growth is not None and not self.growth.judged

    def to_dict(self, words: Words | None = None) -> dict[str, Any]:
        """The feature as a JSON object; `time` and `growth` are present only if they are set.

        Args:
            words: How a reason reads. Default: None, the object has no sentences.
        """
        return {
            "name": self.name,
            "kind": self.kind,
            "verdict": self.verdict.value,
            **_reasons(self.reasons, words),
            "n_baseline": self.n_baseline,
            "n_current": self.n_current,
            "metrics": {name: metric.to_dict() for name, metric in self.metrics.items()},
            "baseline": self.baseline,
            "current": self.current,
            "histogram": self.histogram,
            **({"time": self.time} if self.time else {}),
            **({"growth": self.growth.to_dict()} if self.growth else {}),
        }


@dataclasses.dataclass(frozen=True)
class Findings:
    """What was found about all features together.

    Args:
        verdict: DRIFT, INCONCLUSIVE, WARN, OK or NO_BASELINE.
        reasons: Why; empty if OK.
        share_drifted: Share of the compared features that drifted, 0 to 1.
        aggregate: ``(sum w d^3)^(1/3)`` with the importances w, which add up to 1, and the
            Jensen-Shannon distances d of the drifted features; None without importances.
        features: The results of the features, in the order of the baseline's columns, then new
            ones.
        multivariate: The classifier two-sample test; None if it was not asked for.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...] = dataclasses.field(metadata=_RECORDED_REASONS)
    share_drifted: Annotated[float, Bounds(0, 1)]
    aggregate: float | None
    features: tuple[FeatureResult, ...]
    multivariate: ClassifierResult | None = None

    @property
    def reason_kinds(self) -> tuple[str, ...]:
        """The kind of each of `reasons`, see `Reason`."""
        return tuple(reason.kind for reason in self.reasons)

    @property
    def has_baseline(self) -> bool:
        """Whether there was anything to compare with."""
        return self.verdict is not Verdict.NO_BASELINE

    def with_verdict(self, verdict: Verdict) -> int:
        """Returns the number of features that have a verdict."""
        return sum(feature.verdict is verdict for feature in self.features)

    def to_dict(self, words: Words | None = None) -> dict[str, Any]:
        """Everything as a JSON object without NaN and infinities.

        Args:
            words: How a reason reads. Default: None, the object has no sentences.
        """
        return {
            "verdict": self.verdict.value,
            **_reasons(self.reasons, words),
            "reason_kinds": list(self.reason_kinds),
            "share_drifted": self.share_drifted,
            "aggregate": self.aggregate,
            "multivariate": None if self.multivariate is None else self.multivariate.to_dict(),
            "features": [feature.to_dict(words) for feature in self.features],
        }


@dataclasses.dataclass(frozen=True)
class DriftResult(Findings):
    """The result for all features together.

    Args:
        config: The configuration by which they were judged.
    """

    config: DriftConfig = dataclasses.field(kw_only=True)

    def to_dict(self, words: Words | None = None) -> dict[str, Any]:
        """Everything as a JSON object, including the thresholds in force; see `Findings`."""
        return {**super().to_dict(words), "config": self.config.to_dict()}
