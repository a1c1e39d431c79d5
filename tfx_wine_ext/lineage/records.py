"""What is known of a pipeline's runs: plain records, which a page can show without a store.

Their attributes are the keys of the JSON documents, which `tfx_wine_ext.documents.load` reads.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any

from tfx_wine_ext.documents import jsonable
from tfx_wine_ext.drift.ranking import WORST_FIRST, nearness
from tfx_wine_ext.files.tolerant import Unread

DRIFT_REPORT = "drift report"
"""The source of scores: the drift report of the later run."""
STATISTICS = "statistics"
"""The source of scores: the statistics of both runs."""
COUNTS = ("example_count", "weighted_example_count")
"""The metrics that count the data on which others were measured."""


@dataclasses.dataclass(frozen=True)
class Score:
    """The change of one feature between two sets of data.

    Attributes:
        feature: Its name.
        verdict: `OK`, `WARN`, `DRIFT`, `INCONCLUSIVE` or `NO_BASELINE`.
        metric: The deciding metric; None if there is none, as for a missing column.
        score: Its value; see docs/drift-metrics.md for its unit.
        threshold: The value at which it means drift, even if the verdict is a warning; for a metric
            that can only warn, the value at which it warns. None if unknown.
        direction: `up` or `down`, of the mean; None for categories, or if unknown.
        before: Mean in the baseline.
        after: Mean now.
        time: What times the means are, in microseconds: `date`, `timestamp`, `time` of day or
            `duration`; None: numbers.
        by_chance: Whether chance alone makes a score as high in samples of these sizes.
    """

    feature: str
    verdict: str
    metric: str | None = None
    score: float | None = None
    threshold: float | None = None
    direction: str | None = None
    before: float | None = None
    after: float | None = None
    time: str | None = None
    by_chance: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The score as a JSON object.

        Example:
            >>> Score("x", "OK").to_dict()["direction"] is None
            True
        """
        return dict(vars(self))

    @property
    def nearness(self) -> float | None:
        """The score divided by its threshold; None if unknown, or if the threshold is 0.

        Metrics have different units, and the deciding metric may change from run to run; this ratio
        is comparable.
        """
        if self.score is None or self.threshold is None:
            return None
        ratio = nearness(self.score, self.threshold)
        return ratio if math.isfinite(ratio) else None

    @property
    def severity(self) -> tuple[int, float]:
        """Sort key, the worst first: by verdict, then by how far it is beyond chance and limit."""
        known = self.verdict in WORST_FIRST
        place = WORST_FIRST.index(self.verdict) if known else len(WORST_FIRST)
        return place, 0.0 if self.by_chance else -nearness(self.score or 0.0, self.threshold)


@dataclasses.dataclass(frozen=True)
class MetricValue:
    """A metric of the model, over the whole evaluation data.

    Attributes:
        value: None if it is NaN or infinite.
        lower: Lower end of the confidence interval, if TFMA computed one.
        upper: Its upper end.
    """

    value: float | None
    lower: float | None = None
    upper: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """The value as a JSON object.

        Example:
            >>> MetricValue(0.5).to_dict()
            {'value': 0.5, 'lower': None, 'upper': None}
        """
        return dict(vars(self))


@dataclasses.dataclass(frozen=True)
class Component:
    """One component in a run.

    Attributes:
        id: Its id in the pipeline.
        type: Its class path.
        execution: Id of the execution.
        state: MLMD's name of its state: `COMPLETE`, `CACHED`, `FAILED`, `RUNNING`, ...
        started: ISO 8601, UTC.
        seconds: From start to the last change; None while it runs, or if the clock was set back.
        error: Why it failed, in one line, if the store or a stopped drift report says so.
        process: For an unfinished component: `alive` if its process exists, `ended` if it does not,
            so that the component will never finish; None if unknown, as on another machine or for a
            component that does not record its process.
    """

    id: str
    type: str
    execution: int
    state: str
    started: str
    seconds: float | None
    error: str | None
    process: str | None = None


