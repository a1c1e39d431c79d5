"""The runs of a pipeline: data, drift, model, metrics and push of each.

Artifacts are recognised by their types, not by the names of the components that made them: a plain
TFX pipeline is read like one with this library's components. What a run lacks is None.
"""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from tfx_wine_ext.artifacts.layout import node_folder, stopped_folder
from tfx_wine_ext.artifacts.properties import (
    rows_by_split,
    span_date_of,
    span_of,
    text,
    version_of,
    whole,
)
from tfx_wine_ext.files.tolerant import SoftFiles
from tfx_wine_ext.lineage import readings
from tfx_wine_ext.lineage.evaluation import Metrics, read_metrics
from tfx_wine_ext.lineage.records import ArtifactRef as ArtifactRef
from tfx_wine_ext.lineage.records import Component as Component
from tfx_wine_ext.lineage.records import Drift as Drift
from tfx_wine_ext.lineage.records import Examples as Examples
from tfx_wine_ext.lineage.records import Model as Model
from tfx_wine_ext.lineage.records import Run as Run
from tfx_wine_ext.lineage.records import metrics_are_unknown as metrics_are_unknown
from tfx_wine_ext.lineage.snapshot import (
    UPSTREAM,
    Artifact,
    Choose,
    Execution,
    Link,
    ListedRun,
    Snapshot,
)
from tfx_wine_ext.suggestions import hint
from tfx_wine_ext.types.drift_report import REPORT_TYPE, current_type

_AnyRun = TypeVar("_AnyRun", Run, ListedRun)

LATEST = "latest"
"""What `find_run` takes for the newest run."""

# Longer ones are taken for the beginning of an id, if they are one: TFX's ids begin with a year.
_MOST_DIGITS = 3
# The years 1970 to 9998, in milliseconds.
_FIRST, _LAST = 0, 253_370_764_799_000


def runs(
    snapshot: Snapshot,
    pipeline: str | None = None,
    files: SoftFiles | None = None,
    choose: Choose | None = None,
) -> list[Run]:
    """Returns the runs of a pipeline, oldest first.

    A notebook (InteractiveContext) records each component as a separate run. Successive ones of a
    pipeline are combined, until a component that has succeeded runs a second time.

    Airflow may run a component several times in one run. Each try is one of the run's components;
    the last one gives the state, and the last one that succeeded the outputs.

    Args:
        snapshot: Snapshot of a store.
        pipeline: Name of the pipeline. Default: all; runs are numbered per pipeline.
        files: How to read the files of the runs. Default: `files_of` the snapshot.
        choose: Chooses of each pipeline's runs those that are read, unless the snapshot has only
            chosen ones. Default: all are.

    Example:
        >>> runs(Snapshot({}, {}, {}, {}, {}, {}, {}))
        []
    """
    by_pipeline: dict[str, list[list[Execution]]] = defaultdict(list)
    by_run: dict[int, list[Execution]] = defaultdict(list)
    for execution in list(snapshot.executions.values()):
        is_chosen = snapshot.numbers is None or execution.run in snapshot.numbers
        if execution.run is not None and pipeline in (None, execution.pipeline) and is_chosen:
            by_run[execution.run].append(execution)
    for run_id, executions in sorted(by_run.items(), key=lambda item: item[1][0].id):
        groups = by_pipeline[executions[0].pipeline or ""]
        is_cell = snapshot.runs[run_id].is_notebooks and len(executions) == 1
        if is_cell and groups and _goes_on(groups[-1], executions[0]):
            groups[-1].append(executions[0])
        else:
            groups.append(list(executions))
    files = files or files_of(snapshot)
    if pipeline is not None:
        by_pipeline.setdefault(pipeline, [])  # So that `choose` tells that there is no run.
    made = [
        _Reader(snapshot, files, name, listed.number, by_number[listed.number]).run()
        for name, groups in by_pipeline.items()
        for by_number in [_numbered(snapshot, groups)]
        for listed in _chosen(snapshot, by_number, choose)
    ]
    return sorted(made, key=lambda run: run.components[0].execution)


def files_of(snapshot: Snapshot, before: SoftFiles | None = None) -> SoftFiles:
    """Returns a reader for the files of a store's artifacts, for any current folder.

    Args:
        snapshot: Of the store.
        before: Knows already which servers do not answer.
    """
    uris: Iterable[str] = snapshot.relative_uris
    if snapshot.numbers is None:
        uris = (artifact.uri for artifact in snapshot.artifacts.values())
    return SoftFiles(snapshot.folder, uris, before)


