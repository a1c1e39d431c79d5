"""Reports as they are stored, small enough to be read, for the tests of the pages."""

from __future__ import annotations

import copy

CONFIG = {
    "thresholds": {
        "psi": {"fail": 0.25, "warn": 0.1},
        "js": {"fail": 0.1, "warn": None},
        "ks": {"fail": 0.1, "warn": None},
        "wasserstein": {"fail": 0.1, "warn": None},
        "chi_square": {"fail": 0.2, "warn": None},
        "l_infinity": {"fail": 0.1, "warn": None},
        "unseen_mass": {"fail": 0.01, "warn": 0.0},
        "missing_rate": {"fail": 0.05, "warn": None},
        "infinite_rate": {"fail": None, "warn": None},
    },
    "features": {"pH": {"ks": {"fail": 0.2, "warn": None}}},
    "critical": ["alcohol"],
    "importances": {"alcohol": 0.75, "pH": 0.25},
    "ignore": [],
    "categorical": [],
    "q": 0.05,
    "share": 0.5,
    "aggregate": 0.2,
    "min_count": 20,
}
SPAN_1 = {
    "name": "span 1, split train",
    "rows": 3262,
    "uri": "/pipelines/wine/examples/1",
    "split": "train",
    "span": 1,
    "version": 0,
    "created": "2026-11-23T06:12:00+00:00",
}
SPAN_2 = {**SPAN_1, "name": "span 2, split train", "rows": 1448, "span": 2, "uri": None}


def metric(value, verdict="OK", *, threshold=0.1, warn=None, error=0.0, floor=0.05, q=0.5, **more):
    return {
        "value": value,
        "error": error,
        "noise_floor": floor,
        "p_value": q / 2,
        "q_value": q,
        "threshold": threshold,
        "warn": warn,
        "verdict": verdict,
        "details": more,
    }


def numbers(n, missing, minimum, p25, median, p75, maximum, mean, std, **not_finite):
    return {
        "n": n,
        "missing": missing,
        "nan": 0,
        "negative_infinity": 0,
        "positive_infinity": 0,
        "min": minimum,
        "p25": p25,
        "median": median,
        "p75": p75,
        "max": maximum,
        "mean": mean,
        "std": std,
        **not_finite,
    }


def feature(name, kind="numeric", verdict="OK", **parts):
    return {
        "name": name,
        "kind": kind,
        "verdict": verdict,
        "reasons": [],
        "n_baseline": 3262,
        "n_current": 1448,
        "metrics": {},
        "baseline": None,
        "current": None,
        "histogram": None,
        **parts,
    }


