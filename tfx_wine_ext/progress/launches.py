"""Watches TFX launch components, in this process.

LocalDagRunner and BeamDagRunner offer no hook, and both run every node by `Launcher.launch`, which
takes no arguments. While somebody observes, that method is wrapped (ADR 0023 says why).
Nothing that goes wrong in here reaches the pipeline.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tfx_wine_ext.progress.events import (
    Anomalies,
    Blessing,
    ComponentEnded,
    ComponentStarted,
    DriftFound,
    Event,
    ModelStart,
    Pushed,
    Result,
    RowsRead,
    RowsWritten,
    State,
)
from tfx_wine_ext.types import drift_report, parquet_example_gen, warm_start_trainer

if TYPE_CHECKING:
    from tfx.orchestration.portable.launcher import Launcher
    from tfx.types.artifact import Artifact

_logger = logging.getLogger(__name__)


class _Guarded:
    """An observer whose errors are logged, the first of them, and go no further."""

    def __init__(self, observer: Callable[[Event], None]) -> None:
        self._observer = observer
        self._failed = False

    def __call__(self, event: Event) -> None:
        try:
            self._observer(event)
        except Exception:
            if not self._failed:
                _logger.warning("an observer of progress failed on %s", event, exc_info=True)
            self._failed = True


_LOCK = threading.RLock()
_observers: list[_Guarded] = []
_uninstall: Callable[[], None] | None = None
# `component`: the one that this thread launches.
_launching = threading.local()


@contextlib.contextmanager
def observe_progress(observer: Callable[[Event], None]) -> Iterator[None]:
    """Tells a function what happens to the components that this process launches.

    It works with `LocalDagRunner` and `BeamDagRunner` (on Beam's DirectRunner), of TFX 1.16 and
    1.21, for any component. Only launches of this process are seen: not those of Airflow and
    Kubeflow, whose tasks are processes of their own. TFX's older launcher is not seen either: it is
    that of a notebook's `InteractiveContext`, and of a `BeamDagRunner` that is given the deprecated
    `beam_orchestrator_args` or `config`.

    Args:
        observer: Is called with each event, in the thread in which it happens. Events of
            components that run at the same time (BeamDagRunner) may arrive at the same time. An
            exception that it raises is logged, and the pipeline goes on.

    Yields:
        Nothing. Blocks may be nested; each observer is told everything.

    Example:
        >>> from tfx_wine_ext.progress import ComponentEnded, observe_progress
        >>> def to_log(event):
        ...     if isinstance(event, ComponentEnded):
        ...         print(event.component, event.state.value, event.results)
        >>> with observe_progress(to_log):
        ...     pass  # LocalDagRunner().run(pipeline)
    """
    own = _Guarded(observer)
    with _LOCK:
        _observers.append(own)
        _install()
    try:
        yield
    finally:
        with _LOCK:
            _observers.remove(own)
            if not _observers and _uninstall is not None:
                _uninstall()


def _install() -> None:
    """Wraps TFX's launcher, unless it is wrapped already."""
    global _uninstall
    if _uninstall is not None:
        return
    try:
        from tfx.orchestration.portable.launcher import Launcher

        original = Launcher.launch
    except Exception as error:  # Another TFX than the tested ones: progress is not worth a failure.
        _logger.warning("the progress of pipelines cannot be shown with this TFX: %s", error)
        return

    @functools.wraps(original)
    def launch(self: Launcher) -> Any:
        # If another wrapper was put around this one, it stays when the observers have gone.
        return _observed(original, self) if _uninstall is uninstall else original(self)

    def uninstall() -> None:
        global _uninstall
        if Launcher.launch is launch:
            Launcher.launch = original
        _uninstall = None

    Launcher.launch = launch
    _uninstall = uninstall


def _observed(original: Callable[[Launcher], Any], launcher: Launcher) -> Any:
    if not _observers:
        return original(launcher)
    pipeline, run, component = _names(launcher)
    outer, _launching.component = getattr(_launching, "component", None), component
    _tell(ComponentStarted(pipeline, run, component))
    started = time.monotonic()
    try:
        launched = original(launcher)
    except BaseException as error:
        seconds = time.monotonic() - started
        is_failure = isinstance(error, Exception)
        state = State.FAILED if is_failure else State.CANCELED
        _tell(ComponentEnded(pipeline, run, component, state, seconds, error=error))
        raise
    finally:
        _launching.component = outer
    seconds = time.monotonic() - started
    execution = getattr(launched, "execution_id", None)
    state, results = _outcome(launcher, execution)
    _tell(ComponentEnded(pipeline, run, component, state, seconds, execution, None, results))
    return launched


def _tell(event: Event) -> None:
    for observer in list(_observers):
        observer(event)


def _names(launcher: Launcher) -> tuple[str, str, str]:
    """Returns the names of pipeline, run and component."""
    try:
        return (
            str(launcher._pipeline_info.id),
            str(launcher._pipeline_runtime_spec.pipeline_run_id.field_value.string_value),
            str(launcher._pipeline_node.node_info.id),
        )
    except Exception as error:
        _logger.warning("the names of a component cannot be read with this TFX: %s", error)
        return "", "", "a component"


def _outcome(launcher: Launcher, execution: int | None) -> tuple[State, tuple[Result, ...]]:
    """Reads from the metadata store how a component ended that raised nothing."""
    if execution is None:
        return State.SKIPPED, ()
    state = State.COMPLETE
    try:
        from ml_metadata.proto import metadata_store_pb2
        from tfx.types import artifact_utils

        with launcher._mlmd_connection as connection:
            store = connection.store
            [found] = store.get_executions_by_id([execution])
            if found.last_known_state == metadata_store_pb2.Execution.FAILED:
                return State.FAILED, ()
            if found.last_known_state == metadata_store_pb2.Execution.CACHED:
                state = State.CACHED
            written = [
                event.artifact_id
                for event in store.get_events_by_execution_ids([execution])
                if event.type == metadata_store_pb2.Event.OUTPUT
            ]
            artifacts = list(store.get_artifacts_by_id(written)) if written else []
            type_ids = {each.type_id for each in artifacts}
            types = store.get_artifact_types_by_id(type_ids) if type_ids else []
        by_id = {each.id: each for each in types}
        # The store has an order of its own, which differs from run to run.
        artifacts.sort(key=lambda each: (by_id[each.type_id].name, each.id))
        found_results = [
            _result(artifact_utils.deserialize_artifact(by_id[each.type_id], each))
            for each in artifacts
        ]
    except Exception as error:
        _logger.warning("the result of execution %s cannot be read: %s", execution, error)
        return state, ()
    results = tuple(each for each in found_results if each is not None)
    return state, results


def _result(artifact: Artifact) -> Result | None:
    """Returns what an artifact says of the component that wrote it, or None."""
    kind, of = artifact.type_name, artifact.get_custom_property
    if kind == "Examples" and artifact.has_custom_property(parquet_example_gen.ROWS_KEY):
        from tfx.types import artifact_utils

        splits = artifact_utils.decode_split_names(artifact.split_names)
        key = functools.partial(parquet_example_gen.of_split, parquet_example_gen.ROWS_KEY)
        return RowsWritten({split: int(of(key(split))) for split in splits})
    if kind == "ExampleDriftReport":
        baseline_span = of(drift_report.BASELINE_SPAN_KEY)
        return DriftFound(
            verdict=str(of(drift_report.VERDICT_KEY)),
            baseline_span=None if baseline_span is None else int(baseline_span),
            features=int(of(drift_report.FEATURES_KEY)),
            features_drifted=int(of(drift_report.FEATURES_DRIFTED_KEY)),
            # Reports of earlier releases, which a cached result may be, have no such number.
            features_warned=int(of(drift_report.FEATURES_WARNED_KEY) or 0),
        )
    if kind == "ExampleAnomalies" and artifact.has_custom_property("blessed"):
        # TFX's own property: 1 for a split in which nothing was found.
        blessed = artifact.get_json_value_custom_property("blessed")
        return Anomalies(tuple(split for split, fine in blessed.items() if not fine))
    if kind == "Model" and artifact.has_custom_property(warm_start_trainer.WARM_START_KEY):
        return ModelStart(bool(of(warm_start_trainer.WARM_START_KEY)))
    if kind in ("ModelBlessing", "InfraBlessing") and artifact.has_custom_property("blessed"):
        return Blessing(kind, bool(of("blessed")))
    if kind == "PushedModel" and artifact.has_custom_property("pushed"):
        return Pushed(str(of("pushed_destination")) if of("pushed") else None)
    return None


class _Count:
    """Rows that the tasks of a component have read; tasks may run at the same time, and twice."""

    def __init__(self, component: str, total: int | None) -> None:
        self._component = component
        self._total = total
        self._by_task: dict[str, int] = {}
        self._done = 0
        self._lock = threading.Lock()

    def set(self, task: str, rows: int) -> None:
        with self._lock:
            before = self._by_task.get(task, 0)
            self._by_task[task] = max(rows, before)
            self._done += self._by_task[task] - before
            done = self._done
        _tell(RowsRead(self._component, done, self._total))


_counts: dict[str, _Count] = {}


@contextlib.contextmanager
def counting_rows(total: int | None) -> Iterator[str]:
    """Counts the rows that the component reads which this thread launches.

    Args:
        total: How many there are; None if that is not known.

    Yields:
        A key for `rows_of`, which can be pickled and sent to workers.

    Example:
        >>> with counting_rows(1000) as key:
        ...     count = rows_of(key, "file 1")
        ...     count(500)
    """
    component = getattr(_launching, "component", None)
    if component is None:  # Nobody observes.
        yield ""
        return
    key = uuid.uuid4().hex
    _counts[key] = _Count(component, total)
    try:
        yield key
    finally:
        del _counts[key]


def rows_of(key: str, task: str) -> Callable[[int], None]:
    """Returns what is to be told how many rows a task has read so far.

    On a worker that is another process, nobody hears of it.

    Args:
        key: Of `counting_rows`.
        task: What tells the task from the others of the component.
    """
    count = _counts.get(key)
    return functools.partial(count.set, task) if count is not None else lambda rows: None
