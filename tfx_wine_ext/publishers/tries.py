"""Tries of a node in one run: each is an execution of its own, and only the last one publishes.

Airflow runs a failed, killed or cleared task again under the same run id. TFX's legacy drivers then
write over the execution of the earlier try, and fail on its outputs. Where the earlier try is set
aside first, the next one is recorded beside it.
"""

from __future__ import annotations

from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import data_types, metadata

from tfx_wine_ext.artifacts.process import ALIVE, Process, this_process
from tfx_wine_ext.errors import TfxWineExtError
from tfx_wine_ext.publishers.failed_execution import record_failure
from tfx_wine_ext.types import execution as keys

_ENDED = (
    metadata_store_pb2.Execution.COMPLETE,
    metadata_store_pb2.Execution.CACHED,
    metadata_store_pb2.Execution.FAILED,
    metadata_store_pb2.Execution.CANCELED,
)


class TryRunningError(TfxWineExtError, RuntimeError):
    """Another process of this machine still runs the same node of the same run."""

    def __init__(self, node: str, process: Process) -> None:
        super().__init__(
            f"process {process.pid} on {process.host} at work on it",
            "wait for its end, or stop it, and try again",
            path=node,
            expected="one try at a time in a run",
        )


class TryLostError(TfxWineExtError, RuntimeError):
    """A try that recorded no end before the next one began, as its process was killed."""

    def __init__(self, node: str, process: Process | None) -> None:
        where = f" by process {process.pid} on {process.host}" if process is not None else ""
        super().__init__(
            f"none{where} when the next try began: it was killed, or it works in vain",
            path=node,
            expected="the end of this try in the metadata store",
        )


class TryReplacedError(TfxWineExtError, RuntimeError):
    """A try that came to its end after another one of the same run had taken its place."""

    def __init__(self, execution_id: int) -> None:
        super().__init__(
            "that another try has taken its place; this one publishes nothing",
            path=f"execution {execution_id}",
            expected="to be the last try of its run",
        )


def set_earlier_try_aside(
    connection: metadata.Metadata, component: data_types.ComponentInfo
) -> None:
    """Makes TFX's legacy launcher register a new execution for this try of a node.

    TFX finds the execution of a try by the name of its context. That context gets another name, so
    that the earlier try keeps its execution, state, message and artifacts. One that recorded no end
    is marked as failed. Without an earlier try nothing changes.

    Args:
        connection: An open connection.
        component: The node, with its run.

    Raises:
        TryRunningError: The earlier try is not over: its process is alive on this machine.
    """
    store = connection.store
    context = connection.get_component_run_context(component)
    executions = store.get_executions_by_context(context.id) if context is not None else []
    endless = [each for each in executions if each.last_known_state not in _ENDED]
    process = _noted_process(connection, component)
    # A driver notes its process before it registers the execution.
    at_work = bool(endless) or not executions
    if at_work and process not in (None, this_process()) and process.state() == ALIVE:
        raise TryRunningError(component.component_id, process)
    for execution in endless:
        record_failure(store, execution.id, TryLostError(component.component_id, process))
    if context is not None:
        context.name = f"{context.name}.{executions[0].id if executions else context.id}"
        store.put_contexts([context])


def _noted_process(
    connection: metadata.Metadata, component: data_types.ComponentInfo
) -> Process | None:
    """Returns the process that has last run a node in this run, if its driver noted it."""
    run = connection.get_pipeline_run_context(component.pipeline_info)
    key = keys.of_node(component.component_id)
    if run is None or key not in run.custom_properties:
        return None
    return Process.from_json(run.custom_properties[key].string_value)


def check_is_last_try(store: metadata_store.MetadataStore, execution_id: int) -> None:
    """Checks, when the work is done, that no other try of the run has taken over meanwhile.

    Args:
        store: The metadata store.
        execution_id: The execution that is about to be published.

    Raises:
        TryReplacedError: Another try has set this one aside.
    """
    [execution] = store.get_executions_by_id([execution_id])
    if execution.last_known_state == metadata_store_pb2.Execution.FAILED:
        raise TryReplacedError(execution_id)
