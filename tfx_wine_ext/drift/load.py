"""Loads a stored report of a comparison, which may be any file that claims to be one, into types.

docs/drift-report.schema.json describes the documents as they are written. Documents of earlier
releases, which have fewer keys, are loaded, too; unknown keys are passed over.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

from tfx_wine_ext.documents import (
    Check,
    DocumentError,
    Problem,
    anything,
    boolean,
    checked,
    described,
    list_of,
    mapping_of,
    number,
    one_of,
    optional,
    record,
    text,
    whole_number,
)
from tfx_wine_ext.drift.document import (
    FORMAT_VERSION,
    METHODS,
    DataSource,
    DriftDocument,
    LostSource,
    is_time,
)
from tfx_wine_ext.drift.growth import Growth
from tfx_wine_ext.drift.metric import Metric, Verdict
from tfx_wine_ext.drift.ranking import WORST_FIRST, limit_of
from tfx_wine_ext.drift.reasons import Reason, Stated, reason_check, reason_from, reason_of
from tfx_wine_ext.drift.result import ClassifierResult, FeatureResult

_VERDICT = one_of(*WORST_FIRST)
# The kinds of times of a column, all in microseconds.
TIME = one_of("date", "timestamp", "time", "duration")


def positive(value: Any) -> Problem | None:
    """Checks for a finite number that is not negative."""
    return number(value) or (None if value >= 0 else ((), "a number of at least 0", value))


def _share(value: Any) -> Problem | None:
    """Checks for a number from 0 to 1."""
    return number(value) or (None if 0 <= value <= 1 else ((), "a number from 0 to 1", value))


def moment(value: Any) -> Problem | None:
    """Checks for an ISO 8601 time with an offset from UTC."""
    return None if is_time(value) else ((), "an ISO 8601 time with an offset from UTC", value)


def _histogram(value: Any) -> Problem | None:
    """Checks for one of the two kinds of histograms, and that its lists have the same length."""
    problem = _HISTOGRAM_KIND(value)
    if problem:
        return problem
    is_numeric = value["kind"] == "numeric"
    problem = (_NUMERIC if is_numeric else _CATEGORICAL)(value)
    if problem:
        return problem
    length = len(value["edges"]) - 1 if is_numeric else len(value["values"])
    if is_numeric and (length < 1 or list(value["edges"]) != sorted(value["edges"])):
        return ("edges",), "two ascending numbers at least", value["edges"]
    beside = ("below", "above") if is_numeric else ("other",)
    for place, side in enumerate(("baseline", "current")):
        problem = optional(list_of(positive, length))(value[side])
        if problem:
            return (side, *problem[0]), problem[1], problem[2]
        if value[side] is not None:
            for name in beside:
                problem = positive(value[name][place])
                if problem:
                    return (name, place, *problem[0]), problem[1], problem[2]
    return None


_PAIR = list_of(optional(positive), 2)
_COUNTS = optional(list_of(positive))
_HISTOGRAM_KIND = record({"kind": one_of("numeric", "categorical")})
_NUMERIC = record(
    {
        "edges": list_of(number),
        "baseline": _COUNTS,
        "current": _COUNTS,
        "below": _PAIR,
        "above": _PAIR,
        "integers": boolean,
    }
)
_CATEGORICAL = record(
    {"values": list_of(text), "baseline": _COUNTS, "current": _COUNTS, "other": _PAIR},
    {"unlisted": whole_number},
)
_QUARTILES = ("min", "p25", "median", "p75", "max")
_STATISTICS_FIELDS = record(
    dict.fromkeys(("n", "missing"), positive),
    {
        **dict.fromkeys(("distinct", "nan", "negative_infinity", "positive_infinity"), positive),
        **dict.fromkeys((*_QUARTILES, "mean", "std"), optional(number)),
        "distinct_is_estimate": boolean,
    },
)
_NUMBERS = record(dict.fromkeys(_QUARTILES, number))


def _statistics(value: Any) -> Problem | None:
    """Checks the statistics of a side: numbers have all quartiles, or none without values."""
    problem = _STATISTICS_FIELDS(value)
    if problem or all(value.get(name) is None for name in _QUARTILES):
        return problem
    return _NUMBERS(value)


_METRIC = record(
    {
        "value": number,
        "error": positive,
        "noise_floor": number,
        "threshold": optional(positive),
        "warn": optional(positive),
        "q_value": optional(number),
        "verdict": optional(_VERDICT),
    },
    {"p_value": optional(number), "details": mapping_of(optional(number))},
)
_SOURCE = record(
    {
        "name": text,
        "rows": positive,
        **dict.fromkeys(("uri", "split"), optional(text)),
        "created": optional(moment),
        **dict.fromkeys(("span", "version"), optional(whole_number)),
    },
    {"span_date": optional(text)},
)
_LEVELS = mapping_of(record({"fail": optional(positive), "warn": optional(positive)}))
_KNOWN_SETTINGS = record(
    {},
    {
        "thresholds": _LEVELS,
        "features": mapping_of(_LEVELS),
        **dict.fromkeys(("share", "aggregate", "q"), number),
        "min_count": whole_number,
    },
)


def _config(value: Any) -> Problem | None:
    """Checks the settings that a page explains; the page shows other settings unchanged."""
    return mapping_of(anything)(value) or _KNOWN_SETTINGS(value)


_LOST = record(
    {
        **dict.fromkeys(("name", "uri", "split", "path", "found", "reason"), text),
        "span": optional(whole_number),
    }
)
_IMPORTANCE = record({"name": text, "value": number})


def _with_reasons(check: Check) -> Check:
    """Checks an object, and that its facts, if it has any, are those of its sentences."""

    def run(value: Any) -> Problem | None:
        problem = check(value)
        if problem or "reason_facts" not in value:
            return problem
        facts = list_of(reason_check, len(value.get("reasons", ())))
        return record({"reason_facts": facts})(value)

    return run


_DOCUMENT = _with_reasons(
    record(
        {
            "verdict": _VERDICT,
            "reasons": list_of(text),
            "share_drifted": _share,
            "aggregate": optional(number),
            "method": one_of(*METHODS),
            "created": text,
            "baseline": optional(_SOURCE),
            "current": _SOURCE,
            "multivariate": optional(
                record(
                    {
                        **dict.fromkeys(
                            ("auc", "ci_low", "ci_high", "threshold", "p_value"), number
                        ),
                        **dict.fromkeys(("n_baseline", "n_current"), positive),
                        "verdict": _VERDICT,
                        "importances": list_of(_IMPORTANCE),
                    },
                    {"confidence": number},
                )
            ),
            "features": list_of(
                _with_reasons(
                    record(
                        {
                            "name": text,
                            "kind": one_of("numeric", "categorical", "unknown"),
                            "verdict": _VERDICT,
                            "metrics": mapping_of(_METRIC),
                            "baseline": optional(_statistics),
                            "current": optional(_statistics),
                            "histogram": optional(_histogram),
                        },
                        {
                            "reasons": list_of(text),
                            "n_baseline": optional(positive),
                            "n_current": optional(positive),
                            "time": optional(TIME),
                            "growth": optional(record({"certain": boolean, "judged": boolean})),
                        },
                    )
                )
            ),
            "config": _config,
        },
        {
            "lost_baseline": optional(_LOST),
            "reason_kinds": list_of(text),
        },
    )
)


def load_document(value: Any, path: str = "document") -> DriftDocument:
    """Checks a document and loads it.

    Args:
        value: The JSON object, as `report_document` made it or `json.loads` read it; or a loaded
            document, which is returned.
        path: Name of the document in errors.

    Raises:
        DocumentError: The value is no report, is of another format version, or has an unexpected
            value; the message says where.

    Example:
        >>> load_document({"format_version": 7})
        Traceback (most recent call last):
        ...
        tfx_wine_ext.documents.DocumentError: document: format_version: expected 1, found 7; use \
