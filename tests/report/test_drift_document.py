import json

import pyarrow as pa
import pytest

from tfx_wine_ext.drift import DataSource, compare
from tfx_wine_ext.report.drift_document import report_document

BEFORE = pa.table({"x": [float(number % 20) for number in range(200)]})
AFTER = pa.table({"x": [float(number % 20 + 10) for number in range(200)]})
SOURCES = {"baseline": DataSource("span 1", 200, span=1), "current": DataSource("span 2", 200)}
MADE = {"method": "exact", "created": "2026-11-25T00:00:00+00:00"}


def test_each_reason_stands_as_a_fact_and_as_a_sentence():
    document = json.loads(json.dumps(report_document(compare(BEFORE, AFTER), **SOURCES, **MADE)))
    assert document["verdict"] == "DRIFT"
    for part in (document, *document["features"]):
        assert len(part["reasons"]) == len(part["reason_facts"]) > 0
    [x] = document["features"]
    assert {fact["type"] for fact in x["reason_facts"]} == {"BeyondLimit"}
    assert (document["baseline"]["span"], document["current"]["span"]) == (1, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "guessed"}, "method"),
        ({"created": "yesterday"}, "created"),
        ({"baseline": None}, "baseline"),
    ],
)
def test_what_does_not_go_together_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        report_document(compare(BEFORE, AFTER), **{**SOURCES, **MADE, **change})
