"""What changed between two runs, in sentences; none of them names a cause."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence

from tfx_wine_ext.files.tolerant import MISSING
from tfx_wine_ext.lineage.records import (
    COUNTS,
    DRIFT_REPORT,
    Component,
    Drift,
    Examples,
    History,
    MetricChange,
    Move,
    Run,
    Score,
    metrics_are_unknown,
)
from tfx_wine_ext.report.words.features import changed
from tfx_wine_ext.report.words.glossary import metric_label
from tfx_wine_ext.report.words.quantity import Quantity
from tfx_wine_ext.report.words.text import count, number, pair, span_text, visible

_MOST_IN_SENTENCE = 3
_NAME_LENGTH = 60
_ERROR_LENGTH = 300


def sentences(before: Run, after: Run, move: Move) -> Iterator[str]:
    """Yields a sentence for each change from one run to another, the most important first.

    Args:
        before: The earlier run.
        after: The later one.
        move: What changed.
    """
    for component in after.components:
        if component.state == "FAILED":
            why = visible(_why(component, after), _ERROR_LENGTH)
            yield f"{_shown(component.id)} failed: {why}."
    yield from _about_data(before, after, move)
    yield from _about_settings(move)
    if after.model is not None and after.model.warm:
        yield (
            f"The model continues from model {after.model.base_model_id}: warm start, generation "
            f"{after.model.generation}."
        )
    elif after.model is not None and after.model.warm is False:
        yield "The model was trained from nothing: cold start."
    for metric in move.metrics:
        if metric.change is not None and metric.name not in COUNTS:
            yield _about_metric(metric)
    if after.blessed is not None and after.blessed != before.blessed:
        yield f"The model was {'' if after.blessed else 'not '}blessed."
    elif after.blessed is None and before.blessed is not None:
        yield "No model was evaluated."
    if before.pushed and not after.pushed:
        yield "No model was pushed."
    elif after.pushed and not before.pushed:
        yield "A model was pushed."


def _why(component: Component, run: Run) -> str:
    """Returns why a component failed: the store may not know it, and the report may be gone."""
    if component.error:
        return component.error
    gone = [
        file.path
        for file in run.unread
        if file.problem == MISSING and posixpath.basename(file.path) == component.id
    ]
    also = f", and its folder {gone[0]} is not there" if gone else ""
    return f"the store does not say why{also}"


def _about_data(before: Run, after: Run, move: Move) -> Iterator[str]:
    old, new, drift = before.examples, after.examples, after.drift
    if old is None or new is None:
        return
    if move.data_changed is False:
        yield "The data are the same."
        return
    if move.data_changed:
        spans = ""
        if old.span != new.span:
            spans = f": span {_span(old)} to span {_span(new)}"
        sizes = ""
        if old.rows and new.rows:
            was, now = sum(old.rows.values()), sum(new.rows.values())
            sizes = f"; {count(was, 'row')} before, {count(now)} now"
        yield f"The data changed{spans}{sizes}."
    if move.schema_changed:
        yield "Columns or their types changed."
    if move.source is not None:
        yield _about_features(move.features, drift if move.source == DRIFT_REPORT else None)
    if drift is not None and drift.baseline_id not in (None, old.id):
        span = ""
        if drift.baseline_span is not None:
            span = f", span {span_text(drift.baseline_span, drift.baseline_span_date)}"
        yield f"The drift report compares with other data than the earlier run's{span}."


def _span(examples: Examples) -> str:
    return "none" if examples.span is None else span_text(examples.span, examples.span_date)


def _about_features(scores: Sequence[Score], report: Drift | None) -> str:
    """Returns how far features moved, from a drift report, else from the statistics."""
    verdicts = [score.verdict for score in scores]
    total, drifted, near = len(scores), verdicts.count("DRIFT"), verdicts.count("WARN")
    warned: int | None = near
    of_them = ""
    if report and report.features is not None and report.features > total:
        # The file is gone: its totals are in the store, and of its features the worst ones.
        of_them = f"of the worst {total}, "
        total, warned = report.features, report.features_warned
        drifted = drifted if report.features_drifted is None else report.features_drifted
    text = changed(drifted, warned, total)
    text = f"{text[0].upper()}{text[1:]}" if report else f"By the statistics, {text}"
    worst = [score for score in scores if score.verdict == "DRIFT"][:_MOST_IN_SENTENCE]
    if worst:
        text += f"; most: {', '.join(map(_in_words, worst))}"
    if near and warned is None:
        text += f"; {of_them}{near} changed within {'its limits' if near == 1 else 'their limits'}"
    unsure = verdicts.count("INCONCLUSIVE")
    return text + (f"; {of_them}{unsure} cannot be judged." if unsure else ".")


def _in_words(score: Score) -> str:
    name = _shown(score.feature)
    if score.direction is None or score.before is None or score.after is None:
        return name
    old, new = Quantity(score.time).pair(score.before, score.after)
    return f"{name} {score.direction} (mean {old} to {new})"


def _about_settings(move: Move) -> Iterator[str]:
    if move.settings:
        names = [f"{x.component}.{x.parameter}" for x in move.settings[:_MOST_IN_SENTENCE]]
        more = len(move.settings) - len(names)
        rest = f" and {more} more" if more else ""
        listed = ", ".join(map(_shown, names))
        yield f"{count(len(move.settings), 'setting')} changed: {listed}{rest}."
    for how, components in move.components.items():
        if components:
            yield f"{how.capitalize()}: {', '.join(map(_shown, components))}."


def _about_metric(metric: MetricChange) -> str:
    name = metric_label(metric.name)
    name = name[0].upper() + name[1:]
    change, before, after = metric.change, metric.before, metric.after
    if not change or before is None or after is None:
        return f"{name} stayed at {number(after)}."
    old, new = pair(before, after)
    text = f"{name} {'rose' if change > 0 else 'fell'} by {number(abs(change), 3)} ({old} to {new})"
    if metric.lower is not None:
        low, high = number(metric.lower, 3), number(metric.upper, 3)
        chance = "" if metric.is_certain else ", so it may be chance"
        text += f"; 95 % interval of the change: {low} to {high}{chance}"
    if metric.by_data is not None and metric.by_model is not None:
        text += (
            f". The earlier model has {number(metric.baseline)} on the new data, which is "
            f"{_by(metric.by_data)}; the new model is {_by(metric.by_model)}"
        )
    return f"{text}."


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


def correlation_note(history: History, min_pairs: int) -> str:
    """Says how to read the correlations of a history, or why there are none.

    Args:
        history: The history.
        min_pairs: How many pairs of runs a correlation needs.
    """
    if history.metric is None:
        unknown = sum(map(metrics_are_unknown, history.runs))
        if not unknown:
            return "No metric was measured."
        runs = count(unknown, "run")
        return f"No metric is known: the evaluation of {runs} could not be read."
    pairs = max((correlation.n for correlation in history.correlations), default=0)
    if pairs < min_pairs:
        return (
            f"No correlation: {pairs} pairs of neighbouring runs have drift scores and "
            f"{history.metric} in both; at least {min_pairs} are needed."
        )
    return (
        f"Rank correlation over up to {pairs} pairs of neighbouring runs: how far a feature moved "
        f"(score divided by its threshold) against the change of {history.metric}. Not a cause: "
        f"runs differ in more than one feature. {len(history.correlations)} features were tested: "
        "of those that have nothing to do with it, one in 20 has a p-value below 0.05."
    )
