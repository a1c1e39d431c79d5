"""What a run of the pipeline did, with the keys of docs/summary.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tfx_wine_ext.lineage.evaluation import MetricValue
from tfx_wine_ext.lineage.runs import Drift, Model, Run

if TYPE_CHECKING:
    from examples.wine_quality.local_run import Tuning

R2 = "squared_pearson_correlation"
MSE = "mean_squared_error"


def summary(run: Run, tuning: Tuning | None = None) -> dict[str, Any]:
    """Returns rows, anomalies, drift, metrics, blessing, push, logs and cached components.

    Args:
        run: From `tfx_wine_ext.lineage`. A part that the run did not reach is None.
        tuning: The result of its Tuner; None if it had none.
    """
    return {
        "rows": run.examples and run.examples.rows and dict(run.examples.rows),
        "anomalies": run.examples and run.examples.anomalies,
        "drift": run.drift and _drift(run.drift),
        "tune": tuning and {"trials": tuning.trials, "r2": tuning.score, "best": dict(tuning.best)},
        "warm_start": run.model and _warm_start(run.model),
        "r2": metric(run.metrics, R2),
        "mse": metric(run.metrics, MSE),
        "blessed": run.blessed,
        "pushed": run.pushed,
        "logs": run.model and run.model.logs,
        "cached": [each.id for each in run.components if each.state == "CACHED"],
    }


def metric(metrics: Mapping[str, MetricValue], name: str) -> float | None:
    """Returns the value of a metric, or None."""
    return metrics[name].value if name in metrics else None


def _drift(drift: Drift) -> dict[str, Any]:
    return {
        "verdict": drift.verdict,
        "baseline_span": drift.baseline_span,
        "features": drift.features,
        "features_drifted": drift.features_drifted,
        "features_warned": drift.features_warned,
        "report": drift.report,
        **({} if drift.lost_baseline is None else {"lost_baseline": drift.lost_baseline}),
    }


def _warm_start(model: Model) -> dict[str, Any] | None:
    if model.warm is None:
        return None
    return {
        "warm": model.warm,
        "reason": model.reason,
        "generation": model.generation,
        "steps": model.steps,
        "total_steps": model.total_steps,
    }
