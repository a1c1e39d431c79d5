"""The registry of drift metrics: the library's own, and those of other packages."""

from __future__ import annotations

import dataclasses
import functools
import math
import numbers
import re
import types
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from tfx_wine_ext.drift.metric import Metric
from tfx_wine_ext.drift.threshold import Threshold
from tfx_wine_ext.entry_points import load_entry_points
from tfx_wine_ext.errors import TfxWineExtError

# The entry points by which a package adds metrics: each names a module that registers them.
GROUP = "tfx_wine_ext.drift_metrics"
NUMERIC, CATEGORICAL = "numeric", "categorical"
# A share is shown in percent; a value with no unit or another one is shown as a number.
SHARE = "share"

Measure = TypeVar("Measure", bound=Callable[..., "Metric | None"])
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class DriftMetricError(TfxWineExtError, ValueError):
    """A metric cannot be registered, loaded or measured.

    Attributes:
        metric: The name of the metric or of the entry point.
    """

    def __init__(self, metric: str, expected: str, found: str) -> None:
        super().__init__(found, path=f"drift metric {metric!r}", expected=expected)
        self.metric = metric


@dataclasses.dataclass(frozen=True)
class DriftMetric:
    """Everything that is known about a metric; `register_metric` creates it.

    Args:
        name: What configurations and documents call it.
        kinds: The kinds of columns it measures: ``numeric``, ``categorical``, or both.
        measure: Takes a `NumericPair` or a `CategoricalPair`; returns a `Metric`, or None if it is
            not defined for the pair.
        threshold: The values from which on it fails and warns, unless the configuration sets
            others.
        label: What people call it.
        meaning: What its value is.
        sees: What raises it.
        misses: What it does not see.
        source: Where the formula or the threshold comes from.
        unit: Unit of the value: ``share`` or another one; "" if it has none.
        needs_values: Whether it is measured only if both sides have `DriftConfig.min_count` values
            that are not missing.
        of_values: Whether it compares the values themselves. It is then not judged for a column
            that certainly only grows, see `tfx_wine_ext.drift.growth`.
    """

    name: str
    kinds: frozenset[str]
    measure: Callable[[Any], Metric | None]
    threshold: Threshold
    label: str
    meaning: str
    sees: str
    misses: str
    source: str
    unit: str = ""
    needs_values: bool = True
    of_values: bool = True

    def of(self, feature: str, pair: Any) -> Metric | None:
        """Measures a feature.

        Args:
            feature: The name of the feature.
            pair: The feature's `NumericPair` or `CategoricalPair`.

        Raises:
            DriftMetricError: The function raises, or returns neither a `Metric` of finite numbers
                nor None.
        """
        expected = f"the function to measure {feature!r}"
        try:
            measured = self.measure(pair)
        except (Exception, SystemExit) as error:  # Its status could mean no drift.
            said = f"{type(error).__name__}: {error}"
            raise DriftMetricError(self.name, expected, said) from error
        if measured is None:
            return None
        if not isinstance(measured, Metric):
            expected += " as a Metric or as None"
            raise DriftMetricError(self.name, expected, type(measured).__name__)
        of_metric = measured.value, measured.error, measured.noise_floor, measured.p_value
        value, deviation, floor, p_value = map(_number, of_metric)
        if (
            value is None or deviation is None or floor is None or p_value is None
            or min(value, deviation, floor, p_value) < 0
        ):  # fmt: skip
            raise DriftMetricError(self.name, f"{expected} in finite numbers >= 0", repr(measured))
        if p_value > 1:
            expected += " with a p-value of at most 1"
            raise DriftMetricError(self.name, expected, repr(p_value))
        details = {}
        given = (
            measured.details if isinstance(measured.details, Mapping) else {None: measured.details}
        )
        for name, each in given.items():
            number = _number(each)
            if number is None or not isinstance(name, str):
                expected += " with details that are finite numbers by name"
                raise DriftMetricError(self.name, expected, repr(measured.details))
            details[name] = number
        return Metric(value, deviation, floor, p_value, details=details)


def _number(given: Any) -> float | None:
    """Returns a finite number of Python or numpy, and None for anything else."""
    if type(given) is float:  # As a rule, and isinstance of an abstract class takes its time.
        return given if math.isfinite(given) else None
    if isinstance(given, bool) or not isinstance(given, numbers.Real):
        return None
    try:
        number = given if isinstance(given, (int, float)) else float(given)
        return number if math.isfinite(number) else None
    except OverflowError:
        return None


_REGISTERED: dict[str, DriftMetric] = {}


