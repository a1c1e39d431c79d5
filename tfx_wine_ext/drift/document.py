"""The report of a comparison as one JSON document, which is stored and which every view reads.

docs/drift-report.schema.json describes it key by key (JSON Schema, draft 2020-12). Its size depends
on the number of features, not on the number of rows.
"""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

from tfx_wine_ext.drift.compare import DriftResult

FORMAT_VERSION = 1
METHODS = ("exact", "sketch", "coarse")


@dataclasses.dataclass(frozen=True)
class DataSource:
    """Where one side of a comparison came from.

    Args:
        name: What a person calls it, such as "span 1, split train".
        rows: Number of examples or rows.
        uri: Where the data are.
        split: Name of the split.
        span: TFX's number of the span.
        version: TFX's number of the version within the span.
        created: When the data were made, ISO 8601 with an offset from UTC.
        span_date: The date that the span stands for, if it was found by one.

    Raises:
        ValueError: `rows` is negative, or `created` is no such time.

    Example:
        >>> DataSource("white wine", 4898).to_dict()["rows"]
        4898
    """

    name: str
    rows: int
    uri: str | None = None
    split: str | None = None
    span: int | None = None
    version: int | None = None
    created: str | None = None
    span_date: str | None = None

    def __post_init__(self) -> None:
        if self.rows < 0:
            raise ValueError(f"rows of {self.name!r} must be at least 0, found {self.rows}")
        if self.created is not None:
            _check_time(self.created, f"created of {self.name!r}")

    def to_dict(self) -> dict[str, Any]:
        """The source as a JSON object; `span_date` is present only if it is set."""
        found = dataclasses.asdict(self)
        if self.span_date is None:
            del found["span_date"]
        return found


@dataclasses.dataclass(frozen=True)
class LostSource:
    """A baseline that was found in the metadata but whose files were missing.

    Args:
        name: What a person calls it, such as "span 1, split train".
        uri: Where the files should have been.
        split: Name of the split.
        span: TFX's number of the span.
        path: The path that was not found.
        found: What is there instead, such as "no such folder".
        reason: A clause that says all of this.
    """

    name: str
    uri: str
    split: str
    span: int | None
    path: str
    found: str
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """The source as a JSON object."""
        return dataclasses.asdict(self)


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
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, found {method!r}")
    _check_time(created, "created")
    if baseline is None and result.has_baseline:
        raise ValueError("baseline must be a DataSource, as the result has a baseline; found None")
    found = result.to_dict()
    return {
        "format_version": FORMAT_VERSION,
        "verdict": found["verdict"],
        "reasons": found["reasons"] if lost is None else [lost.reason],
        "reason_kinds": found["reason_kinds"] if lost is None else ["lost_baseline"],
        "share_drifted": found["share_drifted"],
        "aggregate": found["aggregate"],
        "method": method,
        "created": created,
        "baseline": None if baseline is None else baseline.to_dict(),
        **({} if lost is None else {"lost_baseline": lost.to_dict()}),
        "current": current.to_dict(),
        "multivariate": found["multivariate"],
        "features": found["features"],
        "config": found["config"],
    }


def _check_time(text: str, where: str) -> None:
    try:
        offset = datetime.datetime.fromisoformat(text).utcoffset()
    except (TypeError, ValueError):
        offset = None
    if offset is None:
        raise ValueError(
            f"{where} must be an ISO 8601 time with an offset, such as 2026-11-24T23:30:00+00:00, "
            f"found {text!r}"
        )
