"""The changes between two runs: in the data, the settings, and the measurements.

It makes no claims about causes: two runs differ in many ways at once.
"""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfx_wine_ext.files.tolerant import MISSING, SoftFiles
from tfx_wine_ext.lineage.comparison import interval_of_change, same_examples
from tfx_wine_ext.lineage.evaluation import MetricValue, gated_metrics
from tfx_wine_ext.lineage.readings import jsonable
from tfx_wine_ext.lineage.runs import Component, Drift, Examples, Run
from tfx_wine_ext.lineage.scores import Score, scores_of_statistics
from tfx_wine_ext.report.words.features import changed
from tfx_wine_ext.report.words.glossary import COUNTS, metric_label
from tfx_wine_ext.report.words.quantity import Quantity
from tfx_wine_ext.report.words.text import count, number, pair, span_text, visible

DRIFT_REPORT, STATISTICS = "drift report", "statistics"

MIN_PAIRS = 4
"""How many pairs of runs a correlation needs.

With fewer, even a perfect order is likely by chance: of four pairs, one order in 12 is perfect.
"""

# Up to this number, p-values are computed over all orders: 7! = 5,040 of them.
_EXACT_PAIRS = 7
# Metrics of TFMA that do not say how good a model is.
_NO_QUALITY = ("loss", *COUNTS)
_UNFINISHED = ("FAILED", "RUNNING", "CANCELED")
_MOST_IN_SENTENCE = 3
_NAME_LENGTH = 60
_ERROR_LENGTH = 300


def what_moved(before: Run, after: Run, files: SoftFiles | None = None) -> dict[str, Any]:
    """Describes the changes from one run to another.

    Features are compared by the later run's drift report if its baseline is the earlier run's data,
    else by the statistics of both; they are not compared if the data are the same.

    Args:
        before: The earlier run.
        after: The later one.
        files: How to read statistics. Default: directly.

    Returns:
        A JSON object, described in docs/lineage.md.
    """
    files = files or SoftFiles()
    same = same_data(before, after)
    source, scores = _scores(before, after, same, files)
    metrics = _metrics(before, after)
    parts = {
        "before": before.run,
        "after": after.run,
        "before_number": before.number,
        "after_number": after.number,
        "source": source,
        "features": [score.to_dict() for score in scores],
        "rows": {side: run.examples and run.examples.rows for side, run in _sides(before, after)},
        "data_changed": None if same is None else not same,
        "schema_changed": _schema_changed(before, after),
        "settings": _settings(before, after),
        "components": _components(before, after),
        "metrics": metrics,
        "blessed": {side: run.blessed for side, run in _sides(before, after)},
        "pushed": {side: run.pushed for side, run in _sides(before, after)},
        "unread": files.take_unread(),
    }
    parts["sentences"] = _sentences(before, after, parts, scores)
    found: dict[str, Any] = jsonable(parts)
    return found


def _sides(before: Run, after: Run) -> tuple[tuple[str, Run], ...]:
    return ("before", before), ("after", after)


def same_data(before: Run, after: Run) -> bool | None:
    """Tells whether two runs have the same data; None if unknown.

    Args:
        before: One run.
        after: Another one.
    """
    old, new = (vars(run.examples) if run.examples else None for run in (before, after))
    return same_examples(old, new)


def _scores(
    before: Run, after: Run, same: bool | None, files: SoftFiles | None
) -> tuple[str | None, Sequence[Score]]:
    if before.examples is None or after.examples is None or same:
        return None, ()
    drift = after.drift
    if drift is not None and drift.baseline_id == before.examples.id and drift.scores:
        return DRIFT_REPORT, drift.scores
    if before.statistics is not None and after.statistics is not None:
        old, new = before.statistics.path, after.statistics.path
        scores = scores_of_statistics(old, new, files)
        if scores is not None:
            return STATISTICS, scores
    return None, ()


def _schema_changed(before: Run, after: Run) -> bool | None:
    old, new = (run.examples and run.examples.schema_fingerprint for run in (before, after))
    return old != new if old and new else None


