"""What counts as drift: thresholds, per metric and per feature, in Python, JSON or YAML."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from tfx_wine_ext.drift.metrics import registered_metrics
from tfx_wine_ext.drift.threshold import Threshold, check_number, shown
from tfx_wine_ext.settings import read_settings
from tfx_wine_ext.suggestions import hint

# `Threshold` remains importable from here, where it was defined at first.
__all__ = ["DEFAULT_THRESHOLDS", "DriftConfig", "Threshold"]

# The largest integer that every JSON reader can hold exactly.
_MOST_ROWS = 2**53


class _Defaults(Mapping[str, Threshold]):
    """The threshold of each registered metric."""

    def __getitem__(self, metric: str) -> Threshold:
        return registered_metrics()[metric].threshold

    def __iter__(self) -> Iterator[str]:
        return iter(registered_metrics())

    def __len__(self) -> int:
        return len(registered_metrics())

    def __repr__(self) -> str:
        return repr(dict(self))


DEFAULT_THRESHOLDS: Mapping[str, Threshold] = _Defaults()
"""The values from which on each metric fails and warns, unless a `DriftConfig` sets others.

It contains all registered metrics, including those that are registered later. docs/drift-metrics.md
says where the values come from and what each metric sees.
"""


@dataclasses.dataclass(frozen=True)
class DriftConfig:
    """How `compare` judges.

    Args:
        thresholds: Thresholds by metric name; other metrics keep their defaults. A number instead
            of a `Threshold` sets only the level of failure.
        features: Thresholds for single features, by feature name.
        critical: Critical features: if one of them drifts, the data drifted.
        importances: Weights of features in the aggregated drift. Without weights there is no
            aggregated drift.
        ignore: Features that are not compared, such as keys and times.
        categorical: Features whose numbers are codes, to be compared as categories.
        q: Share of false alarms among the significant metrics. Default: 0.05 (Benjamini-Hochberg).
        share: Share of drifted features from which on the data drifted. Default: 0.5 (as in
            Evidently).
        aggregate: Aggregated drift from which on the data drifted. Default: 0.2 (our choice).
        min_count: With fewer values on a side, distributions are not judged. Default: 20, where the
            approximations behind the p-values begin to hold.
        classifier: Also run the classifier two-sample test, which sees changes in the relations
            between columns. Default: False, since it takes seconds and the rest takes milliseconds.
        classifier_auc: The classifier's area under the ROC curve from which on the data drifted.
            Default: 0.6 (our choice), as for one normal column that moved by 0.36 standard
            deviations, or two whose correlation went from 0 to 0.4.
        classifier_rows: The most rows of each side that the classifier uses. Default: 10,000, with
            which the area is known to about 0.012.

    Raises:
        ValueError: A metric is unknown, or a number is out of its range.
        TypeError: An argument is of the wrong type.

    Example:
        >>> config = DriftConfig(thresholds={"ks": 0.2}, features={"pH": {"psi": Threshold(0.5)}})
        >>> config.threshold("pH", "psi").fail, config.threshold("pH", "ks").fail
        (0.5, 0.2)
        >>> DriftConfig.from_dict({"treshold": {}})
        Traceback (most recent call last):
        ...
        ValueError: unknown key 'treshold' in the drift config: expected one of aggregate, \
