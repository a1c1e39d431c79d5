"""The structure of the documents of pages, which is checked once before anything is rendered.

A page may be rendered from any file that claims to be a report. Each shape contains what its page
reads; docs/lineage.md describes the documents as they are written. `tfx_wine_ext.drift.load` checks
those of drift reports.
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
    optional,
    record,
    text,
    whole_number,
)
from tfx_wine_ext.drift.load import TIME, positive


def _number_or_words(value: Any) -> Problem | None:
    """Checks for a feature's mean: a number, or a category."""
    return None if value is None or isinstance(value, str) else number(value)


_SHAPE = optional(list_of(whole_number))
WARM_START = record(
    {
        "warm": boolean,
        "reason": text,
        "base": text,
        "generation": whole_number,
        "base_step": whole_number,
        "steps": whole_number,
        "optimizer": text,
        "optimizer_step": whole_number,
        "variables": list_of(
            record(
                {
                    "name": text,
                    "action": text,
                    "reason": text,
                    "shape": _SHAPE,
                    "base_shape": _SHAPE,
                    **dict.fromkeys(("kept", "added", "vanished"), whole_number),
                }
            )
        ),
        "not_compensated": list_of(text),
        "counts": mapping_of(whole_number),
        "preserves_function": boolean,
    },
    # Earlier releases did not verify anything.
    missing={"verified": boolean, "verification": text},
)

_OPTIONAL_NUMBER, _OPTIONAL_WHOLE = optional(number), optional(whole_number)
_OPTIONAL_TEXT, _OPTIONAL_FLAG = optional(text), optional(boolean)
_METRICS = mapping_of(
    record({"value": _OPTIONAL_NUMBER, "lower": _OPTIONAL_NUMBER, "upper": _OPTIONAL_NUMBER})
)
_ROWS = optional(mapping_of(positive))
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
    {"time": optional(TIME), "by_chance": boolean},
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
                    "seconds": optional(positive),
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
