"""The result of each run of a pipeline, and the state of the pipeline, in plain words."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from tfx_wine_ext.artifacts.process import ALIVE, ENDED
from tfx_wine_ext.lineage.records import (
    Drift,
    History,
    MetricChange,
    MetricValue,
    Run,
    Score,
    difference,
    same_data,
)
from tfx_wine_ext.report.words.drift import label_of, metric_number
from tfx_wine_ext.report.words.features import changed
from tfx_wine_ext.report.words.glossary import EVALUATION, metric_label
from tfx_wine_ext.report.words.quantity import Quantity
from tfx_wine_ext.report.words.text import count, isolated, labels, number, pair, span_text, visible

_NAME_LIMIT = 60
_ERROR_LIMIT = 160


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a run can end.

    Args:
        label: Its label on the page.
        tone: The verdict whose colours it uses.
        meaning: What it means, for the legend.
    """

    label: str
    tone: str
    meaning: str


OUTCOMES: Mapping[str, Outcome] = {
    "pushed": Outcome("Pushed", "OK", "blessed and pushed: went to production"),
    "blessed": Outcome("Blessed", "OK", "good enough, not pushed"),
    "unblessed": Outcome("Not blessed", "WARN", "evaluated, and not good enough"),
    "stopped": Outcome("Stopped by the drift gate", "DRIFT", "the data drifted; nothing trained"),
    "failed": Outcome("Failed", "DRIFT", "a component ended with an error"),
    "canceled": Outcome("Canceled", "WARN", "ended by hand"),
    "running": Outcome("Running", "NO_BASELINE", "no end is recorded"),
    "died": Outcome("Died", "DRIFT", "its process ended and recorded no result"),
    "cached": Outcome("Cached", "NO_BASELINE", "nothing was new; earlier results hold"),
    "done": Outcome("Complete", "NO_BASELINE", "ended without an evaluation"),
}


def outcome(run: Run, trains: bool = True) -> str:
    """How a run ended: a key of `OUTCOMES`.

    Args:
        run: The run.
        trains: Whether the pipeline trains models at all. If it does, a condition on the drift gate
            stopped any run that ended in order without a model after its data drifted.
    """
    closed = run.drift is not None and run.drift.blessed is False
    if run.state == "FAILED":
        failed = [part.type for part in run.components if part.state == "FAILED"]
        by_gate = any(type_.rpartition(".")[2] == "DriftReport" for type_ in failed)
        return "stopped" if closed and by_gate else "failed"
    if run.state == "RUNNING" and run.process == ENDED:
        return "died"
    if run.state in ("RUNNING", "CANCELED", "CACHED"):
        return run.state.lower()
    if run.blessed is False:
        return "unblessed"
    if run.pushed is not None:
        return "pushed"
    if run.blessed:
        return "blessed"
    if closed and trains and run.model is None:
        return "stopped"
    return "done"


def change_words(
    metric: str, before: float, after: float, certain: bool = True, same_data: bool = True
) -> str:
    """How a metric changed, and whether the change is an improvement, if that is known.

    Args:
        metric: Its name.
        before: The earlier value of the metric.
        after: The later one.
        certain: Whether the change exceeds the error of both values; if not, it is not judged.
        same_data: Whether both were measured on the same data; if not, the change is not judged
            either.

    Example:
        >>> change_words("squared_pearson_correlation", 0.35, 0.33, certain=False)
        'down 0.02 (within the error)'
        >>> change_words("mean_squared_error", 0.5, 0.44)
        'down 0.06 (better)'
        >>> change_words("mean_squared_error", 0.5, 0.44, same_data=False)
        'down 0.06'
        >>> change_words("mean_label", 5.8, 5.8)
        'unchanged'
    """
    was, now = pair(before, after)
    if was == now:
        return "unchanged"
    better = EVALUATION[metric].better if metric in EVALUATION else 0
    better *= 1 if after > before else -1
    judged = {1: " (better)", -1: " (worse)", 0: ""}[better if same_data else 0]
    if not certain:
        judged = " (within the error)"
    return f"{'up' if after > before else 'down'} {number(abs(after - before), 2)}{judged}"


