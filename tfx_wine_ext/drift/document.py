"""The report of a comparison as one JSON document, which is stored and which every view reads.

docs/drift-report.schema.json describes it key by key (JSON Schema, draft 2020-12). Its size depends
on the number of features, not on the number of rows.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from tfx_wine_ext.documents import COUNT, UnexpectedError, described, one_of
from tfx_wine_ext.drift.reasons import BaselineLost, BaselineUnfit
from tfx_wine_ext.drift.result import DriftResult, Findings, Words
from tfx_wine_ext.moved import moved_names

if TYPE_CHECKING:
    from tfx_wine_ext.report.drift_document import report_document as report_document

FORMAT_VERSION = 1
METHODS = ("exact", "sketch", "coarse")


def is_time(value: Any) -> bool:
    """Whether a value is a text of an ISO 8601 time with an offset from UTC.

    Example:
        >>> is_time("2026-11-24T23:30:00Z"), is_time("2026-11-24T23:30:00")
        (True, False)
    """
    if not isinstance(value, str):
        return False
    try:  # Python 3.10 does not read the Z.
        time = datetime.datetime.fromisoformat(value[:-1] + value[-1:].replace("Z", "+00:00"))
    except ValueError:
        return False
    return time.utcoffset() is not None


def _time(value: Any) -> str:
    if is_time(value):
        return str(value)
    raise UnexpectedError("an ISO 8601 time with an offset from UTC", described(value))


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
    rows: Annotated[int, COUNT]
    uri: str | None = None
    split: str | None = None
    span: int | None = None
    version: int | None = None
    created: Annotated[str, _time] | None = None
    span_date: str | None = None

    def __post_init__(self) -> None:
        if self.rows < 0:
            raise ValueError(f"rows of {self.name!r} must be at least 0, found {self.rows}")
        if self.created is not None:
            _check_time(self.created, f"created of {self.name!r}")

    def to_dict(self) -> dict[str, Any]:
        """The source as a JSON object; `span_date` is present only if it is set."""
        source = dataclasses.asdict(self)
        if self.span_date is None:
            del source["span_date"]
        return source


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


class _Levels(TypedDict):
    fail: Annotated[float, COUNT] | None
    warn: Annotated[float, COUNT] | None


class _Settings(TypedDict, total=False):
    """The settings that a page explains; it shows others unchanged."""

    thresholds: Mapping[str, _Levels]
    features: Mapping[str, Mapping[str, _Levels]]
    share: float
    aggregate: float
    q: float
    min_count: int


@dataclasses.dataclass(frozen=True)
class DriftDocument(Findings):
    """A comparison with the sources of its data, in the form in which it is stored and shown.

    Args:
        config: The configuration as a JSON object, which may be that of another release.
        method: "exact" if every value was kept; "sketch" if memory was bounded and each metric
            states its error; "coarse" if the histograms of TFX's ExampleStatistics were used.
        created: When the comparison was made, ISO 8601 with an offset from UTC.
        baseline: Where the baseline came from; None if there is none.
        current: Where the current data came from.
        lost: The baseline whose files were missing; None if there is none.
    """

    config: Annotated[Mapping[str, Any], _Settings] = dataclasses.field(kw_only=True)
    method: Annotated[str, one_of(*METHODS)] = dataclasses.field(kw_only=True)
    created: str = dataclasses.field(kw_only=True)
    baseline: DataSource | None = dataclasses.field(kw_only=True)
    current: DataSource = dataclasses.field(kw_only=True)
    lost: LostSource | None = dataclasses.field(
        kw_only=True, default=None, metadata={"key": "lost_baseline"}
    )

    @classmethod
    def of(
        cls,
        result: DriftResult,
        *,
        baseline: DataSource | None,
        current: DataSource,
        method: str,
        created: str,
        lost: LostSource | None = None,
        unfit: BaselineUnfit | None = None,
    ) -> DriftDocument:
        """Puts a result and the sources of its data together.

        Args:
            result: The comparison.
            baseline: See `DriftDocument`, as for all that is not named here.
            current: The same.
            method: The same.
            created: The same.
            lost: The same.
            unfit: Why what was found as a baseline is none.

        Raises:
            ValueError: `method` or `created` is not as above, or the result has a baseline but
                `baseline` is None.
        """
        if method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, found {method!r}")
        _check_time(created, "created")
        if baseline is None and result.has_baseline:
            raise ValueError(
                "baseline must be a DataSource, as the result has a baseline; found None"
            )
        findings: dict[str, Any] = {**vars(result), "config": result.config.to_dict()}
        if lost is not None:
            findings["reasons"] = (BaselineLost(lost.name, lost.uri, lost.path, lost.found),)
        elif unfit is not None:
            findings["reasons"] = (unfit,)
        return cls(
            **findings,
            baseline=baseline,
            current=current,
            method=method,
            created=created,
            lost=lost,
        )

    def to_dict(self, words: Words | None = None) -> dict[str, Any]:
        """The document as a JSON object; see `Findings`."""
        return {
            "format_version": FORMAT_VERSION,
            **super().to_dict(words),
            "method": self.method,
            "created": self.created,
            "baseline": None if self.baseline is None else self.baseline.to_dict(),
            **({} if self.lost is None else {"lost_baseline": self.lost.to_dict()}),
            "current": self.current.to_dict(),
            "config": dict(self.config),
        }


def _check_time(text: str, where: str) -> None:
    if not is_time(text):
        raise ValueError(
            f"{where} must be an ISO 8601 time with an offset, such as 2026-11-24T23:30:00+00:00, "
            f"found {text!r}"
        )


__getattr__ = moved_names(__name__)