def _settings(before: Run, after: Run) -> list[dict[str, Any]]:
    """Returns the parameters that differ, of components in both runs."""
    found = []
    for component in before.parameters:
        if component not in after.parameters:
            continue
        old, new = before.parameters[component], after.parameters[component]
        for name in sorted({*old, *new}):
            if old.get(name) != new.get(name):
                found.append(
                    {
                        "component": component,
                        "parameter": name,
                        "before": old.get(name),
                        "after": new.get(name),
                    }
                )
    return found


def _components(before: Run, after: Run) -> dict[str, list[str]]:
    """Returns components that only one run has; a component that was not reached is not removed."""
    old, new = ([component.id for component in run.components] for run in (before, after))
    return {
        "added": [x for x in dict.fromkeys(new) if x not in old]
        if before.state not in _UNFINISHED
        else [],
        "removed": [x for x in dict.fromkeys(old) if x not in new]
        if after.state not in _UNFINISHED
        else [],
    }


def _metrics(before: Run, after: Run) -> list[dict[str, Any]]:
    found = []
    earlier_model = _same_model_on_new_data(before, after)
    for name in dict.fromkeys([*after.metrics, *before.metrics]):
        old, new = before.metrics.get(name), after.metrics.get(name)
        change = lower = upper = by_data = by_model = None
        if old is not None and new is not None:
            change, lower, upper = difference(old, new)
        between = earlier_model.get(name)
        if between is not None and old is not None and new is not None:
            by_data, by_model = difference(old, between)[0], difference(between, new)[0]
        found.append(
            {
                "name": name,
                "before": old and old.value,
                "after": new and new.value,
                "change": change,
                "lower": lower,
                "upper": upper,
                "baseline": between and between.value,
                "by_data": by_data,
                "by_model": by_model,
            }
        )
    return found


def _same_model_on_new_data(before: Run, after: Run) -> Mapping[str, MetricValue]:
    """Returns metrics of the earlier model on the later data, if an Evaluator measured them."""
    is_same = before.model is not None and before.model.id == after.baseline_model_id
    return after.baseline_metrics if is_same else {}


def difference(
    old: MetricValue, new: MetricValue
) -> tuple[float | None, float | None, float | None]:
    """Returns the change of a metric, and its confidence interval.

    See `comparison.interval_of_change` for the method and its assumptions.

    Args:
        old: The earlier value.
        new: The later one.

    Returns:
        Change, lower and upper end; None for unknown values.

    Example:
        >>> difference(MetricValue(0.5, 0.25, 0.75), MetricValue(1.0))
        (0.5, None, None)
        >>> difference(MetricValue(0.0, -3.0, 3.0), MetricValue(2.0, -2.0, 6.0))
        (2.0, -3.0, 7.0)
    """
    if old.value is None or new.value is None:
        return None, None, None
    change = new.value - old.value
    if old.lower is None or old.upper is None or new.lower is None or new.upper is None:
        return change, None, None
    lower, upper = interval_of_change(
        (old.value, old.lower, old.upper), (new.value, new.lower, new.upper)
    )
    return change, lower, upper


def _sentences(
    before: Run, after: Run, parts: Mapping[str, Any], scores: Sequence[Score]
) -> list[str]:
    found = [
        f"{_shown(component.id)} failed: {visible(_why(component, after), _ERROR_LENGTH)}."
        for component in after.components
        if component.state == "FAILED"
    ]
    found += _about_data(before, after, parts, scores)
    found += _about_settings(parts)
    if after.model is not None and after.model.warm:
        found.append(
            f"The model continues from model {after.model.base_model_id}: warm start, generation "
            f"{after.model.generation}."
        )
    elif after.model is not None and after.model.warm is False:
        found.append("The model was trained from nothing: cold start.")
    found += _about_metrics(parts["metrics"])
    if after.blessed is not None and after.blessed != before.blessed:
        found.append(f"The model was {'' if after.blessed else 'not '}blessed.")
    elif after.blessed is None and before.blessed is not None:
        found.append("No model was evaluated.")
    if before.pushed and not after.pushed:
        found.append("No model was pushed.")
    elif after.pushed and not before.pushed:
        found.append("A model was pushed.")
    return found


def _why(component: Component, run: Run) -> str:
    """Returns why a component failed: the store may not know it, and the report may be gone."""
    if component.error:
        return component.error
    gone = [
        each.path
        for each in run.unread
        if each.problem == MISSING and posixpath.basename(each.path) == component.id
    ]
    also = f", and its folder {gone[0]} is not there" if gone else ""
    return f"the store does not say why{also}"


