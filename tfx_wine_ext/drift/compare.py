"""Compares two tables, or two sets of summaries, and gives one verdict.

A metric fails if its value less its error reaches the threshold *and* exceeds the noise floor for
samples of these sizes, *and* its p-value is still significant after the adjustment for all metrics
of all features. The first condition keeps large samples, in which everything is significant, from
failing. The others keep small samples, in which everything varies, from causing false alarms.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from typing import Any, Union, cast

import pyarrow as pa

from tfx_wine_ext.drift import reasons as why
from tfx_wine_ext.drift.adjust import benjamini_hochberg
from tfx_wine_ext.drift.aggregates import histogram, statistics
from tfx_wine_ext.drift.alignment import on_common_numbers
from tfx_wine_ext.drift.config import DriftConfig, Threshold
from tfx_wine_ext.drift.growth import Growth, grows
from tfx_wine_ext.drift.metric import Metric, Verdict
from tfx_wine_ext.drift.metrics import CategoricalPair, NumericPair, registered_metrics
from tfx_wine_ext.drift.metrics.registry import CATEGORICAL, NUMERIC
from tfx_wine_ext.drift.result import DriftResult, FeatureResult
from tfx_wine_ext.drift.summaries import (
    CategoricalDistribution,
    Distribution,
    absent,
    is_numeric,
    summarize,
    table_of,
    without_values,
)

# Also a pandas DataFrame, which cannot be named without importing pandas.
Side = Union[pa.Table, pa.RecordBatch, Mapping[str, Distribution], Any]
# The most columns that a message names.
_MOST_NAMES = 10
OK, WARN, DRIFT = Verdict.OK, Verdict.WARN, Verdict.DRIFT
INCONCLUSIVE, NO_BASELINE = Verdict.INCONCLUSIVE, Verdict.NO_BASELINE


def compare(
    baseline: Side | None,
    current: Side,
    config: DriftConfig | None = None,
    samples: tuple[pa.Table, pa.Table] | None = None,
    rows: tuple[int | None, int] | None = None,
    *,
    histograms: bool = True,
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
        histograms: Whether the result has the histograms of the features, for drawing. Default:
            True. Without them `compare` takes a fifth less time.

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
        >>> result.reasons
        (ShareReached(drifted=1, compared=2, limit=0.5),)
    """
    config = config or DriftConfig()
    baseline, rows_of_baseline, old_names = _given(baseline, config, rows is None)
    current, rows_of_current, new_names = _given(current, config, rows is None)
    if old_names is not None and new_names is not None:
        check_names(config, [*old_names, *new_names])
    counts = rows or (rows_of_baseline, rows_of_current)
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
        reason = why.NoBaseline() if old is None else why.EmptyBaseline()
        features = tuple(
            _feature(name, _kind(new[name]), None, new[name], NO_BASELINE, histograms=histograms)
            for name in names
            if name in new
        )
        return DriftResult(NO_BASELINE, (reason,), 0.0, None, features, config=config)

    _check_left(old, "the baseline has", config)
    if not old.keys() & new.keys():
        raise ValueError(
            f"the sides have no column in common: the baseline has {_some(old)}, the current data "
            f"{_some(new)}; compare data of one kind, or rename the columns of one side"
        )
    _check_known(config, ("critical", "importances", "features"), names)
    measured = [_measure(name, old.get(name), new.get(name), config, histograms) for name in names]
    results = tuple(_judge(feature, config) for feature in _adjusted(measured))
    result = _overall(results, config)
    if not config.classifier:
        return result
    return _with_classifier(result, _rows_of_both(baseline, current, samples), config)


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
    ignored = frozenset(config.ignore)
    compared = [name for name in names if name not in ignored]
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


def _given(
    side: Side | None, config: DriftConfig, count: bool
) -> tuple[Side | None, int | None, list[str] | None]:
    """A side without ignored columns, its number of rows, and the names of all columns if known."""
    ignored = frozenset(config.ignore)
    if side is None:
        return None, None, None
    if isinstance(side, Mapping):
        # Not all of its summaries need be in memory at once.
        rows = max((summary.n for summary in side.values()), default=0) if count else None
        if not ignored.isdisjoint(side):
            side = {name: side[name] for name in side if name not in ignored}
        return side, rows, None
    if isinstance(side, (pa.Table, pa.RecordBatch)):
        names = side.schema.names
        places = [i for i, name in enumerate(names) if name not in ignored]
        columns, kept_names = [side.column(i) for i in places], [names[i] for i in places]
        return pa.Table.from_arrays(columns, names=kept_names), side.num_rows, names
    if not hasattr(side, "columns"):
        return table_of(side), None, None  # Refuses it.
    left = side[[name for name in side.columns if name not in ignored]]
    return table_of(left), len(side), [str(name) for name in side.columns]


