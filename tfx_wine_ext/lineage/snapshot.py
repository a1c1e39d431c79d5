"""A metadata store, or what it knows of one pipeline, read at once and walked in memory.

MLMD answers one question per call, and a history has a question per component and run. Here the
whole store is read by a handful of calls, however many runs it has.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from ml_metadata import errors
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

from tfx_wine_ext.artifacts.process import Process
from tfx_wine_ext.artifacts.properties import properties_of
from tfx_wine_ext.lineage import sqlite_file
from tfx_wine_ext.lineage.errors import StoreError
from tfx_wine_ext.masking import masked_addresses, masked_values
from tfx_wine_ext.suggestions import hint
from tfx_wine_ext.types import execution as keys

UPSTREAM, DOWNSTREAM = "upstream", "downstream"

_INPUTS = {metadata_store_pb2.Event.INPUT, metadata_store_pb2.Event.DECLARED_INPUT}
# Not INTERNAL_OUTPUT, by which resolvers name what others made.
_OUTPUTS = {metadata_store_pb2.Event.OUTPUT, metadata_store_pb2.Event.DECLARED_OUTPUT}
# What LocalDagRunner and what InteractiveContext and Airflow call a run and a component.
_PIPELINE, _RUNS, _NODES = "pipeline", ("pipeline_run", "run"), ("node", "component_run")
_TIMES = ("create_time_since_epoch", "last_update_time_since_epoch")
_WITHOUT_PROPERTIES = {
    "Artifact": ("id", "type_id", "uri", "state", *_TIMES),
    "Execution": ("id", "type_id", "last_known_state", *_TIMES),
}


@dataclasses.dataclass(frozen=True)
class Artifact:
    """An artifact of the store.

    Attributes:
        id: Its id in the store.
        type: Name of its type, such as `Examples`.
        uri: Where its files are or were.
        state: MLMD's name of its state: `LIVE`, `DELETED`, `UNKNOWN`, ...
        created: Milliseconds since 1970, UTC.
        properties: Declared and custom properties; those without a value are omitted.
    """

    id: int
    type: str
    uri: str
    state: str
    created: int
    properties: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Execution:
    """One execution of a component.

    Attributes:
        id: Its id in the store.
        type: Class path of the component.
        state: `COMPLETE`, `CACHED`, `FAILED`, `RUNNING`, `CANCELED`, `NEW` or `UNKNOWN`.
        component: Id of the component in its pipeline; None if the store does not say.
        pipeline: Name of the pipeline; None if the store does not say.
        run: Id of the context of its run; None if it belongs to none.
        created: Milliseconds since 1970, UTC.
        updated: The same, of the last change.
        properties: Declared and custom ones together.
    """

    id: int
    type: str
    state: str
    component: str | None
    pipeline: str | None
    run: int | None
    created: int
    updated: int
    properties: Mapping[str, Any]

    @property
    def succeeded(self) -> bool:
        """Whether its outputs are valid."""
        if self.state == "UNKNOWN":  # Before MLMD had states, TFX wrote them into a property.
            return self.properties.get("state") in ("complete", "cached", "published")
        return self.state in ("COMPLETE", "CACHED")


@dataclasses.dataclass(frozen=True)
class RunContext:
    """The store's record of a run.

    Attributes:
        id: Its id in the store.
        name: The run's id.
        legacy: Whether InteractiveContext or Airflow made it, which record runs differently.
        processes: The process that last ran each component, if its driver recorded it.
    """

    id: int
    name: str
    legacy: bool
    processes: Mapping[str, Process] = dataclasses.field(default_factory=dict)

    @property
    def is_notebooks(self) -> bool:
        """Whether InteractiveContext made it, whose ids are times; Airflow's are not."""
        try:
            datetime.datetime.fromisoformat(self.name)
        except ValueError:
            return False
        return self.legacy


@dataclasses.dataclass(frozen=True)
class ListedRun:
    """A run of a pipeline, of which no more is read than needed to choose it.

    Attributes:
        id: Id of its context in the store; of a notebook's runs, which are combined, the first.
        run: The run's id.
        number: Its number among the runs of the pipeline; 1 is the oldest.
    """

    id: int
    run: str
    number: int


Choose = Callable[[Sequence[ListedRun]], Sequence[ListedRun]]
"""Chooses of all runs of a pipeline, oldest first, those that are read."""