def moved_words(metric: MetricChange, data_changed: bool | None) -> str:
    """How a metric changed between two runs, and the parts of the data and of the model in that.

    Args:
        metric: The change of the metric, which both runs have.
        data_changed: Whether the two runs have different data; None if unknown.

    Example:
        >>> change = MetricChange("squared_pearson_correlation", 0.417, 0.332, baseline=0.276)
        >>> moved_words(change, True)
        'by the data down 0.14, by the model up 0.056 (better)'
    """
    name, before, baseline, after = metric.name, metric.before, metric.baseline, metric.after
    if before is None or after is None:
        return "—"
    if baseline is not None and data_changed:
        by_data = change_words(name, before, baseline, same_data=False)
        return f"by the data {by_data}, by the model {change_words(name, baseline, after)}"
    return change_words(name, before, after, metric.is_certain, same_data=not data_changed)


def values_text(metric: MetricChange) -> tuple[str, str, str, str]:
    """A metric before, of that model on the new data, and after; and the interval of the change.

    Example:
        >>> values_text(MetricChange("auc", 0.995741, 0.994682, lower=-0.1, upper=0.2))
        ('0.996', '—', '0.995', '-0.1 to 0.2')
    """
    before, after, interval = number(metric.before), number(metric.after), "—"
    if metric.before is not None and metric.after is not None:
        before, after = pair(metric.before, metric.after)
    if metric.lower is not None and metric.upper is not None:
        interval = f"{number(metric.lower)} to {number(metric.upper)}"
    return before, number(metric.baseline), after, interval


def means_text(score: Score) -> tuple[str, str]:
    """The means of a feature before and after.

    Example:
        >>> means_text(Score("pH", "OK", before=3.1, after=3.4)), means_text(Score("pH", "OK"))
        (('3.1', '3.4'), ('—', '—'))
    """
    if score.before is None or score.after is None:
        return number(score.before), number(score.after)
    return Quantity(score.time).pair(score.before, score.after)


def beyond_error(old: MetricValue, new: MetricValue) -> bool:
    """Whether two values differ by more than their intervals explain; True without intervals.

    Args:
        old: The earlier value.
        new: The later one.

    Example:
        >>> beyond_error(MetricValue(0.3, 0.25, 0.35), MetricValue(0.36, 0.31, 0.41))
        False
    """
    _, lower, upper = difference(old, new)
    return lower is None or upper is None or not lower <= 0 <= upper


def metric_text(run: Run, metric: str | None) -> str:
    """A run's metric; empty if the run has none."""
    value = metric_value(run.metrics, metric)
    return "" if value is None or metric is None else f"{metric_label(metric)} {number(value, 3)}"


def metric_change(runs: Sequence[Run], index: int, metric: str | None) -> str:
    """A run's metric and its change; empty if the run has none.

    If an evaluation compared the model with the previous one on the same data, the change is
    between these two. Otherwise it is the change since the last run with the metric, which is
    judged only if both runs had the same data.

    Args:
        runs: The runs, oldest first.
        index: The index of the run in `runs`.
        metric: Its name.
    """
    run = runs[index]
    said, value = metric_text(run, metric), metric_value(run.metrics, metric)
    if value is None or metric is None:
        return said
    earlier = (x for x in reversed(runs[:index]) if metric_value(x.metrics, metric) is not None)
    if metric_value(run.baseline_metrics, metric) is not None:
        old, same, since = run.baseline_metrics[metric], True, "the model before on the same data"
    elif (before := next(earlier, None)) is not None:
        old, same = before.metrics[metric], same_data(before, run) is True
        since = f"run {before.number}"
    else:
        return said
    assert old.value is not None
    certain = beyond_error(old, run.metrics[metric])
    return f"{said}, {change_words(metric, old.value, value, certain, same)} from {since}"


def metric_value(metrics: Mapping[str, MetricValue], name: str | None) -> float | None:
    """The value of a metric; None if it is not there.

    Example:
        >>> metric_value({"auc": MetricValue(0.8)}, "auc")
        0.8
    """
    metric = metrics.get(name or "")
    return None if metric is None else metric.value


def drift_words(drift: Drift) -> str:
    """How many features drifted, from which data, and which feature drifted most."""
    if drift.lost_baseline:
        return "nothing was compared: the files of the baseline were gone"
    if "unfit_baseline" in drift.reason_kinds:
        return "nothing was compared: what was found as the baseline was none"
    if drift.verdict == "NO_BASELINE":
        return "the data were the first of their kind: there was no baseline"
    since = "the baseline"
    if drift.baseline_span is not None:
        since = f"span {span_text(drift.baseline_span, drift.baseline_span_date)}"
    drifted, compared = drift.features_drifted, drift.features
    if drifted is None or compared is None:
        return f"the data were compared with {since}"
    if not drifted:
        return f"compared with {since}, {changed(0, drift.features_warned, compared)}"
    said = f"{changed(drifted, 0, compared)} from {since}"
    worst = min(drift.scores, key=lambda score: score.severity, default=None)
    if worst is None or worst.verdict != "DRIFT":
        return said
    name = isolated(visible(worst.feature, _NAME_LIMIT))
    return f"{said}; {name} most" if drifted > 1 else f"{said}: {name}"


