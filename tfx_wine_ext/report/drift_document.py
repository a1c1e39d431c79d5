"""The report of a comparison as one JSON document, with its reasons as facts and in words."""

from __future__ import annotations

from typing import Any

from tfx_wine_ext.drift.document import DataSource, DriftDocument, LostSource
from tfx_wine_ext.drift.result import DriftResult
from tfx_wine_ext.report.words.drift import sentence


def report_document(
    result: DriftResult,
    *,
    baseline: DataSource | None,
    current: DataSource,
    method: str,
    created: str,
    lost: LostSource | None = None,
) -> dict[str, Any]:
    """Puts a result and the sources of its data into one JSON object.

    Args:
        result: The result of `compare`.
        baseline: Where the baseline came from; None if there is none.
        current: Where the current data came from.
        method: "exact" if every value was kept; "sketch" if memory was bounded and each metric
            states its error; "coarse" if the histograms of TFX's ExampleStatistics were used.
        created: When the comparison was made, ISO 8601 with an offset from UTC.
        lost: The baseline whose files were missing; None if there is none.

    Returns:
        A JSON object without NaN and infinities.

    Raises:
        ValueError: `method` is none of these, `created` is no such time, or the result has a
            baseline but `baseline` is None.

    Example:
        >>> import pyarrow as pa
        >>> from tfx_wine_ext.drift import compare
        >>> document = report_document(
        ...     compare(None, pa.table({"x": [1.0, 2.0]})), baseline=None,
        ...     current=DataSource("span 1", 2), method="exact",
        ...     created="2026-11-24T23:30:00+00:00")
        >>> document["verdict"], document["current"]["name"], document["features"][0]["name"]
        ('NO_BASELINE', 'span 1', 'x')
    """
    document = DriftDocument.of(
        result, baseline=baseline, current=current, method=method, created=created, lost=lost
    )
    return document.to_dict(sentence)