@dataclasses.dataclass(frozen=True)
class Link:
    """The record that an execution read or wrote an artifact.

    Attributes:
        key: Name of the input or output; "" if the store does not say.
        artifact: Id of the artifact.
        execution: Id of the execution.
    """

    key: str
    artifact: int
    execution: int


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """The content of a store when it was read, without the secrets of addresses.

    Attributes:
        artifacts: By id.
        executions: By id, ascending.
        runs: By id of the run's context.
        inputs: What each execution read, by its id.
        outputs: What each execution wrote or took from the cache, by its id.
        written_by: The same as `outputs`, by id of the artifact.
        read_by: The same as `inputs`, by id of the artifact.
        folder: Folder of the store's file; None for a server.
        numbers: Numbers of the runs that were read, by the ids of their contexts; None: all were.
        relative_uris: URIs of all artifacts that may be relative paths, if not all were read.
        broken: Why MLMD cannot read the properties of ``artifact 7`` or ``execution 7``, which are
            then empty.
    """

    artifacts: Mapping[int, Artifact]
    executions: Mapping[int, Execution]
    runs: Mapping[int, RunContext]
    inputs: Mapping[int, tuple[Link, ...]]
    outputs: Mapping[int, tuple[Link, ...]]
    written_by: Mapping[int, tuple[Link, ...]]
    read_by: Mapping[int, tuple[Link, ...]]
    folder: str | None = dataclasses.field(default=None, compare=False)
    numbers: Mapping[int, int] | None = dataclasses.field(default=None, compare=False)
    relative_uris: tuple[str, ...] = dataclasses.field(default=(), compare=False)
    broken: Mapping[str, str] = dataclasses.field(default_factory=dict, compare=False)

    @classmethod
    def read(
        cls,
        store: metadata_store.MetadataStore,
        pipeline: str | None = None,
        last: int | None = None,
        choose: Choose | None = None,
    ) -> Snapshot:
        """Reads a store.

        On SQLite the number of calls does not depend on the size of the store. MLMD's API has no
        call for the executions of all contexts, so other databases need a call for each run and
        each component.

        Args:
            store: A store from `open_store`, or any open store.
            pipeline: Read executions of this pipeline only. The artifacts that they read are
                included, but not the executions of other pipelines that made these. Default: the
                whole store.
            last: Read only this number of newest runs, and load related records on demand. This
                requires a store on SQLite with a single or a given pipeline, and without runs of
                notebooks, which consist of many; other stores are read completely. Default: all.
            choose: The same for the runs that it returns. It is not called if there is none, or if
                the store is read completely. What it raises is raised.

        Raises:
            StoreError: The pipeline does not exist, or the store is locked or does not answer.

        Example:
            >>> from ml_metadata.metadata_store import metadata_store
            >>> from ml_metadata.proto import metadata_store_pb2
            >>> config = metadata_store_pb2.ConnectionConfig()
            >>> config.fake_database.SetInParent()
            >>> len(Snapshot.read(metadata_store.MetadataStore(config)).executions)
            0
        """
        if last is not None:
            choose = newest(last)
        if choose is not None:
            with _asking(store):
                some = _Some.of(store, pipeline)
            if some is not None:
                chosen = choose(some.listed)  # Outside: its errors are not the store's.
                with _asking(store):
                    return some.read(chosen)
        with _asking(store):
            return cls._read(store, pipeline)

    @classmethod
    def _read(cls, store: metadata_store.MetadataStore, pipeline: str | None) -> Snapshot:
        # Contexts first: records that a pipeline writes meanwhile are then ignored.
        contexts = {context.id: _Context.of(context) for context in store.get_contexts()}
        _check_pipeline(store, contexts, pipeline)
        names = _type_names(store.get_execution_types())
        broken: dict[str, str] = {}
        protos_of_executions = _all(store, "Execution", broken)
        belongs = _associations(store, contexts)
        executions = {}
        for proto in sorted(protos_of_executions, key=lambda proto: proto.id):
            execution = _execution(proto, names, [contexts[id_] for id_ in belongs[proto.id]])
            if pipeline in (None, execution.pipeline):
                executions[proto.id] = execution
        events = store.get_events_by_execution_ids(list(executions)) if executions else []
        wanted = None if pipeline is None else {event.artifact_id for event in events}
        protos = _all(store, "Artifact", broken, None if wanted is None else sorted(wanted))
        names = _type_names(store.get_artifact_types())
        artifacts = {proto.id: _artifact(proto, names) for proto in protos}
        inputs, outputs = _links(event for event in events if event.artifact_id in artifacts)
        return cls(
            artifacts=artifacts,
            executions=executions,
            runs={c.id: c.run() for c in contexts.values() if c.type in _RUNS},
            inputs=_grouped(inputs, "execution"),
            outputs=_grouped(outputs, "execution"),
            written_by=_grouped(outputs, "artifact"),
            read_by=_grouped(inputs, "artifact"),
            folder=getattr(store, "folder", None),
            broken=broken,
        )

    @functools.cached_property
    def pipelines(self) -> tuple[str, ...]:
        """Names of the pipelines that ran, sorted."""
        return tuple(sorted({e.pipeline for e in self.executions.values() if e.pipeline}))

    def makers(self, artifact_id: int) -> list[Link]:
        """Returns what made an artifact; executions that used the cache only if no other is known.

        Args:
            artifact_id: The artifact.
        """
        links = self.written_by.get(artifact_id, ())
        made = [link for link in links if self.executions[link.execution].state == "COMPLETE"]
        return made or list(links)

    def upstream(self, artifact_id: int) -> list[int]:
        """Returns the artifacts from which an artifact was made, nearest first.

        Args:
            artifact_id: The artifact, which is not included.
        """
        return self._artifacts_along(artifact_id, UPSTREAM)

    def downstream(self, artifact_id: int) -> list[int]:
        """Returns the artifacts that were made from an artifact, nearest first.

        Args:
            artifact_id: The artifact, which is not included.
        """
        return self._artifacts_along(artifact_id, DOWNSTREAM)

    def _artifacts_along(self, artifact_id: int, direction: str) -> list[int]:
        ends = (end for _, end in self.steps(artifact_id, direction) if end is not None)
        artifacts = dict.fromkeys(end.artifact for end in ends)
        artifacts.pop(artifact_id, None)
        return list(artifacts)

    def steps(self, artifact_id: int, direction: str) -> Iterator[tuple[Link, Link | None]]:
        """Yields the steps from artifact to artifact by way of an execution, the nearest first.

        Args:
            artifact_id: Where to start.
            direction: `UPSTREAM` or `DOWNSTREAM`.

        Yields:
            Pairs of links of one execution: to the artifact where a step starts, and to the one
            where it ends; None if it ends with the execution, as at an ExampleGen, which reads no
            artifact, and at one that failed. Executions that took their outputs from the cache are
            passed over.
        """
        up = direction == UPSTREAM
        level, seen = [artifact_id], {artifact_id}
        while level:
            following: list[int] = []
            for artifact in level:
                for link in self.makers(artifact) if up else self.read_by.get(artifact, ()):
                    if not up and self.executions[link.execution].state == "CACHED":
                        continue
                    ends = (self.inputs if up else self.outputs).get(link.execution, ())
                    if not ends:
                        yield link, None
                    for end in ends:
                        yield link, end
                        if end.artifact not in seen:
                            seen.add(end.artifact)
                            following.append(end.artifact)
            level = following


