"""What changed, between two runs and over all of them: data, settings and measurements.

It makes no claims about causes: two runs differ in many ways at once. Words for these facts are
added by `tfx_wine_ext.history`.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from tfx_wine_ext.documents import finite
from tfx_wine_ext.files.tolerant import SoftFiles
from tfx_wine_ext.lineage.evaluation import gated_metrics
from tfx_wine_ext.lineage.records import (
    COUNTS,
    DRIFT_REPORT,
    STATISTICS,
    Correlation,
    FeatureHistory,
    History,
    MetricChange,
    MetricValue,
    Move,
    Run,
    Score,
    SettingChange,
    difference,
    distinct,
    same_data,
)
from tfx_wine_ext.lineage.scores import StatisticsPairs

MIN_PAIRS = 4
"""How many pairs of runs a correlation needs.

With fewer, even a perfect order is likely by chance: of four pairs, one order in 12 is perfect.
"""

# Up to this number, p-values are computed over all orders: 7! = 5,040 of them.
_EXACT_PAIRS = 7
_UNFINISHED = ("FAILED", "RUNNING", "CANCELED")

_T = TypeVar("_T")


def move(
    before: Run,
    after: Run,
    files: SoftFiles | None = None,
    statistics: StatisticsPairs | None = None,
) -> Move:
    """Does the same as `tfx_wine_ext.history.move`, without sentences.

    Args:
        before: The earlier run.
        after: The later one.
        files: How to read statistics. Default: directly.
        statistics: Compares those of many pairs by `files`. Default: only this pair's.
    """
    files = files or SoftFiles()
    same = same_data(before, after)
    source, scores = _scores(before, after, same, statistics or StatisticsPairs(files))
    return Move(
        before=before.run,
        after=after.run,
        before_number=before.number,
        after_number=after.number,
        source=source,
        features=scores,
        rows=_sides(_rows(before), _rows(after)),
        data_changed=None if same is None else not same,
        schema_changed=_schema_changed(before, after),
        settings=_settings(before, after),
        components=_components(before, after),
        metrics=_metrics(before, after),
        blessed=_sides(before.blessed, after.blessed),
        pushed=_sides(before.pushed, after.pushed),
        unread=tuple(files.take_unread()),
    )


def _rows(run: Run) -> Mapping[str, int] | None:
    return None if run.examples is None else run.examples.rows


def _sides(before: _T, after: _T) -> dict[str, _T]:
    return {"before": before, "after": after}


def _scores(
    before: Run, after: Run, same: bool | None, statistics: StatisticsPairs
) -> tuple[str | None, tuple[Score, ...]]:
    if before.examples is None or after.examples is None or same:
        return None, ()
    drift = after.drift
    if drift is not None and drift.baseline_id == before.examples.id and drift.scores:
        return DRIFT_REPORT, drift.scores
    if before.statistics is not None and after.statistics is not None:
        scores = statistics.scores(before.statistics.path, after.statistics.path)
        if scores is not None:
            return STATISTICS, scores
    return None, ()


def _schema_changed(before: Run, after: Run) -> bool | None:
    old, new = (run.examples and run.examples.schema_fingerprint for run in (before, after))
    return old != new if old and new else None


def _settings(before: Run, after: Run) -> tuple[SettingChange, ...]:
    """Returns the parameters that differ, of components in both runs."""
    common = [component for component in before.parameters if component in after.parameters]
    sides = [(x, before.parameters[x], after.parameters[x]) for x in common]
    return tuple(
        SettingChange(component, name, old.get(name), new.get(name))
        for component, old, new in sides
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    )


def _components(before: Run, after: Run) -> dict[str, tuple[str, ...]]:
    """Returns components that only one run has; a component that was not reached is not removed."""

    def only_in(run: Run, other: Run) -> tuple[str, ...]:
        if other.state in _UNFINISHED:
            return ()
        known = {component.id for component in other.components}
        return tuple(dict.fromkeys(x.id for x in run.components if x.id not in known))

    return {"added": only_in(after, before), "removed": only_in(before, after)}


def _metrics(before: Run, after: Run) -> tuple[MetricChange, ...]:
    # Metrics of the earlier model on the later data, if an Evaluator measured them.
    is_baseline = before.model is not None and before.model.id == after.baseline_model_id
    baselines = after.baseline_metrics if is_baseline else {}
    unknown = MetricValue(None)
    changes = []
    for name in dict.fromkeys([*after.metrics, *before.metrics]):
        old, new = before.metrics.get(name, unknown), after.metrics.get(name, unknown)
        baseline = baselines.get(name, unknown)
        interval, by_data, by_model = difference(old, new), None, None
        if name in before.metrics and name in after.metrics:
            by_data, by_model = difference(old, baseline)[0], difference(baseline, new)[0]
        numbers = map(finite, (*interval, baseline.value, by_data, by_model))
        changes.append(MetricChange(name, old.value, new.value, *numbers))
    return tuple(changes)


def main_metric(runs: Sequence[Run], files: SoftFiles | None = None) -> str | None:
    """Returns the metric by which models are judged.

    Args:
        runs: Runs, oldest first.
        files: How to read the EvalConfig. Default: directly.

    Returns:
        For the newest run with metrics, the first metric on which its blessing depends, else the
        first one that is neither a loss nor a number of examples; None if there is none.
    """
    for run in reversed(runs):
        if run.metrics:
            evaluation = run.evaluation and run.evaluation.path
            gated = gated_metrics(evaluation, files) if evaluation else []
            ordinary = [name for name in run.metrics if name not in ("loss", *COUNTS)]
            candidates = [name for name in gated if name in run.metrics] or ordinary
            return next(iter(candidates or run.metrics))
    return None


def correlate(runs: Sequence[Run], metric: str | None, moves: Sequence[Move]) -> list[Correlation]:
    """Correlates, over neighbouring runs, how far a feature moved with how a metric changed.

    Spearman's rank correlation of the score divided by its threshold (metrics of drift have
    different units, and which one decides may change) and of the change of the metric, up or down.
    A pair of runs on the same data counts as a move of 0. The p-value is two-sided, exact up to 7
    pairs, and by Student's t above; as many features are tested as there are, some are below 0.05
    by chance.

    Args:
        runs: Runs, oldest first.
        metric: Name of the metric. Default: `main_metric`.
        moves: The move between each neighbouring pair.

    Returns:
        A correlation for each feature, the strongest first; unknown below `MIN_PAIRS` pairs.
    """
    metric = metric or main_metric(runs)
    if metric is None:
        return []
    changes = {
        index: item.change
        for index, step in enumerate(moves)
        for item in step.metrics
        if item.name == metric and item.change is not None
    }
    scores = {i: {score.feature: score for score in moves[i].features} for i in changes}
    correlations = []
    for name in dict.fromkeys(name for by_name in scores.values() for name in by_name):
        pairs = []
        for index, change in changes.items():
            size = scores[index][name].nearness if name in scores[index] else None
            if moves[index].data_changed is False:
                size = 0.0
            if size is not None:
                pairs.append((size, change))
        rho, p_value = _spearman(pairs)
        correlations.append(Correlation(name, metric, rho, len(pairs), p_value))
    return sorted(correlations, key=lambda x: (-abs(x.rho or 0.0), -x.n, x.feature))


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


def history(
    runs: Sequence[Run],
    pipeline: str,
    store_name: str,
    metric: str | None = None,
    files: SoftFiles | None = None,
) -> History:
    """Does the same as `tfx_wine_ext.history.history`, without words.

    Raises:
        ValueError: No run has this metric.
    """
    import tfx_wine_ext

    runs = [run for run in runs if run.pipeline == pipeline]
    names = dict.fromkeys(name for run in reversed(runs) for name in run.metrics)
    if metric is not None and metric not in names:
        raise ValueError(
            f"metric must be one that a run of {pipeline!r} has measured: "
            f"{', '.join(names) or 'there is none'}; found {metric!r}"
        )
    files = SoftFiles(before=files)  # Shared, as it remembers which servers do not answer.
    metric = metric or main_metric(runs, files)
    files.take_unread()  # The runs know of them.
    statistics = StatisticsPairs(files)
    moves = [move(before, after, files, statistics) for before, after in zip(runs, runs[1:])]
    unread = [file for run in runs for file in run.unread]
    unread += [file for step in moves for file in step.unread]
    return History(
        pipeline=pipeline,
        store=store_name,
        created=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        library=f"tfx_wine_ext {tfx_wine_ext.__version__}",
        metric=metric,
        runs=tuple(runs),
        moved=tuple(moves),
        features=_features(runs, moves),
        correlations=tuple(correlate(runs, metric, moves)),
        unread=distinct(unread),
    )


def _features(runs: Sequence[Run], moves: Sequence[Move]) -> tuple[FeatureHistory, ...]:
    """Returns each feature's scores by run, from drift reports, else against the previous run."""
    by_run: list[dict[str, Score]] = []
    for index, run in enumerate(runs):
        scores: Sequence[Score] = ()
        if run.drift is not None:
            scores = run.drift.scores
        elif index and moves[index - 1].source == STATISTICS:
            scores = moves[index - 1].features
        by_run.append({score.feature: score for score in scores})
    names = dict.fromkeys(name for scores_of in by_run for name in scores_of)
    worst = {
        name: min(scores_of[name].severity for scores_of in by_run if name in scores_of)
        for name in names
    }
    return tuple(
        FeatureHistory.of(name, (scores_of.get(name) for scores_of in by_run))
        for name in sorted(names, key=lambda name: (*worst[name], name))
    )