ALCOHOL = feature(
    "alcohol",
    verdict="DRIFT",
    reasons=["wasserstein is 0.378, and its limit is 0.1", "ks is 0.223, and its limit is 0.1"],
    metrics={
        "missing_rate": metric(0.031, threshold=0.05, floor=0.002, reference=0.0, current=0.031),
        "psi": metric(0.225, "WARN", threshold=0.25, warn=0.1, q=1e-9),
        "ks": metric(0.223, "DRIFT", floor=0.0451, q=1e-12),
        "wasserstein": metric(0.378, "DRIFT", floor=0.0663, q=1e-12),
    },
    baseline=numbers(3262, 0, 8.0, 9.4, 10.4, 11.4, 14.2, 10.5, 1.25),
    current=numbers(1448, 45, 8.0, 9.3, 9.8, 10.5, 14.9, 10.1, 1.06),
    histogram={
        "kind": "numeric",
        "edges": [8.5, 9.5, 10.5, 11.5, 12.5, 13.5],
        "baseline": [900, 800, 700, 500, 300],
        "current": [600, 450, 200, 100, 40],
        "below": [32, 0],
        "above": [30, 13],
        "integers": False,
    },
)
QUALITY = feature(
    "quality",
    verdict="WARN",
    reasons=["psi is 0.15, and its limit is 0.1"],
    metrics={"psi": metric(0.15, "WARN", threshold=0.25, warn=0.1, q=0.001)},
    baseline=numbers(100, 0, 5, 5, 6, 6, 7, 5.9, 0.7),
    current=numbers(100, 0, 5, 6, 6, 7, 7, 6.2, 0.8),
    histogram={
        "kind": "numeric",
        "edges": [4.5, 5.5, 6.5, 7.5],
        "baseline": [30, 50, 20],
        "current": [20, 40, 40],
        "below": [0, 0],
        "above": [0, 0],
        "integers": True,
    },
)
GRAPE = feature(
    "grape",
    kind="categorical",
    verdict="DRIFT",
    reasons=["unseen_mass is 0.05, and its limit is 0.01"],
    metrics={
        "chi_square": metric(0.12, threshold=0.2),
        "unseen_mass": metric(
            0.05, "DRIFT", threshold=0.01, warn=0.0, floor=0.001, q=1e-9, expected_by_chance=0.0004
        ),
    },
    baseline={"n": 1000, "missing": 0, "distinct": 30},
    current={"n": 1000, "missing": 0, "distinct": 31},
    histogram={
        "kind": "categorical",
        "values": ["Riesling", "Merlot", "", "Zweigelt", "Syrah"],
        "baseline": [600, 200, 100, 0, 20],
        "current": [500, 210, 90, 50, 0],
        "other": [80, 150],
    },
)
PH = feature(
    "pH",
    metrics={"ks": metric(0.012, threshold=0.2, floor=0.0451)},
    baseline=numbers(3262, 0, 2.7, 3.1, 3.2, 3.3, 3.9, 3.2, 0.15),
    current=numbers(1448, 0, 2.8, 3.1, 3.2, 3.3, 3.9, 3.2, 0.15),
    histogram={
        "kind": "numeric",
        "edges": [2.5, 3.0, 3.5, 4.0],
        "baseline": [300, 2700, 262],
        "current": [130, 1200, 118],
        "below": [0, 0],
        "above": [0, 0],
        "integers": False,
    },
)
GONE = feature(
    "sulphates",
    verdict="DRIFT",
    reasons=["the column is gone"],
    n_current=None,
    baseline=PH["baseline"],
    histogram={**PH["histogram"], "current": None, "below": [0, None], "above": [0, None]},
)
NEW = feature(
    "vintage",
    kind="categorical",
    verdict="WARN",
    reasons=["the column is new"],
    n_baseline=None,
    current={"n": 1448, "missing": 8, "distinct": 2},
    histogram={
        "kind": "categorical",
        "values": ["2019", "2020"],
        "baseline": None,
        "current": [1000, 440],
        "other": [None, 0],
    },
)
FEW = feature(
    "residual sugar",
    verdict="INCONCLUSIVE",
    reasons=["3262 and 12 values, and at least 20 are needed"],
    n_current=12,
    baseline=PH["baseline"],
    current=numbers(12, 0, 2.8, 3.1, 3.2, 3.3, 3.9, 3.2, 0.15),
    histogram={**PH["histogram"], "current": [4, 4, 4]},
)
STRADDLING = feature(
    "density",
    verdict="INCONCLUSIVE",
    reasons=["ks is 0.098 with an error of up to 0.01, and its limit is 0.1"],
    metrics={"ks": metric(0.098, "INCONCLUSIVE", error=0.01, q=1e-6)},
    baseline=PH["baseline"],
    current=PH["current"],
    histogram=PH["histogram"],
)
MULTIVARIATE = {
    "auc": 0.712,
    "ci_low": 0.69,
    "ci_high": 0.734,
    "confidence": 0.95,
    "threshold": 0.6,
    "p_value": 0.0004,
    "verdict": "DRIFT",
    "n_baseline": 3262,
    "n_current": 1448,
    "importances": [{"name": "alcohol", "value": 0.41}, {"name": "pH", "value": 0.0}],
}


