"""The publisher of failures: records in the metadata store why a component failed.

On the IR path TFX records that an executor failed, without the message, and no driver failures; in
a notebook and in Airflow it records neither, and the execution stays RUNNING forever. Drivers and
executors with `records_failures` record their failures on every path.
"""

from __future__ import annotations

import functools
import re
import threading
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

import grpc
from absl import logging
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.orchestration import data_types, data_types_utils, metadata
from tfx.orchestration.portable import data_types as portable_data_types
from tfx.orchestration.portable.mlmd import execution_lib
from tfx.proto.orchestration import execution_result_pb2, pipeline_pb2
from tfx.types.artifact import Artifact

from tfx_wine_ext.artifacts.process import this_process
from tfx_wine_ext.printable import printable
from tfx_wine_ext.types import execution as keys

_Class = TypeVar("_Class", bound=type)

# Databases limit a property's length, some to 64 KiB; nobody reads longer messages anyway.
MOST_CHARACTERS = 4000
_CUT = " [...] "

_SUCCEEDED = (metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED)
_CANCELLED, _UNKNOWN = grpc.StatusCode.CANCELLED.value[0], grpc.StatusCode.UNKNOWN.value[0]

_NAMES = (
    r"(?:passw(?:or)?d|passphrase|pwd|secret|token|credential|signature|\bsig|"
    r"(?:api|access|account|private|shared|encryption)[_-]?key)[\w-]{0,40}"
)

_SECRETS = (
    # The password of a URL. It may hold an @ or an unescaped slash, which may be the error.
    (re.compile(r"(://[^\s/:@]*):(?!\d+/)[^\s\"']*@"), r"\1:***@"),
    # user:password@host without a scheme, as database drivers write it.
    (re.compile(r"(?<![\w./:@-])([\w.-]+):[^\s:@/\"'*]+@(?=[\w\[])"), r"\1:***@"),
    # "password": "..." in JSON and Python dicts, password="..."; the end may be cut off.
    (
        re.compile(rf"(?i)({_NAMES}[\"']?\s*[=:]\s*b?)([\"'])(?:(?!\2)[^\\]|\\.)*(\2?)", re.DOTALL),
        r"\1\2***\3",
    ),
    # password=..., sig=...
    (re.compile(rf"(?i)({_NAMES}\s*=\s*)[^\s\"'&,;)}}\]]+"), r"\1***"),
    # password: ... in YAML, except errors about a column of that name; --password ... in commands.
    (
        re.compile(
            r"(?i)((?:passw(?:or)?d|passphrase|secret|"
            r"(?:api|access|account|private|shared|secret)[_-]?key):\s*(?!expected\b)|"
            rf"--{_NAMES}\s+)[^\s*\"'({{\[]\S*"
        ),
        r"\1***",
    ),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 ***"),
    (re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?=-----END|$)"), r"\1***"),
    # Keys with known prefixes, of GitHub, AWS and Google, and signed tokens.
    (
        re.compile(
            r"\b(?:gh[a-z]_|github_pat_|AKIA|ASIA|AIza)[\w-]{16,}|\beyJ[\w-]+\.[\w-]+\.[\w-]*"
        ),
        "***",
    ),
)

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


