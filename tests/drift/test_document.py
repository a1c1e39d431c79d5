"""A result with the sources of its data; tests/report/test_drift_document.py has it as JSON."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tfx_wine_ext.drift import compare
from tfx_wine_ext.drift.document import DataSource, DriftDocument

CREATED = "2026-11-24T23:30:00+00:00"
HUNDRED = [float(i) for i in range(100)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "guess"}, "method must be one of exact, sketch, coarse, found 'guess'"),
        ({"created": "today"}, "created must be an ISO 8601 time with an offset, .*found 'today'"),
        ({"created": "2026-11-24T23:30:00"}, "created must be an ISO 8601 time with an offset"),
        ({"baseline": None}, "baseline must be a DataSource, as the result has a baseline"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    table = pa.table({"x": HUNDRED})
    source = DataSource("table", 100)
    good = {"baseline": source, "current": source, "method": "exact", "created": CREATED}
    with pytest.raises(ValueError, match=message):
        DriftDocument.of(compare(table, table), **{**good, **arguments})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": -1}, "rows of 'span 1' must be at least 0, found -1"),
        ({"rows": 1, "created": "now"}, "created of 'span 1' must be an ISO 8601 time"),
    ],
)
def test_a_wrong_source_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        DataSource("span 1", **arguments)