@dataclasses.dataclass(frozen=True)
class Examples:
    """The data of a run: the output of its first ExampleGen, or the data it trained on.

    Attributes:
        id: Id of the artifact.
        uri: Its URI.
        span: TFX's number of the span.
        version: TFX's number of the version within the span.
        rows: Number of rows by split; None if neither properties nor statistics have it.
        content_fingerprint: Fingerprint of the input's content; for a plain ExampleGen its
            `input_fingerprint`, which also depends on the files' times.
        schema_fingerprint: Fingerprint of the columns and their types.
        anomalies: Number of features with an anomaly; None if they were not checked, or the files
            are gone.
        span_date: The span's date, if it was found by a date.
        source: The source of each input split that TableExampleGen read, as it was described; None
            for others.
    """

    id: int
    uri: str
    span: int | None
    version: int | None
    rows: Mapping[str, int] | None
    content_fingerprint: str | None
    schema_fingerprint: str | None
    anomalies: int | None
    span_date: str | None = None
    source: Mapping[str, Any] | None = None


@dataclasses.dataclass(frozen=True)
class Drift:
    """The findings of a drift report, including one that stopped the run.

    Attributes:
        id: Id of the report; None for one that stopped the run, which is not in the store.
        uri: Folder of the report.
        report: Path of the page; None if it is gone.
        verdict: `OK`, `WARN`, `DRIFT`, `INCONCLUSIVE` or `NO_BASELINE`.
        blessed: Whether the verdict is not `DRIFT`.
        baseline_id: Id of the baseline Examples, if they are another artifact.
        baseline_span: Their span.
        features: Number of features compared.
        features_drifted: Number of features that drifted.
        share_drifted: The same as a share.
        reasons: Reasons in words; empty if OK, or if the file is gone.
        scores: Scores of all features, or of the worst ones if the file is gone; the worst first.
        baseline_span_date: The date of their span, if it was found by a date.
        lost_baseline: Folder of a baseline whose files were gone, so that nothing was compared.
        features_warned: How many features warn; None in what earlier releases recorded.
        reason_kinds: What each of the reasons is about; empty in reports of earlier releases. See
            `tfx_wine_ext.drift.compare.DriftResult`.
    """

    id: int | None
    uri: str
    report: str | None
    verdict: str | None
    blessed: bool | None
    baseline_id: int | None
    baseline_span: int | None
    features: int | None
    features_drifted: int | None
    share_drifted: float | None
    reasons: tuple[str, ...]
    scores: tuple[Score, ...]
    baseline_span_date: str | None = None
    lost_baseline: str | None = None
    features_warned: int | None = None
    reason_kinds: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Model:
    """The model of a run: the one evaluated or pushed if there are several, else the last one.

    Attributes:
        id: Its id in the store.
        uri: Its URI.
        kind: The code that trained it: the run_fn, module path or module file.
        warm: Whether it continued from another model; None: not trained by WarmStartTrainer.
        reason: Why, as a sentence.
        base_model_id: Id of the base model.
        generation: Number of successive warm starts.
        steps: Steps of this training.
        total_steps: All steps since the last cold start.
        hyperparameters: Values of the HyperParameters artifact, or else the `custom_config`.
        logs: Folder of the ModelRun for TensorBoard; None if it is gone.
    """

    id: int
    uri: str
    kind: str | None
    warm: bool | None
    reason: str | None
    base_model_id: int | None
    generation: int | None
    steps: int | None
    total_steps: int | None
    hyperparameters: Mapping[str, Any] | None
    logs: str | None


@dataclasses.dataclass(frozen=True)
class ArtifactRef:
    """An artifact of a run.

    Attributes:
        id: Its id in the store.
        uri: Its URI in the store.
        path: Its local path, if it exists.
    """

    id: int
    uri: str
    path: str = ""


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of a pipeline; docs/lineage.md says where each part is read.

    Attributes:
        run: Its id.
        number: Its number among the pipeline's runs; the oldest is 1.
        pipeline: Name of the pipeline.
        started: ISO 8601, UTC.
        finished: The last change; None while it runs.
        state: `COMPLETE`, `FAILED`, `RUNNING`, `CANCELED`, or `CACHED` if every result was cached.
        components: In the order of their executions.
        examples: Its data.
        statistics: Its ExampleStatistics.
        drift: The findings of its drift report.
        model: The model that it trained.
        metrics: Metrics of the model by name, over the whole evaluation data.
        baseline_metrics: Metrics of the model that it was compared with, on the same data.
        baseline_model_id: Id of that model; None without one.
        evaluation: Its ModelEvaluation.
        blessed: Whether the Evaluator accepted the model; None: it was not evaluated for blessing.
        pushed: Where the model was pushed.
        parameters: Execution properties that are settings, by component.
        process: For a `RUNNING` run, the process state of its unfinished components.
        unread: Files that could not be read: their content is missing above.
    """

    run: str
    number: int
    pipeline: str
    started: str
    finished: str | None
    state: str
    components: tuple[Component, ...]
    examples: Examples | None
    statistics: ArtifactRef | None
    drift: Drift | None
    model: Model | None
    metrics: Mapping[str, MetricValue]
    baseline_metrics: Mapping[str, MetricValue]
    baseline_model_id: int | None
    evaluation: ArtifactRef | None
    blessed: bool | None
    pushed: str | None
    parameters: Mapping[str, Mapping[str, Any]]
    process: str | None = None
    unread: tuple[Unread, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The run as a JSON object, without NaN and infinities; every key is always there."""
        document: dict[str, Any] = jsonable(self)
        return document


