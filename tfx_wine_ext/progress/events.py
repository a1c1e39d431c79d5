"""What is known about a running pipeline, as typed values."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Union


class State(str, enum.Enum):
    """How a component ended.

    Attributes:
        COMPLETE: It ran and succeeded.
        CACHED: TFX took the result of an earlier run.
        SKIPPED: It did not run: a condition did not hold, or a required input had no artifact.
        FAILED: Its driver, its executor or the resolution of its inputs failed.
        CANCELED: The process was told to stop, by Ctrl-C for example.
    """

    COMPLETE = "COMPLETE"
    CACHED = "CACHED"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


@dataclass(frozen=True)
class RowsWritten:
    """An ExampleGen of this library wrote examples.

    Attributes:
        rows: Number of examples by split.
    """

    rows: Mapping[str, int]


@dataclass(frozen=True)
class DriftFound:
    """DriftReport compared new data with reference data.

    Attributes:
        verdict: `OK`, `WARN`, `DRIFT`, `INCONCLUSIVE` or `NO_BASELINE`.
        baseline_span: Span of the reference data; None if there were none.
        features: Number of compared features.
        features_drifted: Number of features that drifted.
        features_warned: Number of features that changed within their limits.
    """

    verdict: str
    baseline_span: int | None
    features: int
    features_drifted: int
    features_warned: int


@dataclass(frozen=True)
class Anomalies:
    """ExampleValidator compared the statistics of each split with the schema.

    Attributes:
        splits: The splits in which it found an anomaly; empty if it found none.
    """

    splits: tuple[str, ...]


@dataclass(frozen=True)
class ModelStart:
    """WarmStartTrainer trained a model.

    Attributes:
        warm: True if training continued from an earlier model, False if it started from scratch.
    """

    warm: bool


@dataclass(frozen=True)
class Blessing:
    """Evaluator or InfraValidator judged a model.

    Attributes:
        artifact_type: `ModelBlessing` or `InfraBlessing`.
        blessed: The judgement.
    """

    artifact_type: str
    blessed: bool


@dataclass(frozen=True)
class Pushed:
    """Pusher pushed a model, or did not because the model was not blessed.

    Attributes:
        destination: Where the model was pushed to; None if it was not pushed.
    """

    destination: str | None


Result = Union[RowsWritten, DriftFound, Anomalies, ModelStart, Blessing, Pushed]
"""The results of a component, as far as this library knows its outputs."""


@dataclass(frozen=True)
class ComponentStarted:
    """A component (or a Resolver, or an Importer) started.

    Attributes:
        pipeline: Name of the pipeline.
        run: Id of the run, as the metadata store has it.
        component: Id of the component in the pipeline.
    """

    pipeline: str
    run: str
    component: str


@dataclass(frozen=True)
class RowsRead:
    """A component of this library read more rows, in this process.

    Attributes:
        component: Id of the component.
        rows: Number of rows that it has read so far.
        total: Number of rows that it will read; None if unknown.
    """

    component: str
    rows: int
    total: int | None


@dataclass(frozen=True)
class ComponentEnded:
    """A component ended, successfully or not.

    Attributes:
        pipeline: Name of the pipeline.
        run: Id of the run, as the metadata store has it.
        component: Id of the component in the pipeline.
        state: How it ended.
        seconds: Wall time from its start: driver, executor and publisher.
        execution: The metadata store's number for the execution; None if TFX did not say.
        error: The exception that was raised; None if there was none. A component whose inputs
            cannot be resolved is FAILED without an error, which TFX only logs.
        results: What the component found. Empty if it failed, and for components whose outputs
            this library does not know.
    """

    pipeline: str
    run: str
    component: str
    state: State
    seconds: float
    execution: int | None = None
    error: BaseException | None = None
    results: tuple[Result, ...] = ()


Event = Union[ComponentStarted, RowsRead, ComponentEnded]
"""The events that an observer receives."""