def _about_data(
    before: Run, after: Run, parts: Mapping[str, Any], scores: Sequence[Score]
) -> list[str]:
    old, new = before.examples, after.examples
    if old is None or new is None:
        return []
    if parts["data_changed"] is False:
        return ["The data are the same."]
    found = []
    if parts["data_changed"]:
        spans = ""
        if old.span != new.span:
            spans = f": span {_span(old)} to span {_span(new)}"
        rows = [sum(rows.values()) if rows else None for rows in (old.rows, new.rows)]
        sizes = (
            f"; {count(rows[0], 'row')} before, {count(rows[1])} now" if None not in rows else ""
        )
        found.append(f"The data changed{spans}{sizes}.")
    if parts["schema_changed"]:
        found.append("Columns or their types changed.")
    if parts["source"] is not None:
        report = after.drift if parts["source"] == DRIFT_REPORT else None
        found.append(_about_features(scores, report))
    drift = after.drift
    if drift is not None and drift.baseline_id not in (None, old.id):
        span = ""
        if drift.baseline_span is not None:
            span = f", span {span_text(drift.baseline_span, drift.baseline_span_date)}"
        found.append(f"The drift report compares with other data than the earlier run's{span}.")
    return found


def _span(examples: Examples) -> str:
    return "none" if examples.span is None else span_text(examples.span, examples.span_date)


def _about_features(scores: Sequence[Score], report: Drift | None) -> str:
    """Returns how far features moved, from a drift report, else from the statistics."""
    by = "" if report else "By the statistics, "
    drifted = [score for score in scores if score.verdict == "DRIFT"]
    total, number_drifted = len(scores), len(drifted)
    of_them = ""
    if report and report.features is not None and report.features > len(scores):
        # The file is gone: its totals are in the store, and of its features the worst ones.
        total = report.features
        if report.features_drifted is not None:
            number_drifted = report.features_drifted
        of_them = f"of the worst {len(scores)}, "
    near = sum(score.verdict == "WARN" for score in scores)
    warned: int | None = near
    if of_them and report:
        warned = report.features_warned
    unsure = sum(score.verdict == "INCONCLUSIVE" for score in scores)
    text = by + changed(number_drifted, warned, total)
    most = ", ".join(map(_in_words, drifted[:_MOST_IN_SENTENCE]))
    text += f"; most: {most}" if most else ""
    if near and warned is None:
        text += f"; {of_them}{near} changed within {'its limits' if near == 1 else 'their limits'}"
    text += f"; {of_them}{unsure} cannot be judged" if unsure else ""
    return f"{text[0].upper()}{text[1:]}."


def _in_words(score: Score) -> str:
    name = _shown(score.feature)
    if score.direction is None or score.before is None or score.after is None:
        return name
    old, new = Quantity(score.time).pair(score.before, score.after)
    return f"{name} {score.direction} (mean {old} to {new})"


def _about_settings(parts: Mapping[str, Any]) -> list[str]:
    found = []
    changed = [f"{x['component']}.{x['parameter']}" for x in parts["settings"]]
    if changed:
        names = ", ".join(map(_shown, changed[:_MOST_IN_SENTENCE]))
        more = len(changed) - _MOST_IN_SENTENCE
        rest = f" and {more} more" if more > 0 else ""
        found.append(f"{count(len(changed), 'setting')} changed: {names}{rest}.")
    for word, names in parts["components"].items():
        if names:
            found.append(f"{word.capitalize()}: {', '.join(map(_shown, names))}.")
    return found