@contextlib.contextmanager
def _asking(store: metadata_store.MetadataStore) -> Iterator[None]:
    """Converts any error of MLMD to a `StoreError`."""
    try:
        yield
    except StoreError:
        raise
    except (errors.StatusError, RuntimeError, ValueError) as error:
        raise _no_answer(store, " ".join(str(error).split())) from None


def _check_pipeline(
    store: metadata_store.MetadataStore, contexts: Mapping[int, _Context], pipeline: str | None
) -> None:
    pipelines = sorted({c.name for c in contexts.values() if c.type == _PIPELINE})
    if pipeline is not None and pipeline not in pipelines:
        raise StoreError(
            _name(store),
            f"the pipeline {pipeline!r}",
            ", ".join(map(repr, pipelines)) or "none",
            f"name one of these{hint(pipeline, pipelines)}" if pipelines else "run one first",
        )


def _all(
    store: metadata_store.MetadataStore,
    kind: str,
    broken: dict[str, str],
    ids: Sequence[int] | None = None,
) -> list[Any]:
    """Returns all artifacts or executions, or those of some ids.

    MLMD fails as a whole where it cannot read one property of one of them, such as a text that
    begins as those do in which it stores objects. On SQLite such a one comes without properties.
    """
    asked = f"get_{kind.lower()}s"
    by_id = getattr(store, f"{asked}_by_id")
    path = getattr(store, "sqlite_file", None)
    try:
        return list(getattr(store, asked)() if ids is None else by_id(ids) if ids else [])
    except (errors.InternalError, errors.InvalidArgumentError, ValueError) as error:
        if path is None:
            raise
        if ids is None:
            ids = [id_ for (id_,) in sqlite_file.query(path, f"SELECT id FROM {kind} ORDER BY id")]
        if len(ids) > 1:
            half = len(ids) // 2
            parts = (ids[:half], ids[half:])
            return [proto for part in parts for proto in _all(store, kind, broken, part)]
        broken[f"{kind.lower()} {ids[0]}"] = " ".join(str(error).split())[:200]
    columns = _WITHOUT_PROPERTIES[kind]
    statement = f"SELECT {', '.join(columns)} FROM {kind} WHERE id = {ids[0]}"
    values = sqlite_file.query(path, statement)
    message = getattr(metadata_store_pb2, kind)
    return [message(**{k: v for k, v in zip(columns, row) if v is not None}) for row in values]


