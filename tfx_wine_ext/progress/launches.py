"""Watches TFX launch components, in this process.

LocalDagRunner and BeamDagRunner offer no hook, and both run every node by `Launcher.launch`, which
takes no arguments. While there are observers, that method is wrapped (ADR 0023 says why).
No failure in this module reaches the pipeline.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tfx_wine_ext.artifacts.properties import properties_of, rows_by_split, whole
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
from tfx_wine_ext.types import drift_report, warm_start_trainer

if TYPE_CHECKING:
    from tfx.orchestration.portable.launcher import Launcher

_logger = logging.getLogger(__name__)


class _Guarded:
    """An observer whose first error is logged; no error of it reaches the pipeline."""

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
# `component` is the one that this thread launches.
_launching = threading.local()


@contextlib.contextmanager
def observe_progress(observer: Callable[[Event], None]) -> Iterator[None]:
    """Tells a function what happens to the components that this process launches.

    It works with `LocalDagRunner` and `BeamDagRunner` (on Beam's DirectRunner), of TFX 1.16 and
    1.21, for any component. It sees only launches in this process, so not those of Airflow and
    Kubeflow, whose tasks are separate processes. It does not see TFX's older launcher either, which
    a notebook's `InteractiveContext` uses, and also a `BeamDagRunner` with the deprecated
    `beam_orchestrator_args` or `config`.

    Args:
        observer: A function that is called with each event, in the thread of the event. Components
            that run at the same time (BeamDagRunner) may call it at the same time. If it raises an
            exception, that is logged and the pipeline continues.

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
    except Exception as error:  # An untested TFX: progress is not worth a failure.
        _logger.warning("the progress of pipelines cannot be shown with this TFX: %s", error)
        return

    @functools.wraps(original)
    def launch(self: Launcher) -> Any:
        # If another wrapper surrounds this one, this one stays when the observers are gone.
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
    """Reads from the metadata store how a component ended that raised no exception."""
    if execution is None:
        return State.SKIPPED, ()
    state = State.COMPLETE
    try:
        from ml_metadata.proto import metadata_store_pb2

        with launcher._mlmd_connection as connection:
            store = connection.store
            [recorded] = store.get_executions_by_id([execution])
            if recorded.last_known_state == metadata_store_pb2.Execution.FAILED:
                return State.FAILED, ()
            if recorded.last_known_state == metadata_store_pb2.Execution.CACHED:
                state = State.CACHED
            events = store.get_events_by_execution_ids([execution])
            output = metadata_store_pb2.Event.OUTPUT
            written = [event.artifact_id for event in events if event.type == output]
            artifacts = store.get_artifacts_by_id(written) if written else []
        # The order in the store differs from run to run.
        artifacts = sorted(artifacts, key=lambda artifact: (artifact.type, artifact.id))
        results = [_result(artifact.type, properties_of(artifact)) for artifact in artifacts]
    except Exception as error:
        _logger.warning("the result of execution %s cannot be read: %s", execution, error)
        return state, ()
    return state, tuple(result for result in results if result is not None)


def _result(kind: str, properties: Mapping[str, Any]) -> Result | None:
    """Returns the result of a component that its output artifact records, or None."""
    rows = rows_by_split(properties) if kind == "Examples" else None
    if rows is not None:
        return RowsWritten(rows)
    if drift_report.current_type(kind) == drift_report.REPORT_TYPE:
        return DriftFound(
            verdict=str(properties[drift_report.VERDICT_KEY]),
            baseline_span=whole(properties.get(drift_report.BASELINE_SPAN_KEY)),
            features=whole(properties[drift_report.FEATURES_KEY]) or 0,
            features_drifted=whole(properties[drift_report.FEATURES_DRIFTED_KEY]) or 0,
            # Reports of earlier releases, which may come from the cache, have no such number.
            features_warned=whole(properties.get(drift_report.FEATURES_WARNED_KEY)) or 0,
        )
    if kind == "Model" and warm_start_trainer.WARM_START_KEY in properties:
        return ModelStart(whole(properties[warm_start_trainer.WARM_START_KEY]) == 1)
    blessed = properties.get("blessed")
    if kind == "ExampleAnomalies" and blessed is not None:
        # TFX's own property: 1 for a split without anomalies.
        return Anomalies(tuple(split for split, fine in blessed.items() if not fine))
    if kind in ("ModelBlessing", "InfraBlessing") and blessed is not None:
        return Blessing(kind, whole(blessed) == 1)
    if kind == "PushedModel" and "pushed" in properties:
        pushed = whole(properties["pushed"]) == 1
        return Pushed(properties.get("pushed_destination") if pushed else None)
    return None


class _Count:
    """Rows that a component's tasks have read; tasks may run in parallel, and more than once."""

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
    """Counts the rows that are read by the component that this thread launches.

    Args:
        total: The number of all rows; None if unknown.

    Yields:
        A key for `rows_of`, which can be pickled and sent to workers.

    Example:
        >>> with counting_rows(1000) as key:
        ...     count = rows_of(key, "file 1")
        ...     count(500)
    """
    component = getattr(_launching, "component", None)
    if component is None:  # There is no observer.
        yield ""
        return
    key = uuid.uuid4().hex
    _counts[key] = _Count(component, total)
    try:
        yield key
    finally:
        del _counts[key]


def rows_of(key: str, task: str) -> Callable[[int], None]:
    """Returns a function to call with the number of rows that a task has read so far.

    In a worker that is another process, the calls have no effect.

    Args:
        key: The key from `counting_rows`.
        task: A name that distinguishes the task from the component's other tasks.
    """
    count = _counts.get(key)
    return functools.partial(count.set, task) if count is not None else lambda rows: None