def _about_metrics(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    found = []
    for metric in metrics:
        change = metric["change"]
        if change is None or metric["name"] in COUNTS:
            continue
        name = metric_label(metric["name"])
        name = name[0].upper() + name[1:]
        if change == 0:
            found.append(f"{name} stayed at {number(metric['after'])}.")
            continue
        old, new = pair(metric["before"], metric["after"])
        verb = "rose" if change > 0 else "fell"
        text = f"{name} {verb} by {number(abs(change), 3)} ({old} to {new})"
        if metric["lower"] is not None:
            low, high = number(metric["lower"], 3), number(metric["upper"], 3)
            text += f"; 95 % interval of the change: {low} to {high}"
            if metric["lower"] <= 0 <= metric["upper"]:
                text += ", so it may be chance"
        if metric["by_data"] is not None and metric["by_model"] is not None:
            text += (
                f". The earlier model has {number(metric['baseline'])} on the new data, which is "
                f"{_by(metric['by_data'])}; the new model is {_by(metric['by_model'])}"
            )
        found.append(f"{text}.")
    return found


def _by(change: float) -> str:
    """A change in words.

    Example:
        >>> _by(-0.1405), _by(0.0)
        ('0.141 lower', 'the same')
    """
    if change == 0:
        return "the same"
    return f"{number(abs(change), 3)} {'higher' if change > 0 else 'lower'}"


def _shown(text: str) -> str:
    return visible(text, _NAME_LENGTH)


def main_metric(among: Sequence[Run], files: SoftFiles | None = None) -> str | None:
    """Returns the metric by which models are judged.

    Args:
        among: Runs, oldest first.
        files: How to read the EvalConfig. Default: directly.

    Returns:
        For the newest run with metrics, the first metric on which its blessing depends, else the
        first one that is neither a loss nor a number of examples; None if there is none.
    """
    for run in reversed(among):
        if run.metrics:
            evaluation = run.evaluation and run.evaluation.path
            gated = gated_metrics(evaluation, files) if evaluation else []
            ordinary = [name for name in run.metrics if name not in _NO_QUALITY]
            candidates = [name for name in gated if name in run.metrics] or ordinary
            return next(iter(candidates or run.metrics))
    return None


def correlations(
    among: Sequence[Run],
    metric: str | None = None,
    moved: Sequence[Mapping[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    """Correlates, over neighbouring runs, how far a feature moved with how a metric changed.

    Spearman's rank correlation of the score divided by its threshold (metrics of drift have
    different units, and which one decides may change) and of the change of the metric, up or down.
    A pair of runs on the same data counts as a move of 0. The p-value is two-sided, exact up to 7
    pairs, and by Student's t above; as many features are tested as there are, some are below 0.05
    by chance.

    Args:
        among: Runs, oldest first.
        metric: Name of the metric. Default: `main_metric`.
        moved: `what_moved` of each neighbouring pair, if already computed.

    Returns:
        One object for each feature: ``feature``, ``metric``, ``rho`` (-1 to 1), ``n`` (pairs) and
        ``p_value``, the strongest first. `rho` and `p_value` are None below `MIN_PAIRS` pairs, and
        where one side never changes.
    """
    metric = metric or main_metric(among)
    if metric is None:
        return []
    if moved is None:
        moved = [what_moved(*two) for two in zip(among, among[1:])]
    changes, moves = [], []
    for step in moved:
        change = next((m["change"] for m in step["metrics"] if m["name"] == metric), None)
        if change is not None:
            changes.append(change)
            moves.append(step)
    names = dict.fromkeys(feature["feature"] for step in moves for feature in step["features"])
    found = []
    for name in names:
        pairs = [
            (size, change)
            for step, change in zip(moves, changes)
            if (size := _size(step, name)) is not None
        ]
        rho, p_value = _spearman(pairs)
        found.append(
            {"feature": name, "metric": metric, "rho": rho, "n": len(pairs), "p_value": p_value}
        )
    return sorted(found, key=lambda each: (-abs(each["rho"] or 0.0), -each["n"], each["feature"]))


def _size(step: Mapping[str, Any], name: str) -> float | None:
    if step["data_changed"] is False:
        return 0.0
    for feature in step["features"]:
        if feature["feature"] == name:
            return Score(**feature).nearness
    return None


def _spearman(pairs: Sequence[tuple[float, float]]) -> tuple[float | None, float | None]:
    from scipy import stats

    if len(pairs) < MIN_PAIRS:
        return None, None
    x, y = (stats.rankdata(side) for side in zip(*pairs))
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return None, None
    rho = float(np.corrcoef(x, y)[0, 1])
    if len(pairs) > _EXACT_PAIRS:
        return rho, float(stats.spearmanr(x, y)[1])
    x, y = x - x.mean(), y - y.mean()
    sums = np.array([abs(np.dot(x, order)) for order in itertools.permutations(y)])
    return rho, float(np.mean(sums >= abs(np.dot(x, y)) * (1 - 1e-12)))
