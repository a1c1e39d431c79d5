"""The result of each run of a pipeline, and the state of the pipeline, in plain words."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfx_wine_ext.artifacts.process import ALIVE, ENDED
from tfx_wine_ext.drift.ranking import WORST_FIRST, nearness
from tfx_wine_ext.drift.words import changed
from tfx_wine_ext.lineage.comparison import interval_of_change, same_examples
from tfx_wine_ext.report.words.drift import label_of, metric_number
from tfx_wine_ext.report.words.glossary import EVALUATION, metric_label
from tfx_wine_ext.report.words.quantity import Quantity
from tfx_wine_ext.report.words.text import count, isolated, labels, number, pair, span_text, visible

Json = Mapping[str, Any]

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


def outcome(run: Json, trains: bool = True) -> str:
    """How a run ended: a key of `OUTCOMES`.

    Args:
        run: One of the document's runs.
        trains: Whether the pipeline trains models at all. If it does, a condition on the drift gate
            stopped any run that ended in order without a model after its data drifted.

    Example:
        >>> run = {"state": "COMPLETE", "components": [], "drift": None, "model": {"id": 9},
        ...     "evaluation": {"id": 11}, "blessed": True, "pushed": "serving/1"}
        >>> outcome(run), outcome({**run, "pushed": None}), outcome({**run, "state": "RUNNING"})
        ('pushed', 'blessed', 'running')
    """
    closed = run["drift"] is not None and run["drift"]["blessed"] is False
    state = run["state"]
    if state == "FAILED":
        failed = [part for part in run["components"] if part["state"] == "FAILED"]
        by_gate = any(part["type"].rpartition(".")[2] == "DriftReport" for part in failed)
        return "stopped" if closed and by_gate else "failed"
    if state == "RUNNING" and run.get("process") == ENDED:
        return "died"
    if state in ("RUNNING", "CANCELED", "CACHED"):
        return str(state.lower())
    if run["blessed"] is False:
        return "unblessed"
    if run["pushed"] is not None:
        return "pushed"
    if run["blessed"]:
        return "blessed"
    if closed and trains and run["model"] is None:
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


def moved_words(item: Json, data_changed: bool) -> str:
    """How a metric changed between two runs, and the parts of the data and of the model in that.

    Args:
        item: One of the ``metrics`` of `what_moved`, with its values before and after.
        data_changed: Whether the two runs have different data.

    Example:
        >>> item = {"name": "squared_pearson_correlation", "before": 0.417, "after": 0.332,
        ...     "baseline": 0.276, "lower": None, "upper": None}
        >>> moved_words(item, True), moved_words({**item, "baseline": None}, True)
        ('by the data down 0.14, by the model up 0.056 (better)', 'down 0.085')
    """
    name, before, between, after = (item[k] for k in ("name", "before", "baseline", "after"))
    if between is not None and data_changed:
        by_data = change_words(name, before, between, same_data=False)
        return f"by the data {by_data}, by the model {change_words(name, between, after)}"
    low, high = item["lower"], item["upper"]
    certain = low is None or high is None or not low <= 0 <= high
    return change_words(name, before, after, certain, same_data=not data_changed)


def beyond_error(old: Json, new: Json) -> bool:
    """Whether two values differ by more than their intervals explain; True without intervals.

    `lineage.comparison.interval_of_change` gives the interval of the difference.

    Args:
        old: ``value``, ``lower`` and ``upper``; the bounds may be None.
        new: Likewise.

    Example:
        >>> old, new = ({"value": m, "lower": m - 0.05, "upper": m + 0.05} for m in (0.3, 0.36))
        >>> beyond_error(old, new), beyond_error({**old, "lower": None}, new)
        (False, True)
    """
    if any(side[key] is None for side in (old, new) for key in ("lower", "upper")):
        return True
    old_bounds, new_bounds = ((side["value"], side["lower"], side["upper"]) for side in (old, new))
    lower, upper = interval_of_change(old_bounds, new_bounds)
    return not lower <= 0 <= upper


def metric_change(runs: Sequence[Json], index: int, metric: str) -> str:
    """A run's metric and its change; empty if the run has none.

    If an evaluation compared the model with the previous one on the same data, the change is
    between these two. Otherwise it is the change since the last run with the metric, which is
    judged only if both runs had the same data.

    Args:
        runs: The document's runs.
        index: The index of the run in `runs`.
        metric: Its name.

    Example:
        >>> first, last = ({"value": value, "lower": None, "upper": None} for value in (0.8, 0.83))
        >>> run = {"number": 1, "metrics": {"auc": first}, "baseline_metrics": {}, "examples": None}
        >>> runs = [run, {**run, "number": 2, "metrics": {}},
        ...     {**run, "number": 3, "metrics": {"auc": last}}]
        >>> metric_change(runs, 2, "auc"), metric_change(runs, 0, "auc")
        ('AUC 0.83, up 0.03 from run 1', 'AUC 0.8')
        >>> runs[2]["baseline_metrics"] = {"auc": {**first, "value": 0.7}}
        >>> metric_change(runs, 2, "auc")
        'AUC 0.83, up 0.13 (better) from the model before on the same data'
    """
    run = runs[index]
    value = metric_value(run, metric)
    if value is None:
        return ""
    said = f"{metric_label(metric)} {number(value, 3)}"
    baseline = metric_value(run, metric, "baseline_metrics")
    if baseline is not None:
        certain = beyond_error(run["baseline_metrics"][metric], run["metrics"][metric])
        words = change_words(metric, baseline, value, certain)
        return f"{said}, {words} from the model before on the same data"
    for other in reversed(runs[:index]):
        before = metric_value(other, metric)
        if before is not None:
            certain = beyond_error(other["metrics"][metric], run["metrics"][metric])
            same = same_examples(other["examples"], run["examples"]) is True
            change = change_words(metric, before, value, certain, same)
            return f"{said}, {change} from run {other['number']}"
    return said


def metric_value(run: Json, metric: str | None, of: str = "metrics") -> float | None:
    """The value of a run's metric; None if the run has none.

    Args:
        run: One of the document's runs.
        metric: Its name.
        of: ``metrics`` for the run's model, or ``baseline_metrics`` for the previous model on the
            same data.

    Example:
        >>> metric_value({"metrics": {"auc": {"value": 0.8}}}, "auc")
        0.8
    """
    found = run[of].get(metric)
    value: float | None = None if found is None else found["value"]
    return value


def ratio(score: float | None, limit: float | None) -> float | None:
    """A score in multiples of its limit; None without a score or a limit above 0.

    Example:
        >>> ratio(0.6, 0.3), ratio(0.6, None), ratio(None, 0.3)
        (2.0, None, None)
    """
    return score / limit if score is not None and limit else None


def worst_first(scores: Iterable[Json]) -> list[Json]:
    """Features' scores, sorted by verdict, then by the score relative to its limit.

    Example:
        >>> ok = {"feature": "a", "verdict": "OK", "score": 0.2, "threshold": 0.3}
        >>> far = {"feature": "b", "verdict": "DRIFT", "score": 0.9, "threshold": 0.3}
        >>> [score["feature"] for score in worst_first([ok, far])]
        ['b', 'a']
    """

    def severity(score: Json) -> tuple[int, float]:
        known = score["verdict"] in WORST_FIRST
        place = WORST_FIRST.index(score["verdict"]) if known else len(WORST_FIRST)
        by_chance = score.get("by_chance")
        return place, 0.0 if by_chance else -nearness(score["score"] or 0.0, score["threshold"])

    return sorted(scores, key=severity)


def drift_words(drift: Json) -> str:
    r"""How many features drifted, from which data, and which feature drifted most.

    Example:
        >>> score = {"feature": "pH", "verdict": "DRIFT", "score": 0.9, "threshold": 0.3}
        >>> words = drift_words({"features": 12, "features_drifted": 3, "baseline_span": 1,
        ...     "scores": [score], "verdict": "DRIFT"})
        >>> words.replace("\u2068", "").replace("\u2069", "")
        '3 of 12 features drifted from span 1; pH most'
    """
    if drift.get("lost_baseline"):
        return "nothing was compared: the files of the baseline were gone"
    if drift["verdict"] == "NO_BASELINE":
        return "the data were the first of their kind: there was no baseline"
    span = drift["baseline_span"]
    since = "the baseline"
    if span is not None:
        since = f"span {span_text(span, drift.get('baseline_span_date'))}"
    drifted, every = drift["features_drifted"], drift["features"]
    if drifted is None or every is None:
        return f"the data were compared with {since}"
    if not drifted:
        return f"compared with {since}, {changed(0, drift.get('features_warned'), every)}"
    said = f"{changed(drifted, 0, every)} from {since}"
    worst = worst_first(drift["scores"])[:1]
    if worst and worst[0]["verdict"] == "DRIFT" and drifted > 1:
        said += f"; {isolated(visible(worst[0]['feature'], _NAME_LIMIT))} most"
    elif worst and worst[0]["verdict"] == "DRIFT":
        said += f": {isolated(visible(worst[0]['feature'], _NAME_LIMIT))}"
    return said


def farthest(scores: Iterable[Json], limit: int = 3) -> tuple[str, ...]:
    r"""The features that drifted farthest, with a sentence for each.

    Args:
        scores: The scores of a drift report.
        limit: The most features to describe.

    Example:
        >>> score = {"feature": "pH", "verdict": "DRIFT", "metric": "ks", "score": 0.6,
        ...     "threshold": 0.3, "direction": "up", "before": 3.1, "after": 3.4}
        >>> farthest([score])[0].replace("\u2068", "").replace("\u2069", "")
        'pH went up, on average from 3.1 to 3.4: Kolmogorov-Smirnov 0.6, limit 0.3.'
    """
    drifted = [score for score in worst_first(scores) if score["verdict"] == "DRIFT"]
    shown = labels((score["feature"] for score in drifted), _NAME_LIMIT)
    return tuple(_movement(score, shown[score["feature"]]) for score in drifted[:limit])


def _movement(score: Json, label: str) -> str:
    said = isolated(label)
    before, after = score["before"], score["after"]
    if score["direction"] in ("up", "down") and before is not None and after is not None:
        was, now = Quantity(score.get("time")).pair(before, after)
        said += f" went {score['direction']}, on average from {was} to {now}"
    else:
        said += " drifted"
    if score["metric"] is None or score["score"] is None:
        return f"{said}."
    metric = score["metric"]
    said += f": {label_of(metric)} {metric_number(metric, score['score'])}"
    if score["threshold"] is not None:
        said += f", limit {metric_number(metric, score['threshold'])}"
    return f"{said}."


def failed_component(run: Json) -> Json | None:
    """The first failed component of a run; None if none failed.

    Example:
        >>> failed_component({"components": [{"id": "Trainer", "state": "FAILED"}]})["id"]
        'Trainer'
    """
    return next((part for part in run["components"] if part["state"] == "FAILED"), None)


def headline(document: Json) -> str:
    """The state of the pipeline in one sentence: the result of its latest run.

    Args:
        document: A history.

    Example:
        >>> headline({"runs": [], "metric": None})
        'The pipeline has not run yet.'
    """
    runs = document["runs"]
    if not runs:
        return "The pipeline has not run yet."
    run = runs[-1]
    ending = outcome(run, trains(runs))
    who = f"Run {run['number']}"
    metric = document["metric"]
    measured = metric_change(runs, len(runs) - 1, metric) if metric is not None else ""
    also = f"; {measured}." if measured else "."
    if ending == "stopped":
        return f"{who} was stopped by the drift gate: {drift_words(run['drift'])}."
    if ending == "failed":
        return _failure(run)
    if ending in ("running", "died"):
        done = sum(part["state"] in ("COMPLETE", "CACHED") for part in run["components"])
        # Documents of older versions do not record the state of the process.
        how = {
            ALIVE: "is running",
            ENDED: "died, its process having ended without a result",
            None: "has no recorded end",
        }[run.get("process", ALIVE)]
        return f"{who} {how}: {count(done, 'component')} done so far."
    if ending == "canceled":
        return f"{who} was canceled{also}"
    if ending == "cached":
        return f"{who} had nothing new to do: all of its results were there already{also}"
    if ending == "unblessed":
        return f"{who} is not blessed: its model is not good enough{also}"
    if ending == "blessed":
        return f"{who} is blessed and not pushed{also}"
    if ending == "pushed" and run["blessed"]:
        return f"{who} is blessed and pushed{also}"
    if ending == "pushed":
        return f"{who} is pushed, without an evaluation{also}"
    if run["model"] is None:
        return f"{who} is complete; it trained no model."
    return f"{who} is complete; its model was not evaluated."


def _failure(run: Json) -> str:
    part = failed_component(run)
    if part is None:
        return f"Run {run['number']} failed."
    where = isolated(visible(part["id"], _NAME_LIMIT))
    first = next((line for line in (part["error"] or "").splitlines() if line.strip()), "")
    why = f": {isolated(visible(first.strip().rstrip('.'), _ERROR_LIMIT))}" if first else ""
    return f"Run {run['number']} failed in {where}{why}."


def trains(runs: Sequence[Json]) -> bool:
    """Whether the pipeline trains models, that is, some run has one.

    Example:
        >>> trains([{"model": None}, {"model": {"id": 9}}])
        True
    """
    return any(run["model"] is not None for run in runs)


def in_production(runs: Sequence[Json]) -> int | None:
    """Index of the run whose model is in production: the first run with the last pushed model.

    A run that took the push from the cache names the folder of an earlier push.

    Returns:
        The index; None if no model was ever pushed.

    Example:
        >>> in_production([{"pushed": None}, {"pushed": "serving/1"}, {"pushed": "serving/1"}])
        1
    """
    pushed = [run["pushed"] for run in runs]
    last = next((folder for folder in reversed(pushed) if folder is not None), None)
    return None if last is None else pushed.index(last)
