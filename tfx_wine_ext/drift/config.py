"""What counts as drift: thresholds, per metric and per feature, in Python, JSON or YAML."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from tfx_wine_ext.drift.config_file import read_settings
from tfx_wine_ext.drift.metrics import registered_metrics
from tfx_wine_ext.drift.threshold import Threshold, check_number, shown
from tfx_wine_ext.suggestions import hint

# `Threshold` is importable from here as well, where it was first.
__all__ = ["DEFAULT_THRESHOLDS", "DriftConfig", "Threshold"]

# What every program that reads the report as JSON can hold.
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
"""From which value on each metric fails and warns, where a `DriftConfig` says nothing else.

It has all registered metrics, also those that are registered later. Where the values come from, and
what each metric sees: docs/drift-metrics.md.
"""


@dataclasses.dataclass(frozen=True)
class DriftConfig:
    """How `compare` judges.

    Args:
        thresholds: By metric name; metrics that are not named keep their defaults. A number
            instead of a `Threshold` is the level of failure alone.
        features: By feature name, thresholds that differ for this feature.
        critical: Features of which a single one that drifts means that the data drifted.
        importances: Weight of features in the aggregated drift; without any there is none.
        ignore: Features that are not compared, such as keys and times.
        categorical: Features whose numbers are codes, to be compared as categories.
        q: Share of false alarms among the metrics called significant, 0.05 (Benjamini-Hochberg).
        share: Share of drifted features from which on the data drifted, 0.5 (as Evidently).
        aggregate: Aggregated drift from which on the data drifted, 0.2 (ours).
        min_count: With fewer values on a side, distributions are not judged; 20, where the
            approximations behind the p-values begin to hold.
        classifier: Also run the classifier two-sample test, which sees changes of how columns go
            together; False, as it takes seconds where the rest takes milliseconds.
        classifier_auc: Its area under the ROC curve from which on the data drifted, 0.6 (ours): as
            much as one normal column can tell that moved by 0.36 standard deviations, or two
            whose correlation went from 0 to 0.4.
        classifier_rows: Rows of each side that it uses at most, 10,000: the area is then known to
            about 0.012.

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
        set_field = object.__setattr__  # The only way in a frozen dataclass.
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
        """The threshold in force: the feature's own, or the metric's, or the default.

        Raises:
            KeyError: There is no such metric.
        """
        for table in (self.features.get(feature, {}), self.thresholds):
            found = table.get(metric)
            if isinstance(found, Threshold):
                return found
        return DEFAULT_THRESHOLDS[metric]

    def to_dict(self) -> dict[str, Any]:
        """Everything, defaults too, as a JSON object that `from_dict` takes.

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
        """Reads what `to_dict` writes; what is left out keeps its default.

        Raises:
            ValueError: A key is unknown, or a value is out of its range.
            TypeError: A value is of the wrong type.
        """
        _mapping(data, "the drift config")
        _known(data, [field.name for field in dataclasses.fields(cls)], "the drift config")
        return cls(**data)

    @classmethod
    def from_file(cls, path: str | pathlib.Path) -> DriftConfig:
        """Reads a file: JSON if it is called ``.json``, YAML (with PyYAML) if ``.yaml``, ``.yml``.

        Raises:
            ValueError: The name ends otherwise, the file is no regular file, is too large, nested
                too deep or cannot be parsed, or a key or value is wrong. The message names the
                file.
            TypeError: A value is of the wrong type.
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