def farthest(scores: Iterable[Score], limit: int = 3) -> tuple[str, ...]:
    r"""The features that drifted farthest, with a sentence for each.

    Args:
        scores: The scores of a drift report.
        limit: The most features to describe.

    Example:
        >>> score = Score("pH", "DRIFT", "ks", 0.6, 0.3, "up", 3.1, 3.4)
        >>> farthest([score])[0].replace("\u2068", "").replace("\u2069", "")
        'pH went up, on average from 3.1 to 3.4: Kolmogorov-Smirnov 0.6, limit 0.3.'
    """
    drifted = [score for score in worst_first(scores) if score.verdict == "DRIFT"]
    shown = labels((score.feature for score in drifted), _NAME_LIMIT)
    return tuple(_movement(score, shown[score.feature]) for score in drifted[:limit])


def worst_first(scores: Iterable[Score]) -> list[Score]:
    """Sorts scores by verdict, then by how far they are beyond chance and their limit."""
    return sorted(scores, key=lambda score: score.severity)


def _movement(score: Score, label: str) -> str:
    said, before, after = isolated(label), score.before, score.after
    if score.direction in ("up", "down") and before is not None and after is not None:
        was, now = Quantity(score.time).pair(before, after)
        said += f" went {score.direction}, on average from {was} to {now}"
    else:
        said += " drifted"
    if score.metric is None or score.score is None:
        return f"{said}."
    said += f": {label_of(score.metric)} {metric_number(score.metric, score.score)}"
    if score.threshold is not None:
        said += f", limit {metric_number(score.metric, score.threshold)}"
    return f"{said}."


def headline(history: History) -> str:
    """The state of the pipeline in one sentence: the result of its latest run."""
    runs = history.runs
    if not runs:
        return "The pipeline has not run yet."
    run = runs[-1]
    ending = outcome(run, trains(runs))
    name = f"Run {run.number}"
    if ending == "stopped" and run.drift is not None:
        return f"{name} was stopped by the drift gate: {drift_words(run.drift)}."
    if ending == "failed":
        return _failure(run)
    if ending in ("running", "died"):
        done = sum(part.state in ("COMPLETE", "CACHED") for part in run.components)
        how = {
            ALIVE: "is running",
            ENDED: "died, its process having ended without a result",
        }.get(run.process or "", "has no recorded end")
        return f"{name} {how}: {count(done, 'component')} done so far."
    said = {
        "canceled": "was canceled",
        "cached": "had nothing new to do: all of its results were there already",
        "unblessed": "is not blessed: its model is not good enough",
        "blessed": "is blessed and not pushed",
        "pushed": f"is {'blessed and ' if run.blessed else ''}pushed"
        f"{'' if run.blessed else ', without an evaluation'}",
    }.get(ending)
    if said is not None:
        measured = metric_change(runs, len(runs) - 1, history.metric)
        return f"{name} {said}; {measured}." if measured else f"{name} {said}."
    if run.model is None:
        return f"{name} is complete; it trained no model."
    return f"{name} is complete; its model was not evaluated."


def _failure(run: Run) -> str:
    part = next((part for part in run.components if part.state == "FAILED"), None)
    if part is None:
        return f"Run {run.number} failed."
    where = isolated(visible(part.id, _NAME_LIMIT))
    first = next((line for line in (part.error or "").splitlines() if line.strip()), "")
    why = f": {isolated(visible(first.strip().rstrip('.'), _ERROR_LIMIT))}" if first else ""
    return f"Run {run.number} failed in {where}{why}."


def trains(runs: Sequence[Run]) -> bool:
    """Whether the pipeline trains models, that is, some run has one."""
    return any(run.model is not None for run in runs)


def in_production(runs: Sequence[Run]) -> int | None:
    """Index of the run whose model is in production: the first run with the last pushed model.

    A run that took the push from the cache names the folder of an earlier push.

    Returns:
        The index; None if no model was ever pushed.
    """
    pushed = [run.pushed for run in runs]
    last = next((folder for folder in reversed(pushed) if folder is not None), None)
    return None if last is None else pushed.index(last)