the version of tfx-wine-ext that wrote it, or compare again
    """
    if isinstance(value, DriftDocument):
        return value
    version = value.get("format_version") if isinstance(value, Mapping) else FORMAT_VERSION
    if version != FORMAT_VERSION:
        remedy = "use the version of tfx-wine-ext that wrote it, or compare again"
        raise DocumentError(path, "format_version", str(FORMAT_VERSION), described(version), remedy)
    checked(value, _DOCUMENT, path)
    test, before, lost = value["multivariate"], value["baseline"], value.get("lost_baseline")
    return DriftDocument(
        Verdict(value["verdict"]),
        _reasons(value),
        value["share_drifted"],
        value["aggregate"],
        tuple(_feature(feature) for feature in value["features"]),
        None if test is None else _classifier(test),
        config=value["config"],
        method=value["method"],
        created=value["created"],
        baseline=before and DataSource(**_known(DataSource, before)),
        current=DataSource(**_known(DataSource, value["current"])),
        lost=None if lost is None else LostSource(**_known(LostSource, lost)),
    )


def _known(cls: Any, value: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a dataclass's fields; a field may be missing in earlier releases."""
    names = [field.name for field in dataclasses.fields(cls)]
    return {name: value[name] for name in names if name in value}


def _classifier(test: Mapping[str, Any]) -> ClassifierResult:
    importances = tuple((column["name"], column["value"]) for column in test["importances"])
    known = _known(ClassifierResult, test)
    return ClassifierResult(
        **{**known, "verdict": Verdict(test["verdict"]), "importances": importances}
    )


def _feature(feature: Mapping[str, Any]) -> FeatureResult:
    metrics = {name: _metric(metric) for name, metric in feature["metrics"].items()}
    growth = feature.get("growth")
    return FeatureResult(
        feature["name"],
        feature["kind"],
        Verdict(feature["verdict"]),
        _reasons(feature, metrics),
        metrics,
        feature.get("n_baseline"),
        feature.get("n_current"),
        feature["baseline"],
        feature["current"],
        feature["histogram"],
        feature.get("time"),
        None if growth is None else Growth(growth["certain"], growth["judged"]),
    )


def _metric(metric: Mapping[str, Any]) -> Metric:
    known = {name: value for name, value in _known(Metric, metric).items() if value is not None}
    return Metric(**{**known, "verdict": metric["verdict"] and Verdict(metric["verdict"])})


def _reasons(
    value: Mapping[str, Any], metrics: Mapping[str, Metric] | None = None
) -> tuple[Reason, ...]:
    """The reasons as facts, of which earlier releases recorded only those of metrics."""
    sentences, kinds = value.get("reasons", ()), value.get("reason_kinds", ())
    with_kinds = zip(sentences, itertools.chain(kinds, itertools.repeat("")))
    facts = value.get("reason_facts")
    if facts is not None:
        return tuple(reason_from(fact, *words) for fact, words in zip(facts, with_kinds))
    stated = itertools.starmap(Stated, with_kinds)
    decided = [
        (name, metric)
        for name, metric in (metrics or {}).items()
        if metric.verdict == value["verdict"] and limit_of(metric) is not None
    ]
    # Reasons that need no metric came first.
    first = len(sentences) - len(decided)
    if first < 0:
        return tuple(stated)
    return (*itertools.islice(stated, first), *itertools.starmap(reason_of, decided))
