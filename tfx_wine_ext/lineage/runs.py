"""The runs of a pipeline: data, drift, model, metrics and push of each.

Artifacts are recognised by their types, not by the names of the components that made them: a plain
TFX pipeline is read like one with this library's components. What a run lacks is None.
"""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from tfx_wine_ext.artifacts.layout import node_folder, stopped_folder
from tfx_wine_ext.artifacts.properties import (
    rows_by_split,
    span_date_of,
    span_of,
    text,
    version_of,
    whole,
)
from tfx_wine_ext.files.tolerant import SoftFiles, Unread
from tfx_wine_ext.lineage import readings
from tfx_wine_ext.lineage.evaluation import Metrics, MetricValue, read_metrics
from tfx_wine_ext.lineage.scores import Score
from tfx_wine_ext.lineage.snapshot import (
    UPSTREAM,
    Artifact,
    Execution,
    Link,
    Snapshot,
)
from tfx_wine_ext.suggestions import hint

LATEST = "latest"
"""What `find_run` takes for the newest run."""

# Longer ones are taken for the beginning of an id, if they are one: TFX's ids begin with a year.
_MOST_DIGITS = 3
# The years 1970 to 9998, in milliseconds.
_FIRST, _LAST = 0, 253_370_764_799_000


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
    path: str


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
        found: dict[str, Any] = readings.jsonable(self)
        return found


def runs(snapshot: Snapshot, pipeline: str | None = None) -> list[Run]:
    """Returns the runs of a pipeline, oldest first.

    A notebook (InteractiveContext) records each component as a separate run. Successive ones of a
    pipeline are combined, until a component that has succeeded runs a second time.

    Args:
        snapshot: Snapshot of a store.
        pipeline: Name of the pipeline. Default: all; runs are numbered per pipeline.

    Example:
        >>> runs(Snapshot({}, {}, {}, {}, {}, {}, {}))
        []
    """
    found: dict[str, list[list[Execution]]] = defaultdict(list)
    by_run: dict[int, list[Execution]] = defaultdict(list)
    for execution in list(snapshot.executions.values()):
        is_chosen = snapshot.chosen is None or execution.run in snapshot.chosen
        if execution.run is not None and pipeline in (None, execution.pipeline) and is_chosen:
            by_run[execution.run].append(execution)
    for run_id, executions in sorted(by_run.items(), key=lambda item: item[1][0].id):
        groups = found[executions[0].pipeline or ""]
        legacy = snapshot.runs[run_id].legacy
        if legacy and len(executions) == 1 and groups and _goes_on(groups[-1], executions[0]):
            groups[-1].append(executions[0])
        else:
            groups.append(list(executions))
    files = files_of(snapshot)
    made = [
        _Reader(snapshot, files, name, number, executions).run()
        for name, groups in found.items()
        for number, executions in enumerate(groups, snapshot.earlier + 1)
    ]
    return sorted(made, key=lambda run: run.components[0].execution)


def files_of(snapshot: Snapshot) -> SoftFiles:
    """Returns a reader for the files of a store's artifacts, for any current folder.

    Args:
        snapshot: Of the store.
    """
    return SoftFiles(snapshot.folder, (each.uri for each in snapshot.artifacts.values()))


def metrics_are_unknown(run: Run) -> bool:
    """Tells whether a run was evaluated, but its metrics could not be read.

    Args:
        run: The run.
    """
    return (
        run.evaluation is not None
        and not run.metrics
        and any(each.path.startswith(run.evaluation.uri) for each in run.unread)
    )


def _goes_on(group: Sequence[Execution], execution: Execution) -> bool:
    """Tells whether a notebook's execution belongs to the ones before it."""
    done = {each.component for each in group if each.succeeded}
    return execution.component not in done


