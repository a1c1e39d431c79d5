"""The publisher of failures: records in the metadata store why a component failed.

On the IR path TFX records that an executor failed, without the message, and no driver failures; in
a notebook and in Airflow it records neither, and the execution stays RUNNING forever. Drivers and
executors with `records_failures` record their failures on every path.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.orchestration import data_types, data_types_utils, metadata
from tfx.orchestration.portable import data_types as portable_data_types
from tfx.proto.orchestration import pipeline_pb2

from tfx_wine_ext.artifacts.process import this_process
from tfx_wine_ext.publishers.failed_execution import logged, record_failure
from tfx_wine_ext.publishers.tries import (
    TryReplacedError,
    check_is_last_try,
    set_earlier_try_aside,
)
from tfx_wine_ext.types import execution as keys

_Class = TypeVar("_Class", bound=type)

# For each launcher's connection: the execution ids, by the URIs of the expected outputs. Only the
# driver receives the connection, but driver and executor see the same outputs.
_LAUNCHES: weakref.WeakKeyDictionary[metadata.Metadata, dict[str, int]] = (
    weakref.WeakKeyDictionary()
)
_LOCK = threading.Lock()


def records_failures(cls: _Class) -> _Class:
    """Makes a driver or an executor record its failures; a class decorator for both.

    Any exception, including Ctrl-C, marks the execution as FAILED with a message, which
    `tfx-wine-ext show` prints, and is then re-raised unchanged. The message is one line; passwords
    in URLs and anything that looks like a key are masked. The driver also records its process, so
    that a killed run can be distinguished from one that is running.

    A driver that Airflow runs again in the same run (a retry, a cleared task) sets the earlier try
    aside first, so that each try has an execution of its own; see `tfx_wine_ext.publishers.tries`.

    An executor needs the records of its driver. If it runs in another process than its driver, or
    the driver lacks this decorator, only TFX records its failure.

    Args:
        cls: A driver for both launch paths, such as a `DecidingDriver`, or an executor.

    Returns:
        The same class.

    Example:
        >>> from tfx.dsl.components.base.base_executor import BaseExecutor
        >>> @records_failures
        ... class Executor(BaseExecutor):
        ...     def Do(self, input_dict, output_dict, exec_properties):
        ...         raise ValueError("no rows")
        >>> Executor().Do({}, {}, {})
        Traceback (most recent call last):
        ...
        ValueError: no rows
    """
    for name, recording in (
        ("run", _recording_run),
        ("pre_execution", _recording_pre_execution),
        ("Do", _recording_do),
    ):
        method = getattr(cls, name, None)
        if method is not None and not hasattr(method, "records_failures"):
            recorded = recording(method)
            recorded.records_failures = True  # type: ignore[attr-defined]
            setattr(cls, name, recorded)
    return cls


def execution_of(
    store: metadata_store.MetadataStore,
    node: pipeline_pb2.PipelineNode,
    other: str | None = None,
    state: int | None = None,
) -> metadata_store_pb2.Execution | None:
    """Returns the execution that TFX's IR launcher has registered for a node of the current run.

    Args:
        store: The metadata store.
        node: The node, whose contexts name pipeline and run.
        other: Id of another node of the same pipeline, to return its execution instead.
        state: The MLMD state that the execution must have; None: any state.
    """
    contexts = {
        (context.type.name, str(data_types_utils.get_value(context.name)))
        for context in node.contexts.contexts
    }
    if other is not None:
        node_type = constants.NODE_CONTEXT_TYPE_NAME
        node_id = node.node_info.id
        contexts = {
            (type_, name[: -len(node_id)] + other if type_ == node_type else name)
            for type_, name in contexts
        }
    run = _run_of(store, node)
    executions = store.get_executions_by_context(run.id) if run is not None else []
    # Newest first: it is nearly always the right one.
    for execution in sorted(executions, key=lambda execution: execution.id, reverse=True):
        if state not in (None, execution.last_known_state):
            continue
        execution_contexts = store.get_contexts_by_execution(execution.id)
        if contexts <= {(context.type, context.name) for context in execution_contexts}:
            return execution
    return None


def _run_of(
    store: metadata_store.MetadataStore, node: pipeline_pb2.PipelineNode
) -> metadata_store_pb2.Context | None:
    for context in node.contexts.contexts:
        if context.type.name == constants.PIPELINE_RUN_CONTEXT_TYPE_NAME:
            return store.get_context_by_type_and_name(
                context.type.name, str(data_types_utils.get_value(context.name))
            )
    return None


def _recording_run(run: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps the driver method that TFX's IR launcher calls, with the connection closed."""

    @functools.wraps(run)
    def recording(self: Any, execution_info: portable_data_types.ExecutionInfo) -> Any:
        node = execution_info.pipeline_node
        if node is None:  # Called by a test, not by a launcher.
            return run(self, execution_info)
        connection = self._metadata_handle
        execution_id = None
        try:
            with connection as handle:
                execution = execution_of(handle.store, node)
                execution_id = execution.id if execution is not None else None
                _note_process(handle.store, _run_of(handle.store, node), node.node_info.id)
                if execution_id is not None:
                    _expect(connection, execution_info.output_dict, execution_id)
            return run(self, execution_info)
        except BaseException as error:
            if execution_id is not None:
                _reopen_and_record(connection, execution_id, error)
            raise

    return recording