def register_metric(
    name: str,
    *,
    kinds: Collection[str],
    label: str,
    meaning: str,
    sees: str,
    misses: str,
    source: str,
    fail: float | None = None,
    warn: float | None = None,
    unit: str = "",
    needs_values: bool = True,
    of_values: bool = True,
) -> Callable[[Measure], Measure]:
    """Decorator: registers a function that measures a pair of columns as a metric of drift.

    `compare`, DriftReport and the command line then measure the metric, and judge it like the
    library's own: it fails if its value less its error reaches the threshold and exceeds the noise
    floor, and its p-value is still significant after the adjustment for all metrics of all
    features. A metric that leaves `p_value` at 1 is therefore only shown.

    A package provides its metrics by an entry point of the group ``tfx_wine_ext.drift_metrics``
    that names the module, so that every process that compares data has them.

    Args:
        name: What configurations and documents call it: lower case, digits, underscores.
        kinds: The kinds of columns it measures: ``numeric`` (the function takes a `NumericPair`),
            ``categorical`` (a `CategoricalPair`), or both.
        label: What people call it.
        meaning: What its value is, as a sentence.
        sees: What raises it.
        misses: What it does not see.
        source: Where the formula or the threshold comes from.
        fail: Value from which on it means drift. Default: None, it is shown and never fails.
        warn: Value from which on it warns. Default: None, it never warns.
        unit: Unit of the value: ``share`` for a value that is shown in percent. Default: "", no
            unit.
        needs_values: Whether it is measured only if both sides have enough values that are not
            missing. If False, it is measured if both sides have enough rows. Default: True.
        of_values: Whether it compares the values themselves, so that it means nothing for ids and
            dates that only grow. False for the share of missing values, for instance. Default:
            True.

    Returns:
        The decorator, which returns the function unchanged.

    Raises:
        DriftMetricError: The name is taken or malformed, or a kind is unknown.
        ValueError: A level is negative or not finite, or `warn` is above `fail`.

    Example:
        >>> @register_metric(
        ...     "mean_ratio", kinds=["numeric"], label="Ratio of the means",
        ...     meaning="The larger mean divided by the smaller one, less 1.",
        ...     sees="changes of scale.", misses="changes of shape.", source="ours",
        ... )
        ... def mean_ratio(pair):
        ...     means = [abs(side.moments().mean) for side in (pair.reference, pair.current)]
        ...     return Metric(max(means) / min(means) - 1) if min(means) else None
        >>> import pyarrow as pa
        >>> from tfx_wine_ext.drift import compare
        >>> result = compare(pa.table({"x": range(1, 101)}), pa.table({"x": range(2, 201, 2)}))
        >>> result.features[0].metrics["mean_ratio"].value
        1.0
        >>> unregister_metric("mean_ratio")
    """
    if not _NAME.fullmatch(name):
        expected = "a name of lower-case letters, digits and underscores, at most 40"
        raise DriftMetricError(name, expected, repr(name))
    unknown = sorted({*kinds} - {NUMERIC, CATEGORICAL})
    if unknown or not kinds:
        raise DriftMetricError(name, f"kinds among {NUMERIC} and {CATEGORICAL}", repr([*kinds]))
    threshold = Threshold(fail, warn)

    def register(measure: Measure) -> Measure:
        if name in _REGISTERED:
            taken = _REGISTERED[name].measure
            is_named = hasattr(taken, "__qualname__")
            by = f"{taken.__module__}.{taken.__qualname__}" if is_named else repr(taken)
            raise DriftMetricError(name, "a name that is not taken", f"that of {by}")
        _REGISTERED[name] = DriftMetric(
            name,
            frozenset(kinds),
            measure,
            threshold,
            label,
            meaning,
            sees,
            misses,
            source,
            unit,
            needs_values,
            of_values,
        )
        return measure

    return register


def unregister_metric(name: str) -> None:
    """Removes a metric, so that a notebook cell that registers it can be run again.

    Args:
        name: The name of the metric.

    Raises:
        KeyError: There is no such metric.
    """
    del _REGISTERED[name]


def registered_metrics() -> Mapping[str, DriftMetric]:
    """Returns all metrics by name: the library's, then others in the order of registration.

    Raises:
        DriftMetricError: A package's entry point cannot be loaded.

    Example:
        >>> [*registered_metrics()][:4]
        ['psi', 'js', 'ks', 'wasserstein']
    """
    _load_entry_points()
    return types.MappingProxyType(_REGISTERED)


@functools.lru_cache(maxsize=1)
def _load_entry_points() -> None:
    load_entry_points(GROUP, _REGISTERED, DriftMetricError)