@dataclasses.dataclass(frozen=True)
class MetricChange:
    """One metric in two runs.

    Attributes:
        name: Its name.
        before: Its value in the earlier run; None: it has none.
        after: Its value in the later run.
        change: The later value minus the earlier one.
        lower: Lower end of the interval of the change; None without intervals of both.
        upper: Its upper end.
        baseline: The value of the earlier run's model on the later run's data.
        by_data: The part of the change that this model has on the new data.
        by_model: The part of the change between the models, on the same data.
    """

    name: str
    before: float | None
    after: float | None
    change: float | None = None
    lower: float | None = None
    upper: float | None = None
    baseline: float | None = None
    by_data: float | None = None
    by_model: float | None = None

    @property
    def is_certain(self) -> bool:
        """Whether the interval of the change does not contain 0; True without an interval."""
        return self.lower is None or self.upper is None or not self.lower <= 0 <= self.upper


@dataclasses.dataclass(frozen=True)
class SettingChange:
    """A parameter that differs between two runs.

    Attributes:
        component: Id of its component.
        parameter: Its name.
        before: Its value in the earlier run.
        after: Its value in the later run.
    """

    component: str
    parameter: str
    before: Any
    after: Any


@dataclasses.dataclass(frozen=True)
class Move:
    """What changed from one run to another; docs/lineage.md says more of each part.

    Attributes:
        before: Id of the earlier run.
        after: Id of the later one.
        before_number: Number of the earlier run.
        after_number: Number of the later one.
        source: `DRIFT_REPORT` or `STATISTICS`, from which `features` are; None without features.
        features: The scores of the features, the worst first.
        rows: Rows by split, by side: ``before`` and ``after``.
        data_changed: None if unknown.
        schema_changed: None if unknown.
        settings: Parameters that differ.
        components: Ids of the components that were ``added`` and ``removed``.
        metrics: The metrics of either run.
        blessed: By side.
        pushed: By side.
        unread: Files of statistics that could not be read.
        sentences: The same for people, if a front has added them.
    """

    before: str
    after: str
    before_number: int
    after_number: int
    source: str | None
    features: tuple[Score, ...]
    rows: Mapping[str, Mapping[str, int] | None]
    data_changed: bool | None
    schema_changed: bool | None
    settings: tuple[SettingChange, ...]
    components: Mapping[str, tuple[str, ...]]
    metrics: tuple[MetricChange, ...]
    blessed: Mapping[str, bool | None]
    pushed: Mapping[str, str | None]
    unread: tuple[Unread, ...] = ()
    sentences: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Correlation:
    """How far a feature moved and how a metric changed, over neighbouring runs.

    Attributes:
        feature: Name of the feature.
        metric: Name of the metric.
        rho: Spearman's rank correlation, -1 to 1; None with too few pairs, or without a change.
        n: Number of pairs of runs.
        p_value: Two-sided; None like `rho`.
    """

    feature: str
    metric: str
    rho: float | None
    n: int
    p_value: float | None


@dataclasses.dataclass(frozen=True)
class FeatureHistory:
    """One feature over the runs: in each of the columns one entry per run, None without a score.

    Attributes:
        name: Its name.
        scores: `Score.score`.
        limits: `Score.threshold`.
        verdicts: `Score.verdict`.
        metrics: `Score.metric`.
        by_chance: `Score.by_chance`; empty in documents of earlier releases.
    """

    name: str
    scores: tuple[float | None, ...]
    limits: tuple[float | None, ...]
    verdicts: tuple[str | None, ...]
    metrics: tuple[str | None, ...]
    by_chance: tuple[bool | None, ...] = ()

    @classmethod
    def of(cls, name: str, by_run: Iterable[Score | None]) -> FeatureHistory:
        """Makes columns of a feature's score in each run."""
        rows = [
            (x.score, x.threshold, x.verdict, x.metric, x.by_chance) if x else (None,) * 5
            for x in by_run
        ]
        return cls(name, *zip(*rows))

    @property
    def by_run(self) -> list[Score | None]:
        """Its score in each run."""
        rows = itertools.zip_longest(
            self.scores, self.limits, self.verdicts, self.metrics, self.by_chance
        )
        return [
            None
            if verdict is None
            else Score(self.name, verdict, metric, score, limit, by_chance=bool(by_chance))
            for score, limit, verdict, metric, by_chance in rows
        ]


