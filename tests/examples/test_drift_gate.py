"""The limits of the pipeline's drift report, on real wine where it is there, and on the sample."""

from __future__ import annotations

import pyarrow as pa
import pytest

from benchmarks.wine_drift_gate import Pair, bad_pairs, good_pairs
from examples.wine_quality.data import load
from examples.wine_quality.drift_gate import DRIFT_GATE
from examples.wine_quality.sample_statistics import draw
from tfx_wine_ext.drift import DriftResult, Verdict, compare

WINES = {"sample": (draw("white"), draw("red"))}
found = [load(kind=kind, download=False) for kind in ("white", "red")]
if all(wine.source == "real" for wine in found):
    WINES["real"] = (found[0].table, found[1].table)


def drifted(result: DriftResult) -> int:
    return sum(feature.verdict is Verdict.DRIFT for feature in result.features)


@pytest.mark.parametrize(
    "pair",
    [
        pytest.param(pair, id=f"{source} {pair.name}")
        for source, (white, _) in WINES.items()
        for pair in good_pairs(white)
    ],
)
def test_white_wine_after_white_wine_has_no_feature_that_drifted(pair: Pair) -> None:
    assert drifted(compare(pair.before, pair.after, DRIFT_GATE)) == 0


@pytest.mark.parametrize(
    "pair",
    [
        pytest.param(pair, id=f"{source} {pair.name}")
        for source, (white, red) in WINES.items()
        for pair in bad_pairs(white, red)
    ],
)
def test_red_wine_after_white_wine_closes_the_gate_by_a_margin(pair: Pair) -> None:
    result = compare(pair.before, pair.after, DRIFT_GATE)
    assert result.verdict is Verdict.DRIFT
    assert drifted(result) >= 8  # six would do


@pytest.mark.parametrize("source", WINES)
def test_white_wine_watered_down_by_a_quarter_closes_the_gate(source: str) -> None:
    white, _ = WINES[source]
    half = white.num_rows // 2
    thin = {name: column.to_numpy() * 0.75 for name, column in zip(white.column_names, white)}
    result = compare(white.slice(0, half), pa.table(thin).slice(0, half), DRIFT_GATE)
    assert result.verdict is Verdict.DRIFT