def _links(events: Iterable[metadata_store_pb2.Event]) -> tuple[list[Link], list[Link]]:
    """Returns the inputs and the outputs."""
    inputs, outputs = [], []
    for event in events:
        link = Link(_key(event), event.artifact_id, event.execution_id)
        if event.type in _INPUTS:
            inputs.append(link)
        elif event.type in _OUTPUTS:
            outputs.append(link)
    return inputs, outputs


class _Lazy(dict[int, Any]):
    """A dictionary that loads missing entries from the store, once."""

    def __init__(self, load: Callable[[list[int]], Mapping[int, Any]]) -> None:
        """Makes an empty dictionary."""
        super().__init__()
        self._load = load
        self._absent: set[int] = set()

    def fill(self, ids: Iterable[int]) -> None:
        """Loads many entries at once."""
        known = self.keys() | self._absent
        lacking = [id_ for id_ in dict.fromkeys(ids) if id_ not in known]
        if lacking:
            self.update(self._load(lacking))
            self._absent.update(set(lacking) - self.keys())

    def __missing__(self, id_: int) -> Any:
        """Loads one entry."""
        self.fill([id_])
        if id_ in self._absent:
            raise KeyError(id_)
        return super().__getitem__(id_)

    def get(self, id_: int, default: Any = None) -> Any:
        """Loads one entry."""
        try:
            return self[id_]
        except KeyError:
            return default

    def __contains__(self, id_: object) -> bool:
        """Loads one entry."""
        return isinstance(id_, int) and self.get(id_) is not None