@dataclasses.dataclass(frozen=True)
class History:
    """The runs of a pipeline and what changed between them; docs/lineage.md says more.

    Attributes:
        pipeline: Name of the pipeline.
        store: Name of the store, without a password.
        created: ISO 8601, UTC.
        library: Name and version of this library.
        metric: The metric by which models are judged.
        runs: Oldest first.
        moved: What changed between neighbouring runs.
        features: The worst first.
        correlations: The strongest first.
        correlation_note: How to read them, if a front has added it.
        unread: Files that could not be read, each once.
    """

    pipeline: str
    store: str
    created: str
    library: str
    metric: str | None
    runs: tuple[Run, ...]
    moved: tuple[Move, ...]
    features: tuple[FeatureHistory, ...]
    correlations: tuple[Correlation, ...]
    correlation_note: str = ""
    unread: tuple[Unread, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The history as a JSON object, without NaN and infinities."""
        document: dict[str, Any] = jsonable(self)
        return document


def interval_of_change(
    old: tuple[float, float, float], new: tuple[float, float, float]
) -> tuple[float, float]:
    """Returns the confidence interval of the difference of two values.

    Of two intervals l1..u1 and l2..u2 around m1 and m2, that of m2 - m1 is from
    ``d - sqrt((m2 - l2)^2 + (u1 - m1)^2)`` to ``d + sqrt((u2 - m2)^2 + (m1 - l1)^2)`` (Zou and
    Donner, 2008, doi:10.1002/sim.3095). It is valid for independent evaluations, such as those of
    different data; for two models on the same data it is usually too wide.

    Args:
        old: The earlier value, and the lower and upper end of its interval.
        new: The later value, and the ends of its interval.

    Example:
        >>> interval_of_change((0.0, -3.0, 3.0), (2.0, -2.0, 6.0))
        (-3.0, 7.0)
    """
    (m1, l1, u1), (m2, l2, u2) = old, new
    change = m2 - m1
    return change - math.hypot(m2 - l2, u1 - m1), change + math.hypot(u2 - m2, m1 - l1)


def same_examples(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> bool | None:
    """Tells whether the Examples of two runs are the same data; None if unknown.

    Args:
        old: ``id``, ``content_fingerprint`` and ``rows`` of the first run's; None: it has none.
        new: The same of the second run's.

    Example:
        >>> one = {"id": 1, "content_fingerprint": "a", "rows": {"train": 2}}
        >>> same_examples(one, {**one, "id": 2}), same_examples(one, None)
        (True, None)
    """
    if old is None or new is None:
        return None
    if old["id"] == new["id"]:
        return True
    if old["content_fingerprint"] and new["content_fingerprint"]:
        # The same files may have been split differently.
        same: bool = old["content_fingerprint"] == new["content_fingerprint"]
        return same and bool(old["rows"] == new["rows"])
    if None not in (old["rows"], new["rows"]) and old["rows"] != new["rows"]:
        return False
    return None


def same_data(before: Run, after: Run) -> bool | None:
    """Tells whether two runs have the same data; None if unknown.

    Args:
        before: One run.
        after: Another one.
    """
    old, new = (vars(run.examples) if run.examples else None for run in (before, after))
    return same_examples(old, new)


def difference(
    old: MetricValue, new: MetricValue
) -> tuple[float | None, float | None, float | None]:
    """Returns the change of a metric, and its confidence interval.

    See `interval_of_change` for the method and its assumptions.

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


def metrics_are_unknown(run: Run) -> bool:
    """Tells whether a run was evaluated, but its metrics could not be read.

    Args:
        run: The run.
    """
    return (
        run.evaluation is not None
        and not run.metrics
        and any(file.path.startswith(run.evaluation.uri) for file in run.unread)
    )


def distinct(unread: Iterable[Unread]) -> tuple[Unread, ...]:
    """Returns each unread file once, since several runs may name it.

    Example:
        >>> len(distinct([Unread("a", "missing"), Unread("a", "missing")]))
        1
    """
    return tuple({(file.path, file.problem): file for file in unread}.values())