def document(verdict, features, **parts):
    return copy.deepcopy(
        {
            "format_version": 1,
            "verdict": verdict,
            "reasons": [],
            "share_drifted": 0.0,
            "aggregate": None,
            "method": "exact",
            "created": "2026-11-24T23:30:00+00:00",
            "baseline": SPAN_1,
            "current": SPAN_2,
            "multivariate": None,
            "features": features,
            "config": CONFIG,
            **parts,
        }
    )


def without_baseline(of):
    """The same feature, with nothing to compare with."""
    histogram = {**of["histogram"], "baseline": None}
    for key in {"below", "above", "other"} & set(histogram):
        histogram[key] = [None, histogram[key][1]]
    nothing = {"reasons": [], "metrics": {}, "baseline": None, "n_baseline": None}
    return {**of, **nothing, "verdict": "NO_BASELINE", "histogram": histogram}


DRIFTED = document(
    "DRIFT",
    [PH, ALCOHOL, QUALITY, GRAPE, GONE, NEW],
    reasons=["alcohol, which is critical, drifted", "3 of 6 features drifted"],
    share_drifted=0.5,
    aggregate=0.21,
    multivariate=MULTIVARIATE,
)
OK = document("OK", [PH])
NO_BASELINE = document(
    "NO_BASELINE",
    [without_baseline(ALCOHOL), without_baseline(GRAPE)],
    reasons=["there is no baseline"],
    baseline=None,
)
INCONCLUSIVE = document(
    "INCONCLUSIVE",
    [FEW, STRADDLING, PH],
    reasons=["2 of 3 features cannot be judged"],
    method="sketch",
)

# What must stay text: markup, code, ends of attributes and scripts, turned and unseen characters.
SCRIPT = "</script><script>document.title='owned'</script>"
IMAGE = '"><img src=x onerror="document.title=\'owned\'">'
QUOTES = "javascript:alert('\"`') {{ 7 * 7 }} ${7} %} &lt;b&gt;"
TURNED = "\u202egnp.exe\u2066\u200f"
CONTROLS = "a\x00b\x1b[31m\r\n\t\x7f\x85\u2028\ud800"
HEBREW = "יין אדום, 12 (לבן)"  # noqa: RUF001
LONG = "long_" + "x" * 10_000
HOSTILE_TEXTS = (SCRIPT, IMAGE, QUOTES, TURNED, CONTROLS, HEBREW, LONG, "", "   ")
HOSTILE = document(
    "DRIFT",
    [
        *({**ALCOHOL, "name": text} for text in HOSTILE_TEXTS),
        {
            **GRAPE,
            "histogram": {
                "kind": "categorical",
                "values": [text[:200] for text in HOSTILE_TEXTS],
                "baseline": [9, 8, 7, 6, 5, 4, 3, 2, 1],
                "current": [1, 2, 3, 4, 5, 6, 7, 8, 9],
                "other": [0, 0],
            },
        },
        {**GONE, "reasons": [f"{text} is gone" for text in HOSTILE_TEXTS], "name": "reasons"},
    ],
    reasons=[f"{text}, which is critical, drifted" for text in HOSTILE_TEXTS],
    baseline={**SPAN_1, "name": SCRIPT, "uri": IMAGE, "split": TURNED},
    current={**SPAN_2, "name": LONG, "uri": f"javascript:{QUOTES}", "split": CONTROLS},
    multivariate={
        **MULTIVARIATE,
        "importances": [{"name": text, "value": 0.1} for text in HOSTILE_TEXTS],
    },
    config={
        **CONFIG,
        "critical": list(HOSTILE_TEXTS),
        "importances": dict.fromkeys(HOSTILE_TEXTS, 1.0),
        "features": {text: {"ks": {"fail": 0.2, "warn": None}} for text in HOSTILE_TEXTS},
    },
)


