"""Why a comparison has its verdict, as facts; `tfx_wine_ext.report.words.drift` words them.

A report document has each reason twice: as a sentence for people, and as its type with its fields.
A new reason is a class here and a sentence there.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any, ClassVar, TypedDict

from tfx_wine_ext.documents import UnexpectedError, load, read
from tfx_wine_ext.drift.metric import Metric, Verdict
from tfx_wine_ext.drift.ranking import limit_of

REASONS: dict[str, type[Reason]] = {}
"""All types of reasons, by name."""


class Reason:
    """Why a feature, or the whole comparison, has its verdict.

    Attributes:
        KIND: What the reason of a whole comparison is about: `critical`, `share`, `aggregate`,
            `warned`, `classifier`, `no_baseline`, `lost_baseline` or `unfit_baseline`; "" for
            reasons of a feature.
    """

    KIND: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        """Lets documents name the type."""
        REASONS[cls.__name__] = cls

    @property
    def kind(self) -> str:
        """What the reason is about, see `KIND`."""
        return self.KIND

    def to_dict(self) -> dict[str, Any]:
        """The reason as a JSON object.

        Example:
            >>> CriticalDrifted("pH").to_dict()
            {'type': 'CriticalDrifted', 'feature': 'pH'}
        """
        return {"type": type(self).__name__, **vars(self)}


@dataclasses.dataclass(frozen=True)
class Stated(Reason):
    """A reason of which only the sentence is known.

    Earlier releases recorded no facts, and later ones may record facts that are unknown here.

    Args:
        sentence: The sentence, without a full stop.
        about: Its `kind`, if the document says so.
    """

    sentence: str
    about: str = ""

    @property
    def kind(self) -> str:
        """What the reason is about, see `Reason`."""
        return self.about


@dataclasses.dataclass(frozen=True)
class BeyondLimit(Reason):
    """A metric of the feature reached the limit of the feature's verdict, WARN or DRIFT.

    Args:
        metric: Name of the metric.
        value: Its value.
        limit: The limit.
    """

    metric: str
    value: float
    limit: float


@dataclasses.dataclass(frozen=True)
class LimitWithinError(Reason):
    """A metric of the feature may have reached its limit: it is known only to within `error`.

    Args:
        metric: Name of the metric.
        value: Its value.
        error: How far the exact value may be from it.
        limit: The limit.
    """

    metric: str
    value: float
    error: float
    limit: float


OF_METRICS = (BeyondLimit, LimitWithinError)
"""The types of reasons that a metric gives."""


@dataclasses.dataclass(frozen=True)
class ColumnGone(Reason):
    """Only the baseline has the column."""


@dataclasses.dataclass(frozen=True)
class ColumnNew(Reason):
    """Only the current data have the column."""


@dataclasses.dataclass(frozen=True)
class KindChanged(Reason):
    """The column was numeric and is categorical, or the reverse.

    Args:
        before: The kind in the baseline, as `FeatureResult.kind`.
        after: The kind now.
    """

    before: str
    after: str


@dataclasses.dataclass(frozen=True)
class TooFewValues(Reason):
    """A side has fewer values than are needed; missing ones count.

    Args:
        baseline: Number of values of the baseline.
        current: Number of values of the current data.
        needed: The least number of each.
    """

    baseline: int
    current: int
    needed: int


@dataclasses.dataclass(frozen=True)
class TooFewPresent(TooFewValues):
    """A side has fewer values that are not missing than are needed."""


@dataclasses.dataclass(frozen=True)
class OnlyCounted(Reason):
    """Only the number of values is known, not the values."""


@dataclasses.dataclass(frozen=True)
class CriticalDrifted(Reason):
    """A feature that the config calls critical drifted.

    Args:
        feature: Its name.
    """

    KIND = "critical"
    feature: str


@dataclasses.dataclass(frozen=True)
class CriticalUnjudged(Reason):
    """A feature that the config calls critical cannot be judged.

    Args:
        feature: Its name.
    """

    KIND = "critical"
    feature: str


@dataclasses.dataclass(frozen=True)
class ShareReached(Reason):
    """The share of drifted features reached its limit.

    Args:
        drifted: Number of features that drifted.
        compared: Number of all features.
        limit: The share, 0 to 1.
    """

    KIND = "share"
    drifted: int
    compared: int
    limit: float


@dataclasses.dataclass(frozen=True)
class ShareUnjudged(Reason):
    """The share of features that drifted or cannot be judged reached the limit.

    Args:
        unjudged: Number of features that cannot be judged.
        compared: Number of all features.
        limit: The share, 0 to 1.
    """

    KIND = "share"
    unjudged: int
    compared: int
    limit: float


@dataclasses.dataclass(frozen=True)
class AggregateReached(Reason):
    """The aggregated drift reached its limit.

    Args:
        aggregate: See `Findings.aggregate`.
        limit: The limit.
    """

    KIND = "aggregate"
    aggregate: float
    limit: float


@dataclasses.dataclass(frozen=True)
class FeaturesChanged(Reason):
    """Features drifted or warn, and no limit of the whole comparison is reached.

    Args:
        drifted: Number of features that drifted.
        warned: Number of features that warn.
        compared: Number of all features.
    """

    KIND = "warned"
    drifted: int
    warned: int
    compared: int


@dataclasses.dataclass(frozen=True)
class ClassifierBeyondLimit(Reason):
    """A classifier tells the sides apart: the whole interval of its AUC is beyond the limit.

    Args:
        auc: The AUC.
        low: Lower end of its confidence interval.
        high: Upper end.
        limit: The limit.
    """

    KIND = "classifier"
    auc: float
    low: float
    high: float
    limit: float


@dataclasses.dataclass(frozen=True)
class ClassifierUndecided(Reason):
    """The limit lies within the confidence interval of the classifier's AUC.

    Args:
        low: Lower end of the confidence interval.
        high: Upper end.
        limit: The limit.
    """

    KIND = "classifier"
    low: float
    high: float
    limit: float


@dataclasses.dataclass(frozen=True)
class NoBaseline(Reason):
    """There is no baseline."""

    KIND = "no_baseline"


@dataclasses.dataclass(frozen=True)
class EmptyBaseline(Reason):
    """The baseline has no rows."""

    KIND = "no_baseline"


@dataclasses.dataclass(frozen=True)
class BaselineLost(Reason):
    """The files of the baseline, which the metadata know, are missing.

    Args:
        name: What a person calls the baseline.
        uri: Where the files should have been.
        path: The path that was not found.
        found: What is there instead, such as "no such folder".
    """

    KIND = "lost_baseline"
    name: str
    uri: str
    path: str
    found: str


@dataclasses.dataclass(frozen=True)
class BaselineUnfit(Reason):
    """What was found as a baseline is none.

    A Resolver with TFX's `LatestArtifactStrategy` finds the newest artifact of a type, whichever
    component made it, and of whichever span.

    Args:
        name: What a person calls what was found.
        uri: Where it is.
        fault: `current`: it is the current data themselves. `same_content`: it was made of the same
            content. `not_earlier`: its span is not before the current one. `no_span`: it has no
            span, and the current data have one. `no_order`: there are several of its span, and
            nothing tells which is newer.
    """

    KIND = "unfit_baseline"
    name: str
    uri: str
    fault: str


def reason_of(name: str, metric: Metric) -> Reason:
    """Returns the reason that a metric with a verdict other than OK is.

    Example:
        >>> reason_of("ks", Metric(0.5, threshold=0.1, verdict=Verdict.DRIFT))
        BeyondLimit(metric='ks', value=0.5, limit=0.1)
    """
    limit = limit_of(metric)
    assert limit is not None
    if metric.verdict is Verdict.INCONCLUSIVE:
        return LimitWithinError(name, metric.value, metric.error, limit)
    return BeyondLimit(name, metric.value, limit)


def reason_from(fact: Mapping[str, Any], sentence: str) -> Reason:
    """Makes a reason from its JSON object; of an unknown type only the sentence is kept.

    Args:
        fact: What `Reason.to_dict` returned.
        sentence: The reason as a sentence.

    Raises:
        DocumentError: A field is missing, or is of another type.

    Example:
        >>> reason_from({"type": "CriticalDrifted", "feature": "pH"}, "pH drifted")
        CriticalDrifted(feature='pH')
        >>> reason_from({"type": "Eclipse"}, "the sun is gone").sentence
        'the sun is gone'
    """
    cls = REASONS.get(fact["type"])
    return Stated(sentence) if cls is None else load(cls, fact, f"the reason {cls.__name__}")


class _Fact(TypedDict):
    type: str


class _Recorded(TypedDict, total=False):
    reasons: list[str]
    reason_kinds: list[str]
    reason_facts: list[_Fact]


def recorded_reasons(record: Mapping[str, Any], parts: Mapping[str, Any]) -> tuple[Reason, ...]:
    """Reads the reasons of a feature or a whole comparison from its JSON object.

    Earlier releases recorded sentences only; those of metrics are told by their verdicts.

    Args:
        record: The JSON object.
        parts: What was read of it: the verdict, and the metrics of a feature.

    Raises:
        UnexpectedError: The object has other values.
    """
    recorded = read(_Recorded, record)
    sentences, facts = recorded.get("reasons", []), recorded.get("reason_facts")
    kinds = itertools.chain(recorded.get("reason_kinds", ()), itertools.repeat(""))
    if facts is not None:
        if len(facts) != len(sentences):
            expected = f"one for each of {len(sentences)} reasons"
            raise UnexpectedError(expected, str(len(facts)), "reason_facts")
        return tuple(map(_recorded_reason, itertools.count(), facts, sentences, kinds))
    stated = tuple(map(Stated, sentences, kinds))
    decided = [
        reason_of(name, metric)
        for name, metric in parts.get("metrics", {}).items()
        if metric.verdict is parts["verdict"] and limit_of(metric) is not None
    ]
    # Reasons that need no metric came first.
    first = len(stated) - len(decided)
    return stated if first < 0 else (*stated[:first], *decided)


def _recorded_reason(index: int, fact: _Fact, sentence: str, kind: str) -> Reason:
    cls = REASONS.get(fact["type"])
    try:
        return Stated(sentence, kind) if cls is None else read(cls, fact)
    except UnexpectedError as error:
        raise error.below("reason_facts", index) from None