def find_run(among: Sequence[Run], text: str) -> Run:
    """Finds a run by its id, number, or "latest".

    Args:
        among: Runs, oldest first.
        text: A run's id or the beginning of one; a number: 1 for the oldest, -1 for the newest; or
            "latest".

    Raises:
        ValueError: No run matches, or several do.

    Example:
        >>> find_run([], "latest")
        Traceback (most recent call last):
        ...
        ValueError: run 'latest': expected one of the runs, found that there are none
    """
    if not among:
        raise ValueError(f"run {text!r}: expected one of the runs, found that there are none")
    found = [run for run in among if run.run == text]
    beginning = [run for run in among if text and run.run.startswith(text)]
    number = _number(text)
    if not found and text == LATEST:
        found = [among[-1]]
    elif not found and number is not None and not (beginning and len(text) > _MOST_DIGITS):
        found = _by_number(among, number)
    elif not found:
        found = beginning
    if len(found) == 1:
        return found[0]
    if found:
        meant = ", ".join(run.run for run in found[:5]) + (", ..." if len(found) > 5 else "")
        raise ValueError(
            f"run {text!r}: expected one run, found {len(found)}: {meant}: give more of the id, "
            "and the pipeline if several have such runs"
        )
    raise ValueError(
        f"run {text!r}: expected an id or its beginning, a number from 1 to "
        f"{max(run.number for run in among)} (or -1, -2, ... from the newest), or {LATEST}; found "
        f"no such run among {among[0].run} to {among[-1].run}"
        + (hint(text, [LATEST, *(run.run for run in among)]) if number is None else "")
    )


def _number(text: str) -> int | None:
    return whole(text)


def _by_number(among: Sequence[Run], number: int) -> list[Run]:
    if number < 0:
        return [among[number]] if -number <= len(among) else []
    return [run for run in among if run.number == number]