def _numbered(snapshot: Snapshot, groups: Sequence[list[Execution]]) -> dict[int, list[Execution]]:
    """Returns the executions of each run of a pipeline by the run's number."""
    if snapshot.numbers is None:
        return dict(enumerate(groups, 1))
    return {snapshot.numbers[group[0].run or 0]: group for group in groups}


def _chosen(
    snapshot: Snapshot, by_number: Mapping[int, Sequence[Execution]], choose: Choose | None
) -> list[ListedRun]:
    ids = {number: executions[0].run or 0 for number, executions in by_number.items()}
    listed = [ListedRun(id_, snapshot.runs[id_].name, number) for number, id_ in ids.items()]
    if choose is None or snapshot.numbers is not None:
        return listed
    return list(dict.fromkeys(choose(listed)))


def _goes_on(group: Sequence[Execution], execution: Execution) -> bool:
    """Tells whether a notebook's execution belongs to the ones before it."""
    done = {earlier.component for earlier in group if earlier.succeeded}
    return execution.component not in done


def find_run(runs: Sequence[_AnyRun], text: str) -> _AnyRun:
    """Finds a run by its id, number, or "latest".

    Args:
        runs: Runs, oldest first; or what lists them.
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
    if not runs:
        raise ValueError(f"run {text!r}: expected one of the runs, found that there are none")
    matches = [run for run in runs if run.run == text]
    beginning = [run for run in runs if text and run.run.startswith(text)]
    number = whole(text)
    if not matches and text == LATEST:
        matches = [runs[-1]]
    elif not matches and number is not None and not (beginning and len(text) > _MOST_DIGITS):
        matches = _by_number(runs, number)
    elif not matches:
        matches = beginning
    if len(matches) == 1:
        return matches[0]
    if matches:
        meant = ", ".join(run.run for run in matches[:5]) + (", ..." if len(matches) > 5 else "")
        raise ValueError(
            f"run {text!r}: expected one run, found {len(matches)}: {meant}: give more of the id, "
            "and the pipeline if several have such runs"
        )
    raise ValueError(
        f"run {text!r}: expected an id or its beginning, a number from 1 to "
        f"{max(run.number for run in runs)} (or -1, -2, ... from the newest), or {LATEST}; found "
        f"no such run among {runs[0].run} to {runs[-1].run}"
        + (hint(text, [LATEST, *(run.run for run in runs)]) if number is None else "")
    )


def _by_number(runs: Sequence[_AnyRun], number: int) -> list[_AnyRun]:
    if number < 0:
        return [runs[number]] if -number <= len(runs) else []
    return [run for run in runs if run.number == number]


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
        # Of several tries of a component, the last one that succeeded counts.
        done = {each.component or each.id: each for each in executions if each.succeeded}
        for execution in done.values():
            if not readings.is_resolver(execution):
                for link in snapshot.outputs.get(execution.id, ()):
                    artifact = snapshot.artifacts[link.artifact]
                    self._made[current_type(artifact.type)].append((artifact, execution))

    def run(self) -> Run:
        self._note_broken()
        context = self._snapshot.runs[self._executions[0].run or 0]
        examples = self._examples()
        stopped, drift = self._drift()
        # Older versions left it as RUNNING in a notebook; the report that it kept knows more.
        executions = [
            dataclasses.replace(execution, state="FAILED") if execution.id in stopped else execution
            for execution in self._executions
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
                _component(execution, stopped.get(execution.id), processes.get(execution.id))
                for execution in executions
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
                execution.component or execution.type: readings.settings(execution)
                for execution in executions
                if not readings.is_resolver(execution)
            },
            process=next(reversed(list(processes.values())), None) if state == "RUNNING" else None,
            unread=self._files.take_unread(),
        )

    def _processes(self, executions: Sequence[Execution]) -> dict[int, str | None]:
        """What became of the processes of the unfinished executions, by id.

        TFX's IR runners on one machine run all components of a run in one process, so that one
        which does not record its own is taken to be in that of the others. Airflow's have one each.
        """
        states: dict[int, str | None] = {}
        last = {execution.component: execution.id for execution in executions}
        for execution in executions:
            if not _is_unfinished(execution):
                continue
            run = self._snapshot.runs[execution.run or 0]
            own = run.processes.get(execution.component or "")
            if own is not None and last[execution.component] == execution.id:
                states[execution.id] = own.state()
            else:
                known = () if run.legacy else run.processes.values()
                others = {process.state() for process in known}
                states[execution.id] = others.pop() if len(others) == 1 else None
        return states

    def _note_broken(self) -> None:
        """Keeps whose properties MLMD cannot read: the run's own, and what it read and wrote."""
        links = (self._snapshot.inputs, self._snapshot.outputs)
        names = [f"execution {execution.id}" for execution in self._executions]
        names += [
            f"artifact {link.artifact}"
            for execution in self._executions
            for links_of in links
            for link in links_of.get(execution.id, ())
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
        inputs = [pair for pair in self._inputs(execution) if pair[1].type == type_name]
        inputs.sort(key=lambda pair: pair[0].key != key)
        return inputs[0][1] if inputs else None

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
        known = artifact.properties
        rows = rows_by_split(known)
        if rows is None:
            statistics = self._statistics(artifact)
            rows = readings.rows_of_statistics(statistics.uri, self._files) if statistics else None
        return Examples(
            id=artifact.id,
            uri=artifact.uri,
            span=span_of(known),
            version=version_of(known),
            rows=rows,
            content_fingerprint=readings.content_fingerprint(artifact),
            schema_fingerprint=readings.schema_fingerprint(artifact),
            anomalies=self._anomalies(),
            span_date=span_date_of(known),
            source=readings.source(artifact),
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
                features = readings.anomalous_features(artifact.uri, self._files)
                if features is None:
                    return None
                names |= features
                looked = True
        return len(names) if looked else None

    def _drift(self) -> tuple[Mapping[int, str], Drift | None]:
        """Reasons why executions were stopped, by id, and the report that counts."""
        reports = [
            (execution, readings.drift_of(artifact, self._files))
            for artifact, execution in self._made[REPORT_TYPE]
        ]
        stopped: dict[int, str] = {}
        for execution in self._executions:
            if readings.is_drift_report(execution) and readings.may_have_stopped(execution):
                folders = self._stopped_folders(execution)
                report = readings.stopped_drift(folders, self._files)
                if report is not None:
                    reports.append((execution, report))
                    stopped[execution.id] = "; ".join(report.reasons)
                elif folders and readings.error_of(execution) is None:
                    # Where not even the folder of all nodes is there, nobody can say.
                    self._files.note_if_missing(node_folder(folders[0]))
        # Between splits of the same examples: only if there is nothing else.
        reports.sort(key=lambda report: bool(report[0].properties.get("skew")))
        if not reports:
            return stopped, None
        execution, drift = reports[0]
        # A baseline that was lost or refused is an input, but nothing was compared with it.
        if drift.verdict != "NO_BASELINE":
            drift = dataclasses.replace(drift, baseline_id=self._baseline(execution))
        return stopped, drift

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
        evaluations = self._made["ModelEvaluation"]
        own = [
            pair
            for pair in evaluations
            if any(link.artifact in made for link in self._snapshot.inputs.get(pair[1].id, ()))
        ]
        return next(iter(own or evaluations), None)

    def _baseline_model(self, evaluator: Execution) -> int | None:
        links = self._snapshot.inputs.get(evaluator.id, ())
        return next((link.artifact for link in links if link.key == "baseline_model"), None)

    def _blessed(self, evaluator: Execution | None) -> bool | None:
        blessings = self._made["ModelBlessing"]
        same = [artifact for artifact, execution in blessings if execution is evaluator]
        for artifact in same or [artifact for artifact, _ in blessings]:
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
        known = artifact.properties
        base = whole(known.get("base_model_id"))
        if base is None:
            keyed = {link.key: link.artifact for link in self._snapshot.inputs.get(trainer.id, ())}
            base = None if "warm_start" in known else keyed.get("base_model")
        warm = whole(known.get("warm_start"))
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
            reason=text(known.get("warm_start_reason")),
            base_model_id=base,
            generation=whole(known.get("generation")),
            steps=whole(known.get("steps")),
            total_steps=whole(known.get("total_steps")),
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
