"""Histories of a pipeline as they are stored, for the tests of their page."""

from __future__ import annotations

import copy
import datetime
import math

from tests.report.documents import HOSTILE_TEXTS, IMAGE, SCRIPT, TURNED

R2, MSE = "squared_pearson_correlation", "mean_squared_error"


def component(id_, execution, state="COMPLETE", seconds=0.5, error=None, type_=None):
    return {
        "id": id_,
        "type": type_ or f"tfx.components.{id_}",
        "execution": execution,
        "state": state,
        "started": "2026-11-25T02:22:54+00:00",
        "seconds": seconds,
        "error": error,
    }


def score(feature, verdict, metric, value, limit, direction=None, before=None, after=None):
    return {
        "feature": feature,
        "verdict": verdict,
        "metric": metric,
        "score": value,
        "threshold": limit,
        "direction": direction,
        "before": before,
        "after": after,
    }


def run(number, started="2026-11-25T02:22:54+00:00", **parts):
    """A run of which nothing is known but that it ended in order."""
    return {
        "run": started.replace("+00:00", ".507526"),
        "number": number,
        "pipeline": "wine_quality",
        "started": started,
        "finished": None,
        "state": "COMPLETE",
        "components": [],
        "examples": None,
        "drift": None,
        "model": None,
        "metrics": {},
        "baseline_metrics": {},
        "baseline_model_id": None,
        "evaluation": None,
        "blessed": None,
        "pushed": None,
        "parameters": {},
        **parts,
    }


def change(name, before, after, lower=None, upper=None, baseline=None):
    """How one metric changed, of which the earlier model may be known on the later data."""
    known = baseline is not None
    return {
        "name": name,
        "before": before,
        "after": after,
        "change": after - before,
        "lower": lower,
        "upper": upper,
        "baseline": baseline,
        "by_data": baseline - before if known else None,
        "by_model": after - baseline if known else None,
    }


def moved(before, after, **parts):
    return {
        "before": "before",
        "after": "after",
        "before_number": before,
        "after_number": after,
        "source": None,
        "features": [],
        "rows": {"before": None, "after": None},
        "data_changed": None,
        "schema_changed": None,
        "settings": [],
        "components": {"added": [], "removed": []},
        "metrics": [],
        "blessed": {"before": None, "after": None},
        "pushed": {"before": None, "after": None},
        "sentences": [],
        **parts,
    }


def history(runs, changes=None, features=(), **parts):
    if changes is None:
        changes = [moved(a["number"], b["number"]) for a, b in zip(runs, runs[1:])]
    return copy.deepcopy(
        {
            "pipeline": "wine_quality",
            "store": "metadata.db",
            "created": "2026-11-25T02:40:00+00:00",
            "library": "tfx_wine_ext 0.4",
            "metric": R2,
            "runs": list(runs),
            "moved": changes,
            "features": list(features),
            "correlations": [],
            "correlation_note": "",
            **parts,
        }
    )


def examples(id_, span, train, evaluated):
    return {
        "id": id_,
        "uri": f"/pipelines/wine/ParquetExampleGen/examples/{id_}",
        "span": span,
        "version": None,
        "rows": {"train": train, "eval": evaluated},
        "content_fingerprint": f"c0ffee{span}",
        "schema_fingerprint": "5c4e3a",
        "anomalies": 0,
    }


def drift(id_, verdict, baseline, drifted, scores, blessed=True, reasons=(), kinds=()):
    return {
        "id": id_,
        "uri": f"/pipelines/wine/DriftReport/report/{id_}",
        "report": f"/pipelines/wine/DriftReport/report/{id_}/drift_report.html",
        "verdict": verdict,
        "blessed": blessed,
        "baseline_span": baseline,
        "features": 4,
        "features_drifted": drifted,
        "share_drifted": drifted / 4,
        "reasons": list(reasons),
        "reason_kinds": list(kinds),
        "scores": scores,
    }


def model(id_, warm, reason, generation, base=None):
    return {
        "id": id_,
        "uri": f"/pipelines/wine/WarmStartTrainer/model/{id_}",
        "kind": "examples.wine_quality.trees_trainer.run_fn",
        "warm": warm,
        "reason": reason,
        "base_model_id": base,
        "generation": generation,
        "steps": 200,
        "total_steps": 300 + 200 * generation,
        "hyperparameters": {"num_trees": 300, "shrinkage": 0.1},
        "logs": f"/pipelines/wine/WarmStartTrainer/model_run/{id_}",
    }


def metrics(r2, mse, interval=None):
    low, high = (None, None) if interval is None else (r2 - interval, r2 + interval)
    return {
        R2: {"value": r2, "lower": low, "upper": high},
        MSE: {"value": mse, "lower": None, "upper": None},
    }


