"""Awkward columns, each with all that is said about it, by tables and by sketches."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from tfx_wine_ext.drift import TableSketch, compare
from tfx_wine_ext.drift.reasons import (
    BeyondLimit,
    ColumnGone,
    ColumnNew,
    FeaturesChanged,
    KindChanged,
    ShareReached,
    ShareUnjudged,
    TooFewValues,
)

NAN, INF = float("nan"), float("inf")
HUNDRED = [float(i) for i in range(100)]
SAME_NUMBERS = {
    "missing_rate": 0.0,
    "psi": 0.0,
    "js": 0.0,
    "ks": 0.0,
    "infinite_rate": 0.0,
    "wasserstein": 0.0,
}
SAME_WORDS = {
    "missing_rate": 0.0,
    "psi": 0.0,
    "js": 0.0,
    "chi_square": 0.0,
    "l_infinity": 0.0,
    "unseen_mass": 0.0,
}
OK = ("OK", ())


def sketched(table):
    sketch = TableSketch()
    for batch in table.to_batches(1000) or [table]:
        sketch.add(batch)
    return sketch.summaries()


def rounded(reason):
    if not isinstance(reason, BeyondLimit):
        return reason
    return dataclasses.replace(reason, value=round(reason.value, 4))


def whole(before, after, how):
    """Verdict and reasons of the data, and of each feature its kind, sizes and values too."""
    sides = [pa.table(side) for side in (before, after)]
    result = compare(*(sides if how == "table" else map(sketched, sides)))
    features = {
        f.name: (
            (f.verdict.value, tuple(map(rounded, f.reasons))),
            f.kind,
            (f.n_baseline, f.n_current),
            {name: round(metric.value, 4) for name, metric in f.metrics.items()},
        )
        for f in result.features
    }
    return (result.verdict.value, result.reasons), features


DRIFT = ("DRIFT", (ShareReached(1, 1, 0.5),))
UNCLEAR = ("INCONCLUSIVE", (ShareUnjudged(1, 1, 0.5),))
# Baseline, current, what is said of the data, and of the column.
CASES = {
    "identical numbers": (HUNDRED, HUNDRED, OK, (OK, "numeric", (100, 100), SAME_NUMBERS)),
    "identical words": (
        ["a", "b"] * 50,
        ["b", "a"] * 50,
        OK,
        (OK, "categorical", (100, 100), SAME_WORDS),
    ),
    "a constant": ([7.0] * 50, [7.0] * 80, OK, (OK, "numeric", (50, 80), SAME_NUMBERS)),
    "a constant word": (["a"] * 50, ["a"] * 80, OK, (OK, "categorical", (50, 80), SAME_WORDS)),
    "a constant that moved": (
        [7.0] * 50,
        [8.0] * 50,
        DRIFT,
        (
            (
                "DRIFT",
                (
                    BeyondLimit("psi", 9.0493, 0.25),
                    BeyondLimit("js", 1.0, 0.1),
                    BeyondLimit("ks", 1.0, 0.1),
                    BeyondLimit("wasserstein", 1000.0, 0.1),
                ),
            ),
            "numeric",
            (50, 50),
            {**SAME_NUMBERS, "psi": 9.0493, "js": 1.0, "ks": 1.0, "wasserstein": 1000.0},
        ),
    ),
    "all missing on both sides": (
        pa.nulls(50, pa.float64()),
        pa.nulls(50),
        OK,
        (OK, "unknown", (50, 50), {"missing_rate": 0.0}),
    ),
    "all missing now": (
        HUNDRED,
        pa.nulls(100),
        DRIFT,
        (
            ("DRIFT", (BeyondLimit("missing_rate", 1.0, 0.05),)),
            "numeric",
            (100, 100),
            {"missing_rate": 1.0},
        ),
    ),
    "a single row": (
        HUNDRED,
        [1.0],
        UNCLEAR,
        (
            ("INCONCLUSIVE", (TooFewValues(100, 1, 20),)),
            "numeric",
            (100, 1),
            {},
        ),
    ),
    "NaN and null": (
        [NAN] * 20 + HUNDRED,
        pa.array([None] * 20 + HUNDRED),
        OK,
        (OK, "numeric", (120, 120), SAME_NUMBERS),
    ),
    "infinities": (
        HUNDRED * 3,
        HUNDRED * 2 + [INF] * 40 + [-INF] * 60,
        DRIFT,
        (
            (
                "DRIFT",
                (
                    BeyondLimit("psi", 0.3307, 0.25),
                    BeyondLimit("js", 0.2449, 0.1),
                    BeyondLimit("ks", 0.2, 0.1),
                    BeyondLimit("infinite_rate", 0.3333, 0.05),
                ),
            ),
            "numeric",
            (300, 300),
            {**SAME_NUMBERS, "psi": 0.3307, "js": 0.2449, "ks": 0.2, "infinite_rate": 0.3333},
        ),
    ),
    "a category with a million values": (
        ["a"] * 1_000_000,
        ["a"] * 999_000 + ["b"] * 1000,
        ("WARN", (FeaturesChanged(0, 1, 1),)),
        (
            ("WARN", (BeyondLimit("unseen_mass", 0.001, 0.0),)),
            "categorical",
            (1_000_000, 1_000_000),
            {
                "missing_rate": 0.0,
                "psi": 0.0076,
                "js": 0.0224,
                "chi_square": 0.0224,
                "l_infinity": 0.001,
                "unseen_mass": 0.001,
            },
        ),
    ),
    "unique strings": (
        [str(i) for i in range(2000)],
        [str(i) for i in range(2000, 4000)],
        OK,
        (
            OK,
            "categorical",
            (2000, 2000),
            {**SAME_WORDS, "l_infinity": 0.0005, "unseen_mass": 1.0},
        ),
    ),
    "heavy ties": (
        [0.0] * 900 + HUNDRED,
        [0.0] * 900 + HUNDRED[::-1],
        OK,
        (OK, "numeric", (1000, 1000), SAME_NUMBERS),
    ),
    "a heavy tie that moved a little": (
        [0.0] * 900 + HUNDRED,
        [0.001] * 900 + HUNDRED,
        DRIFT,
        (
            (
                "DRIFT",
                (
                    BeyondLimit("psi", 7.8273, 0.25),
                    BeyondLimit("js", 0.8686, 0.1),
                    BeyondLimit("ks", 0.9, 0.1),
                ),
            ),
            "numeric",
            (1000, 1000),
            {**SAME_NUMBERS, "psi": 7.8273, "js": 0.8686, "ks": 0.9, "wasserstein": 0.0001},
        ),
    ),
    "integers against floats": (
        pa.array(range(100), pa.int16()),
        HUNDRED,
        OK,
        (OK, "numeric", (100, 100), SAME_NUMBERS),
    ),
    "numbers against words": (
        HUNDRED,
        [str(x) for x in HUNDRED],
        DRIFT,
        (
            ("DRIFT", (KindChanged("numeric", "categorical"),)),
            "categorical",
            (100, 100),
            {},
        ),
    ),
}


@pytest.mark.parametrize("how", ["table", "sketch"])
@pytest.mark.parametrize("name", CASES)
def test_all_that_is_said_of_an_awkward_column(name, how):
    before, after, data, feature = CASES[name]
    assert whole({"x": before}, {"x": after}, how) == (data, {"x": feature})


@pytest.mark.parametrize("how", ["table", "sketch"])
def test_all_that_is_said_of_columns_on_one_side_only(how):
    before, after = {"x": HUNDRED, "old": HUNDRED}, {"x": HUNDRED, "new": ["a"] * 100}
    assert whole(before, after, how) == (
        ("WARN", (FeaturesChanged(1, 1, 3),)),
        {
            "x": (OK, "numeric", (100, 100), SAME_NUMBERS),
            "old": (("DRIFT", (ColumnGone(),)), "numeric", (100, None), {}),
            "new": (("WARN", (ColumnNew(),)), "categorical", (None, 100), {}),
        },
    )


def test_a_million_categories_of_two_sketches_are_within_their_errors_of_none():
    numbers = np.arange(1_000_000)
    sides = []
    for order in (numbers, numbers[::-1]):
        sketch = TableSketch()
        for part in np.split(order, 10):
            sketch.add(pa.table({"x": pa.array(part).cast(pa.string())}))
        sides.append(sketch.summaries())
    (feature,) = compare(*sides).features
    assert (feature.verdict.value, feature.reasons) == OK
    assert (feature.n_baseline, feature.n_current) == (1_000_000, 1_000_000)
    assert feature.baseline["distinct"] == pytest.approx(1_000_000, rel=0.05)
    assert feature.baseline["distinct_is_estimate"] is True
    assert feature.metrics["l_infinity"].value <= feature.metrics["l_infinity"].error < 1e-4