class _Some:
    """Reads some runs of a pipeline, and what else of the store is asked for."""

    def __init__(
        self,
        store: metadata_store.MetadataStore,
        contexts: Mapping[int, _Context],
        in_pipeline: str,
        is_only_one: bool,
    ) -> None:
        self._store = store
        self._path = str(getattr(store, "sqlite_file", None))
        self._contexts = contexts
        self._in_pipeline = in_pipeline
        self._is_only_one = is_only_one
        self.listed: list[ListedRun] = []

    @classmethod
    def of(cls, store: metadata_store.MetadataStore, pipeline: str | None) -> _Some | None:
        """Lists the runs of a pipeline; None if that requires reading the whole store."""
        if getattr(store, "sqlite_file", None) is None:
            return None
        contexts = {context.id: _Context.of(context) for context in store.get_contexts()}
        _check_pipeline(store, contexts, pipeline)
        named = [c for c in contexts.values() if c.type == _PIPELINE and pipeline in (None, c.name)]
        if len(named) != 1:
            return None
        in_pipeline = f"SELECT execution_id FROM Association WHERE context_id = {named[0].id}"
        some = cls(store, contexts, in_pipeline, pipeline is None)
        of_runs = {c.id: c.run() for c in contexts.values() if c.type in _RUNS}
        if pipeline is not None:
            # The components of a pipeline in another one may belong to a run of each.
            listed = ", ".join(map(str, of_runs))
            count = "SELECT count(*), count(DISTINCT execution_id) FROM Association"
            [(links, executions)] = some._query(f"{count} WHERE context_id IN ({listed})")
            if links != executions:
                return None
        rows = some._query(
            "SELECT min(execution_id), context_id FROM Association "
            f"WHERE execution_id IN ({in_pipeline}) GROUP BY context_id"
        )
        runs = [(first, of_runs[id_]) for first, id_ in sorted(rows) if id_ in of_runs]
        if not runs or any(run.is_notebooks for _, run in runs):
            return None
        some.listed = [ListedRun(run.id, run.name, i) for i, (_, run) in enumerate(runs, 1)]
        return some

    def _query(self, statement: str) -> list[tuple[Any, ...]]:
        return sqlite_file.query(self._path, statement, _name(self._store))

    def read(self, chosen: Sequence[ListedRun]) -> Snapshot:
        """Reads the chosen runs."""
        store, contexts = self._store, self._contexts
        listed = ", ".join(str(run.id) for run in chosen)
        of_chosen = f"SELECT execution_id FROM Association WHERE context_id IN ({listed})"
        rows = self._query(
            "SELECT context_id, execution_id FROM Association WHERE execution_id IN ("
            f"{of_chosen} INTERSECT {self._in_pipeline}) ORDER BY context_id"
        )
        belongs, whole = _by_execution(rows, contexts), [False]
        broken: dict[str, str] = {}
        execution_types = _type_names(store.get_execution_types())
        artifact_types = _type_names(store.get_artifact_types())

        def load_executions(ids: list[int]) -> dict[int, Execution]:
            if not whole[0] and not belongs.keys() >= set(ids):
                # There is no index by execution: all at once.
                belongs.update(_associations(store, contexts))
                whole[0] = True
            with _asking(store):
                protos = sorted(_all(store, "Execution", broken, ids), key=lambda proto: proto.id)
            return {
                proto.id: _execution(
                    proto, execution_types, [contexts[id_] for id_ in belongs.get(proto.id, ())]
                )
                for proto in protos
            }

        def load_artifacts(ids: list[int]) -> dict[int, Artifact]:
            with _asking(store):
                protos = _all(store, "Artifact", broken, ids)
            return {proto.id: _artifact(proto, artifact_types) for proto in protos}

        def load_links(ids: list[int], by: str, which: int) -> dict[int, tuple[Link, ...]]:
            ask = getattr(store, f"get_events_by_{by}_ids")
            with _asking(store):
                links = _links(ask(ids))[which]
            artifacts.fill(link.artifact for link in links)
            return _grouped([link for link in links if artifacts.get(link.artifact)], by)

        def links_by(by: str, which: int) -> _Lazy:
            return _Lazy(lambda ids: load_links(ids, by, which))

        artifacts, executions = _Lazy(load_artifacts), _Lazy(load_executions)
        snapshot = Snapshot(
            artifacts=artifacts,
            executions=executions,
            runs={c.id: c.run() for c in contexts.values() if c.type in _RUNS},
            inputs=links_by("execution", 0),
            outputs=links_by("execution", 1),
            written_by=links_by("artifact", 1),
            read_by=links_by("artifact", 0),
            folder=getattr(store, "folder", None),
            numbers={run.id: run.number for run in chosen},
            relative_uris=self._relative_uris(),
            broken=broken,
        )
        ids = sorted({execution for _, execution in rows})
        executions.fill(ids)
        for links in (snapshot.inputs, snapshot.outputs):
            cast(_Lazy, links).fill(ids)
        return snapshot

    def _relative_uris(self) -> tuple[str, ...]:
        """By all of them, the folder is found to which they are relative, whatever is read."""
        read = (
            ""
            if self._is_only_one
            else (
                " AND id IN (SELECT artifact_id FROM Event WHERE execution_id IN ("
                f"{self._in_pipeline}))"
            )
        )
        rows = self._query(
            f"SELECT uri FROM Artifact WHERE substr(uri, 1, 1) <> '/'{read} ORDER BY id"
        )
        return tuple(uri for (uri,) in rows)


def newest(last: int) -> Choose:
    """Returns what chooses this number of newest runs, at least 1.

    Example:
        >>> newest(1)([ListedRun(7, "monday", 1), ListedRun(8, "tuesday", 2)])
        [ListedRun(id=8, run='tuesday', number=2)]
    """
    return lambda listed: listed[-last:]


def _name(store: metadata_store.MetadataStore) -> str:
    return str(getattr(store, "name", "the metadata store"))


def _no_answer(store: metadata_store.MetadataStore, said: str) -> StoreError:
    path = getattr(store, "sqlite_file", None)
    damage = path and sqlite_file.damaged(path, _name(store))
    return damage or StoreError(_name(store), "answers", said[:300] or "none", "try again")


