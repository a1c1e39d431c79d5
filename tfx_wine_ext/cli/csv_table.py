"""Tables as CSV (RFC 4180): the tables behind the pages of drift and history."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

DRIFT_COLUMNS = (
    *("feature", "kind", "verdict", "n_baseline", "n_current", "metric", "value", "error"),
    *("noise_floor", "warn", "threshold", "q_value", "p_value", "metric_verdict", "reasons"),
)
_OF_METRIC = ("value", "error", "noise_floor", "warn", "threshold", "q_value", "p_value", "verdict")
RUN_COLUMNS = (
    *("number", "run", "state", "started", "finished", "span", "span_date", "version", "rows"),
    *("drift", "features", "features_drifted", "share_drifted", "warm", "generation"),
    *("blessed", "pushed"),
)
METRIC_PREFIX = "metric:"
# What spreadsheets take for the beginning of a formula, some in its full width; and the mark that
# says that a cell is text, so that the first one can always be taken away again.
_OF_FORMULAS = tuple("=+-@\t\r\n'＝＋－＠")  # noqa: RUF001


def drift_csv(document: Mapping[str, Any]) -> str:
    """Returns the scores of a drift report: a line for each feature and metric.

    A feature without metrics has one line, in which these columns are empty.

    Args:
        document: The report document.

    Example:
        >>> feature = {"name": "=a", "kind": "numeric", "verdict": "DRIFT", "n_baseline": 7,
        ...            "n_current": None, "metrics": {}, "reasons": ["it is gone"]}
        >>> drift_csv({"features": [feature]}).splitlines()[1]
        "'=a,numeric,DRIFT,7,,,,,,,,,,,it is gone"
    """
    rows = []
    for feature in document["features"]:
        of_feature = [feature[key] for key in ("name", "kind", "verdict")]
        of_feature += [feature.get("n_baseline"), feature.get("n_current")]
        reasons = "; ".join(feature.get("reasons", ()))
        for name, metric in feature["metrics"].items() or [(None, {})]:
            rows.append([*of_feature, name, *(metric.get(key) for key in _OF_METRIC), reasons])
    return csv_text(DRIFT_COLUMNS, rows)


def history_csv(document: Mapping[str, Any]) -> str:
    """Returns the runs of a history: a line for each, the oldest first.

    Behind `RUN_COLUMNS` there is a column for each metric of an evaluation, ``metric:NAME``, in the
    order of the names.

    Args:
        document: From `history_document`.

    Example:
        >>> history_csv({"runs": []}).startswith("number,run,state,started,")
        True
    """
    metrics = sorted({name for run in document["runs"] for name in run["metrics"]})
    rows = []
    for run in document["runs"]:
        examples, drift, model = (run[key] or {} for key in ("examples", "drift", "model"))
        by_split = examples.get("rows")
        rows.append(
            [
                *(run[key] for key in ("number", "run", "state", "started", "finished")),
                *(examples.get(key) for key in ("span", "span_date", "version")),
                None if by_split is None else sum(by_split.values()),
                drift.get("verdict"),
                *(drift.get(key) for key in ("features", "features_drifted", "share_drifted")),
                *(model.get(key) for key in ("warm", "generation")),
                run["blessed"],
                run["pushed"],
                *(run["metrics"].get(name, {}).get("value") for name in metrics),
            ]
        )
    return csv_text((*RUN_COLUMNS, *(f"{METRIC_PREFIX}{name}" for name in metrics)), rows)


def csv_text(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    r"""Returns a table as CSV: UTF-8, commas, CRLF, quotes where they are needed.

    Numbers have all of their digits, so that reading them gives the same numbers. What is not known
    is empty. Text that a spreadsheet would take for a formula begins with an apostrophe.

    Args:
        headings: Of the columns.
        rows: Texts, numbers, booleans and None.

    Example:
        >>> csv_text(["name", "x"], [["=1+1", 0.1 + 0.2], ['a,"b', True], [None, -1]])
        'name,x\r\n\'=1+1,0.30000000000000004\r\n"a,""b",true\r\n,-1\r\n'
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(map(_cell, headings))
    writer.writerows(map(_cell, row) for row in rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(_OF_FORMULAS):
        return f"'{value}"
    return value