def _summaries(side: Side, config: DriftConfig) -> Mapping[str, Distribution]:
    return side if isinstance(side, Mapping) else summarize(side, config.categorical)


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
    growing = {feature.name for feature in result.features if feature.is_set_aside}
    left = [[x for x in side.schema.names if x not in growing] for side in rows]
    if growing and not any(left):
        return result
    before, after = (side.select(names) for side, names in zip(rows, left))
    test = classifier_two_sample(before, after, config)
    reason: why.Reason
    if test.verdict is DRIFT:
        reason = why.ClassifierBeyondLimit(test.auc, test.ci_low, test.ci_high, test.threshold)
    elif test.verdict is INCONCLUSIVE and result.verdict is not DRIFT:
        reason = why.ClassifierUndecided(test.ci_low, test.ci_high, test.threshold)
    else:
        return dataclasses.replace(result, multivariate=test)
    # Reasons of a verdict that the classifier overrules are none any more.
    kept = result.reasons if result.verdict is test.verdict else ()
    return dataclasses.replace(
        result, verdict=test.verdict, reasons=(*kept, reason), multivariate=test
    )


def _kind(summary: Distribution) -> str:
    if summary.n == summary.missing:
        return "unknown"
    return "numeric" if is_numeric(summary) else "categorical"


def _feature(
    name: str,
    kind: str,
    old: Distribution | None,
    new: Distribution | None,
    verdict: Verdict,
    *reasons: why.Reason,
    drawn: tuple[Distribution, Distribution] | None = None,
    histograms: bool,
) -> FeatureResult:
    """A feature as far as it is known without metrics; `drawn` has common numbers."""
    return FeatureResult(
        name,
        kind,
        verdict,
        reasons,
        n_baseline=None if old is None else old.n,
        n_current=None if new is None else new.n,
        baseline=None if old is None else statistics(old),
        current=None if new is None else statistics(new),
        histogram=histogram(*(drawn or (old, new))) if histograms else None,
        time=_time(old, new),
    )


def _measure(
    name: str,
    old: Distribution | None,
    new: Distribution | None,
    config: DriftConfig,
    histograms: bool,
) -> FeatureResult:
    """A feature with its metrics, which are not judged yet."""
    known = functools.partial(_feature, histograms=histograms)
    if old is None:
        assert new is not None
        return known(name, _kind(new), old, new, WARN, why.ColumnNew())
    if new is None:
        return known(name, _kind(old), old, new, DRIFT, why.ColumnGone())
    old = without_values(old, like=new)
    new = without_values(new, like=old)
    if is_numeric(old) is not is_numeric(new):
        changed = why.KindChanged(_kind(old), _kind(new))
        return known(name, _kind(new), old, new, DRIFT, changed)
    given = old, new
    old, new = drawn = on_common_numbers(old, new)
    kind = _kind(old) if _kind(old) != "unknown" else _kind(new)
    if min(old.n, new.n) < config.min_count:
        few = why.TooFewValues(old.n, new.n, config.min_count)
        return known(name, kind, *given, INCONCLUSIVE, few, drawn=drawn)
    pair: NumericPair | CategoricalPair
    if is_numeric(old) and is_numeric(new):
        pair = NumericPair(old, new)
    else:
        pair = CategoricalPair(
            cast(CategoricalDistribution, old), cast(CategoricalDistribution, new)
        )
    metrics = _metrics(name, pair, needs_values=False)
    present = old.n - absent(old), new.n - absent(new)
    unknown: tuple[Verdict, why.Reason] | tuple[Verdict] = (OK,)
    if max(old.error, new.error) >= 1:
        unknown = INCONCLUSIVE, why.OnlyCounted()
    elif min(present) >= config.min_count:
        metrics.update(_metrics(name, pair, needs_values=True))
    elif max(present) > 0:
        unknown = INCONCLUSIVE, why.TooFewPresent(*present, config.min_count)
    feature = known(name, kind, *given, *unknown, drawn=drawn)
    feature = dataclasses.replace(feature, growth=_growth(feature, *given, config))
    for metric, value in metrics.items():
        is_judged = not _is_set_aside(feature, metric)
        limits = config.threshold(name, metric) if is_judged else Threshold(None)
        metrics[metric] = dataclasses.replace(value, threshold=limits.fail, warn=limits.warn)
    return dataclasses.replace(feature, metrics=metrics)