def parts_of(first, gate="COMPLETE", rest="COMPLETE", error=None):
    names = ["ParquetExampleGen", "StatisticsGen", "SchemaGen", "DriftReport"]
    after = ["Transform", "WarmStartTrainer", "Evaluator", "Pusher"]
    seconds = [0.14, 2.27, 0.02, 0.17, 3.84, 0.94, 2.13, 0.02]
    found = [component(n, first + i, seconds=seconds[i]) for i, n in enumerate(names)]
    found[3].update(
        type="tfx_wine_ext.components.drift_report.DriftReport", state=gate, error=error
    )
    if gate == "COMPLETE":
        found += [
            component(n, first + 4 + i, rest, seconds[4 + i] if rest == "COMPLETE" else 0.01)
            for i, n in enumerate(after)
        ]
    return found


SCORES_2 = [
    score("alcohol", "WARN", "psi", 0.15, 0.1, "down", 10.5, 10.3),
    score("pH", "OK", "ks", 0.03, 0.1, "up", 3.2, 3.22),
    score("grape", "OK", "unseen_mass", 0.0, 0.01),
    score("density", "INCONCLUSIVE", "ks", 0.098, 0.1, "up", 0.994, 0.995),
]
SCORES_3 = [
    score("alcohol", "OK", "wasserstein", 0.05, 0.1, "up", 10.3, 10.4),
    score("pH", "OK", "ks", 0.02, 0.1, "down", 3.22, 3.21),
    score("grape", "OK", "unseen_mass", 0.002, 0.01),
    score("density", "OK", "ks", 0.08, 0.1, "up", 0.994, 0.995),
]
SCORES_5 = [
    score("alcohol", "DRIFT", "wasserstein", 0.451, 0.1, "down", 10.5, 9.8),
    score("density", "DRIFT", "ks", 0.25, 0.1, "up", 0.994, 0.997),
    score("grape", "DRIFT", "unseen_mass", 0.015, 0.01),
    score("pH", "OK", "ks", 0.02, 0.1, "up", 3.2, 3.21),
]
GATE_ERROR = (
    "RuntimeError: The drift gate is closed: DRIFT: 3 of 4 features drifted.\n"
    "Look at /pipelines/wine/DriftReport/stopped/55/drift_report.html"
)
RUN_1 = run(
    1,
    components=parts_of(3),
    examples=examples(1, 1, 1105, 558),
    drift=drift(
        7,
        "NO_BASELINE",
        None,
        0,
        [score(n, "NO_BASELINE", None, None, None) for n in ("alcohol", "pH", "grape", "density")],
        reasons=["there is no baseline"],
        kinds=["no_baseline"],
    ),
    model=model(9, False, "Cold start: there is no blessed model yet.", 0),
    metrics=metrics(0.35, 0.512, 0.05),
    evaluation={"id": 11, "uri": "/pipelines/wine/Evaluator/evaluation/11"},
    blessed=True,
    pushed="/pipelines/wine/serving/1795573384",
)
RUN_2 = run(
    2,
    "2026-11-25T02:23:11+00:00",
    components=parts_of(15),
    examples=examples(13, 2, 1075, 541),
    drift=drift(19, "WARN", 1, 0, SCORES_2),
    model=model(22, True, "Warm start from model 9, the latest blessed one: generation 1.", 1, 9),
    metrics=metrics(0.33, 0.54, 0.05),
    baseline_metrics={R2: {"value": 0.31, "lower": None, "upper": None}},
    baseline_model_id=9,
    evaluation={"id": 23, "uri": "/pipelines/wine/Evaluator/evaluation/23"},
    blessed=False,
)
RUN_3 = run(
    3,
    "2026-11-25T02:23:27+00:00",
    components=parts_of(27),
    examples=examples(27, 3, 1082, 551),
    drift=drift(31, "OK", 2, 0, SCORES_3),
    model=model(34, True, "Warm start from model 9, the latest blessed one: generation 1.", 1, 9),
    metrics=metrics(0.41, 0.48, 0.04),
    evaluation={"id": 35, "uri": "/pipelines/wine/Evaluator/evaluation/35"},
    blessed=True,
    pushed="/pipelines/wine/serving/1795573417",
)
RUN_4 = {
    **RUN_3,
    **{"number": 4, "started": "2026-11-25T02:23:44+00:00", "run": "2026-11-25T02:23:44.198449"},
    "state": "CACHED",
    "components": parts_of(39, rest="CACHED"),
}
RUN_5 = run(
    5,
    "2026-11-26T02:23:54+00:00",
    state="FAILED",
    components=parts_of(51, gate="FAILED", error=GATE_ERROR),
    examples=examples(51, 4, 1606, 540),
    drift={
        **drift(55, "DRIFT", 3, 3, SCORES_5, False, ["3 of 4 features drifted"], ["share"]),
        "id": None,
        "report": "/pipelines/wine/DriftReport/stopped/55/drift_report.html",
    },
)


