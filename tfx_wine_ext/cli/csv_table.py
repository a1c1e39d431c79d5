"""Tables as CSV (RFC 4180): the tables behind the pages of drift and history."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfx_wine_ext.lineage.records import Run

from tfx_wine_ext.drift.document import DriftDocument
from tfx_wine_ext.report.words.drift import sentence

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
# Characters that spreadsheets read as the beginning of a formula, some also in full width; and the
# mark for text, so that a leading mark can always be removed again.
_OF_FORMULAS = tuple("=+-@\t\r\n'＝＋－＠")  # noqa: RUF001


def drift_csv(document: DriftDocument) -> str:
    """Returns the scores of a drift report: one line for each feature and metric.

    A feature without metrics has one line, in which the columns of a metric are empty.

    Args:
        document: The report.
    """
    rows: list[list[Any]] = []
    for feature in document.features:
        of_feature: list[Any] = [feature.name, feature.kind, feature.verdict]
        of_feature += [feature.n_baseline, feature.n_current]
        reasons = "; ".join(map(sentence, feature.reasons))
        for name, metric in feature.metrics.items():
            of_metric = [getattr(metric, key) for key in _OF_METRIC]
            rows.append([*of_feature, name, *of_metric, reasons])
        if not feature.metrics:
            rows.append([*of_feature, None, *[None] * len(_OF_METRIC), reasons])
    return csv_text(DRIFT_COLUMNS, rows)


def history_csv(runs: Sequence[Run]) -> str:
    """Returns runs as CSV: one line for each.

    After `RUN_COLUMNS` there is one column for each metric of an evaluation, ``metric:NAME``,
    sorted by name.

    Args:
        runs: The runs, in the order of the lines.

    Example:
        >>> history_csv([]).startswith("number,run,state,started,")
        True
    """
    metrics = sorted({name for run in runs for name in run.metrics})
    rows = []
    for run in runs:
        by_split = None if run.examples is None else run.examples.rows
        rows.append(
            [
                *(run.number, run.run, run.state, run.started, run.finished),
                *_of(run.examples, "span", "span_date", "version"),
                None if by_split is None else sum(by_split.values()),
                *_of(run.drift, "verdict", "features", "features_drifted", "share_drifted"),
                *_of(run.model, "warm", "generation"),
                *(run.blessed, run.pushed),
                *(value and value.value for value in map(run.metrics.get, metrics)),
            ]
        )
    return csv_text((*RUN_COLUMNS, *(f"{METRIC_PREFIX}{name}" for name in metrics)), rows)


def _of(record: object, *names: str) -> Iterable[Any]:
    return (getattr(record, name, None) for name in names)


def csv_text(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    r"""Returns a table as CSV: UTF-8, commas, CRLF, quotes where they are needed.

    Numbers have all of their digits, so that reading them back gives the same numbers. Unknown
    values are empty. Text that a spreadsheet would run as a formula begins with an apostrophe.

    Args:
        headings: The names of the columns.
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
