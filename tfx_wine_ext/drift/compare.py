"""Compares two tables, or two sets of summaries, and gives one verdict.

A metric fails if its value less its error reaches the threshold *and* exceeds the noise floor for
samples of these sizes, *and* its p-value is still significant after the adjustment for all metrics
of all features. The first condition keeps large samples, in which everything is significant, from
failing. The others keep small samples, in which everything varies, from causing false alarms.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Union

import pyarrow as pa

from tfx_wine_ext.drift.adjust import benjamini_hochberg
from tfx_wine_ext.drift.aggregates import histogram, statistics
from tfx_wine_ext.drift.alignment import on_common_numbers
from tfx_wine_ext.drift.config import DriftConfig, Threshold
from tfx_wine_ext.drift.growth import Growth, grows
from tfx_wine_ext.drift.metric import Metric, Verdict
from tfx_wine_ext.drift.metrics import CategoricalPair, NumericPair, registered_metrics
from tfx_wine_ext.drift.metrics.registry import CATEGORICAL, NUMERIC
from tfx_wine_ext.drift.summaries import (
    CategoricalDistribution,
    Distribution,
    absent,
    is_numeric,
    summarize,
    table_of,
    without_values,
)
from tfx_wine_ext.drift.words import changed, unjudged

if TYPE_CHECKING:
    from tfx_wine_ext.drift.classifier import ClassifierResult

# Also a pandas DataFrame, which cannot be named without importing pandas.
Side = Union[pa.Table, pa.RecordBatch, Mapping[str, Distribution], Any]
# The most columns that a message names.
_MOST_NAMES = 10
OK, WARN, DRIFT = Verdict.OK, Verdict.WARN, Verdict.DRIFT
INCONCLUSIVE, NO_BASELINE = Verdict.INCONCLUSIVE, Verdict.NO_BASELINE


@dataclasses.dataclass(frozen=True)
class FeatureResult:
    """The result for one feature.

    Args:
        name: The column.
        kind: "numeric", "categorical", or "unknown" if no side has a value.
        verdict: OK, WARN, DRIFT, INCONCLUSIVE, or NO_BASELINE.
        reasons: Why, in words; empty if OK.
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
    kind: str
    verdict: Verdict
    reasons: tuple[str, ...]
    metrics: Mapping[str, Metric]
    n_baseline: int | None
    n_current: int | None
    baseline: Mapping[str, Any] | None
    current: Mapping[str, Any] | None
    histogram: Mapping[str, Any] | None
    time: str | None = None
    growth: Growth | None = None

    def to_dict(self) -> dict[str, Any]:
        """The feature as a JSON object; `time` and `growth` are present only if they are set."""
        return {
            "name": self.name,
            "kind": self.kind,
            "verdict": self.verdict.value,
            "reasons": list(self.reasons),
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
class DriftResult:
    """The result for all features together.

    Args:
        verdict: DRIFT, INCONCLUSIVE, WARN, OK or NO_BASELINE.
        reasons: Why, in words; empty if OK.
        share_drifted: Share of the compared features that drifted, 0 to 1.
        aggregate: ``(sum w d^3)^(1/3)`` with the importances w, which add up to 1, and the
            Jensen-Shannon distances d of the drifted features; None without importances.
        features: The results of the features, in the order of the baseline's columns, then new
            ones.
        config: The configuration by which they were judged.
        multivariate: The classifier two-sample test; None if it was not asked for.
        reason_kinds: The kind of each of `reasons`: `critical`, `share`, `aggregate`, `warned`,
            `classifier`, `no_baseline`, or `lost_baseline`.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    share_drifted: float
    aggregate: float | None
    features: tuple[FeatureResult, ...]
    config: DriftConfig
    multivariate: ClassifierResult | None = None
    reason_kinds: tuple[str, ...] = ()

    @property
    def has_baseline(self) -> bool:
        """Whether there was anything to compare with."""
        return self.verdict is not NO_BASELINE

    def to_dict(self) -> dict[str, Any]:
        """Everything as a JSON object, including the thresholds in force."""
        return {
            "verdict": self.verdict.value,
            "reasons": list(self.reasons),
            "reason_kinds": list(self.reason_kinds),
            "share_drifted": self.share_drifted,
            "aggregate": self.aggregate,
            "multivariate": None if self.multivariate is None else self.multivariate.to_dict(),
            "features": [feature.to_dict() for feature in self.features],
            "config": self.config.to_dict(),
        }


def compare(
    baseline: Side | None,
    current: Side,
    config: DriftConfig | None = None,
    samples: tuple[pa.Table, pa.Table] | None = None,
    rows: tuple[int | None, int] | None = None,
) -> DriftResult:
    """Judges whether `current` drifted from `baseline`.

    Args:
        baseline: An Arrow table or batch, a pandas data frame, or summaries by column name. None if
            there is none: this gives the verdict NO_BASELINE and is no error.
        current: The new data, in any of these forms.
        config: Thresholds and more. Default: None, a `DriftConfig` of defaults.
        samples: Rows of the baseline and of the current data for the classifier of
            `config.classifier`, see `RowSample`. They are needed if a side is given as summaries.
        rows: The numbers of rows of the baseline and of the current data. Summaries of a side
            without columns do not know its number of rows. Default: the numbers in the summaries.

    Raises:
        TypeError: A side has another type, or a column has a type without single values.
        ValueError: There is nothing to compare: the current data have no rows, a side has no column
            that `config.ignore` does not name, or the sides have none in common. Or `config` names
            a feature as critical, or gives it thresholds or an importance, and neither side has the
            feature or `config` ignores it. If both sides are tables, names in `ignore` and
            `categorical` must exist, too. Or `config` asks for the classifier, and there are no
            rows for it.

    Example:
        >>> before = pa.table({"x": list(range(100)), "kind": ["a", "b"] * 50})
        >>> after = pa.table({"x": [x + 50 for x in range(100)], "kind": ["a", "b"] * 50})
        >>> result = compare(before, after)
        >>> result.verdict.value, result.share_drifted
        ('DRIFT', 0.5)
        >>> {feature.name: feature.verdict.value for feature in result.features}
        {'x': 'DRIFT', 'kind': 'OK'}
        >>> result.features[0].reasons[0]
        'psi is 2.28, and its limit is 0.25'
    """
    config = config or DriftConfig()
    given = baseline, current
    baseline, current = _as_table(baseline, config), _as_table(current, config)
    names_of_both = [_names(side) for side in given]
    if None not in names_of_both:
        check_names(config, [name for names in names_of_both for name in names or ()])
    counts = [_rows(side) for side in given] if rows is None else rows
    new = _summaries(current, config)
    old = None if baseline is None else _summaries(baseline, config)
    if not counts[1]:
        raise ValueError(
            "the current data have no rows, so that there is nothing to compare: check what should "
            "have written them, or compare other data"
        )
    _check_left(new, "the current data have", config)
    names = list(dict.fromkeys([*(old or {}), *new]))
    if old is None or not counts[0]:
        why = "there is no baseline" if old is None else "the baseline has no rows"
        features = tuple(_without_baseline(name, new[name]) for name in names if name in new)
        kinds = ("no_baseline",)
        return DriftResult(NO_BASELINE, (why,), 0.0, None, features, config, reason_kinds=kinds)

    _check_left(old, "the baseline has", config)
    if not old.keys() & new.keys():
        raise ValueError(
            f"the sides have no column in common: the baseline has {_some(old)}, the current data "
            f"{_some(new)}; compare data of one kind, or rename the columns of one side"
        )
    _check_known(config, ("critical", "importances", "features"), names)
    measured = [_measure(name, old.get(name), new.get(name), config) for name in names]
    results = tuple(_judge(feature, config) for feature in _adjusted(measured))
    found = _overall(results, config)
    if not config.classifier:
        return found
    return _with_classifier(found, _rows_of_both(baseline, current, samples), config)


@dataclasses.dataclass(frozen=True)
class _Measured:
    """The metrics of one feature, and the findings that need no metric.

    `old` and `new` are the original columns, for the statistics; `drawn` has common numbers.
    """

    name: str
    kind: str
    old: Distribution | None
    new: Distribution | None
    time: str | None
    metrics: Mapping[str, Metric]
    settled: Mapping[Verdict, str]
    drawn: tuple[Distribution | None, Distribution | None]
    growth: Growth | None = None


def check_names(config: DriftConfig, names: Iterable[str]) -> None:
    """Refuses a name in the config that no side has: a typing error would go unnoticed.

    Args:
        config: The configuration.
        names: All columns of both sides, including ignored ones.

    Raises:
        ValueError: A name is not among `names`. The message has the field, the name and the
            columns.

    Example:
        >>> check_names(DriftConfig(ignore=("idd",)), ["id", "x"])
        Traceback (most recent call last):
        ...
        ValueError: ignore of the drift config names 'idd', which neither side has: expected one \
of id, x
    """
    _check_known(config, ("ignore", "categorical"), names)
    compared = [name for name in names if name not in config.ignore]
    _check_known(config, ("critical", "importances", "features"), compared)


def _check_known(config: DriftConfig, fields: Iterable[str], names: Iterable[str]) -> None:
    known = set(names)
    for field in fields:
        for name in getattr(config, field):
            if name in known:
                continue
            if name in config.ignore and field not in ("ignore", "categorical"):
                raise ValueError(
                    f"{field} of the drift config names {name!r}, which ignore names as well: take "
                    "it out of one of them"
                )
            raise ValueError(
                f"{field} of the drift config names {name!r}, which neither side has: expected "
                f"one of {', '.join(sorted(known))}"
            )


def _check_left(side: Mapping[str, Distribution], has: str, config: DriftConfig) -> None:
    if not side:
        why = f"ignore of the drift config names {_some(config.ignore)}: take out what is to be"
        remedy = f"{why} compared" if config.ignore else "check what should have written them"
        raise ValueError(f"{has} no column that is left to compare; {remedy}")


def _some(names: Iterable[str]) -> str:
    """The first few of many names."""
    names = list(names)
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _as_table(side: Side | None, config: DriftConfig) -> Side | None:
    """Leaves out ignored columns, whose types need not be comparable."""
    if isinstance(side, (pa.Table, pa.RecordBatch)):
        kept = [i for i, name in enumerate(side.schema.names) if name not in config.ignore]
        return pa.Table.from_arrays(
            [side.column(i) for i in kept], names=[side.schema.names[i] for i in kept]
        )
    if side is None or isinstance(side, Mapping):
        return side
    if hasattr(side, "columns"):
        side = side[[name for name in side.columns if name not in config.ignore]]
    return table_of(side)


def _names(side: Side | None) -> list[str] | None:
    """All columns, including ignored ones; None if they are not known."""
    if side is None or isinstance(side, Mapping):
        return None
    if isinstance(side, (pa.Table, pa.RecordBatch)):
        return list(side.schema.names)
    return [str(name) for name in side.columns]


def _rows(side: Side | None) -> int | None:
    if side is None:
        return None
    if isinstance(side, Mapping):
        return max((summary.n for summary in side.values()), default=0)
    if isinstance(side, (pa.Table, pa.RecordBatch)):
        return int(side.num_rows)
    return len(side)


def _summaries(side: Side, config: DriftConfig) -> Mapping[str, Distribution]:
    if isinstance(side, Mapping):
        return {name: found for name, found in side.items() if name not in config.ignore}
    return summarize(side, config.categorical)


def _rows_of_both(
    baseline: Side, current: Side, samples: tuple[pa.Table, pa.Table] | None
) -> tuple[pa.Table, pa.Table]:
    if samples is not None:
        return samples
    if isinstance(baseline, Mapping) or isinstance(current, Mapping):
        raise ValueError(
            "classifier of the drift config needs rows, and summaries have none: give "
            "samples=(RowSample.table() of the baseline, the same of the current data)"
        )
    return baseline, current


def _with_classifier(
    result: DriftResult, rows: tuple[pa.Table, pa.Table], config: DriftConfig
) -> DriftResult:
    # Imported here: scipy.stats and scikit-learn take longer to import than all the rest.
    from tfx_wine_ext.drift.classifier import classifier_two_sample

    # An id tells the sides apart, whatever the other columns hold.
    growing = {f.name for f in result.features if f.growth and not f.growth.judged}
    left = [[x for x in side.schema.names if x not in growing] for side in rows]
    if growing and not any(left):
        return result
    before, after = (side.select(names) for side, names in zip(rows, left))
    test = classifier_two_sample(before, after, config)
    verdict, reasons, kinds = result.verdict, result.reasons, result.reason_kinds
    if test.verdict is DRIFT:
        why = (
            f"a classifier tells the sides apart: its area under the ROC curve is {test.auc:.3g} "
            f"({test.ci_low:.3g} to {test.ci_high:.3g}), and its limit is {test.threshold}"
        )
        kept = verdict is DRIFT
        verdict = DRIFT
    elif test.verdict is INCONCLUSIVE and verdict is not DRIFT:
        why = (
            f"whether a classifier tells the sides apart is not known: its area under the ROC "
            f"curve is between {test.ci_low:.3g} and {test.ci_high:.3g}, and its limit is "
            f"{test.threshold}"
        )
        kept = verdict is INCONCLUSIVE
        verdict = INCONCLUSIVE
    else:
        return dataclasses.replace(result, multivariate=test)
    return dataclasses.replace(
        result,
        verdict=verdict,
        reasons=(*reasons, why) if kept else (why,),
        reason_kinds=(*kinds, "classifier") if kept else ("classifier",),
        multivariate=test,
    )


def _kind(summary: Distribution) -> str:
    if summary.n == summary.missing:
        return "unknown"
    return "numeric" if is_numeric(summary) else "categorical"


def _without_baseline(name: str, summary: Distribution) -> FeatureResult:
    return FeatureResult(
        name,
        _kind(summary),
        NO_BASELINE,
        (),
        {},
        None,
        summary.n,
        None,
        statistics(summary),
        histogram(None, summary),
        _time(None, summary),
    )


def _measure(
    name: str, old: Distribution | None, new: Distribution | None, config: DriftConfig
) -> _Measured:
    if new is None or old is None:
        present = new if old is None else old
        assert present is not None
        settled = {DRIFT: "the column is gone"} if new is None else {WARN: "the column is new"}
        time = _time(old, new)
        return _Measured(name, _kind(present), old, new, time, {}, settled, (old, new))
    old = without_values(old, like=new)
    new = without_values(new, like=old)
    given = old, new
    time = _time(*given)
    if is_numeric(old) is not is_numeric(new):
        settled = {DRIFT: f"the column was {_kind(old)} and is {_kind(new)}"}
        return _Measured(name, _kind(new), *given, time, {}, settled, given)
    old, new = on_common_numbers(old, new)
    kind = _kind(old) if _kind(old) != "unknown" else _kind(new)
    if min(old.n, new.n) < config.min_count:
        few = f"{old.n} and {new.n} values, and at least {config.min_count} are needed"
        return _Measured(name, kind, *given, time, {}, {INCONCLUSIVE: few}, (old, new))
    pair: NumericPair | CategoricalPair
    if is_numeric(old) and is_numeric(new):
        pair = NumericPair(old, new)
    else:
        assert isinstance(old, CategoricalDistribution)
        assert isinstance(new, CategoricalDistribution)
        pair = CategoricalPair(old, new)
    metrics = _metrics(name, pair, needs_values=False)
    present_counts = [side.n - absent(side) for side in (old, new)]
    found: Mapping[Verdict, str] = {}
    if max(old.error, new.error) >= 1:
        found = {INCONCLUSIVE: "only the number of values is known"}
    elif min(present_counts) >= config.min_count:
        metrics.update(_metrics(name, pair, needs_values=True))
    elif max(present_counts) > 0:
        few = (
            f"{present_counts[0]} and {present_counts[1]} values that are not missing, and at "
            f"least {config.min_count} are needed to compare them"
        )
        found = {INCONCLUSIVE: few}
    levels = {metric: config.threshold(name, metric) for metric in metrics}
    growth = _growth(name, *given, time, config)
    for metric in metrics:
        if _is_set_aside(growth, metric):
            levels[metric] = Threshold(None)
    return _Measured(
        name,
        kind,
        *given,
        time,
        {
            metric: dataclasses.replace(
                value, threshold=levels[metric].fail, warn=levels[metric].warn
            )
            for metric, value in metrics.items()
        },
        found,
        (old, new),
        growth,
    )


def _growth(
    name: str, old: Distribution, new: Distribution, time: str | None, config: DriftConfig
) -> Growth | None:
    """Whether a feature only grows; its metrics are judged nevertheless if the config names it."""
    if not (is_numeric(old) and is_numeric(new)):
        return None
    certain = grows(old, new, time)
    if certain is None:
        return None
    named = name in {*config.critical, *config.features, *config.importances}
    return Growth(certain, named or not certain)


def _time(old: Distribution | None, new: Distribution | None) -> str | None:
    """The kind of times in a feature, by the types of its sides, else by their values."""
    sides = [side for side in (old, new) if side is not None and is_numeric(side)]
    known = [
        side.precision.with_time_shown_by(side.steps().points)
        for side in sides
        if side.n > absent(side)
    ]
    if not known or not all(each.time for each in known):
        return next((each.time for each in known if each.unit), None)
    return known[0].coarser(known[-1]).time or None


def _metrics(
    feature: str, pair: NumericPair | CategoricalPair, *, needs_values: bool
) -> dict[str, Metric]:
    kind = NUMERIC if isinstance(pair, NumericPair) else CATEGORICAL
    metrics = registered_metrics().values()
    measured = {
        metric.name: metric.of(feature, pair)
        for metric in metrics
        if kind in metric.kinds and metric.needs_values is needs_values
    }
    return {name: value for name, value in measured.items() if value is not None}


def _adjusted(measured: list[_Measured]) -> list[_Measured]:
    """Adjusts the p-values of all metrics of all features together."""
    p_values = [
        metric.p_value
        for feature in measured
        for name, metric in feature.metrics.items()
        if not _is_set_aside(feature.growth, name)
    ]
    q_values = iter(benjamini_hochberg(p_values).tolist())
    return [
        dataclasses.replace(
            feature,
            metrics={
                name: metric
                if _is_set_aside(feature.growth, name)
                else dataclasses.replace(metric, q_value=next(q_values))
                for name, metric in feature.metrics.items()
            },
        )
        for feature in measured
    ]


def _is_set_aside(growth: Growth | None, metric: str) -> bool:
    """Whether a metric is neither judged nor adjusted for, since the column only grows."""
    return bool(growth and not growth.judged and registered_metrics()[metric].of_values)


def _judge(feature: _Measured, config: DriftConfig) -> FeatureResult:
    verdicts = {verdict: [reason] for verdict, reason in feature.settled.items()}
    metrics = {}
    for name, metric in feature.metrics.items():
        verdict = _metric_verdict(metric, config.q)
        metrics[name] = dataclasses.replace(metric, verdict=verdict)
        verdicts.setdefault(verdict, []).append(_reason(name, metric, verdict))
    found = next(
        (v for v in (DRIFT, INCONCLUSIVE, WARN) if v in verdicts),
        OK,
    )
    return FeatureResult(
        feature.name,
        feature.kind,
        found,
        () if found is OK else tuple(verdicts[found]),
        metrics,
        None if feature.old is None else feature.old.n,
        None if feature.new is None else feature.new.n,
        None if feature.old is None else statistics(feature.old),
        None if feature.new is None else statistics(feature.new),
        histogram(*feature.drawn),
        feature.time,
        feature.growth,
    )


def _metric_verdict(metric: Metric, q: float) -> Verdict:
    significant = metric.q_value is not None and metric.q_value < q

    def reaches(value: float, level: float | None) -> bool:
        # "0" means: any value above 0.
        reached = level is not None and value >= level and value > 0
        return reached and value > metric.noise_floor

    if not significant:
        return OK
    if reaches(metric.value - metric.error, metric.threshold):
        return DRIFT
    if reaches(metric.value + metric.error, metric.threshold):
        return INCONCLUSIVE
    return WARN if reaches(metric.value - metric.error, metric.warn) else OK


def _reason(name: str, metric: Metric, verdict: Verdict) -> str:
    level = metric.warn if verdict is WARN else metric.threshold
    if verdict is INCONCLUSIVE:
        return (
            f"{name} is {metric.value:.3g} with an error of up to {metric.error:.2g}, and "
            f"its limit is {level}"
        )
    return f"{name} is {metric.value:.3g}, and its limit is {level}"


def _overall(features: tuple[FeatureResult, ...], config: DriftConfig) -> DriftResult:
    drifted = [feature for feature in features if feature.verdict is DRIFT]
    unclear = [feature for feature in features if feature.verdict is INCONCLUSIVE]
    share = len(drifted) / len(features)
    aggregate = _aggregate(features, config)
    reasons = [("critical", f"{name}, which is critical, drifted")
               for name in _critical(drifted, config)]  # fmt: skip
    if drifted and share >= config.share:
        reasons.append(("share", changed(len(drifted), 0, len(features))))
    if aggregate is not None and aggregate >= config.aggregate:
        why = f"the aggregated drift is {aggregate:.3g}; its limit is {config.aggregate}"
        reasons.append(("aggregate", why))
    verdict = DRIFT
    if not reasons:
        verdict = INCONCLUSIVE
        reasons = [("critical", f"{name}, which is critical, cannot be judged")
                   for name in _critical(unclear, config)]  # fmt: skip
        if unclear and (len(drifted) + len(unclear)) / len(features) >= config.share:
            reasons.append(("share", unjudged(len(unclear), len(features))))
    warned = sum(feature.verdict is WARN for feature in features)
    if not reasons and (drifted or warned):
        verdict = WARN
        reasons = [("warned", changed(len(drifted), warned, len(features)))]
    kinds, words = tuple(kind for kind, _ in reasons), tuple(why for _, why in reasons)
    verdict = verdict if reasons else OK
    return DriftResult(verdict, words, share, aggregate, features, config, reason_kinds=kinds)


def _critical(features: list[FeatureResult], config: DriftConfig) -> list[str]:
    return [feature.name for feature in features if feature.name in config.critical]


def _aggregate(features: tuple[FeatureResult, ...], config: DriftConfig) -> float | None:
    total = sum(config.importances.values())
    if not total:
        return None
    cubes = sum(
        config.importances.get(feature.name, 0.0) * _distance(feature) ** 3
        for feature in features
        if feature.verdict is DRIFT
    )
    return float((cubes / total) ** (1 / 3))


def _distance(feature: FeatureResult) -> float:
    """How far a drifted feature moved, 0 to 1; 1 if nothing is left to compare."""
    if "js" in feature.metrics:
        return feature.metrics["js"].value
    if "missing_rate" in feature.metrics:
        return feature.metrics["missing_rate"].value
    return 1.0