def _over_runs(name, *scores):
    """One feature over the runs, from its scores."""
    of = [next((s for s in found if s["feature"] == name), None) for found in scores]
    pick = {"scores": "score", "limits": "threshold", "verdicts": "verdict", "metrics": "metric"}
    return {"name": name, **{k: [s and s[v] for s in of] for k, v in pick.items()}}


ALL_SCORES = (RUN_1["drift"]["scores"], SCORES_2, SCORES_3, SCORES_3, SCORES_5)
STOPPED = history(
    [RUN_1, RUN_2, RUN_3, RUN_4, RUN_5],
    [
        moved(
            1,
            2,
            source="drift report",
            features=SCORES_2,
            rows={"before": {"train": 1105, "eval": 558}, "after": {"train": 1075, "eval": 541}},
            data_changed=True,
            schema_changed=False,
            metrics=[
                change(R2, 0.35, 0.33, -0.09, 0.05, baseline=0.31),
                change(MSE, 0.512, 0.54),
            ],
            sentences=["R2 fell by 0.02 (0.35 to 0.33).", "1 of 4 features moved: alcohol down."],
        ),
        moved(
            2,
            3,
            source="drift report",
            features=SCORES_3,
            data_changed=True,
            schema_changed=True,
            settings=[
                {
                    "component": "WarmStartTrainer",
                    "parameter": "num_trees",
                    "before": 200,
                    "after": 300,
                }
            ],
            components={"added": ["ExampleValidator"], "removed": []},
            sentences=["R2 rose by 0.08 (0.33 to 0.41).", "No feature moved."],
        ),
        moved(3, 4, data_changed=False, sentences=["Nothing changed."]),
        moved(
            4,
            5,
            source="drift report",
            features=SCORES_5,
            data_changed=True,
            sentences=["3 of 4 features moved; most: alcohol down from 10.5 to 9.8."],
        ),
    ],
    [_over_runs(name, *ALL_SCORES) for name in ("alcohol", "density", "grape", "pH")],
    correlations=[
        {"feature": "alcohol", "metric": R2, "rho": None, "n": 3, "p_value": None},
        {"feature": "pH", "metric": R2, "rho": None, "n": 3, "p_value": None},
    ],
    correlation_note="Rank correlation over 3 runs with both; 4 are needed.",
)
FIRST = history([RUN_1], features=[_over_runs("alcohol", RUN_1["drift"]["scores"])])
EMPTY = history([], metric=None)
PUSHED = history([RUN_1, RUN_2, RUN_3], STOPPED["moved"][:2])
CACHED = history([RUN_1, RUN_2, RUN_3, RUN_4], STOPPED["moved"][:3])
FAILED = history(
    [
        RUN_1,
        run(
            2,
            "2026-11-25T02:23:11+00:00",
            state="FAILED",
            components=[
                component("ParquetExampleGen", 15),
                component(
                    "Trainer",
                    16,
                    "FAILED",
                    1.5,
                    "ValueError: The column 'alcohol' is missing.\n  in trainer.py, line 7",
                ),
            ],
        ),
    ]
)
# A pipeline without one component of this library.
PLAIN = history(
    [
        run(
            number,
            f"2026-11-2{number}T06:00:00+00:00",
            components=[component("Trainer", number), component("Evaluator", 10 + number)],
            model={
                **dict.fromkeys(
                    ("kind", "warm", "reason", "base_model_id", "generation", "steps"), None
                ),
                **dict.fromkeys(("total_steps", "hyperparameters", "logs"), None),
                "id": number,
                "uri": f"/plain/{number}",
            },
            metrics={"accuracy": {"value": 0.9 + number / 100, "lower": None, "upper": None}},
            blessed=True,
        )
        for number in (1, 2)
    ],
    metric="accuracy",
)


