"""The structure of the documents of pages, which is checked once before anything is rendered.

A page may be rendered from any file that claims to be a report. Each shape contains what its page
reads; docs/drift-report.schema.json and docs/lineage.md describe the documents as they are written.
"""

from __future__ import annotations

from typing import Any

from tfx_wine_ext.documents import (
    Problem,
    anything,
    boolean,
    list_of,
    mapping_of,
    number,
    one_of,
    optional,
    record,
    text,
    whole_number,
)
from tfx_wine_ext.drift.ranking import WORST_FIRST

_VERDICT = one_of(*WORST_FIRST)
# The kinds of times of a column, all in microseconds.
_TIME = one_of("date", "timestamp", "time", "duration")


def _positive(value: Any) -> Problem | None:
    """Checks for a finite number that is not negative."""
    found = number(value)
    return found if found or value >= 0 else ((), "a number of at least 0", value)


def _share(value: Any) -> Problem | None:
    """Checks for a number from 0 to 1."""
    found = number(value)
    return found if found or 0 <= value <= 1 else ((), "a number from 0 to 1", value)


def _number_or_words(value: Any) -> Problem | None:
    """Checks for a feature's mean: a number, or a category."""
    return None if value is None or isinstance(value, str) else number(value)


def _histogram(value: Any) -> Problem | None:
    """Checks for one of the two kinds of histograms, and that its lists have the same length."""
    found = _HISTOGRAM_KIND(value)
    if found:
        return found
    is_numeric = value["kind"] == "numeric"
    found = (_NUMERIC if is_numeric else _CATEGORICAL)(value)
    if found:
        return found
    length = len(value["edges"]) - 1 if is_numeric else len(value["values"])
    if is_numeric and (length < 1 or list(value["edges"]) != sorted(value["edges"])):
        return ("edges",), "two ascending numbers at least", value["edges"]
    beside = ("below", "above") if is_numeric else ("other",)
    for place, side in enumerate(("baseline", "current")):
        found = optional(list_of(_positive, length))(value[side])
        if found:
            return (side, *found[0]), found[1], found[2]
        if value[side] is not None:
            for name in beside:
                found = _positive(value[name][place])
                if found:
                    return (name, place, *found[0]), found[1], found[2]
    return None


_PAIR = list_of(optional(_positive), 2)
_COUNTS = optional(list_of(_positive))
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
    dict.fromkeys(("n", "missing"), _positive),
    {
        **dict.fromkeys(("distinct", "nan", "negative_infinity", "positive_infinity"), _positive),
        **dict.fromkeys((*_QUARTILES, "mean", "std"), optional(number)),
        "distinct_is_estimate": boolean,
    },
)
_NUMBERS = record(dict.fromkeys(_QUARTILES, number))


def _statistics(value: Any) -> Problem | None:
    """Checks the statistics of a side: numbers have all quartiles, or none without values."""
    found = _STATISTICS_FIELDS(value)
    if found or all(value.get(name) is None for name in _QUARTILES):
        return found
    return _NUMBERS(value)


_METRIC = record(
    {
        "value": number,
        "error": _positive,
        "noise_floor": number,
        "threshold": optional(_positive),
        "warn": optional(_positive),
        "q_value": optional(number),
        "verdict": optional(_VERDICT),
    },
    {"p_value": optional(number), "details": mapping_of(optional(number))},
)
_SOURCE = record(
    {
        "name": text,
        "rows": _positive,
        **dict.fromkeys(("uri", "split", "created"), optional(text)),
        **dict.fromkeys(("span", "version"), optional(whole_number)),
    },
    {"span_date": optional(text)},
)
_LEVELS = mapping_of(record({"fail": optional(_positive), "warn": optional(_positive)}))
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


_IMPORTANCE = record({"name": text, "value": number})
DRIFT = record(
    {
        "verdict": _VERDICT,
        "reasons": list_of(text),
        "share_drifted": _share,
        "aggregate": optional(number),
        "method": one_of("exact", "sketch", "coarse"),
        "created": text,
        "baseline": optional(_SOURCE),
        "current": _SOURCE,
        "multivariate": optional(
            record(
                {
                    **dict.fromkeys(("auc", "ci_low", "ci_high", "threshold", "p_value"), number),
                    **dict.fromkeys(("n_baseline", "n_current"), _positive),
                    "verdict": _VERDICT,
                    "importances": list_of(_IMPORTANCE),
                },
                {"confidence": number},
            )
        ),
        "features": list_of(
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
                    "n_baseline": optional(_positive),
                    "n_current": optional(_positive),
                    "time": optional(_TIME),
                    "growth": optional(record({"certain": boolean, "judged": boolean})),
                },
            )
        ),
        "config": _config,
    },
    {"lost_baseline": optional(mapping_of(anything)), "reason_kinds": list_of(text)},
)

