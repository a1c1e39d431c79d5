"""The history of a pipeline, with words: facts of `lineage` and sentences of `report.words`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from tfx_wine_ext.documents import jsonable, load
from tfx_wine_ext.files.tolerant import SoftFiles
from tfx_wine_ext.lineage import moves
from tfx_wine_ext.lineage.moves import MIN_PAIRS
from tfx_wine_ext.lineage.moves import main_metric as main_metric
from tfx_wine_ext.lineage.records import History, Move, Run
from tfx_wine_ext.lineage.records import difference as difference
from tfx_wine_ext.lineage.records import same_data as same_data
from tfx_wine_ext.report.words.moved import correlation_note, sentences


def move(before: Run, after: Run, files: SoftFiles | None = None) -> Move:
    """Does the same as `what_moved`, and returns a record."""
    return _worded(before, after, moves.move(before, after, files))


def _worded(before: Run, after: Run, changes: Move) -> Move:
    return dataclasses.replace(changes, sentences=tuple(sentences(before, after, changes)))


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
    document: dict[str, Any] = jsonable(move(before, after, files))
    return document


def correlations(
    runs: Sequence[Run],
    metric: str | None = None,
    moved: Sequence[Mapping[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    """Returns the JSON objects of `tfx_wine_ext.lineage.moves.correlate`.

    Args:
        runs: Runs, oldest first.
        metric: Name of the metric. Default: `main_metric`.
        moved: `what_moved` of each neighbouring pair, if already computed.
    """
    if moved is None:
        steps = [moves.move(before, after) for before, after in zip(runs, runs[1:])]
    else:
        steps = [load(Move, step, "moved") for step in moved]
    return [vars(correlation) for correlation in moves.correlate(runs, metric, steps)]


def history(
    runs: Sequence[Run],
    pipeline: str,
    store_name: str,
    metric: str | None = None,
    files: SoftFiles | None = None,
) -> History:
    """Does the same as `history_document`, and returns a record.

    Args:
        runs: Runs, oldest first; runs of other pipelines are omitted.
        pipeline: Name of the pipeline.
        store_name: Name of the store without a password.
        metric: The metric that is correlated with the features' drift.
        files: Knows already which servers do not answer.
    """
    facts = moves.history(runs, pipeline, store_name, metric, files)
    moved = tuple(map(_worded, facts.runs, facts.runs[1:], facts.moved))
    note = correlation_note(facts, MIN_PAIRS)
    return dataclasses.replace(facts, moved=moved, correlation_note=note)


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
    return history(runs, pipeline, store_name, metric).to_dict()