def _recording_pre_execution(pre_execution: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps the driver method that notebooks and Airflow call, with the connection open."""
    signature = inspect.signature(pre_execution)

    @functools.wraps(pre_execution)
    def recording(self: Any, *args: Any, **kwargs: Any) -> data_types.ExecutionDecision:
        given = signature.bind(self, *args, **kwargs).arguments
        connection = self._metadata_handle
        properties = dict(given["exec_properties"])
        pipeline, component = given["pipeline_info"], given["component_info"]
        # Before anything is recorded: where it raises, the earlier try is still at work.
        set_earlier_try_aside(connection, component)
        try:
            contexts = connection.register_pipeline_contexts_if_not_exists(pipeline)
            run = contexts[1] if len(contexts) > 1 else None
            _note_process(connection.store, run, component.component_id)
            decision = pre_execution(self, *args, **kwargs)
        except BaseException as error:
            _record_legacy(connection, properties, pipeline, component, error)
            raise
        if not decision.use_cached_results:
            _expect(connection, decision.output_dict, decision.execution_id)
        return decision

    return recording


def _recording_do(do: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps the executor method that both launchers call."""

    @functools.wraps(do)
    def recording(self: Any, input_dict: Any, output_dict: Any, exec_properties: Any) -> Any:
        launch = _expected(output_dict)
        if launch is None:
            return do(self, input_dict, output_dict, exec_properties)
        with recording_of(*launch):
            return do(self, input_dict, output_dict, exec_properties)

    return recording


@contextlib.contextmanager
def recording_of(connection: metadata.Metadata, execution_id: int) -> Iterator[None]:
    """Records the failure of the work inside it, and that the work is still wanted at its end.

    Args:
        connection: The launcher's connection, closed.
        execution_id: The execution that the work is for.

    Raises:
        TryReplacedError: Another try of the run has set this one aside.
    """
    try:
        yield
    except TryReplacedError:
        raise
    except BaseException as error:
        _reopen_and_record(connection, execution_id, error)
        raise
    with connection as handle:
        check_is_last_try(handle.store, execution_id)


def _uris(output_dict: Any) -> list[str]:
    return [artifact.uri for artifacts in (output_dict or {}).values() for artifact in artifacts]


def _expect(connection: metadata.Metadata, output_dict: Any, execution_id: int) -> None:
    with _LOCK:
        launches = _LAUNCHES.setdefault(connection, {})
        launches.update(dict.fromkeys(_uris(output_dict), execution_id))


def _expected(output_dict: Any) -> tuple[metadata.Metadata, int] | None:
    """Returns connection and execution id of the launch that waits for these outputs."""
    uris = _uris(output_dict)
    launch = None
    with _LOCK:
        for connection, launches in list(_LAUNCHES.items()):
            for uri in uris:
                execution_id = launches.pop(uri, None)
                if execution_id is not None:
                    launch = connection, execution_id
    return launch


def _reopen_and_record(
    connection: metadata.Metadata, execution_id: int, error: BaseException
) -> None:
    with logged("the failure of execution %d", execution_id), connection as handle:
        record_failure(handle.store, execution_id, error)


def _record_legacy(
    connection: metadata.Metadata,
    exec_properties: dict[str, Any],
    pipeline_info: data_types.PipelineInfo,
    component_info: data_types.ComponentInfo,
    error: BaseException,
) -> None:
    """Records a failure on the notebook path; registers the execution if TFX has not."""
    with logged("the failure of %s", component_info.component_id):
        run = connection.get_component_run_context(component_info)
        executions = connection.store.get_executions_by_context(run.id) if run is not None else []
        if not executions:
            executions = [
                connection.register_execution(
                    exec_properties=exec_properties,
                    pipeline_info=pipeline_info,
                    component_info=component_info,
                    contexts=connection.register_pipeline_contexts_if_not_exists(pipeline_info),
                )
            ]
        record_failure(connection.store, executions[-1].id, error)


def _note_process(
    store: metadata_store.MetadataStore, run: metadata_store_pb2.Context | None, node: str
) -> None:
    """Records on the run's context which process runs a node, so that killed runs are recognised.

    It is not a property of the execution, because that would change TFX's cache key.
    """
    if run is None:
        return
    with logged("the process that runs %s", node):
        # Read again: `put_contexts` replaces all properties, and others may have added some.
        [run] = store.get_contexts_by_id([run.id])
        run.custom_properties[keys.of_node(node)].string_value = this_process().to_json()
        store.put_contexts([run])