def _binned(name, index):
    """A feature with as many bins, metrics and digits as a real one has."""
    counts = [round(1000 * 0.9**i) + index for i in range(40)]
    return {
        **ALCOHOL,
        "name": name,
        "reasons": [f"{metric} is too high" for metric in ("psi", "js", "ks", "wasserstein")],
        "metrics": {
            "missing_rate": metric(0.0, threshold=0.05),
            "psi": metric(0.312345 + index, "DRIFT", threshold=0.25, warn=0.1, floor=0.00677, q=0),
            "js": metric(0.234567, "DRIFT", floor=0.0349, error=0.002, q=0.00001),
            "ks": metric(0.232323, "DRIFT", floor=0.0272, error=0.002, q=0.00001),
            "infinite_rate": metric(0.0, threshold=0.05),
            "wasserstein": metric(0.671 - index / 1000, "DRIFT", floor=0.0512, q=0.00001),
        },
        "histogram": {
            "kind": "numeric",
            "edges": [1.2345 + index + i * 0.34567 for i in range(41)],
            "baseline": counts,
            "current": counts[::-1],
            "below": [50, 3],
            "above": [3, 50],
            "integers": False,
        },
    }


HUNDRED = document(
    "DRIFT",
    [_binned(f"measurement_{i:03}", i) for i in range(100)],
    share_drifted=1.0,
    reasons=["100 of 100 features drifted"],
)
_DAY = 86_400_000_000
_HEAD, _TAIL = "sensor_of_the_tank_in_the_cellar_" * 3, "_as_measured_in_degrees_celsius" * 3
# Names that differ in the middle only, long numbers, dates, ids, many categories, and noise.
AWKWARD = document(
    "DRIFT",
    [
        *({**ALCOHOL, "name": f"{_HEAD}{i}{_TAIL}"} for i in range(4)),
        {
            **ALCOHOL,
            "name": "huge",
            "baseline": numbers(3262, 0, *[-1_234_567_890_123.0] * 6, 1e9),
            "current": numbers(1448, 0, *[-1_234_567_890_124.0] * 6, 1e9),
        },
        {
            **ALCOHOL,
            "name": "tiny",
            "baseline": numbers(3262, 0, -3e-7, -2.5e-7, -2.345e-7, -1.1e-7, -1e-8, -2e-7, 1e-9),
            "current": numbers(1448, 0, -6e-7, -5.1e-7, -4.678e-7, -2.2e-7, -2e-8, -4e-7, 2e-9),
        },
        {
            **PH,
            "name": "bottled_at",
            "time": "timestamp",
            "growth": {"certain": True, "judged": False},
            "metrics": {"ks": {**metric(1.0, threshold=None), "q_value": None}},
            "baseline": numbers(
                3262, 0, *(x * _DAY for x in (20454, 20460.3, 20469, 20476.7, 20483, 20469, 8.7))
            ),
            "current": numbers(
                1448, 0, *(x * _DAY for x in (20484, 20490.1, 20499, 20506.2, 20513, 20499, 8.7))
            ),
            "histogram": {
                **PH["histogram"],
                "edges": [x * _DAY for x in (20454, 20474, 20493, 20513)],
                "above": [0, 9],
                "below": [9, 0],
            },
        },
        {
            **GRAPE,
            "histogram": {
                "kind": "categorical",
                "values": [f"{_HEAD}{i}{_TAIL}"[:200] for i in range(20)],
                "unlisted": 480,
                "baseline": [10] * 20,
                "current": [9] * 19 + [200],
                "other": [4000, 4000],
            },
        },
        {**PH, "name": "noise", "metrics": {"ks": metric(0.4, floor=0.45, q=0.3)}},
    ],
    reasons=["7 of 9 features drifted"],
    reason_kinds=["share"],
    share_drifted=7 / 9,
)
ALL = {
    "awkward": AWKWARD,
    "drifted": DRIFTED,
    "ok": OK,
    "no_baseline": NO_BASELINE,
    "inconclusive": INCONCLUSIVE,
    "hostile": HOSTILE,
    "hundred": HUNDRED,
}