@dataclasses.dataclass(frozen=True)
class _Context:
    id: int
    type: str
    name: str
    properties: Mapping[str, Any]

    @classmethod
    def of(cls, proto: metadata_store_pb2.Context) -> _Context:
        return cls(proto.id, proto.type, proto.name, properties_of(proto))

    def run(self) -> RunContext:
        # The name of a legacy one begins with the pipeline's.
        prefix = keys.of_node("")
        executions = {
            name[len(prefix) :]: Process.from_json(value)
            for name, value in self.properties.items()
            if name.startswith(prefix)
        }
        return RunContext(
            self.id,
            _text(self.properties.get("run_id")) or self.name,
            self.type == _RUNS[1],
            {node: process for node, process in executions.items() if process is not None},
        )


def _associations(
    store: metadata_store.MetadataStore, contexts: Mapping[int, _Context]
) -> dict[int, list[int]]:
    """Returns the contexts of each execution, by id."""
    path = getattr(store, "sqlite_file", None)
    if path is not None:
        statement = "SELECT context_id, execution_id FROM Association ORDER BY context_id"
        return _by_execution(sqlite_file.query(path, statement, _name(store)), contexts)
    pairs = (
        (context, execution.id)
        for context in sorted(_wanted(contexts))
        for execution in store.get_executions_by_context(context)
    )
    return _by_execution(pairs, contexts)


def _wanted(contexts: Mapping[int, _Context]) -> set[int]:
    return {id_ for id_, c in contexts.items() if c.type in (_PIPELINE, *_RUNS, *_NODES)}


def _by_execution(
    pairs: Iterable[tuple[int, ...]], contexts: Mapping[int, _Context]
) -> dict[int, list[int]]:
    wanted = _wanted(contexts)
    by_execution = defaultdict(list)
    for context, execution in pairs:
        if context in wanted:
            by_execution[execution].append(context)
    return by_execution


def _execution(
    proto: metadata_store_pb2.Execution, names: Mapping[int, str], contexts: list[_Context]
) -> Execution:
    properties = masked_values(properties_of(proto))
    by_type = {context.type: context for context in contexts}
    pipeline = by_type[_PIPELINE].name if _PIPELINE in by_type else None
    component = _text(properties.get("component_id"))
    if "node" in by_type:
        component = by_type["node"].name
        if pipeline and component.startswith(f"{pipeline}."):
            component = component[len(pipeline) + 1 :]
    elif "component_run" in by_type:
        component = _text(by_type["component_run"].properties.get("component_id"), component)
    return Execution(
        id=proto.id,
        type=names.get(proto.type_id, ""),
        state=_state(metadata_store_pb2.Execution.State, proto.last_known_state),
        component=component,
        pipeline=pipeline or _text(properties.get("pipeline_name")),
        run=next((context.id for context in contexts if context.type in _RUNS), None),
        created=proto.create_time_since_epoch,
        updated=proto.last_update_time_since_epoch,
        properties=properties,
    )


def _state(states: Any, number: int) -> str:
    """Returns MLMD's name of a state; of one that this version does not know, UNKNOWN."""
    return str(states.Name(number)) if number in states.values() else "UNKNOWN"


def _artifact(proto: metadata_store_pb2.Artifact, names: Mapping[int, str]) -> Artifact:
    return Artifact(
        id=proto.id,
        type=names.get(proto.type_id, ""),
        uri=masked_addresses(proto.uri),
        state=_state(metadata_store_pb2.Artifact.State, proto.state),
        created=proto.create_time_since_epoch,
        properties=masked_values(properties_of(proto)),
    )


def _text(value: Any, otherwise: str | None = None) -> str | None:
    """Returns a string property; other types were not written by TFX."""
    return value if isinstance(value, str) and value else otherwise


def _key(event: metadata_store_pb2.Event) -> str:
    return next((step.key for step in event.path.steps if step.HasField("key")), "")


def _type_names(types: Iterable[Any]) -> dict[int, str]:
    return {type_.id: type_.name for type_ in types}


def _grouped(links: Iterable[Link], by: str) -> dict[int, tuple[Link, ...]]:
    groups = defaultdict(list)
    for link in links:
        groups[getattr(link, by)].append(link)
    return {key: tuple(group) for key, group in groups.items()}
