"""The limits of the pipeline's drift report, on real wine where it is there."""

from __future__ import annotations

import pyarrow as pa
import pytest

from benchmarks.wine_drift_gate import Pair, bad_pairs, good_pairs
from examples.wine_quality.data import load
from examples.wine_quality.drift_gate import DRIFT_GATE
from tfx_wine_ext.drift import DriftResult, Verdict, compare

WHITE = load(kind="white", download=False)
RED = load(kind="red", download=False)

pytestmark = pytest.mark.parametrize("data", [f"{WHITE.source} {RED.source}"])


def drifted(result: DriftResult) -> int:
    return sum(feature.verdict is Verdict.DRIFT for feature in result.features)


@pytest.mark.parametrize("pair", good_pairs(WHITE.table), ids=lambda pair: pair.name)
def test_white_wine_after_white_wine_has_no_feature_that_drifted(data: str, pair: Pair) -> None:
    assert drifted(compare(pair.before, pair.after, DRIFT_GATE)) == 0


@pytest.mark.parametrize("pair", bad_pairs(WHITE.table, RED.table), ids=lambda pair: pair.name)
def test_red_wine_after_white_wine_closes_the_gate_by_a_margin(data: str, pair: Pair) -> None:
    result = compare(pair.before, pair.after, DRIFT_GATE)
    assert result.verdict is Verdict.DRIFT
    assert drifted(result) >= 8  # six would do


def test_white_wine_watered_down_by_a_quarter_closes_the_gate(data: str) -> None:
    half = WHITE.table.num_rows // 2
    thin = {
        name: column.to_numpy() * 0.75
        for name, column in zip(WHITE.table.column_names, WHITE.table)
    }
    result = compare(WHITE.table.slice(0, half), pa.table(thin).slice(0, half), DRIFT_GATE)
    assert result.verdict is Verdict.DRIFT