def many(runs, features=12):
    """Numbers as those of a pipeline that runs every night: each as long as real ones are."""
    first = datetime.datetime(2026, 1, 1, 2, 23, tzinfo=datetime.timezone.utc)
    names = [f"measurement_{i:02}" for i in range(features)]
    found, scores_of = [], []
    for i in range(runs):
        started = (first + datetime.timedelta(days=i)).isoformat()
        factor = 1.3 + math.sin(i / 9) + (2.5 if i % 41 == 40 else 0)
        scores = []
        for j, name in enumerate(names):
            value = round(0.1234567 * factor * (1 - j / (features + 1)), 6)
            verdict = "DRIFT" if value >= 0.2 else "WARN" if value >= 0.16 else "OK"
            scores.append(score(name, verdict, "wasserstein", value, 0.2, "up", 1.25 + j, 1.5 + j))
        drifted = sum(s["verdict"] == "DRIFT" for s in scores)
        number, stopped = i + 1, i % 41 == 40
        report = drift(i, "DRIFT" if drifted else "OK", i, drifted, scores, not stopped)
        report.update(features=features)
        parts = {"components": parts_of(12 * i), "examples": examples(i, i + 1, 1105 + i, 551)}
        if stopped:
            parts.update(state="FAILED", components=parts_of(12 * i, "FAILED", error=GATE_ERROR))
        else:
            cold = i % 30 == 0
            r2 = 0.45 - 0.05 * factor + 0.02 * math.sin(i)
            parts.update(
                model=model(
                    i, not cold, "Cold start." if cold else "Warm start.", 0 if cold else i % 30
                ),
                metrics=metrics(round(r2, 6), round(0.9 - r2, 6), 0.03),
                blessed=i % 7 != 3,
                pushed=f"/pipelines/wine/serving/{i}" if i % 7 != 3 else None,
            )
        found.append(run(number, started, drift=report, **parts))
        scores_of.append(scores)
    changes = [
        moved(
            a["number"],
            b["number"],
            source="drift report",
            features=b["drift"]["scores"],
            data_changed=True,
            metrics=[change(R2, *(x["metrics"][R2]["value"] for x in (a, b)), -0.08, 0.08)]
            if a["metrics"] and b["metrics"]
            else [],
            sentences=["The data are those of the next day."],
        )
        for a, b in zip(found, found[1:])
    ]
    correlations = [
        {"feature": name, "metric": R2, "rho": 0.9 - i / 10, "n": runs, "p_value": 0.001 * i}
        for i, name in enumerate(names)
    ]
    return history(
        found,
        changes,
        [_over_runs(name, *scores_of) for name in names],
        correlations=correlations,
        correlation_note=f"Rank correlation over {runs} runs; not a cause.",
    )


def _hostile():
    number = len(HOSTILE_TEXTS)
    text_scores = [
        score(text, "DRIFT", text or "ks", 0.5, 0.1, "up", 1.0, 2.0) for text in HOSTILE_TEXTS
    ]
    first, last = copy.deepcopy(RUN_1), copy.deepcopy(RUN_5)
    for i, each in enumerate((first, last)):
        each["run"] = SCRIPT
        each["number"] = i + 1
        each["drift"].update(scores=text_scores, reasons=list(HOSTILE_TEXTS), report=IMAGE)
        each["metrics"] = {
            text: {"value": 0.1, "lower": 0.0, "upper": 0.2} for text in (R2, *HOSTILE_TEXTS)
        }
        each["components"] = [
            component(text, 1, "FAILED", error=text, type_=text) for text in HOSTILE_TEXTS
        ]
        each["examples"].update(uri=SCRIPT, rows=dict.fromkeys(HOSTILE_TEXTS, 1))
        each["started"] = IMAGE
    first["model"].update(
        kind=SCRIPT,
        reason=TURNED,
        logs=f"javascript:{IMAGE}",
        hyperparameters={text: text for text in HOSTILE_TEXTS},
    )
    first["pushed"] = SCRIPT
    to_last = moved(
        1,
        2,
        source="statistics",
        features=text_scores,
        rows={"before": dict.fromkeys(HOSTILE_TEXTS, 2), "after": None},
        settings=[
            {"component": text, "parameter": text, "before": text, "after": [text]}
            for text in HOSTILE_TEXTS
        ],
        components={"added": list(HOSTILE_TEXTS), "removed": list(HOSTILE_TEXTS)},
        metrics=[change(text, 1.0, 2.0, 0.0, 2.0) for text in HOSTILE_TEXTS],
        sentences=list(HOSTILE_TEXTS),
    )
    return history(
        [first, last],
        [to_last],
        [_over_runs(text, text_scores, text_scores) for text in HOSTILE_TEXTS],
        pipeline=SCRIPT,
        store=IMAGE,
        created=TURNED,
        library=SCRIPT,
        correlations=[
            {"feature": text, "metric": text, "rho": 0.5, "n": number, "p_value": 0.2}
            for text in HOSTILE_TEXTS
        ],
        correlation_note=SCRIPT,
    )


HOSTILE = _hostile()
HISTORIES = {
    "empty": EMPTY,
    "first": FIRST,
    "pushed": PUSHED,
    "stopped": STOPPED,
    "cached": CACHED,
    "failed": FAILED,
    "plain": PLAIN,
    "hostile": HOSTILE,
    "two_hundred": many(200, 50),
}