def _growth(
    feature: FeatureResult, old: Distribution, new: Distribution, config: DriftConfig
) -> Growth | None:
    """Whether a feature only grows; its metrics are judged nevertheless if the config names it."""
    if not (is_numeric(old) and is_numeric(new)):
        return None
    certain = grows(old, new, feature.time)
    if certain is None:
        return None
    named = feature.name in {*config.critical, *config.features, *config.importances}
    return Growth(certain, named or not certain)


def _time(old: Distribution | None, new: Distribution | None) -> str | None:
    """The kind of times in a feature, by the types of its sides, else by their values."""
    sides = [side for side in (old, new) if side is not None and is_numeric(side)]
    known = [
        side.precision.with_time_shown_by(side.steps().points)
        for side in sides
        if side.n > absent(side)
    ]
    if not known or not all(precision.time for precision in known):
        return next((precision.time for precision in known if precision.unit), None)
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


def _adjusted(measured: list[FeatureResult]) -> list[FeatureResult]:
    """Adjusts the p-values of all metrics of all features together."""
    judged = [
        (i, name)
        for i, feature in enumerate(measured)
        for name in feature.metrics
        if not _is_set_aside(feature, name)
    ]
    p_values = [measured[i].metrics[name].p_value for i, name in judged]
    metrics = [dict(feature.metrics) for feature in measured]
    for (i, name), q_value in zip(judged, benjamini_hochberg(p_values).tolist()):
        metrics[i][name] = dataclasses.replace(metrics[i][name], q_value=q_value)
    return [dataclasses.replace(x, metrics=own) for x, own in zip(measured, metrics)]


def _is_set_aside(feature: FeatureResult, metric: str) -> bool:
    """Whether a metric is neither judged nor adjusted for, since the column only grows."""
    return feature.is_set_aside and registered_metrics()[metric].of_values


def _judge(feature: FeatureResult, config: DriftConfig) -> FeatureResult:
    reasons = {feature.verdict: [*feature.reasons]}
    metrics = {}
    for name, metric in feature.metrics.items():
        verdict = _metric_verdict(metric, config.q)
        metrics[name] = dataclasses.replace(metric, verdict=verdict)
        if verdict is not OK:
            reasons.setdefault(verdict, []).append(why.reason_of(name, metrics[name]))
    decided = next((verdict for verdict in (DRIFT, INCONCLUSIVE, WARN) if verdict in reasons), OK)
    return dataclasses.replace(
        feature, verdict=decided, reasons=tuple(reasons.get(decided, ())), metrics=metrics
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


def _overall(features: tuple[FeatureResult, ...], config: DriftConfig) -> DriftResult:
    drifted = [feature for feature in features if feature.verdict is DRIFT]
    unclear = [feature for feature in features if feature.verdict is INCONCLUSIVE]
    warned = sum(feature.verdict is WARN for feature in features)
    compared = len(features)
    share = len(drifted) / compared
    aggregate = _aggregate(features, config)
    verdict = DRIFT
    reasons: list[why.Reason] = [why.CriticalDrifted(x) for x in _critical(drifted, config)]
    if drifted and share >= config.share:
        reasons.append(why.ShareReached(len(drifted), compared, config.share))
    if aggregate is not None and aggregate >= config.aggregate:
        reasons.append(why.AggregateReached(aggregate, config.aggregate))
    if not reasons:
        verdict = INCONCLUSIVE
        reasons = [why.CriticalUnjudged(name) for name in _critical(unclear, config)]
        if unclear and (len(drifted) + len(unclear)) / compared >= config.share:
            reasons.append(why.ShareUnjudged(len(unclear), compared, config.share))
    if not reasons:
        verdict = WARN if drifted or warned else OK
        if verdict is WARN:
            reasons = [why.FeaturesChanged(len(drifted), warned, compared)]
    return DriftResult(verdict, tuple(reasons), share, aggregate, features, config=config)


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