class _Reader:
    """Reads one run from its executions, and the files that its artifacts still have."""

    def __init__(
        self,
        snapshot: Snapshot,
        files: SoftFiles,
        pipeline: str,
        number: int,
        executions: Sequence[Execution],
    ) -> None:
        self._snapshot = snapshot
        self._files = files
        self._pipeline = pipeline
        self._number = number
        self._executions = executions
        self._made: dict[str, list[tuple[Artifact, Execution]]] = defaultdict(list)
        for execution in executions:
            if execution.succeeded and not readings.is_resolver(execution):
                for link in snapshot.outputs.get(execution.id, ()):
                    artifact = snapshot.artifacts[link.artifact]
                    self._made[artifact.type].append((artifact, execution))

    def run(self) -> Run:
        self._note_broken()
        context = self._snapshot.runs[self._executions[0].run or 0]
        examples = self._examples()
        stopped, drift = self._drift()
        # Older versions left it as RUNNING in a notebook; the report that it kept knows more.
        executions = [
            dataclasses.replace(each, state="FAILED") if each.id in stopped else each
            for each in self._executions
        ]
        state = readings.state_of(executions)
        evaluation = self._evaluation()
        model = self._model(evaluation and evaluation[1])
        processes = self._processes(executions)
        metrics = read_metrics(evaluation[0].uri, self._files) if evaluation else Metrics({}, {})
        return Run(
            run=context.name,
            number=self._number,
            pipeline=self._pipeline,
            started=_iso(min(execution.created for execution in executions)),
            finished=None
            if state == "RUNNING"
            else _iso(max(execution.updated for execution in executions)),
            state=state,
            components=tuple(
                _component(each, stopped.get(each.id), processes.get(each.id))
                for each in executions
            ),
            examples=self._read_examples(examples) if examples else None,
            statistics=self._statistics(examples),
            drift=drift,
            model=model,
            metrics=metrics.model,
            baseline_metrics=metrics.baseline,
            baseline_model_id=self._baseline_model(evaluation[1]) if evaluation else None,
            evaluation=evaluation and self._ref(evaluation[0]),
            blessed=self._blessed(evaluation and evaluation[1]),
            pushed=self._pushed(),
            parameters={
                each.component or each.type: readings.settings(each)
                for each in executions
                if not readings.is_resolver(each)
            },
            process=next(reversed(list(processes.values())), None) if state == "RUNNING" else None,
            unread=self._files.take_unread(),
        )

    def _processes(self, executions: Sequence[Execution]) -> dict[int, str | None]:
        """What became of the processes of the unfinished executions, by id.

        TFX's IR runners on one machine run all components of a run in one process, so that one
        which does not record its own is taken to be in that of the others. Airflow's have one each.
        """
        found: dict[int, str | None] = {}
        last = {execution.component: execution.id for execution in executions}
        for execution in executions:
            if not _is_unfinished(execution):
                continue
            run = self._snapshot.runs[execution.run or 0]
            own = run.processes.get(execution.component or "")
            if own is not None and last[execution.component] == execution.id:
                found[execution.id] = own.state()
            else:
                others = set() if run.legacy else {each.state() for each in run.processes.values()}
                found[execution.id] = others.pop() if len(others) == 1 else None
        return found

    def _note_broken(self) -> None:
        """Keeps whose properties MLMD cannot read: the run's own, and what it read and wrote."""
        links = (self._snapshot.inputs, self._snapshot.outputs)
        names = [f"execution {execution.id}" for execution in self._executions]
        names += [
            f"artifact {link.artifact}"
            for execution in self._executions
            for found in links
            for link in found.get(execution.id, ())
        ]
        for name in names if self._snapshot.broken else ():
            if name in self._snapshot.broken:
                why = f"MLMD cannot read its properties ({self._snapshot.broken[name]})"
                self._files.note_unreadable(name, why)

    def _ref(self, artifact: Artifact) -> ArtifactRef:
        return ArtifactRef(artifact.id, artifact.uri, self._files.local(artifact.uri))

    def _inputs(self, execution: Execution) -> list[tuple[Link, Artifact]]:
        links = self._snapshot.inputs.get(execution.id, ())
        return [(link, self._snapshot.artifacts[link.artifact]) for link in links]

    def _input(self, execution: Execution, type_name: str, key: str = "") -> Artifact | None:
        """Returns the first input of a type, preferably the one with this key."""
        found = [pair for pair in self._inputs(execution) if pair[1].type == type_name]
        found.sort(key=lambda pair: pair[0].key != key)
        return found[0][1] if found else None

    def _examples(self) -> Artifact | None:
        """The first Examples not made of Examples; else those that the run goes back to."""
        for artifact, execution in self._made["Examples"]:
            if self._input(execution, "Examples") is None:
                return artifact
        for execution in self._executions:
            if readings.is_resolver(execution):
                continue
            # By key: a baseline, of a drift report or of an evaluation, is not the data.
            start = self._input(execution, "Examples", "examples")
            start = start or self._input(execution, "Model", "model")
            if start is not None:
                steps = self._snapshot.steps(start.id, UPSTREAM)
                ways = (self._snapshot.artifacts[end.artifact] for _, end in steps if end)
                for candidate in itertools.chain([start], ways):
                    if candidate.type == "Examples" and self._is_root(candidate):
                        return candidate
        return None

    def _is_root(self, examples: Artifact) -> bool:
        makers = self._snapshot.makers(examples.id)
        return all(
            self._input(self._snapshot.executions[link.execution], "Examples") is None
            for link in makers
        )

    def _read_examples(self, artifact: Artifact) -> Examples:
        found = artifact.properties
        rows = rows_by_split(found)
        if rows is None:
            statistics = self._statistics(artifact)
            rows = readings.rows_of_statistics(statistics.uri, self._files) if statistics else None
        return Examples(
            id=artifact.id,
            uri=artifact.uri,
            span=span_of(found),
            version=version_of(found),
            rows=rows,
            content_fingerprint=readings.content_fingerprint(artifact),
            schema_fingerprint=readings.schema_fingerprint(artifact),
            anomalies=self._anomalies(),
            span_date=span_date_of(found),
        )

    def _statistics(self, examples: Artifact | None) -> ArtifactRef | None:
        """The statistics of these examples, from the run or from whichever run made them."""
        made = [
            (artifact, execution)
            for artifact, execution in self._made["ExampleStatistics"]
            if not self._is_transform(execution)
        ]
        for artifact, execution in made:
            read = self._input(execution, "Examples")
            if examples is None or (read is not None and read.id == examples.id):
                return self._ref(artifact)
        for link in self._snapshot.read_by.get(examples.id, ()) if examples else ():
            execution = self._snapshot.executions[link.execution]
            if execution.succeeded and not self._is_transform(execution):
                for output in self._snapshot.outputs.get(execution.id, ()):
                    artifact = self._snapshot.artifacts[output.artifact]
                    if artifact.type == "ExampleStatistics":
                        return self._ref(artifact)
        return None

    def _is_transform(self, execution: Execution) -> bool:
        """Tells whether it is Transform, whose statistics are none of StatisticsGen's."""
        links = self._snapshot.outputs.get(execution.id, ())
        return any(self._snapshot.artifacts[x.artifact].type == "TransformGraph" for x in links)

    def _anomalies(self) -> int | None:
        """Returns features with an anomaly, from any component but a drift report."""
        names: set[str] = set()
        looked = False
        for artifact, execution in self._made["ExampleAnomalies"]:
            if not readings.is_drift_report(execution):
                found = readings.anomalous_features(artifact.uri, self._files)
                if found is None:
                    return None
                names |= found
                looked = True
        return len(names) if looked else None

    def _drift(self) -> tuple[Mapping[int, str], Drift | None]:
        """Why executions were stopped, by id, and the report that counts."""
        reports = [
            (execution, readings.drift_of(artifact, self._files))
            for artifact, execution in self._made["ExampleDriftReport"]
        ]
        stopped: dict[int, str] = {}
        for execution in self._executions:
            if readings.is_drift_report(execution) and readings.may_have_stopped(execution):
                folders = self._stopped_folders(execution)
                found = readings.stopped_drift(folders, self._files)
                if found is not None:
                    reports.append((execution, found))
                    stopped[execution.id] = found.pop("why")
                elif folders and readings.error_of(execution) is None:
                    # Where not even the folder of all nodes is there, nobody can say.
                    self._files.note_if_missing(node_folder(folders[0]))
        # Between splits of the same examples: only if there is nothing else.
        reports.sort(key=lambda report: bool(report[0].properties.get("skew")))
        if not reports:
            return stopped, None
        execution, found = reports[0]
        # What was found gone was not compared with, although it is an input.
        compared = found["lost_baseline"] is None
        return stopped, Drift(baseline_id=self._baseline(execution) if compared else None, **found)

    def _stopped_folders(self, execution: Execution) -> list[str]:
        """Folders in which a report that stopped the run may be: beside the node's outputs."""
        uris = [
            self._snapshot.artifacts[link.artifact].uri
            for link in self._snapshot.outputs.get(execution.id, ())
        ]
        nodes = [node_folder(uri) for uri in uris]
        for made in self._made.values():
            for artifact, _ in made:
                for link in self._snapshot.makers(artifact.id):
                    maker = self._snapshot.executions[link.execution]
                    root = readings.root_folder(artifact.uri, maker)
                    if root is not None:
                        nodes.append(f"{root}/{execution.component}")
        return [stopped_folder(node, execution.id) for node in dict.fromkeys(nodes)]

    def _baseline(self, execution: Execution) -> int | None:
        for link, artifact in self._inputs(execution):
            if link.key == "baseline":
                return artifact.id
            if link.key == "baseline_statistics":
                ways = (
                    self._snapshot.artifacts[id_] for id_ in self._snapshot.upstream(artifact.id)
                )
                return next((way.id for way in ways if way.type == "Examples"), None)
        return None

    def _evaluation(self) -> tuple[Artifact, Execution] | None:
        """The evaluation of the run's own model, if there are several."""
        made = {artifact.id for artifact, _ in self._made["Model"]}
        found = self._made["ModelEvaluation"]
        own = [
            pair
            for pair in found
            if any(link.artifact in made for link in self._snapshot.inputs.get(pair[1].id, ()))
        ]
        return next(iter(own or found), None)

    def _baseline_model(self, evaluator: Execution) -> int | None:
        links = self._snapshot.inputs.get(evaluator.id, ())
        return next((link.artifact for link in links if link.key == "baseline_model"), None)

    def _blessed(self, evaluator: Execution | None) -> bool | None:
        found = self._made["ModelBlessing"]
        same = [artifact for artifact, execution in found if execution is evaluator]
        for artifact in same or [artifact for artifact, _ in found]:
            return whole(artifact.properties.get("blessed")) == 1
        return None

    def _pushed(self) -> str | None:
        for artifact, _ in self._made["PushedModel"]:
            if whole(artifact.properties.get("pushed")) == 1:
                pushed_to = text(artifact.properties.get("pushed_destination"))
                return pushed_to or artifact.uri
        return None

    def _model(self, evaluator: Execution | None) -> Model | None:
        made = {artifact.id: (artifact, execution) for artifact, execution in self._made["Model"]}
        users = [evaluator] if evaluator else []
        users += [execution for _, execution in self._made["PushedModel"]]
        used = [
            made[link.artifact]
            for user in users
            for link in self._snapshot.inputs.get(user.id, ())
            if link.artifact in made
        ]
        chosen = used or list(made.values())[-1:]
        if not chosen:
            return None
        artifact, trainer = chosen[0]
        found = artifact.properties
        base = whole(found.get("base_model_id"))
        if base is None:
            keyed = {link.key: link.artifact for link in self._snapshot.inputs.get(trainer.id, ())}
            base = None if "warm_start" in found else keyed.get("base_model")
        warm = whole(found.get("warm_start"))
        hyperparameters = self._input(trainer, "HyperParameters")
        values = None
        if hyperparameters is not None:
            values = readings.hyperparameters(hyperparameters.uri, self._files)
        logs = [a.uri for a, execution in self._made["ModelRun"] if execution is trainer]
        return Model(
            id=artifact.id,
            uri=artifact.uri,
            kind=readings.kind_of(trainer),
            warm=None if warm is None else warm == 1,
            reason=text(found.get("warm_start_reason")),
            base_model_id=base,
            generation=whole(found.get("generation")),
            steps=whole(found.get("steps")),
            total_steps=whole(found.get("total_steps")),
            hyperparameters=values or readings.custom_config(trainer),
            logs=self._files.existing(logs[0]) if logs else None,
        )


def _is_unfinished(execution: Execution) -> bool:
    return execution.state in readings.RUNNING_STATES and not execution.succeeded


def _component(execution: Execution, stopped: str | None, process: str | None) -> Component:
    running = _is_unfinished(execution)
    seconds = (execution.updated - execution.created) / 1000
    return Component(
        id=execution.component or execution.type,
        type=execution.type,
        execution=execution.id,
        state=execution.state,
        started=_iso(execution.created),
        seconds=None if running or seconds < 0 else seconds,
        # One that was tried again and succeeded keeps the message of the first try in the store.
        error=None if execution.succeeded else stopped or readings.error_of(execution),
        process=process,
    )


def _iso(milliseconds: int) -> str:
    """Returns a time as ISO 8601 with an offset from UTC; clamped if it is out of range."""
    utc = datetime.timezone.utc
    seconds = min(max(milliseconds, _FIRST), _LAST) / 1000
    return datetime.datetime.fromtimestamp(seconds, utc).isoformat()