categorical, classifier, classifier_auc, classifier_rows, critical, features, ignore, importances, \
min_count, q, share, thresholds; did you mean 'thresholds'?
    """

    thresholds: Mapping[str, Threshold | float] = dataclasses.field(default_factory=dict)
    features: Mapping[str, Mapping[str, Threshold | float]] = dataclasses.field(
        default_factory=dict
    )
    critical: tuple[str, ...] = ()
    importances: Mapping[str, float] = dataclasses.field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    q: float = 0.05
    share: float = 0.5
    aggregate: float = 0.2
    min_count: int = 20
    classifier: bool = False
    classifier_auc: float = 0.6
    classifier_rows: int = 10_000

    def __post_init__(self) -> None:
        set_field = object.__setattr__  # A frozen dataclass allows no other way.
        set_field(self, "thresholds", _thresholds(self.thresholds, "thresholds"))
        _mapping(self.features, "features")
        own = {name: _thresholds(x, f"features[{name!r}]") for name, x in self.features.items()}
        set_field(self, "features", own)
        for name in ("critical", "ignore", "categorical"):
            set_field(self, name, _names(getattr(self, name), name))
        _mapping(self.importances, "importances")
        for feature, weight in self.importances.items():
            check_number(weight, f"importances[{feature!r}]")
            if weight < 0:
                raise ValueError(f"importances[{feature!r}] must be >= 0, found {shown(weight)}")
        for name in ("q", "share", "aggregate", "classifier_auc"):
            value = getattr(self, name)
            check_number(value, name)
            if not 0 < value <= 1:
                raise ValueError(f"{name} must be above 0 and at most 1, found {shown(value)}")
        for name in ("min_count", "classifier_rows"):
            count = getattr(self, name)
            if not isinstance(count, int) or isinstance(count, bool):
                raise TypeError(f"{name} must be an int, found {shown(count)}")
            if not 1 <= count <= _MOST_ROWS:
                raise ValueError(f"{name} must be from 1 to 2**53, found {shown(count)}")
        if not isinstance(self.classifier, bool):
            raise TypeError(f"classifier must be true or false, found {self.classifier!r}")

    def threshold(self, feature: str, metric: str) -> Threshold:
        """The threshold in force: the feature's, else the metric's, else the default.

        Raises:
            KeyError: There is no such metric.
        """
        for table in (self.features.get(feature, {}), self.thresholds):
            level = table.get(metric)
            if isinstance(level, Threshold):
                return level
        return DEFAULT_THRESHOLDS[metric]

    def to_dict(self) -> dict[str, Any]:
        """Everything, including defaults, as a JSON object that `from_dict` takes.

        Example:
            >>> DriftConfig.from_dict(DriftConfig(critical=("pH",)).to_dict()).critical
            ('pH',)
        """
        every = {name: self.threshold("", name) for name in DEFAULT_THRESHOLDS}
        return {
            "thresholds": {name: dataclasses.asdict(level) for name, level in every.items()},
            "features": {
                feature: {
                    name: dataclasses.asdict(self.threshold(feature, name)) for name in levels
                }
                for feature, levels in self.features.items()
            },
            "critical": list(self.critical),
            "importances": dict(self.importances),
            "ignore": list(self.ignore),
            "categorical": list(self.categorical),
            "q": self.q,
            "share": self.share,
            "aggregate": self.aggregate,
            "min_count": self.min_count,
            "classifier": self.classifier,
            "classifier_auc": self.classifier_auc,
            "classifier_rows": self.classifier_rows,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DriftConfig:
        """Reads what `to_dict` writes; missing keys keep their defaults.

        Raises:
            ValueError: A key is unknown, or a value is out of its range.
            TypeError: A value has the wrong type.
        """
        _mapping(data, "the drift config")
        _known(data, [field.name for field in dataclasses.fields(cls)], "the drift config")
        return cls(**data)

    @classmethod
    def from_file(cls, path: str | pathlib.Path) -> DriftConfig:
        """Reads a file: JSON if it is called ``.json``, YAML (with PyYAML) if ``.yaml``, ``.yml``.

        Raises:
            ValueError: The name has another ending, the file is no regular file, is too large, is
                nested too deeply or cannot be parsed, or a key or value is wrong. The message names
                the file.
            TypeError: A value has the wrong type.
            OSError: The file cannot be read.
        """
        settings = read_settings(path)
        try:
            return cls.from_dict(settings)
        except (ValueError, TypeError) as error:
            raise type(error)(f"{path}: {error}") from error


def _thresholds(data: Any, where: str) -> dict[str, Threshold]:
    _mapping(data, where)
    _known(data, DEFAULT_THRESHOLDS, where, "metric")
    return {name: _threshold(level, f"{where}[{name!r}]") for name, level in data.items()}


def _threshold(level: Any, where: str) -> Threshold:
    if isinstance(level, Threshold):
        return level
    try:
        if isinstance(level, Mapping):
            _known(level, ("fail", "warn"), where)
            return Threshold(**level)
        check_number(level, "the threshold")
        return Threshold(float(level))
    except (ValueError, TypeError) as error:
        raise type(error)(f"{where}: {error}") from None


def _known(data: Mapping[str, Any], known: Any, where: str, what: str = "key") -> None:
    for key in data:
        if key not in known:
            raise ValueError(
                f"unknown {what} {shown(key)} in {where}: expected one of "
                f"{', '.join(sorted(known))}{hint(str(key), sorted(known))}"
            )


def _mapping(data: Any, where: str) -> None:
    if not isinstance(data, Mapping):
        raise TypeError(f"{where} must be a mapping, found {shown(data)}")
    for name in data:
        if not isinstance(name, str):
            raise TypeError(f"{where} must have names as keys, found {shown(name)}: quote it")


def _names(data: Any, where: str) -> tuple[str, ...]:
    if not isinstance(data, (list, tuple)) or not all(isinstance(name, str) for name in data):
        raise TypeError(f"{where} must be a list of feature names, found {shown(data)}")
    return tuple(data)
