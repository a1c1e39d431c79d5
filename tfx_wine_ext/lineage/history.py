"""The runs of a pipeline as one JSON document, for the command line and the page."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from tfx_wine_ext.drift.ranking import WORST_FIRST
from tfx_wine_ext.files.tolerant import SoftFiles
from tfx_wine_ext.lineage.moved import (
    MIN_PAIRS,
    STATISTICS,
    correlations,
    main_metric,
    what_moved,
)
from tfx_wine_ext.lineage.readings import jsonable
from tfx_wine_ext.lineage.runs import Run, metrics_are_unknown
from tfx_wine_ext.lineage.scores import Score


def history_document(
    runs: Sequence[Run], pipeline: str, store_name: str, metric: str | None = None
) -> dict[str, Any]:
    """Combines runs, the changes between them, and each feature's scores in one JSON object.

    Args:
        runs: Runs, oldest first; runs of other pipelines are omitted.
        pipeline: Name of the pipeline.
        store_name: Name of the store without a password, from `store_name`.
        metric: The metric that is correlated with the features' drift. Default: the one by which
            models are judged, see `main_metric`.

    Returns:
        A JSON object without NaN and infinities, described in docs/lineage.md.

    Raises:
        ValueError: No run has this metric.

    Example:
        >>> history_document([], "wine", "metadata.db")["correlation_note"]
        'No metric was measured.'
    """
    import tfx_wine_ext

    runs = [run for run in runs if run.pipeline == pipeline]
    names = dict.fromkeys(name for run in reversed(runs) for name in run.metrics)
    if metric is not None and metric not in names:
        raise ValueError(
            f"metric must be one that a run of {pipeline!r} has measured: "
            f"{', '.join(names) or 'there is none'}; found {metric!r}"
        )
    files = SoftFiles()  # Shared, as it remembers which servers do not answer.
    metric = metric or main_metric(runs, files)
    files.take_unread()  # The runs know of them.
    moved = [what_moved(before, after, files) for before, after in zip(runs, runs[1:])]
    found = correlations(runs, metric, moved)
    return {
        "pipeline": pipeline,
        "store": store_name,
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "library": f"tfx_wine_ext {tfx_wine_ext.__version__}",
        "metric": metric,
        "runs": [run.to_dict() for run in runs],
        "moved": moved,
        "features": _features(runs, moved),
        "correlations": found,
        "correlation_note": _note(runs, metric, found),
        "unread": _unread(runs, moved),
    }


def _features(runs: Sequence[Run], moved: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns each feature's scores by run, from drift reports, else against the previous run."""
    by_run: list[dict[str, Score]] = []
    for index, run in enumerate(runs):
        scores: Sequence[Score] = ()
        if run.drift is not None:
            scores = run.drift.scores
        elif index and moved[index - 1]["source"] == STATISTICS:
            scores = [Score(**feature) for feature in moved[index - 1]["features"]]
        by_run.append({score.feature: score for score in scores})
    names = dict.fromkeys(name for scores in by_run for name in scores)
    badness = {
        name: min(_badness(scores[name]) for scores in by_run if name in scores) for name in names
    }
    found = []
    for name in sorted(names, key=lambda name: (*badness[name], name)):
        row = [scores.get(name) for scores in by_run]
        found.append(
            {
                "name": name,
                "scores": [score and score.score for score in row],
                "limits": [score and score.threshold for score in row],
                "verdicts": [score and score.verdict for score in row],
                "metrics": [score and score.metric for score in row],
                "by_chance": [score and score.by_chance for score in row],
            }
        )
    return found


def _badness(score: Score) -> tuple[int, float]:
    nearness = 0.0 if score.by_chance else score.nearness or 0.0
    return WORST_FIRST.index(score.verdict), -nearness


def _unread(runs: Sequence[Run], moved: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns the files of runs and comparisons that could not be read, without repetition."""
    found = [jsonable(each) for run in runs for each in run.unread]
    found += [each for step in moved for each in step["unread"]]
    return list({(each["path"], each["problem"]): each for each in found}.values())


def _note(runs: Sequence[Run], metric: str | None, found: Sequence[Mapping[str, Any]]) -> str:
    if metric is None:
        unknown = sum(metrics_are_unknown(run) for run in runs)
        if not unknown:
            return "No metric was measured."
        of = "1 run" if unknown == 1 else f"{unknown:,} runs"
        return f"No metric is known: the evaluation of {of} could not be read."
    pairs = max((each["n"] for each in found), default=0)
    if pairs < MIN_PAIRS:
        return (
            f"No correlation: {pairs} pairs of neighbouring runs have drift scores and "
            f"{metric} in both; at least {MIN_PAIRS} are needed."
        )
    return (
        f"Rank correlation over up to {pairs} pairs of neighbouring runs: how far a feature moved "
        f"(score divided by its threshold) against the change of {metric}. Not a cause: runs "
        f"differ in more than one feature. {len(found)} features were tested: of those that have "
        "nothing to do with it, one in 20 has a p-value below 0.05."
    )