_OPTIONAL_NUMBER, _OPTIONAL_WHOLE = optional(number), optional(whole_number)
_OPTIONAL_TEXT, _OPTIONAL_FLAG = optional(text), optional(boolean)
_METRICS = mapping_of(
    record({"value": _OPTIONAL_NUMBER, "lower": _OPTIONAL_NUMBER, "upper": _OPTIONAL_NUMBER})
)
_ROWS = optional(mapping_of(_positive))
_SCORE = record(
    {
        "feature": text,
        "verdict": text,
        "metric": _OPTIONAL_TEXT,
        "score": _OPTIONAL_NUMBER,
        "threshold": _OPTIONAL_NUMBER,
        "direction": _OPTIONAL_TEXT,
        "before": _number_or_words,
        "after": _number_or_words,
    },
    # Earlier releases did not record it.
    {"time": optional(_TIME), "by_chance": boolean},
)
_UNREAD = list_of(
    record(
        {
            "path": text,
            "problem": text,
            "why": _OPTIONAL_TEXT,
            "searched": list_of(text),
        }
    )
)
_RUN = record(
    {
        "run": text,
        "number": whole_number,
        "pipeline": text,
        "started": _OPTIONAL_TEXT,
        "finished": _OPTIONAL_TEXT,
        "state": text,
        "components": list_of(
            record(
                {
                    "id": text,
                    "type": text,
                    "state": text,
                    "seconds": optional(_positive),
                    "error": _OPTIONAL_TEXT,
                },
                {"process": _OPTIONAL_TEXT},
            )
        ),
        "examples": optional(
            record(
                {
                    "id": whole_number,
                    "uri": text,
                    "span": _OPTIONAL_WHOLE,
                    "version": _OPTIONAL_WHOLE,
                    "rows": _ROWS,
                    "content_fingerprint": _OPTIONAL_TEXT,
                    "anomalies": _OPTIONAL_WHOLE,
                },
                {"span_date": _OPTIONAL_TEXT},
            )
        ),
        "drift": optional(
            record(
                {
                    "id": _OPTIONAL_WHOLE,
                    "report": _OPTIONAL_TEXT,
                    "verdict": _OPTIONAL_TEXT,
                    "blessed": _OPTIONAL_FLAG,
                    "baseline_span": _OPTIONAL_WHOLE,
                    "features": _OPTIONAL_WHOLE,
                    "features_drifted": _OPTIONAL_WHOLE,
                    "reasons": list_of(text),
                    "scores": list_of(_SCORE),
                },
                {
                    "share_drifted": _OPTIONAL_NUMBER,
                    "baseline_span_date": _OPTIONAL_TEXT,
                    "lost_baseline": _OPTIONAL_TEXT,
                    "features_warned": _OPTIONAL_WHOLE,
                    "reason_kinds": list_of(text),
                },
            )
        ),
        "model": optional(
            record(
                {
                    "id": whole_number,
                    "warm": _OPTIONAL_FLAG,
                    "generation": _OPTIONAL_WHOLE,
                    "base_model_id": _OPTIONAL_WHOLE,
                    "steps": _OPTIONAL_WHOLE,
                    "total_steps": _OPTIONAL_WHOLE,
                    "kind": _OPTIONAL_TEXT,
                    "reason": _OPTIONAL_TEXT,
                    "logs": _OPTIONAL_TEXT,
                    "uri": text,
                    "hyperparameters": optional(mapping_of(anything)),
                }
            )
        ),
        "metrics": _METRICS,
        "baseline_metrics": _METRICS,
        "evaluation": optional(record({"uri": text})),
        "blessed": _OPTIONAL_FLAG,
        "pushed": _OPTIONAL_TEXT,
        "parameters": mapping_of(mapping_of(anything)),
    },
    {"unread": _UNREAD, "process": _OPTIONAL_TEXT},
)
_MOVED = record(
    {
        "before_number": whole_number,
        "after_number": whole_number,
        "source": _OPTIONAL_TEXT,
        "features": list_of(_SCORE),
        "rows": record({"before": _ROWS, "after": _ROWS}),
        "data_changed": _OPTIONAL_FLAG,
        "settings": list_of(
            record({"component": text, "parameter": text, "before": anything, "after": anything})
        ),
        "metrics": list_of(
            record(
                {
                    "name": text,
                    **dict.fromkeys(("before", "after", "lower", "upper"), _OPTIONAL_NUMBER),
                    "baseline": _OPTIONAL_NUMBER,
                }
            )
        ),
        "sentences": list_of(text),
    }
)
_CORRELATION = record(
    {
        "feature": text,
        "metric": text,
        "rho": _OPTIONAL_NUMBER,
        "n": whole_number,
        "p_value": _OPTIONAL_NUMBER,
    }
)
HISTORY = record(
    {
        **dict.fromkeys(("pipeline", "store", "created", "library", "correlation_note"), text),
        "metric": _OPTIONAL_TEXT,
        "runs": list_of(_RUN),
        "moved": list_of(_MOVED),
        "features": list_of(
            record(
                {
                    "name": text,
                    **dict.fromkeys(("scores", "limits"), list_of(_OPTIONAL_NUMBER)),
                    **dict.fromkeys(("verdicts", "metrics"), list_of(_OPTIONAL_TEXT)),
                },
                {"by_chance": list_of(_OPTIONAL_FLAG)},
            )
        ),
        "correlations": list_of(_CORRELATION),
    },
    {"unread": _UNREAD},
)