def failure_message(error: BaseException) -> str:
    r"""Returns an error in the form that the store keeps: class and message, in one line.

    Args:
        error: The exception.

    Returns:
        At most `MOST_CHARACTERS` printable characters, with passwords masked.

    Example:
        >>> failure_message(ValueError("mysql://me:secret@db/x:\n  no table \x1b[1m"))
        'ValueError: mysql://me:***@db/x: no table \\x1b[1m'
        >>> failure_message(KeyboardInterrupt())
        'KeyboardInterrupt'
    """
    try:
        message = " ".join(str(error).split())
    except Exception:  # A faulty __str__ must not hide the error.
        message = "(its message cannot be read)"
    # Cut twice: patterns are slow on megabytes of text, and half a secret is not recognised.
    message = _shortened(message, 4 * MOST_CHARACTERS)
    for pattern, masked in _SECRETS:
        message = pattern.sub(masked, message)
    message = _shortened(message, MOST_CHARACTERS * 3 // 4)
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    escaped = printable(text)
    return escaped if len(escaped) <= MOST_CHARACTERS else escaped[: MOST_CHARACTERS - 1] + "…"


def _shortened(text: str, most: int) -> str:
    """Keeps the beginning of a text, which says what happened, and the end, what to do."""
    return text if len(text) <= most else f"{text[: most // 2]}{_CUT}{text[-most // 4 :]}"


def record_failure(
    store: metadata_store.MetadataStore, execution_id: int, error: BaseException
) -> None:
    """Marks an execution as failed, with a message; errors of the store are only logged.

    Args:
        store: The metadata store.
        execution_id: Id of the execution; one that has succeeded is not changed.
        error: Why it failed.
    """
    try:
        [execution] = store.get_executions_by_id([execution_id])
        if execution.last_known_state in _SUCCEEDED:
            return
        execution.last_known_state = metadata_store_pb2.Execution.FAILED
        stopped = isinstance(error, (KeyboardInterrupt, SystemExit))
        result = execution_result_pb2.ExecutionResult(
            code=_CANCELLED if stopped else _UNKNOWN, result_message=failure_message(error)
        )
        execution_lib.set_execution_result(result, execution)
        store.put_executions([execution])
    except Exception:
        logging.exception("the failure of execution %d could not be recorded", execution_id)


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

    @functools.wraps(pre_execution)
    def recording(
        self: Any,
        input_dict: Any,
        output_dict: Any,
        exec_properties: dict[str, Any],
        driver_args: data_types.DriverArgs,
        pipeline_info: data_types.PipelineInfo,
        component_info: data_types.ComponentInfo,
    ) -> data_types.ExecutionDecision:
        connection = self._metadata_handle
        given = dict(exec_properties)
        try:
            contexts = connection.register_pipeline_contexts_if_not_exists(pipeline_info)
            run = contexts[1] if len(contexts) > 1 else None
            _note_process(connection.store, run, component_info.component_id)
            decision = pre_execution(
                self,
                input_dict=input_dict,
                output_dict=output_dict,
                exec_properties=exec_properties,
                driver_args=driver_args,
                pipeline_info=pipeline_info,
                component_info=component_info,
            )
        except BaseException as error:
            _record_legacy(connection, given, pipeline_info, component_info, error)
            raise
        if not decision.use_cached_results:
            _expect(connection, decision.output_dict, decision.execution_id)
        return decision

    return recording


def _recording_do(do: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps the executor method that both launchers call."""

    @functools.wraps(do)
    def recording(
        self: Any,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> Any:
        launch = _expected(output_dict)
        try:
            return do(self, input_dict, output_dict, exec_properties)
        except BaseException as error:
            if launch is not None:
                connection, execution_id = launch
                _reopen_and_record(connection, execution_id, error)
            raise

    return recording


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
    try:
        with connection as handle:
            record_failure(handle.store, execution_id, error)
    except Exception:
        logging.exception("the failure of execution %d could not be recorded", execution_id)


def _record_legacy(
    connection: metadata.Metadata,
    exec_properties: dict[str, Any],
    pipeline_info: data_types.PipelineInfo,
    component_info: data_types.ComponentInfo,
    error: BaseException,
) -> None:
    """Records a failure on the notebook path; registers the execution if TFX has not."""
    try:
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
    except Exception:
        logging.exception("the failure of %s could not be recorded", component_info.component_id)


def _note_process(
    store: metadata_store.MetadataStore, run: metadata_store_pb2.Context | None, node: str
) -> None:
    """Records on the run's context which process runs a node, so that killed runs are recognised.

    It is not a property of the execution, because that would change TFX's cache key.
    """
    if run is None:
        return
    try:
        # Read again: `put_contexts` replaces all properties, and others may have added some.
        [run] = store.get_contexts_by_id([run.id])
        run.custom_properties[keys.of_node(node)].string_value = this_process().to_json()
        store.put_contexts([run])
    except Exception:
        logging.exception("the process that runs %s could not be recorded", node)
